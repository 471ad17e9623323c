//! Trust anchors as a Trusted Component.

use alloc::{format, string::String, vec::Vec};

use tamarack_cose::{
    cbor::{self, DecodeError, Limits, Problem, Reader, Writer},
    x509::{Revocation, TrustAnchor},
};
use tamarack_suit::ComponentId;

/// First segment of the component identifiers of sets of trust anchors; the second is the set's name.
pub const TRUST_ANCHORS_SEGMENT: &[u8] = b"trust-anchors";

/// Trust anchors and revocations that a manifest of the device administrator installs.
///
/// The component identifier is `trust-anchors/NAME`. The payload is this structure in CBOR:
///
/// ```text
/// trust-anchors = {
///   1 => [ * entry ],
///   ? 2 => [ * revocation ],
/// }
/// entry = [
///   trust-anchor,                              ; see tamarack_cose::x509::TrustAnchor::write
///   name: tstr,                                ; for people
///   [ + SUIT_Component_Identifier ] / null,    ; prefixes: what a signer may sign for; null for everything
/// ]
/// revocation                                   ; see tamarack_cose::x509::Revocation::write
/// ```
///
/// TAMs with the same name in one set are one TAM with several keys: each may change what another one brought.
///
/// What a set brings replaces what the same set brought before, and goes when it is removed; revocations hold
/// against the anchors of every set, and against those with which the device was made.
// req: ARCH-025
// req: ARCH-026
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustAnchorSet {
    /// Who is trusted from now on; [`MAX_ANCHORS`](Self::MAX_ANCHORS) at most.
    pub anchors: Vec<AnchorEntry>,
    /// Who is trusted no longer; [`MAX_REVOCATIONS`](Self::MAX_REVOCATIONS) at most.
    pub revocations: Vec<Revocation>,
}

/// A trust anchor, and what this device lets it do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorEntry {
    /// The anchor.
    pub anchor: TrustAnchor,
    /// A name for people; of TAMs, keys with the same name are one TAM's.
    pub name: String,
    /// What a signer may sign for: components whose identifiers start with one of these. `None` makes the
    /// signer a device administrator.
    pub prefixes: Option<Vec<ComponentId>>,
}

const RULE: &str = "trust-anchors";

impl TrustAnchorSet {
    /// Longest payload in bytes.
    pub const MAX_LEN: usize = 256 * 1024;
    /// Most anchors of one set.
    pub const MAX_ANCHORS: usize = 64;
    /// Most revocations of one set.
    pub const MAX_REVOCATIONS: usize = 1024;
    /// Longest name of a set in bytes.
    pub const MAX_NAME: usize = 64;

    /// Whether `component` is a set of trust anchors.
    ///
    /// # Errors
    ///
    /// If it is under the reserved segment and none.
    pub fn is(component: &ComponentId) -> Result<bool, String> {
        let mut segments = component.segments();
        if segments.next() != Some(TRUST_ANCHORS_SEGMENT) {
            return Ok(false);
        }
        match (segments.next(), segments.next()) {
            (Some(name), None) if (1..=Self::MAX_NAME).contains(&name.len()) => Ok(true),
            _ => Err(format!(
                "{component} is under trust-anchors/ and is no set of trust anchors"
            )),
        }
    }

    /// Decodes a set.
    ///
    /// # Errors
    ///
    /// If it is none, or too large.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let limits = Limits {
            bytes: Self::MAX_LEN,
            depth: 8,
        };
        cbor::check(bytes, &limits)?;
        let mut reader = Reader::new(bytes);
        let missing = reader.error(RULE, Problem::Missing("anchors (1)"));
        let (mut anchors, mut revocations) = (None, Vec::new());
        for _ in 0..reader.map(RULE)? {
            let unknown = reader.error(RULE, Problem::Expected("label 1 or 2"));
            match reader.uint(RULE)? {
                1 => anchors = Some(list(&mut reader, Self::MAX_ANCHORS, AnchorEntry::read)?),
                2 => revocations = list(&mut reader, Self::MAX_REVOCATIONS, Revocation::read)?,
                // A rule that this TEE does not know is a rule that it would not keep.
                _ => return Err(unknown),
            }
        }
        Ok(Self {
            anchors: anchors.ok_or(missing)?,
            revocations,
        })
    }

    /// Encodes the set.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.map(2).uint(1).array(self.anchors.len());
            for entry in &self.anchors {
                entry.write(w);
            }
            w.uint(2).array(self.revocations.len());
            for revocation in &self.revocations {
                revocation.write(w);
            }
        })
    }
}

impl AnchorEntry {
    /// An anchor without further limits.
    #[must_use]
    pub fn new(anchor: TrustAnchor, name: &str) -> Self {
        Self {
            anchor,
            name: name.into(),
            prefixes: None,
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(3);
        self.anchor.write(w);
        w.text(&self.name);
        let Some(prefixes) = &self.prefixes else {
            w.null();
            return;
        };
        w.array(prefixes.len());
        for prefix in prefixes {
            prefix.write(w);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array_of(3, "an array of 3", RULE)?;
        Ok(Self {
            anchor: TrustAnchor::read(reader)?,
            name: reader.text(RULE)?.into(),
            prefixes: match reader.take_null() {
                true => None,
                false => Some(list(reader, 64, |reader| ComponentId::read(reader, RULE))?),
            },
        })
    }
}

/// Reads an array of at most `most` elements.
pub(crate) fn list<T>(
    reader: &mut Reader<'_>,
    most: usize,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let bounds = reader.error(RULE, Problem::OutOfBounds("as many as a set may have"));
    let count = reader.array(RULE)?;
    if count > most {
        return Err(bounds);
    }
    (0..count).map(|_| read(reader)).collect()
}
