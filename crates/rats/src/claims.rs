use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::{
    CryptoProvider, KeyId, Signer,
    cbor::{self, DecodeError, Limits, Problem, Reader, Type, Writer},
    sign1,
};

use crate::{Confirmation, Measurement};

/// Claim keys (RFC 8392, RFC 8747, RFC 9711).
mod key {
    pub(super) const IAT: i64 = 6;
    pub(super) const CNF: i64 = 8;
    pub(super) const NONCE: i64 = 10;
    pub(super) const UEID: i64 = 256;
    pub(super) const OEMID: i64 = 258;
    pub(super) const HWMODEL: i64 = 259;
    pub(super) const HWVERSION: i64 = 260;
    pub(super) const PROFILE: i64 = 265;
    pub(super) const SWNAME: i64 = 270;
    pub(super) const MEASUREMENTS: i64 = 273;
}

/// The claims of an EAT that this workspace states or appraises. Others are ignored (RFC 9711 section 4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// `iat` (6): seconds since 1970-01-01 UTC.
    pub issued_at: Option<u64>,
    /// `cnf` (8): the key that signs the device's TEEP messages.
    pub confirmation: Option<Confirmation>,
    /// `eat_nonce` (10): 8 to 64 bytes.
    pub nonce: Option<Vec<u8>>,
    /// `ueid` (256): which device; 7 to 33 bytes.
    pub ueid: Option<Vec<u8>>,
    /// `oemid` (258): who made it; a 16-byte or 3-byte string. An IANA number is not kept.
    pub oemid: Option<Vec<u8>>,
    /// `hwmodel` (259): which model; 1 to 32 bytes.
    pub hwmodel: Option<Vec<u8>>,
    /// `hwversion` (260): the version, without its scheme.
    pub hwversion: Option<String>,
    /// `eat_profile` (265), if it is a URI.
    pub profile: Option<String>,
    /// `swname` (270).
    pub swname: Option<String>,
    /// `measurements` (273), as far as they are measured components with SHA-256.
    pub measurements: Vec<Measurement>,
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
        cbor::check(
            bytes,
            &Limits {
                bytes: 64 * 1024,
                depth: 16,
            },
        )?;
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        let mut claims = Self::default();
        for _ in 0..reader.map("eat-claims")? {
            if reader.peek("eat-claims / key")? == Type::Text {
                reader.skip("eat-claims / key")?;
                reader.skip("eat-claims / value")?;
                continue;
            }
            match reader.int("eat-claims / key")? {
                key::IAT => claims.issued_at = Some(reader.uint("iat")?),
                key::CNF => claims.confirmation = Some(Confirmation::read(reader)?),
                key::NONCE if reader.peek("eat_nonce")? == Type::Array => {
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
                key::OEMID if reader.peek("oemid")? == Type::Bytes => {
                    claims.oemid = Some(reader.bytes("oemid")?.to_vec());
                }
                key::HWMODEL => {
                    let model = reader.sized_bytes(1..=32, "1 to 32 bytes", "hwmodel")?;
                    claims.hwmodel = Some(model.to_vec());
                }
                key::HWVERSION => claims.hwversion = Some(read_version(reader)?),
                key::PROFILE if reader.peek("eat_profile")? == Type::Text => {
                    claims.profile = Some(reader.text("eat_profile")?.to_owned());
                }
                key::SWNAME => claims.swname = Some(reader.text("swname")?.to_owned()),
                key::MEASUREMENTS => claims.measurements = Measurement::read_list(reader)?,
                _ => reader.skip("eat-claims / value")?,
            }
        }
        Ok(claims)
    }

    /// Encodes the claims set deterministically.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut entries: Vec<(i64, Vec<u8>)> = Vec::new();
        let mut put = |key, write: &dyn Fn(&mut Writer) -> &mut Writer| {
            let mut value = Writer::new();
            write(&mut value);
            entries.push((key, value.into_bytes()));
        };
        if let Some(at) = self.issued_at {
            put(key::IAT, &|w| w.uint(at));
        }
        if let Some(confirmation) = &self.confirmation {
            put(key::CNF, &|w| {
                confirmation.write(w);
                w
            });
        }
        let strings = [
            (key::NONCE, &self.nonce),
            (key::UEID, &self.ueid),
            (key::OEMID, &self.oemid),
            (key::HWMODEL, &self.hwmodel),
        ];
        for (key, value) in strings {
            if let Some(value) = value {
                put(key, &|w| w.bytes(value));
            }
        }
        if let Some(version) = &self.hwversion {
            put(key::HWVERSION, &|w| w.array(1).text(version));
        }
        for (key, value) in [(key::PROFILE, &self.profile), (key::SWNAME, &self.swname)] {
            if let Some(value) = value {
                put(key, &|w| w.text(value));
            }
        }
        if !self.measurements.is_empty() {
            put(key::MEASUREMENTS, &|w| {
                w.array(self.measurements.len());
                self.measurements
                    .iter()
                    .for_each(|measurement| measurement.write(w));
                w
            });
        }
        entries.sort_by_key(|(key, _)| *key);
        Writer::build(|w| {
            w.map(entries.len());
            for (key, value) in &entries {
                w.int(*key).raw(value);
            }
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

/// `[version, ?scheme]`.
fn read_version(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let items = reader.array("hwversion")?;
    let version = reader.text("hwversion / version")?.to_owned();
    for _ in 1..items {
        reader.skip("hwversion / scheme")?;
    }
    Ok(version)
}
