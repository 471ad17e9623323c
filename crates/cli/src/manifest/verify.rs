use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use tamarack_cose::{CryptoProvider, Headers, Mac, Mac0, Signed, aws_lc};
use tamarack_suit::{
    Access, AccessControl, AuthenticatedEnvelope, Envelope,
    explain::{self, Tree},
};

use super::{
    decode,
    trust::{Trust, Trusted, anchors},
};
use crate::{
    failure::Failure,
    files,
    output::{BAD, DIM, GOOD, Output},
};

/// Check who signed a manifest, and that what the envelope carries is what the manifest promises.
///
///   tamarack manifest verify hello.suit --key acme.pub.pem
///   tamarack manifest verify hello.suit --key acme.pub.pem --key auditor.pub.pem --all
///
/// Says of each signature by whose key it is, and compares the digests of the manifest, of severed parts
/// and of payloads. Exit code 0 if all of that holds and enough of the keys have signed, 1 if not.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Verify {
    /// The envelope, `-` for standard input.
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// All of the keys must have signed.
    #[arg(long, conflicts_with = "at_least")]
    all: bool,
}

/// Something that was looked at, and whether it holds; `None` where nothing can be said.
struct Check {
    what: String,
    holds: Option<bool>,
    why: String,
}

impl Verify {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        files::keep_apart(self.trust.files().chain([&*self.file]), [])?;
        let crypto = aws_lc::provider();
        let trusted = self.trust.read(&crypto)?;
        let needed = match self.all {
            true => trusted.len(),
            false => self.trust.needed(trusted.len())?,
        };
        let bytes = files::read(&self.file)?;
        let envelope = decode(&self.file, &bytes)?;
        // Too few signatures are counted below, after a look at each.
        let authenticated = envelope.authenticate(&crypto, &anchors(&trusted, 1, &crypto));
        let described = explain::describe(&envelope, Some(&crypto));
        let signatures = signatures(&envelope, &described, &trusted, &crypto);
        let carried = carried(&described);

        let signers = match &authenticated {
            Ok(authenticated) => authenticated.signers(),
            Err(_) => &[],
        };
        let trouble = match &authenticated {
            Err(error) => Some(error.to_string()),
            Ok(_) if signers.len() < needed => {
                let given = trusted.len();
                let signed = signers.len();
                Some(format!(
                    "{signed} of {given} keys have signed; {needed} are needed"
                ))
            }
            Ok(authenticated) => foreign(authenticated, &trusted, needed, &crypto).or_else(|| {
                let spoiled = carried.iter().find(|check| check.holds == Some(false));
                spoiled.map(|check| format!("{}: {}", check.what, check.why))
            }),
        };
        let manifest = envelope.unverified_manifest().ok();
        let identifier = manifest.as_ref().map(|m| m.placement().to_string());
        let number = manifest.as_ref().map(|m| m.sequence_number.0);
        let ids: Vec<String> = signers
            .iter()
            .map(|key| key.key_id(&crypto).to_hex())
            .collect();
        let checks = || signatures.iter().chain(&carried);
        let value = json!({
            "verified": trouble.is_none(),
            "manifest": identifier,
            "sequence_number": number,
            "digest": envelope.claimed_digest().to_string(),
            "signers": ids,
            "needed": needed,
            "signatures": signatures.iter().map(Check::to_json).collect::<Vec<_>>(),
            "carried": carried.iter().map(Check::to_json).collect::<Vec<_>>(),
        });
        output.result(&value, || {
            let width = checks().map(|check| check.what.chars().count()).max();
            let width = width.unwrap_or(0);
            let mut lines: Vec<String> = checks().map(|check| check.line(width)).collect();
            if trouble.is_none() {
                lines.push(format!(
                    "{GOOD}verified{GOOD:#}: manifest {}, number {}, signed by {}",
                    identifier.unwrap_or_default(),
                    number.unwrap_or_default(),
                    ids.join(", ")
                ));
            }
            lines.join("\n")
        });
        match trouble {
            None => Ok(()),
            Some(trouble) => Err(Failure::file(&self.file, trouble)),
        }
    }
}

/// What each authentication block is worth with the keys that are trusted.
fn signatures(
    envelope: &Envelope<'_>,
    described: &Tree,
    trusted: &[Trusted],
    crypto: &CryptoProvider,
) -> Vec<Check> {
    let payload = envelope.digest_bytes();
    let digest_matches = envelope
        .claimed_digest()
        .matches(crypto, envelope.manifest_item());
    let mut checks = vec![Check {
        what: "manifest".into(),
        holds: Some(digest_matches == Ok(true)),
        why: match digest_matches {
            Ok(true) => format!("has its digest {}", envelope.claimed_digest()),
            Ok(false) => "is not the one that the signatures are about".into(),
            Err(error) => error.to_string(),
        },
    }];
    let described = described.get("signatures").map_or(&[][..], Tree::items);
    let blocks = envelope.authentication_blocks().iter().zip(described);
    for (position, (block, names)) in blocks.enumerate() {
        let algorithm = names.word("algorithm");
        let algorithm = algorithm.unwrap_or_else(|| "several algorithms".into());
        let what = format!("signature {}", position + 1);
        let key_ids = key_ids(block);
        let by: Vec<&Trusted> = trusted
            .iter()
            .filter(|trusted| trusted.made(block, payload, crypto))
            .collect();
        let named = trusted
            .iter()
            .find(|trusted| key_ids.iter().any(|id| trusted.is_named(id, crypto)));
        let paths: Vec<String> = by.iter().map(|t| t.path.display().to_string()).collect();
        checks.push(match (by.is_empty(), named) {
            (false, _) => Check {
                what,
                holds: Some(true),
                why: format!("{algorithm}, by {}", paths.join(" and ")),
            },
            (true, Some(named)) => Check {
                what,
                holds: Some(false),
                why: format!(
                    "{algorithm}, names {} and is not by it",
                    named.path.display()
                ),
            },
            (true, None) => Check {
                what,
                holds: None,
                why: match names.word("key-id") {
                    Some(id) => format!("{algorithm}, by none of the keys; names key {id}"),
                    None => format!("{algorithm}, by none of the keys"),
                },
            },
        });
    }
    checks
}

/// What of the manifest those who signed it have no right to.
fn foreign(
    authenticated: &AuthenticatedEnvelope<'_>,
    trusted: &[Trusted],
    needed: usize,
    crypto: &CryptoProvider,
) -> Option<String> {
    let manifest = authenticated.manifest();
    let common = &manifest.common;
    let placement = manifest.placement();
    let components = common.components.iter().map(|id| (Access::Component, id));
    let dependencies = common.dependencies.iter();
    let dependencies = dependencies.filter_map(|one| common.identifier(one.index));
    let anchors = anchors(trusted, needed, crypto);
    let mut wanted = components
        .chain(dependencies.map(|id| (Access::Dependency, id)))
        .chain([(Access::Manifest, &placement)]);
    let foreign =
        wanted.find(|(access, id)| !anchors.permits(authenticated.signers(), *access, id));
    foreign.map(|(_, id)| format!("the keys that signed have no right to {id}"))
}

/// The ids by which an authentication block names keys.
fn key_ids(block: &[u8]) -> Vec<Vec<u8>> {
    let named = |headers: &Headers<'_>| headers.key_id().map(<[u8]>::to_vec);
    if let Ok(signed) = Signed::decode(block) {
        return signed.signatures().into_iter().filter_map(named).collect();
    }
    if let Ok(mac) = Mac0::decode(block) {
        return named(mac.headers()).into_iter().collect();
    }
    let Ok(mac) = Mac::decode(block) else {
        return Vec::new();
    };
    let recipients = mac.recipients().iter();
    let of_recipients = recipients.filter_map(|one| one.key_id().map(<[u8]>::to_vec));
    named(mac.headers())
        .into_iter()
        .chain(of_recipients)
        .collect()
}

/// What the envelope carries besides the manifest, against the digests in the manifest.
// req: SUIT-SEV-006, SUIT-SEV-007, SUIT-SEV-016
fn carried(described: &Tree) -> Vec<Check> {
    let list = |name| described.get(name).map_or(&[][..], Tree::items).iter();
    let check = |what: String, item: &Tree, unused: &str| {
        let holds = item.flag("digest-matches");
        let why = match holds {
            Some(true) => {
                let bytes = item.word("bytes").unwrap_or_default();
                format!("has its digest ({bytes} bytes)")
            }
            Some(false) => "does not have the digest that the manifest promises".into(),
            None => unused.into(),
        };
        Check { what, holds, why }
    };
    let severed = list("severed").map(|item| {
        let what = format!("severed {}", item.word("element").unwrap_or_default());
        let unused = "the manifest does not refer to it: nobody looks at it";
        check(what, item, unused)
    });
    let integrated = list("integrated").map(|item| {
        let what = format!("payload {}", item.word("key").unwrap_or_default());
        check(what, item, "the manifest sets no digest for it")
    });
    severed.chain(integrated).collect()
}

impl Check {
    fn to_json(&self) -> Value {
        json!({ "what": self.what, "holds": self.holds, "why": self.why })
    }

    fn line(&self, width: usize) -> String {
        let mark = match self.holds {
            Some(true) => format!("{GOOD}✓{GOOD:#}"),
            Some(false) => format!("{BAD}✗{BAD:#}"),
            None => format!("{DIM}?{DIM:#}"),
        };
        format!("{mark} {:width$}  {DIM}{}{DIM:#}", self.what, self.why)
    }
}
