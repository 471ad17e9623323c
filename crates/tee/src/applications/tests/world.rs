//! Applications of several security domains, installed without an agent.

use std::sync::Arc;

use tamarack_agent::{
    Quota, SecurityDomain, Service,
    link::ComponentKind,
    platform::{Namespace, Storage},
    state::{ComponentRecord, DomainRecord, KnownManifest, Record},
};
use tamarack_cose::{SecretKey, SignatureAlgorithm, rustcrypto};
use tamarack_suit::{ComponentId, ManifestRecord, SequenceNumber, SuitDigest};
use tamarack_ta::{ResultCode, interface::Client};
use tempfile::TempDir;

use super::super::{Applications, InvocationError};
use crate::{runtime::Input, services::Surroundings, store::Store};

pub(super) struct World {
    _folder: TempDir,
    pub(super) store: Arc<Store>,
    pub(super) applications: Arc<Applications>,
}

/// A service for the domains `callers`, or for all.
pub(super) fn service(name: &str, component: &str, callers: Option<&[&str]>) -> Service {
    Service {
        name: name.into(),
        component: id(component),
        callers: callers.map(|callers| callers.iter().map(|name| (*name).into()).collect()),
    }
}

pub(super) fn id(text: &str) -> ComponentId {
    text.parse().unwrap()
}

impl World {
    pub(super) fn new() -> Self {
        let (folder, around) = Surroundings::in_a_folder();
        let store = around.store;
        let applications = Applications::new(store.clone(), around.platform, around.crypto);
        let applications = applications.unwrap();
        Self {
            _folder: folder,
            store,
            applications: Arc::new(applications),
        }
    }

    /// Makes the domain `name`, whose prefix is its name too.
    pub(super) fn domain(&self, name: &str, change: impl FnOnce(&mut SecurityDomain)) {
        let crypto = rustcrypto::provider();
        let owner = SecretKey::generate(&crypto, SignatureAlgorithm::Ed25519).unwrap();
        let owners = vec![*owner.public_key()];
        let mut domain = SecurityDomain::new(id(name), owners, Quota::default());
        change(&mut domain);
        let record = DomainRecord {
            name: name.into(),
            domain,
        };
        let mut transaction = self.store.begin().unwrap();
        record.save(&mut *transaction).unwrap();
        transaction.commit().unwrap();
    }

    /// Installs a module with these imports and this body of `tee_invoke_command` as an application.
    pub(super) fn install(&self, domain: &str, component: &str, version: u64, text: &str) {
        let code = wat::parse_str(text).unwrap();
        let component = id(component);
        let digest = SuitDigest::sha256(&rustcrypto::provider(), &code);
        let record = ComponentRecord {
            component: component.clone(),
            kind: ComponentKind::Application,
            domain: domain.into(),
            manifest: component.clone(),
            digest,
            size: code.len() as u64,
        };
        let manifest = KnownManifest {
            record: ManifestRecord {
                id: component.clone(),
                sequence_number: SequenceNumber(version),
                digest,
                components: vec![component.clone()],
                dependencies: Vec::new(),
                signers: Vec::new(),
                root: true,
                version: None,
            },
            envelope: None,
            tam: None,
        };
        let mut transaction = self.store.begin().unwrap();
        record.save(&mut *transaction).unwrap();
        manifest.save(&mut *transaction).unwrap();
        let space = Namespace::domain(domain);
        let name = component.to_cbor();
        transaction.put(&space, &name, &code).unwrap();
        transaction.commit().unwrap();
        self.applications.retire(&component);
    }

    pub(super) fn open(&self, component: &str) -> Result<u64, InvocationError> {
        self.applications
            .open(&id(component), Client::User(1000), b"")
    }

    /// Invokes a command in a session of its own.
    pub(super) fn invoke(
        &self,
        component: &str,
        command: u32,
        input: &[u8],
    ) -> Result<Vec<u8>, ResultCode> {
        let session = self.open(component).unwrap();
        let outcome = self.invoke_in(session, command, input);
        let _ = self.applications.close(session);
        outcome.unwrap()
    }

    pub(super) fn invoke_in(
        &self,
        session: u64,
        command: u32,
        input: &[u8],
    ) -> Result<Result<Vec<u8>, ResultCode>, InvocationError> {
        let outcome = self
            .applications
            .invoke(session, command, Input::Whole(input))?;
        Ok(outcome.map(|output| output.to_vec()))
    }

    /// An object of an application, as it is stored.
    pub(super) fn object(&self, domain: &str, component: &str, name: &str) -> Option<Vec<u8>> {
        let space = Namespace::application(domain, &id(component));
        let view = self.store.view().unwrap();
        view.get(&space, format!("o{name}").as_bytes()).unwrap()
    }
}

/// The text of a TA that imports what the tests use.
pub(super) fn ta(data: &str, invoke: &str) -> String {
    with_exports(data, invoke, "")
}

/// As [`ta`], with more exports.
pub(super) fn with_exports(data: &str, invoke: &str, exports: &str) -> String {
    format!(
        r#"(module
            (import "tee" "take" (func $take (param i32 i32) (result i32)))
            (import "tee" "output" (func $output (param i32 i32) (result i32)))
            (import "tee" "client" (func $client (result i64)))
            (import "tee" "call" (func $call (param i32 i32 i32 i32 i32) (result i64)))
            (import "tee" "object_write"
                (func $write (param i32 i32 i32 i32 i32) (result i32)))
            (import "tee" "object_read" (func $read (param i32 i32 i32) (result i64)))
            (import "tee" "input_read" (func $input (param i32 i32) (result i64)))
            (memory (export "memory") 1)
            {data}
            (func $answer (param $answer i64) (result i32)
                (local $len i32)
                (local.set $len (i32.wrap_i64 (local.get $answer)))
                (if (i64.gt_u (local.get $answer) (i64.const 0xFFFFFFFF))
                    (then (return (i32.wrap_i64 (i64.shr_u (local.get $answer) (i64.const 32))))))
                (drop (call $take (i32.const 4096) (local.get $len)))
                (call $output (i32.const 4096) (local.get $len)))
            (func (export "tee_abi_v1"))
            (func (export "tee_create") (result i32) (i32.const 0))
            (func (export "tee_open_session") (param i32) (result i32) (i32.const 0))
            (func $invoke (export "tee_invoke_command")
                (param $command i32) (param $len i32) (result i32) {invoke})
            (func (export "tee_close_session"))
            (func (export "tee_destroy"))
            {exports})"#
    )
}
