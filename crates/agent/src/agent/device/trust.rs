//! How trust changes: sets of trust anchors come and go.

use alloc::{format, string::ToString};

use tamarack_suit::{ComponentId, DeviceError};

use super::TeeDevice;
use crate::{
    platform::{Namespace, Platform},
    state::{AnchorRole, TrustStore},
    trust_anchors::TrustAnchorSet,
};

impl<P: Platform> TeeDevice<'_, P> {
    /// Puts the anchors and revocations of a written component in force.
    ///
    /// That its manifest is the administrator's, in order and the newest was checked before.
    // req: ARCH-024
    // req: ARCH-026
    pub(super) fn install_trust_anchors(
        &mut self,
        component: &ComponentId,
        space: &Namespace,
        key: &[u8],
    ) -> Result<(), DeviceError> {
        let size = self.transaction.length(space, key)?.unwrap_or(0);
        if size > TrustAnchorSet::MAX_LEN as u64 {
            let text = format!("a set of trust anchors is {size} bytes long");
            return Err(DeviceError::Failed(text));
        }
        let bytes = self.transaction.get(space, key)?.unwrap_or_default();
        let set = TrustAnchorSet::decode(&bytes)
            .map_err(|error| DeviceError::Failed(error.to_string()))?;
        let crypto = *self.crypto();
        TrustStore::replace_set(self.transaction, component, set, &crypto)?;
        self.refuse_lockout()
    }

    /// Takes the anchors and revocations of a component out of force.
    pub(super) fn remove_trust_anchors(
        &mut self,
        component: &ComponentId,
    ) -> Result<(), DeviceError> {
        TrustStore::remove_set(self.transaction, component)?;
        self.refuse_lockout()
    }

    /// Refuses a change after which nobody could change anything any more.
    fn refuse_lockout(&self) -> Result<(), DeviceError> {
        let store = TrustStore::load(&*self.transaction)?;
        for (role, who) in [
            (AnchorRole::Signer, "device administrator"),
            (AnchorRole::Tam, "TAM"),
        ] {
            if !store.has(role, self.crypto(), self.platform.now()) {
                let text = format!("no {who} would be trusted any more");
                return Err(DeviceError::Failed(text));
            }
        }
        Ok(())
    }
}
