//! Whom a command believes, and who signs.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use tamarack_cose::{
    CryptoProvider, KeyId, Mac, Mac0, MacKey, MacWrappingKey, Signed, Signer, x509,
};
use tamarack_suit::{AnchorKey, Authority, ComponentId, TrustAnchor, TrustAnchors};

use super::typed;
use crate::{
    failure::Failure,
    key::certificate,
    key_file::{KeyFile, Kind},
    symmetric_file::Shared,
};

/// A file, and what is said of it after `=`.
#[derive(Debug, Clone)]
pub(super) struct FileWith {
    pub(super) path: PathBuf,
    pub(super) addition: Option<String>,
}

impl FromStr for FileWith {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let whole = Path::new(text);
        Ok(match text.rsplit_once('=') {
            // A file may be called so.
            Some((path, addition)) if !whole.exists() => Self {
                path: path.into(),
                addition: Some(addition.into()),
            },
            _ => Self {
                path: whole.into(),
                addition: None,
            },
        })
    }
}

impl FileWith {
    /// The id by which the key is known: the addition, as text or hexadecimal after `0x`, or else what the
    /// file says.
    pub(super) fn key_id(&self, file: &KeyFile) -> Result<Option<Vec<u8>>, Failure> {
        let Some(text) = &self.addition else {
            return Ok(file.about().key_id);
        };
        let id = match text.strip_prefix("0x") {
            Some(digits) => base16ct::mixed::decode_vec(digits).map_err(|_| {
                let problem = "pairs of hexadecimal digits are expected after 0x";
                Failure::usage(format!("{}={text}: {problem}", self.path.display()))
            })?,
            None => text.clone().into_bytes(),
        };
        match id.is_empty() {
            true => Err(Failure::usage(format!(
                "{}={text}: the id after `=` is empty",
                self.path.display()
            ))
            .hint("without `=`, the key has the id that its file says, or else none")),
            false => Ok(Some(id)),
        }
    }
}

/// The keys that are trusted.
#[derive(Args)]
pub(super) struct Trust {
    /// A file with keys that are trusted: public keys in PEM, JWK or COSE_Key, or a secret that is shared for
    /// MACs. May be given several times; one key must have signed. `FILE=acme,lamp/app` trusts them with
    /// components and manifests below these identifiers only.
    #[arg(long, short, value_name = "FILE[=PREFIX,…]", required = true)]
    key: Vec<FileWith>,
    /// How many different keys must have signed.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    at_least: u32,
}

/// A key that is trusted, where it is from, and what for.
pub(super) struct Trusted {
    pub(super) path: PathBuf,
    pub(super) key: AnchorKey,
    /// The name by which manifests call it, beside its own id.
    named: Option<Vec<u8>>,
    prefixes: Option<Vec<ComponentId>>,
}

impl Trust {
    /// The files with the keys.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.key.iter().map(|file| &*file.path)
    }

    /// How many of `given` keys must have signed.
    pub(super) fn needed(&self, given: usize) -> Result<usize, Failure> {
        let needed = usize::try_from(self.at_least).unwrap_or(usize::MAX);
        let keys = match given {
            1 => "key is",
            _ => "different keys are",
        };
        match needed > given {
            true => Err(Failure::usage(format!(
                "--at-least {needed}: only {given} {keys} given"
            ))),
            false => Ok(needed),
        }
    }

    /// Reads the keys; one that is given twice counts once, with all its prefixes.
    pub(super) fn read(&self, crypto: &CryptoProvider) -> Result<Vec<Trusted>, Failure> {
        let mut all: Vec<Trusted> = Vec::new();
        for file in &self.key {
            let prefixes = match &file.addition {
                Some(list) => Some(prefixes(&file.path, list)?),
                None => None,
            };
            for (key, named) in keys(&file.path, crypto)? {
                let id = key_id(&key, crypto);
                let known = all.iter_mut().find(|known| known.id(crypto) == id);
                match (known, &prefixes) {
                    (Some(known), None) => known.prefixes = None,
                    (Some(known), Some(more)) => {
                        if let Some(prefixes) = &mut known.prefixes {
                            prefixes.extend(more.iter().cloned());
                        }
                    }
                    (None, _) => all.push(Trusted {
                        path: file.path.clone(),
                        key,
                        named,
                        prefixes: prefixes.clone(),
                    }),
                }
            }
        }
        Ok(all)
    }
}

/// The prefixes after `=`. An empty one, which would be a prefix of everything, is never meant: it is what a comma too
/// much leaves, or a shell variable that is not set.
fn prefixes(path: &Path, list: &str) -> Result<Vec<ComponentId>, Failure> {
    let parsed = list.split(',').map(|text| {
        typed::identifier(text).map_err(|error| {
            let path = path.display();
            Failure::usage(format!("--key {path}={list}: prefix {text:?}: {error}")).hint(
                "an empty prefix would be one of everything; to trust a key with everything, leave out the `=`",
            )
        })
    });
    parsed.collect()
}

/// A key, and the name that its file gives a shared one.
type NamedKey = (AnchorKey, Option<Vec<u8>>);

/// The keys in a file.
fn keys(path: &Path, crypto: &CryptoProvider) -> Result<Vec<NamedKey>, Failure> {
    let file = KeyFile::read(path)?;
    if file.kind() == Kind::Symmetric {
        let key = match file.shared()?.1 {
            Shared::Mac(key) => key.into(),
            Shared::Wrapping(key) => key.into(),
        };
        return Ok(vec![(key, file.about().key_id)]);
    }
    // A certificate vouches for its own key, and as an authority for those of others.
    if let Some(own) = file
        .certificates()?
        .and_then(|list| list.into_iter().next())
    {
        let anchor = x509::TrustAnchor::certificate(x509::Purpose::Signer, own);
        return Ok(vec![(anchor.into(), None)]);
    }
    let keys = file.publics(crypto)?.into_iter();
    Ok(keys.map(|key| (key.into(), None)).collect())
}

fn key_id(key: &AnchorKey, crypto: &CryptoProvider) -> Option<KeyId> {
    match key {
        AnchorKey::Public(key) => Some(key.key_id(crypto)),
        AnchorKey::Mac(key) => Some(key.key_id(crypto)),
        AnchorKey::Wrapping(key) => Some(key.key_id(crypto)),
        AnchorKey::Issuer(anchor) => Some(anchor.public_key().key_id(crypto)),
        _ => None,
    }
}

impl Trusted {
    pub(super) fn id(&self, crypto: &CryptoProvider) -> Option<KeyId> {
        key_id(&self.key, crypto)
    }

    /// Whether the key is trusted with something only.
    pub(super) fn is_restricted(&self) -> bool {
        self.prefixes.is_some()
    }

    /// Whether a party is whom this key stands for.
    pub(super) fn is(&self, authority: &Authority, crypto: &CryptoProvider) -> bool {
        match (&self.key, authority) {
            (AnchorKey::Issuer(anchor), Authority::Certified(id)) => anchor.id(crypto) == *id,
            _ => self.id(crypto) == Some(authority.key_id(crypto)),
        }
    }

    /// Whether this key made an authentication block about `payload`.
    pub(super) fn made(&self, block: &[u8], payload: &[u8], crypto: &CryptoProvider) -> bool {
        match &self.key {
            AnchorKey::Public(key) => Signed::decode(block).is_ok_and(|signed| {
                let keys = std::slice::from_ref(key);
                signed.verify(crypto, keys, Some(payload)).is_ok()
            }),
            AnchorKey::Issuer(anchor) => Signed::decode(block).is_ok_and(|signed| {
                let anchors = std::slice::from_ref(&**anchor);
                let revocations = x509::Revocations::default();
                let trust = x509::Trust::new(anchors, &revocations, certificate::now());
                let signer = x509::Purpose::Signer;
                signed
                    .verify_trusted(crypto, &trust, signer, Some(payload))
                    .is_ok()
            }),
            AnchorKey::Mac(key) => {
                let alone = Mac0::decode(block)
                    .is_ok_and(|mac| mac.verify(crypto, key, Some(payload)).is_ok());
                alone
                    || Mac::decode(block)
                        .is_ok_and(|mac| mac.verify_direct(crypto, 0, key, Some(payload)).is_ok())
            }
            AnchorKey::Wrapping(key) => Mac::decode(block).is_ok_and(|mac| {
                let mut indices = 0..mac.recipients().len();
                indices.any(|at| mac.verify_wrapped(crypto, at, key, Some(payload)).is_ok())
            }),
            _ => false,
        }
    }

    /// Whether an authentication block names this key.
    pub(super) fn is_named(&self, key_id: &[u8], crypto: &CryptoProvider) -> bool {
        let own = self.id(crypto);
        own.is_some_and(|id| id.as_bytes() == key_id) || self.named.as_deref() == Some(key_id)
    }
}

/// The anchors for a processor or an authentication.
pub(super) fn anchors(trusted: &[Trusted], needed: usize, crypto: &CryptoProvider) -> TrustAnchors {
    let anchors = trusted.iter().map(|trusted| {
        let mut anchor = TrustAnchor::new(trusted.key.clone());
        if let Some(named) = &trusted.named {
            anchor = anchor.with_key_id(named.clone());
        }
        match &trusted.prefixes {
            Some(prefixes) => anchor.with_prefixes(prefixes.iter().cloned()),
            None => anchor,
        }
    });
    TrustAnchors::new(crypto, anchors)
        .with_certificates(certificate::now(), x509::Revocations::default())
        .with_threshold(needed)
}

/// A key that vouches for manifests.
pub(super) enum Voucher {
    /// By a signature.
    Signer(Box<dyn Signer>),
    /// By a MAC, for those who share the key; with the name by which they know it.
    Mac(MacKey, Option<Vec<u8>>),
    /// By a MAC under a fresh key that this one wraps.
    Wrapping(MacWrappingKey, Option<Vec<u8>>),
}

impl Voucher {
    /// Reads a private or shared key. An HSS/LMS key is locked until the voucher is dropped.
    pub(super) fn read(path: &Path, crypto: &CryptoProvider) -> Result<Self, Failure> {
        let file = KeyFile::read(path)?;
        Ok(match file.kind() {
            Kind::Hss => Self::Signer(Box::new(file.hss()?.signer(crypto)?)),
            Kind::Asymmetric => Self::Signer(file.signer(crypto)?),
            Kind::Symmetric => match file.shared()?.1 {
                Shared::Mac(key) => Self::Mac(key, file.about().key_id),
                Shared::Wrapping(key) => Self::Wrapping(key, file.about().key_id),
            },
        })
    }

    /// The id of the key in hexadecimal.
    pub(super) fn id(&self, crypto: &CryptoProvider) -> String {
        let id = match self {
            Self::Signer(signer) => signer.public_key().key_id(crypto),
            Self::Mac(key, _) => key.key_id(crypto),
            Self::Wrapping(key, _) => key.key_id(crypto),
        };
        id.to_hex()
    }

    /// What the key makes, in a word.
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::Signer(_) => "signed",
            Self::Mac(..) | Self::Wrapping(..) => "MACed",
        }
    }
}
