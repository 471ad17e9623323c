//! Updates that follow one QueryResponse and no other.
//!
//! A signature binds an Update to its TAM, and nothing in the protocol binds it to a device or to a QueryResponse: what
//! a TAM sent to one device could be played to another, or late to the same one. But a TAM is free in its choice
//! of challenges and tokens, so it can choose tokens by which an agent recognises what is meant for it, now:
//!
//! ```text
//! nonce = random / SHA-256("tamarack announces" / random)[0..8]
//! token = salt / SHA-256("tamarack follows" / nonce / agent key id / salt)[0..16]
//! ```
//!
//! The nonce is the challenge of the QueryRequest, or its token. The second half of it announces that every Update
//! that installs or removes has such a token; by chance a nonce of another TAM does so once in 2^64. Both halves
//! are opaque to whoever does not know them, and nothing here is secret: the TAM signs nonce and token.

use alloc::vec::Vec;

use tamarack_cose::{CryptoProvider, KeyId};

use crate::Token;

const ANNOUNCES: &[u8] = b"tamarack announces";
const FOLLOWS: &[u8] = b"tamarack follows";

/// Bytes that [`announce`] appends.
pub const ANNOUNCEMENT: usize = 8;
const SALT: usize = 16;

fn announcement(crypto: &CryptoProvider, random: &[u8]) -> [u8; ANNOUNCEMENT] {
    let digest = crypto.sha256(&[ANNOUNCES, random].concat());
    digest.first_chunk().copied().unwrap_or_default()
}

/// A nonce that announces Updates which [follow](Token::follows) its answer.
#[must_use]
pub fn announce(crypto: &CryptoProvider, mut random: Vec<u8>) -> Vec<u8> {
    random.extend(announcement(crypto, &random));
    random
}

/// What the nonce was made of, if it announces such Updates.
#[must_use]
pub fn announced<'a>(crypto: &CryptoProvider, nonce: &'a [u8]) -> Option<&'a [u8]> {
    let (random, end) = nonce.split_last_chunk::<ANNOUNCEMENT>()?;
    (announcement(crypto, random) == *end).then_some(random)
}

impl Token {
    /// A token for an Update that follows the QueryResponse of the agent with this key to `nonce`.
    ///
    /// # Errors
    ///
    /// If the source of randomness fails.
    pub fn following(
        crypto: &CryptoProvider,
        nonce: &[u8],
        agent: &KeyId,
    ) -> Result<Self, tamarack_cose::Error> {
        let salt: [u8; SALT] = crypto.random_array()?;
        let token = [&salt[..], &follower(crypto, nonce, agent, &salt)[..]].concat();
        Self::new(token).ok_or(tamarack_cose::Error::Crypto("a token of another length"))
    }

    /// Whether an Update with this token follows the QueryResponse of the agent with this key to `nonce`.
    #[must_use]
    pub fn follows(&self, crypto: &CryptoProvider, nonce: &[u8], agent: &KeyId) -> bool {
        let Some((salt, end)) = self.as_bytes().split_first_chunk::<SALT>() else {
            return false;
        };
        end == follower(crypto, nonce, agent, salt)
    }
}

fn follower(crypto: &CryptoProvider, nonce: &[u8], agent: &KeyId, salt: &[u8; SALT]) -> [u8; 16] {
    let digest = crypto.sha256(&[FOLLOWS, nonce, agent.as_bytes(), salt].concat());
    digest.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tamarack_cose::rustcrypto;

    #[test]
    fn a_token_follows_one_nonce_to_one_agent() {
        let crypto = rustcrypto::provider();
        let agent = |byte| KeyId::from_bytes(&[byte; 32]).unwrap();
        let nonce = announce(&crypto, b"sixteen bytes ..".to_vec());
        assert_eq!(announced(&crypto, &nonce), Some(&b"sixteen bytes .."[..]));
        let token = Token::following(&crypto, &nonce, &agent(1)).unwrap();
        assert!(token.follows(&crypto, &nonce, &agent(1)));
        assert!(!token.follows(&crypto, &nonce, &agent(2)));
        assert!(!token.follows(&crypto, b"another nonce", &agent(1)));
        assert_ne!(token, Token::following(&crypto, &nonce, &agent(1)).unwrap());
        for at in 0..token.as_bytes().len() {
            let mut changed = token.as_bytes().to_vec();
            changed[at] ^= 1;
            let changed = Token::new(changed).unwrap();
            assert!(!changed.follows(&crypto, &nonce, &agent(1)));
        }
        assert!(
            !Token::new(vec![0; 8])
                .unwrap()
                .follows(&crypto, &nonce, &agent(1))
        );
        assert!(
            !Token::new(vec![0; 16])
                .unwrap()
                .follows(&crypto, &nonce, &agent(1))
        );
    }

    #[test]
    fn other_nonces_announce_nothing() {
        let crypto = rustcrypto::provider();
        for length in 0..64 {
            assert_eq!(announced(&crypto, &vec![0; length]), None);
        }
        let nonce = announce(&crypto, Vec::new());
        assert_eq!(announced(&crypto, &nonce), Some(&[][..]));
        assert_eq!(announced(&crypto, &nonce[1..]), None);
    }
}
