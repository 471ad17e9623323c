//! `tamarack trust`: sets of trust anchors, described in JSON and encoded for devices.

use std::path::{Path, PathBuf};

use base16ct::lower::encode_string;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use tamarack_agent::{AnchorEntry, TrustAnchorSet};
use tamarack_cose::{
    CryptoProvider, KeyId, SignatureAlgorithm, aws_lc,
    x509::{Constraints, Purpose, Revocation, TrustAnchor},
};

use crate::{
    failure::Failure, files, key::certificate, key_file::KeyFile, manifest::typed, output::Output,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    Create(Create),
    /// Show what a set of trust anchors says.
    Show(Show),
}

/// Encode a set of trust anchors: the payload of a component trust-anchors/NAME,
/// which the device administrator signs and a TAM installs like any other.
///
///   tamarack trust create anchors.json --out anchors.cbor
///   tamarack manifest create --component trust-anchors/site \
///       --payload anchors.cbor --sequence-number 1 --key administrator.pem \
///       --out anchors.suit
///
/// The file has a list of anchors and a list of what is revoked; files are
/// relative to it:
///
///   { "anchors": [
///       { "purpose": "tam", "file": "tam.pub.pem" },
///       { "purpose": "tam", "file": "authority.crt.pem", "subject": "CN=TAM 1" },
///       { "purpose": "signer", "file": "vendor.crt.pem", "prefixes": ["acme"],
///         "algorithms": ["ESP256"], "not_after": 1900000000 } ],
///     "revoked": [ { "key_id": "496b…" }, { "certificate": "old.crt.pem" } ] }
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Create {
    /// The description, a JSON file.
    file: PathBuf,
    /// Where the payload goes, `-` for standard output.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
pub(crate) struct Show {
    /// The payload.
    file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    #[serde(default)]
    anchors: Vec<Anchor>,
    #[serde(default)]
    revoked: Vec<Revoked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Anchor {
    purpose: String,
    file: PathBuf,
    name: Option<String>,
    subject: Option<String>,
    algorithms: Option<Vec<String>>,
    not_after: Option<u64>,
    prefixes: Option<Vec<String>>,
    /// A purpose that the signer's certificate must name.
    extended_key_usage: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, untagged)]
enum Revoked {
    Key { key_id: String },
    Certificate { certificate: PathBuf },
}

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let crypto = aws_lc::provider();
        match self {
            Self::Create(command) => {
                files::keep_apart([&*command.file], [("--out", &*command.out)])?;
                let set = read_description(&command.file, &crypto)?;
                files::write(&command.out, &set.encode())?;
                if files::is_standard(&command.out) {
                    return Ok(());
                }
                output.result(&describe(&set, &crypto), || {
                    format!(
                        "{}: {} anchors, {} revocations",
                        command.out.display(),
                        set.anchors.len(),
                        set.revocations.len()
                    )
                });
            }
            Self::Show(command) => {
                let set = TrustAnchorSet::decode(&files::read(&command.file)?)
                    .map_err(|error| Failure::file(&command.file, error))?;
                let value = describe(&set, &crypto);
                output.result(&value, || format!("{value:#}"));
            }
        }
        Ok(())
    }
}

/// Reads a description in JSON, with the files that it names.
pub(crate) fn read_description(
    path: &Path,
    crypto: &CryptoProvider,
) -> Result<TrustAnchorSet, Failure> {
    let text = files::read_text(path)?;
    let description: Description =
        serde_json::from_str(&text).map_err(|error| Failure::file(path, error))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut set = TrustAnchorSet::default();
    for anchor in description.anchors {
        let wrong = |text: String| Failure::file(path, text);
        set.anchors.extend(anchor.entries(folder, crypto, &wrong)?);
    }
    for revoked in description.revoked {
        match revoked {
            Revoked::Key { key_id } => {
                let id = KeyId::from_hex(&key_id).ok_or_else(|| {
                    let text = format!("{key_id:?} is no key id of 64 hexadecimal digits");
                    Failure::file(path, text)
                })?;
                set.revocations.push(Revocation::Key(id));
            }
            Revoked::Certificate { certificate } => {
                let list = certificate::read(&folder.join(certificate))?;
                // Of a chain, the signer's own.
                set.revocations
                    .extend(list.iter().take(1).map(Revocation::of));
            }
        }
    }
    for (count, most, what) in [
        (set.anchors.len(), TrustAnchorSet::MAX_ANCHORS, "anchors"),
        (
            set.revocations.len(),
            TrustAnchorSet::MAX_REVOCATIONS,
            "revocations",
        ),
    ] {
        if count > most {
            return Err(Failure::file(
                path,
                format!("{count} {what}; a set has at most {most}"),
            ));
        }
    }
    Ok(set)
}

impl Anchor {
    fn entries(
        &self,
        folder: &Path,
        crypto: &CryptoProvider,
        wrong: &dyn Fn(String) -> Failure,
    ) -> Result<Vec<AnchorEntry>, Failure> {
        let purpose = |name: &str| {
            Purpose::from_name(name).ok_or_else(|| {
                wrong(format!(
                    "purpose {name:?} is none of tam, signer, tee, verifier"
                ))
            })
        };
        let algorithm = |name: &String| {
            let mut all = SignatureAlgorithm::ALL.into_iter();
            all.find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
                .ok_or_else(|| wrong(format!("algorithm {name:?} is not known")))
        };
        let constraints = Constraints {
            subject: self.subject.clone(),
            algorithms: match &self.algorithms {
                Some(names) => Some(names.iter().map(algorithm).collect::<Result<_, _>>()?),
                None => None,
            },
            not_after: self.not_after,
            extended_key_usage: match &self.extended_key_usage {
                Some(name) => Some(purpose(name)?.usage()),
                None => None,
            },
        };
        let prefix = |text: &String| {
            typed::identifier(text).map_err(|error| wrong(format!("prefix {text:?}: {error}")))
        };
        let prefixes = match &self.prefixes {
            Some(list) => Some(list.iter().map(prefix).collect::<Result<Vec<_>, _>>()?),
            None => None,
        };
        let own = purpose(&self.purpose)?;
        let name = self.name.clone();
        let name = name.unwrap_or_else(|| self.file.display().to_string());
        let anchors = read_anchors(&folder.join(&self.file), own, crypto)?.into_iter();
        Ok(anchors
            .map(|anchor| AnchorEntry {
                anchor: anchor.with_constraints(constraints.clone()),
                name: name.clone(),
                prefixes: prefixes.clone(),
            })
            .collect())
    }
}

/// The anchors in a file: the certificate in it, the first if there are several; or the keys.
pub(crate) fn read_anchors(
    path: &Path,
    purpose: Purpose,
    crypto: &CryptoProvider,
) -> Result<Vec<TrustAnchor>, Failure> {
    let file = KeyFile::read(path)?;
    if let Some(own) = file
        .certificates()?
        .and_then(|list| list.into_iter().next())
    {
        return Ok(vec![TrustAnchor::certificate(purpose, own)]);
    }
    let keys = file.publics(crypto)?.into_iter();
    Ok(keys.map(|key| TrustAnchor::key(purpose, key)).collect())
}

fn describe(set: &TrustAnchorSet, crypto: &CryptoProvider) -> Value {
    let anchors = set.anchors.iter().map(|entry| {
        let AnchorEntry {
            anchor,
            name,
            prefixes,
        } = entry;
        let constraints = &anchor.constraints;
        let algorithms = constraints.algorithms.as_ref().map(|list| {
            let names = list.iter().map(|algorithm| algorithm.name());
            names.collect::<Vec<_>>()
        });
        let prefixes = prefixes.as_ref().map(|list| {
            let texts = list.iter().map(ToString::to_string);
            texts.collect::<Vec<_>>()
        });
        json!({
            "purpose": anchor.purpose.name(),
            "name": name,
            "key_id": anchor.public_key().key_id(crypto).to_hex(),
            "certificate": anchor.as_certificate().map(|own| own.name().to_string()),
            "subject": constraints.subject,
            "algorithms": algorithms,
            "not_after": constraints.not_after,
            "extended_key_usage": constraints.extended_key_usage.as_ref().map(|usage| encode_string(usage)),
            "prefixes": prefixes,
        })
    });
    let revoked = set.revocations.iter().map(ToString::to_string);
    json!({
        "anchors": anchors.collect::<Vec<_>>(),
        "revoked": revoked.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::certificate::Role;

    #[test]
    fn every_role_is_a_purpose() {
        let purposes = [Role::Tam, Role::Signer, Role::Tee, Role::Verifier].map(Purpose::from);
        assert_eq!(purposes, Purpose::ALL);
    }
}
