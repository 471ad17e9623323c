//! To whom payloads are encrypted, and how.

use clap::ValueEnum;
use subtle::ConstantTimeEq;
use tamarack_cose::{
    CryptoProvider, SymmetricKey,
    encrypt::{ContentAlgorithm, EncryptionKey, Recipient},
};

use super::trust::FileWith;
use crate::{
    failure::Failure,
    key_file::{KeyFile, Kind},
};

/// How content is encrypted. AES-CTR and AES-CBC notice no change themselves: the digests in the manifest do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Content {
    A128gcm,
    A192gcm,
    A256gcm,
    Chacha20Poly1305,
    A128ctr,
    A192ctr,
    A256ctr,
    A128cbc,
    A192cbc,
    A256cbc,
}

impl From<Content> for ContentAlgorithm {
    fn from(content: Content) -> Self {
        match content {
            Content::A128gcm => Self::A128Gcm,
            Content::A192gcm => Self::A192Gcm,
            Content::A256gcm => Self::A256Gcm,
            Content::Chacha20Poly1305 => Self::ChaCha20Poly1305,
            Content::A128ctr => Self::A128Ctr,
            Content::A192ctr => Self::A192Ctr,
            Content::A256ctr => Self::A256Ctr,
            Content::A128cbc => Self::A128Cbc,
            Content::A192cbc => Self::A192Cbc,
            Content::A256cbc => Self::A256Cbc,
        }
    }
}

/// How a content key gets to who has a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Exchange {
    /// Ephemeral-static Diffie-Hellman and AES key wrap.
    EcdhEs,
    /// HPKE, with the suite that is preferred for the key's curve.
    Hpke,
}

/// Those to whom something is encrypted.
pub(super) struct Recipients {
    keys: Vec<(Key, Option<Vec<u8>>)>,
    exchange: Exchange,
}

enum Key {
    Public(EncryptionKey),
    Shared(SymmetricKey),
}

impl Key {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Public(one), Self::Public(other)) => one == other,
            (Self::Shared(one), Self::Shared(other)) => {
                one.secret_bytes().ct_eq(other.secret_bytes()).into()
            }
            _ => false,
        }
    }
}

impl Recipients {
    /// Reads the recipients' keys, each with the id by which its owner knows it: the one that is given, or
    /// else the file's.
    pub(super) fn read(
        keys: &[FileWith],
        exchange: Exchange,
        crypto: &CryptoProvider,
    ) -> Result<Self, Failure> {
        let read = |with: &FileWith| -> Result<_, Failure> {
            let file = KeyFile::read(&with.path)?;
            let key = match file.kind() {
                Kind::Symmetric => Key::Shared(file.wrapping()?),
                _ => Key::Public(file.encryption(crypto)?),
            };
            Ok((key, with.key_id(&file)?))
        };
        let mut all: Vec<(Key, Option<Vec<u8>>)> = Vec::new();
        for with in keys {
            let one = read(with)?;
            if all.iter().any(|(known, _)| known.is(&one.0)) {
                let path = with.path.display();
                return Err(Failure::usage(format!("{path}: this key is there twice")));
            }
            all.push(one);
        }
        Ok(Self {
            keys: all,
            exchange,
        })
    }

    pub(super) fn all(&self) -> Result<Vec<Recipient<'_>>, Failure> {
        let recipients = self.keys.iter().map(|(key, named)| {
            let recipient = match (key, self.exchange) {
                (Key::Shared(key), _) => Recipient::wrapping(key)?,
                (Key::Public(key), Exchange::EcdhEs) => Recipient::agreement(key),
                (Key::Public(key), Exchange::Hpke) => Recipient::hpke(key),
            };
            Ok(match named {
                Some(named) => recipient.with_key_id(named),
                None => recipient,
            })
        });
        recipients.collect()
    }
}
