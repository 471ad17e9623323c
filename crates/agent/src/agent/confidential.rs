//! What is for the TAM only: Evidence and reports are encrypted to it where its key is known.

use alloc::vec::Vec;

use tamarack_cose::{
    CryptoProvider, KeyId,
    encrypt::{ContentAlgorithm, Curve, EncryptionKey, Recipient},
};
use tamarack_rats::encrypt_eat;
use tamarack_suit::{Report, report::ReportPayload};
use tamarack_teep::{QueryRequest, SuitCoseProfile};

use crate::{
    platform::{StorageError, View},
    state::{Record, TamEncryptionKeys},
};

/// A key of the TAM, and the cipher of a profile that it offers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Confidentiality {
    key: EncryptionKey,
    cipher: ContentAlgorithm,
}

impl Confidentiality {
    /// How to encrypt to the TAM with the key `tam`; `None` if no encryption key of it is known, or none for a
    /// profile that it offers.
    ///
    /// A cipher that authenticates goes before one that does not.
    // req: TEEP-ENC-001
    // req: TEEP-ENC-010
    // req: AMB-20
    pub(crate) fn choose(
        view: &dyn View,
        tam: &KeyId,
        request: &QueryRequest,
    ) -> Result<Option<Self>, StorageError> {
        let Some(known) = TamEncryptionKeys::load(view, tam.as_bytes())? else {
            return Ok(None);
        };
        let offered = request.supported_suit_cose_profiles.iter();
        let ways = offered.filter_map(|profile| {
            let (curve, cipher) = of_profile(profile)?;
            let key = known.keys.iter().find(|key| key.curve() == curve)?;
            Some(Self { key: *key, cipher })
        });
        // The first of equals: among them the TAM's order counts.
        Ok(ways.min_by_key(|way| !way.cipher.is_authenticated()))
    }

    /// Encrypts a signed token.
    // req: TEEP-ENC-002
    // req: TEEP-ENC-003
    // req: TEEP-ENC-004
    // req: TEEP-ENC-005
    // req: TEEP-ENC-008
    pub(crate) fn encrypt_token(
        &self,
        crypto: &CryptoProvider,
        token: &[u8],
    ) -> Result<Vec<u8>, tamarack_cose::Error> {
        encrypt_eat(crypto, self.cipher, &self.key, token)
    }

    /// Encrypts a report, for a message that is signed as a whole.
    pub(crate) fn encrypt_report(
        &self,
        crypto: &CryptoProvider,
        report: &Report,
    ) -> Result<Vec<u8>, tamarack_suit::Error> {
        let recipients = [Recipient::agreement(&self.key)];
        let payload = ReportPayload::encrypted(report, crypto, self.cipher, &recipients)?;
        Ok(payload.carried().to_vec())
    }
}

/// The curve and the cipher of a profile that encrypts by ECDH-ES with AES-KW.
fn of_profile(profile: &SuitCoseProfile) -> Option<(Curve, ContentAlgorithm)> {
    match *profile {
        SuitCoseProfile::ESP256_A128CTR => Some((Curve::P256, ContentAlgorithm::A128Ctr)),
        SuitCoseProfile::ESP256_A128GCM => Some((Curve::P256, ContentAlgorithm::A128Gcm)),
        SuitCoseProfile::ED25519_A128CTR => Some((Curve::X25519, ContentAlgorithm::A128Ctr)),
        SuitCoseProfile::ED25519_CHACHA_POLY => {
            Some((Curve::X25519, ContentAlgorithm::ChaCha20Poly1305))
        }
        _ => None,
    }
}
