//! The monotonic counter of the TPM.

use std::{path::Path, sync::Arc};

use tamarack_rats::RollbackDetection;
use tss_esapi::{
    Context, Error, WrapperErrorKind,
    attributes::NvIndexAttributesBuilder,
    constants::{CapabilityType, NvIndexType},
    handles::{NvIndexHandle, NvIndexTpmHandle, TpmHandle},
    interface_types::{
        algorithm::HashingAlgorithm,
        resource_handles::{NvAuth, Provision},
    },
    structures::{CapabilityData, NvPublic},
};

use super::{
    super::{MonotonicCounter, PlatformFault, secrets::Secrets},
    connection::{Connection, authorized},
    secrets::TpmSecrets,
};

/// The sealed file: the NV index in 4 bytes, and the value from which on is counted in 8.
const FILE: &str = "counter.tpm";

/// Where counters of devices are looked for and made: in the range that the TCG leaves to owners.
const INDICES: core::ops::Range<u32> = 0x0180_5400..0x0180_5500;

/// Bytes of a counter.
const SIZE: u16 = 8;

/// A counter in the non-volatile memory of the TPM.
///
/// It can't be set. Who owns the TPM can remove it, which is noticed; one that is made in its place starts above all
/// that were there before.
pub(super) struct NvCounter {
    connection: Arc<Connection>,
    index: NvIndexHandle,
    base: u64,
}

impl NvCounter {
    /// Makes the counter of a new device.
    pub(super) fn make(folder: &Path, secrets: &TpmSecrets<'_>) -> Result<(), PlatformFault> {
        let authorization = secrets.authorization();
        let (index, base) = secrets
            .connection
            .run("make a counter in the TPM", |context| {
                let index = free_index(context)?;
                let public = template(index)?;
                let value = Some(authorization.value()?);
                let handle = authorized(context, |context| {
                    context.nv_define_space(Provision::Owner, value, public)
                })?;
                context.tr_set_auth(handle.into(), authorization.value()?)?;
                // Before it is incremented for the first time it has no value.
                let base = authorized(context, |context| raise(context, handle))?;
                Ok((index, base))
            })?;
        let bytes = [&index.to_be_bytes()[..], &base.to_be_bytes()].concat();
        tracing::info!(
            index = format!("{index:#010x}"),
            "made a counter in the TPM"
        );
        secrets.write(&folder.join(FILE), &bytes)
    }

    pub(super) fn open(folder: &Path, secrets: &TpmSecrets<'_>) -> Result<Self, PlatformFault> {
        let path = folder.join(FILE);
        let bytes = secrets.read(&path)?;
        let damaged = |problem: &str| PlatformFault::Damaged {
            path: path.clone(),
            problem: problem.into(),
        };
        let (index, base) = bytes
            .split_first_chunk::<4>()
            .ok_or_else(|| damaged("it is too short"))?;
        let base = <[u8; 8]>::try_from(base).map_err(|_| damaged("it has another length"))?;
        let index = u32::from_be_bytes(*index);
        let authorization = secrets.authorization();
        let found = secrets
            .connection
            .run("find the counter in the TPM", |context| {
                if !defined(context)?.contains(&index) {
                    return Ok(None);
                }
                let handle = TpmHandle::NvIndex(NvIndexTpmHandle::new(index)?);
                let handle = context.tr_from_tpm_public(handle)?;
                context.tr_set_auth(handle, authorization.value()?)?;
                Ok(Some(NvIndexHandle::from(handle)))
            })?;
        let index = found.ok_or_else(|| PlatformFault::Hardware {
            action: "find the counter in the TPM",
            problem: format!(
                "NV index {index:#010x} was removed, and with it what tells whether the files of the device are the \
                 newest; make a new device in an empty folder"
            ),
        })?;
        Ok(Self {
            connection: Arc::clone(secrets.connection),
            index,
            base: u64::from_be_bytes(base),
        })
    }

    fn relative(&self, value: u64) -> Result<u64, PlatformFault> {
        value
            .checked_sub(self.base)
            .ok_or_else(|| PlatformFault::Hardware {
                action: "read the counter in the TPM",
                problem: "it is below where it started".into(),
            })
    }
}

impl MonotonicCounter for NvCounter {
    fn value(&self) -> Result<u64, PlatformFault> {
        let value = self
            .connection
            .run("read the counter in the TPM", |context| {
                authorized(context, |context| read(context, self.index))
            })?;
        self.relative(value)
    }

    fn increment(&self) -> Result<u64, PlatformFault> {
        let value = self
            .connection
            .run("raise the counter in the TPM", |context| {
                authorized(context, |context| raise(context, self.index))
            })?;
        self.relative(value)
    }

    fn rollback_detection(&self) -> RollbackDetection {
        RollbackDetection::Hardware
    }
}

/// Authorized by the index's own value, so that nobody else raises it, which would look like a rollback.
fn template(index: u32) -> tss_esapi::Result<NvPublic> {
    let attributes = NvIndexAttributesBuilder::new()
        .with_nv_index_type(NvIndexType::Counter)
        .with_auth_read(true)
        .with_auth_write(true)
        .with_no_da(true)
        .build()?;
    NvPublic::builder()
        .with_nv_index(NvIndexTpmHandle::new(index)?)
        .with_index_name_algorithm(HashingAlgorithm::Sha256)
        .with_index_attributes(attributes)
        .with_data_area_size(usize::from(SIZE))
        .build()
}

/// Raises it; the value after that. In a session that may, as [`read`].
fn raise(context: &mut Context, index: NvIndexHandle) -> tss_esapi::Result<u64> {
    context.nv_increment(NvAuth::NvIndex(index), index)?;
    read(context, index)
}

fn read(context: &mut Context, index: NvIndexHandle) -> tss_esapi::Result<u64> {
    let value = context.nv_read(NvAuth::NvIndex(index), index, SIZE, 0)?;
    let bytes = <[u8; 8]>::try_from(value.value());
    let bytes = bytes.map_err(|_| Error::WrapperError(WrapperErrorKind::WrongValueFromTpm))?;
    Ok(u64::from_be_bytes(bytes))
}

/// The NV indices in our range that are taken.
fn defined(context: &mut Context) -> tss_esapi::Result<Vec<u32>> {
    let count = u32::try_from(INDICES.len()).unwrap_or(u32::MAX);
    let (found, _) = context.execute_without_session(|context| {
        context.get_capability(CapabilityType::Handles, INDICES.start, count)
    })?;
    match found {
        CapabilityData::Handles(handles) => {
            let numbers = handles.iter().map(|handle| u32::from(*handle));
            Ok(numbers.filter(|index| INDICES.contains(index)).collect())
        }
        _ => Err(Error::WrapperError(WrapperErrorKind::WrongValueFromTpm)),
    }
}

fn free_index(context: &mut Context) -> tss_esapi::Result<u32> {
    let taken = defined(context)?;
    INDICES
        .into_iter()
        .find(|index| !taken.contains(index))
        .ok_or(Error::WrapperError(WrapperErrorKind::UnsupportedParam))
}
