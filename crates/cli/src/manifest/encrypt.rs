use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{ArgGroup, Args};
use serde_json::json;
use tamarack_cose::aws_lc;
use tamarack_suit::{
    ComponentId,
    author::{EncryptedImage, PayloadEncryption, PayloadEncryptor},
};

use super::{
    encryption::{Content, Exchange, Recipients},
    trust::FileWith,
    typed,
};
use crate::{
    failure::Failure,
    files::{self, Target},
    output::{DIM, Output},
    progress::Progress,
};

/// Encrypt a payload to devices.
///
///   tamarack manifest encrypt app.bin --component lamp/app \
///       --recipient device.pub.pem --out app.enc --info app.info
///   tamarack manifest create --component lamp/app --payload app.bin \
///       --ciphertext app.enc --encryption-info app.info \
///       --uri https://acme.example/app.enc -n 1 --key acme.pem --out lamp.suit
///
/// A fresh content key encrypts the payload, which may be of any size, and is
/// itself encrypted to each recipient. The info says how to decrypt: it goes into
/// a manifest. `manifest create --encrypt-to` does both at once.
///
/// Tamarack's devices decrypt what is for a component into that one only, whoever
/// signs the manifest. Other devices don't look at it, and AES key wrap has no
/// place to say it.
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    group(ArgGroup::new("target").required(true).args(["component", "any_component"]))
)]
pub(crate) struct Encrypt {
    /// The payload, `-` for standard input.
    file: PathBuf,
    /// The component that the payload is for.
    #[arg(long, value_name = "ID", value_parser = typed::identifier)]
    component: Option<ComponentId>,
    /// The payload is for any component: also for one of another signer on the device, who can read it there once he has
    /// the two files.
    #[arg(long)]
    any_component: bool,
    /// The public key of a device, P-256 or X25519, or a key of AES key wrap that it shares, and perhaps the id
    /// by which it knows the key, as text or in hexadecimal after 0x. May be given several times.
    #[arg(
        long,
        short,
        visible_alias = "encrypt-to",
        value_name = "KEY[=KID]",
        required = true
    )]
    recipient: Vec<FileWith>,
    /// How the payload is encrypted.
    #[arg(
        long,
        visible_alias = "encrypt-with",
        value_enum,
        default_value = "a128gcm"
    )]
    algorithm: Content,
    /// How the content key gets to devices with public keys.
    #[arg(long, value_enum, default_value = "ecdh-es")]
    exchange: Exchange,
    /// Where the ciphertext goes, `-` for standard output.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Where the encryption info goes, `-` for standard output: a COSE_Encrypt.
    #[arg(long, value_name = "FILE")]
    info: PathBuf,
}

const CHUNK: usize = 64 << 10;

impl Encrypt {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        let keys = self.recipient.iter().map(|key| &*key.path);
        let outputs = [("--out", &*self.out), ("--info", &*self.info)];
        files::keep_apart(keys.chain([&*self.file]), outputs)?;
        let crypto = aws_lc::provider();
        let recipients = Recipients::read(&self.recipient, self.exchange, &crypto)?;
        let recipients = recipients.all()?;
        let component = self.component.as_ref();
        let encryptor =
            PayloadEncryption::new(self.algorithm.into()).start(&crypto, component, &recipients)?;
        let mut ciphertext = Target::replacing(&self.out)?;
        let mut info = Target::replacing(&self.info)?;
        let is_here = ciphertext.is_standard() || info.is_standard();
        let image = self.stream(encryptor, &mut ciphertext, output)?;
        info.put(image.info())?;
        // Neither is of use without the other.
        files::publish([ciphertext, info])?;
        if is_here {
            return Ok(());
        }
        let (plaintext, length) = image.plaintext();
        let ciphertext = image.ciphertext();
        let value = json!({
            "ciphertext": self.out,
            "info": self.info,
            "component": component.map(ToString::to_string),
            "recipients": recipients.len(),
            "plaintext_digest": plaintext.to_string(),
            "plaintext_bytes": length,
            "ciphertext_digest": ciphertext.map(|(digest, _)| digest.to_string()),
            "ciphertext_bytes": ciphertext.map(|(_, length)| length),
        });
        output.result(&value, || {
            let line = |what: &str, path: &Path, of: Option<(tamarack_suit::SuitDigest, u64)>| {
                let (digest, length) = match of {
                    Some((digest, length)) => (digest.to_string(), length),
                    None => (String::new(), 0),
                };
                format!(
                    "{DIM}{what}{DIM:#}  {}  {length} bytes  {DIM}{digest}{DIM:#}",
                    path.display()
                )
            };
            format!(
                "{}\n{}\n{DIM}info{DIM:#}        {}  {} bytes, for {}",
                line("plaintext ", &self.file, Some(image.plaintext())),
                line("ciphertext", &self.out, ciphertext),
                self.info.display(),
                image.info().len(),
                match recipients.len() {
                    1 => "1 recipient".into(),
                    several => format!("{several} recipients"),
                }
            )
        });
        Ok(())
    }

    fn stream(
        &self,
        mut encryptor: PayloadEncryptor,
        target: &mut Target,
        output: Output,
    ) -> Result<EncryptedImage, Failure> {
        let mut plaintext = files::reader(&self.file)?;
        let known = fs::metadata(&self.file).ok();
        let total = known.filter(fs::Metadata::is_file).map(|file| file.len());
        let mut progress = Progress::new(output);
        progress.begin(self.file.display().to_string(), total);
        let mut buffer = vec![0; CHUNK];
        let mut ciphertext = Vec::new();
        loop {
            let read = plaintext.read(&mut buffer);
            let read = read.map_err(|error| Failure::file(&self.file, error))?;
            let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else {
                break;
            };
            ciphertext.clear();
            encryptor.update(chunk, &mut ciphertext)?;
            target.put(&ciphertext)?;
            progress.advance(read as u64);
        }
        ciphertext.clear();
        let image = encryptor.finish(&mut ciphertext)?;
        target.put(&ciphertext)?;
        Ok(image)
    }
}
