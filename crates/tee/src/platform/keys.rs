//! The keys that every platform keeps: for Evidence, for TEEP messages, for what is encrypted to the TEE.

use std::path::{Path, PathBuf};

use tamarack_cose::{
    CryptoProvider, SignatureAlgorithm, Signer,
    encrypt::{Curve, DecryptionKey, EncryptionKey, RecipientKey},
    x509::{Certificate, CertifiedSigner},
};

use super::{PlatformFault, files, secrets::Secrets};

/// The key that signs Evidence.
pub(super) const ATTESTER: &str = "attester.key";

/// The algorithm of the key that signs Evidence.
const ATTESTER_ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::Esp256;

/// The file with the names of the algorithms.
const ALGORITHMS: &str = "algorithms";

/// The curves and files of the recipient keys: what each SUIT COSE profile asks for.
const RECIPIENTS: [(Curve, &str); 2] = [
    (Curve::P256, "recipient-p256.key"),
    (Curve::X25519, "recipient-x25519.key"),
];

/// The keys, ready for use.
pub(super) struct Keys {
    pub(super) attester: Box<dyn Signer>,
    pub(super) teep: Vec<Box<dyn Signer>>,
    pub(super) recipient: Vec<RecipientKey>,
    pub(super) encryption: Vec<EncryptionKey>,
}

/// Makes all of them in an empty folder, with TEEP keys of these algorithms.
pub(super) fn make(
    folder: &Path,
    secrets: &dyn Secrets,
    teep_algorithms: &[SignatureAlgorithm],
) -> Result<(), PlatformFault> {
    secrets.make_signer(&folder.join(ATTESTER), ATTESTER_ALGORITHM)?;
    let mut algorithms = String::new();
    for algorithm in teep_algorithms {
        secrets.make_signer(&folder.join(teep_file(algorithm.name())), *algorithm)?;
        algorithms = format!("{algorithms}{}\n", algorithm.name());
    }
    files::create(&folder.join(ALGORITHMS), algorithms.as_bytes())?;
    for (curve, file) in RECIPIENTS {
        let key = DecryptionKey::generate(secrets.crypto(), curve)?;
        secrets.write(&folder.join(file), &key.to_cose_key())?;
    }
    Ok(())
}

impl Keys {
    /// Those of the folder in which they were made.
    pub(super) fn open(folder: &Path, secrets: &dyn Secrets) -> Result<Self, PlatformFault> {
        let crypto = secrets.crypto();
        let path = folder.join(ATTESTER);
        let attester = certified(secrets.signer(&path, ATTESTER_ALGORITHM)?, &path)?;
        let recipients = RECIPIENTS
            .iter()
            .map(|(_, file)| read_decryption_key(&folder.join(file), secrets))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            attester,
            teep: teep_keys(folder, secrets)?,
            encryption: recipients.iter().map(|key| *key.public_key()).collect(),
            recipient: recipients
                .into_iter()
                .map(|key| recipient(crypto, key))
                .collect(),
        })
    }

    /// Gives the key in `folder` that the first certificate is for this chain. It counts from the next start on.
    pub(super) fn certify(
        &self,
        folder: &Path,
        chain: &[Certificate],
    ) -> Result<(), PlatformFault> {
        let teep = self.teep.iter().map(|signer| {
            let key = signer.public_key();
            (key, teep_file(key.algorithm().name()))
        });
        let mut keys = teep.chain([(self.attester.public_key(), ATTESTER.into())]);
        let damaged = |problem: String| PlatformFault::Damaged {
            path: folder.into(),
            problem,
        };
        let own = chain.first().map(Certificate::key);
        let Some((_, file)) = keys.find(|(key, _)| Some(*key) == own) else {
            return Err(damaged(
                "the first certificate is for none of the keys of this device".into(),
            ));
        };
        let blocks = chain.iter().map(Certificate::to_pem);
        let text: String = blocks
            .collect::<Result<_, _>>()
            .map_err(|error| damaged(error.to_string()))?;
        files::replace(&certificates_of(&folder.join(file)), text.as_bytes())
    }
}

fn recipient(crypto: &CryptoProvider, key: DecryptionKey) -> RecipientKey {
    let key_id = key.public_key().key_id(crypto);
    RecipientKey::agreement(crypto, key).with_key_id(key_id.as_bytes())
}

fn teep_file(algorithm: &str) -> String {
    format!("teep-{}.key", algorithm.to_ascii_lowercase())
}

/// The keys that sign TEEP messages, as the file with the algorithms lists them.
fn teep_keys(folder: &Path, secrets: &dyn Secrets) -> Result<Vec<Box<dyn Signer>>, PlatformFault> {
    let path = folder.join(ALGORITHMS);
    let damaged = |problem: &str| PlatformFault::Damaged {
        path: path.clone(),
        problem: problem.into(),
    };
    let text = files::read(&path)?;
    let names = core::str::from_utf8(&text).map_err(|_| damaged("it is no text"))?;
    let mut keys = Vec::new();
    for name in names.lines() {
        let known = [SignatureAlgorithm::Esp256, SignatureAlgorithm::Ed25519];
        let Some(algorithm) = known.into_iter().find(|known| known.name() == name) else {
            return Err(damaged(
                "it names an algorithm that TEEP does not sign with",
            ));
        };
        let path = folder.join(teep_file(name));
        keys.push(certified(secrets.signer(&path, algorithm)?, &path)?);
    }
    match keys.is_empty() {
        true => Err(damaged("it names no algorithm")),
        false => Ok(keys),
    }
}

fn read_decryption_key(path: &Path, secrets: &dyn Secrets) -> Result<DecryptionKey, PlatformFault> {
    let bytes = secrets.read(path)?;
    DecryptionKey::from_cose_key(secrets.crypto(), &bytes).map_err(|error| PlatformFault::Damaged {
        path: path.into(),
        problem: error.to_string(),
    })
}

/// Where the certificates of the key in a file are.
fn certificates_of(key: &Path) -> PathBuf {
    key.with_extension("certificates.pem")
}

/// The signer with the certificates in the file beside that of its key, if it is there.
fn certified(signer: Box<dyn Signer>, key: &Path) -> Result<Box<dyn Signer>, PlatformFault> {
    let path = &certificates_of(key);
    let damaged = |problem: String| PlatformFault::Damaged {
        path: path.into(),
        problem,
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(signer),
        Err(error) => return Err(PlatformFault::file("read", path)(error)),
    };
    let list = Certificate::list_from_pem(&text).map_err(|error| damaged(error.to_string()))?;
    let chain = list.iter().map(|certificate| certificate.to_der().to_vec());
    match CertifiedSigner::new(signer, chain.collect()) {
        Ok(certified) => Ok(Box::new(certified)),
        Err(_) => Err(damaged("the first certificate is not for the key".into())),
    }
}
