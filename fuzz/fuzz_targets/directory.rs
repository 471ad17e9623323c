//! Fuzzes [`tamarack_fuzz::directory`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tamarack_fuzz::directory::run(data));
