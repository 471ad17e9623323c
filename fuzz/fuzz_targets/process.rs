//! Fuzzes [`tamarack_fuzz::process`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tamarack_fuzz::process::run(data));
