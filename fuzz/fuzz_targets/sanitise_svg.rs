#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| darkroom_transform::fuzz_targets::sanitise_svg(bytes));
