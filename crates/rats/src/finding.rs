//! What is found about the measured components of a device.

use alloc::{string::String, vec::Vec};
use core::fmt;

use crate::{Confirmation, Measurement, ReferenceMeasurement, TrustClaim};

/// A genuine device, by Evidence that is fresh and binds a key, with components that don't pass.
///
/// What the device says besides can't be relied on: what runs there is not what is known to be good. Its
/// Evidence tells whom it is about, so that a TAM which manages these components may update them.
// req: TEEP-TAM-009
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutOfDate {
    /// Which device.
    pub ueid: Vec<u8>,
    /// The key that must have signed the message in which the Evidence came.
    pub confirmation: Confirmation,
    /// What was found about the hardware.
    pub hardware: TrustClaim,
    /// The components that don't pass; one or more. A PCR of the TPM is one, by the name `PCR` and its number.
    pub components: Vec<ComponentFault>,
}

/// A measured component that does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentFault {
    /// What was measured.
    pub name: String,
    /// What is wrong with it.
    pub finding: Finding,
}

/// What is wrong with a measured component.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// It was not measured.
    Absent,
    /// It is none of those that are known to be good.
    Unknown,
    /// It is known to be bad.
    Revoked,
    /// It is older than is safe.
    TooOld {
        /// Its version, if it has one.
        version: Option<String>,
        /// The oldest that is safe.
        minimum: String,
    },
}

impl Finding {
    /// What it means for what runs on the device.
    pub(crate) fn claim(&self) -> TrustClaim {
        match self {
            Self::Absent | Self::Unknown => TrustClaim::UNRECOGNIZED_RUNTIME,
            Self::TooOld { .. } => TrustClaim::UNSAFE_RUNTIME,
            Self::Revoked => TrustClaim::CONTRAINDICATED_RUNTIME,
        }
    }
}

impl fmt::Display for ComponentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.finding {
            Finding::Absent => write!(f, "{name} is not measured"),
            Finding::Unknown => write!(f, "{name} differs from every reference"),
            Finding::Revoked => write!(f, "{name} is known to be bad"),
            Finding::TooOld { minimum, .. } => write!(f, "{name} is older than {minimum}"),
        }
    }
}

impl fmt::Display for OutOfDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.components.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{fault}")?;
        }
        Ok(())
    }
}

/// What is wrong with a measurement, by what is known about the component.
pub(crate) fn compare(
    found: Option<&Measurement>,
    reference: &ReferenceMeasurement,
) -> Option<Finding> {
    let Some(found) = found else {
        return Some(Finding::Absent);
    };
    if reference.revoked.contains(&found.sha256) {
        return Some(Finding::Revoked);
    }
    if let Some(minimum) = &reference.minimum_version {
        let version = found.version.as_deref();
        if !version.is_some_and(|version| is_at_least(version, minimum)) {
            return Some(Finding::TooOld {
                version: found.version.clone(),
                minimum: minimum.clone(),
            });
        }
    }
    let known = reference.sha256.is_empty() || reference.sha256.contains(&found.sha256);
    (!known).then_some(Finding::Unknown)
}

/// Compares versions of the scheme multipartnumeric (RFC 9393): numbers between dots, absent ones being 0.
/// What is written otherwise is at least nothing.
fn is_at_least(version: &str, minimum: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        let parts = text.split('.').map(str::parse);
        let mut numbers = parts.collect::<Result<Vec<u64>, _>>().ok()?;
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        Some(numbers)
    };
    match (numbers(version), numbers(minimum)) {
        (Some(version), Some(minimum)) => version >= minimum,
        _ => false,
    }
}
