//! Quotes: what was booted on this machine, signed by its TPM.

use std::{collections::BTreeMap, path::Path};

use tamarack_rats::{HardwareReport, Quoted, TPM_QUOTE, TpmEndorsement, TpmQuote};
use tss_esapi::{
    structures::{Data, SignatureScheme},
    traits::Marshall,
};

use super::{
    super::{HardwareAttester, PlatformFault, files},
    key::{Purpose, TpmKey, fixed_size},
    pcr,
    secrets::TpmSecrets,
};

/// The attestation key.
const KEY: &str = "attestation.tpm";

/// The PCRs that are quoted: their numbers, with commas between.
const PCRS: &str = "pcrs";

/// How often a quote is made again whose PCRs were extended meanwhile.
const ATTEMPTS: usize = 4;

/// Makes quotes with an attestation key.
pub(super) struct Quotes {
    key: TpmKey,
    pcrs: Vec<u8>,
    /// The values when the device was opened.
    values: BTreeMap<u8, [u8; 32]>,
}

impl Quotes {
    /// Makes the attestation key of a new device, which is to quote these PCRs.
    pub(super) fn make(
        folder: &Path,
        secrets: &TpmSecrets<'_>,
        pcrs: &[u8],
    ) -> Result<(), PlatformFault> {
        if pcrs.is_empty() {
            let problem = "a quote is over one PCR at least".to_owned();
            return Err(PlatformFault::Unavailable(problem));
        }
        TpmKey::make(&folder.join(KEY), secrets, Purpose::Attestation)?;
        let numbers: Vec<String> = pcrs.iter().map(ToString::to_string).collect();
        files::create(&folder.join(PCRS), numbers.join(",").as_bytes())
    }

    pub(super) fn open(folder: &Path, secrets: &TpmSecrets<'_>) -> Result<Self, PlatformFault> {
        let path = folder.join(PCRS);
        let text = files::read(&path)?;
        let numbers = String::from_utf8_lossy(&text);
        let pcrs = numbers.trim().split(',').map(str::parse);
        let pcrs: Vec<u8> = pcrs
            .collect::<Result<_, _>>()
            .map_err(|_| PlatformFault::Damaged {
                path,
                problem: "it holds no numbers of PCRs".into(),
            })?;
        let values = secrets
            .connection
            .run("read the PCRs", |context| pcr::read(context, &pcrs))?;
        Ok(Self {
            key: TpmKey::open(&folder.join(KEY), secrets)?,
            pcrs,
            values,
        })
    }

    /// A quote, and the values that the PCRs have before it.
    fn quote(&self, binding: &[u8; 32]) -> Result<TpmQuote, PlatformFault> {
        let pcrs =
            (self.key.connection).run("read the PCRs", |context| pcr::read(context, &self.pcrs))?;
        let (attest, signature) = self.key.run("quote the PCRs", |context, key| {
            let selection = pcr::selection(&self.pcrs)?;
            let data = Data::try_from(&binding[..])?;
            let (attest, signature) = context.quote(key, data, SignatureScheme::Null, selection)?;
            Ok((attest.marshall()?, fixed_size(&signature)?))
        })?;
        Ok(TpmQuote {
            attest,
            signature,
            attestation_key: *self.key.public_key(),
            pcrs,
        })
    }
}

impl HardwareAttester for Quotes {
    fn report(&self, binding: &[u8; 32]) -> Result<HardwareReport, PlatformFault> {
        let refused = |problem: String| PlatformFault::Hardware {
            action: "quote the PCRs",
            problem,
        };
        for _ in 0..ATTEMPTS {
            let quote = self.quote(binding)?;
            let quoted =
                Quoted::decode(&quote.attest).map_err(|error| refused(error.to_string()))?;
            if quoted.pcr_digest == TpmQuote::pcr_digest(&self.key.crypto, &quote.pcrs) {
                return Ok(HardwareReport {
                    media_type: TPM_QUOTE.into(),
                    bytes: quote.encode(),
                });
            }
        }
        Err(refused("they keep changing meanwhile".into()))
    }

    fn tpm(&self) -> Option<TpmEndorsement> {
        let values = self.values.iter();
        Some(TpmEndorsement {
            attestation_key: *self.key.public_key(),
            pcrs: values.map(|(pcr, value)| (*pcr, vec![*value])).collect(),
        })
    }
}
