use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};
use tamarack_cose::{CryptoProvider, Headers, Mac, Mac0, Signed, aws_lc};
use tamarack_suit::{
    Access, AccessControl, AuthenticatedEnvelope, Authority, Envelope, Error,
    explain::{self, Tree},
};

use super::{
    decode,
    outline::plain,
    place,
    trust::{Trust, Trusted, anchors},
};
use crate::{
    failure::Failure,
    files,
    output::{BAD, DIM, GOOD, Output, printable},
};

/// Check who signed a manifest, and that what the envelope carries is what the manifest promises.
///
///   tamarack manifest verify hello.suit --key acme.pub.pem
///   tamarack manifest verify hello.suit --key acme.pub.pem \
///       --key auditor.pub.pem --all
///
/// Says of each signature by whose key it is, and compares the digests of the
/// manifest, of severed parts and of payloads. Exit code 0 if all of that holds
/// and enough of the keys have signed, 1 if not.
///
/// A payload that no command of the manifest names fails too: no signature vouches
/// for it, and no device looks at it, so whoever passed the envelope on may have
/// added it. `manifest sever --drop` removes it. Where a severed section was
/// dropped, nobody knows what it named: such a payload is marked with ?, and does
/// not fail.
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
    /// The same for programs.
    facts: Map<String, Value>,
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
        let carried = carried(&envelope, &described, &crypto);

        let signers = match &authenticated {
            Ok(authenticated) => authenticated.signers(),
            Err(_) => &[],
        };
        let spoiled = || {
            let spoiled = carried.iter().find(|check| check.holds == Some(false));
            spoiled.map(|check| format!("{}: {}", printable(&check.what), check.why))
        };
        let trouble = match &authenticated {
            Err(error @ Error::SeveredDigest(_)) => spoiled().or_else(|| Some(error.to_string())),
            Err(Error::Decode(error)) => Some(format!("a signature or MAC: {error}")),
            Err(error) => Some(error.to_string()),
            Ok(_) if signers.len() < needed => {
                let given = trusted.len();
                let signed = signers.len();
                Some(format!(
                    "{signed} of {given} keys have signed; {needed} are needed"
                ))
            }
            Ok(authenticated) => foreign(authenticated, &trusted, needed, &crypto).or_else(spoiled),
        };
        let manifest = envelope.unverified_manifest().ok();
        let identifier = manifest.as_ref().map(|m| m.placement().to_string());
        let number = manifest.as_ref().map(|m| m.sequence_number.0);
        let id = |signer: &Authority| {
            let mut trusted = trusted.iter();
            let key = trusted.find(|trusted| trusted.is(signer, &crypto));
            let id = key.and_then(|key| key.id(&crypto));
            id.unwrap_or_else(|| signer.key_id(&crypto)).to_hex()
        };
        let ids: Vec<String> = signers.iter().map(id).collect();
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
            let width = checks()
                .map(|check| printable(&check.what).chars().count())
                .max();
            let width = width.unwrap_or(0);
            let mut lines: Vec<String> = checks().map(|check| check.line(width)).collect();
            if trouble.is_none() {
                lines.push(format!(
                    "{GOOD}verified{GOOD:#}: manifest {}, number {}, {} by {}",
                    printable(&identifier.unwrap_or_default()),
                    number.unwrap_or_default(),
                    verb(signers),
                    ids.join(", ")
                ));
            }
            lines.join("\n")
        });
        match (&authenticated, trouble) {
            (_, None) => Ok(()),
            // Of what is signed, the place is known.
            (Err(Error::Decode(error)), _)
                if explain::unverified(&envelope, Some(&crypto)).is_err() =>
            {
                Err(place::failure(&self.file, &bytes, error))
            }
            (_, Some(trouble)) => Err(Failure::file(&self.file, trouble)),
        }
    }
}

/// How those who vouch for the manifest do it.
fn verb(signers: &[Authority]) -> &'static str {
    let macs = signers
        .iter()
        .filter(|signer| matches!(signer, Authority::Mac(_)));
    match macs.count() {
        0 => "signed",
        all if all == signers.len() => "MACed",
        _ => "signed and MACed",
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
        facts: facts([
            ("part", json!("manifest")),
            ("digest", json!(envelope.claimed_digest().to_string())),
        ]),
    }];
    let described = described.get("signatures").map_or(&[][..], Tree::items);
    let blocks = envelope.authentication_blocks().iter().zip(described);
    for (position, (block, names)) in blocks.enumerate() {
        let known = names.word("algorithm");
        let key_id = names.word("key-id");
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
        let facts = facts([
            ("part", json!("signature")),
            ("number", json!(position + 1)),
            ("algorithm", json!(known)),
            ("key_id", json!(key_id)),
            ("keys", json!(paths)),
        ]);
        let algorithm = known.unwrap_or_else(|| "several algorithms".into());
        let (holds, why) = match (by.is_empty(), named, key_id) {
            (false, _, _) => (Some(true), format!("by {}", paths.join(" and "))),
            (true, Some(named), _) => {
                let named = named.path.display();
                (Some(false), format!("names {named} and is not by it"))
            }
            (true, None, Some(id)) => (None, format!("by none of the keys; names key {id}")),
            (true, None, None) => (None, "by none of the keys".into()),
        };
        checks.push(Check {
            what,
            holds,
            why: format!("{algorithm}, {why}"),
            facts,
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
fn carried(envelope: &Envelope<'_>, described: &Tree, crypto: &CryptoProvider) -> Vec<Check> {
    // What a section that is not there says, nobody knows.
    let manifest = explain::unverified(envelope, Some(crypto));
    let is_readable = manifest.is_ok();
    let is_whole = manifest.is_ok_and(|manifest| {
        let mut sections = manifest.sections();
        sections.all(|(_, section)| section.content().is_some())
    });
    let list = |name| described.get(name).map_or(&[][..], Tree::items).iter();
    let check = |part: &str, name: &str, item: &Tree| {
        let text = item.get(name).map(plain).unwrap_or_default();
        let bytes = item.get("bytes").map(Tree::to_json);
        let is_used = match part {
            "payload" => item.get("for").is_some(),
            _ => item.flag("in-manifest") != Some(false),
        };
        let (holds, why) = match item.flag("digest-matches") {
            Some(true) => {
                let bytes = item.word("bytes").unwrap_or_default();
                (Some(true), format!("has its digest ({bytes} bytes)"))
            }
            Some(false) => {
                let why = "does not have the digest that the manifest promises";
                (Some(false), why.into())
            }
            None if !is_readable => (None, "what the manifest says of it can't be read".into()),
            None if is_used => (None, "the manifest sets no digest for it".into()),
            None if is_whole => (
                Some(false),
                "the manifest does not name it: no signature vouches for it, and no device looks at it".into(),
            ),
            None => (None, "what is there of the manifest does not name it".into()),
        };
        Check {
            what: format!("{part} {text}"),
            holds,
            why,
            facts: facts([
                ("part", json!(part)),
                (name, json!(text)),
                ("bytes", json!(bytes)),
                ("component", json!(item.get("for").map(Tree::to_json))),
                ("named", json!(is_used)),
            ]),
        }
    };
    let severed = list("severed").map(|item| check("severed", "element", item));
    let integrated = list("integrated").map(|item| check("payload", "key", item));
    severed.chain(integrated).collect()
}

fn facts<const N: usize>(facts: [(&str, Value); N]) -> Map<String, Value> {
    let named = facts
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    named.filter(|(_, value)| !value.is_null()).collect()
}

impl Check {
    fn to_json(&self) -> Value {
        let mut value = self.facts.clone();
        value.extend(facts([
            ("what", json!(self.what)),
            ("why", json!(self.why)),
        ]));
        value.insert("holds".into(), json!(self.holds));
        Value::Object(value)
    }

    fn line(&self, width: usize) -> String {
        let mark = match self.holds {
            Some(true) => format!("{GOOD}✓{GOOD:#}"),
            Some(false) => format!("{BAD}✗{BAD:#}"),
            None => format!("{DIM}?{DIM:#}"),
        };
        let what = printable(&self.what);
        format!("{mark} {what:width$}  {DIM}{}{DIM:#}", self.why)
    }
}
