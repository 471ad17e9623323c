//! Detached EAT bundles (RFC 9711 section 5).

use alloc::vec::Vec;

use tamarack_cose::{
    CryptoProvider, DigestAlgorithm,
    cbor::{self, DecodeError, Limits, Problem, Reader, Type},
};

use crate::claims::key;

/// The CBOR tag of a bundle.
const TAG: u64 = 602;

/// Most claims sets of a bundle. Each costs a digest.
const MAX_DETACHED: usize = 32;

const LIMITS: Limits = Limits {
    bytes: 256 * 1024,
    depth: 16,
};

/// A token, and the claims sets that were detached from it.
#[derive(Debug, Clone)]
pub(super) struct Bundle<'a> {
    pub(super) token: &'a [u8],
    detached: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Bundle<'a> {
    /// Takes a bundle apart, tagged or not. Anything else is taken for a token by itself.
    // req: EAT-010
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let rule = "detached-EAT-bundle";
        cbor::check(bytes, &LIMITS)?;
        let mut reader = Reader::new(bytes);
        let tagged = reader.peek() == Type::Tag && reader.clone().tag(rule)? == TAG;
        if tagged {
            reader.tag(rule)?;
        }
        let is_bundle = tagged || reader.clone().array(rule) == Ok(2);
        if !is_bundle {
            return Ok(Self {
                token: bytes,
                detached: Vec::new(),
            });
        }
        reader.array_of(2, "[token, detached claims sets]", rule)?;
        let token = reader.bytes("detached-EAT-bundle / main token")?;
        let count = reader.map("detached-EAT-bundle / claims sets")?;
        if !(1..=MAX_DETACHED).contains(&count) {
            return Err(reader.error(rule, Problem::OutOfBounds("1 to 32 claims sets")));
        }
        let mut detached = Vec::new();
        for _ in 0..count {
            let name = reader.text("detached-EAT-bundle / name")?;
            detached.push((name, reader.bytes("detached-EAT-bundle / claims set")?));
        }
        Ok(Self { token, detached })
    }

    /// Checks that the token, whose claims these are, holds the digest of each claims set that was detached.
    pub(super) fn check(&self, crypto: &CryptoProvider, claims: &[u8]) -> Result<(), DecodeError> {
        if self.detached.is_empty() {
            return Ok(());
        }
        let digests = digests(claims)?;
        for (name, set) in &self.detached {
            let found = digests.iter().find(|digest| digest.name == *name);
            let holds = found.is_some_and(|digest| {
                let mut context = crypto.digests.start(digest.algorithm);
                context.update(set);
                context.finish().as_ref() == digest.bytes
            });
            if !holds {
                let problem = Problem::Expected("the digest of each detached claims set");
                return Err(DecodeError::new(0, "submods", problem));
            }
        }
        Ok(())
    }
}

/// What a token holds of a claims set that was detached from it (Detached-Submodule-Digest).
struct SubmoduleDigest<'a> {
    name: &'a str,
    algorithm: DigestAlgorithm,
    bytes: &'a [u8],
}

/// The digests of detached claims sets in the `submods` claim; other submodules are passed over.
fn digests(claims: &[u8]) -> Result<Vec<SubmoduleDigest<'_>>, DecodeError> {
    let rule = "submods";
    let mut found = Vec::new();
    let mut reader = Reader::new(claims);
    for _ in 0..reader.map("eat-claims")? {
        let is_submods = reader.peek() != Type::Text
            && reader.clone().int("eat-claims / key") == Ok(key::SUBMODS);
        reader.skip("eat-claims / key")?;
        if !is_submods {
            reader.skip("eat-claims / value")?;
            continue;
        }
        for _ in 0..reader.map(rule)? {
            let name = reader.text(rule)?;
            let mut digest = Reader::new(reader.raw(rule)?);
            let parts = digest.array(rule).and_then(|_| {
                let algorithm = DigestAlgorithm::from_cose_id(digest.int(rule)?);
                Ok((algorithm, digest.bytes(rule)?))
            });
            if let Ok((Some(algorithm), bytes)) = parts {
                found.push(SubmoduleDigest {
                    name,
                    algorithm,
                    bytes,
                });
            }
        }
    }
    Ok(found)
}
