//! How security domains are made and changed, and what keeps one from reaching into another.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use tamarack_suit::{ComponentId, DeviceError};

use super::{TeeDevice, quota::over};
use crate::{
    domain::SecurityDomain,
    link::ComponentKind,
    platform::{Namespace, Platform, StorageError},
    state::{DomainRecord, DomainUsage, Installed, Record, children, owner_name},
};

/// Most sub-domains, and sub-domains of these, in one domain: all keys of all domains are read with each manifest.
const MAX_SUB_DOMAINS: usize = 32;

impl<P: Platform> TeeDevice<'_, P> {
    /// Puts a written descriptor in force.
    pub(super) fn install_domain(
        &mut self,
        name: &str,
        space: &Namespace,
        key: &[u8],
        size: u64,
    ) -> Result<(), DeviceError> {
        if size > SecurityDomain::MAX_LEN as u64 {
            let text = format!("the descriptor of a security domain is {size} bytes long");
            return Err(DeviceError::Failed(text));
        }
        let descriptor = self.transaction.get(space, key)?.unwrap_or_default();
        let domain = SecurityDomain::decode(&descriptor)
            .map_err(|error| DeviceError::Failed(error.to_string()))?;
        let record = DomainRecord {
            name: name.into(),
            domain,
        };
        // Not those of `rights`: one manifest may make several.
        let before = DomainRecord::all(&*self.transaction)?;
        let (old, others): (Vec<_>, Vec<_>) = before
            .iter()
            .cloned()
            .partition(|domain| domain.name == name);
        check_prefix(&record, &others)?;
        let old = old.into_iter().next();
        let installed = Installed::all(&*self.transaction)?;
        if let Some(old) = &old
            && old.domain.prefix != record.domain.prefix
            && content_of(name, &before, &installed).is_some()
        {
            let text = format!("the security domain {name} is in use and can't move its prefix");
            return Err(DeviceError::Failed(text));
        }
        let after: Vec<_> = others.iter().cloned().chain([record.clone()]).collect();
        check_owners_stay(&before, &after, &installed)?;
        self.check_division(&record, old.as_ref(), &others, &installed)?;
        if old.is_none() {
            // What a domain of that name left behind, in a session that ended late, is nobody's.
            self.destroy_domain(name)?;
        }
        record.save(self.transaction)?;
        self.changed_domains = true;
        // What a session may use and share was settled when it was opened.
        for component in installed.components {
            if component.domain == name && component.kind == ComponentKind::Application {
                self.retired.push(component.component);
            }
        }
        Ok(())
    }

    /// Takes a security domain out of the TEE, with the keys that its storage is sealed with.
    pub(super) fn remove_domain(&mut self, name: &str) -> Result<(), DeviceError> {
        let domains = DomainRecord::all(&*self.transaction)?;
        if let Some(child) = children(&domains, name).next() {
            let text = format!(
                "the security domain {name} still has the sub-domain {}",
                child.name
            );
            return Err(DeviceError::Failed(text));
        }
        let installed = Installed::all(&*self.transaction)?;
        if let Some(content) = content_of(name, &domains, &installed) {
            let text = format!("the security domain {name} still holds components: {content}");
            return Err(DeviceError::Failed(text));
        }
        DomainRecord::delete(self.transaction, name.as_bytes())?;
        self.destroy_domain(name)?;
        Ok(())
    }

    /// Destroys the storage of the domain itself; that of its applications goes with these.
    fn destroy_domain(&mut self, name: &str) -> Result<(), StorageError> {
        self.transaction.destroy(&Namespace::domain(name))?;
        self.transaction.destroy(&Namespace::shared(name))
    }

    /// Refuses what was installed with the rights of one domain and belongs to another by now, since the
    /// procedure made that one too.
    pub(super) fn check_owner_stayed(&self, component: &ComponentId) -> Result<(), DeviceError> {
        if !self.changed_domains {
            return Ok(());
        }
        let domains = DomainRecord::all(&*self.transaction)?;
        let owner = owner_name(&domains, component);
        if owner == self.rights.domain_name(component) {
            return Ok(());
        }
        Err(DeviceError::Failed(format!(
            "{component} belongs to the security domain {owner}, which this update makes: install it after that"
        )))
    }

    /// Checks that sub-domains get no more than the domain has that they are in.
    fn check_division(
        &self,
        record: &DomainRecord,
        old: Option<&DomainRecord>,
        others: &[DomainRecord],
        installed: &Installed,
    ) -> Result<(), DeviceError> {
        let (name, quota) = (&record.name, &record.domain.quota);
        let below: Vec<_> = children(others, name)
            .map(|child| child.domain.quota)
            .collect();
        for (at, (unit, limit)) in quota.divided().into_iter().enumerate() {
            let given = below.iter().map(|child| share(&child.divided(), at));
            let given = given.fold(0, u64::saturating_add);
            if given > limit {
                return Err(over(name, unit, limit, given, " with its sub-domains"));
            }
        }
        for (at, (unit, limit)) in quota.undivided().into_iter().enumerate() {
            let highest = below
                .iter()
                .map(|child| share(&child.undivided(), at))
                .max();
            if let Some(highest) = highest.filter(|highest| *highest > limit) {
                return Err(over(name, unit, limit, highest, ", which has a sub-domain"));
            }
        }
        let parent = SecurityDomain::parent_of(name)
            .and_then(|parent| others.iter().find(|record| record.name == parent));
        let Some(parent) = parent else {
            return Ok(());
        };
        let whole = &parent.domain.quota;
        let wants = format!(" with {name}");
        for ((unit, limit), (_, wanted)) in whole.undivided().into_iter().zip(quota.undivided()) {
            if wanted > limit {
                return Err(over(&parent.name, unit, limit, wanted, &wants));
            }
        }
        let used = DomainUsage::counted(others, installed, &*self.transaction, &parent.name)?;
        let used = [used.bytes, used.applications, used.objects, 0];
        for (at, (unit, limit)) in whole.divided().into_iter().enumerate() {
            let siblings = children(others, &parent.name).filter(|child| child.name != *name);
            let siblings = siblings
                .map(|child| share(&child.domain.quota.divided(), at))
                .fold(0, u64::saturating_add);
            let wanted = share(&quota.divided(), at);
            let all = siblings.saturating_add(wanted);
            if all > limit {
                return Err(over(&parent.name, unit, limit, all, &wants));
            }
            // Who asks for no more than before needs no room that the parent has filled meanwhile.
            let grows = old.is_none_or(|old| share(&old.domain.quota.divided(), at) < wanted);
            let used = used.get(at).copied().unwrap_or_default();
            if grows && all.saturating_add(used) > limit {
                let all = all.saturating_add(used);
                let wants = format!(" with {name} and what it uses");
                return Err(over(&parent.name, unit, limit, all, &wants));
            }
        }
        Ok(())
    }
}

/// One of the limits of a quota, by its place among them.
fn share<const N: usize>(limits: &[(&'static str, u64); N], at: usize) -> u64 {
    limits.get(at).map(|(_, limit)| *limit).unwrap_or_default()
}

/// Something that is installed in a security domain, a sub-domain or a kept manifest included.
fn content_of<'a>(
    name: &str,
    domains: &[DomainRecord],
    installed: &'a Installed,
) -> Option<&'a ComponentId> {
    let mut components = installed.components.iter();
    match components.find(|component| component.domain == name) {
        Some(found) => Some(&found.component),
        None => installed.kept().find(|id| owner_name(domains, id) == name),
    }
}

/// Refuses a change of domains by which something that is installed would pass to somebody else.
fn check_owners_stay(
    before: &[DomainRecord],
    after: &[DomainRecord],
    installed: &Installed,
) -> Result<(), DeviceError> {
    let components = installed.components.iter();
    let components = components.map(|record| &record.component);
    match components
        .chain(installed.kept())
        .find(|id| owner_name(after, id) != owner_name(before, id))
    {
        Some(id) => Err(DeviceError::Failed(format!(
            "{id} is installed by somebody else already"
        ))),
        None => Ok(()),
    }
}

/// Checks that a domain's prefix is its own, and a sub-domain's below that of the domain that it is in.
fn check_prefix(record: &DomainRecord, others: &[DomainRecord]) -> Result<(), DeviceError> {
    let (name, prefix) = (&record.name, &record.domain.prefix);
    let refuse = |text: String| Err(DeviceError::Failed(text));
    let rival = || {
        let rival = others.iter().find(|other| other.domain.prefix == *prefix)?;
        Some(format!(
            "{prefix} belongs to the security domain {}",
            rival.name
        ))
    };
    let Some(parent) = SecurityDomain::parent_of(name) else {
        return rival().map_or(Ok(()), refuse);
    };
    let Some(found) = others.iter().find(|other| other.name == parent) else {
        return refuse(format!(
            "there is no security domain {parent} for {name} to be in"
        ));
    };
    if !prefix.starts_with(&found.domain.prefix) {
        return refuse(format!(
            "the prefix {prefix} is not below {}, the one of the security domain {parent}",
            found.domain.prefix
        ));
    }
    // Not earlier: who signs for a sub-domain learns nothing about prefixes elsewhere, not even that there are any.
    if let Some(rival) = rival() {
        return refuse(rival);
    }
    let root = SecurityDomain::root_of(name);
    let inner = others
        .iter()
        .filter(|other| other.name != root && SecurityDomain::root_of(&other.name) == root);
    if inner.count() >= MAX_SUB_DOMAINS {
        return refuse(format!(
            "the limit of {MAX_SUB_DOMAINS} sub-domains in {root} is reached"
        ));
    }
    // A longer prefix within the parent's is somebody else's, a sibling's or one of the administrator's.
    match owner_name(others, prefix) {
        owner if owner == parent => Ok(()),
        owner => refuse(format!("{prefix} belongs to the security domain {owner}")),
    }
}
