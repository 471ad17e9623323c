use alloc::vec::Vec;

use tamarack_cose::cbor::{self, DecodeError, Problem, Reader, Type, Writer};

use super::{Manifest, Section, enter, label, several};
use crate::{Limits, SuitDigest};

/// A received envelope, not authenticated yet.
///
/// Only the envelope itself and its authentication wrapper are decoded; the manifest stays closed until
/// [`authenticate`](Self::authenticate) has verified it. Bytes are borrowed, never re-encoded: digests
/// and signatures are about what was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    pub(crate) limits: Limits,
    tagged: bool,
    /// The content of the authentication wrapper's byte string.
    wrapper: &'a [u8],
    /// The digest of the manifest that the wrapper claims.
    digest: SuitDigest,
    /// Its encoding, which is what signatures cover.
    digest_bytes: &'a [u8],
    blocks: Vec<&'a [u8]>,
    /// The manifest's byte string: its head and content, and its content.
    manifest: Element<'a>,
    severed: Vec<Severed<'a>>,
    integrated: Vec<(&'a str, &'a [u8])>,
    /// Elements with labels that are not known: label and encoding.
    unknown: Vec<(i64, &'a [u8])>,
}

#[derive(Debug, Clone, Copy)]
struct Element<'a> {
    /// With the byte string's head: what digests are computed over.
    item: &'a [u8],
    content: &'a [u8],
    /// Where the item starts in the envelope.
    position: usize,
}

/// An element that was severed from the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Severed<'a> {
    /// Its label, in the manifest and in the envelope.
    pub label: i64,
    element: Element<'a>,
}

impl<'a> Severed<'a> {
    /// The byte string with its head: what the manifest's digest is about.
    // req: SUIT-SEV-003
    #[must_use]
    pub fn item(&self) -> &'a [u8] {
        self.element.item
    }

    /// The content of the byte string.
    #[must_use]
    pub fn content(&self) -> &'a [u8] {
        self.element.content
    }

    /// Where the byte string starts in the envelope.
    pub(crate) fn position(&self) -> usize {
        self.element.position
    }

    /// The section, if the element is one; else it is text or a CoSWID.
    #[must_use]
    pub fn section(&self) -> Option<Section> {
        Section::from_label(self.label)
    }

    /// The name of the element in the standard.
    #[must_use]
    pub fn name(&self) -> &'static str {
        element_name(self.label)
    }
}

/// The name of an element that may be severed, by its label.
pub(crate) fn element_name(label: i64) -> &'static str {
    match Section::from_label(label) {
        Some(section) => section.name(),
        None if label == label::manifest::TEXT => "text",
        None => "coswid",
    }
}

/// One that stands elsewhere is no other.
impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.item == other.item
    }
}

impl Eq for Element<'_> {}

impl<'a> Element<'a> {
    fn read(reader: &mut Reader<'a>, rule: &'static str) -> Result<Self, DecodeError> {
        let position = reader.position();
        let content = reader.clone().bytes(rule)?;
        let item = reader.raw(rule)?;
        Ok(Self {
            item,
            content,
            position,
        })
    }

    /// Where the content starts in the envelope.
    fn content_position(&self) -> usize {
        self.position + (self.item.len() - self.content.len())
    }
}

impl<'a> Envelope<'a> {
    /// The CBOR tag of an envelope that stands alone.
    pub const TAG: u64 = 107;

    /// An envelope without its tag, if it has one: as it stands within other CBOR, such as the manifest-list of an Update.
    ///
    /// ```
    /// use tamarack_suit::Envelope;
    ///
    /// assert_eq!(Envelope::untagged(&[0xd8, 107, 0xa0]), [0xa0]);
    /// assert_eq!(Envelope::untagged(&[0xa0]), [0xa0]);
    /// ```
    // req: SUIT-ENV-001
    #[must_use]
    pub fn untagged(envelope: &[u8]) -> &[u8] {
        let mut reader = Reader::new(envelope);
        match reader.tag("SUIT_Envelope") {
            Ok(Self::TAG) => reader.rest(),
            _ => envelope,
        }
    }

    /// Decodes an envelope, tagged or not, with the default [`Limits`].
    ///
    /// # Errors
    ///
    /// As [`decode_within`](Self::decode_within).
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::decode_within(bytes, &Limits::default())
    }

    /// Decodes an envelope, tagged or not. What is done with it later stays within the same limits.
    ///
    /// # Errors
    ///
    /// If the bytes do not pass the strict door or are no envelope. Labels 0 and 1 (reserved, once
    /// delegation) are refused; other unknown integer labels, which no signature covers, are without
    /// effect.
    // req: SUIT-ENV-001, SUIT-ENV-013, SUIT-FMT-003, SUIT-FMT-004, SUIT-FMT-007, SUIT-AMB-007, SUIT-AMB-031
    pub fn decode_within(bytes: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_Envelope";
        cbor::check(bytes, &limits.cbor())?;
        let mut reader = Reader::new(bytes);
        let tagged = reader.peek() == Type::Tag;
        if tagged && reader.tag(RULE)? != Self::TAG {
            return Err(DecodeError::new(0, RULE, Problem::Expected("tag 107")));
        }
        let mut wrapper = None;
        let mut manifest = None;
        let mut severed = Vec::new();
        let mut integrated = Vec::new();
        let mut unknown = Vec::new();
        let members = reader.map(RULE)?;
        if members > limits.envelope_members {
            let problem = Problem::OutOfBounds("the limit on members of an envelope");
            return Err(reader.error(RULE, problem));
        }
        for _ in 0..members {
            if reader.peek() == Type::Text {
                let key = reader.text("suit-integrated-payload-key")?;
                integrated.push((key, reader.bytes("SUIT_Integrated_Payload")?));
                continue;
            }
            let start = reader.clone();
            match reader.int(RULE)? {
                label::envelope::AUTHENTICATION => {
                    let inner = enter(&mut reader, limits, "suit-authentication-wrapper")?;
                    wrapper = Some(Wrapper::read(inner, limits)?);
                }
                label::envelope::MANIFEST => {
                    manifest = Some(Element::read(&mut reader, "suit-manifest")?);
                }
                0 | label::envelope::DELEGATION => {
                    let problem = Problem::OutOfBounds("labels other than 0 and 1");
                    return Err(start.error(RULE, problem));
                }
                label if is_severable(label) => {
                    let element = Element::read(&mut reader, "SUIT_Severable_Manifest_Members")?;
                    let place = severed.partition_point(|other: &Severed<'_>| other.label < label);
                    severed.insert(place, Severed { label, element });
                }
                label => unknown.push((label, reader.raw(RULE)?)),
            }
        }
        let missing = |what| reader.error(RULE, Problem::Missing(what));
        let wrapper = wrapper.ok_or_else(|| missing("suit-authentication-wrapper (2)"))?;
        Ok(Self {
            limits: *limits,
            tagged,
            wrapper: wrapper.content,
            digest: wrapper.digest,
            digest_bytes: wrapper.digest_bytes,
            blocks: wrapper.blocks,
            manifest: manifest.ok_or_else(|| missing("suit-manifest (3)"))?,
            severed,
            integrated,
            unknown,
        })
    }

    /// The digest of the manifest that the authentication wrapper claims.
    #[must_use]
    pub fn claimed_digest(&self) -> SuitDigest {
        self.digest
    }

    /// The encoded digest as received: the payload of every signature.
    #[must_use]
    pub fn digest_bytes(&self) -> &'a [u8] {
        self.digest_bytes
    }

    /// The authentication blocks: tagged COSE structures.
    #[must_use]
    pub fn authentication_blocks(&self) -> &[&'a [u8]] {
        &self.blocks
    }

    /// The same envelope with another authentication wrapper, for encoding only.
    #[cfg(feature = "author")]
    pub(crate) fn with_wrapper<'w>(&self, wrapper: &'w [u8]) -> Envelope<'w>
    where
        'a: 'w,
    {
        let mut envelope: Envelope<'w> = self.clone();
        envelope.wrapper = wrapper;
        envelope
    }

    /// The manifest's byte string with its head: what the wrapper's digest is about.
    // req: SUIT-ENV-003
    #[must_use]
    pub fn manifest_item(&self) -> &'a [u8] {
        self.manifest.item
    }

    /// Where the manifest starts, behind the head of its byte string, in bytes from the first one of the envelope.
    #[must_use]
    pub fn manifest_position(&self) -> usize {
        self.manifest.content_position()
    }

    /// Whether the envelope carries tag 107.
    #[must_use]
    pub fn is_tagged(&self) -> bool {
        self.tagged
    }

    /// The elements that were severed from the manifest, as received, by label.
    #[must_use]
    pub fn severed(&self) -> &[Severed<'a>] {
        &self.severed
    }

    /// Integrated payloads and dependencies: key and content. No signature covers them.
    #[must_use]
    pub fn integrated(&self) -> &[(&'a str, &'a [u8])] {
        &self.integrated
    }

    /// The envelope without a severed element, as one may pass it on to whoever does not need that.
    /// Signatures stay valid.
    // req: SUIT-SEV-012
    #[must_use]
    pub fn without_severed(mut self, label: i64) -> Self {
        self.severed.retain(|severed| severed.label != label);
        self
    }

    /// The envelope without an integrated payload, which Recipients then have to get from elsewhere.
    /// Signatures stay valid.
    #[must_use]
    pub fn without_integrated(mut self, key: &str) -> Self {
        self.integrated.retain(|(name, _)| *name != key);
        self
    }

    /// The manifest, which nothing vouches for: to look at, never to act on.
    ///
    /// Severed elements are not filled in.
    ///
    /// # Errors
    ///
    /// As [`Manifest::decode`], with the offset counted from the first byte of the envelope.
    pub fn unverified_manifest(&self) -> Result<Manifest<'a>, DecodeError> {
        Manifest::decode(self.manifest.content, &self.limits)
            .map_err(|error| error.shifted(self.manifest_position()))
    }

    /// Encodes the envelope deterministically; members keep the bytes that were received.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_whole(self.tagged)
    }

    /// Encodes the envelope as [`encode`](Self::encode) does, without the tag: the form that a TEEP
    /// Update carries.
    #[must_use]
    pub fn encode_untagged(&self) -> Vec<u8> {
        self.encode_whole(false)
    }

    /// The envelope without integrated payloads, untagged: what a Recipient keeps of it. Of what was severed, it keeps
    /// what `manifest` has the digest of: nobody vouches for the rest.
    #[must_use]
    pub(crate) fn encode_kept(&self, manifest: &Manifest<'_>) -> Vec<u8> {
        let is_vouched_for =
            |severed: &&Severed<'_>| manifest.severed_digest(severed.label).is_some();
        let severed = self.severed.iter().filter(is_vouched_for);
        let count = severed.clone().count();
        let items = severed.clone().map(|severed| severed.item().len());
        let items = self.wrapper.len() + self.manifest.item.len() + items.sum::<usize>();
        // Up to 9 bytes for each head and label.
        let mut w = Writer::with_capacity(items + 18 * (3 + count));
        w.map(2 + count);
        self.write_wrapper_and_manifest(&mut w);
        for severed in severed {
            w.int(severed.label).raw(severed.item());
        }
        w.into_bytes()
    }

    fn encode_whole(&self, tagged: bool) -> Vec<u8> {
        let severed = self.severed.iter();
        let severed = severed.map(|severed| (severed.label, severed.item()));
        let mut others: Vec<_> = severed.chain(self.unknown.iter().copied()).collect();
        others.sort_unstable_by_key(|(label, _)| deterministic(*label));
        let mut integrated = self.integrated.clone();
        integrated.sort_unstable_by_key(|(key, _)| (key.len(), *key));
        Writer::build(|w| {
            if tagged {
                w.tag(Self::TAG);
            }
            w.map(2 + others.len() + integrated.len());
            // Their labels are the lowest that an envelope can have.
            self.write_wrapper_and_manifest(w);
            for (label, item) in others {
                w.int(label).raw(item);
            }
            for (key, payload) in integrated {
                w.text(key).bytes(payload);
            }
        })
    }

    fn write_wrapper_and_manifest(&self, w: &mut Writer) {
        w.int(label::envelope::AUTHENTICATION).bytes(self.wrapper);
        w.int(label::envelope::MANIFEST).raw(self.manifest.item);
    }
}

/// Sort key that puts integers into the bytewise order of their encodings (RFC 8949 section 4.2.1).
fn deterministic(label: i64) -> (bool, u64) {
    (
        label < 0,
        if label < 0 { !label } else { label }.unsigned_abs(),
    )
}

fn is_severable(label: i64) -> bool {
    matches!(label, label::manifest::COSWID | label::manifest::TEXT)
        || Section::from_label(label).is_some_and(Section::is_severable)
}

/// The authentication wrapper.
struct Wrapper<'a> {
    content: &'a [u8],
    digest: SuitDigest,
    digest_bytes: &'a [u8],
    blocks: Vec<&'a [u8]>,
}

impl<'a> Wrapper<'a> {
    // req: SUIT-ENV-002
    fn read(mut reader: Reader<'a>, limits: &Limits) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_Authentication";
        let content = reader.rest();
        let start = reader.clone();
        let count = reader.array(RULE)?;
        if count == 0 || count > limits.authentication_blocks.saturating_add(1) {
            let problem = Problem::OutOfBounds("a digest, and blocks up to the limit");
            return Err(start.error(RULE, problem));
        }
        let mut inner = enter(&mut reader, limits, "SUIT_Digest")?;
        let digest_bytes = inner.rest();
        let digest = SuitDigest::read(&mut inner)?;
        let blocks = several(count - 1, || reader.bytes("SUIT_Authentication_Block"))?;
        Ok(Self {
            content,
            digest,
            digest_bytes,
            blocks,
        })
    }
}
