use alloc::{borrow::Cow, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};

use super::{open, unknown_label};
use crate::{Limits, SuitDigest};

/// Where the Manufacturer Usage Description of what a manifest installs is found, and who signs it
/// (draft-ietf-suit-mud).
///
/// The draft has no numbers yet. Until it has, the element stands under
/// [`LABEL`](Self::LABEL) in the private range of the manifest's registry, with 1 for the URL and 2
/// for the key identifier: an agreement among users of this library (SUIT-AMB-030).
// req: SUIT-MUD-001, SUIT-MUD-002
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mud<'a> {
    /// The MUD URL (under CBOR tag 32).
    pub url: Cow<'a, str>,
    /// The COSE key thumbprint of the key that signs the MUD file.
    pub subject_key_identifier: SuitDigest,
}

const RULE: &str = "SUIT_MUD_container";
/// The tag of URIs (RFC 8949 section 3.4.5.3).
const URI: u64 = 32;

impl<'a> Mud<'a> {
    /// The label in the manifest.
    pub const LABEL: i64 = -257;
    pub(crate) const URL: i64 = 1;
    pub(crate) const SUBJECT_KEY_IDENTIFIER: i64 = 2;

    /// Decodes the content of the element's byte string.
    ///
    /// # Errors
    ///
    /// If it is no such map, or lacks one of the two members.
    pub fn decode(content: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        Self::read(&mut open(content, limits, RULE)?)
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (mut url, mut key) = (None, None);
        for _ in 0..reader.map(RULE)? {
            let start = reader.clone();
            match reader.label(RULE)? {
                Self::URL => {
                    let start = reader.clone();
                    if reader.tag("suit-mud-url")? != URI {
                        return Err(start.error("suit-mud-url", Problem::Expected("tag 32")));
                    }
                    url = Some(reader.text("suit-mud-url")?.into());
                }
                Self::SUBJECT_KEY_IDENTIFIER => key = Some(SuitDigest::read(reader)?),
                _ => return Err(unknown_label(&start, RULE)),
            }
        }
        let missing = |what| reader.error(RULE, Problem::Missing(what));
        Ok(Self {
            url: url.ok_or_else(|| missing("suit-mud-url"))?,
            subject_key_identifier: key.ok_or_else(|| missing("suit-mud-ski"))?,
        })
    }

    /// The encoded map, without a byte string around it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.map(2).int(Self::URL).tag(URI).text(&self.url);
            w.int(Self::SUBJECT_KEY_IDENTIFIER);
            self.subject_key_identifier.write(w);
        })
    }

    /// The same element, holding its bytes itself.
    #[must_use]
    pub fn into_owned(self) -> Mud<'static> {
        Mud {
            url: Cow::Owned(self.url.into_owned()),
            subject_key_identifier: self.subject_key_identifier,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tamarack_cose::rustcrypto;

    // req: SUIT-MUD-001, SUIT-MUD-002
    #[test]
    fn both_members_are_needed() {
        let mud = Mud {
            url: "https://example.com/lock.mud".into(),
            subject_key_identifier: SuitDigest::sha256(&rustcrypto::provider(), b"key"),
        };
        let limits = Limits::default();
        let bytes = mud.encode();
        assert_eq!(Mud::decode(&bytes, &limits), Ok(mud));
        assert!(Mud::decode(&[0xa0], &limits).is_err());
        // One without the other.
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.map("test"), Ok(2));
        for label in [Mud::URL, Mud::SUBJECT_KEY_IDENTIFIER] {
            assert_eq!(reader.int("test"), Ok(label));
            let value = reader.raw("test").unwrap();
            let alone = Writer::build(|w| {
                w.map(1).int(label).raw(value);
            });
            let refused = Mud::decode(&alone, &limits).unwrap_err();
            assert!(matches!(refused.problem, Problem::Missing(_)), "{label}");
        }
        let untagged = [0xa1, 0x01, 0x61, b'x'];
        assert!(Mud::decode(&untagged, &limits).is_err());
    }
}
