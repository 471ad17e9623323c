//! What security domains may use, and what they use.

use alloc::{format, string::String};

use tamarack_suit::{ComponentId, DeviceError};

use super::TeeDevice;
use crate::{
    link::ComponentKind,
    platform::{Namespace, Platform, StorageError},
    state::{ComponentRecord, DomainUsage, Record},
};

/// How many bytes a domain may have, kept while one component is written: to count them takes a look at all
/// records, and a payload comes in many pieces.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    domain: String,
    /// Bytes that are not in the namespace to which components are written.
    elsewhere: u64,
    /// Most bytes in all.
    limit: u64,
}

impl<P: Platform> TeeDevice<'_, P> {
    /// Refuses `more` bytes in the domain of `component` if they are beyond its quota.
    ///
    /// A domain whose quota was cut below what it had keeps that, and gets nothing on top of it.
    pub(super) fn check_bytes(
        &mut self,
        component: &ComponentId,
        more: u64,
    ) -> Result<(), DeviceError> {
        let domain = self.rights.domain_name(component);
        let content = self.transaction.usage(&Namespace::domain(domain))?;
        let budget = match self.budget.take().filter(|budget| budget.domain == domain) {
            Some(budget) => budget,
            None => self.budget_of(domain, content)?,
        };
        let wanted = content
            .saturating_add(budget.elsewhere)
            .saturating_add(more);
        if wanted > budget.limit {
            let quota = self.rights.quota(&budget.domain).bytes;
            return Err(over(&budget.domain, "bytes", quota, wanted, ""));
        }
        self.budget = Some(budget);
        Ok(())
    }

    fn budget_of(&self, domain: &str, content: u64) -> Result<Budget, StorageError> {
        let quota = self.rights.quota(domain).bytes;
        let domains = self.rights.domains();
        let now = DomainUsage::among(domains, &*self.transaction, domain)?.bytes;
        let elsewhere = now.saturating_sub(content);
        let view = self.platform.storage().view()?;
        let before = DomainUsage::among(domains, &*view, domain)?.bytes;
        let limit = quota.max(before);
        Ok(Budget {
            domain: domain.into(),
            elsewhere,
            limit,
        })
    }

    /// Refuses a Trusted Application beyond the quota of its domain.
    pub(super) fn check_application_quota(
        &self,
        component: &ComponentId,
        domain: &str,
    ) -> Result<(), DeviceError> {
        let (mut wanted, mut is_there) = (1, false);
        for other in ComponentRecord::all(&*self.transaction)? {
            if other.domain == domain && other.kind == ComponentKind::Application {
                match other.component == *component {
                    true => is_there = true,
                    false => wanted += 1,
                }
            }
        }
        let limit = self.rights.quota(domain).applications;
        // A new version of one that is there is not one more, however small the quota has become.
        if is_there || wanted <= limit {
            return Ok(());
        }
        Err(over(domain, "applications", limit, wanted, ""))
    }
}

/// The error that a quota is not enough: of what, how much it is, what was wanted, whose it is, and what for.
///
/// A TEEP Error has room for 128 bytes; the numbers come first.
pub(super) fn over(domain: &str, unit: &str, limit: u64, wanted: u64, what: &str) -> DeviceError {
    let whose = match domain {
        "" => "the device administrator",
        name => name,
    };
    DeviceError::OverQuota(format!(
        "over quota: {wanted} of {limit} {unit} for {whose}{what}"
    ))
}
