//! The options of a TEE about the platform that it is on.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use tamarack_cose::CryptoProvider;
use tamarack_tee::platform::{
    Device, DeviceOptions, Gramine, GramineOptions, PlatformFault, SgxKey, Software, Tsm,
    TsmOptions,
};

use crate::failure::Failure;

/// What keeps the keys of a TEE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Platform {
    /// Files. For development and tests: it protects against nothing.
    Software,
    /// A TPM 2.0.
    Tpm,
    /// A confidential virtual machine under Linux: SEV-SNP, TDX, CCA.
    Tsm,
    /// An SGX enclave, run by Gramine.
    Gramine,
}

impl Platform {
    fn name(self) -> String {
        let value = self.to_possible_value();
        value
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

/// The sealing key of an enclave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SealingKey {
    /// The same for all enclaves of the signer, for the same product.
    Mrsigner,
    /// That of this very enclave.
    Mrenclave,
}

#[derive(Args)]
pub(super) struct PlatformChoice {
    /// What keeps the keys of the TEE. A folder stays on the platform on which it was made.
    #[arg(long, value_enum, default_value = "software")]
    platform: Platform,
    /// How the TPM is reached, as tpm2-tss writes it [default: device:/dev/tpmrm0]
    #[arg(long, value_name = "TCTI", help_heading = "Platform tpm")]
    tcti: Option<String>,
    /// The PCRs (0 to 23, of the bank of SHA-256) that Evidence quotes. Counts at the first start only [default:
    /// 0,1,2,3,4,5,6,7]
    #[arg(long, value_name = "PCR", value_delimiter = ',', value_parser = pcr, help_heading = "Platform tpm")]
    pcrs: Option<Vec<u8>>,
    /// The PCRs whose values must stay what they are at the first start, or the TEE does not open any more [default:
    /// none]
    #[arg(long, value_name = "PCR", value_delimiter = ',', value_parser = pcr, help_heading = "Platform tpm")]
    seal_to_pcrs: Option<Vec<u8>>,
    /// Where configfs-tsm is [default: /sys/kernel/config/tsm/report]
    #[arg(long, value_name = "DIR", help_heading = "Platform tsm")]
    tsm_dir: Option<PathBuf>,
    /// A file with 32 secret bytes or more, the same at every start and private to this user, from which the root key
    /// is derived [default: the root key lies in the folder of the TEE]
    #[arg(long, value_name = "FILE", help_heading = "Platform tsm")]
    root_key: Option<PathBuf>,
    /// Where the pseudo-files of Gramine are [default: /dev/attestation]
    #[arg(long, value_name = "DIR", help_heading = "Platform gramine")]
    attestation_dir: Option<PathBuf>,
    /// The sealing key from which the root key is derived. Counts at the first start only [default: mrsigner]
    #[arg(
        long,
        value_enum,
        value_name = "KEY",
        help_heading = "Platform gramine"
    )]
    sgx_key: Option<SealingKey>,
}

/// Reads the number of a PCR.
fn pcr(text: &str) -> Result<u8, String> {
    let number = text.parse().ok().filter(|number| *number < 24);
    number.ok_or_else(|| "expected a PCR, from 0 to 23".into())
}

impl PlatformChoice {
    /// Opens the device in `dir` on the chosen platform.
    pub(super) fn open(
        &self,
        dir: &Path,
        crypto: &CryptoProvider,
        device: &DeviceOptions,
    ) -> Result<Device, Failure> {
        self.check()?;
        let opened = match self.platform {
            Platform::Software => Software::open(dir, crypto, device),
            Platform::Tpm => self.tpm(dir, crypto, device)?,
            Platform::Tsm => {
                let mut options = TsmOptions::default();
                options.root_key.clone_from(&self.root_key);
                if let Some(dir) = &self.tsm_dir {
                    options.report_dir.clone_from(dir);
                }
                Tsm::open(dir, crypto, device, &options)
            }
            Platform::Gramine => {
                let mut options = GramineOptions::default();
                if let Some(dir) = &self.attestation_dir {
                    options.attestation_dir.clone_from(dir);
                }
                if self.sgx_key == Some(SealingKey::Mrenclave) {
                    options.key = SgxKey::Enclave;
                }
                Gramine::open(dir, crypto, device, &options)
            }
        };
        opened.map_err(|error| Failure::new(error.to_string()))
    }

    /// An option that has no effect would be one that somebody relies on.
    fn check(&self) -> Result<(), Failure> {
        let given = [
            ("--tcti", Platform::Tpm, self.tcti.is_some()),
            ("--pcrs", Platform::Tpm, self.pcrs.is_some()),
            ("--seal-to-pcrs", Platform::Tpm, self.seal_to_pcrs.is_some()),
            ("--tsm-dir", Platform::Tsm, self.tsm_dir.is_some()),
            ("--root-key", Platform::Tsm, self.root_key.is_some()),
            (
                "--attestation-dir",
                Platform::Gramine,
                self.attestation_dir.is_some(),
            ),
            ("--sgx-key", Platform::Gramine, self.sgx_key.is_some()),
        ];
        for (option, platform, is_given) in given {
            if is_given && platform != self.platform {
                return Err(Failure::new(format!(
                    "{option} is an option of --platform {}, and this is --platform {}",
                    platform.name(),
                    self.platform.name()
                )));
            }
        }
        Ok(())
    }

    #[cfg(feature = "tpm")]
    fn tpm(
        &self,
        dir: &Path,
        crypto: &CryptoProvider,
        device: &DeviceOptions,
    ) -> Result<Result<Device, PlatformFault>, Failure> {
        use tamarack_tee::platform::{Tpm, TpmOptions};

        let mut options = TpmOptions::default();
        if let Some(tcti) = &self.tcti {
            options.tcti.clone_from(tcti);
        }
        if let Some(pcrs) = &self.pcrs {
            options.quoted_pcrs.clone_from(pcrs);
        }
        if let Some(pcrs) = &self.seal_to_pcrs {
            options.sealed_pcrs.clone_from(pcrs);
        }
        Ok(Tpm::open(dir, crypto, device, &options))
    }

    #[cfg(not(feature = "tpm"))]
    #[expect(clippy::unused_self, reason = "with the feature it is used")]
    fn tpm(
        &self,
        _: &Path,
        _: &CryptoProvider,
        _: &DeviceOptions,
    ) -> Result<Result<Device, PlatformFault>, Failure> {
        let failure = Failure::new("this program was built without the platform tpm".to_owned());
        Err(failure.hint(
            "build it with `cargo build --release --features tpm`, which needs the libraries of tpm2-tss (Debian: \
             libtss2-dev)",
        ))
    }
}
