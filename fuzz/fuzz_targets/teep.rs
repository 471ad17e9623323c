//! Fuzzes [`tamarack_fuzz::teep`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tamarack_fuzz::teep::run(data));
