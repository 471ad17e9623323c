//! COSE structures: headers by name, whose signature it is, to whom it is encrypted.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use tamarack_cose::{Signed, cbor::Limits, encrypt::Encrypted, tag};
use tamarack_suit::explain::algorithm_name;

use super::{
    item::{Item, Octets, Origin, Value},
    node::{Content, Node},
    walk::{Walk, source},
};

/// Nested parts are looked at up to the size that a manifest with a payload can have.
pub(super) const LIMITS: Limits = Limits {
    bytes: 256 << 20,
    depth: 16,
};

/// A COSE structure (RFC 9052 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Structure {
    Encrypt0,
    Mac0,
    Sign1,
    Encrypt,
    Mac,
    Sign,
}

impl Structure {
    const ALL: [(u64, Self, &'static str); 6] = [
        (tag::ENCRYPT0, Self::Encrypt0, "COSE_Encrypt0"),
        (tag::MAC0, Self::Mac0, "COSE_Mac0"),
        (tag::SIGN1, Self::Sign1, "COSE_Sign1"),
        (tag::ENCRYPT, Self::Encrypt, "COSE_Encrypt"),
        (tag::MAC, Self::Mac, "COSE_Mac"),
        (tag::SIGN, Self::Sign, "COSE_Sign"),
    ];

    pub(super) fn of_tag(tag: u64) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(known, ..)| *known == tag);
        found.map(|(_, structure, _)| structure)
    }

    pub(super) fn name(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|(_, known, _)| *known == self);
        found.map_or("", |(.., name)| name)
    }

    /// What an item is, by its tag or else by its shape. An array of four with an array at the end may be
    /// two things: `ambiguous` is the one that is expected.
    pub(super) fn of(item: &Item<'_>, ambiguous: Self) -> Option<Self> {
        if let Value::Tag(tag, _) = item.value {
            return Self::of_tag(tag);
        }
        let [first, second, rest @ ..] = item.array()? else {
            return None;
        };
        first.bytes()?;
        second.map()?;
        match rest {
            [_] => Some(Self::Encrypt0),
            [_, last] if last.array().is_some() => Some(ambiguous),
            [_, _] => Some(match algorithm(first) {
                Some(4..=7) => Self::Mac0,
                _ => Self::Sign1,
            }),
            [_, _, _] => Some(Self::Mac),
            _ => None,
        }
    }
}

/// The algorithm in a protected header.
fn algorithm(protected: &Item<'_>) -> Option<i64> {
    let octets = protected.bytes()?;
    let whole = octets.item();
    let mut entries = whole.item.map()?.iter();
    let (_, value) = entries.find(|(key, _)| key.int() == Some(1))?;
    value.int()
}

/// Whose signature a structure has, of the keys that were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Signature {
    /// The name of the first key that verified, and its thumbprint.
    pub(super) verified_by: Option<(String, String)>,
    /// The key id in the headers.
    pub(super) key_id: Option<Vec<u8>>,
}

/// A structure that was shown.
pub(super) struct Shown {
    pub(super) nodes: Vec<Node>,
    pub(super) signature: Signature,
    /// What to say of the signature if no key verified: where it is.
    pub(super) unverified: Option<(usize, String)>,
}

impl Walk<'_> {
    /// Shows a structure; `payload` shows what it protects, which is `None` if that is detached or could not
    /// be decrypted. `purpose` is what a key derivation would be for.
    pub(super) fn cose(
        &mut self,
        item: &Item<'_>,
        structure: Structure,
        purpose: &[u8],
        payload: impl FnOnce(&mut Self, Option<&Octets<'_>>) -> Node,
    ) -> Shown {
        self.encoding(item);
        let (tag, inner) = item.untagged();
        self.encoding(inner);
        let mut shown = Shown {
            nodes: Vec::from([Node::plain(
                "structure",
                Content::text(match tag {
                    Some(tag) => format!("{} (tag {tag})", structure.name()),
                    None => format!("{}, untagged", structure.name()),
                }),
            )]),
            signature: Signature::default(),
            unverified: None,
        };
        let Some(items) = inner.array() else {
            shown.nodes.push(Node::plain(
                "content",
                self.wrong(inner, "an array", source::COSE),
            ));
            return shown;
        };
        let expected = match structure {
            Structure::Encrypt0 => 3,
            Structure::Mac => 5,
            _ => 4,
        };
        if items.len() != expected && items.iter().all(|item| item.fault.is_none()) {
            let what = format!(
                "{} has {expected} elements, not {}",
                structure.name(),
                items.len()
            );
            self.problem(inner, what, source::COSE);
        }
        let mut items = items.iter();
        shown
            .nodes
            .extend(self.headers(&mut items, &mut shown.signature));
        let content = items.next();
        let last = items.next();
        match structure {
            Structure::Encrypt0 | Structure::Encrypt => {
                shown.nodes.extend(last.map(|item| self.recipients(item)));
                let node = content.map(|content| self.encrypted(item, content, purpose, payload));
                shown.nodes.extend(node.into_iter().flatten());
            }
            _ => {
                let octets = content.and_then(Item::bytes);
                if let Some(content) = content {
                    self.under("payload", |walk| {
                        walk.encoding(content);
                        if octets.is_none() && !matches!(content.value, Value::Null) {
                            walk.wrong(content, "a byte string or null", source::COSE);
                        }
                    });
                    shown.nodes.push(payload(self, octets));
                }
                if let Some(last) = last {
                    self.signatures(item, last, structure, &mut shown);
                }
            }
        }
        for item in items {
            self.encoding(item);
        }
        shown
    }

    /// The two header maps.
    fn headers<'i, 'a: 'i>(
        &mut self,
        items: &mut impl Iterator<Item = &'i Item<'a>>,
        signature: &mut Signature,
    ) -> Vec<Node> {
        let mut nodes = Vec::new();
        if let Some(protected) = items.next() {
            let content = self.under("protected", |walk| {
                walk.encoding(protected);
                match protected.bytes() {
                    Some(octets) if octets.content.is_empty() => Content::text("none"),
                    Some(octets) => {
                        let shown =
                            walk.open(octets, |walk, item| walk.header_map(item, signature));
                        shown.unwrap_or_else(|| Content::start_of(&octets.content))
                    }
                    None => walk.wrong(protected, "a byte string", source::COSE),
                }
            });
            nodes.push(Node::plain("protected", content));
        }
        if let Some(unprotected) = items.next() {
            let content = self.under("unprotected", |walk| {
                walk.header_map(unprotected, signature)
            });
            nodes.push(Node::plain("unprotected", content));
        }
        nodes
    }

    fn header_map(&mut self, item: &Item<'_>, signature: &mut Signature) -> Content {
        self.encoding(item);
        let Some(entries) = item.map() else {
            return self.wrong(item, "a map of header parameters", source::COSE);
        };
        if entries.is_empty() {
            return Content::text("none");
        }
        let nodes = entries.iter().map(|(key, value)| {
            let number = key.int();
            let name = number.and_then(header_name);
            let plain = self.key(key);
            let (name, number) = match name {
                Some(name) => (name.to_string(), number),
                None => (plain, None),
            };
            let place = match number {
                Some(number) => format!("{name} ({number})"),
                None => name.clone(),
            };
            let content = self.under(place, |walk| match number {
                Some(1) => walk.algorithm(value),
                Some(4) => {
                    signature.key_id = value.bytes().map(|octets| octets.content.to_vec());
                    walk.octets(value, 0..=usize::MAX, source::COSE)
                }
                Some(33) => walk.certificates(value),
                Some(-1) => walk.key_map(value),
                _ => walk.anything(value),
            });
            Node::new(name, number, content)
        });
        Content::Map(nodes.collect())
    }

    /// A COSE algorithm, with its number.
    pub(super) fn algorithm(&mut self, item: &Item<'_>) -> Content {
        match item.int() {
            Some(id) => Content::text(algorithm_text(id)),
            None => self.anything(item),
        }
    }

    /// x5chain (RFC 9360): one certificate, or several, the first being the signer's.
    fn certificates(&mut self, item: &Item<'_>) -> Content {
        let one = |walk: &mut Self, item: &Item<'_>| match item.bytes() {
            Some(octets) => {
                walk.encoding(item);
                let digest =
                    tamarack_suit::SuitDigest::sha256(walk.knowledge.crypto, &octets.content);
                Content::text(format!("{} bytes, {digest}", octets.content.len()))
            }
            None => walk.wrong(
                item,
                "a certificate in a byte string",
                "RFC 9360, section 2",
            ),
        };
        match item.array() {
            Some(_) => self.list(item, 2, "RFC 9360, section 2", one),
            None => one(self, item),
        }
    }

    /// A COSE_Key, whatever it is for.
    pub(super) fn key_map(&mut self, item: &Item<'_>) -> Content {
        self.encoding(item);
        let Some(entries) = item.map() else {
            return self.wrong(item, "a COSE_Key", "RFC 9052, section 7");
        };
        let nodes = entries.iter().map(|(key, value)| {
            let number = key.int();
            let plain = self.key(key);
            let name = match number {
                Some(1) => "kty",
                Some(2) => "kid",
                Some(3) => "alg",
                Some(-1) => "crv",
                Some(-2) => "x",
                Some(-3) => "y",
                // Of a private key, nothing is shown.
                Some(-4) => {
                    self.problem(value, "a private key", "RFC 9052, section 7");
                    return Node::new("d", number, Content::text("(a private key)"));
                }
                _ => return Node::plain(&plain, self.anything(value)),
            };
            let content = self.under(name, |walk| match (name, value.int()) {
                ("kty", Some(1)) => Content::text("OKP (1)"),
                ("kty", Some(2)) => Content::text("EC2 (2)"),
                ("kty", Some(4)) => Content::text("symmetric (4)"),
                ("crv", Some(1)) => Content::text("P-256 (1)"),
                ("crv", Some(4)) => Content::text("X25519 (4)"),
                ("crv", Some(6)) => Content::text("Ed25519 (6)"),
                ("alg", Some(_)) => walk.algorithm(value),
                _ => walk.anything(value),
            });
            Node::new(name, number, content)
        });
        let mut nodes: Vec<Node> = nodes.collect();
        if let Ok(key) = tamarack_cose::PublicKey::from_cose_key(item.raw) {
            let id = key.key_id(self.knowledge.crypto);
            nodes.push(Node::plain("thumbprint", Content::text(id)));
        }
        Content::Map(nodes)
    }

    /// The signature or signatures, and which of the keys made them.
    fn signatures(
        &mut self,
        item: &Item<'_>,
        last: &Item<'_>,
        structure: Structure,
        shown: &mut Shown,
    ) {
        let signed = Signed::decode_within(item.raw, &LIMITS);
        let verified = |walk: &Self, index: usize| {
            let signed = signed.as_ref().ok()?;
            let crypto = walk.knowledge.crypto;
            let mut keys = walk.knowledge.keys.iter();
            let (name, key) =
                keys.find(|(_, key)| signed.verify_at(crypto, index, key, None).is_ok())?;
            Some((name.clone(), key.key_id(crypto).to_hex()))
        };
        let asked = !self.knowledge.keys.is_empty();
        let verdict = |found: Option<&(String, String)>| match found {
            Some((name, _)) => Some(Node::plain("verified by", Content::text(name))),
            None if asked => Some(Node::plain(
                "verified by",
                Content::text("none of the keys given"),
            )),
            None => None,
        };
        match structure {
            Structure::Sign => {
                let mut index = 0;
                let list = self.under("signatures", |walk| {
                    walk.list(last, 1, source::COSE, |walk, one| {
                        walk.encoding(one);
                        let Some(items) = one.array() else {
                            return walk.wrong(one, "a COSE_Signature", source::COSE);
                        };
                        let mut items = items.iter();
                        let mut own = Signature::default();
                        let mut nodes = walk.headers(&mut items, &mut own);
                        if shown.signature.key_id.is_none() {
                            shown.signature.key_id = own.key_id;
                        }
                        nodes.extend(items.next().map(|value| walk.signature(value)));
                        let found = verified(walk, index);
                        nodes.extend(verdict(found.as_ref()));
                        if shown.signature.verified_by.is_none() {
                            shown.signature.verified_by = found;
                        }
                        index += 1;
                        Content::Map(nodes)
                    })
                });
                shown.nodes.push(Node::plain("signatures", list));
            }
            Structure::Sign1 => {
                let node = self.signature(last);
                shown.nodes.push(node);
                shown.signature.verified_by = verified(self, 0);
                shown
                    .nodes
                    .extend(verdict(shown.signature.verified_by.as_ref()));
            }
            _ => {
                let content = self.under("tag", |walk| {
                    walk.octets(last, 0..=usize::MAX, source::COSE)
                });
                shown.nodes.push(Node::plain("tag", content));
            }
        }
        if asked && shown.signature.verified_by.is_none() {
            let why = match &signed {
                Err(error) => error.to_string(),
                Ok(_) => "none of the keys given made the signature".into(),
            };
            shown.unverified = Some((last.offset, why));
        }
    }

    fn signature(&mut self, item: &Item<'_>) -> Node {
        let content = self.under("signature", |walk| match item.bytes() {
            Some(octets) => {
                walk.encoding(item);
                Content::text(format!("{} bytes", octets.content.len()))
            }
            None => walk.wrong(item, "a byte string", source::COSE),
        });
        Node::plain("signature", content)
    }

    fn recipients(&mut self, item: &Item<'_>) -> Node {
        let content = self.under("recipients", |walk| {
            walk.list(item, 1, source::COSE, |walk, one| {
                walk.encoding(one);
                let Some(items) = one.array() else {
                    return walk.wrong(one, "a COSE_recipient", source::COSE);
                };
                let mut items = items.iter();
                let mut nodes = walk.headers(&mut items, &mut Signature::default());
                if let Some(key) = items.next() {
                    walk.encoding(key);
                    let size = key.bytes().map_or(0, |octets| octets.content.len());
                    nodes.push(Node::plain(
                        "encrypted key",
                        Content::text(format!("{size} bytes")),
                    ));
                }
                items.for_each(|item| walk.encoding(item));
                Content::Map(nodes)
            })
        });
        Node::plain("recipients", content)
    }

    /// What is encrypted: its size and, if one of the keys opens it, what it says.
    fn encrypted(
        &mut self,
        whole: &Item<'_>,
        ciphertext: &Item<'_>,
        purpose: &[u8],
        payload: impl FnOnce(&mut Self, Option<&Octets<'_>>) -> Node,
    ) -> Vec<Node> {
        self.under("ciphertext", |walk| walk.encoding(ciphertext));
        let size = match ciphertext.bytes() {
            Some(octets) => format!("{} bytes", octets.content.len()),
            None if matches!(ciphertext.value, Value::Null) => "detached".into(),
            None => {
                self.wrong(ciphertext, "a byte string or null", source::COSE);
                ciphertext.kind().into()
            }
        };
        let mut nodes = Vec::from([Node::plain("ciphertext", Content::text(size))]);
        let crypto = self.knowledge.crypto;
        let keys = self.knowledge.recipient_keys;
        if keys.is_empty() {
            return nodes;
        }
        let opened = Encrypted::decode_within(whole.raw, &LIMITS).and_then(|encrypted| {
            let key = encrypted.content_key(crypto, keys, purpose)?;
            encrypted.decrypt(crypto, &key, &[], None)
        });
        match opened {
            Ok(plaintext) => {
                let octets = Octets {
                    content: plaintext.into(),
                    origin: Origin::Behind(ciphertext.offset),
                };
                nodes.push(self.under("decrypted", |walk| payload(walk, Some(&octets))));
            }
            Err(error) => nodes.push(Node::plain("decryption", Content::text(error))),
        }
        nodes
    }
}

/// A COSE algorithm by name and number.
pub(super) fn algorithm_text(id: i64) -> String {
    match (id, algorithm_name(id)) {
        (-7, Some(name)) => format!("{name} ({id}), the old number for ESP256"),
        (-8, Some(name)) => format!("{name} ({id}), the old number for Ed25519"),
        (_, Some(name)) => format!("{name} ({id})"),
        (_, None) => format!("unknown ({id})"),
    }
}

fn header_name(label: i64) -> Option<&'static str> {
    Some(match label {
        1 => "alg",
        2 => "crit",
        3 => "content type",
        4 => "kid",
        5 => "IV",
        6 => "Partial IV",
        15 => "CWT claims",
        16 => "typ",
        33 => "x5chain",
        34 => "x5t",
        35 => "x5u",
        -1 => "ephemeral key",
        -4 => "ek",
        -20 => "salt",
        _ => return None,
    })
}
