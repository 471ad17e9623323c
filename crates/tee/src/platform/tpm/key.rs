//! Keys that live in the TPM: ECDSA on P-256 with SHA-256.

use std::{path::Path, sync::Arc};

use tamarack_cose::{CryptoProvider, Error as CoseError, PublicKey, Signer};
use tss_esapi::{
    Context, Error, WrapperErrorKind,
    abstraction::{AsymmetricAlgorithmSelection, ek},
    attributes::ObjectAttributesBuilder,
    constants::{SessionType, StructureTag},
    handles::KeyHandle,
    interface_types::{
        algorithm::{HashingAlgorithm, PublicAlgorithm},
        ecc::EccCurve,
    },
    structures::{
        Digest, EccPoint, EccScheme, HashScheme, HashcheckTicket, KeyDerivationFunctionScheme,
        Public, PublicBuilder, PublicEccParametersBuilder, Signature, SignatureScheme,
        SymmetricDefinitionObject,
    },
    tss2_esys::TPMT_TK_HASHCHECK,
};

use super::{
    super::PlatformFault,
    connection::{Connection, authorized, with_parent, with_session},
    secrets::{Authorization, TpmSecrets},
    wire::Blob,
};

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Whatever this process wants to have signed.
    Signing,
    /// Only what comes from within the TPM: a restricted key.
    Attestation,
}

/// A key in the TPM, which never leaves it.
pub(super) struct TpmKey {
    pub(super) connection: Arc<Connection>,
    pub(super) crypto: CryptoProvider,
    authorization: Authorization,
    blob: Blob,
    public: PublicKey,
}

impl TpmKey {
    /// Makes one, in a file that does not exist yet.
    pub(super) fn make(
        path: &Path,
        secrets: &TpmSecrets<'_>,
        purpose: Purpose,
    ) -> Result<(), PlatformFault> {
        let authorization = secrets.authorization();
        let made = secrets.connection.run("make a key in the TPM", |context| {
            let public = template(purpose)?;
            with_parent(context, |context, parent| {
                let kind = SessionType::Hmac;
                with_session(context, Some(parent), kind, |context, session| {
                    let value = Some(authorization.value()?);
                    context.execute_with_session(Some(session), |context| {
                        context.create(parent, public, value, None, None, None)
                    })
                })
            })
        })?;
        let blob = Blob {
            public: made.out_public,
            private: made.out_private,
            pcrs: Vec::new(),
        };
        blob.write(path)
    }

    /// The one in a file.
    pub(super) fn open(path: &Path, secrets: &TpmSecrets<'_>) -> Result<Self, PlatformFault> {
        let blob = Blob::read(path)?;
        let public = public_key(&blob.public).ok_or_else(|| PlatformFault::Damaged {
            path: path.into(),
            problem: "it is no P-256 key".into(),
        })?;
        Ok(Self {
            connection: Arc::clone(secrets.connection),
            crypto: *secrets.crypto,
            authorization: secrets.authorization(),
            blob,
            public,
        })
    }

    pub(super) fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Does something with the key, loaded, in a session that may use it.
    pub(super) fn run<R>(
        &self,
        action: &'static str,
        call: impl FnOnce(&mut Context, KeyHandle) -> tss_esapi::Result<R>,
    ) -> Result<R, PlatformFault> {
        let Blob {
            public, private, ..
        } = self.blob.clone();
        self.connection.run(action, |context| {
            let key = with_parent(context, |context, parent| {
                context
                    .execute_with_nullauth_session(|context| context.load(parent, private, public))
            })?;
            context.execute_with_temporary_object(key.into(), |context, object| {
                context.tr_set_auth(object, self.authorization.value()?)?;
                authorized(context, |context| call(context, key))
            })
        })
    }
}

impl Signer for TpmKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CoseError> {
        let digest = self.crypto.sha256(message);
        let signature = self.run("sign", |context, key| {
            let digest = Digest::try_from(&digest[..])?;
            let signature = context.sign(key, digest, SignatureScheme::Null, no_ticket()?)?;
            fixed_size(&signature)
        });
        signature.map(|bytes| bytes.to_vec()).map_err(|fault| {
            tracing::error!(%fault, "the TPM does not sign");
            CoseError::Crypto("the TPM does not sign")
        })
    }
}

/// The template of a key that this TPM alone can load.
fn template(purpose: Purpose) -> tss_esapi::Result<Public> {
    let restricted = purpose == Purpose::Attestation;
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(restricted)
        .with_sign_encrypt(true)
        .build()?;
    let parameters = PublicEccParametersBuilder::new()
        .with_ecc_scheme(EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256)))
        .with_curve(EccCurve::NistP256)
        .with_key_derivation_function_scheme(KeyDerivationFunctionScheme::Null)
        .with_symmetric(SymmetricDefinitionObject::Null)
        .with_is_signing_key(true)
        .with_is_decryption_key(false)
        .with_restricted(restricted)
        .build()?;
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}

/// The digest was made here, not by the TPM, so there is no ticket for it.
fn no_ticket() -> tss_esapi::Result<HashcheckTicket> {
    HashcheckTicket::try_from(TPMT_TK_HASHCHECK {
        tag: StructureTag::Hashcheck.into(),
        hierarchy: tss_esapi::constants::tss::TPM2_RH_NULL,
        digest: Default::default(),
    })
}

/// `r` and `s`, of 32 bytes each.
pub(super) fn fixed_size(signature: &Signature) -> tss_esapi::Result<[u8; 64]> {
    let mut bytes = [0; 64];
    let (r, s) = bytes.split_at_mut(32);
    let copied = match signature {
        Signature::EcDsa(found) => right_aligned(r, found.signature_r().value())
            .and_then(|()| right_aligned(s, found.signature_s().value())),
        _ => None,
    };
    copied.ok_or(Error::WrapperError(WrapperErrorKind::WrongValueFromTpm))?;
    Ok(bytes)
}

/// A TPM may leave out zeros in front.
fn right_aligned(to: &mut [u8], from: &[u8]) -> Option<()> {
    let start = to.len().checked_sub(from.len())?;
    to.get_mut(start..)?.copy_from_slice(from);
    Some(())
}

fn public_key(public: &Public) -> Option<PublicKey> {
    let Public::Ecc { unique, .. } = public else {
        return None;
    };
    let (mut x, mut y) = ([0; 32], [0; 32]);
    right_aligned(&mut x, unique.x().value())?;
    right_aligned(&mut y, unique.y().value())?;
    Some(PublicKey::P256 { x, y })
}

/// 16 bytes that are this TPM's, whatever becomes of its other keys: from the public half of its endorsement key.
pub(super) fn device_id(
    connection: &Connection,
    crypto: &CryptoProvider,
) -> Result<[u8; 16], PlatformFault> {
    let public = connection.run("find out which TPM this is", |context| {
        let kind = AsymmetricAlgorithmSelection::Ecc(EccCurve::NistP256);
        let key = ek::create_ek_object_2(context, kind, None)?;
        context.execute_with_temporary_object(key.into(), |context, _| {
            let (public, _, _) = context.read_public(key)?;
            Ok(public)
        })
    })?;
    let key = public_key(&public).ok_or_else(|| PlatformFault::Hardware {
        action: "find out which TPM this is",
        problem: "its endorsement key is no P-256 key".into(),
    })?;
    let digest = crypto.sha256(&[b"tamarack ueid", &key.to_cose_key()[..]].concat());
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    Ok(id)
}
