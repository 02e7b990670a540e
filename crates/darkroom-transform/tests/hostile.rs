//! Damaged files of each format: an error or a picture of the promised size, never a panic.

mod common;

use common::file;
use darkroom_transform::fuzz_targets::{render_gif, render_jpeg, render_png, render_webp};

const MUTATIONS: u32 = 2_000;

/// Renders a file cut off at every kilobyte (a small one at every byte), and with bytes changed.
fn damage(target: fn(&[u8]), sources: &[&str]) {
    for source in sources {
        let whole = file(source);
        let step = if whole.len() < 2_048 { 1 } else { 1_024 };
        for length in (0..whole.len()).step_by(step) {
            target(&whole[..length]);
        }
        let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
        for _ in 0..MUTATIONS / sources.len() as u32 {
            let mut damaged = whole.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(damaged.len());
                damaged[at] = random.below(256) as u8;
            }
            target(&damaged);
        }
    }
}

/// The same numbers on every run.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

#[test]
fn damaged_jpegs() {
    let sources =
        ["pictures/baseline.jpg", "pictures/progressive.jpg", "pictures/cmyk.jpg", "pictures/gray.jpg"];
    damage(render_jpeg, &sources);
}

/// Of these, an eighth is more than a pixel.
#[test]
fn damaged_jpegs_of_every_sampling() {
    let sources = ["444-p0", "422-p1", "420-p0", "420-p1", "440-p0", "411-p1"];
    let sources = sources.map(|name| format!("../../../fuzz/corpus/render_jpeg/eighth-{name}"));
    damage(render_jpeg, &sources.each_ref().map(String::as_str));
}

#[test]
fn damaged_pngs() {
    damage(render_png, &["pictures/still.png", "pictures/interlaced.png", "pictures/animated.png"]);
}

#[test]
fn damaged_gifs() {
    damage(render_gif, &["pictures/disposals.gif", "pictures/animated.gif", "pictures/still.gif"]);
}

#[test]
fn damaged_webps() {
    let sources =
        ["pictures/lossy.webp", "pictures/lossless.webp", "pictures/alpha.webp", "pictures/animated.webp"];
    damage(render_webp, &sources);
}
