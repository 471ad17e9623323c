//! PINs: few guesses, then a pause that grows.
//!
//! A guess is used up before anybody looks whether it is right. Otherwise whoever can end the command, by cancelling it or
//! pulling the plug, would do so as long as the door stays closed, and the guess would be undone with the command.

use tamarack_ta::{ResultCode, digest, format, objects, session, time};

use crate::{Credential, Decision};

/// Wrong PINs in a row before a credential's PIN is refused for a while.
pub const MAX_FAILURES: u8 = 5;

/// Seconds of the first pause; each further wrong PIN doubles it, up to [`LONGEST_PAUSE`].
pub const FIRST_PAUSE: u64 = 60;

/// Seconds of the longest pause: a day.
pub const LONGEST_PAUSE: u64 = 24 * 60 * 60;

/// What a credential holds of its PIN. The id keeps two people with one PIN from having one digest.
///
/// Ten thousand PINs are hashed in no time: what protects this is that it never leaves the TEE.
///
/// # Errors
///
/// Those of the TEE.
pub fn digest(id: &str, pin: &str) -> Result<[u8; 32], ResultCode> {
    digest::sha256(format!("door-lock: pin {}:{id}:{pin}", id.len()).as_bytes())
}

/// What is remembered of wrong PINs, stored as 1 + 8 bytes under the credential's id.
#[derive(Clone, Copy, Default)]
struct Failures {
    count: u8,
    /// Seconds since 1970 before which no PIN is taken.
    pause: u64,
}

/// Names of objects are 64 bytes at most, of which the id takes 32.
fn name_of(id: &str) -> tamarack_ta::String {
    format!("pin/{id}")
}

impl Failures {
    fn load(id: &str) -> Result<Self, ResultCode> {
        let bytes = match objects::read(&name_of(id)) {
            Ok(bytes) => bytes,
            Err(ResultCode::ITEM_NOT_FOUND) => return Ok(Self::default()),
            Err(other) => return Err(other),
        };
        let Some((&count, pause)) = bytes.split_first() else {
            return Err(ResultCode::CORRUPT_OBJECT);
        };
        let pause = pause.try_into().map_err(|_| ResultCode::CORRUPT_OBJECT)?;
        let pause = u64::from_be_bytes(pause);
        Ok(Self { count, pause })
    }

    fn store(self, id: &str) -> Result<(), ResultCode> {
        let bytes = [&[self.count][..], &self.pause.to_be_bytes()].concat();
        objects::write(&name_of(id), &bytes)
    }

    fn one_more(self, now: u64) -> Self {
        let count = self.count.saturating_add(1);
        let pause = match count.checked_sub(MAX_FAILURES) {
            None => 0,
            Some(further) => {
                let pause = FIRST_PAUSE.saturating_mul(1 << further.min(16));
                now.saturating_add(pause.min(LONGEST_PAUSE))
            }
        };
        Self { count, pause }
    }
}

/// Decides about a PIN, and remembers a wrong one, and one of which nobody ever heard what came of it.
///
/// # Errors
///
/// Those of the storage. Where a guess can't be remembered, none is taken.
pub fn check(credential: &Credential, pin: &str) -> Result<Decision, ResultCode> {
    let Some(expected) = &credential.pin else {
        return Ok(Decision::Denied);
    };
    let now = time::now();
    let failures = Failures::load(&credential.id)?;
    if now < failures.pause {
        return Ok(Decision::LockedOut);
    }
    failures.one_more(now).store(&credential.id)?;
    session::commit()?;
    match same(&digest(&credential.id, pin)?, expected) {
        true => {
            Failures::default().store(&credential.id)?;
            Ok(Decision::Opens)
        }
        false => Ok(Decision::Denied),
    }
}

/// Compares in a time that does not depend on where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && core::hint::black_box(differences) == 0
}
