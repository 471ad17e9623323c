//! The Trusted Application Manager (TAM): it decides which trusted software each device's Trusted
//! Execution Environment may hold, and tells the TEEP Agent there.
//!
//! From the wire inwards: [`serve`] runs the HTTP endpoint and the admin API ([`api`]). Each TEEP message
//! goes to [`Tam`], which is sans-IO: bytes in, bytes out, with time, state and crypto behind [`Clock`],
//! [`Store`] and [`tamarack_cose::CryptoProvider`]. It appraises the agent's Evidence against the
//! endorsement with which the device was enrolled, or has a Verifier do it ([`Appraiser`]), and asks [`policy::plan`] what the device lacks. What
//! may be installed at all is what Trusted Component Signers have published into their security domains
//! ([`publish()`], [`register_domain`]), and where is what the operator has deployed ([`Deployment`]).
//!
//! Nothing is stored, consumed or done on behalf of a message before its sender is authenticated. A
//! session that begins costs no memory: a challenge is a sealed ticket that carries its own state.
//!
//! Who may do what over the admin API is a matter of tokens ([`Role`]): a signer's is for its security domains.
//!
//! What this crate does not do yet: staged rollouts, PostgreSQL.
//!
//! Standards: draft-ietf-teep-protocol (level -26), draft-ietf-teep-otrp-over-http, RFC 9397.
//!
//! # Example
//!
//! ```
//! use tamarack_cose::{SecretKey, SignatureAlgorithm, aws_lc};
//! use tamarack_rats::Endorsement;
//! use tamarack_suit::Limits;
//! use tamarack_tam::{
//!     AuditAction, AuditEntry, Clock, Mode, Registration, Selector, Settings, SqliteStore, Store,
//!     SystemClock, Tam, TamKeys, register_domain,
//! };
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("tam.sqlite");
//! let crypto = aws_lc::provider();
//! let store = SqliteStore::open(&path)?;
//! let keys = TamKeys::generate(&crypto)?;
//! let tam = Tam::new(store, SystemClock, crypto, keys, Settings::default());
//! let now = tam.clock().now();
//! let entry = |action| AuditEntry {
//!     at: now,
//!     action,
//!     device: None,
//!     subject: String::new(),
//!     detail: String::new(),
//! };
//!
//! // A device may be served once its maker's endorsement is known.
//! let attester = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
//! let endorsement = Endorsement::new(b"\x01device 4711".to_vec(), *attester.public_key());
//! tam.store().enroll(&endorsement, &entry(AuditAction::Enroll))?;
//!
//! // A provider may publish once its security domain is registered.
//! let signer = SecretKey::generate(&crypto, SignatureAlgorithm::Ed25519)?;
//! let domain = Registration {
//!     name: "acme".into(),
//!     prefix: "acme".parse()?,
//!     signers: vec![*signer.public_key()],
//!     anchor: None,
//!     manifest: None,
//! };
//! register_domain(&tam, &Limits::default(), &domain)?;
//!
//! // Every device shall have the component, once it is published.
//! let component = "acme/door-lock".parse()?;
//! tam.store().deploy(&Selector::All, &component, Mode::Required, &entry(AuditAction::Deploy))?;
//!
//! // A broker connects.
//! let query_request = tam.process_connect()?;
//! # assert!(!query_request.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod api;
mod audit;
pub mod catalog;
mod certificates;
mod clock;
mod deployment;
mod device;
mod engine;
mod http;
mod keys;
pub mod policy;
mod publish;
mod store;
#[cfg(test)]
mod testing;
mod token;

pub use audit::{AuditAction, AuditEntry, AuditRecord};
pub use certificates::{Maker, Revoked};
pub use clock::{Clock, SystemClock, Timestamp};
pub use deployment::{Deployment, Mode, ModeError, Selector, SelectorError};
pub use device::{Device, InstalledComponent, PendingUpdate, TicketMark, Ueid, UeidError};
pub use engine::{
    Appraised, Appraiser, AttestationModel, BuiltInAppraiser, Dropped, EngineError, NotAppraised,
    PresentedEvidence, RemoteAppraiser, Settings, Tam, TamAttester, TamIdentity, VerifiedTam,
};
pub use http::{
    AttestationConfig, HttpSettings, Listeners, Rate, ServeConfig, ServeError, TlsError, TlsFiles,
    serve, serve_until, tam_identity,
};
pub use keys::{KeysError, TamKeys};
pub use publish::{
    DomainError, Publication, PublishError, Registration, Removal, WithdrawError, publish,
    publish_as, register_domain, register_domain_as, remove_domain, withdraw,
};
pub use store::{
    AcceptedResponse, Changed, Enrolled, FinishedUpdate, ManifestOutcome, NO_ANSWER, NewManifest,
    RecordedOutcome, SqliteStore, Store, StoreError,
};
pub use token::{Actor, Role, RoleError, Token};
