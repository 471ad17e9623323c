use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::{
    CryptoProvider, PublicKey,
    cbor::{DecodeError, Reader, Writer},
};
use tamarack_rats::{PayloadKind, PresentedResult, TEEP_EAT_PROFILE};
use tamarack_teep::MediaType;

use super::Record;

/// The last Attestation Result about this device that a TAM handed back, for other TAMs (Passport model).
///
/// What it is worth, who relies on it finds out: the agent knows no Verifier's key. It keeps and shows what could convince
/// somebody, so that no TAM can have it show something else to the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passport {
    /// Its media type; none means the EAT profile of TEEP.
    pub format: Option<String>,
    /// The result.
    pub bytes: Vec<u8>,
}

impl Passport {
    /// Longest result that is kept, in bytes.
    pub const MAX: usize = 64 * 1024;

    /// Seconds for which one is shown. A TAM whom that is too long gets Evidence the next time.
    const MAX_AGE: u64 = 3600;

    /// Whether it says that it is about the device `ueid` and about who holds `key`, that it was issued lately, and that
    /// it has not expired.
    #[must_use]
    pub fn may_convince(
        &self,
        crypto: &CryptoProvider,
        ueid: &[u8],
        key: &PublicKey,
        now: u64,
    ) -> bool {
        let format = self.format.as_deref().map(MediaType::parse);
        if format == Some(None) {
            return false;
        }
        let kind = PayloadKind::of(format.flatten().as_ref(), TEEP_EAT_PROFILE);
        let Some(Ok(result)) = PresentedResult::decode(kind, &self.bytes) else {
            return false;
        };
        let confirmation = result.unverified_confirmation();
        result.unverified_ueid() == Some(ueid)
            && confirmation.is_some_and(|confirmed| confirmed.confirms(key, crypto))
            && result
                .unverified_issued_at()
                .is_some_and(|at| at <= now && now - at < Self::MAX_AGE)
            && result.unverified_expires_at().is_none_or(|at| now < at)
    }
}

impl Record for Passport {
    const PREFIX: u8 = b'p';

    fn key(&self) -> Vec<u8> {
        Vec::new()
    }

    fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.array(2);
            match &self.format {
                Some(format) => w.text(format),
                None => w.null(),
            };
            w.bytes(&self.bytes);
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "passport";
        reader.array_of(2, "an array of 2", rule)?;
        let format = match reader.take_null() {
            true => None,
            false => Some(reader.text(rule)?.to_owned()),
        };
        let bytes = reader.bytes(rule)?.to_vec();
        Ok(Self { format, bytes })
    }
}
