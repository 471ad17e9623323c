//! How much memory an installation takes, whatever the length of what is installed.
//!
//! The allocator counts for the whole process, so the cases run one after the other in a single test.
#![cfg(all(feature = "directory", unix))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use std::io::{Read as _, Write as _};

use common::*;
use peak_alloc::PeakAlloc;
use tamarack_cose::{
    SymmetricKey,
    encrypt::{ContentAlgorithm, RecipientKey},
};
use tamarack_suit::{
    DeviceError, Fetch, Identity, Processor, SequenceNumber, SingleAuthority, SuitDigest,
    author::{ComponentBuilder, ManifestBuilder, PayloadEncryption},
    directory::DirectoryDevice,
};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const LENGTH: usize = 16 << 20;
const MOST: usize = 64 << 10;

/// An image that is never held whole: the same block over and over.
struct Blocks {
    block: [u8; 1024],
}

impl Blocks {
    fn new() -> Self {
        let mut block = [0; 1024];
        for (at, byte) in block.iter_mut().enumerate() {
            *byte = u8::try_from(at * 31 % 251).unwrap();
        }
        Self { block }
    }

    fn each<E>(&self, mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        (0..LENGTH / self.block.len()).try_for_each(|_| take(&self.block))
    }

    fn digest(&self) -> SuitDigest {
        let crypto = crypto();
        let mut context = crypto.digests.start(tamarack_cose::DigestAlgorithm::Sha256);
        let taken: Result<(), ()> = self.each(|block| {
            context.update(block);
            Ok(())
        });
        taken.unwrap();
        SuitDigest::new(
            tamarack_cose::DigestAlgorithm::Sha256,
            context.finish().as_ref(),
        )
        .unwrap()
    }
}

impl Fetch for Blocks {
    fn fetch(
        &mut self,
        _: &str,
        _: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        self.each(sink)
    }
}

/// A case: what is installed, and where it comes from.
struct Case {
    name: &'static str,
    envelope: Vec<u8>,
    server: Box<dyn Fetch>,
}

fn cases() -> Vec<Case> {
    let mut cases = vec![fetched()];
    for algorithm in [ContentAlgorithm::A128Gcm, ContentAlgorithm::A128Ctr] {
        cases.push(encrypted(algorithm));
    }
    cases
}

fn fetched() -> Case {
    let blocks = Blocks::new();
    let component = ComponentBuilder::new(id("acme/image"))
        .vendor(vendor())
        .class(class())
        .uri("https://example.com/image", blocks.digest(), LENGTH as u64);
    let envelope = ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("acme/suit"))
        .component(component)
        .build()
        .unwrap()
        .sign(&crypto(), &[&*author(2).signer])
        .unwrap();
    Case {
        name: "fetched",
        envelope,
        server: Box::new(blocks),
    }
}

/// A ciphertext of [`Blocks`] that lies in a file.
struct Ciphertext(tempfile::TempDir);

impl Ciphertext {
    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("ciphertext")
    }
}

impl Fetch for Ciphertext {
    fn fetch(
        &mut self,
        uri: &str,
        _: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        let mut file = std::fs::File::open(self.path())
            .map_err(|_| DeviceError::Unavailable(uri.to_owned()))?;
        let mut chunk = [0; 1024];
        loop {
            match file.read(&mut chunk).unwrap() {
                0 => return Ok(()),
                length => sink(&chunk[..length])?,
            }
        }
    }
}

fn kek() -> SymmetricKey {
    SymmetricKey::new([7; 16])
}

/// The author does not hold the payload in memory either.
fn encrypted(algorithm: ContentAlgorithm) -> Case {
    let server = Ciphertext(tempfile::tempdir().unwrap());
    let mut file = std::fs::File::create(server.path()).unwrap();
    let kek = kek();
    let to = [tamarack_cose::encrypt::Recipient::wrapping(&kek).unwrap()];
    let mut encryptor = PayloadEncryption::new(algorithm)
        .start(&crypto(), None, &to)
        .unwrap();
    let mut ready = Vec::new();
    Blocks::new()
        .each(|block| {
            encryptor.update(block, &mut ready).unwrap();
            file.write_all(&ready)?;
            ready.clear();
            Ok::<_, std::io::Error>(())
        })
        .unwrap();
    let image = encryptor.finish(&mut ready).unwrap();
    file.write_all(&ready).unwrap();
    let component = ComponentBuilder::new(id("acme/image"))
        .vendor(vendor())
        .class(class())
        .encrypted_uri("https://example.com/image", id("acme/staged"), image);
    let envelope = ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("acme/suit"))
        .component(component)
        .build()
        .unwrap()
        .sign(&crypto(), &[&*author(2).signer])
        .unwrap();
    Case {
        name: algorithm.name(),
        envelope,
        server: Box::new(server),
    }
}

#[test]
fn installing_sixteen_mebibytes_takes_less_than_64_kibibytes() {
    for mut case in cases() {
        let folder = tempfile::tempdir().unwrap();
        let crypto = crypto();
        let trusted = [author(2).key];
        // What a library sets up once, at its first use, is not part of the installation.
        install(
            &crypto,
            &trusted,
            folder.path(),
            &ta(&author(2), 1, b"x"),
            &mut *case.server,
        );

        HEAP.reset_peak_usage();
        let before = HEAP.current_usage();
        install(
            &crypto,
            &trusted,
            folder.path(),
            &case.envelope,
            &mut *case.server,
        );
        let peak = HEAP.peak_usage() - before;

        println!("{}: {peak} bytes", case.name);
        assert!(peak < MOST, "{}: {peak} bytes", case.name);
        let installed = std::fs::metadata(folder.path().join("acme+/image")).unwrap();
        assert_eq!(installed.len(), LENGTH as u64);
    }
}

fn install(
    crypto: &tamarack_cose::CryptoProvider,
    trusted: &[tamarack_cose::PublicKey],
    folder: &std::path::Path,
    envelope: &[u8],
    server: &mut dyn Fetch,
) {
    let identity = Identity {
        vendors: vec![vendor().into()],
        classes: vec![class()],
        devices: vec![],
    };
    let keys = [RecipientKey::wrapping(crypto, kek())];
    let processor = Processor::new(crypto, trusted, &SingleAuthority).with_recipient_keys(&keys);
    let mut device = DirectoryDevice::open(folder, identity).unwrap();
    let mut transaction = device.transaction().unwrap();
    let outcome = processor.update_bytes(&mut transaction, server, envelope);
    assert_eq!(outcome.result, Ok(()));
    transaction.commit().unwrap();
}
