//! Fuzzes [`tamarack_fuzz::decode`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tamarack_fuzz::decode::run(data));
