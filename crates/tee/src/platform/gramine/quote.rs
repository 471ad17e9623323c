use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use tamarack_rats::{HardwareReport, SGX_QUOTE};

use super::super::{
    HardwareAttester, PlatformFault,
    attributes::{Attributes, MAX_REPORT, report_data},
};

/// Where a quote of version 3 holds the data that it is about: behind the header and the report of the enclave, at the
/// end of that.
const USER_DATA: core::ops::Range<usize> = 368..432;

/// Quotes of this enclave.
pub(super) struct Quotes<A> {
    /// Held while a quote is made: the process has one place for the data.
    attributes: Mutex<A>,
    dir: PathBuf,
}

impl<A: Attributes> Quotes<A> {
    pub(super) fn new(attributes: A, dir: &Path) -> Self {
        Self {
            attributes: Mutex::new(attributes),
            dir: dir.into(),
        }
    }
}

impl<A: Attributes> HardwareAttester for Quotes<A> {
    fn report(&self, binding: &[u8; 32]) -> Result<HardwareReport, PlatformFault> {
        let data = report_data(binding);
        // Whatever panicked, the data is written anew.
        let attributes = self
            .attributes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let path = self.dir.join("user_report_data");
        attributes
            .write(&path, &data)
            .map_err(PlatformFault::file("write", &path))?;
        let path = self.dir.join("quote");
        let bytes = attributes
            .read(&path)
            .map_err(PlatformFault::file("read", &path))?;
        // One about other data would only be found out by the Verifier.
        if bytes.get(USER_DATA) != Some(&data) || bytes.len() > MAX_REPORT {
            return Err(PlatformFault::Unavailable(format!(
                "{} is no quote about the data that was asked for",
                path.display()
            )));
        }
        Ok(HardwareReport {
            media_type: SGX_QUOTE.into(),
            bytes,
        })
    }
}
