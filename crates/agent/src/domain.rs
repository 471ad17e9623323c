//! Security domains: one provider's part of the TEE.

mod name;
mod quota;
mod service;
#[cfg(test)]
mod tests;

use alloc::{string::String, vec::Vec};

use tamarack_cose::{
    PublicKey,
    cbor::{self, DecodeError, Limits, Problem, Reader, Writer},
};
use tamarack_suit::ComponentId;

pub use name::DOMAIN_SEGMENT;
pub(crate) use name::{described, enclosing};
pub use quota::Quota;
pub use service::Service;

use crate::rights::is_reserved;

/// What a security domain is: the descriptor that a signed manifest installs.
///
/// The component identifier is `security-domain/NAME`, or `security-domain/PARENT/NAME` for a domain that the
/// owners of another one make inside it. The payload is this structure in CBOR:
///
/// ```text
/// security-domain = {
///   1 => SUIT_Component_Identifier,   ; prefix: what the domain owns
///   2 => [ + COSE_Key ],              ; owners: keys that sign the domain's manifests, 1 to 16
///   3 => quota,
///   ? 4 => [ + service ],             ; what other domains may call, 1 to 16
///   ? 5 => [ + tstr ],                ; objects that all applications of the domain share, 1 to 64 names
/// }
/// quota = {
///   ? 1 => uint,   ; bytes of everything that the domain stores
///   ? 2 => uint,   ; Trusted Applications
///   ? 3 => uint,   ; bytes of memory of one session
///   ? 4 => uint,   ; fuel of one command
///   ? 5 => uint,   ; objects and keys of all applications together
///   ? 6 => uint,   ; sessions that are open at a time
///   ? 7 => uint,   ; milliseconds of one command
/// }
/// service = {
///   1 => tstr,                        ; name, 1 to 64 bytes
///   2 => SUIT_Component_Identifier,   ; the Trusted Application that answers, under the domain's prefix
///   ? 3 => [ + tstr ],                ; security domains that may call; absent: every one of the device
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
    /// What other domains may call; 16 at most, each with a name of its own.
    pub services: Vec<Service>,
    /// Names of the objects that all applications of the domain share; 64 at most, of 1 to 64 bytes.
    pub shared_objects: Vec<String>,
}

impl SecurityDomain {
    /// Most owners.
    pub const MAX_OWNERS: usize = 16;
    /// Most services.
    pub const MAX_SERVICES: usize = 16;
    /// Most shared objects.
    pub const MAX_SHARED_OBJECTS: usize = 64;
    /// Longest name of a service or a shared object, in bytes.
    pub const MAX_TEXT: usize = 64;
    /// Longest descriptor, in bytes.
    pub const MAX_LEN: usize = 16 * 1024;

    /// A domain that shares nothing and offers no service.
    #[must_use]
    pub fn new(prefix: ComponentId, owners: Vec<PublicKey>, quota: Quota) -> Self {
        Self {
            prefix,
            owners,
            quota,
            services: Vec::new(),
            shared_objects: Vec::new(),
        }
    }

    /// The service of that name, if the domain offers it.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// Decodes a descriptor.
    ///
    /// # Errors
    ///
    /// If it is none, has an empty prefix or one under `security-domain` or `trust-anchors`, offers two services
    /// of one name or one outside its prefix, or has a label that this version does not know.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::check(
            bytes,
            &Limits {
                bytes: Self::MAX_LEN,
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
        let (mut services, mut shared_objects) = (Vec::new(), Vec::new());
        let at = reader.clone();
        for _ in 0..reader.map(rule)? {
            let unknown = reader.error(rule, Problem::Expected("label 1 to 5"));
            match reader.uint(rule)? {
                1 => prefix = Some(ComponentId::read(reader, "security-domain / prefix")?),
                2 => owners = read_owners(reader)?,
                3 => quota = Quota::read(reader)?,
                4 => services = service::read_services(reader)?,
                5 => shared_objects = read_shared_objects(reader)?,
                // A rule that this TEE does not know is a rule that it would not enforce.
                _ => return Err(unknown),
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
        let outside = |service: &&Service| !service.component.starts_with(&prefix);
        if services.iter().find(outside).is_some() {
            let problem = Problem::OutOfBounds("a component under the domain's prefix");
            return Err(at.error("security-domain / service / component", problem));
        }
        Ok(Self {
            prefix,
            owners,
            quota,
            services,
            shared_objects,
        })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        let (services, shared) = (!self.services.is_empty(), !self.shared_objects.is_empty());
        w.map(3 + usize::from(services) + usize::from(shared));
        w.uint(1);
        self.prefix.write(w);
        w.uint(2).array(self.owners.len());
        for owner in &self.owners {
            w.raw(&owner.to_cose_key());
        }
        w.uint(3);
        self.quota.write(w);
        if services {
            w.uint(4).array(self.services.len());
            for service in &self.services {
                service.write(w);
            }
        }
        if shared {
            w.uint(5).array(self.shared_objects.len());
            for name in &self.shared_objects {
                w.text(name);
            }
        }
    }
}

fn read_owners(reader: &mut Reader<'_>) -> Result<Vec<PublicKey>, DecodeError> {
    let rule = "security-domain / owners";
    let most = SecurityDomain::MAX_OWNERS;
    // A key that is there twice signs no more than once.
    let same = |_: &PublicKey, _: &PublicKey| false;
    read_list(reader, rule, most, "1 to 16 keys", same, |reader| {
        let wrong = reader.error(rule, Problem::Expected("a COSE_Key for signatures"));
        PublicKey::from_cose_key(reader.raw(rule)?).map_err(|_| wrong)
    })
}

fn read_shared_objects(reader: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let rule = "security-domain / shared objects";
    let most = SecurityDomain::MAX_SHARED_OBJECTS;
    read_list(reader, rule, most, "1 to 64 names", String::eq, |reader| {
        read_short_text(reader, rule)
    })
}

/// Reads an array of 1 to `most` elements, which `bounds` says in words, none of them the `same` as one before it.
fn read_list<T>(
    reader: &mut Reader<'_>,
    rule: &'static str,
    most: usize,
    bounds: &'static str,
    same: impl Fn(&T, &T) -> bool,
    read: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let bounds = reader.error(rule, Problem::OutOfBounds(bounds));
    let count = reader.array(rule)?;
    if !(1..=most).contains(&count) {
        return Err(bounds);
    }
    let mut list: Vec<T> = Vec::new();
    for _ in 0..count {
        let twice = reader.error(rule, Problem::OutOfBounds("each name once"));
        let element = read(reader)?;
        if list.iter().any(|other| same(other, &element)) {
            return Err(twice);
        }
        list.push(element);
    }
    Ok(list)
}

/// Text of 1 to [`SecurityDomain::MAX_TEXT`] bytes.
fn read_short_text(reader: &mut Reader<'_>, rule: &'static str) -> Result<String, DecodeError> {
    let bounds = reader.error(rule, Problem::OutOfBounds("1 to 64 bytes"));
    let text = reader.text(rule)?;
    if !(1..=SecurityDomain::MAX_TEXT).contains(&text.len()) {
        return Err(bounds);
    }
    Ok(text.into())
}
