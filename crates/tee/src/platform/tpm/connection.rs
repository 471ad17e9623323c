//! The connection to the TPM, and the sessions over it.

use std::{
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use tss_esapi::{
    Context, Error, TctiNameConf, WrapperErrorKind,
    attributes::{ObjectAttributesBuilder, SessionAttributesBuilder},
    constants::{SessionType, Tss2ResponseCodeKind},
    handles::{KeyHandle, ObjectHandle, SessionHandle},
    interface_types::{
        algorithm::{HashingAlgorithm, PublicAlgorithm},
        ecc::EccCurve,
        resource_handles::Hierarchy,
        session_handles::AuthSession,
    },
    structures::{
        EccPoint, Public, PublicBuilder, PublicEccParametersBuilder, SymmetricDefinition,
        SymmetricDefinitionObject,
    },
};

use super::super::PlatformFault;
use crate::hardening::Need;

/// What whoever confines the process has to leave to the connection: the way to the TPM, which is open already, and
/// which the TPM's software may open anew.
pub(super) fn needs(tcti: &str) -> Vec<Need> {
    let (kind, address) = tcti.split_once(':').unwrap_or((tcti, ""));
    match kind {
        "device" => vec![Need::Device(
            if address.is_empty() {
                "/dev/tpm0"
            } else {
                address
            }
            .into(),
        )],
        "swtpm" | "mssim" => {
            let port = address
                .split(',')
                .find_map(|part| part.strip_prefix("port="));
            let port = port.and_then(|port| port.parse().ok()).unwrap_or(2321_u16);
            // The second port is for control: resetting, cancelling.
            vec![Need::Tcp(port), Need::Tcp(port.saturating_add(1))]
        }
        // The resource manager is reached over D-Bus.
        _ => vec![Need::UnixSockets],
    }
}

/// A TPM. Nothing stays loaded in it between calls, since it has room for three keys: each call loads what it needs.
pub(super) struct Connection(Mutex<Context>);

impl Connection {
    pub(super) fn open(tcti: &str) -> Result<Self, PlatformFault> {
        let unreachable = |error: Error| {
            PlatformFault::Unavailable(format!(
                "can't reach the TPM at {tcti}: {error}; is there one, and may this user open it? See --tcti"
            ))
        };
        let name = TctiNameConf::from_str(tcti).map_err(unreachable)?;
        let context = Context::new(name).map_err(unreachable)?;
        Ok(Self(Mutex::new(context)))
    }

    /// Does something with the TPM, for which nobody else has it meanwhile.
    pub(super) fn run<R>(
        &self,
        action: &'static str,
        call: impl FnOnce(&mut Context) -> tss_esapi::Result<R>,
    ) -> Result<R, PlatformFault> {
        // Whatever panicked, the context is only the way to the TPM.
        let mut context = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        call(&mut context).map_err(|error| fault(action, error))
    }
}

fn fault(action: &'static str, error: Error) -> PlatformFault {
    let kind = match error {
        Error::Tss2Error(code) => code.kind(),
        Error::WrapperError(_) => None,
    };
    let problem = match kind {
        Some(Tss2ResponseCodeKind::Integrity) => {
            "the TPM does not know the keys in this folder: they were made with another TPM, or it was cleared since".into()
        }
        Some(Tss2ResponseCodeKind::PolicyFail) => {
            "PCRs have other values than the root key was sealed to: something else was booted".into()
        }
        _ => error.to_string(),
    };
    PlatformFault::Hardware { action, problem }
}

/// Does something with the key under which everything of ours is: the storage key of the owner hierarchy, which the TPM
/// derives from its seed whenever it is asked, and keeps until then for nobody.
pub(super) fn with_parent<R>(
    context: &mut Context,
    call: impl FnOnce(&mut Context, KeyHandle) -> tss_esapi::Result<R>,
) -> tss_esapi::Result<R> {
    let public = storage_key()?;
    let parent = context.execute_with_session(Some(AuthSession::Password), |context| {
        context.create_primary(Hierarchy::Owner, public, None, None, None, None)
    })?;
    let handle = parent.key_handle;
    context.execute_with_temporary_object(handle.into(), |context, _| call(context, handle))
}

/// Does something within a session of its own, whose parameters are encrypted on their way if `salt` is a key that the
/// TPM can decrypt with, and whose authorization values are never sent in any case.
pub(super) fn with_session<R>(
    context: &mut Context,
    salt: Option<KeyHandle>,
    kind: SessionType,
    call: impl FnOnce(&mut Context, AuthSession) -> tss_esapi::Result<R>,
) -> tss_esapi::Result<R> {
    let session = context.start_auth_session(
        salt,
        None,
        None,
        kind,
        SymmetricDefinition::AES_128_CFB,
        HashingAlgorithm::Sha256,
    )?;
    let session = session.ok_or(Error::WrapperError(WrapperErrorKind::WrongValueFromTpm))?;
    let encrypted = salt.is_some();
    let (attributes, mask) = SessionAttributesBuilder::new()
        .with_continue_session(true)
        .with_decrypt(encrypted)
        .with_encrypt(encrypted)
        .build();
    let handle = ObjectHandle::from(SessionHandle::from(session));
    context.execute_with_temporary_object(handle, |context, _| {
        context.tr_sess_set_attributes(session, attributes, mask)?;
        call(context, session)
    })
}

/// Does something that has to be authorized: in one session, over which authorization values are never sent.
pub(super) fn authorized<R>(
    context: &mut Context,
    call: impl FnOnce(&mut Context) -> tss_esapi::Result<R>,
) -> tss_esapi::Result<R> {
    with_session(context, None, SessionType::Hmac, |context, session| {
        context.execute_with_session(Some(session), call)
    })
}

/// The template of the storage key: that of the TCG for an ECC SRK.
fn storage_key() -> tss_esapi::Result<Public> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_decrypt(true)
        .build()?;
    let parameters = PublicEccParametersBuilder::new_restricted_decryption_key(
        SymmetricDefinitionObject::AES_128_CFB,
        EccCurve::NistP256,
    );
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters.build()?)
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}
