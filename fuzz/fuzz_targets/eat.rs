//! Fuzzes [`tamarack_fuzz::eat`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tamarack_fuzz::eat::run(data));
