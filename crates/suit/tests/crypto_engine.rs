//! A crypto engine that fails: the manifest is refused, and nobody is accused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_cose::{
    CryptoProvider, Error as CoseError, PublicKey, SecretKey, SignatureAlgorithm, Signatures,
    Signer,
};
use tamarack_suit::{
    Error, NoFetch, Processor, SingleAuthority,
    report::{Reason, ReportResult},
};

/// An engine that does not answer.
struct Broken;

const SILENT: CoseError = CoseError::Crypto("the engine does not answer");

impl Signatures for Broken {
    fn verify(&self, _: &PublicKey, _: &[u8], _: &[u8]) -> Result<(), CoseError> {
        Err(SILENT)
    }

    fn public_key(&self, _: SignatureAlgorithm, _: &[u8; 32]) -> Result<PublicKey, CoseError> {
        Err(SILENT)
    }

    fn signer(&self, _: &SecretKey) -> Result<Box<dyn Signer>, CoseError> {
        Err(SILENT)
    }
}

// req: SUIT-REP-009
#[test]
fn a_broken_engine_refuses_and_is_not_taken_for_a_forgery() {
    let author = author(2);
    let envelope = ta(&author, 1, b"payload");
    let broken = CryptoProvider {
        signatures: &Broken,
        ..crypto()
    };
    let keys = [author.key];
    let processor = Processor::new(&broken, &keys, &SingleAuthority);
    let mut device = Recorder::new(device());
    let (outcome, effects) = device.observe(&mut NoFetch, |device, fetch| {
        processor.update_bytes(device, fetch, &envelope)
    });
    assert_eq!(outcome.result, Err(Error::Provider(SILENT)));
    let reason = match outcome.report.result {
        ReportResult::Failure { reason, .. } => Some(reason),
        ReportResult::Success => None,
    };
    assert_eq!(reason, Some(Reason::OperationFailed));
    // Nothing has happened, and the same manifest installs once the engine answers.
    assert_eq!(effects, []);
    assert_eq!(update(&mut device.inner, &author, &envelope).result, Ok(()));
}
