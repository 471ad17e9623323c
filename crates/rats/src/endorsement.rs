use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use base16ct::lower::encode_string;
use serde::{Deserialize, Serialize};
use tamarack_cose::{DigestAlgorithm, KeyError, PublicKey};
use tamarack_suit::{SuitDigest, Uuid, report::Reference};

use crate::{HardwareVersion, OemId, TpmEndorsement, tpm::JsonTpm};

/// What a device's maker says about it: the facts that its Evidence is appraised against.
///
/// As a file it is JSON, short enough to write by hand. `ueid` and `attester` are mandatory.
///
/// ```
/// let endorsement = tamarack_rats::Endorsement::from_json(r#"{
///   "ueid": "016275696c64696e672d6465762d313233",
///   "attester": {
///     "kty": "EC", "crv": "P-256",
///     "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
///     "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
///   },
///   "vendor_ids": ["fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe"],
///   "class_ids": ["1492af14-2569-5e48-bf42-9b2d51f2ab45"],
///   "reference_measurements": [
///     { "name": "tamarack", "sha256": "deadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef" }
///   ],
///   "labels": { "building": "7", "ring": "canary" }
/// }"#)?;
/// assert_eq!(endorsement.labels["ring"], "canary");
/// # Ok::<(), tamarack_rats::EndorsementError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsement {
    /// Universal entity id, 7 to 33 bytes; hexadecimal in JSON.
    pub ueid: Vec<u8>,
    /// The key that signs the device's Evidence; a JWK in JSON.
    pub attester: PublicKey,
    /// The keys that sign the TEEP messages of its agent, for attestation that names the key by its thumbprint only; JWKs
    /// in JSON. The attester's key is one as well.
    pub agent_keys: Vec<PublicKey>,
    /// SUIT vendor identifiers that the device answers to; UUIDs in JSON.
    pub vendor_ids: Vec<[u8; 16]>,
    /// SUIT class identifiers that the device answers to; UUIDs in JSON.
    pub class_ids: Vec<[u8; 16]>,
    /// Who made the hardware; hexadecimal or a number in JSON. Evidence that states another does not pass;
    /// so with the next two.
    pub oemid: Option<OemId>,
    /// Which model it is, 1 to 32 bytes; hexadecimal in JSON.
    pub hwmodel: Option<Vec<u8>>,
    /// Which version of it.
    pub hwversion: Option<HardwareVersion>,
    /// What the device may measure. If there are any, each must be among the Evidence's measurements.
    pub reference_measurements: Vec<ReferenceMeasurement>,
    /// The TPM of the device. If there is one, Evidence has to hold its quote.
    pub tpm: Option<TpmEndorsement>,
    /// How old Evidence may be, in seconds by its `iat`, besides that it must answer the nonce.
    pub maximum_age: Option<u64>,
    /// The SUIT manifests of the TEEP Agent and of what it depends on, for Attestation Results about a
    /// device whose Evidence does not name them.
    pub manifests: Vec<Reference>,
    /// Facts for selecting devices, such as site or ring.
    pub labels: BTreeMap<String, String>,
}

/// A measurement that Evidence is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceMeasurement {
    /// What is measured.
    pub name: String,
    /// The SHA-256 values that are good; any value if there are none. One or a list of them in JSON.
    pub sha256: Vec<[u8; 32]>,
    /// The SHA-256 values that are known to be bad.
    pub revoked: Vec<[u8; 32]>,
    /// The oldest version that is safe, as numbers between dots.
    pub minimum_version: Option<String>,
}

impl ReferenceMeasurement {
    /// Of this component, with nothing said yet about its values.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            sha256: Vec::new(),
            revoked: Vec::new(),
            minimum_version: None,
        }
    }
}

/// Why a file is no endorsement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndorsementError {
    /// Not the JSON object.
    #[error("not an endorsement: {0}")]
    Json(String),
    /// A member that is not what it should be.
    #[error("not an endorsement: {member} {problem}")]
    Member {
        /// The member's name.
        member: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The attester's key.
    #[error("not an endorsement: attester: {0}")]
    Attester(#[from] KeyError),
    /// A key of the agent.
    #[error("not an endorsement: agent_keys: {0}")]
    AgentKey(KeyError),
    /// The attestation key of the TPM.
    #[error("not an endorsement: tpm: attestation_key: {0}")]
    AttestationKey(KeyError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    ueid: String,
    attester: serde_json::Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    agent_keys: Vec<serde_json::Value>,
    #[serde(default)]
    vendor_ids: Vec<String>,
    #[serde(default)]
    class_ids: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    oemid: Option<JsonOemId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hwmodel: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hwversion: Option<String>,
    #[serde(default)]
    reference_measurements: Vec<JsonMeasurement>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tpm: Option<JsonTpm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maximum_age: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    manifests: Vec<JsonManifest>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonMeasurement {
    name: String,
    #[serde(default, skip_serializing_if = "OneOrMore::is_empty")]
    sha256: OneOrMore,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    revoked: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minimum_version: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonManifest {
    uri: String,
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum JsonOemId {
    Enterprise(u32),
    Bytes(String),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Default for OneOrMore {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

impl OneOrMore {
    fn is_empty(&self) -> bool {
        self.texts().is_empty()
    }

    fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => core::slice::from_ref(text),
            Self::More(texts) => texts,
        }
    }
}

impl From<Vec<String>> for OneOrMore {
    fn from(mut texts: Vec<String>) -> Self {
        match texts.len() {
            1 => Self::One(texts.remove(0)),
            _ => Self::More(texts),
        }
    }
}

impl Endorsement {
    /// An endorsement with the mandatory members only.
    #[must_use]
    pub fn new(ueid: Vec<u8>, attester: PublicKey) -> Self {
        Self {
            ueid,
            attester,
            agent_keys: Vec::new(),
            vendor_ids: Vec::new(),
            class_ids: Vec::new(),
            oemid: None,
            hwmodel: None,
            hwversion: None,
            reference_measurements: Vec::new(),
            tpm: None,
            maximum_age: None,
            manifests: Vec::new(),
            labels: BTreeMap::new(),
        }
    }

    /// Reads the JSON form. Unknown members are refused, so that a typing error does not weaken a check.
    ///
    /// # Errors
    ///
    /// Which member is wrong and how.
    pub fn from_json(json: &str) -> Result<Self, EndorsementError> {
        let json: Json =
            serde_json::from_str(json).map_err(|e| EndorsementError::Json(e.to_string()))?;
        let ueid = from_hex("ueid", &json.ueid)?;
        if !(7..=33).contains(&ueid.len()) {
            let problem = format!("is {} bytes long, not 7 to 33", ueid.len());
            return Err(wrong("ueid", problem));
        }
        let uuids = |member, texts: Vec<String>| {
            texts
                .iter()
                .map(|text| fixed(member, &text.replace('-', "")))
                .collect::<Result<_, _>>()
        };
        let oemid = json.oemid.map(|json| match json {
            JsonOemId::Enterprise(number) => Ok(OemId::Enterprise(number)),
            JsonOemId::Bytes(text) => OemId::from_bytes(&from_hex("oemid", &text)?)
                .ok_or_else(|| wrong("oemid", "is neither 16 nor 3 bytes nor a number".into())),
        });
        let hwmodel = json.hwmodel.map(|text| {
            let model = from_hex("hwmodel", &text)?;
            match model.len() {
                1..=32 => Ok(model),
                len => Err(wrong(
                    "hwmodel",
                    format!("is {len} bytes long, not 1 to 32"),
                )),
            }
        });
        let manifest = |json: JsonManifest| {
            Ok(Reference {
                uri: json.uri,
                digest: digest("manifests", &json.sha256)?,
            })
        };
        Ok(Self {
            ueid,
            attester: PublicKey::from_jwk(&json.attester.to_string())?,
            agent_keys: (json.agent_keys.iter())
                .map(|key| PublicKey::from_jwk(&key.to_string()))
                .collect::<Result<_, _>>()
                .map_err(EndorsementError::AgentKey)?,
            vendor_ids: uuids("vendor_ids", json.vendor_ids)?,
            class_ids: uuids("class_ids", json.class_ids)?,
            oemid: oemid.transpose()?,
            hwmodel: hwmodel.transpose()?,
            hwversion: json.hwversion.as_deref().map(HardwareVersion::from),
            reference_measurements: json
                .reference_measurements
                .into_iter()
                .map(JsonMeasurement::read)
                .collect::<Result<_, EndorsementError>>()?,
            tpm: json.tpm.map(JsonTpm::read).transpose()?,
            maximum_age: json.maximum_age,
            manifests: json
                .manifests
                .into_iter()
                .map(manifest)
                .collect::<Result<_, EndorsementError>>()?,
            labels: json.labels,
        })
    }

    /// The JSON form, indented.
    #[must_use]
    pub fn to_json(&self) -> String {
        let uuids = |ids: &[[u8; 16]]| ids.iter().map(|id| Uuid(*id).to_string()).collect();
        let jwk = |key: &PublicKey| serde_json::from_str(&key.to_jwk()).unwrap_or_default();
        let json = Json {
            ueid: encode_string(&self.ueid),
            attester: jwk(&self.attester),
            agent_keys: self.agent_keys.iter().map(jwk).collect(),
            vendor_ids: uuids(&self.vendor_ids),
            class_ids: uuids(&self.class_ids),
            oemid: self.oemid.map(|id| match id {
                OemId::Enterprise(number) => JsonOemId::Enterprise(number),
                bytes => JsonOemId::Bytes(bytes.to_string()),
            }),
            hwmodel: self.hwmodel.as_deref().map(encode_string),
            hwversion: self.hwversion.as_ref().map(ToString::to_string),
            reference_measurements: (self.reference_measurements.iter())
                .map(JsonMeasurement::of)
                .collect(),
            tpm: self.tpm.as_ref().map(JsonTpm::of),
            maximum_age: self.maximum_age,
            manifests: (self.manifests.iter())
                .map(|reference| JsonManifest {
                    uri: reference.uri.clone(),
                    sha256: encode_string(reference.digest.bytes()),
                })
                .collect(),
            labels: self.labels.clone(),
        };
        // Strings and maps of strings: serialising them to memory can't fail.
        serde_json::to_string_pretty(&json).unwrap_or_default()
    }
}

impl JsonMeasurement {
    fn read(self) -> Result<ReferenceMeasurement, EndorsementError> {
        let member = "reference_measurements";
        let digests = |texts: &[String]| -> Result<Vec<_>, EndorsementError> {
            texts.iter().map(|text| fixed(member, text)).collect()
        };
        let measurement = ReferenceMeasurement {
            sha256: digests(self.sha256.texts())?,
            revoked: digests(&self.revoked)?,
            minimum_version: self.minimum_version,
            name: self.name,
        };
        let says_nothing = measurement == ReferenceMeasurement::named(measurement.name.as_str());
        match says_nothing {
            true => Err(wrong(
                member,
                format!("says nothing about {:?}: give sha256", measurement.name),
            )),
            false => Ok(measurement),
        }
    }

    fn of(measurement: &ReferenceMeasurement) -> Self {
        let texts = |digests: &[[u8; 32]]| -> Vec<String> {
            digests.iter().map(|digest| encode_string(digest)).collect()
        };
        Self {
            name: measurement.name.clone(),
            sha256: texts(&measurement.sha256).into(),
            revoked: texts(&measurement.revoked),
            minimum_version: measurement.minimum_version.clone(),
        }
    }
}

pub(crate) fn wrong(member: &'static str, problem: String) -> EndorsementError {
    EndorsementError::Member { member, problem }
}

fn digest(member: &'static str, text: &str) -> Result<SuitDigest, EndorsementError> {
    SuitDigest::new(DigestAlgorithm::Sha256, &from_hex(member, text)?)
        .ok_or_else(|| wrong(member, format!("holds no SHA-256: {text:?}")))
}

fn from_hex(member: &'static str, text: &str) -> Result<Vec<u8>, EndorsementError> {
    base16ct::mixed::decode_vec(text).map_err(|_| EndorsementError::Member {
        member,
        problem: format!("is not hexadecimal: {text:?}"),
    })
}

pub(crate) fn fixed<const N: usize>(
    member: &'static str,
    text: &str,
) -> Result<[u8; N], EndorsementError> {
    from_hex(member, text)?
        .try_into()
        .map_err(|bytes: Vec<u8>| EndorsementError::Member {
            member,
            problem: format!("holds {} bytes where {N} belong: {text:?}", bytes.len()),
        })
}
