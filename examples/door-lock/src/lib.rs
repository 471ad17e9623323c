//! A Trusted Application that decides who opens a door, and keeps the log of it.
//!
//! | Command | Input | Output |
//! |---|---|---|
//! | [`CHALLENGE`] | | 16 random bytes, good for one [`UNLOCK_SIGNED`] in this session |
//! | [`UNLOCK_SIGNED`] | the credential's id (text), a signature (bytes), as a CBOR array | a [`Decision`], one byte |
//! | [`UNLOCK_PIN`] | the credential's id (text), the PIN (text), as a CBOR array | a [`Decision`], one byte |
//! | [`LOG`] | the number of a segment, 4 bytes, big-endian | a `COSE_Sign1` of that [`Segment`](log::Segment) |
//! | [`LOG_STATE`] | | the first segment that is kept and the last, a CBOR array |
//! | [`LOG_KEY`] | a nonce, 8 to 64 bytes | an Entity Attestation Token that holds the nonce and the log's key |
//!
//! Who may open this door is its Personalization Data `credentials`, which its provider replaces when that changes: see
//! [`Credential`]. A phone or a card answers a challenge with a signature; somebody without one types a PIN, which is refused for a
//! while after [`MAX_FAILURES`](pin::MAX_FAILURES) wrong ones.
//!
//! Every decision is an entry in a [log] that nobody outside the TEE can change, shorten or forge. A door that stays closed is
//! therefore a *result* of the command, never an error: an error would undo the entry. A command that somebody ends before it
//! decided has no entry, as it opened no door and told nobody anything; a PIN that was tried with it is counted all the same (see
//! [pin]).

#![cfg_attr(not(test), no_std)]

pub mod credential;
pub mod log;
pub mod pin;

use tamarack_ta::{
    ResultCode, TrustedApplication, Vec, attestation,
    keys::{self, SignatureAlgorithm, SigningKey},
    random, time,
};

pub use credential::Credential;
use credential::Window;

/// Asks for a challenge.
pub const CHALLENGE: u32 = 1;
/// Opens the door with a signed challenge.
pub const UNLOCK_SIGNED: u32 = 2;
/// Opens the door with a PIN.
pub const UNLOCK_PIN: u32 = 3;
/// Tells a segment of the log.
pub const LOG: u32 = 4;
/// Tells which segments there are.
pub const LOG_STATE: u32 = 5;
/// Proves that the log's key is this application's, on this device.
pub const LOG_KEY: u32 = 6;

/// What precedes the challenge in what a credential signs, so that its signature is good for nothing else.
pub const PURPOSE: &[u8] = b"door-lock: unlock ";

/// What becomes of the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Decision {
    /// It opens.
    Opens = 0,
    /// It stays closed: no such credential, or not this signature or PIN. Which of them, only the log says.
    Denied = 1,
    /// It stays closed: the credential is not for now.
    NotNow = 2,
    /// It stays closed: too many wrong PINs, try later.
    LockedOut = 3,
}

/// The Trusted Application.
#[derive(Debug)]
pub struct DoorLock {
    key: SigningKey,
    challenge: Option<[u8; 16]>,
}

impl DoorLock {
    fn challenge(&mut self) -> [u8; 16] {
        let challenge = random::array();
        self.challenge = Some(challenge);
        challenge
    }

    fn unlock_signed(&mut self, id: &str, signature: &[u8]) -> Result<u8, ResultCode> {
        // Whatever becomes of it, a challenge is used up.
        let challenge = self.challenge.take();
        self.decide(id, |credential| {
            let (Some(key), Some(challenge)) = (&credential.key, challenge) else {
                return Ok(Decision::Denied);
            };
            let signed = [PURPOSE, &challenge].concat();
            match keys::verify(key, &signed, signature) {
                Ok(()) => Ok(Decision::Opens),
                Err(ResultCode::SIGNATURE_INVALID) => Ok(Decision::Denied),
                Err(other) => Err(other),
            }
        })
    }

    fn unlock_pin(&mut self, id: &str, pin: &str) -> Result<u8, ResultCode> {
        self.decide(id, |credential| pin::check(credential, pin))
    }

    /// Finds the credential, asks `prove` for the proof that it is its owner, and writes what came of it into the log.
    fn decide(
        &mut self,
        id: &str,
        prove: impl FnOnce(&Credential) -> Result<Decision, ResultCode>,
    ) -> Result<u8, ResultCode> {
        let now = time::now();
        let decision = match credential::find(id)? {
            None => Decision::Denied,
            // The proof comes first: who has none learns nothing of the time.
            Some(credential) => match (prove(&credential)?, credential.window(now)) {
                (Decision::Opens, Window::Closed) => Decision::NotNow,
                (decision, _) => decision,
            },
        };
        log::append(now, id, decision)?;
        Ok(decision as u8)
    }

    fn log(&mut self, segment: u32) -> Result<Vec<u8>, ResultCode> {
        log::export(&self.key, segment)
    }

    fn log_state(&mut self) -> Result<(u32, u32), ResultCode> {
        log::segments()
    }

    fn log_key(&mut self, nonce: &[u8]) -> Result<Vec<u8>, ResultCode> {
        attestation::attest(nonce, Some(&self.key))
    }
}

impl TrustedApplication for DoorLock {
    fn create() -> Result<Self, ResultCode> {
        Ok(Self {
            key: SigningKey::open_or_generate("log", SignatureAlgorithm::Esp256)?,
            challenge: None,
        })
    }

    tamarack_ta::commands! {
        CHALLENGE => challenge(),
        UNLOCK_SIGNED => unlock_signed(id, signature),
        UNLOCK_PIN => unlock_pin(id, pin),
        LOG => log(segment),
        LOG_STATE => log_state(),
        LOG_KEY => log_key(nonce),
    }
}

tamarack_ta::export!(DoorLock);

#[cfg(test)]
mod tests;
