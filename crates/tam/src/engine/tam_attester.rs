use tamarack_cose::{CryptoProvider, PublicKey, Signer};
use tamarack_rats::{
    Claims, Confirmation, EAT_CWT, Endorsement, Measurement, OemId, ReferenceMeasurement,
};
use tamarack_suit::{SuitDigest, report::Reference};
use tamarack_teep::{AttestationPayload, Challenge};
use tamarack_verifier::{ResultFormat, VerifierClient};

/// How a TAM proves to agents what it is (TEEP section 7.2.1).
///
/// An agent whose device administrator demands it answers a QueryRequest with ERR_ATTESTATION_REQUIRED; the
/// TAM then asks again, with what this makes.
pub trait TamAttester: Send + Sync {
    /// Makes an attestation payload that answers `challenge`, if there is one, and confirms that `key` signs the
    /// TAM's messages.
    ///
    /// # Errors
    ///
    /// Why none can be had now, in words for the operator.
    // req: TEEP-FRESH-003
    fn attest(
        &self,
        challenge: Option<&Challenge>,
        key: &PublicKey,
    ) -> Result<AttestationPayload, String>;

    /// SUIT reports of the boot of the TAM, encoded; none by default.
    // req: TEEP-MSG-029
    fn suit_reports(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }
}

/// The name of the measurement of the program.
const MEASURED: &str = "tamarack-tam";

/// What a TAM says about itself, signed with a key of its own that signs nothing else.
pub struct TamIdentity {
    crypto: CryptoProvider,
    attester: Box<dyn Signer>,
    /// SHA-256 of the program.
    measurement: [u8; 32],
}

impl TamIdentity {
    /// The TAM with this attester, which runs a program with this SHA-256.
    #[must_use]
    pub fn new(crypto: CryptoProvider, attester: Box<dyn Signer>, measurement: [u8; 32]) -> Self {
        Self {
            crypto,
            attester,
            measurement,
        }
    }

    /// EAT type 0x01 (random): the beginning of the thumbprint of a random key.
    fn ueid(&self) -> Vec<u8> {
        let thumbprint = self.attester.public_key().key_id(&self.crypto);
        let random = thumbprint.as_bytes().iter().take(16).copied();
        std::iter::once(0x01).chain(random).collect()
    }

    fn oemid(&self) -> OemId {
        let digest = self.crypto.sha256(b"tamarack");
        let mut random = [0; 16];
        random
            .iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = from);
        OemId::Random(random)
    }

    /// Evidence that answers `nonce` and binds `key`.
    ///
    /// # Errors
    ///
    /// If the attester can't sign.
    pub fn evidence(&self, nonce: &[u8], key: &PublicKey) -> Result<Vec<u8>, tamarack_cose::Error> {
        let claims = Claims {
            nonce: Some(nonce.to_vec()),
            ueid: Some(self.ueid()),
            oemid: Some(self.oemid()),
            hwmodel: Some(b"server".to_vec()),
            hwversion: Some(env!("CARGO_PKG_VERSION").into()),
            confirmation: Some(Confirmation::named(key, &self.crypto)),
            measurements: vec![Measurement {
                name: MEASURED.into(),
                version: Some(env!("CARGO_PKG_VERSION").into()),
                sha256: self.measurement,
            }],
            ..Claims::default()
        };
        claims.sign(&self.crypto, &*self.attester)
    }

    /// What a Verifier has to know to appraise the Evidence.
    #[must_use]
    pub fn endorsement(&self) -> Endorsement {
        let digest = SuitDigest::new(tamarack_cose::DigestAlgorithm::Sha256, &self.measurement);
        let reference = digest.map(|digest| Reference {
            uri: concat!("urn:tamarack:tam:", env!("CARGO_PKG_VERSION")).into(),
            digest,
        });
        Endorsement {
            oemid: Some(self.oemid()),
            hwmodel: Some(b"server".to_vec()),
            hwversion: Some(env!("CARGO_PKG_VERSION").into()),
            manifests: reference.into_iter().collect(),
            reference_measurements: vec![ReferenceMeasurement {
                sha256: vec![self.measurement],
                ..ReferenceMeasurement::named(MEASURED)
            }],
            ..Endorsement::new(self.ueid(), *self.attester.public_key())
        }
    }
}

/// A TAM for which a Verifier vouches: its Evidence goes there, and the result to the agent.
pub struct VerifiedTam {
    /// What it says about itself.
    pub identity: TamIdentity,
    /// The way to the Verifier, which the agents trust.
    pub verifier: VerifierClient,
}

impl TamAttester for VerifiedTam {
    fn attest(
        &self,
        challenge: Option<&Challenge>,
        key: &PublicKey,
    ) -> Result<AttestationPayload, String> {
        // An agent without a challenge looks at when the result was issued. The Verifier wants fresh Evidence of anybody.
        let own: [u8; 32] = (self.identity.crypto.random_array()).map_err(|e| e.to_string())?;
        let nonce = challenge.map_or(&own[..], Challenge::as_bytes);
        let evidence = self.identity.evidence(nonce, key);
        let evidence = evidence.map_err(|error| error.to_string())?;
        let formats = [ResultFormat::Teep];
        let results = (self.verifier).appraise(EAT_CWT, &evidence, Some(nonce), &formats);
        let results = results.map_err(|error| error.to_string())?;
        let result = results.into_iter().next();
        result.ok_or_else(|| "the Verifier answers with no result".into())
    }
}
