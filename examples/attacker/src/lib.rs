//! A Trusted Application that tries everything it should not be able to do.
//!
//! Each command is one attempt: [`ATTEMPTS`] lists them, with what has to become of each. An attempt that does not kill the
//! TA answers an [`Outcome`]. The TA is honest about it: what it got hold of is in the answer, so that a test can look.
//!
//! Some attempts presuppose neighbours: the example `vault` as `acme/vault`, `hello` as `acme/hello` with the Personalization Data
//! `greeting`, and this TA itself exposed to its own domain as the service `evil/attacker`. Those that are
//! [harmless](Expected::Harmless) succeed, but only against the TA itself: that they do not reach anybody else shows at the
//! neighbours, the log and the TEE, which whoever runs the attempts has to watch.
//!
//! # Unsafe code
//!
//! The SDK can't say most of this: names are text, ranges are slices, lengths are right. An attacker does not use the SDK, so
//! the attempts call the imports themselves, which takes `unsafe`. No other example has a reason to.

#![cfg_attr(not(test), no_std)]

mod attempts;
#[cfg(target_family = "wasm")]
mod raw;
#[cfg(target_family = "wasm")]
mod tricks;

use tamarack_ta::{ResultCode, TrustedApplication, Vec};

pub use attempts::ATTEMPTS;

/// Something that a TA should not be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The command that tries it: 1, 2, 3, …
    pub number: u32,
    /// What is tried.
    pub what: &'static str,
    /// What has to become of it.
    pub expected: Expected,
}

/// What has to become of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The TEE refuses it with one of these codes.
    Refused(&'static [ResultCode]),
    /// The TEE refuses it.
    AnyRefusal,
    /// The TA dies: [`ResultCode::TARGET_DEAD`].
    Dies,
    /// The TEE refuses it, at once or by undoing the command for want of space, or the TA dies of what it costs.
    RefusedOrDies,
    /// It is allowed, and reaches nobody else.
    Harmless,
}

/// What became of an attempt, as the output of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Byte 0, then the result code, 4 bytes, big-endian: the TEE refused.
    Refused(ResultCode),
    /// Byte 1, then what was got hold of.
    Succeeded(Vec<u8>),
    /// Byte 2: it was allowed, and there is nothing to show for it.
    Nothing,
}

impl Outcome {
    /// Writes it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Refused(code) => [&[0][..], &code.0.to_be_bytes()].concat(),
            Self::Succeeded(evidence) => [&[1][..], evidence].concat(),
            Self::Nothing => Vec::from([2]),
        }
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` if it is not that.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (0, code) => Some(Self::Refused(ResultCode(u32::from_be_bytes(
                code.try_into().ok()?,
            )))),
            (1, evidence) => Some(Self::Succeeded(evidence.into())),
            (2, []) => Some(Self::Nothing),
            _ => None,
        }
    }
}

impl Expected {
    /// Whether a command went as it has to: `result` is what it answered.
    #[must_use]
    pub fn is_met_by(self, result: Result<&[u8], ResultCode>) -> bool {
        let dead = result == Err(ResultCode::TARGET_DEAD);
        let undone = result == Err(ResultCode::STORAGE_NO_SPACE);
        let outcome = result.ok().and_then(Outcome::from_bytes);
        match (self, outcome) {
            (Self::Refused(codes), Some(Outcome::Refused(code))) => codes.contains(&code),
            (Self::AnyRefusal | Self::RefusedOrDies, Some(Outcome::Refused(_))) => true,
            (Self::Dies, None) => dead,
            (Self::RefusedOrDies, None) => dead || undone,
            (Self::Harmless, Some(Outcome::Nothing)) => true,
            _ => false,
        }
    }
}

/// The Trusted Application.
#[derive(Debug)]
pub struct Attacker;

impl TrustedApplication for Attacker {
    fn create() -> Result<Self, ResultCode> {
        Ok(Self)
    }

    #[cfg(target_family = "wasm")]
    fn migrate(&mut self, _: Option<u64>) -> Result<(), ResultCode> {
        tricks::commit_in_migration();
        Ok(())
    }

    #[cfg(target_family = "wasm")]
    fn invoke_command(&mut self, command: u32, _: &[u8]) -> Result<Vec<u8>, ResultCode> {
        attempts::attempt(command).map(|outcome| outcome.to_bytes())
    }

    /// Outside WebAssembly there is no boundary to attack.
    #[cfg(not(target_family = "wasm"))]
    fn invoke_command(&mut self, _: u32, _: &[u8]) -> Result<Vec<u8>, ResultCode> {
        Err(ResultCode::NOT_SUPPORTED)
    }
}

tamarack_ta::export!(Attacker);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_numbered_and_each_is_another() {
        assert!(ATTEMPTS.len() >= 40);
        for (attempt, number) in ATTEMPTS.iter().zip(1..) {
            assert_eq!(attempt.number, number);
            let same = ATTEMPTS.iter().filter(|other| other.what == attempt.what);
            assert_eq!(same.count(), 1, "{}", attempt.what);
        }
    }

    #[test]
    fn outcomes_are_told_apart() {
        let refused = Outcome::Refused(ResultCode::ITEM_NOT_FOUND);
        let succeeded = Outcome::Succeeded(b"loot".into());
        for outcome in [&refused, &succeeded, &Outcome::Nothing] {
            assert_eq!(
                Outcome::from_bytes(&outcome.to_bytes()).as_ref(),
                Some(outcome)
            );
        }
        for bytes in [&[][..], &[0, 1], &[2, 0], &[3]] {
            assert_eq!(Outcome::from_bytes(bytes), None);
        }
        let dead = Err(ResultCode::TARGET_DEAD);
        let (refused, succeeded) = (refused.to_bytes(), succeeded.to_bytes());
        let (refused, succeeded) = (Ok(&refused[..]), Ok(&succeeded[..]));
        let exactly = Expected::Refused(&[ResultCode::ITEM_NOT_FOUND]);
        let others = Expected::Refused(&[ResultCode::ACCESS_DENIED]);
        for (expected, by_refused, by_dead) in [
            (exactly, true, false),
            (others, false, false),
            (Expected::AnyRefusal, true, false),
            (Expected::Dies, false, true),
            (Expected::RefusedOrDies, true, true),
            (Expected::Harmless, false, false),
        ] {
            assert_eq!(expected.is_met_by(refused), by_refused, "{expected:?}");
            assert_eq!(expected.is_met_by(dead), by_dead, "{expected:?}");
            assert!(!expected.is_met_by(succeeded), "{expected:?}");
            assert!(
                !expected.is_met_by(Err(ResultCode::GENERIC)),
                "{expected:?}"
            );
        }
        assert!(Expected::Harmless.is_met_by(Ok(&[2])));
    }
}
