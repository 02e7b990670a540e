#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| darkroom::fuzz_targets::multipart_form(bytes));
