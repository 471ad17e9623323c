//! The JSON of the admin API, for servers and clients alike.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /api/v1/devices` | an endorsement, see [`tamarack_rats::Endorsement`] | [`Device`] |
//! | `GET /api/v1/devices?after=UEID&limit=N` | | [`Devices`] |
//! | `GET /api/v1/devices/UEID` | | [`DeviceDetails`] |
//! | `DELETE /api/v1/devices/UEID` | | |
//! | `POST /api/v1/devices/UEID/contact` | [`Contact`] | [`Contacted`]; the exchange has ended |
//! | `POST /api/v1/domains` | [`DomainRequest`] | [`Domain`] |
//! | `GET /api/v1/domains` | | [`Domains`] |
//! | `GET /api/v1/domains/NAME` | | [`Domain`] |
//! | `DELETE /api/v1/domains/NAME` | | |
//! | `POST /api/v1/components` | a SUIT envelope, as bytes | [`Component`] |
//! | `GET /api/v1/components` | | [`Components`] |
//! | `POST /api/v1/deployments` | [`DeploymentRequest`] | [`Deployment`] |
//! | `GET /api/v1/deployments` | | [`Deployments`] |
//! | `DELETE /api/v1/deployments/ID` | | |
//! | `GET /api/v1/audit?after=ID&limit=N` | | [`AuditPage`] |
//! | `GET /healthz` | | [`Health`] |
//!
//! All but the last want `Authorization: Bearer TOKEN`. What is new is answered with 201, what is done
//! again with 200, what is removed with 204, and anything else with an [`Error`] and its status. Times are
//! seconds since 1970-01-01 UTC, component identifiers have the text form of
//! [`tamarack_suit::ComponentId`], keys are JWKs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Path of the admin API.
pub const PREFIX: &str = "/api/v1";

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// A fixed word for programs, such as `not-found`, `conflict`, `invalid`.
    pub error: String,
    /// A sentence for people.
    pub detail: String,
}

/// An enrolled device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its id, in hexadecimal.
    pub ueid: String,
    /// The labels of its endorsement.
    pub labels: BTreeMap<String, String>,
    /// When it was enrolled.
    pub enrolled_at: u64,
    /// When it last attested, if it ever did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested_at: Option<u64>,
    /// Thumbprint of its agent's key, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_key: Option<String>,
    /// Whether it has an Update to answer.
    pub update_pending: bool,
}

/// A page of devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Devices {
    /// The devices, ordered by id.
    pub devices: Vec<Device>,
    /// `after` of the next page, if there may be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// All that is known about a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceDetails {
    /// The summary.
    #[serde(flatten)]
    pub device: Device,
    /// Its endorsement.
    pub endorsement: serde_json::Value,
    /// What it said it held when it last attested.
    pub installed: Vec<Image>,
    /// What became of the manifests that were sent to it.
    pub manifests: Vec<Outcome>,
}

/// A component and what it contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its identifier.
    pub component: String,
    /// Digest of its image, such as `sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What became of a manifest on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The manifest's own component identifier.
    pub manifest: String,
    /// Its sequence number.
    pub sequence_number: u64,
    /// `installed` or `failed`.
    pub status: String,
    /// Failures in a row.
    pub failures: u32,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When.
    pub at: u64,
}

/// A security domain to be registered or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainRequest {
    /// Its name.
    pub name: String,
    /// The prefix that it owns; empty for whatever no other domain owns.
    pub prefix: String,
    /// Public keys that may sign its manifests, as JWKs.
    pub signers: Vec<serde_json::Value>,
    /// The public key that signs the domain's own manifest, as a JWK; absent keeps the known one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<serde_json::Value>,
    /// That manifest, a SUIT envelope in base64; absent keeps the known one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

/// A security domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// The prefix that it owns.
    pub prefix: String,
    /// Keys that may sign its manifests, as JWKs.
    pub signers: Vec<serde_json::Value>,
    /// The key that signs its own manifest, as a JWK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<serde_json::Value>,
    /// Its own manifest, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Component>,
}

/// The security domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domains {
    /// Ordered by name.
    pub domains: Vec<Domain>,
}

/// A published manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// The manifest's own component identifier.
    pub manifest: String,
    /// Its sequence number.
    pub sequence_number: u64,
    /// Its digest, such as `sha256:…`.
    pub digest: String,
    /// Its security domain.
    pub domain: String,
    /// What it installs.
    pub components: Vec<Image>,
    /// Thumbprint of the key that signed it, in hexadecimal.
    pub signer: String,
    /// Size of the envelope in bytes.
    pub envelope_bytes: u64,
    /// When it was published.
    pub published_at: u64,
    /// Whether nothing newer is published.
    pub newest: bool,
}

/// The published manifests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Components {
    /// In the order of publication.
    pub components: Vec<Component>,
}

/// A deployment to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentRequest {
    /// Which devices: `all`, `ueid=HEX` or `LABEL=VALUE[,LABEL=VALUE…]`.
    pub selector: String,
    /// Which component.
    pub component: String,
    /// `required` or `on-request`.
    pub mode: String,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its number.
    pub id: i64,
    /// Which devices.
    pub selector: String,
    /// Which component.
    pub component: String,
    /// `required` or `on-request`.
    pub mode: String,
    /// When it was made.
    pub created_at: u64,
}

/// The deployments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployments {
    /// In the order in which they were made.
    pub deployments: Vec<Deployment>,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Ascending, never reused.
    pub id: i64,
    /// When.
    pub at: u64,
    /// What was done, such as `publish` or `send-update`.
    pub action: String,
    /// The device, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The domain, component or deployment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// More, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A page of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    /// The records, oldest first.
    pub records: Vec<AuditRecord>,
    /// `after` of the next page, if there may be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// A device that is to be contacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Where it listens, an http or https URI.
    pub uri: String,
}

/// How a contact went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contacted {
    /// Messages that the device answered.
    pub answers: usize,
}

/// Whether the TAM works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`, or what is wrong.
    pub status: String,
}
