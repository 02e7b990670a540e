//! Replays the corpora of the fuzz targets, so that what fuzzing once found stays found (fuzz/README.md).

use std::fs;
use std::path::Path;

use darkroom_transform::fuzz_targets;

/// Runs a target over every file of its corpus.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<_> = entries.map(|entry| entry.expect("an entry of the folder").path()).collect();
    inputs.sort();
    assert!(inputs.len() >= 12, "{} holds {} inputs: the corpus is missing", folder.display(), inputs.len());
    for path in inputs {
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // Captured unless the test fails: the last line then names the input.
        println!("{}", path.display());
        run(&bytes);
    }
}

#[test]
fn render_avif_corpus_is_rendered_or_refused() {
    replay("render_avif", fuzz_targets::render_avif);
}

#[test]
fn sanitise_svg_corpus_is_harmless_or_refused() {
    replay("sanitise_svg", fuzz_targets::sanitise_svg);
}

#[test]
fn render_jpeg_corpus_is_rendered_or_refused() {
    replay("render_jpeg", fuzz_targets::render_jpeg);
}

#[test]
fn render_png_corpus_is_rendered_or_refused() {
    replay("render_png", fuzz_targets::render_png);
}

#[test]
fn render_gif_corpus_is_rendered_or_refused() {
    replay("render_gif", fuzz_targets::render_gif);
}

#[test]
fn render_webp_corpus_is_rendered_or_refused() {
    replay("render_webp", fuzz_targets::render_webp);
}
