//! The reader of smaller pictures gives what libjpeg gives at that scale, and leaves to it what it does not read.

use darkroom_model::RenderLimits;
use libjpeg_turbo_rs::{
    ColorSpace, Decoder as Reader, Encoder, JpegError, PixelFormat, ScalingFactor, ScanScript, Subsampling,
};

use super::{Decoder, JpegDecoder, SCANS_MAX, reduced};
use crate::picture::Picture;
use crate::plan::Size;

/// The most by which a channel may differ: samples are rounded once here and twice there, and chroma counts up to 1.8
/// times. At an eighth, luma is the same.
fn distance_max(shrink: usize) -> u8 {
    if shrink == 8 { 2 } else { 3 }
}

const SHRINKS: [usize; 3] = [2, 4, 8];

const SAMPLINGS: [Subsampling; 5] =
    [Subsampling::S444, Subsampling::S422, Subsampling::S420, Subsampling::S440, Subsampling::S411];

/// A picture with slopes, edges and some noise in all three colours.
fn pixels(width: usize, height: usize) -> Vec<u8> {
    let mut random = 0x9e37_79b9_u32;
    let mut pixel = |x: usize, y: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (random >> 27) as usize;
        let edge = if (x / 11 + y / 7).is_multiple_of(2) { 90 } else { 0 };
        let colors = [x * 3 + edge + noise, 250 - (y * 2) % 250 + noise, (x + y) * 2 + (90 - edge) + noise];
        colors.map(|sample| sample as u8)
    };
    (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y)).collect()
}

/// A file of such a picture.
fn file(width: usize, height: usize, settings: impl Fn(Encoder<'_>) -> Encoder<'_>) -> Vec<u8> {
    let pixels = pixels(width, height);
    settings(Encoder::new(&pixels, width, height, PixelFormat::Rgb)).encode().unwrap()
}

/// What our reader makes of a file.
fn reduced(file: &[u8], shrink: usize) -> Option<Picture> {
    let reader = Reader::new(file).ok()?;
    let size = Size { width: reader.header().width.into(), height: reader.header().height.into() };
    reduced::decode(file, size, shrink, SCANS_MAX)
}

/// Says whether our reader is for files of this kind.
fn is_read(sampling: Subsampling, progressive: bool, shrink: usize) -> bool {
    shrink == 8 || !progressive && matches!(sampling, Subsampling::S444 | Subsampling::S420)
}

/// What libjpeg makes of it.
fn expected(file: &[u8], shrink: usize) -> Result<(Size, Vec<u8>), JpegError> {
    let mut reader = Reader::new(file)?;
    reader.set_lenient(true);
    reader.set_output_format(PixelFormat::Rgb);
    reader.set_scale(ScalingFactor::try_new(1, shrink as u32)?);
    let image = reader.decode_image()?;
    Ok((Size { width: image.width as u32, height: image.height as u32 }, image.data))
}

/// By how much channels differ at the most.
fn distance(ours: &[u8], theirs: &[u8]) -> u8 {
    ours.iter().zip(theirs).map(|(ours, theirs)| ours.abs_diff(*theirs)).max().unwrap_or_default()
}

fn check(file: &[u8], shrink: usize, distance_max: u8, name: &str) {
    let name = &format!("{name}, {shrink} times smaller");
    let picture = reduced(file, shrink).unwrap_or_else(|| panic!("{name} is not read"));
    let (size, data) = expected(file, shrink).unwrap();
    assert_eq!(picture.size, size, "{name}");
    let distance = distance(&picture.bytes, &data);
    assert!(distance <= distance_max, "{name}: a distance of {distance}");
}

#[test]
fn every_sampling_of_every_size_is_what_libjpeg_makes_of_it() {
    for sampling in SAMPLINGS {
        for width in 1..=40 {
            for height in [1, 2, 7, 8, 9, 15, 16, 17, 24, 25, 31, 32, 33, 40] {
                for progressive in [false, true] {
                    let file =
                        file(width, height, |file| file.subsampling(sampling).progressive(progressive));
                    let name = format!("{sampling:?} {width}×{height} {progressive}");
                    for shrink in SHRINKS {
                        // Of means alone, the same arithmetic is left.
                        let is_same = shrink == 8 && sampling != Subsampling::S420;
                        let distance_max = if is_same { 0 } else { distance_max(shrink) };
                        if is_read(sampling, progressive, shrink) {
                            check(&file, shrink, distance_max, &name);
                        } else {
                            assert_eq!(reduced(&file, shrink), None, "{name}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn every_quality_and_kind_of_tables_is_what_libjpeg_makes_of_it() {
    for sampling in [Subsampling::S444, Subsampling::S420] {
        for quality in (10..=100).step_by(5) {
            for (progressive, optimized) in [(false, false), (false, true), (true, false)] {
                let file = file(77, 67, |file| {
                    let file = file.subsampling(sampling).quality(quality);
                    file.progressive(progressive).optimize_huffman(optimized)
                });
                let name = format!("{sampling:?} {quality} {progressive} {optimized}");
                for shrink in SHRINKS.into_iter().filter(|shrink| is_read(sampling, progressive, *shrink)) {
                    check(&file, shrink, distance_max(shrink), &name);
                }
            }
        }
    }
}

#[test]
fn restarts_are_passed() {
    for sampling in SAMPLINGS {
        for interval in [1, 2, 3, 5, 100] {
            for progressive in [false, true] {
                let file = file(93, 61, |file| {
                    file.subsampling(sampling).progressive(progressive).restart_blocks(interval)
                });
                let name = format!("{sampling:?} {interval} {progressive}");
                for shrink in SHRINKS.into_iter().filter(|shrink| is_read(sampling, progressive, *shrink)) {
                    check(&file, shrink, distance_max(shrink), &name);
                }
            }
        }
    }
}

/// A gray file whose component is sampled so; what that says has no meaning where there is only one.
fn gray(width: usize, height: usize, progressive: bool, factors: u8) -> Vec<u8> {
    let pixels: Vec<u8> = pixels(width, height).chunks(3).map(|pixel| pixel[0]).collect();
    let file = Encoder::new(&pixels, width, height, PixelFormat::Grayscale).progressive(progressive);
    let mut file = file.optimize_huffman(true).encode().unwrap();
    let frame = file.windows(4).position(|bytes| matches!(bytes, [0xff, 0xc0 | 0xc2, 0, 11])).unwrap();
    file[frame + 11] = factors;
    file
}

#[test]
fn gray_is_what_libjpeg_makes_of_it() {
    for (width, height) in [(1, 1), (8, 8), (9, 17), (33, 40), (64, 63)] {
        for progressive in [false, true] {
            for factors in [0x11, 0x21, 0x22] {
                let file = gray(width, height, progressive, factors);
                let name = format!("{width}×{height} {progressive} {factors:x}");
                check(&file, 8, 0, &name);
                if !progressive {
                    check(&file, 4, 1, &name);
                    check(&file, 2, 1, &name);
                }
            }
        }
    }
}

/// A sequential file with a scan for each component, which has tables of its own: joined of gray ones.
fn one_by_one(width: usize, height: usize, (across, down): (usize, usize)) -> Vec<u8> {
    let chroma = (width.div_ceil(across), height.div_ceil(down));
    let mut file = vec![0xff, 0xd8];
    for (index, (plane_width, plane_height)) in [(width, height), chroma, chroma].into_iter().enumerate() {
        let plane = gray(plane_width, plane_height, false, 0x11);
        let find = |marker: u8| plane.windows(2).position(|bytes| bytes == [0xff, marker]).unwrap();
        let (frame, tables, scan) = (find(0xc0), find(0xc4), find(0xda));
        if index == 0 {
            file.extend(&plane[find(0xdb)..frame]);
            file.extend([0xff, 0xc0, 0, 17, 8, 0, height as u8, 0, width as u8, 3]);
            file.extend([1, (across << 4 | down) as u8, 0, 2, 0x11, 0, 3, 0x11, 0]);
        }
        file.extend(&plane[tables..scan]);
        file.extend([0xff, 0xda, 0, 8, 1, index as u8 + 1, 0, 0, 63, 0]);
        file.extend(&plane[scan + 10..plane.len() - 2]);
    }
    file.extend([0xff, 0xd9]);
    file
}

#[test]
fn scans_of_one_component_are_what_libjpeg_makes_of_them() {
    for (width, height) in [(1, 1), (8, 8), (17, 9), (40, 33), (63, 71), (100, 100)] {
        for sampling in [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)] {
            let file = one_by_one(width, height, sampling);
            let shrinks = SHRINKS.into_iter().filter(|shrink| *shrink == 8 || sampling.0 == sampling.1);
            for shrink in shrinks {
                check(&file, shrink, distance_max(shrink), &format!("{width}×{height} {sampling:?}"));
            }
        }
    }
}

#[test]
fn a_script_of_many_small_scans_is_what_libjpeg_makes_of_it() {
    let scan =
        |components: &[u8], ss, se, ah, al| ScanScript { components: components.to_vec(), ss, se, ah, al };
    let mut script = vec![scan(&[0], 0, 0, 0, 2), scan(&[1, 2], 0, 0, 0, 2)];
    for component in 0..3 {
        let bands = [(1, 1), (2, 5), (6, 19), (20, 63)];
        script.extend(bands.map(|(ss, se)| scan(&[component], ss, se, 0, 2)));
    }
    script.extend([1, 0].map(|al| scan(&[0, 1, 2], 0, 0, al + 1, al)));
    for component in [2, 0, 1] {
        script.extend([1, 0].map(|al| scan(&[component], 1, 63, al + 1, al)));
    }
    for sampling in [Subsampling::S420, Subsampling::S422] {
        let file = file(119, 85, |file| {
            file.subsampling(sampling).progressive(true).scan_script(script.clone()).restart_blocks(7)
        });
        check(&file, 8, distance_max(8), &format!("{sampling:?}"));
    }
}

#[test]
fn what_is_cut_off_is_left_to_the_other_reader() {
    for progressive in [false, true] {
        let file = file(50, 41, |file| file.subsampling(Subsampling::S420).progressive(progressive));
        let size = Size { width: 50, height: 41 };
        let shrinks = SHRINKS.into_iter().filter(|shrink| is_read(Subsampling::S420, progressive, *shrink));
        for shrink in shrinks {
            assert!(reduced::decode(&file, size, shrink, SCANS_MAX).is_some());
            for length in 0..file.len() - 1 {
                let picture = reduced::decode(&file[..length], size, shrink, SCANS_MAX);
                assert_eq!(picture, None, "{length} {progressive} {shrink}");
            }
        }
    }
}

#[test]
fn what_is_not_as_usual_is_left_to_the_other_reader() {
    let usual = file(40, 40, |file| file.progressive(true));
    let scans = usual.windows(2).filter(|bytes| *bytes == [0xff, 0xda]).count();
    let size = Size { width: 40, height: 40 };
    assert!(reduced::decode(&usual, size, 8, scans).is_some());
    assert_eq!(reduced::decode(&usual, size, 8, scans - 1), None, "too many scans");
    assert_eq!(reduced::decode(&usual, Size { width: 41, ..size }, 8, scans), None, "another size");
    assert_eq!(reduced(&file(40, 40, |file| file.arithmetic(true)), 8), None, "arithmetic codes");
    assert_eq!(
        reduced(&file(40, 40, |file| file.sampling_factors(vec![(1, 1), (2, 1), (1, 1)])), 8),
        None,
        "fine chroma"
    );
    let pixels = pixels(40, 30);
    let inks = Encoder::new(&pixels, 30, 30, PixelFormat::Cmyk).encode().unwrap();
    assert_eq!(reduced(&inks, 8), None, "four inks");
}

#[test]
fn the_decoder_gives_what_our_reader_reads_and_what_it_does_not() {
    let usual = file(40, 40, |file| file.subsampling(Subsampling::S420));
    let direct = file(40, 40, |file| file.colorspace(ColorSpace::Rgb));
    let cut = &usual[..usual.len() - 100];
    for shrink in SHRINKS {
        let files = [
            (&usual[..], reduced(&usual, shrink).unwrap().bytes),
            (&direct, expected(&direct, shrink).unwrap().1),
            (cut, expected(cut, shrink).unwrap().1),
        ];
        for (file, expected) in files {
            let mut decoder = JpegDecoder::open(file, &RenderLimits::DEFAULT).unwrap();
            assert_eq!(decoder.next_frame(shrink as u32).unwrap().unwrap().picture.bytes, expected);
        }
    }
}

#[test]
fn damaged_files_are_what_libjpeg_makes_of_them_or_left_to_it() {
    let mut random = 0x2545_f491_u32;
    let mut below = |end: usize| {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random as usize % end
    };
    for shrink in SHRINKS {
        let (mut alike, mut different, mut left) = (0, 0, 0);
        for sampling in SAMPLINGS {
            for progressive in [false, true].into_iter().filter(|kind| is_read(sampling, *kind, shrink)) {
                let whole = file(90, 50, |file| {
                    file.subsampling(sampling).progressive(progressive).restart_blocks(4)
                });
                for _ in 0..2_000 {
                    let mut damaged = whole.clone();
                    for _ in 0..=below(3) {
                        let at = below(damaged.len());
                        damaged[at] = below(256) as u8;
                    }
                    let size = Size { width: 90, height: 50 };
                    let Some(picture) = reduced::decode(&damaged, size, shrink, SCANS_MAX) else {
                        left += 1;
                        continue;
                    };
                    let [width, height] = [90_usize, 50].map(|side| side.div_ceil(shrink) as u32);
                    assert_eq!(picture.size, Size { width, height });
                    // It may refuse a scan that is passed over here.
                    let Ok((_, data)) = expected(&damaged, shrink) else { continue };
                    if distance(&picture.bytes, &data) <= distance_max(shrink) {
                        alike += 1
                    } else {
                        different += 1
                    }
                }
            }
        }
        // Where coefficients are larger than can be, their sums turn over there.
        assert!(
            alike > 500 && left > 500 && different < 10,
            "{shrink}: {alike} alike, {different} not, {left} left"
        );
    }
}
