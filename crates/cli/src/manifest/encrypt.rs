use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use clap::{ArgGroup, Args};
use serde_json::json;
use tamarack_cose::aws_lc;
use tamarack_suit::{
    ComponentId,
    author::{EncryptedImage, PayloadEncryption, PayloadEncryptor},
};
use tempfile::NamedTempFile;

use super::{
    encryption::{Content, Exchange, Recipients},
    trust::FileWith,
    typed,
};
use crate::{
    failure::Failure,
    files,
    output::{DIM, Output},
    progress::Progress,
};

/// Encrypt a payload to devices.
///
///   tamarack manifest encrypt app.bin --component lamp/app --recipient device.pub.pem \
///       --out app.enc --info app.info
///   tamarack manifest create --component lamp/app --payload app.bin --ciphertext app.enc \
///       --encryption-info app.info --uri https://acme.example/app.enc -n 1 --key acme.pem \
///       --out lamp.suit
///
/// A fresh content key encrypts the payload, which may be of any size, and is itself encrypted to
/// each recipient. The info says how to decrypt: it goes into a manifest. `manifest create
/// --encrypt-to` does both at once.
///
/// Tamarack's devices decrypt what is for a component into that one only, whoever signs the
/// manifest. Other devices don't look at it, and AES key wrap has no place to say it.
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    group(ArgGroup::new("target").required(true).args(["component", "any_component"]))
)]
pub(crate) struct Encrypt {
    /// The payload.
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
        let [is_out_here, is_info_here] =
            [&self.out, &self.info].map(|path| path == Path::new("-"));
        if is_out_here && is_info_here {
            return Err(
                Failure::new("--out - and --info -: both can't go to standard output")
                    .hint("nobody could tell them apart; choose a file for one")
                    .code(2),
            );
        }
        let crypto = aws_lc::provider();
        let recipients = Recipients::read(&self.recipient, self.exchange, &crypto)?;
        let recipients = recipients.all()?;
        let component = self.component.as_ref();
        let encryptor =
            PayloadEncryption::new(self.algorithm.into()).start(&crypto, component, &recipients)?;
        let image = match is_out_here {
            true => self.stream(encryptor, &mut io::stdout().lock(), output)?,
            false => self.to_file(encryptor, output)?,
        };
        files::write(&self.info, image.info())?;
        if is_out_here || is_info_here {
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

    /// Encrypts from file to file. The ciphertext gets its name when it is whole.
    fn to_file(
        &self,
        encryptor: PayloadEncryptor,
        output: Output,
    ) -> Result<EncryptedImage, Failure> {
        let folder = match self.out.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let target = NamedTempFile::new_in(folder);
        let mut target = target.map_err(|error| Failure::file(&self.out, error))?;
        let image = self.stream(encryptor, &mut target, output)?;
        publish(target, &self.out)?;
        Ok(image)
    }

    fn stream(
        &self,
        mut encryptor: PayloadEncryptor,
        target: &mut dyn Write,
        output: Output,
    ) -> Result<EncryptedImage, Failure> {
        let from = |error: io::Error| Failure::file(&self.file, error);
        let to = |error: io::Error| Failure::file(&self.out, error);
        let mut plaintext = File::open(&self.file).map_err(from)?;
        let total = plaintext.metadata().map_err(from)?.len();
        let mut progress = Progress::new(output);
        progress.begin(self.file.display().to_string(), Some(total));
        let mut buffer = vec![0; CHUNK];
        let mut ciphertext = Vec::new();
        loop {
            let read = plaintext.read(&mut buffer).map_err(from)?;
            let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else {
                break;
            };
            ciphertext.clear();
            encryptor.update(chunk, &mut ciphertext)?;
            target.write_all(&ciphertext).map_err(to)?;
            progress.advance(read as u64);
        }
        ciphertext.clear();
        let image = encryptor.finish(&mut ciphertext)?;
        target.write_all(&ciphertext).map_err(to)?;
        target.flush().map_err(to)?;
        Ok(image)
    }
}

/// Gives a temporary file its name, and the rights that new files have.
fn publish(target: NamedTempFile, path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    let fault = |error: io::Error| Failure::file(path, error);
    // A ciphertext is to be given away.
    let permissions = std::fs::Permissions::from_mode(0o644);
    target
        .as_file()
        .set_permissions(permissions)
        .map_err(fault)?;
    target.persist(path).map_err(|error| fault(error.error))?;
    Ok(())
}
