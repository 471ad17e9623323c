//! Fuzzes [`tamarack_fuzz::encrypt`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tamarack_fuzz::encrypt::run(data));
