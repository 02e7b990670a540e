#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| darkroom_api::fuzz_targets::transform_path(bytes));
