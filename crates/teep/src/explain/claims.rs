//! Claims of EATs and Attestation Results, by name.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use tamarack_suit::explain::Tree;

use super::{
    cose::{Structure, algorithm_text},
    item::{Item, Octets, Value},
    node::{Content, Node},
    walk::{Walk, source},
};

/// What a claim holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Any,
    Time,
    /// A byte string of a size.
    Octets(usize, usize),
    Confirmation,
    Nonce,
    Submodules,
    Measurements,
    Results,
    Status,
    Vector,
    Verifier,
    /// A number that stands for a word; 0 is the first.
    Word(&'static [&'static str]),
}

/// Claims by key (RFC 8392, RFC 8747, RFC 9711, draft-ietf-rats-ear). The key 0 is none: claims that are
/// known by name only.
const CLAIMS: [(i64, &str, Claim); 37] = [
    (1, "iss", Claim::Any),
    (2, "sub", Claim::Any),
    (3, "aud", Claim::Any),
    (4, "exp", Claim::Time),
    (5, "nbf", Claim::Time),
    (6, "iat", Claim::Time),
    (7, "cti", Claim::Any),
    (8, "cnf", Claim::Confirmation),
    (10, "eat_nonce", Claim::Nonce),
    (256, "ueid", Claim::Octets(7, 33)),
    (257, "sueids", Claim::Any),
    (258, "oemid", Claim::Any),
    (259, "hwmodel", Claim::Octets(1, 32)),
    (260, "hwversion", Claim::Any),
    (261, "uptime", Claim::Any),
    (262, "oemboot", Claim::Any),
    (
        263,
        "dbgstat",
        Claim::Word(&[
            "enabled",
            "disabled",
            "disabled-since-boot",
            "disabled-permanently",
            "disabled-fully-and-permanently",
        ]),
    ),
    (264, "location", Claim::Any),
    (265, "eat_profile", Claim::Any),
    (266, "submods", Claim::Submodules),
    (267, "bootcount", Claim::Any),
    (268, "bootseed", Claim::Any),
    (269, "dloas", Claim::Any),
    (270, "swname", Claim::Any),
    (271, "swversion", Claim::Any),
    (272, "manifests", Claim::Measurements),
    (273, "measurements", Claim::Measurements),
    (274, "measres", Claim::Results),
    (
        275,
        "intuse",
        Claim::Word(&["", "generic", "registration", "provisioning", "csr", "pop"]),
    ),
    (1000, "ear.status", Claim::Status),
    (1001, "ear.trustworthiness-vector", Claim::Vector),
    (1002, "ear.raw-evidence", Claim::Any),
    (1003, "ear.appraisal-policy-id", Claim::Any),
    (1004, "ear.verifier-id", Claim::Verifier),
    (0, "ear.veraison.annotated-evidence", Claim::Any),
    (0, "ear.teep-claims", Claim::Any),
    (0, "jti", Claim::Any),
];

/// The parts of a trustworthiness vector, by number (draft-ietf-rats-ar4si).
const VECTOR: [&str; 8] = [
    "instance-identity",
    "configuration",
    "executables",
    "file-system",
    "hardware",
    "runtime-opaque",
    "storage-opaque",
    "sourced-data",
];

/// How far something is trusted, in words (draft-ietf-rats-ar4si).
pub(super) fn tier(value: i64) -> &'static str {
    match value {
        -128..=-97 | 96..=127 => "contraindicated",
        -96..=-33 | 32..=95 => "warning",
        -32..=-2 | 2..=31 => "affirming",
        -1..=1 => "none",
        _ => "out of range",
    }
}

/// Whether a claim with this name is a point in time.
pub(super) fn is_time(name: &str) -> bool {
    CLAIMS
        .iter()
        .any(|(_, known, claim)| *known == name && *claim == Claim::Time)
}

/// Whether this is the name of a claim.
pub(super) fn is_claim(name: &str) -> bool {
    CLAIMS.iter().any(|(_, known, _)| *known == name)
}

/// Whether a claim with this name says how far something is trusted.
pub(super) fn is_trust(name: &str) -> bool {
    VECTOR.contains(&name) || name == "ear.status"
}

/// Seconds since 1970 with the date in UTC.
pub(super) fn time_text(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days to a date of the Gregorian calendar, with years that start in March, in cycles of 400 years.
    let days = days.saturating_add(719_468);
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + cycle * 400 + i64::from(month <= 2);
    if !(0..=9_999).contains(&year) {
        return seconds.to_string();
    }
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{seconds} ({year:04}-{month:02}-{date:02} {hour:02}:{minute:02}:{second:02} UTC)")
}

impl Walk<'_> {
    /// A claims set.
    pub(super) fn claims(&mut self, item: &Item<'_>) -> Content {
        self.encoding(item);
        let Some(entries) = item.map() else {
            return self.wrong(item, "a claims set, which is a map,", source::EAT);
        };
        let nodes = entries.iter().map(|(key, value)| {
            let plain = self.key(key);
            let known = CLAIMS.iter().find(|(number, name, _)| match &key.value {
                Value::Text(text) => name == text,
                _ => *number != 0 && key.int() == Some(*number),
            });
            let number = key.int();
            let (name, claim) = match known {
                Some((_, name, claim)) => ((*name).to_string(), *claim),
                None => (plain, Claim::Any),
            };
            let number = number.filter(|_| known.is_some());
            let place = match number {
                Some(number) => format!("{name} ({number})"),
                None => name.clone(),
            };
            let content = self.under(place, |walk| walk.claim(claim, value));
            Node::new(name, number, content)
        });
        Content::Map(nodes.collect())
    }

    fn claim(&mut self, claim: Claim, item: &Item<'_>) -> Content {
        match (claim, item.int()) {
            (Claim::Time, Some(seconds)) => Content::text(time_text(seconds)),
            (Claim::Time, None) if !matches!(item.value, Value::Float(_)) => {
                self.wrong(item, "a number of seconds", source::EAT)
            }
            (Claim::Octets(least, most), _) => self.octets(item, least..=most, source::EAT),
            (Claim::Confirmation, _) => self.confirmation(item),
            (Claim::Nonce, _) => match item.array() {
                Some(_) => {
                    self.note(
                        item,
                        "several nonces; TEEP has one Verifier for a token",
                        source::EAT_PROFILE,
                    );
                    self.list(item, 2, source::EAT, |walk, one| walk.nonce(one))
                }
                None => self.nonce(item),
            },
            (Claim::Submodules, _) => self.submodules(item),
            (Claim::Measurements, _) => self.measurements(item),
            (Claim::Results, _) => self.anything(item),
            (Claim::Status, Some(value)) => Content::text(format!("{} ({value})", tier(value))),
            (Claim::Vector, _) => self.vector(item),
            (Claim::Verifier, _) => self.verifier(item),
            (Claim::Word(words), Some(value)) => {
                let word = usize::try_from(value)
                    .ok()
                    .and_then(|value| words.get(value));
                match word {
                    Some(word) => Content::text(format!("{word} ({value})")),
                    None => self.anything(item),
                }
            }
            _ => self.anything(item),
        }
    }

    /// A byte string, or text as Attestation Results in JSON have it.
    fn nonce(&mut self, item: &Item<'_>) -> Content {
        match item.value {
            Value::Text(_) => self.text(item, 8..=88, source::EAT),
            _ => self.octets(item, 8..=64, source::EAT),
        }
    }

    /// cnf (RFC 8747): the key of which possession is proven.
    fn confirmation(&mut self, item: &Item<'_>) -> Content {
        self.encoding(item);
        let Some(entries) = item.map() else {
            return self.wrong(
                item,
                "a map with a key or a key id",
                "RFC 8747, section 3.1",
            );
        };
        let nodes = entries.iter().map(|(key, value)| {
            let plain = self.key(key);
            match key.int() {
                Some(1) => {
                    let content = self.under("COSE_Key (1)", |walk| walk.key_map(value));
                    Node::new("COSE_Key", Some(1), content)
                }
                Some(3) => {
                    let content = self.under("kid (3)", |walk| {
                        walk.octets(value, 0..=usize::MAX, "RFC 8747")
                    });
                    Node::new("kid", Some(3), content)
                }
                Some(5) => {
                    let content = self.under("ckt (5)", |walk| {
                        walk.octets(value, 0..=usize::MAX, "RFC 9679")
                    });
                    Node::new("ckt", Some(5), content)
                }
                _ => Node::new(plain, None, self.anything(value)),
            }
        });
        Content::Map(nodes.collect())
    }

    /// Submodules: claims sets, tokens, or digests of tokens.
    fn submodules(&mut self, item: &Item<'_>) -> Content {
        self.encoding(item);
        let Some(entries) = item.map() else {
            return self.wrong(item, "a map of submodules", source::EAT);
        };
        let nodes = entries.iter().map(|(key, value)| {
            let name = self.key(key);
            let content = self.under(&name, |walk| match (&value.value, value.bytes()) {
                (Value::Map(_), _) => walk.claims(value),
                (_, Some(octets)) => {
                    walk.encoding(value);
                    walk.token(octets)
                }
                _ => walk.anything(value),
            });
            Node::new(name, None, content)
        });
        Content::Map(nodes.collect())
    }

    /// `[content format, body]`, the body in a byte string or, as some send it, bare.
    fn measurements(&mut self, item: &Item<'_>) -> Content {
        self.list(item, 1, source::EAT, |walk, entry| {
            walk.encoding(entry);
            let Some([format, body]) = entry.array() else {
                return walk.wrong(entry, "[content format, body]", source::EAT);
            };
            let number = walk.under("content format", |walk| walk.uint(format, source::EAT));
            let mut nodes = Vec::from([Node::plain("content format", number)]);
            let component = format.uint() == Some(600);
            let content = walk.under("body", |walk| match body.bytes() {
                Some(octets) => {
                    walk.encoding(body);
                    let look = |walk: &mut Self, item: &Item<'_>| match component {
                        true => walk.measured_component(item),
                        false => walk.anything(item),
                    };
                    let whole = octets.item();
                    // Of other formats, it is not known that they are CBOR.
                    match component || (whole.item.fault.is_none() && whole.rest.is_none()) {
                        true => walk.open(octets, look),
                        false => None,
                    }
                    .unwrap_or_else(|| Content::start_of(&octets.content))
                }
                None if component => walk.measured_component(body),
                None => walk.anything(body),
            });
            nodes.push(Node::plain("body", content));
            Content::Map(nodes)
        })
    }

    /// `{1: [name, ?[version, ?scheme]], 2: [algorithm, digest]}`
    /// (draft-ietf-rats-eat-measured-component).
    fn measured_component(&mut self, item: &Item<'_>) -> Content {
        self.encoding(item);
        let Some(entries) = item.map() else {
            return self.anything(item);
        };
        let mut nodes = Vec::new();
        for (key, value) in entries {
            let plain = self.key(key);
            match (key.int(), value.array()) {
                (Some(1), Some([name, rest @ ..])) => {
                    let content = self.under("id (1)", |walk| walk.anything(name));
                    nodes.push(Node::plain("name", content));
                    if let Some(version) = rest.first() {
                        let content = self.under("id (1)", |walk| match version.array() {
                            Some([version, ..]) => walk.anything(version),
                            _ => walk.anything(version),
                        });
                        nodes.push(Node::plain("version", content));
                    }
                }
                (Some(2), Some([algorithm, digest])) => {
                    let name = match (&algorithm.value, algorithm.int()) {
                        // The number of named information (RFC 6920).
                        (_, Some(1)) => "SHA-256 (1)".to_string(),
                        (_, Some(id)) => algorithm_text(id),
                        (Value::Text(text), _) => text.to_string(),
                        _ => algorithm.kind().to_string(),
                    };
                    nodes.push(Node::plain("digest algorithm", Content::text(name)));
                    let content = self.under("measurement (2)", |walk| {
                        walk.octets(digest, 0..=usize::MAX, source::EAT)
                    });
                    nodes.push(Node::plain("digest", content));
                }
                _ => {
                    let content = self.under(&plain, |walk| walk.anything(value));
                    nodes.push(Node::new(plain, None, content));
                }
            }
        }
        Content::Map(nodes)
    }

    fn vector(&mut self, item: &Item<'_>) -> Content {
        self.encoding(item);
        let Some(entries) = item.map() else {
            return self.wrong(item, "a trustworthiness vector", "draft-ietf-rats-ar4si");
        };
        let nodes = entries.iter().map(|(key, value)| {
            let plain = self.key(key);
            let number = key.int();
            let name = number.and_then(|number| VECTOR.get(usize::try_from(number).ok()?));
            let content = match value.int() {
                Some(value) => Content::text(format!("{} ({value})", tier(value))),
                None => self.anything(value),
            };
            match name {
                Some(name) => Node::new(*name, number, content),
                None => Node::new(plain, None, content),
            }
        });
        Content::Map(nodes.collect())
    }

    fn verifier(&mut self, item: &Item<'_>) -> Content {
        let Some(entries) = item.map() else {
            return self.anything(item);
        };
        let nodes = entries.iter().map(|(key, value)| {
            let plain = self.key(key);
            let content = self.anything(value);
            match key.int() {
                Some(0) => Node::new("developer", Some(0), content),
                Some(1) => Node::new("build", Some(1), content),
                _ => Node::new(plain, None, content),
            }
        });
        Content::Map(nodes.collect())
    }

    /// A token: a signed or encrypted EAT, a bare claims set, an EAT in JSON; or something else.
    pub(super) fn token(&mut self, octets: &Octets<'_>) -> Content {
        if let Some(content) = self.jwt(octets) {
            return content;
        }
        match octets.content.first() {
            // Arrays, maps and tags: anything else is no token in CBOR.
            Some(0x80..=0xdf) => {}
            _ => return Content::start_of(&octets.content),
        }
        let shown = self.open(octets, |walk, item| walk.token_item(item));
        shown.unwrap_or_else(|| Content::start_of(&octets.content))
    }

    fn token_item(&mut self, item: &Item<'_>) -> Content {
        const CWT: u64 = 61;
        const UCCS: u64 = 601;
        match &item.value {
            Value::Tag(CWT, inner) => {
                self.encoding(item);
                return self.under("tag 61 (CWT)", |walk| walk.token_item(inner));
            }
            Value::Tag(UCCS, inner) => {
                self.encoding(item);
                return self.under("tag 601 (UCCS)", |walk| walk.token_item(inner));
            }
            Value::Map(_) => {
                self.note(item, "a claims set that nobody signed", source::EAT_PROFILE);
                return self.claims(item);
            }
            _ => {}
        }
        // In the place of a token, an array at the end holds recipients (AMB-19).
        let Some(structure) = Structure::of(item, Structure::Encrypt) else {
            return self.wrong(item, "a COSE structure or a claims set", source::EAT);
        };
        let shown = self.cose(item, structure, b"EAT Encryption", |walk, payload| {
            let Some(payload) = payload else {
                return Node::plain("payload", Content::text("detached"));
            };
            match structure {
                Structure::Sign1 | Structure::Sign | Structure::Mac0 | Structure::Mac => {
                    let content = walk.open(payload, |walk, item| walk.claims(item));
                    Node::plain(
                        "claims",
                        content.unwrap_or_else(|| Content::start_of(&payload.content)),
                    )
                }
                _ => Node::plain("decrypted", walk.token(payload)),
            }
        });
        Content::Map(shown.nodes)
    }

    /// Numbers and words of an EAT in JSON, as those of one in CBOR.
    pub(super) fn json_claim(name: &str, number: i64) -> Content {
        match name {
            name if is_time(name) => Content::text(time_text(number)),
            name if is_trust(name) => Content::text(format!("{} ({number})", tier(number))),
            _ => Content::Leaf(Tree::Number(number.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_dates() {
        for (seconds, text) in [
            (0, "0 (1970-01-01 00:00:00 UTC)"),
            (951_782_400, "951782400 (2000-02-29 00:00:00 UTC)"),
            (1_759_149_970, "1759149970 (2025-09-29 12:46:10 UTC)"),
            (-1, "-1 (1969-12-31 23:59:59 UTC)"),
            (i64::MAX, "9223372036854775807"),
            (i64::MIN, "-9223372036854775808"),
        ] {
            assert_eq!(time_text(seconds), text);
        }
    }

    #[test]
    fn trust_has_tiers() {
        let tiers = [
            (0, "none"),
            (2, "affirming"),
            (-2, "affirming"),
            (33, "warning"),
            (96, "contraindicated"),
        ];
        for (value, name) in tiers {
            assert_eq!(tier(value), name);
        }
    }
}
