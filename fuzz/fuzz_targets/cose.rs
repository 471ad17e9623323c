//! Fuzzes [`tamarack_fuzz::cose`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tamarack_fuzz::cose::run(data));
