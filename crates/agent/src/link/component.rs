use alloc::{borrow::ToOwned, string::String};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};
use tamarack_suit::ComponentId;

/// A component as the TEE lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledComponent {
    /// Its identifier.
    pub component: ComponentId,
    /// What it is.
    pub kind: ComponentKind,
    /// The security domain that it belongs to; empty for the device administrator's.
    pub domain: String,
    /// The manifest that installed it.
    pub manifest: ComponentId,
    /// That manifest's sequence number.
    pub sequence_number: u64,
    /// Size in bytes.
    pub size: u64,
    /// Digest of the content in hexadecimal.
    pub digest: String,
}

/// What a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentKind {
    /// A Trusted Application.
    Application,
    /// Data, such as Personalization Data.
    Data,
    /// A security domain.
    SecurityDomain,
    /// A set of trust anchors.
    TrustAnchors,
}

impl ComponentKind {
    /// The name for people and for JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Data => "data",
            Self::SecurityDomain => "security-domain",
            Self::TrustAnchors => "trust-anchors",
        }
    }

    pub(crate) fn number(self) -> u64 {
        self as u64
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        [
            Self::Application,
            Self::Data,
            Self::SecurityDomain,
            Self::TrustAnchors,
        ]
        .into_iter()
        .find(|kind| kind.number() == number)
    }
}

impl InstalledComponent {
    pub(super) fn write(&self, w: &mut Writer) {
        w.array(7);
        self.component.write(w);
        w.uint(self.kind.number()).text(&self.domain);
        self.manifest.write(w);
        w.uint(self.sequence_number)
            .uint(self.size)
            .text(&self.digest);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "installed-component";
        r.array_of(7, "an array of 7", rule)?;
        let component = ComponentId::read(r, "component-id")?;
        let unknown_kind = r.error(rule, Problem::Expected("a component kind"));
        let kind = ComponentKind::from_number(r.uint(rule)?).ok_or(unknown_kind)?;
        Ok(Self {
            component,
            kind,
            domain: r.text(rule)?.to_owned(),
            manifest: ComponentId::read(r, "component-id")?,
            sequence_number: r.uint(rule)?,
            size: r.uint(rule)?,
            digest: r.text(rule)?.to_owned(),
        })
    }
}
