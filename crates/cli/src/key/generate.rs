use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use tamarack_cose::{
    CryptoProvider, MacAlgorithm, PublicKey, SecretKey, SignatureAlgorithm, SymmetricKey,
    encrypt::{Curve, DecryptionKey, KeyWrap},
    hss::{HssHash, HssLevel, HssSecretKey},
};

use crate::{
    failure::Failure,
    files::{self, Target},
    hss_file::{HssFile, state_path},
    key_file::KeyFormat,
    output::{BAD, Output},
    symmetric_file::Use,
};

/// Make a key. The secret goes to a file that only you can read.
///
///   tamarack key generate --out acme.pem --public acme.pub.pem
///   tamarack key generate --algorithm x25519 --out device.pem \
///       --public device.pub.pem
///   tamarack key generate --algorithm hmac256 --out shared.jwk
///   tamarack key generate --algorithm hss-lms --levels 10/4,10/4 --out hss.key \
///       --public hss.pub.pem
///
/// esp256, ed25519 and hss-lms sign; ecdh-p256 and x25519 are for content that is
/// encrypted to a device; hmac256 to hmac512 are shared by who makes and who
/// checks a MAC; a128kw to a256kw wrap other keys.
///
/// An hss-lms key makes a fixed number of signatures, each with a number of its
/// own, and is counted in a file beside it: FILE.state. Two signatures with one
/// number give the key away. Never copy the two files, and never restore them from
/// a backup.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Generate {
    /// What the key is for.
    #[arg(long, value_enum, default_value = "esp256")]
    algorithm: Kind,
    /// The trees of an hss-lms key, the top one first, each as HEIGHT or HEIGHT/WIDTH: height 5, 10, 15 or 20,
    /// width 1, 2, 4 or 8. The key makes 2 to the power of all heights signatures; wider is shorter and slower.
    /// 10/4,10/4 by default.
    #[arg(long, value_name = "LEVELS", value_delimiter = ',', value_parser = level)]
    levels: Vec<HssLevel>,
    /// Where the private or shared key goes, `-` for standard output.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Where the public key goes, if it is wanted in a file; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
    /// The format of both: by default PEM for key pairs, and JWK for shared keys, for which there is no PEM. A
    /// private hss-lms key has a form of its own.
    #[arg(long, value_enum)]
    format: Option<KeyFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// ECDSA on P-256 with SHA-256.
    Esp256,
    /// Ed25519.
    Ed25519,
    /// HSS/LMS with SHA-256: hash-based signatures, safe from quantum computers.
    HssLms,
    /// Diffie-Hellman on P-256.
    EcdhP256,
    /// Diffie-Hellman on Curve25519.
    X25519,
    /// HMAC with SHA-256.
    Hmac256,
    /// HMAC with SHA-384.
    Hmac384,
    /// HMAC with SHA-512.
    Hmac512,
    /// AES key wrap, 128 bits.
    A128kw,
    /// AES key wrap, 192 bits.
    A192kw,
    /// AES key wrap, 256 bits.
    A256kw,
}

/// Each of the two trees of an hss-lms key by default.
const DEFAULT_LEVEL: HssLevel = HssLevel {
    hash: HssHash::Sha256,
    height: 10,
    width: 4,
};

fn level(text: &str) -> Result<HssLevel, String> {
    let (height, width) = text.split_once('/').unwrap_or((text, "4"));
    let number = |text: &str| text.parse::<u8>().ok();
    match (number(height), number(width)) {
        (Some(height @ (5 | 10 | 15 | 20)), Some(width @ (1 | 2 | 4 | 8))) => Ok(HssLevel {
            hash: HssHash::Sha256,
            height,
            width,
        }),
        _ => Err("a tree has height 5, 10, 15 or 20, and width 1, 2, 4 or 8, as in 10/4".into()),
    }
}

impl Generate {
    pub(super) fn run(self, crypto: &CryptoProvider, output: Output) -> Result<(), Failure> {
        if !self.levels.is_empty() && self.algorithm != Kind::HssLms {
            return Err(Failure::usage("--levels is for --algorithm hss-lms only"));
        }
        let state = state_path(&self.out);
        let mut outputs = vec![("--out", &*self.out)];
        if self.algorithm == Kind::HssLms {
            outputs.push(("the state", &state));
        }
        outputs.extend(self.public.as_deref().map(|public| ("--public", public)));
        files::keep_apart([], outputs)?;
        match self.algorithm {
            Kind::Esp256 => self.signing(SignatureAlgorithm::Esp256, crypto, output),
            Kind::Ed25519 => self.signing(SignatureAlgorithm::Ed25519, crypto, output),
            Kind::HssLms => self.hss(crypto, output),
            Kind::EcdhP256 => self.agreement(Curve::P256, "ECDH P-256", crypto, output),
            Kind::X25519 => self.agreement(Curve::X25519, "X25519", crypto, output),
            Kind::Hmac256 => self.shared(Use::Mac(MacAlgorithm::Hmac256), crypto, output),
            Kind::Hmac384 => self.shared(Use::Mac(MacAlgorithm::Hmac384), crypto, output),
            Kind::Hmac512 => self.shared(Use::Mac(MacAlgorithm::Hmac512), crypto, output),
            Kind::A128kw => self.shared(Use::Wrap(KeyWrap::A128Kw), crypto, output),
            Kind::A192kw => self.shared(Use::Wrap(KeyWrap::A192Kw), crypto, output),
            Kind::A256kw => self.shared(Use::Wrap(KeyWrap::A256Kw), crypto, output),
        }
    }

    fn format(&self) -> KeyFormat {
        self.format.unwrap_or(KeyFormat::Pem)
    }

    fn signing(
        &self,
        algorithm: SignatureAlgorithm,
        crypto: &CryptoProvider,
        output: Output,
    ) -> Result<(), Failure> {
        let key = SecretKey::generate(crypto, algorithm)?;
        let secret = self.secret(&self.format().encode_secret(&key)?)?;
        self.made([secret], key.public_key(), "", crypto, output)
    }

    fn hss(&self, crypto: &CryptoProvider, output: Output) -> Result<(), Failure> {
        let levels = match self.levels.as_slice() {
            [] => &[DEFAULT_LEVEL; 2],
            levels => levels,
        };
        let key = HssSecretKey::generate(crypto, levels)?;
        let capacity = key.capacity();
        let (public, secrets) = HssFile::create(&self.out, key, crypto)?;
        let warning = format!(
            "\n{BAD}It makes {capacity} signatures, counted in {}.state. Never copy or restore either file: \
             two signatures with one number give the key away.{BAD:#}",
            self.out.display()
        );
        self.made(secrets, &public, &warning, crypto, output)
    }

    /// A private or shared key in its file, to be published.
    fn secret(&self, bytes: &[u8]) -> Result<Target, Failure> {
        let mut target = Target::secret(&self.out)?;
        target.put(bytes)?;
        Ok(target)
    }

    /// Publishes secrets with the public half, if that is wanted: all of them, or none.
    fn publish(
        &self,
        secrets: impl IntoIterator<Item = Target>,
        public: impl FnOnce() -> Result<Vec<u8>, Failure>,
    ) -> Result<(), Failure> {
        let half = match &self.public {
            Some(path) => {
                let mut target = Target::replacing(path)?;
                target.put(&public()?)?;
                Some(target)
            }
            None => None,
        };
        files::publish(secrets.into_iter().chain(half))
    }

    /// Publishes a key that signs, and says what was made.
    fn made(
        &self,
        secrets: impl IntoIterator<Item = Target>,
        public: &PublicKey,
        warning: &str,
        crypto: &CryptoProvider,
        output: Output,
    ) -> Result<(), Failure> {
        self.publish(secrets, || self.format().encode_public(public))?;
        let algorithm = public.algorithm().name();
        self.tell(algorithm, &public.key_id(crypto).to_hex(), warning, output);
        Ok(())
    }

    fn agreement(
        &self,
        curve: Curve,
        name: &str,
        crypto: &CryptoProvider,
        output: Output,
    ) -> Result<(), Failure> {
        let key = DecryptionKey::generate(crypto, curve)?;
        let secret = self.secret(&self.format().encode_decryption(&key, crypto)?)?;
        self.publish([secret], || {
            self.format().encode_encryption(key.public_key())
        })?;
        self.tell(name, &key.public_key().key_id(crypto).to_hex(), "", output);
        Ok(())
    }

    fn shared(
        &self,
        used_for: Use,
        crypto: &CryptoProvider,
        output: Output,
    ) -> Result<(), Failure> {
        if self.public.is_some() {
            return Err(Failure::usage("--public: a shared key has no public half"));
        }
        let format = match self.format {
            Some(KeyFormat::Pem) => {
                return Err(
                    Failure::usage("--format pem: there is no PEM for shared keys")
                        .hint("choose jwk or cose"),
                );
            }
            Some(format) => format,
            None => KeyFormat::Jwk,
        };
        let key = SymmetricKey::generate(crypto, used_for.key_len())?;
        files::write_secret(&self.out, &used_for.encode(&key, format))?;
        let key = used_for.key(key).map_err(tamarack_cose::Error::from)?;
        self.tell(used_for.name(), &key.id(crypto).to_hex(), "", output);
        Ok(())
    }

    fn tell(&self, algorithm: &str, id: &str, warning: &str, output: Output) {
        let written = [Some(&self.out), self.public.as_ref()];
        if written
            .into_iter()
            .flatten()
            .any(|path| files::is_standard(path))
        {
            return;
        }
        let value = json!({
            "algorithm": algorithm,
            "key_id": id,
            "private_key": self.out,
            "public_key": self.public,
        });
        output.result(&value, || {
            let shown = |path: &Path| path.display().to_string();
            let mut text = format!("{algorithm} key {id}\nsecret key:  {}", shown(&self.out));
            if let Some(path) = &self.public {
                text += &format!("\npublic key:  {}", shown(path));
            }
            text + warning
        });
    }
}
