//! Challenges that carry their own state.

use std::time::Duration;

use tamarack_cose::CryptoProvider;
use tamarack_teep::Challenge;
use zeroize::Zeroizing;

use crate::{TicketMark, Timestamp};

/// What the key that seals a challenge is derived for; no other use of the ticket key has this text.
const INFO: &[u8] = b"tamarack-tam challenge v1";

const SALT: usize = 16;
/// A salt, the sealed time of issue, a tag: 40 bytes, within the 64 of eat_nonce.
// req: TEEP-FRESH-010
const LENGTH: usize = SALT + 8 + 16;

/// How far ahead a TAM's clock may be of another's that shares the ticket key.
const SKEW: Duration = Duration::from_secs(60);

/// Why a nonce is no challenge that may be answered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TicketError {
    /// This TAM never issued it.
    NotIssued,
    /// It was issued too long ago.
    Expired,
}

/// Issues challenges and recognises them, without remembering any.
///
/// A challenge is 16 random bytes and the time of issue, sealed under a key that is derived from the
/// ticket key and these bytes. Nobody without the ticket key can make one or change one, and since each
/// has a key of its own, no nonce repeats however many are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tickets<'a> {
    pub(super) crypto: &'a CryptoProvider,
    /// The newest, which seals, and older ones, which open what they sealed.
    pub(super) keys: &'a [Zeroizing<[u8; 32]>],
    pub(super) lifetime: Duration,
}

impl Tickets<'_> {
    /// A challenge that is valid from `now` on.
    // req: TEEP-TOK-001
    pub(super) fn issue(&self, now: Timestamp) -> Result<Challenge, tamarack_cose::Error> {
        let salt: [u8; SALT] = self.crypto.random_array()?;
        let key = self.keys.first();
        let key = key.ok_or(tamarack_cose::Error::Crypto("no key seals challenges"))?;
        let mut sealed = now.0.to_be_bytes().to_vec();
        self.crypto
            .aead
            .seal(&self.derive(key, &salt), &[0; 12], INFO, &mut sealed)?;
        let mut ticket = salt.to_vec();
        ticket.append(&mut sealed);
        Challenge::new(ticket).ok_or(tamarack_cose::Error::Crypto(
            "a challenge of another length",
        ))
    }

    /// When the challenge was issued, if this TAM did and it is valid at `now`.
    pub(super) fn open(&self, nonce: &[u8], now: Timestamp) -> Result<TicketMark, TicketError> {
        if nonce.len() != LENGTH {
            return Err(TicketError::NotIssued);
        }
        let (salt, sealed) = nonce.split_first_chunk().ok_or(TicketError::NotIssued)?;
        let opened = self.keys.iter().find_map(|key| {
            let mut time = sealed.to_vec();
            let key = self.derive(key, salt);
            let opened = self.crypto.aead.open(&key, &[0; 12], INFO, &mut time);
            opened.ok().map(|()| time)
        });
        let time = opened.ok_or(TicketError::NotIssued)?;
        let time = time.try_into().map_err(|_| TicketError::NotIssued)?;
        let mark = TicketMark {
            issued_at: Timestamp(u64::from_be_bytes(time)),
            salt: *salt,
        };
        // One from the future would stay ahead of every later one.
        if mark.issued_at > now.plus(SKEW) || mark.issued_at.plus(self.lifetime) <= now {
            return Err(TicketError::Expired);
        }
        Ok(mark)
    }

    fn derive(&self, key: &[u8; 32], salt: &[u8; SALT]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.crypto.kdf.derive(key, salt, INFO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tamarack_cose::aws_lc;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);
    const LIFETIME: Duration = Duration::from_secs(3600);

    // req: TEEP-FRESH-008
    // req: TEEP-FRESH-010
    #[test]
    fn a_ticket_opens_with_its_key_within_its_time() {
        let crypto = aws_lc::provider();
        let tickets = Tickets {
            crypto: &crypto,
            keys: &[Zeroizing::new([7; 32])],
            lifetime: LIFETIME,
        };
        let ticket = tickets.issue(NOW).unwrap();
        let nonce = ticket.as_bytes();
        assert!(nonce.len() <= 64);
        assert_eq!(tickets.open(nonce, NOW).unwrap().issued_at, NOW);
        let last = Timestamp(NOW.plus(LIFETIME).0 - 1);
        assert!(tickets.open(nonce, last).is_ok());
        assert_eq!(
            tickets.open(nonce, NOW.plus(LIFETIME)),
            Err(TicketError::Expired)
        );
        let before = Timestamp(NOW.0 - 3_600_000_000);
        assert_eq!(
            tickets.open(nonce, before),
            Err(TicketError::Expired),
            "from the future"
        );

        let others = Tickets {
            keys: &[Zeroizing::new([8; 32])],
            ..tickets
        };
        assert_eq!(others.open(nonce, NOW), Err(TicketError::NotIssued));
        let rotated = Tickets {
            keys: &[[8; 32], [7; 32]].map(Zeroizing::new),
            ..tickets
        };
        assert!(
            rotated.open(nonce, NOW).is_ok(),
            "sealed with the key before"
        );
        let newer = rotated.issue(NOW).unwrap();
        assert!(
            others.open(newer.as_bytes(), NOW).is_ok(),
            "sealed with the newest"
        );
        for position in 0..nonce.len() {
            let mut changed = nonce.to_vec();
            changed[position] ^= 1;
            assert_eq!(tickets.open(&changed, NOW), Err(TicketError::NotIssued));
            assert_eq!(
                tickets.open(&nonce[..position], NOW),
                Err(TicketError::NotIssued)
            );
        }
    }

    // req: TEEP-TOK-009
    #[test]
    fn no_two_tickets_are_the_same() {
        let crypto = aws_lc::provider();
        let tickets = Tickets {
            crypto: &crypto,
            keys: &[Zeroizing::new([7; 32])],
            lifetime: LIFETIME,
        };
        let one = tickets.issue(NOW).unwrap();
        assert_ne!(one, tickets.issue(NOW).unwrap());
    }
}
