//! Challenges and tokens that carry their own state.

use std::time::Duration;

use tamarack_cose::CryptoProvider;
use tamarack_teep::{ANNOUNCEMENT, DataItems, announce, announced};
use zeroize::Zeroizing;

use crate::{TicketMark, Timestamp, Ueid};

const SALT: usize = 16;
/// The time of issue and what was asked for.
const CONTENT: usize = 8 + 1;
/// A salt, the sealed content, a tag, and what announces Updates that follow: 49 bytes, within the 64 of a
/// token and of eat_nonce.
// req: TEEP-FRESH-010
const LENGTH: usize = SALT + CONTENT + 16 + ANNOUNCEMENT;

/// How far ahead a TAM's clock may be of another's that shares the ticket key.
const SKEW: Duration = Duration::from_secs(60);

/// What a ticket is issued for. For anything else it is worth nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose<'a> {
    /// A challenge to whoever asks, to be answered by Evidence.
    Challenge,
    /// A token to whoever asks, to be answered by an Attestation Result (Passport model).
    Passport,
    /// A token for one device, to be answered under the key that its agent has attested.
    Device(&'a Ueid),
}

impl Purpose<'_> {
    /// What the key that seals a ticket is derived for; no other use of the ticket key has such a text.
    fn info(self) -> Vec<u8> {
        match self {
            Self::Challenge => b"tamarack-tam challenge v2".to_vec(),
            Self::Passport => b"tamarack-tam passport v2".to_vec(),
            Self::Device(ueid) => [b"tamarack-tam device v2 ", ueid.as_bytes()].concat(),
        }
    }
}

/// A ticket that this TAM issued and that is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    /// Its place in the order of issue.
    pub(super) mark: TicketMark,
    /// What the QueryRequest with it asked for.
    pub(super) items: DataItems,
}

/// Why a nonce is no ticket that may be answered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TicketError {
    /// This TAM never issued it for the purpose.
    NotIssued,
    /// It was issued too long ago.
    Expired,
}

/// Issues tickets and recognises them, without remembering any.
///
/// A ticket is 16 random bytes and its content, sealed under a key that is derived from the ticket key,
/// the purpose and these bytes. Nobody without the ticket key can make one or change one, and since each
/// has a key of its own, no nonce repeats however many are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tickets<'a> {
    pub(super) crypto: &'a CryptoProvider,
    /// The newest, which seals, and older ones, which open what they sealed.
    pub(super) keys: &'a [Zeroizing<[u8; 32]>],
    pub(super) lifetime: Duration,
}

impl Tickets<'_> {
    /// A ticket that is valid from `now` on.
    // req: TEEP-TOK-001
    pub(super) fn issue(
        &self,
        purpose: Purpose<'_>,
        items: DataItems,
        now: Timestamp,
    ) -> Result<Vec<u8>, tamarack_cose::Error> {
        let salt: [u8; SALT] = self.crypto.random_array()?;
        let key = self.keys.first();
        let key = key.ok_or(tamarack_cose::Error::Crypto("no key seals tickets"))?;
        let info = purpose.info();
        let mut sealed = now.0.to_be_bytes().to_vec();
        // A QueryRequest has four bits to ask with.
        sealed.push(u8::try_from(items.0).unwrap_or(u8::MAX));
        self.crypto.aead.seal(
            &self.derive(key, &salt, &info),
            &[0; 12],
            &info,
            &mut sealed,
        )?;
        let mut ticket = salt.to_vec();
        ticket.append(&mut sealed);
        Ok(announce(self.crypto, ticket))
    }

    /// What the ticket says, if this TAM issued it for `purpose` and it is valid at `now`.
    pub(super) fn open(
        &self,
        purpose: Purpose<'_>,
        nonce: &[u8],
        now: Timestamp,
    ) -> Result<Ticket, TicketError> {
        if nonce.len() != LENGTH {
            return Err(TicketError::NotIssued);
        }
        let info = purpose.info();
        let ticket = announced(self.crypto, nonce).ok_or(TicketError::NotIssued)?;
        let (salt, sealed) = ticket.split_first_chunk().ok_or(TicketError::NotIssued)?;
        let opened = self.keys.iter().find_map(|key| {
            let mut content = sealed.to_vec();
            let key = self.derive(key, salt, &info);
            let opened = self.crypto.aead.open(&key, &[0; 12], &info, &mut content);
            opened.ok().map(|()| content)
        });
        let content = opened.ok_or(TicketError::NotIssued)?;
        let content = <[u8; CONTENT]>::try_from(content).map_err(|_| TicketError::NotIssued)?;
        let [time @ .., items] = content;
        let ticket = Ticket {
            mark: TicketMark {
                issued_at: Timestamp(u64::from_be_bytes(time)),
                salt: *salt,
            },
            items: DataItems(u64::from(items)),
        };
        // One from the future would stay ahead of every later one.
        let issued_at = ticket.mark.issued_at;
        if issued_at > now.plus(SKEW) || issued_at.plus(self.lifetime) <= now {
            return Err(TicketError::Expired);
        }
        Ok(ticket)
    }

    fn derive(&self, key: &[u8; 32], salt: &[u8; SALT], info: &[u8]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.crypto.kdf.derive(key, salt, info))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tamarack_cose::{CryptoProvider, aws_lc};

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);
    const LIFETIME: Duration = Duration::from_secs(3600);
    const ITEMS: DataItems = DataItems::ATTESTATION;

    fn tickets<'a>(crypto: &'a CryptoProvider, keys: &'a [Zeroizing<[u8; 32]>]) -> Tickets<'a> {
        Tickets {
            crypto,
            keys,
            lifetime: LIFETIME,
        }
    }

    // req: TEEP-FRESH-008
    // req: TEEP-FRESH-010
    #[test]
    fn a_ticket_opens_with_its_key_within_its_time() {
        let crypto = aws_lc::provider();
        let keys = [Zeroizing::new([7; 32])];
        let tickets = tickets(&crypto, &keys);
        let nonce = tickets.issue(Purpose::Challenge, ITEMS, NOW).unwrap();
        let open = |nonce: &[u8], now| tickets.open(Purpose::Challenge, nonce, now);
        assert!(nonce.len() <= 64);
        let ticket = open(&nonce, NOW).unwrap();
        assert_eq!((ticket.mark.issued_at, ticket.items), (NOW, ITEMS));
        let last = Timestamp(NOW.plus(LIFETIME).0 - 1);
        assert!(open(&nonce, last).is_ok());
        let expired = Err(TicketError::Expired);
        assert_eq!(open(&nonce, NOW.plus(LIFETIME)), expired);
        let before = Timestamp(NOW.0 - 3_600_000_000);
        assert_eq!(open(&nonce, before), expired, "from the future");

        let others = Tickets {
            keys: &[Zeroizing::new([8; 32])],
            ..tickets
        };
        let stranger = others.open(Purpose::Challenge, &nonce, NOW);
        assert_eq!(stranger, Err(TicketError::NotIssued));
        let rotated = Tickets {
            keys: &[[8; 32], [7; 32]].map(Zeroizing::new),
            ..tickets
        };
        let old = rotated.open(Purpose::Challenge, &nonce, NOW);
        assert!(old.is_ok(), "sealed with the key before");
        let newer = rotated.issue(Purpose::Challenge, ITEMS, NOW).unwrap();
        let newest = others.open(Purpose::Challenge, &newer, NOW);
        assert!(newest.is_ok(), "sealed with the newest");
        for position in 0..nonce.len() {
            let mut changed = nonce.clone();
            changed[position] ^= 1;
            assert_eq!(open(&changed, NOW), Err(TicketError::NotIssued));
            assert_eq!(open(&nonce[..position], NOW), Err(TicketError::NotIssued));
        }
    }

    // req: TEEP-TOK-002
    #[test]
    fn a_ticket_is_good_for_its_purpose_only() {
        let crypto = aws_lc::provider();
        let keys = [Zeroizing::new([7; 32])];
        let tickets = tickets(&crypto, &keys);
        let ueid = |last| Ueid::new(vec![1, 2, 3, 4, 5, 6, last]).unwrap();
        let (one, other) = (ueid(7), ueid(8));
        let purposes = [
            Purpose::Challenge,
            Purpose::Passport,
            Purpose::Device(&one),
            Purpose::Device(&other),
        ];
        for issued in purposes {
            let nonce = tickets.issue(issued, ITEMS, NOW).unwrap();
            for opened in purposes {
                let is_open = tickets.open(opened, &nonce, NOW).is_ok();
                assert_eq!(is_open, issued == opened, "{issued:?} as {opened:?}");
            }
        }
    }

    // req: TEEP-TOK-009
    // req: TEEP-PRIV-006
    #[test]
    fn no_two_tickets_are_the_same() {
        let crypto = aws_lc::provider();
        let keys = [Zeroizing::new([7; 32])];
        let tickets = tickets(&crypto, &keys);
        let one = tickets.issue(Purpose::Challenge, ITEMS, NOW).unwrap();
        let other = tickets.issue(Purpose::Challenge, ITEMS, NOW).unwrap();
        assert_ne!(one, other);
    }
}
