use alloc::vec::Vec;

use tamarack_cose::cbor::{self, DecodeError, Limits, Problem, Reader, Type, Writer};
use tamarack_suit::{SuitDigest, report::Reference};

/// Under which CoAP content format a SUIT_Reference is sent, as none is registered for it: CBOR.
const CONTENT_FORMAT: u64 = 60;

const LIMITS: Limits = Limits {
    bytes: 4096,
    depth: 4,
};

/// Which manifest installed a piece of a device's software: an entry of the `manifests` claim (RFC 9711
/// section 4.2.15), as the EAT profile of TEEP wants it.
// req: EAT-012
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestReference {
    /// The CoAP content format of the entry.
    pub content_format: u64,
    /// The manifest.
    pub reference: Reference,
}

impl From<Reference> for ManifestReference {
    /// An entry under the content format of CBOR.
    fn from(reference: Reference) -> Self {
        Self {
            content_format: CONTENT_FORMAT,
            reference,
        }
    }
}

impl ManifestReference {
    /// Reads the claim; entries that hold something else than a SUIT_Reference are passed over.
    pub(crate) fn read_list(reader: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        let rule = "manifests";
        let mut manifests = Vec::new();
        for _ in 0..reader.array(rule)? {
            reader.array_of(2, "[content format, body]", rule)?;
            let content_format = match reader.peek() {
                Type::Uint => reader.uint(rule)?,
                _ => {
                    reader.skip(rule)?;
                    reader.skip(rule)?;
                    continue;
                }
            };
            let reference = match reader.peek() {
                Type::Bytes => Self::read_body(reader.bytes(rule)?),
                _ => Self::read_body(reader.raw(rule)?),
            };
            manifests.extend(reference.map(|reference| Self {
                content_format,
                reference,
            }));
        }
        Ok(manifests)
    }

    /// The reference, if the body is one: the array, or the map of the draft's example (AMB-18).
    fn read_body(body: &[u8]) -> Option<Reference> {
        cbor::check(body, &LIMITS).ok()?;
        let mut reader = Reader::new(body);
        match reader.peek() {
            Type::Array => Reference::read(&mut reader).ok(),
            _ => read_map(&mut reader).ok(),
        }
    }

    /// Writes the entry, its body wrapped in a byte string.
    pub(crate) fn write(&self, w: &mut Writer) {
        let body = Writer::build(|w| self.reference.write(w));
        w.array(2).uint(self.content_format).bytes(&body);
    }
}

/// Reads `{0: digest, 1: URI}`.
fn read_map(reader: &mut Reader<'_>) -> Result<Reference, DecodeError> {
    let rule = "SUIT_Reference";
    let (mut uri, mut digest) = (None, None);
    for _ in 0..reader.map(rule)? {
        match reader.int(rule)? {
            0 => digest = Some(SuitDigest::read(reader)?),
            1 => uri = Some(reader.text("suit-report-manifest-uri")?.into()),
            _ => reader.skip(rule)?,
        }
    }
    let missing = |what| reader.error(rule, Problem::Missing(what));
    Ok(Reference {
        uri: uri.ok_or_else(|| missing("the URI (1)"))?,
        digest: digest.ok_or_else(|| missing("the digest (0)"))?,
    })
}
