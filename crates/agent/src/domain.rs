//! Security domains: one provider's part of the TEE.

use alloc::{format, string::String, vec::Vec};

use tamarack_cose::{
    PublicKey,
    cbor::{self, DecodeError, Limits, Problem, Reader, Writer},
};
use tamarack_suit::ComponentId;

use crate::rights::is_reserved;

/// First segment of the component identifiers of security domains; the second is the domain's name.
pub const DOMAIN_SEGMENT: &[u8] = b"security-domain";

/// What a security domain is: the descriptor that a signed manifest installs.
///
/// The component identifier is `security-domain/NAME`. The payload is this structure in CBOR:
///
/// ```text
/// security-domain = {
///   1 => SUIT_Component_Identifier,   ; prefix: what the domain owns
///   2 => [ + COSE_Key ],              ; owners: keys that sign the domain's manifests
///   3 => quota,
/// }
/// quota = {
///   ? 1 => uint,   ; bytes of components, Personalization Data and objects
///   ? 2 => uint,   ; Trusted Applications
///   ? 3 => uint,   ; bytes of memory of one session
///   ? 4 => uint,   ; fuel of one command
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityDomain {
    /// Every component whose identifier starts with this, and belongs to no longer prefix, is the domain's.
    pub prefix: ComponentId,
    /// Keys that may sign manifests for the domain; 1 to 16.
    pub owners: Vec<PublicKey>,
    /// How much of the TEE the domain may use.
    pub quota: Quota,
}

/// How much of the TEE a security domain may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of components, Personalization Data and objects together.
    pub bytes: u64,
    /// Trusted Applications.
    pub applications: u64,
    /// Bytes of linear memory of one session.
    pub memory: u64,
    /// Fuel of one command; about one unit for each WebAssembly instruction.
    pub fuel: u64,
}

impl Default for Quota {
    /// 16 MiB of storage, 16 applications, 4 MiB of memory, a billion units of fuel.
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            applications: 16,
            memory: 4 << 20,
            fuel: 1_000_000_000,
        }
    }
}

impl SecurityDomain {
    /// Longest name in bytes.
    pub const MAX_NAME: usize = 64;
    /// Most owners.
    pub const MAX_OWNERS: u64 = 16;

    /// The component identifier of the domain `name`.
    #[must_use]
    pub fn component_id(name: &str) -> Option<ComponentId> {
        if name.is_empty() || name.len() > Self::MAX_NAME {
            return None;
        }
        ComponentId::new([DOMAIN_SEGMENT, name.as_bytes()]).ok()
    }

    /// The name of the domain that `component` is, if it is one.
    ///
    /// # Errors
    ///
    /// If it is under the reserved segment and no domain.
    pub fn name_of(component: &ComponentId) -> Result<Option<String>, String> {
        let mut segments = component.segments();
        if segments.next() != Some(DOMAIN_SEGMENT) {
            return Ok(None);
        }
        let name = segments
            .next()
            .and_then(|name| core::str::from_utf8(name).ok());
        match (name, segments.next()) {
            (Some(name), None) if (1..=Self::MAX_NAME).contains(&name.len()) => {
                Ok(Some(name.into()))
            }
            _ => Err(format!(
                "{component} is under security-domain/ and is no security domain"
            )),
        }
    }

    /// Decodes a descriptor.
    ///
    /// # Errors
    ///
    /// If it is none, or has an empty prefix, or one under `security-domain` or `trust-anchors`.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::check(
            bytes,
            &Limits {
                bytes: 16 * 1024,
                depth: 6,
            },
        )?;
        let mut reader = Reader::new(bytes);
        Self::read(&mut reader)
    }

    /// Encodes the descriptor.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::build(|w| self.write(w))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "security-domain";
        let start = reader.position();
        let (mut prefix, mut owners, mut quota) = (None, Vec::new(), Quota::default());
        for _ in 0..reader.map(rule)? {
            let at = reader.error(rule, Problem::Expected("label 1, 2 or 3"));
            match reader.uint(rule)? {
                1 => prefix = Some(ComponentId::read(reader, "security-domain / prefix")?),
                2 => owners = read_owners(reader)?,
                3 => quota = Quota::read(reader)?,
                // A rule that this TEE does not know is a rule that it would not enforce.
                _ => return Err(at),
            }
        }
        let missing = |what| DecodeError::new(start, rule, Problem::Missing(what));
        let prefix = prefix.ok_or_else(|| missing("prefix (1)"))?;
        if owners.is_empty() {
            return Err(missing("owners (2)"));
        }
        if prefix.is_empty() || is_reserved(&prefix) {
            let problem = Problem::OutOfBounds("a prefix of its own");
            return Err(DecodeError::new(start, "security-domain / prefix", problem));
        }
        Ok(Self {
            prefix,
            owners,
            quota,
        })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.map(3).uint(1);
        self.prefix.write(w);
        w.uint(2).array(self.owners.len());
        for owner in &self.owners {
            w.raw(&owner.to_cose_key());
        }
        w.uint(3).map(4);
        w.uint(1)
            .uint(self.quota.bytes)
            .uint(2)
            .uint(self.quota.applications);
        w.uint(3)
            .uint(self.quota.memory)
            .uint(4)
            .uint(self.quota.fuel);
    }
}

fn read_owners(reader: &mut Reader<'_>) -> Result<Vec<PublicKey>, DecodeError> {
    let rule = "security-domain / owners";
    let bounds = reader.error(rule, Problem::OutOfBounds("1 to 16 keys"));
    let count = reader.array(rule)?;
    if !(1..=SecurityDomain::MAX_OWNERS).contains(&count) {
        return Err(bounds);
    }
    let mut owners = Vec::new();
    for _ in 0..count {
        let wrong = reader.error(rule, Problem::Expected("a COSE_Key for signatures"));
        owners.push(PublicKey::from_cose_key(reader.raw(rule)?).map_err(|_| wrong)?);
    }
    Ok(owners)
}

impl Quota {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "security-domain / quota";
        let mut quota = Self::default();
        for _ in 0..reader.map(rule)? {
            let unknown = reader.error(rule, Problem::Expected("label 1 to 4"));
            let label = reader.uint(rule)?;
            let value = reader.uint(rule)?;
            match label {
                1 => quota.bytes = value,
                2 => quota.applications = value,
                3 => quota.memory = value,
                4 => quota.fuel = value,
                _ => return Err(unknown),
            }
        }
        Ok(quota)
    }
}
