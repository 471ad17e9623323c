use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};
use tamarack_suit::{ComponentId, SuitDigest};

use super::Record;
use crate::link::ComponentKind;

/// An installed component. Its content is in the namespace of its domain, under its encoded identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentRecord {
    /// Its identifier.
    pub component: ComponentId,
    /// What it is.
    pub kind: ComponentKind,
    /// The security domain that it was installed into; empty for the device administrator's.
    pub domain: String,
    /// The manifest that installed it.
    pub manifest: ComponentId,
    /// Digest of its content.
    pub digest: SuitDigest,
    /// Size of its content in bytes.
    pub size: u64,
}

impl Record for ComponentRecord {
    const PREFIX: u8 = b'c';

    fn key(&self) -> Vec<u8> {
        self.component.to_cbor()
    }

    fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.array(6);
            self.component.write(w);
            w.uint(self.kind.number()).text(&self.domain);
            self.manifest.write(w);
            self.digest.write(w);
            w.uint(self.size);
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "component";
        reader.array_of(6, "an array of 6", rule)?;
        let component = ComponentId::read(reader, rule)?;
        let wrong = reader.error(rule, Problem::Expected("a component kind"));
        Ok(Self {
            component,
            kind: ComponentKind::from_number(reader.uint(rule)?).ok_or(wrong)?,
            domain: reader.text(rule)?.to_owned(),
            manifest: ComponentId::read(reader, rule)?,
            digest: SuitDigest::read(reader)?,
            size: reader.uint(rule)?,
        })
    }
}
