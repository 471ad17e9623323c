//! The seeds, made by our own encoders: what is valid is where fuzzing starts.
//!
//! `scripts/fuzz --seeds` writes them to `fuzz/seeds/TARGET/NAME`. Inputs that once broke a target lie beside them,
//! under other names.

use std::path::{Path, PathBuf};

mod cbor;
mod cose;
mod decode;
mod directory;
mod eat;
mod encrypt;
mod process;
mod suit;
mod teep;
mod x509;

/// An input to start from.
pub struct Seed {
    /// The target that it is for.
    pub target: &'static str,
    /// The name of its file.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

impl Seed {
    /// Where it is kept.
    pub fn path(&self) -> PathBuf {
        directory().join(self.target).join(&self.name)
    }
}

/// Where all seeds are kept.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

/// All of them. The same each time: nothing in them is random.
pub fn all() -> Vec<Seed> {
    let of = |target, seeds: Vec<(&'static str, Vec<u8>)>| {
        seeds.into_iter().map(move |(name, bytes)| Seed {
            target,
            name: name.to_owned(),
            bytes,
        })
    };
    of("cbor", cbor::seeds())
        .chain(of("cose", cose::seeds()))
        .chain(of("decode", decode::seeds()))
        .chain(of("directory", directory::seeds()))
        .chain(of("eat", eat::seeds()))
        .chain(of("encrypt", encrypt::seeds()))
        .chain(of("process", process::seeds()))
        .chain(of("suit", suit::seeds()))
        .chain(of("teep", teep::seeds()))
        .chain(of("x509", x509::seeds()))
        .collect()
}
