//! Runs every target on its seeds, with a stable compiler and without instrumentation.

use std::{fs, path::PathBuf};

use tamarack_fuzz::{TARGETS, seeds};

/// Generated seeds, and inputs that once broke the target.
fn files(target: &str) -> Vec<PathBuf> {
    let directory = seeds::directory().join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_target_holds_on_its_seeds() {
    for (target, run) in TARGETS {
        let files = files(target);
        assert!(!files.is_empty(), "{target} has no seeds");
        for file in files {
            println!("{}", file.display());
            run(&fs::read(&file).unwrap());
        }
    }
}

#[test]
fn every_target_holds_on_every_truncation_and_bit_flip_of_its_seeds() {
    for (target, run) in TARGETS {
        for file in files(target) {
            println!("{}", file.display());
            let mut bytes = fs::read(&file).unwrap();
            for end in 0..bytes.len() {
                run(&bytes[..end]);
            }
            for at in 0..bytes.len() {
                for bit in [0x01, 0x20, 0x80] {
                    bytes[at] ^= bit;
                    run(&bytes);
                    bytes[at] ^= bit;
                }
            }
        }
    }
}

#[test]
fn the_committed_seeds_are_what_the_encoders_write() {
    for seed in seeds::all() {
        let path = seed.path();
        let committed = fs::read(&path).unwrap_or_default();
        assert!(
            committed == seed.bytes,
            "{} is out of date; run scripts/fuzz --seeds and commit fuzz/seeds",
            path.display()
        );
    }
}
