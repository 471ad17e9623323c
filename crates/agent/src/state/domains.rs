use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Reader, Writer};

use super::Record;
use crate::domain::SecurityDomain;

/// An installed security domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRecord {
    /// The last segment of its component identifier.
    pub name: String,
    /// What its descriptor says.
    pub domain: SecurityDomain,
}

impl Record for DomainRecord {
    const PREFIX: u8 = b'd';

    fn key(&self) -> Vec<u8> {
        self.name.as_bytes().to_vec()
    }

    fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.array(2).text(&self.name);
            self.domain.write(w);
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array_of(2, "an array of 2", "domain")?;
        let name = reader.text("domain / name")?.to_owned();
        Ok(Self {
            name,
            domain: SecurityDomain::read(reader)?,
        })
    }
}
