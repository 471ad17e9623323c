use tamarack_rats::RollbackDetection;

use super::PlatformFault;

/// A counter that only goes up, whatever happens to the files of the TEE.
///
/// Implementations say what it takes to turn theirs back: for a TPM's NV counter the key hierarchy, for a
/// file nothing more than an old copy.
pub trait MonotonicCounter: Send + Sync {
    /// The value now; 0 if it was never incremented.
    ///
    /// # Errors
    ///
    /// If the counter can't be read.
    fn value(&self) -> Result<u64, PlatformFault>;

    /// Adds one, durably, and returns the new value.
    ///
    /// # Errors
    ///
    /// If that can't be made sure; the value may then be the old or the new one.
    fn increment(&self) -> Result<u64, PlatformFault>;

    /// Whether the counter still notices when all files of the TEE were put back together, itself included if it is
    /// one of them.
    fn rollback_detection(&self) -> RollbackDetection {
        RollbackDetection::Nothing
    }
}
