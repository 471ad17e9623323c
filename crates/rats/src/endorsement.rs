use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use base16ct::lower::encode_string;
use serde::{Deserialize, Serialize};
use tamarack_cose::{KeyError, PublicKey};

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
    /// SUIT vendor identifiers that the device answers to; UUIDs in JSON.
    pub vendor_ids: Vec<[u8; 16]>,
    /// SUIT class identifiers that the device answers to; UUIDs in JSON.
    pub class_ids: Vec<[u8; 16]>,
    /// What the device may measure. If there are any, each must be among the Evidence's measurements.
    pub reference_measurements: Vec<ReferenceMeasurement>,
    /// Facts for selecting devices, such as site or ring.
    pub labels: BTreeMap<String, String>,
}

/// A measurement that Evidence is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceMeasurement {
    /// What is measured.
    pub name: String,
    /// The expected SHA-256.
    pub sha256: [u8; 32],
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
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    ueid: String,
    attester: serde_json::Value,
    #[serde(default)]
    vendor_ids: Vec<String>,
    #[serde(default)]
    class_ids: Vec<String>,
    #[serde(default)]
    reference_measurements: Vec<JsonMeasurement>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonMeasurement {
    name: String,
    sha256: String,
}

impl Endorsement {
    /// An endorsement with the mandatory members only.
    #[must_use]
    pub fn new(ueid: Vec<u8>, attester: PublicKey) -> Self {
        Self {
            ueid,
            attester,
            vendor_ids: Vec::new(),
            class_ids: Vec::new(),
            reference_measurements: Vec::new(),
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
            return Err(EndorsementError::Member {
                member: "ueid",
                problem,
            });
        }
        let uuids = |member, texts: Vec<String>| {
            texts
                .iter()
                .map(|text| fixed(member, &text.replace('-', "")))
                .collect::<Result<_, _>>()
        };
        let measurement = |json: JsonMeasurement| {
            let sha256 = fixed("reference_measurements", &json.sha256)?;
            Ok(ReferenceMeasurement {
                name: json.name,
                sha256,
            })
        };
        Ok(Self {
            ueid,
            attester: PublicKey::from_jwk(&json.attester.to_string())?,
            vendor_ids: uuids("vendor_ids", json.vendor_ids)?,
            class_ids: uuids("class_ids", json.class_ids)?,
            reference_measurements: json
                .reference_measurements
                .into_iter()
                .map(measurement)
                .collect::<Result<_, EndorsementError>>()?,
            labels: json.labels,
        })
    }

    /// The JSON form, indented.
    #[must_use]
    pub fn to_json(&self) -> String {
        let uuids = |ids: &[[u8; 16]]| ids.iter().map(uuid_text).collect();
        let json = Json {
            ueid: encode_string(&self.ueid),
            attester: serde_json::from_str(&self.attester.to_jwk()).unwrap_or_default(),
            vendor_ids: uuids(&self.vendor_ids),
            class_ids: uuids(&self.class_ids),
            reference_measurements: self
                .reference_measurements
                .iter()
                .map(|m| JsonMeasurement {
                    name: m.name.clone(),
                    sha256: encode_string(&m.sha256),
                })
                .collect(),
            labels: self.labels.clone(),
        };
        // Strings and maps of strings: serialising them to memory can't fail.
        serde_json::to_string_pretty(&json).unwrap_or_default()
    }
}

fn from_hex(member: &'static str, text: &str) -> Result<Vec<u8>, EndorsementError> {
    base16ct::mixed::decode_vec(text).map_err(|_| EndorsementError::Member {
        member,
        problem: format!("is not hexadecimal: {text:?}"),
    })
}

fn fixed<const N: usize>(member: &'static str, text: &str) -> Result<[u8; N], EndorsementError> {
    from_hex(member, text)?
        .try_into()
        .map_err(|bytes: Vec<u8>| EndorsementError::Member {
            member,
            problem: format!("holds {} bytes where {N} belong: {text:?}", bytes.len()),
        })
}

fn uuid_text(id: &[u8; 16]) -> String {
    let hex = encode_string(id);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    parts
        .map(|range| hex.get(range).unwrap_or_default().to_string())
        .join("-")
}
