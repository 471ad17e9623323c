//! Fuzzes [`tamarack_fuzz::suit`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tamarack_fuzz::suit::run(data));
