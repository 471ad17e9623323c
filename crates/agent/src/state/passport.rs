use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Reader, Writer};

use super::Record;

/// The last Attestation Result about this device that a TAM handed back, for other TAMs (Passport model).
///
/// What it is worth, who relies on it finds out.
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
