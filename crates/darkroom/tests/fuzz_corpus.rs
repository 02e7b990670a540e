//! Replays the corpora of the fuzz targets, so that what fuzzing once found stays found (fuzz/README.md).

use std::fs;
use std::path::Path;

/// Runs a target over every file of its corpus.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut inputs: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry of the folder").path())
        .collect();
    inputs.sort();
    assert!(inputs.len() >= 20, "{} holds {} inputs: the corpus is missing", folder.display(), inputs.len());
    for path in inputs {
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // Captured unless the test fails: the last line then names the input.
        println!("{}", path.display());
        run(&bytes);
    }
}

#[test]
fn list_query_corpus_is_read_or_refused() {
    replay("list_query", darkroom_api::fuzz_targets::list_query);
}

#[test]
fn continuation_token_corpus_is_refused() {
    replay("continuation_token", darkroom_api::fuzz_targets::continuation_token);
}

#[test]
fn multipart_form_corpus_is_read_or_refused() {
    replay("multipart_form", darkroom::fuzz_targets::multipart_form);
}

#[test]
fn source_url_corpus_is_read_or_refused() {
    replay("source_url", darkroom_api::fuzz_targets::source_url);
}

#[test]
fn signed_url_corpus_opens_nothing() {
    replay("signed_url", darkroom_api::fuzz_targets::signed_url);
}

#[test]
fn upload_url_corpus_names_an_image_or_none() {
    replay("upload_url", darkroom_api::fuzz_targets::upload_url);
}

#[test]
fn image_options_corpus_is_read_or_refused() {
    replay("image_options", darkroom_api::fuzz_targets::image_options);
}

#[test]
fn delivery_path_corpus_is_taken_apart_or_refused() {
    replay("delivery_path", darkroom_api::fuzz_targets::delivery_path);
}

#[test]
fn transform_path_corpus_is_taken_apart_or_refused() {
    replay("transform_path", darkroom_api::fuzz_targets::transform_path);
}

#[test]
fn variant_options_corpus_is_read_or_refused() {
    replay("variant_options", darkroom_api::fuzz_targets::variant_options);
}
