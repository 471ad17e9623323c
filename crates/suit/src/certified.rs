//! Signers that are known by a certificate.

use alloc::vec::Vec;

use tamarack_cose::{
    CryptoProvider, Error, KeyId, Signed,
    x509::{AnchorKey, Purpose, Revocations, Trust, TrustAnchor},
};

use crate::Authority;

/// Trust anchors that vouch for holders of certificates, and whom each stands for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Issuers {
    anchors: Vec<TrustAnchor>,
    authorities: Vec<Authority>,
    pub(crate) now: u64,
    pub(crate) revocations: Revocations,
}

impl FromIterator<(TrustAnchor, Authority)> for Issuers {
    fn from_iter<I: IntoIterator<Item = (TrustAnchor, Authority)>>(anchors: I) -> Self {
        let (anchors, authorities) = anchors.into_iter().unzip();
        Self {
            anchors,
            authorities,
            ..Self::default()
        }
    }
}

/// Whom an anchor stands for, and the id of its key. A raw key is one authority, whether it signs itself or has
/// others sign.
pub(crate) fn authority(crypto: &CryptoProvider, anchor: &TrustAnchor) -> (Authority, KeyId) {
    let key = anchor.public_key();
    let authority = match &anchor.key {
        AnchorKey::Key(key) => Authority::Key(*key),
        AnchorKey::Certificate(_) => Authority::Certified(anchor.id(crypto)),
    };
    (authority, key.key_id(crypto))
}

impl Issuers {
    /// Whose is the signature at `index`?
    pub(crate) fn attribute(
        &self,
        crypto: &CryptoProvider,
        signed: &Signed<'_>,
        index: usize,
        detached: Option<&[u8]>,
    ) -> Result<Authority, Error> {
        let trust = Trust::new(&self.anchors, &self.revocations, self.now);
        let signatory = signed.signatory(crypto, index, &trust, Purpose::Signer, detached)?;
        let authority = self.authorities.get(signatory.anchor);
        authority.copied().ok_or(Error::UnknownKey)
    }
}
