//! EAR as JSON.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value, json};
use tamarack_cose::{KeyId, PublicKey};
use tamarack_suit::{SuitDigest, report::Reference};

use super::{Ear, EarAppraisal, EarTeepClaims, VerifierId, cbor::MAX_APPRAISALS, is_ear_profile};
use crate::{
    Confirmation, HardwareVersion, ManifestReference, OemId, TrustClaim, TrustTier, TrustVector,
};

/// Why a JSON text is no EAR.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EarJsonError(String);

type Result<T> = core::result::Result<T, EarJsonError>;

fn wrong(name: &str, problem: &str) -> EarJsonError {
    EarJsonError(format!("{name} {problem}"))
}

impl Ear {
    /// Reads the claims set in JSON, under the names of the draft or of deployed Verifiers. Claims that
    /// are not understood are ignored.
    ///
    /// # Errors
    ///
    /// Which claim is wrong and how.
    // req: EAT-013
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let value: Value =
            serde_json::from_slice(text).map_err(|error| EarJsonError(error.to_string()))?;
        let claims = Claims::of("EAR", &value)?;
        let profile = claims.text("eat_profile")?.to_string();
        if !is_ear_profile(&profile) {
            return Err(wrong("eat_profile", "is no profile of EAR"));
        }
        let verifier = Claims::of("ear_verifier_id", claims.demanded("ear_verifier_id")?)?;
        let submods = Claims::of("submods", claims.demanded("submods")?)?.0;
        if !(1..=MAX_APPRAISALS).contains(&submods.len()) {
            return Err(wrong("submods", "does not hold 1 to 64 appraisals"));
        }
        let appraisals = submods.iter().map(|(name, appraisal)| {
            let appraisal = EarAppraisal::from_json(&Claims::of("submods", appraisal)?)?;
            Ok((name.clone(), appraisal))
        });
        Ok(Self {
            issued_at: claims
                .seconds("iat")?
                .ok_or_else(|| wrong("iat", "is missing"))?,
            expires_at: claims.seconds("exp")?,
            not_before: claims.seconds("nbf")?,
            verifier: VerifierId {
                developer: verifier.text("developer")?.into(),
                build: verifier.text("build")?.into(),
            },
            status: claims.get("ear_status").map(tier).transpose()?,
            nonce: claims.nonce()?,
            confirmation: claims.get("cnf").map(confirmation).transpose()?,
            appraisals: appraisals.collect::<Result<BTreeMap<_, _>>>()?,
            profile,
        })
    }

    /// The claims set in JSON, under the names of the draft.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut claims = Map::new();
        let mut put = |name: &str, value| claims.insert(name.into(), value);
        put("eat_profile", json!(self.profile));
        put("iat", json!(self.issued_at));
        if let Some(at) = self.expires_at {
            put("exp", json!(at));
        }
        if let Some(at) = self.not_before {
            put("nbf", json!(at));
        }
        let VerifierId { developer, build } = &self.verifier;
        let verifier = json!({ "developer": developer, "build": build });
        put("ear_verifier_id", verifier);
        if let Some(status) = self.status {
            put("ear_status", json!(status.name()));
        }
        if let Some(nonce) = &self.nonce {
            put("eat_nonce", json!(base64url(nonce)));
        }
        if let Some(confirmation) = &self.confirmation {
            put("cnf", confirmation_to_json(confirmation));
        }
        let appraisals = self.appraisals.iter();
        let appraisals = appraisals.map(|(name, found)| (name.clone(), found.to_json()));
        put("submods", Value::Object(appraisals.collect()));
        Value::Object(claims)
    }
}

impl EarAppraisal {
    fn from_json(claims: &Claims<'_>) -> Result<Self> {
        let policies = match claims.get("ear_appraisal_policy_ids") {
            Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_str).collect(),
            // Older Verifiers name one policy.
            _ => Vec::from_iter(
                claims
                    .get("ear_appraisal_policy_id")
                    .and_then(Value::as_str),
            ),
        };
        let teep = claims.get("ear_teep_claims");
        let teep = teep.map(|teep| EarTeepClaims::from_json(&Claims::of("ear_teep_claims", teep)?));
        let key = claims.get("ear_veraison_key_attestation");
        let key = key.map(|key| attested_key(&Claims::of("ear_veraison_key_attestation", key)?));
        Ok(Self {
            status: tier(claims.demanded("ear_status")?)?,
            vector: claims
                .get("ear_trustworthiness_vector")
                .map(vector)
                .transpose()?,
            policies: policies.into_iter().map(ToString::to_string).collect(),
            nonce: claims.nonce()?,
            teep: teep.transpose()?,
            attested_key: key.transpose()?,
        })
    }

    fn to_json(&self) -> Value {
        let mut claims = Map::new();
        let mut put = |name: &str, value| claims.insert(name.into(), value);
        put("ear_status", json!(self.status.name()));
        if let Some(vector) = &self.vector {
            let said = TrustVector::NAMES.into_iter().zip(vector.claims());
            let said = said.filter(|(_, claim)| claim.0 != 0);
            let said = said.map(|(name, claim)| (name.to_string(), json!(claim.0)));
            put("ear_trustworthiness_vector", Value::Object(said.collect()));
        }
        if !self.policies.is_empty() {
            put("ear_appraisal_policy_ids", json!(self.policies));
        }
        if let Some(nonce) = &self.nonce {
            put("eat_nonce", json!(base64url(nonce)));
        }
        if let Some(teep) = &self.teep {
            put("ear_teep_claims", teep.to_json());
        }
        Value::Object(claims)
    }
}

impl EarTeepClaims {
    fn from_json(claims: &Claims<'_>) -> Result<Self> {
        let sized = |name: &str, sizes: core::ops::RangeInclusive<usize>| {
            let bytes = claims
                .get(name)
                .map(|value| bytes(name, value))
                .transpose()?;
            match bytes {
                Some(bytes) if !sizes.contains(&bytes.len()) => {
                    Err(wrong(name, "has a wrong length"))
                }
                bytes => Ok(bytes),
            }
        };
        let oemid = claims.get("oemid").map(|value| match value {
            Value::Number(number) => number
                .as_u64()
                .and_then(|number| u32::try_from(number).ok())
                .map(OemId::Enterprise)
                .ok_or_else(|| wrong("oemid", "is out of bounds")),
            value => OemId::from_bytes(&bytes("oemid", value)?)
                .ok_or_else(|| wrong("oemid", "is neither 16 nor 3 bytes")),
        });
        let hwversion = claims.get("hwversion").map(|value| {
            let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
            let version = parts.first().and_then(Value::as_str);
            let version = version.ok_or_else(|| wrong("hwversion", "holds no version"))?;
            Ok(HardwareVersion {
                version: version.into(),
                scheme: parts.get(1).and_then(Value::as_i64),
            })
        });
        let manifests = claims.get("manifests").and_then(Value::as_array);
        Ok(Self {
            nonce: claims.nonce()?,
            ueid: sized("ueid", 7..=33)?,
            oemid: oemid.transpose()?,
            hwmodel: sized("hwmodel", 1..=32)?,
            hwversion: hwversion.transpose()?,
            manifests: manifests
                .into_iter()
                .flatten()
                .filter_map(manifest)
                .collect(),
        })
    }

    fn to_json(&self) -> Value {
        let mut claims = Map::new();
        let mut put = |name: &str, value| claims.insert(name.into(), value);
        let strings = [
            ("eat_nonce", &self.nonce),
            ("ueid", &self.ueid),
            ("hwmodel", &self.hwmodel),
        ];
        for (name, value) in strings {
            if let Some(value) = value {
                put(name, json!(base64url(value)));
            }
        }
        if let Some(oemid) = &self.oemid {
            let value = match oemid {
                OemId::Enterprise(number) => json!(number),
                OemId::Ieee(id) => json!(base64url(id)),
                OemId::Random(id) => json!(base64url(id)),
            };
            put("oemid", value);
        }
        if let Some(version) = &self.hwversion {
            let scheme = version.scheme.map(|scheme| json!(scheme));
            let parts = core::iter::once(json!(version.version)).chain(scheme);
            put("hwversion", Value::Array(parts.collect()));
        }
        if !self.manifests.is_empty() {
            let manifests = self.manifests.iter().map(|manifest| {
                let Reference { uri, digest } = &manifest.reference;
                json!([
                    manifest.content_format,
                    [uri, [digest.algorithm_id(), base64url(digest.bytes())]]
                ])
            });
            put("manifests", Value::Array(manifests.collect()));
        }
        Value::Object(claims)
    }
}

/// An entry of `manifests` as this workspace writes it into JSON; others are passed over.
fn manifest(entry: &Value) -> Option<ManifestReference> {
    let content_format = entry.get(0)?.as_u64()?;
    let reference = entry.get(1)?;
    let digest = reference.get(1)?;
    let algorithm = tamarack_cose::DigestAlgorithm::from_cose_id(digest.get(0)?.as_i64()?)?;
    let value = bytes("manifests", digest.get(1)?).ok()?;
    Some(ManifestReference {
        content_format,
        reference: Reference {
            uri: reference.get(0)?.as_str()?.into(),
            digest: SuitDigest::new(algorithm, &value)?,
        },
    })
}

/// Claims by their names.
struct Claims<'a>(&'a Map<String, Value>);

impl<'a> Claims<'a> {
    fn of(name: &str, value: &'a Value) -> Result<Self> {
        value
            .as_object()
            .map(Self)
            .ok_or_else(|| wrong(name, "is no object"))
    }

    /// A claim; deployed Verifiers write `ear.raw-evidence` where the draft has `ear_raw_evidence`.
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).or_else(|| {
            let rest = name.strip_prefix("ear_")?;
            let rest = match rest.strip_prefix("veraison_") {
                Some(rest) => format!("veraison.{}", rest.replace('_', "-")),
                None => rest.replace('_', "-"),
            };
            self.0.get(&format!("ear.{rest}"))
        })
    }

    fn demanded(&self, name: &str) -> Result<&'a Value> {
        self.get(name).ok_or_else(|| wrong(name, "is missing"))
    }

    fn text(&self, name: &str) -> Result<&'a str> {
        let text = self.demanded(name)?.as_str();
        text.ok_or_else(|| wrong(name, "is no text"))
    }

    fn seconds(&self, name: &str) -> Result<Option<u64>> {
        let whole = |value: &Value| {
            let seconds = value.as_u64();
            seconds.ok_or_else(|| wrong(name, "is no whole number of seconds"))
        };
        self.get(name).map(whole).transpose()
    }

    fn nonce(&self) -> Result<Option<Vec<u8>>> {
        let nonce = self.get("eat_nonce").map(|value| bytes("eat_nonce", value));
        match nonce.transpose()? {
            Some(nonce) if !(8..=64).contains(&nonce.len()) => {
                Err(wrong("eat_nonce", "is not 8 to 64 bytes long"))
            }
            nonce => Ok(nonce),
        }
    }
}

fn tier(value: &Value) -> Result<TrustTier> {
    let named = value.as_str().and_then(TrustTier::from_name);
    let numbered = || value.as_i64().and_then(TrustTier::from_number);
    named
        .or_else(numbered)
        .ok_or_else(|| wrong("ear_status", "is no tier"))
}

fn vector(value: &Value) -> Result<TrustVector> {
    let name = "ear_trustworthiness_vector";
    let claims = Claims::of(name, value)?;
    let mut found = [TrustClaim::NONE; 8];
    for (name, claim) in TrustVector::NAMES.into_iter().zip(&mut found) {
        if let Some(value) = claims.0.get(name) {
            let number = value.as_i64().and_then(|number| i8::try_from(number).ok());
            *claim = TrustClaim(number.ok_or_else(|| wrong(name, "is not -128 to 127"))?);
        }
    }
    Ok(TrustVector::from_claims(found))
}

/// `cnf` in JSON (RFC 7800): a JWK, or a thumbprint as kid.
fn confirmation(value: &Value) -> Result<Confirmation> {
    let claims = Claims::of("cnf", value)?;
    let key = claims.0.get("jwk").map(|jwk| {
        PublicKey::from_jwk(&jwk.to_string()).map_err(|error| EarJsonError(error.to_string()))
    });
    let id = claims.0.get("kid").map(|value| {
        let id = KeyId::from_bytes(&bytes("kid", value)?);
        id.ok_or_else(|| wrong("kid", "is no thumbprint"))
    });
    match (id.transpose()?, key.transpose()?) {
        (Some(id), Some(key)) => Ok(Confirmation::Named { id, key }),
        (Some(id), None) => Ok(Confirmation::KeyId(id)),
        (None, Some(key)) => Ok(Confirmation::Key(key)),
        (None, None) => Err(wrong("cnf", "holds neither jwk nor kid")),
    }
}

fn confirmation_to_json(confirmation: &Confirmation) -> Value {
    let mut members = Map::new();
    if let Some(key) = confirmation.public_key() {
        let jwk = serde_json::from_str(&key.to_jwk()).unwrap_or_default();
        members.insert("jwk".into(), jwk);
    }
    if let Confirmation::KeyId(id) | Confirmation::Named { id, .. } = confirmation {
        members.insert("kid".into(), json!(base64url(id.as_bytes())));
    }
    Value::Object(members)
}

/// The key in an `ear_veraison_key_attestation`: a SubjectPublicKeyInfo.
fn attested_key(claims: &Claims<'_>) -> Result<PublicKey> {
    let value = claims.demanded("akpub")?;
    let der = Base64::encode_string(&bytes("akpub", value)?);
    let lines: Vec<_> = der
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    let body = lines.join("\n");
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
    PublicKey::from_pem(&pem).map_err(|error| EarJsonError(error.to_string()))
}

/// Bytes in base64url or base64, with padding or without: all are in use.
fn bytes(name: &str, value: &Value) -> Result<Vec<u8>> {
    let text = value.as_str().ok_or_else(|| wrong(name, "is no text"))?;
    Base64UrlUnpadded::decode_vec(text)
        .or_else(|_| Base64::decode_vec(text))
        .or_else(|_| Base64Url::decode_vec(text))
        .or_else(|_| Base64Unpadded::decode_vec(text))
        .map_err(|_| wrong(name, "is not base64"))
}

fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}
