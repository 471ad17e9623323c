//! The root key, sealed to the TPM.

use std::path::Path;

use tamarack_cose::CryptoProvider;
use tss_esapi::{
    Error, WrapperErrorKind,
    attributes::ObjectAttributesBuilder,
    constants::SessionType,
    interface_types::{
        algorithm::{HashingAlgorithm, PublicAlgorithm},
        session_handles::PolicySession,
    },
    structures::{
        Digest, KeyedHashScheme, Public, PublicBuilder, PublicKeyedHashParameters, SensitiveData,
    },
};
use zeroize::Zeroizing;

use super::{
    super::{PlatformFault, RootKey},
    connection::{Connection, with_parent, with_session},
    pcr,
    wire::Blob,
};

/// The file with the sealed root key.
const FILE: &str = "root.tpm";

/// Makes the root key of a new device, and seals it: to these PCRs, if there are any.
pub(super) fn make(
    folder: &Path,
    connection: &Connection,
    crypto: &CryptoProvider,
    pcrs: &[u8],
) -> Result<RootKey, PlatformFault> {
    let root = Zeroizing::new(crypto.random_array::<32>()?);
    let blob = connection.run("seal the root key", |context| {
        let policy = match pcrs {
            [] => None,
            pcrs => Some(pcr::policy(context, pcrs)?),
        };
        let public = sealed_object(policy)?;
        with_parent(context, |context, parent| {
            let kind = SessionType::Hmac;
            with_session(context, Some(parent), kind, |context, session| {
                let sensitive = SensitiveData::try_from(root.as_slice())?;
                context.execute_with_session(Some(session), |context| {
                    context.create(parent, public, None, Some(sensitive), None, None)
                })
            })
        })
    })?;
    let blob = Blob {
        public: blob.out_public,
        private: blob.out_private,
        pcrs: pcrs.to_vec(),
    };
    blob.write(&folder.join(FILE))?;
    Ok(RootKey::new(*root))
}

/// Has the TPM unseal the root key.
pub(super) fn open(folder: &Path, connection: &Connection) -> Result<RootKey, PlatformFault> {
    let blob = Blob::read(&folder.join(FILE))?;
    let root = connection.run("unseal the root key", |context| {
        with_parent(context, |context, parent| {
            let object = context.execute_with_nullauth_session(|context| {
                context.load(parent, blob.private, blob.public)
            })?;
            context.execute_with_temporary_object(object.into(), |context, object| {
                let kind = match blob.pcrs[..] {
                    [] => SessionType::Hmac,
                    _ => SessionType::Policy,
                };
                with_session(context, Some(parent), kind, |context, session| {
                    if kind == SessionType::Policy {
                        let policy = PolicySession::try_from(session)?;
                        let pcrs = pcr::selection(&blob.pcrs)?;
                        context.policy_pcr(policy, Digest::default(), pcrs)?;
                    }
                    context.execute_with_session(Some(session), |context| context.unseal(object))
                })
            })
        })
    })?;
    let root = Zeroizing::new(root.value().to_vec());
    match <[u8; 32]>::try_from(root.as_slice()) {
        Ok(root) => Ok(RootKey::new(root)),
        Err(_) => Err(PlatformFault::Hardware {
            action: "unseal the root key",
            problem: Error::WrapperError(WrapperErrorKind::WrongValueFromTpm).to_string(),
        }),
    }
}

/// The template of a sealed object, which this TPM alone can open.
fn sealed_object(policy: Option<Digest>) -> tss_esapi::Result<Public> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_no_da(true)
        .with_user_with_auth(policy.is_none())
        .build()?;
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::KeyedHash)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_auth_policy(policy.unwrap_or_default())
        .with_keyed_hash_parameters(PublicKeyedHashParameters::new(KeyedHashScheme::Null))
        .with_keyed_hash_unique_identifier(Digest::default())
        .build()
}
