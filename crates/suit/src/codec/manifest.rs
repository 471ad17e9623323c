use alloc::{borrow::Cow, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Type, Writer};

use super::{
    Common, Mud, Section, Sequence, Severed, Text, Version, enter, label::manifest as label, open,
    sequence::Allowance, unknown_label,
};
use crate::{ComponentId, Limits, SequenceNumber, SuitDigest};

/// The number of the shared sequence in reports: the label of what holds it (SUIT-AMB-027).
pub(crate) const SHARED: i64 = label::COMMON;

/// A manifest (envelope label 3), decoded whole.
///
/// A value of this type says nothing about authenticity; see [`crate::AuthenticatedEnvelope`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest<'a> {
    /// 2: the release order.
    pub sequence_number: SequenceNumber,
    /// 3: components, dependencies and the shared sequence.
    pub common: Common<'a>,
    /// 4: where the manifest can be had.
    pub reference_uri: Option<Cow<'a, str>>,
    /// 5: where the manifest itself is kept.
    pub component_id: Option<ComponentId>,
    /// 6: the version of what the manifest installs.
    pub set_version: Option<Version>,
    /// 14: what software this is, an encoded [`ConciseSwidTag`](super::ConciseSwidTag).
    pub coswid: Option<Severable<Cow<'a, [u8]>>>,
    /// 23: text for people, encoded; [`Text::decode`] takes it apart.
    pub text: Option<Severable<Cow<'a, [u8]>>>,
    /// How what is installed behaves in a network, by reference.
    pub mud: Option<Mud<'a>>,
    /// 7, 8, 9, 15, 16, 18, 20, 24: the command sequences there are.
    sections: Vec<(Section, Severable<Sequence<'a>>)>,
}

/// An element that stands in the manifest, or in the envelope with its digest in the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Severable<T> {
    /// In the manifest.
    Inline(T),
    /// In the envelope.
    Severed {
        /// The digest of the envelope's element: its whole byte string, head included.
        digest: SuitDigest,
        /// The element, if the envelope has it and it has that digest.
        content: Option<T>,
    },
}

impl<T> Severable<T> {
    /// The element, if it is there.
    pub fn content(&self) -> Option<&T> {
        match self {
            Self::Inline(content) => Some(content),
            Self::Severed { content, .. } => content.as_ref(),
        }
    }

    /// The digest, if the element is severed.
    pub fn digest(&self) -> Option<SuitDigest> {
        match self {
            Self::Inline(_) => None,
            Self::Severed { digest, .. } => Some(*digest),
        }
    }

    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> Severable<U> {
        match self {
            Self::Inline(content) => Severable::Inline(f(content)),
            Self::Severed { digest, content } => Severable::Severed {
                digest,
                content: content.map(f),
            },
        }
    }

    fn without_content(digest: SuitDigest) -> Self {
        let content = None;
        Self::Severed { digest, content }
    }

    fn write(&self, w: &mut Writer, encode: impl FnOnce(&T) -> Vec<u8>) {
        match self {
            Self::Inline(content) => {
                w.bytes(&encode(content));
            }
            Self::Severed { digest, .. } => digest.write(w),
        }
    }
}

/// Whether the digest of an element comes next, instead of the element.
// req: SUIT-SEV-002, SUIT-SEV-005
fn is_severed(reader: &Reader<'_>) -> bool {
    reader.peek() == Type::Array
}

impl<'a> Manifest<'a> {
    /// The only manifest version there is (label 1).
    pub const VERSION: u64 = 1;

    /// A manifest without any section.
    #[must_use]
    pub fn new(sequence_number: SequenceNumber, common: Common<'a>) -> Self {
        Self {
            sequence_number,
            common,
            reference_uri: None,
            component_id: None,
            set_version: None,
            coswid: None,
            text: None,
            mud: None,
            sections: Vec::new(),
        }
    }

    /// The sections there are, severed ones included, in the order in which procedures run them.
    pub fn sections(&self) -> impl Iterator<Item = (Section, &Severable<Sequence<'a>>)> {
        self.sections
            .iter()
            .map(|(section, sequence)| (*section, sequence))
    }

    /// A section.
    #[must_use]
    pub fn section(&self, section: Section) -> Option<&Severable<Sequence<'a>>> {
        self.sections
            .iter()
            .find(|(name, _)| *name == section)
            .map(|(_, sequence)| sequence)
    }

    /// Sets a section, in place of the one there is.
    pub fn set_section(&mut self, section: Section, sequence: Severable<Sequence<'a>>) {
        let place = self.sections.partition_point(|(name, _)| *name < section);
        match self.sections.get_mut(place) {
            Some((name, old)) if *name == section => *old = sequence,
            _ => self.sections.insert(place, (section, sequence)),
        }
    }

    /// Where the manifest is kept and by what its sequence numbers are counted.
    ///
    /// That is its manifest component identifier or, in a manifest without one, the identifier of its
    /// first component with the segment `suit` added, which stays within the same prefix. Nothing of
    /// either gives the empty identifier.
    #[must_use]
    pub fn placement(&self) -> ComponentId {
        match (&self.component_id, self.common.components.first()) {
            (Some(id), _) => id.clone(),
            (None, Some(first)) => first
                .clone()
                .joined(b"suit")
                .unwrap_or_else(|_| first.clone()),
            (None, None) => ComponentId::default(),
        }
    }

    /// The shared sequence and every section that is there, each with its number in reports.
    pub(crate) fn numbered_sequences(&self) -> impl Iterator<Item = (i64, &Sequence<'a>)> {
        let shared = self.common.shared_sequence.iter();
        let sections = self.sections.iter();
        shared.map(|sequence| (SHARED, sequence)).chain(
            sections.filter_map(|(section, sequence)| Some((section.label(), sequence.content()?))),
        )
    }

    /// The shared sequence and every section that is there.
    pub fn sequences(&self) -> impl Iterator<Item = &Sequence<'a>> {
        self.numbered_sequences().map(|(_, sequence)| sequence)
    }

    /// The digests of what is severed.
    pub(crate) fn severed_digests(&self) -> Vec<SuitDigest> {
        let elements = [&self.coswid, &self.text].into_iter().flatten();
        let sections = self.sections.iter();
        let sections = sections.filter_map(|(_, sequence)| sequence.digest());
        elements
            .filter_map(Severable::digest)
            .chain(sections)
            .collect()
    }

    /// The labels of the members there are.
    #[cfg(feature = "author")]
    pub(crate) fn labels(&self) -> Vec<i64> {
        let optional = [
            (self.reference_uri.is_some(), label::REFERENCE_URI),
            (self.component_id.is_some(), label::COMPONENT_ID),
            (self.set_version.is_some(), label::SET_VERSION),
            (self.coswid.is_some(), label::COSWID),
            (self.text.is_some(), label::TEXT),
            (self.mud.is_some(), Mud::LABEL),
        ];
        let mut labels = Vec::from([label::VERSION, label::SEQUENCE_NUMBER, label::COMMON]);
        labels.extend(optional.iter().filter(|(there, _)| *there).map(|(_, l)| *l));
        labels.extend(self.sections.iter().map(|(section, _)| section.label()));
        labels
    }

    /// Decodes the content of the manifest's byte string.
    ///
    /// # Errors
    ///
    /// If it is not a manifest of version 1 within the limits, or holds a label, in the manifest or its
    /// common section, that is not known. Offsets count from the first byte of `content`.
    // req: SUIT-MAN-001, SUIT-MAN-007, SUIT-AMB-031
    pub fn decode(content: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        let mut manifest = Self::new(SequenceNumber(0), Common::default());
        manifest.read(content, limits)?;
        Ok(manifest)
    }

    /// Reads the members. In place: what is not moved about on the way takes less code.
    fn read(&mut self, content: &'a [u8], limits: &Limits) -> Result<(), DecodeError> {
        const RULE: &str = "SUIT_Manifest";
        let mut reader = open(content, limits, RULE)?;
        let mut left = Allowance::new(limits);
        let mut version = None;
        let mut sequence_number = None;
        let mut common = None;
        let members = reader.map(RULE)?;
        // All but the three that every manifest has.
        let most = members.saturating_sub(3).min(Section::ALL.len());
        self.sections.reserve(most);
        for _ in 0..members {
            let start = reader.clone();
            let label = reader.label(RULE)?;
            match label {
                label::VERSION => {
                    const RULE: &str = "suit-manifest-version";
                    let at = reader.clone();
                    version = Some(reader.uint(RULE)?);
                    if version != Some(Self::VERSION) {
                        return Err(at.error(RULE, Problem::OutOfBounds("1")));
                    }
                }
                label::SEQUENCE_NUMBER => {
                    let number = reader.uint("suit-manifest-sequence-number")?;
                    sequence_number = Some(SequenceNumber(number));
                }
                label::COMMON => {
                    let inner = enter(&mut reader, limits, "suit-common")?;
                    common = Some(self.common.read(inner, limits, &mut left)?);
                }
                label::REFERENCE_URI => {
                    self.reference_uri = Some(reader.text("suit-reference-uri")?.into());
                }
                label::COMPONENT_ID => {
                    let id = ComponentId::read(&mut reader, "suit-manifest-component-id")?;
                    self.component_id = Some(id);
                }
                label::SET_VERSION => {
                    const RULE: &str = "suit-set-version";
                    let mut inner = enter(&mut reader, limits, RULE)?;
                    self.set_version = Some(Version::read(&mut inner, RULE)?);
                }
                label::COSWID | label::TEXT => {
                    let rule = match label {
                        label::TEXT => "suit-text",
                        _ => "suit-coswid",
                    };
                    let element = if is_severed(&reader) {
                        Severable::without_content(SuitDigest::read(&mut reader)?)
                    } else {
                        let bounds = match label {
                            label::TEXT => limits.cbor(),
                            _ => limits.software_tag(),
                        };
                        let mut inner = reader.enter(&bounds, rule)?;
                        let content = inner.rest();
                        if label == label::TEXT {
                            Text::read(&mut inner, limits)?;
                        }
                        Severable::Inline(content.into())
                    };
                    *self.element(label) = Some(element);
                }
                Mud::LABEL => {
                    let mut inner = enter(&mut reader, limits, "suit-manifest-mud")?;
                    self.mud = Some(Mud::read(&mut inner)?);
                }
                label => {
                    let section =
                        Section::from_label(label).ok_or_else(|| unknown_label(&start, RULE))?;
                    let rule = section.name();
                    let sequence = if section.is_severable() && is_severed(&reader) {
                        Severable::without_content(SuitDigest::read(&mut reader)?)
                    } else {
                        let sequence = Sequence::read(&mut reader, rule, limits, false, &mut left)?;
                        Severable::Inline(sequence)
                    };
                    self.set_section(section, sequence);
                }
            }
        }
        let missing = |what| reader.error(RULE, Problem::Missing(what));
        version.ok_or_else(|| missing("suit-manifest-version (1)"))?;
        self.sequence_number =
            sequence_number.ok_or_else(|| missing("suit-manifest-sequence-number (2)"))?;
        common.ok_or_else(|| missing("suit-common (3)"))
    }

    /// The text, or the CoSWID.
    fn element(&mut self, label: i64) -> &mut Option<Severable<Cow<'a, [u8]>>> {
        match label {
            label::TEXT => &mut self.text,
            _ => &mut self.coswid,
        }
    }

    /// The digest that stands for a severed element, by its label; `None` if the element is absent or inline.
    pub(crate) fn severed_digest(&self, label: i64) -> Option<SuitDigest> {
        match Section::from_label(label) {
            Some(section) => self.section(section)?.digest(),
            None if label == label::TEXT => self.text.as_ref()?.digest(),
            None => self.coswid.as_ref()?.digest(),
        }
    }

    /// Puts a severed element where `digest` stands for it, which the caller has compared with it.
    pub(crate) fn fill_in(
        &mut self,
        severed: &Severed<'a>,
        digest: SuitDigest,
        limits: &Limits,
    ) -> Result<(), DecodeError> {
        if let Some(section) = severed.section() {
            let content = self
                .decode_severed(severed.item(), limits)
                .map_err(|error| error.shifted(severed.position()))?;
            let content = Some(content);
            self.set_section(section, Severable::Severed { digest, content });
            return Ok(());
        }
        *self.element(severed.label) = Some(Severable::Severed {
            digest,
            content: Some(severed.content().into()),
        });
        Ok(())
    }

    /// Decodes a severed section from its byte string, head included.
    pub(crate) fn decode_severed(
        &self,
        item: &'a [u8],
        limits: &Limits,
    ) -> Result<Sequence<'a>, DecodeError> {
        let mut left = Allowance::new(limits);
        let present = self.sequences().flat_map(Sequence::walk);
        // Each was let through before.
        for located in present {
            let _ = left.spend(&located.command);
        }
        let rule = "SUIT_Severable_Manifest_Members";
        Sequence::read(&mut Reader::new(item), rule, limits, false, &mut left)
    }

    /// Encodes the manifest map, without the byte string around it, deterministically.
    // req: SUIT-FMT-001, SUIT-FMT-002
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut members = Vec::new();
        let mut put = |label, write: &dyn Fn(&mut Writer)| {
            members.push(Writer::build(|w| write(w.int(label))));
        };
        put(label::VERSION, &|w| {
            w.uint(Self::VERSION);
        });
        put(label::SEQUENCE_NUMBER, &|w| {
            w.uint(self.sequence_number.0);
        });
        put(label::COMMON, &|w| {
            w.bytes(&self.common.encode());
        });
        if let Some(uri) = &self.reference_uri {
            put(label::REFERENCE_URI, &|w| {
                w.text(uri);
            });
        }
        if let Some(id) = &self.component_id {
            put(label::COMPONENT_ID, &|w| id.write(w));
        }
        if let Some(version) = &self.set_version {
            put(label::SET_VERSION, &|w| {
                w.bytes(&Writer::build(|w| version.write(w)));
            });
        }
        for (label, element) in [(label::COSWID, &self.coswid), (label::TEXT, &self.text)] {
            if let Some(element) = element {
                put(label, &|w| element.write(w, |bytes| bytes.to_vec()));
            }
        }
        if let Some(mud) = &self.mud {
            put(Mud::LABEL, &|w| {
                w.bytes(&mud.encode());
            });
        }
        for (section, sequence) in &self.sections {
            put(section.label(), &|w| sequence.write(w, Sequence::encode));
        }
        Writer::build(|w| {
            w.sorted_map(members);
        })
    }

    /// The same manifest, holding its bytes itself.
    #[must_use]
    pub fn into_owned(self) -> Manifest<'static> {
        let owned = |bytes: Cow<'a, [u8]>| Cow::Owned(bytes.into_owned());
        Manifest {
            sequence_number: self.sequence_number,
            common: self.common.into_owned(),
            reference_uri: self.reference_uri.map(|uri| Cow::Owned(uri.into_owned())),
            component_id: self.component_id,
            set_version: self.set_version,
            coswid: self.coswid.map(|element| element.map(owned)),
            text: self.text.map(|element| element.map(owned)),
            mud: self.mud.map(Mud::into_owned),
            sections: self
                .sections
                .into_iter()
                .map(|(section, sequence)| (section, sequence.map(Sequence::into_owned)))
                .collect(),
        }
    }
}
