//! Fuzzes [`tamarack_fuzz::cbor`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tamarack_fuzz::cbor::run(data));
