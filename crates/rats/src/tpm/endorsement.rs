use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use base16ct::lower::encode_string;
use serde::{Deserialize, Serialize};
use tamarack_cose::PublicKey;

use crate::endorsement::{EndorsementError, fixed, wrong};

/// What a device's maker says about its TPM. With it, Evidence has to hold a quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmEndorsement {
    /// The attestation key; a JWK in JSON. Whoever makes the endorsement has seen that it is a restricted key of a
    /// genuine TPM.
    pub attestation_key: PublicKey,
    /// For each PCR of the bank of SHA-256 that matters, the values that are good.
    pub pcrs: BTreeMap<u8, Vec<[u8; 32]>>,
}

/// The JSON form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JsonTpm {
    attestation_key: serde_json::Value,
    #[serde(default)]
    pcrs: BTreeMap<String, Vec<String>>,
}

impl JsonTpm {
    pub(crate) fn read(self) -> Result<TpmEndorsement, EndorsementError> {
        let mut pcrs = BTreeMap::new();
        for (name, values) in self.pcrs {
            let index = name.parse().ok().filter(|index| *index < 32);
            let values = values.iter().map(|text| fixed("tpm", text));
            match (index, values.collect::<Result<Vec<_>, _>>()) {
                (Some(index), Ok(values)) if !values.is_empty() => pcrs.insert(index, values),
                _ => {
                    let belongs = "PCR from 0 to 31 with a list of SHA-256 values";
                    return Err(wrong(
                        "tpm",
                        format!("has under pcrs / {name:?} no {belongs}"),
                    ));
                }
            };
        }
        let attestation_key = PublicKey::from_jwk(&self.attestation_key.to_string());
        Ok(TpmEndorsement {
            attestation_key: attestation_key.map_err(EndorsementError::AttestationKey)?,
            pcrs,
        })
    }

    pub(crate) fn of(tpm: &TpmEndorsement) -> Self {
        let texts = |values: &Vec<[u8; 32]>| values.iter().map(|v| encode_string(v)).collect();
        let pcrs = tpm.pcrs.iter();
        Self {
            attestation_key: serde_json::from_str(&tpm.attestation_key.to_jwk())
                .unwrap_or_default(),
            pcrs: pcrs
                .map(|(index, values)| (index.to_string(), texts(values)))
                .collect(),
        }
    }
}
