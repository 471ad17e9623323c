use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tamarack_cose::{CryptoProvider, MacAlgorithm, aws_lc};
use tamarack_suit::{Envelope, Limits, author::Draft};

use super::{decode, place, refuse_too_long, trust::Voucher};
use crate::{failure::Failure, files, hss_file::state_path, output::Output};

/// Add a signature, or a MAC, to a manifest.
///
///   tamarack manifest sign hello.suit --key acme.pem
///
/// Signatures that are there stay: several authorities may sign one manifest. A
/// key of HMAC or of AES key wrap makes a MAC, which those check who share the
/// key. Several may sign one file at the same time: in place, they wait for each
/// other.
///
/// An hss-lms key takes the number of the signature from its state file, and that
/// is on the disk before the signature is made: what fails after that has used up
/// a number. Where the result goes is looked at first.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Sign {
    /// The envelope to sign, `-` for standard input.
    file: PathBuf,
    /// The private key of the trusted component signer, or a shared key.
    #[arg(long, short, value_name = "FILE")]
    key: PathBuf,
    /// Where the signed envelope goes, `-` for standard output; in place of the old one by default.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Sign {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        let crypto = aws_lc::provider();
        let with = [&*self.key, &state_path(&self.key)];
        // Before an HSS/LMS key spends a number.
        let (bytes, target) = files::revise(&self.file, self.out.as_deref(), &with)?;
        let envelope = decode(&self.file, &bytes)?;
        // What nobody can read is not worth a signature.
        envelope
            .unverified_manifest()
            .map_err(|error| place::failure(&self.file, &bytes, &error))?;
        let most = Limits::default().authentication_blocks;
        if envelope.authentication_blocks().len() >= most {
            let problem = format!("it has {most} signatures and MACs, and more are not read");
            return Err(Failure::file(&self.file, problem)
                .hint("some of those who sign have to sign another envelope"));
        }
        let voucher = Voucher::read(&self.key, &crypto)?;
        let signed = vouched(&envelope, &voucher, &crypto)
            .map_err(|failure| Failure::file(&self.file, failure.message()))?;
        refuse_too_long(&signed).map_err(|failure| failure.about(&self.file))?;
        let is_here = target.is_standard();
        target.fill(&signed)?;
        if is_here {
            return Ok(());
        }
        let out = self.out.unwrap_or(self.file);
        let id = voucher.id(&crypto);
        output.result(&json!({ "file": out, "signed_by": id }), || {
            format!("{}: {} by {id}", out.display(), voucher.verb())
        });
        Ok(())
    }
}

/// The envelope with one more signature or MAC.
fn vouched(
    envelope: &Envelope<'_>,
    voucher: &Voucher,
    crypto: &CryptoProvider,
) -> Result<Vec<u8>, Failure> {
    let fault = |error: tamarack_suit::Error| Failure::new(error.to_string());
    match voucher {
        Voucher::Signer(signer) => envelope.add_signatures(crypto, &[&**signer]).map_err(fault),
        Voucher::Mac(key, named) => envelope
            .add_mac(crypto, key, named.as_deref())
            .map_err(fault),
        Voucher::Wrapping(..) => {
            if !envelope.authentication_blocks().is_empty() {
                return Err(Failure::new(
                    "a MAC under a wrapped key is made first, before signatures are added",
                ));
            }
            let draft = Draft::of(envelope).map_err(|error| Failure::new(error.to_string()))?;
            if draft.digest(crypto) != envelope.claimed_digest() {
                return Err(fault(tamarack_suit::Error::ManifestDigest));
            }
            seal(&draft, voucher, crypto)
        }
    }
}

/// The envelope of a draft, with a signature or a MAC.
pub(super) fn seal(
    draft: &Draft,
    voucher: &Voucher,
    crypto: &CryptoProvider,
) -> Result<Vec<u8>, Failure> {
    Ok(match voucher {
        Voucher::Signer(signer) => draft.sign(crypto, &[&**signer])?,
        Voucher::Mac(key, named) => draft.mac(crypto, key, named.as_deref()),
        Voucher::Wrapping(key, named) => {
            draft.mac_to(crypto, MacAlgorithm::Hmac256, &[(key, named.as_deref())])?
        }
    })
}
