//! EAR as CBOR.

use alloc::{borrow::ToOwned, collections::BTreeMap, string::String, vec::Vec};

use tamarack_cose::cbor::{self, DecodeError, Problem, Reader, Writer};

use super::{Ear, EarAppraisal, EarTeepClaims, VerifierId, is_ear_profile};
use crate::{
    Claims, Confirmation, TrustClaim, TrustTier, TrustVector,
    claims::{LIMITS, key},
};

const STATUS: i64 = 1000;
const VECTOR: i64 = 1001;
const POLICY_IDS: i64 = 1003;
const VERIFIER_ID: i64 = 1004;
const TEEP_CLAIMS: i64 = 65000;

/// Most attesters of one device.
pub(super) const MAX_APPRAISALS: usize = 64;

impl Ear {
    /// Decodes the claims set in CBOR.
    ///
    /// # Errors
    ///
    /// If it is none, or of a profile that is not EAR's.
    // req: EAT-013
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::check(bytes, &LIMITS)?;
        let reader = &mut Reader::new(bytes);
        let (mut profile, mut issued_at, mut verifier, mut not_before) = (None, None, None, None);
        let (mut expires_at, mut status, mut nonce, mut confirmation) = (None, None, None, None);
        let mut appraisals = BTreeMap::new();
        for _ in 0..reader.map("EAR")? {
            match reader.label("EAR / key")? {
                key::PROFILE => profile = Some(reader.text("eat_profile")?.to_owned()),
                key::IAT => issued_at = Some(reader.uint("iat")?),
                key::EXP => expires_at = Some(reader.uint("exp")?),
                key::NBF => not_before = Some(reader.uint("nbf")?),
                key::NONCE => nonce = Some(read_nonce(reader)?),
                key::CNF => confirmation = Some(Confirmation::read(reader)?),
                VERIFIER_ID => verifier = Some(VerifierId::read(reader)?),
                STATUS => status = Some(read_tier(reader)?),
                key::SUBMODS => appraisals = read_appraisals(reader)?,
                _ => reader.skip("EAR / value")?,
            }
        }
        let missing = |what| DecodeError::new(0, "EAR", Problem::Missing(what));
        let profile = profile.ok_or_else(|| missing("eat_profile (265)"))?;
        if !is_ear_profile(&profile) {
            let problem = Problem::Expected("a profile of EAR");
            return Err(DecodeError::new(0, "EAR / eat_profile", problem));
        }
        if appraisals.is_empty() {
            return Err(missing("an appraisal in submods (266)"));
        }
        Ok(Self {
            profile,
            issued_at: issued_at.ok_or_else(|| missing("iat (6)"))?,
            expires_at,
            not_before,
            verifier: verifier.ok_or_else(|| missing("ear_verifier_id (1004)"))?,
            status,
            nonce,
            confirmation,
            appraisals,
        })
    }

    /// Encodes the claims set in CBOR, deterministically.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut map = Map::default();
        map.put(key::PROFILE, |w| w.text(&self.profile));
        map.put(key::IAT, |w| w.uint(self.issued_at));
        if let Some(at) = self.expires_at {
            map.put(key::EXP, |w| w.uint(at));
        }
        if let Some(at) = self.not_before {
            map.put(key::NBF, |w| w.uint(at));
        }
        if let Some(nonce) = &self.nonce {
            map.put(key::NONCE, |w| w.bytes(nonce));
        }
        if let Some(confirmation) = &self.confirmation {
            map.put(key::CNF, |w| {
                confirmation.write(w);
                w
            });
        }
        if let Some(status) = self.status {
            map.put(STATUS, |w| w.int(status.number()));
        }
        map.put(VERIFIER_ID, |w| {
            w.map(2).uint(0).text(&self.verifier.developer);
            w.uint(1).text(&self.verifier.build)
        });
        let entry = |(name, appraisal): (&String, &EarAppraisal)| {
            Writer::build(|w| {
                w.text(name).raw(&appraisal.encode());
            })
        };
        let appraisals = self.appraisals.iter().map(entry).collect();
        map.put(key::SUBMODS, |w| w.sorted_map(appraisals));
        map.encode()
    }
}

impl VerifierId {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "ear_verifier_id";
        let (mut developer, mut build) = (None, None);
        for _ in 0..reader.map(rule)? {
            match reader.label("EAR / key")? {
                0 => developer = Some(reader.text(rule)?.to_owned()),
                1 => build = Some(reader.text(rule)?.to_owned()),
                _ => reader.skip(rule)?,
            }
        }
        match (developer, build) {
            (Some(developer), Some(build)) => Ok(Self { developer, build }),
            _ => Err(reader.error(rule, Problem::Missing("developer (0) or build (1)"))),
        }
    }
}

impl EarAppraisal {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "EAR-appraisal";
        let (mut status, mut vector, mut nonce, mut teep) = (None, None, None, None);
        let mut policies = Vec::new();
        for _ in 0..reader.map(rule)? {
            match reader.label("EAR / key")? {
                STATUS => status = Some(read_tier(reader)?),
                VECTOR => vector = Some(read_vector(reader)?),
                POLICY_IDS => {
                    for _ in 0..reader.array("ear_appraisal_policy_ids")? {
                        policies.push(reader.text("ear_appraisal_policy_ids")?.to_owned());
                    }
                }
                key::NONCE => nonce = Some(read_nonce(reader)?),
                TEEP_CLAIMS => {
                    let claims = Claims::decode(reader.raw("ear_teep_claims")?)?;
                    teep = Some(claims.into());
                }
                _ => reader.skip(rule)?,
            }
        }
        let missing = || reader.error(rule, Problem::Missing("ear_status (1000)"));
        Ok(Self {
            status: status.ok_or_else(missing)?,
            vector,
            policies,
            nonce,
            teep,
            attested_key: None,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut map = Map::default();
        map.put(STATUS, |w| w.int(self.status.number()));
        if let Some(vector) = &self.vector {
            let claims = vector.claims();
            let said = (0_u64..).zip(claims).filter(|(_, claim)| claim.0 != 0);
            let said: Vec<_> = said.collect();
            map.put(VECTOR, |w| {
                w.map(said.len());
                for (number, claim) in &said {
                    w.uint(*number).int(i64::from(claim.0));
                }
                w
            });
        }
        if !self.policies.is_empty() {
            map.put(POLICY_IDS, |w| {
                w.array(self.policies.len());
                for policy in &self.policies {
                    w.text(policy);
                }
                w
            });
        }
        if let Some(nonce) = &self.nonce {
            map.put(key::NONCE, |w| w.bytes(nonce));
        }
        if let Some(teep) = &self.teep {
            let claims = Claims::from(teep.clone()).encode();
            map.put(TEEP_CLAIMS, |w| w.raw(&claims));
        }
        map.encode()
    }
}

impl From<Claims> for EarTeepClaims {
    fn from(claims: Claims) -> Self {
        Self {
            nonce: claims.nonce,
            ueid: claims.ueid,
            oemid: claims.oemid,
            hwmodel: claims.hwmodel,
            hwversion: claims.hwversion,
            manifests: claims.manifests,
        }
    }
}

impl From<EarTeepClaims> for Claims {
    fn from(teep: EarTeepClaims) -> Self {
        Self {
            nonce: teep.nonce,
            ueid: teep.ueid,
            oemid: teep.oemid,
            hwmodel: teep.hwmodel,
            hwversion: teep.hwversion,
            manifests: teep.manifests,
            ..Self::default()
        }
    }
}

/// Entries of a map, in any order.
#[derive(Default)]
struct Map(Vec<Vec<u8>>);

impl Map {
    fn put(&mut self, key: i64, write: impl FnOnce(&mut Writer) -> &mut Writer) {
        self.0.push(Writer::build(|w| {
            write(w.int(key));
        }));
    }

    fn encode(self) -> Vec<u8> {
        Writer::build(|w| {
            w.sorted_map(self.0);
        })
    }
}

fn read_nonce(reader: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    let nonce = reader.sized_bytes(8..=64, "8 to 64 bytes", "eat_nonce")?;
    Ok(nonce.to_vec())
}

fn read_tier(reader: &mut Reader<'_>) -> Result<TrustTier, DecodeError> {
    let start = reader.clone();
    let number = reader.int("ear_status")?;
    TrustTier::from_number(number)
        .ok_or_else(|| start.error("ear_status", Problem::Expected("0, 2, 32 or 96")))
}

fn read_vector(reader: &mut Reader<'_>) -> Result<TrustVector, DecodeError> {
    let rule = "ear_trustworthiness_vector";
    let mut claims = [TrustClaim::NONE; 8];
    for _ in 0..reader.map(rule)? {
        let label = usize::try_from(reader.int(rule)?);
        let start = reader.clone();
        let number = i8::try_from(reader.int(rule)?)
            .map_err(|_| start.error(rule, Problem::OutOfBounds("-128 to 127")))?;
        if let Some(claim) = label.ok().and_then(|label| claims.get_mut(label)) {
            *claim = TrustClaim(number);
        }
    }
    Ok(TrustVector::from_claims(claims))
}

fn read_appraisals(reader: &mut Reader<'_>) -> Result<BTreeMap<String, EarAppraisal>, DecodeError> {
    let rule = "submods";
    let count = reader.map(rule)?;
    if count > MAX_APPRAISALS {
        return Err(reader.error(rule, Problem::OutOfBounds("64 appraisals")));
    }
    let mut appraisals = BTreeMap::new();
    for _ in 0..count {
        let name = reader.text(rule)?.to_owned();
        appraisals.insert(name, EarAppraisal::read(reader)?);
    }
    Ok(appraisals)
}
