//! What the fuzz targets do with their input, one module each, and the seeds that they start from.
//!
//! Each `run` takes any bytes, must not panic on them, and asserts what has to hold for those that are accepted. The
//! targets in `fuzz_targets/` hand them to libFuzzer; `tests/seeds.rs` runs them on the seeds with a stable compiler.

pub mod cbor;
pub mod cose;
pub mod decode;
pub mod directory;
pub mod eat;
pub mod encrypt;
pub mod insecure;
pub mod operations;
pub mod process;
pub mod seeds;
pub mod suit;
pub mod teep;
pub mod watch;
pub mod x509;

/// What each target does, by name.
pub const TARGETS: [(&str, fn(&[u8])); 10] = [
    ("cbor", cbor::run),
    ("cose", cose::run),
    ("decode", decode::run),
    ("directory", directory::run),
    ("eat", eat::run),
    ("encrypt", encrypt::run),
    ("process", process::run),
    ("suit", suit::run),
    ("teep", teep::run),
    ("x509", x509::run),
];
