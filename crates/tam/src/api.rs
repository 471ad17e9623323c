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
//! | `DELETE /api/v1/domains/NAME` | | nothing, or with status 202 how many devices hold something of it: [`Removal`] |
//! | `POST /api/v1/components` | a SUIT envelope, as bytes | [`Component`] |
//! | `GET /api/v1/components` | | [`Components`] |
//! | `DELETE /api/v1/components?manifest=ID` | | every release is withdrawn |
//! | `POST /api/v1/deployments` | [`DeploymentRequest`] | [`Deployment`] |
//! | `GET /api/v1/deployments` | | [`Deployments`] |
//! | `DELETE /api/v1/deployments/ID` | | |
//! | `POST /api/v1/revocations` | [`RevocationRequest`] | [`Revocations`] |
//! | `GET /api/v1/revocations` | | [`Revocations`] |
//! | `DELETE /api/v1/revocations/ID` | | |
//! | `POST /api/v1/makers` | [`MakerRequest`] | [`Maker`] |
//! | `GET /api/v1/makers` | | [`Makers`] |
//! | `DELETE /api/v1/makers/NAME` | | |
//! | `POST /api/v1/tokens` | [`TokenRequest`] | [`NewToken`] |
//! | `GET /api/v1/tokens` | | [`Tokens`] |
//! | `DELETE /api/v1/tokens/NAME` | | |
//! | `GET /api/v1/audit?after=ID&limit=N` | | [`AuditPage`] |
//! | `GET /healthz` | | [`Health`] |
//!
//! All but the last want `Authorization: Bearer TOKEN`: the one of the TAM's data folder, or one that was made for
//! somebody with a role (see [`Role`](crate::Role)), for which what is not for the role is answered with 403. A
//! signer sees and changes its own security domains only; the `/` in the name of one that is in another is
//! written `%2F`. What is new is answered with 201, what is done
//! again with 200, what is removed with 204, and anything else with an [`Error`] and its status. Times are
//! seconds since 1970-01-01 UTC, component identifiers have the text form of
//! [`tamarack_suit::ComponentId`], keys are JWKs.

use std::{collections::BTreeMap, fmt};

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
    /// What deployments call for and what it is not sent, by what it held when it last attested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A manifest that a device is not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The manifest's component identifier.
    pub manifest: String,
    /// Its sequence number.
    pub sequence_number: u64,
    /// Why, in words.
    pub reason: String,
}

/// A component and what it contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its identifier.
    pub component: String,
    /// Digest of its image, such as `sha256:…`. A manifest with several, for one slot each, has an entry for each.
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
    /// Whether it is being removed from the devices.
    #[serde(default)]
    pub retired: bool,
}

/// The removal of a security domain, under way: to be asked for again once the devices were in contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Its name.
    pub name: String,
    /// How many devices said that they hold something of it, or are about to install it.
    pub devices: usize,
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// Its name, unique; the audit names it with what it did to security domains and components.
    pub name: String,
    /// `operator`, `device-administrator`, `signer` or `auditor`.
    pub role: String,
    /// The security domains of a signer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
}

/// A token, without what its holder presents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its name.
    pub name: String,
    /// What its holder may do.
    pub role: String,
    /// The security domains of a signer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// When it was made.
    pub created_at: u64,
}

/// A token that was just made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewToken {
    /// What is kept of it.
    #[serde(flatten)]
    pub token: Token,
    /// What its holder presents. It is told this once; the TAM keeps a hash.
    pub secret: String,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// The tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Ordered by name.
    pub tokens: Vec<Token>,
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
    /// Whether it was withdrawn, and devices are told to remove it.
    #[serde(default)]
    pub withdrawn: bool,
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

/// What is to be trusted no longer. Any of the members may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationRequest {
    /// Thumbprints of keys, in hexadecimal.
    #[serde(default)]
    pub key_ids: Vec<String>,
    /// Certificates, each a text of PEM blocks. Their keys may have other certificates, which stay good.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// Revocation lists (RFC 5280), each a text of PEM blocks.
    #[serde(default)]
    pub lists: Vec<String>,
    /// The certificate of the issuer of the lists, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Why, in words.
    #[serde(default)]
    pub reason: String,
}

/// A key or a certificate that is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// What names it in this API: hexadecimal.
    pub id: String,
    /// What it is, in words.
    pub revoked: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: u64,
}

/// Everything that is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocations {
    /// In no order that means anything.
    pub revocations: Vec<Revocation>,
}

/// A maker of devices, whose certificates make them known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakerRequest {
    /// A name; another maker with it is replaced.
    pub name: String,
    /// The certificate of its authority, in PEM.
    pub certificate: String,
    /// What all its devices have in common: an endorsement without `ueid` and `attester`.
    #[serde(default = "nothing")]
    pub template: serde_json::Value,
}

fn nothing() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

/// A maker of devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maker {
    /// Its name.
    pub name: String,
    /// Subject and serial number of its authority's certificate.
    pub authority: String,
    /// Thumbprint of the authority's key, in hexadecimal.
    pub key_id: String,
    /// When the certificate expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<u64>,
    /// What all its devices have in common.
    pub template: serde_json::Value,
}

/// All makers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Makers {
    /// Ordered by name.
    pub makers: Vec<Maker>,
}
