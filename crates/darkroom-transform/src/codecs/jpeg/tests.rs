//! The reader of eighths gives what libjpeg gives at that scale, and leaves to it what it does not read.

use libjpeg_turbo_rs::{Decoder as Reader, Encoder, PixelFormat, ScalingFactor, Subsampling};

use super::{SCANS_MAX, eighth};

/// The most by which a channel may differ: chroma rounds once here and twice there, and counts up to 1.8 times.
const DISTANCE_MAX: u8 = 2;

const SAMPLINGS: [Subsampling; 5] =
    [Subsampling::S444, Subsampling::S422, Subsampling::S420, Subsampling::S440, Subsampling::S411];

/// A picture with slopes, edges and a little noise in all three colours.
fn pixels(width: usize, height: usize) -> Vec<u8> {
    let mut random = 0x9e37_79b9_u32;
    let mut pixel = |x: usize, y: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (random >> 27) as usize;
        let edge = if (x / 11 + y / 7).is_multiple_of(2) { 90 } else { 0 };
        [x * 3 + edge + noise, 250 - (y * 2) % 250 + noise, (x + y) * 2 + (90 - edge) + noise]
            .map(|sample| sample as u8)
    };
    (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y)).collect()
}

/// What libjpeg makes of a file at an eighth.
fn expected(file: &[u8]) -> (usize, usize, Vec<u8>) {
    let mut reader = Reader::new(file).unwrap();
    reader.set_output_format(PixelFormat::Rgb);
    reader.set_scale(ScalingFactor::try_new(1, 8).unwrap());
    let image = reader.decode_image().unwrap();
    (image.width, image.height, image.data)
}

/// Checks a file against libjpeg.
fn check(file: &[u8], distance_max: u8, name: &str) {
    let picture = eighth::decode(file, SCANS_MAX).unwrap_or_else(|| panic!("{name} is read"));
    let (width, height, data) = expected(file);
    assert_eq!((picture.size.width as usize, picture.size.height as usize), (width, height), "{name}");
    let distance = picture.bytes.iter().zip(&data).map(|(ours, theirs)| ours.abs_diff(*theirs)).max();
    assert!(distance <= Some(distance_max), "{name}: a distance of {distance:?}");
}

#[test]
fn every_sampling_of_every_size_is_what_libjpeg_makes_of_it() {
    for sampling in SAMPLINGS {
        for width in 1..=40 {
            for height in [1, 2, 7, 8, 9, 15, 16, 17, 24, 25, 31, 32, 33, 40] {
                let pixels = pixels(width, height);
                let file = Encoder::new(&pixels, width, height, PixelFormat::Rgb).subsampling(sampling);
                check(&file.encode().unwrap(), DISTANCE_MAX, &format!("{sampling:?} {width}×{height}"));
            }
        }
    }
}
