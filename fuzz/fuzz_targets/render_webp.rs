#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| darkroom_transform::fuzz_targets::render_webp(bytes));
