//! Rows of luma and chroma become RGB (JFIF 1.02), in the arithmetic of libjpeg.

/// Joins a row of luma and of chroma.
pub(super) fn join(luma: &[u8], blue: &[u8], red: &[u8], output: &mut [u8]) {
    const LANES: usize = 16;
    let whole = luma.len() / LANES * LANES;
    let (luma, luma_rest) = luma.as_chunks::<LANES>();
    let (blue, blue_rest) = blue.as_chunks::<LANES>();
    let (red, red_rest) = red.as_chunks::<LANES>();
    let (output, output_rest) = output.split_at_mut_checked(whole * 3).unwrap_or_default();
    // One array at once, and a pixel in 32 bits of it, is what compilers know how to do for several at a time.
    let chunks = luma.iter().zip(blue).zip(red).zip(output.as_chunks_mut::<{ LANES * 3 }>().0);
    for (((luma, blue), red), output) in chunks {
        let mut pixels = [0_u32; LANES];
        for lane in 0..LANES {
            let [r, g, b] = pixel(luma[lane], blue[lane], red[lane]);
            pixels[lane] = u32::from(r) | u32::from(g) << 8 | u32::from(b) << 16;
        }
        for (four, output) in pixels.as_chunks::<4>().0.iter().zip(output.as_chunks_mut::<12>().0) {
            let words = [four[0] | four[1] << 24, four[1] >> 8 | four[2] << 16, four[2] >> 16 | four[3] << 8];
            output
                .as_chunks_mut::<4>()
                .0
                .iter_mut()
                .zip(words)
                .for_each(|(bytes, word)| *bytes = word.to_le_bytes());
        }
    }
    let rest = luma_rest.iter().zip(blue_rest).zip(red_rest).zip(output_rest.as_chunks_mut::<3>().0);
    rest.for_each(|(((luma, blue), red), output)| *output = pixel(*luma, *blue, *red));
}

/// The colour of a pixel. Products are of numbers of sixteen bits: the larger factors are given less what is whole.
#[inline(always)]
fn pixel(luma: u8, blue: u8, red: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let luma = i32::from(luma);
    let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
    let colors = [
        luma + red + ((26_345 * red + HALF) >> 16),
        luma - red + ((-22_554 * blue + 18_734 * red + HALF) >> 16),
        luma + 2 * blue + ((-14_942 * blue + HALF) >> 16),
    ];
    colors.map(|color| color.clamp(0, 255) as u8)
}

/// Gives each pixel a gray.
pub(super) fn repeat(grays: &[u8], output: &mut [u8]) {
    output.as_chunks_mut().0.iter_mut().zip(grays).for_each(|(pixel, gray)| *pixel = [*gray; 3]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_is_what_libjpeg_makes_of_it() {
        // FIX(1.402), FIX(0.34414), FIX(0.71414) and FIX(1.772) of its jdcolor.c.
        let fraction = |sum: i32| (sum + (1 << 15)) >> 16;
        let samples: Vec<u8> = (0..=255).collect();
        for blue in 0..=255_u8 {
            let blues = [blue; 256];
            for red in 0..=255_u8 {
                let mut output = [0; 768];
                join(&samples, &blues, &[red; 256], &mut output);
                let (b, r) = (i32::from(blue) - 128, i32::from(red) - 128);
                let offsets =
                    [fraction(91_881 * r), fraction(-22_554 * b - 46_802 * r), fraction(116_130 * b)];
                for (luma, pixel) in output.as_chunks::<3>().0.iter().enumerate() {
                    let expected = offsets.map(|offset| (luma as i32 + offset).clamp(0, 255) as u8);
                    assert_eq!(*pixel, expected, "{luma} {blue} {red}");
                }
            }
        }
    }

    #[test]
    fn a_row_of_any_length_is_joined_to_its_end() {
        for length in 0..50 {
            let luma: Vec<u8> = (1..=length).collect();
            let chroma = vec![128; luma.len()];
            let mut output = vec![0; luma.len() * 3];
            join(&luma, &chroma, &chroma, &mut output);
            let mut grays = vec![0; luma.len() * 3];
            repeat(&luma, &mut grays);
            assert_eq!(output, grays, "{length}");
            assert_eq!(output, luma.iter().flat_map(|gray| [*gray; 3]).collect::<Vec<u8>>());
        }
    }
}
