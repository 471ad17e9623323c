//! Which TAM manages what: several may be trusted, and none changes what another one brought.

use alloc::{format, string::String};

use tamarack_cose::KeyId;
use tamarack_suit::{ComponentId, DeviceError, SuitDigest};

use super::TeeDevice;
use crate::{
    platform::Platform,
    state::{Anchor, AnchorRole, KnownManifest, Record, TamEndpoint},
};

impl<P: Platform> TeeDevice<'_, P> {
    /// Whether the TAM that is served may change or remove the manifest `id`.
    ///
    /// It may if it brought it, if nobody did, or if whoever did is not trusted any more: then the manifest
    /// would have no manager for ever. It may also if the device was told that both keys are one TAM's.
    // req: ARCH-047
    pub(super) fn check_manager(&self, id: &ComponentId) -> Result<(), DeviceError> {
        let (Some(tam), Some(known)) = (self.tam, self.known(id)?) else {
            return Ok(());
        };
        let Some(manager) = known.tam.filter(|_| known.envelope.is_some()) else {
            return Ok(());
        };
        if TamEndpoint::share_a_tam(&*self.transaction, &manager, &tam)? {
            return Ok(());
        }
        let anchors = Anchor::all(&*self.transaction)?;
        let mut anchors = anchors.iter();
        if !anchors.any(|anchor| anchor.role() == AnchorRole::Tam && anchor.key_id == manager) {
            return Ok(());
        }
        Err(DeviceError::Failed(format!(
            "{id} is managed by TAM {}, not TAM {}",
            short(&manager),
            short(&tam)
        )))
    }

    /// Whether the manifest may be recorded, and the TAM that manages it from now on.
    ///
    /// A dependency that is there already, to the byte, is nobody's conflict: it stays with its manager.
    pub(super) fn next_manager(
        &self,
        id: &ComponentId,
        digest: &SuitDigest,
    ) -> Result<Option<KeyId>, DeviceError> {
        let known = self.known(id)?;
        match known {
            Some(KnownManifest {
                record,
                envelope: Some(_),
                tam: Some(manager),
            }) if record.digest == *digest => Ok(Some(manager)),
            _ => {
                self.check_manager(id)?;
                Ok(self.tam)
            }
        }
    }
}

/// Enough of a thumbprint to find the key by, in a message of bounded length.
fn short(key: &KeyId) -> String {
    key.to_hex().chars().take(16).collect()
}
