use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Reader, Writer};

use tamarack_suit::ComponentId;

use super::Record;
use crate::{
    domain::{Quota, SecurityDomain, enclosing},
    platform::{StorageError, View},
    rights::is_reserved,
};

/// An installed security domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRecord {
    /// The path of names in its component identifier, with slashes: `acme`, or `acme/locks` for one in `acme`.
    pub name: String,
    /// What its descriptor says.
    pub domain: SecurityDomain,
}

impl DomainRecord {
    /// What the domain `name` may use itself: its quota without the parts that are its sub-domains'. The
    /// device administrator's, whose name is empty, is the default quota.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn own_quota(view: &dyn View, name: &str) -> Result<Quota, StorageError> {
        Ok(own_quota(&Self::all(view)?, name))
    }
}

/// As [`DomainRecord::own_quota`], among these domains.
pub(crate) fn own_quota(domains: &[DomainRecord], name: &str) -> Quota {
    let domain = domains.iter().find(|record| record.name == name);
    let quota = domain.map(|record| record.domain.quota).unwrap_or_default();
    quota.without(children(domains, name).map(|child| &child.domain.quota))
}

/// The sub-domains of the domain `name`, without their own ones.
pub(crate) fn children<'a>(
    domains: &'a [DomainRecord],
    name: &'a str,
) -> impl Iterator<Item = &'a DomainRecord> {
    domains
        .iter()
        .filter(move |record| SecurityDomain::parent_of(&record.name) == Some(name))
}

/// The domain that `component` belongs to; `None` is the device administrator.
///
/// It is the one with the longest prefix of the identifier. What makes sub-domains of a domain belongs to that
/// domain, wherever its prefix is.
pub(crate) fn owner_of<'a>(
    domains: &'a [DomainRecord],
    component: &ComponentId,
) -> Option<&'a DomainRecord> {
    if is_reserved(component) {
        let parent = enclosing(component)?;
        return domains.iter().find(|record| record.name == parent);
    }
    domains
        .iter()
        .filter(|record| component.starts_with(&record.domain.prefix))
        .max_by_key(|record| record.domain.prefix.segments().count())
}

/// The name of the domain that `component` belongs to; empty for the device administrator.
pub(crate) fn owner_name<'a>(domains: &'a [DomainRecord], component: &ComponentId) -> &'a str {
    owner_of(domains, component).map_or("", |owner| owner.name.as_str())
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
