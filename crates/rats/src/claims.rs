use alloc::{borrow::ToOwned, collections::BTreeMap, string::String, vec::Vec};

use tamarack_cose::{
    CryptoProvider, KeyId, Signer,
    cbor::{self, DecodeError, Limits, Problem, Reader, Type, Writer},
    sign1,
};

use crate::{
    Confirmation, HardwareReport, HardwareVersion, ManifestReference, Measurement, OemId,
    RollbackDetection,
};

/// Claim keys (RFC 8392, RFC 8747, RFC 9711). Those below -65536 are for private use: nobody has registered such
/// claims.
pub(crate) mod key {
    pub(crate) const EXP: i64 = 4;
    pub(crate) const NBF: i64 = 5;
    pub(crate) const IAT: i64 = 6;
    pub(crate) const CNF: i64 = 8;
    pub(crate) const NONCE: i64 = 10;
    pub(crate) const UEID: i64 = 256;
    pub(crate) const OEMID: i64 = 258;
    pub(crate) const HWMODEL: i64 = 259;
    pub(crate) const HWVERSION: i64 = 260;
    pub(crate) const PROFILE: i64 = 265;
    pub(crate) const SUBMODS: i64 = 266;
    pub(crate) const SWNAME: i64 = 270;
    pub(crate) const MANIFESTS: i64 = 272;
    pub(crate) const MEASUREMENTS: i64 = 273;
    pub(crate) const HARDWARE_REPORT: i64 = -65_537;
    pub(crate) const ROLLBACK_DETECTION: i64 = -65_538;
    pub(crate) const SECURITY_DOMAIN: i64 = -65_539;
}

/// A claims set is small; a large one is an attack.
pub(crate) const LIMITS: Limits = Limits {
    bytes: 64 * 1024,
    depth: 16,
};

/// The claims of an EAT that this workspace states or appraises. Others are ignored (RFC 9711 section 4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// `exp` (4): seconds since 1970-01-01 UTC, from which on it does not count.
    pub expires_at: Option<u64>,
    /// `nbf` (5): seconds since 1970-01-01 UTC, before which it does not count yet.
    pub not_before: Option<u64>,
    /// `iat` (6): seconds since 1970-01-01 UTC.
    pub issued_at: Option<u64>,
    /// `cnf` (8): the key that signs the TEEP messages of whom the claims are about.
    pub confirmation: Option<Confirmation>,
    /// `eat_nonce` (10): 8 to 64 bytes.
    pub nonce: Option<Vec<u8>>,
    /// `ueid` (256): which device; 7 to 33 bytes.
    pub ueid: Option<Vec<u8>>,
    /// `oemid` (258): who made it.
    pub oemid: Option<OemId>,
    /// `hwmodel` (259): which model; 1 to 32 bytes.
    pub hwmodel: Option<Vec<u8>>,
    /// `hwversion` (260): which version of it.
    pub hwversion: Option<HardwareVersion>,
    /// `eat_profile` (265), if it is a URI.
    pub profile: Option<String>,
    /// `swname` (270).
    pub swname: Option<String>,
    /// `manifests` (272), as far as they are references to SUIT manifests.
    pub manifests: Vec<ManifestReference>,
    /// `measurements` (273), as far as they are measured components with SHA-256.
    pub measurements: Vec<Measurement>,
    /// `submods` (266), as far as they are claims sets: what the attester says about its parts, by their names.
    pub submodules: BTreeMap<String, Claims>,
    /// -65539: the security domain of a Trusted Application.
    pub security_domain: Option<String>,
    /// -65537: what the hardware itself reports about these claims.
    pub hardware_report: Option<HardwareReport>,
    /// -65538: what notices that the files of the TEE were put back.
    pub rollback_detection: Option<RollbackDetection>,
}

impl Claims {
    /// Decodes a claims set.
    ///
    /// # Errors
    ///
    /// If a claim that is understood has a type or size that RFC 9711 does not allow.
    // req: EAT-013
    // req: EAT-014
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::check(bytes, &LIMITS)?;
        Self::read(&mut Reader::new(bytes))
    }

    /// Reads a claims set, which the strict door bounds in depth.
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut claims = Self::default();
        let mut misfiled = Vec::new();
        for _ in 0..reader.map("eat-claims")? {
            match reader.label("eat-claims / key")? {
                key::EXP => claims.expires_at = Some(reader.uint("exp")?),
                key::NBF => claims.not_before = Some(reader.uint("nbf")?),
                key::IAT => claims.issued_at = Some(reader.uint("iat")?),
                key::CNF => claims.confirmation = Some(Confirmation::read(reader)?),
                key::NONCE if reader.peek() == Type::Array => {
                    // Several nonces are for several Verifiers; TEEP has one (requirement EAT-009).
                    return Err(reader.error("eat_nonce", Problem::Expected("one byte string")));
                }
                key::NONCE => {
                    let nonce = reader.sized_bytes(8..=64, "8 to 64 bytes", "eat_nonce")?;
                    claims.nonce = Some(nonce.to_vec());
                }
                key::UEID => {
                    let ueid = reader.sized_bytes(7..=33, "7 to 33 bytes", "ueid")?;
                    claims.ueid = Some(ueid.to_vec());
                }
                key::OEMID => claims.oemid = Some(OemId::read(reader)?),
                key::HWMODEL => {
                    let model = reader.sized_bytes(1..=32, "1 to 32 bytes", "hwmodel")?;
                    claims.hwmodel = Some(model.to_vec());
                }
                key::HWVERSION => claims.hwversion = Some(HardwareVersion::read(reader)?),
                key::PROFILE if reader.peek() == Type::Text => {
                    claims.profile = Some(reader.text("eat_profile")?.to_owned());
                }
                key::SWNAME => claims.swname = Some(reader.text("swname")?.to_owned()),
                key::MANIFESTS => claims.manifests = ManifestReference::read_list(reader)?,
                key::MEASUREMENTS => {
                    // The example of the TEEP draft files the manifests here (AMB-18).
                    misfiled = ManifestReference::read_list(&mut reader.clone())?;
                    claims.measurements = Measurement::read_list(reader)?;
                }
                key::SUBMODS if reader.peek() == Type::Map => {
                    claims.submodules = read_submodules(reader)?;
                }
                key::SECURITY_DOMAIN => {
                    claims.security_domain = Some(reader.text("security-domain")?.to_owned());
                }
                key::HARDWARE_REPORT => {
                    claims.hardware_report = Some(HardwareReport::read(reader)?);
                }
                key::ROLLBACK_DETECTION => {
                    let number = reader.uint("rollback-detection")?;
                    claims.rollback_detection = RollbackDetection::from_number(number);
                }
                _ => reader.skip("eat-claims / value")?,
            }
        }
        if claims.manifests.is_empty() {
            claims.manifests = misfiled;
        }
        Ok(claims)
    }

    /// Encodes the claims set deterministically.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut entries: Vec<Vec<u8>> = Vec::new();
        let mut put = |key, write: &dyn Fn(&mut Writer)| {
            entries.push(Writer::build(|w| {
                write(w.int(key));
            }));
        };
        for (key, value) in [
            (key::EXP, self.expires_at),
            (key::NBF, self.not_before),
            (key::IAT, self.issued_at),
        ] {
            if let Some(at) = value {
                put(key, &|w| {
                    w.uint(at);
                });
            }
        }
        if let Some(confirmation) = &self.confirmation {
            put(key::CNF, &|w| confirmation.write(w));
        }
        let strings = [
            (key::NONCE, &self.nonce),
            (key::UEID, &self.ueid),
            (key::HWMODEL, &self.hwmodel),
        ];
        for (key, value) in strings {
            if let Some(value) = value {
                put(key, &|w| {
                    w.bytes(value);
                });
            }
        }
        if let Some(oemid) = &self.oemid {
            put(key::OEMID, &|w| oemid.write(w));
        }
        if let Some(version) = &self.hwversion {
            put(key::HWVERSION, &|w| version.write(w));
        }
        for (key, value) in [
            (key::PROFILE, &self.profile),
            (key::SWNAME, &self.swname),
            (key::SECURITY_DOMAIN, &self.security_domain),
        ] {
            if let Some(value) = value {
                put(key, &|w| {
                    w.text(value);
                });
            }
        }
        if !self.manifests.is_empty() {
            put(key::MANIFESTS, &|w| {
                w.array(self.manifests.len());
                self.manifests.iter().for_each(|manifest| manifest.write(w));
            });
        }
        if !self.measurements.is_empty() {
            put(key::MEASUREMENTS, &|w| {
                w.array(self.measurements.len());
                self.measurements
                    .iter()
                    .for_each(|measurement| measurement.write(w));
            });
        }
        if !self.submodules.is_empty() {
            put(key::SUBMODS, &|w| {
                let entry = |(name, claims): (&String, &Self)| {
                    Writer::build(|w| {
                        w.text(name).raw(&claims.encode());
                    })
                };
                w.sorted_map(self.submodules.iter().map(entry).collect());
            });
        }
        if let Some(report) = &self.hardware_report {
            put(key::HARDWARE_REPORT, &|w| report.write(w));
        }
        if let Some(detection) = self.rollback_detection {
            put(key::ROLLBACK_DETECTION, &|w| {
                w.uint(detection.number());
            });
        }
        Writer::build(|w| {
            w.sorted_map(entries);
        })
    }

    /// Signs the claims as an EAT: a tagged COSE_Sign1 with the attester's key id.
    ///
    /// # Errors
    ///
    /// If the signer fails.
    // req: EAT-006
    pub fn sign(
        &self,
        crypto: &CryptoProvider,
        attester: &dyn Signer,
    ) -> Result<Vec<u8>, tamarack_cose::Error> {
        sign1(
            attester,
            &self.encode(),
            Some(&KeyId::of(attester.public_key(), crypto)),
        )
    }
}

/// Submodules of other forms, such as nested tokens, are passed over.
fn read_submodules(reader: &mut Reader<'_>) -> Result<BTreeMap<String, Claims>, DecodeError> {
    let mut submodules = BTreeMap::new();
    for _ in 0..reader.map("submods")? {
        let name = reader.text("submods / name")?.to_owned();
        match reader.peek() {
            Type::Map => {
                submodules.insert(name, Claims::read(reader)?);
            }
            _ => reader.skip("submods / value")?,
        }
    }
    Ok(submodules)
}
