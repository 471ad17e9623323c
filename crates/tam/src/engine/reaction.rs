//! What follows from an Error about a QueryRequest (TEEP section 7.1.2, and the table of section 4.6).

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tamarack_cose::{KeyId, SignatureAlgorithm};
use tamarack_teep::{DataItems, Error, ErrorCode, FreshnessMechanism, VERSION};

use super::question::Question;
use crate::Timestamp;

/// What the TAM does about an Error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It asks in another way, in this suite.
    Ask(Question, SignatureAlgorithm),
    /// It shows what it is itself, and asks again.
    Attest(Question),
    /// It ends the exchange, for this reason.
    End(&'static str),
}

/// Decides what follows from `error`, which is protected with `algorithm`, as an answer to `question`.
///
/// Each answer is one that the agent's own lists allow, and never the question that failed.
// req: TEEP-ERR-007
// req: TEEP-FRESH-006
// req: TEEP-TAM-014
pub(super) fn react(
    error: &Error,
    algorithm: SignatureAlgorithm,
    mut question: Question,
) -> Reaction {
    match error.code {
        // req: TEEP-ERR-005
        ErrorCode::UNSUPPORTED_EXTENSION => {
            let plain = DataItems::ATTESTATION | DataItems::TRUSTED_COMPONENTS;
            if question.items == plain {
                return Reaction::End("the agent misses an extension that was not used");
            }
            question.items = plain;
            Reaction::Ask(question, algorithm)
        }
        ErrorCode::UNSUPPORTED_FRESHNESS_MECHANISMS => {
            let theirs = &error.supported_freshness_mechanisms;
            let offered = question.freshness.len();
            question
                .freshness
                .retain(|mechanism| theirs.contains(mechanism));
            match question.freshness.len() {
                0 => Reaction::End("no freshness mechanism in common"),
                // It was offered already, and not taken.
                left if left == offered => Reaction::End("the agent refuses what it supports"),
                _ => Reaction::Ask(question, algorithm),
            }
        }
        // What is offered is the one version that there is: an agent that has it does not complain.
        ErrorCode::UNSUPPORTED_MSG_VERSION if error.versions.contains(&VERSION) => {
            Reaction::End("the agent refuses a version that it supports")
        }
        ErrorCode::UNSUPPORTED_MSG_VERSION => Reaction::End("no protocol version in common"),
        // The message itself may be in a suite that is not the agent's (TEEP-COSE-014).
        ErrorCode::UNSUPPORTED_CIPHER_SUITES => {
            let mut theirs = error.supported_teep_cipher_suites.iter();
            let common = theirs.find_map(|suite| {
                suite
                    .as_sign1()
                    .filter(|common| question.algorithms.contains(common))
            });
            match common {
                Some(common) => {
                    question.algorithms = vec![common];
                    Reaction::Ask(question, common)
                }
                None => Reaction::End("no cipher suite in common"),
            }
        }
        ErrorCode::ATTESTATION_REQUIRED => Reaction::Attest(question),
        ErrorCode::UNSUPPORTED_SUIT_REPORT if !question.suit_reports.is_empty() => {
            question.suit_reports.clear();
            Reaction::Ask(question, algorithm)
        }
        ErrorCode::UNSUPPORTED_SUIT_REPORT => {
            Reaction::End("the agent complains about a SUIT report that was not sent")
        }
        ErrorCode::BAD_CERTIFICATE => Reaction::End("the agent refuses the TAM's certificate"),
        ErrorCode::CERTIFICATE_EXPIRED => {
            Reaction::End("to the agent the TAM's certificate is expired: renew it")
        }
        // The agent asks again by itself.
        // req: TEEP-ERR-004
        ErrorCode::TEMPORARY_ERROR => Reaction::End("the agent has a passing fault"),
        // req: TEEP-ERR-002
        _ => Reaction::End("the agent could not answer the QueryRequest"),
    }
}

/// Whether a challenge goes with a payload that attests the TAM.
pub(super) fn wants_nonce(error: &Error) -> bool {
    let mechanisms = &error.supported_freshness_mechanisms;
    mechanisms.is_empty() || mechanisms.contains(&FreshnessMechanism::NONCE)
}

/// Counts the QueryRequests that answer Errors, so that two sides that can't agree come to an end.
///
/// The only memory that the engine has: a table for one minute, of bounded size. It authorises nothing.
// req: TEEP-TAM-018
#[derive(Debug, Default)]
pub(super) struct Patience(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    number: u64,
    asked: BTreeMap<Option<KeyId>, u32>,
}

impl Patience {
    /// Most agents that are counted in one minute; the others share what is left to agents without a name.
    const MOST: usize = 4096;

    /// Whether the agent that names this key may be asked once more.
    pub(super) fn lasts(&self, agent: Option<KeyId>, most: u32, now: Timestamp) -> bool {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.0 / 60_000_000;
        if minute.number != number {
            *minute = Minute {
                number,
                asked: BTreeMap::new(),
            };
        }
        let full = minute.asked.len() >= Self::MOST && !minute.asked.contains_key(&agent);
        let asked = minute.asked.entry(agent.filter(|_| !full)).or_default();
        *asked = asked.saturating_add(1);
        *asked <= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tamarack_teep::CipherSuite;

    const ESP256: SignatureAlgorithm = SignatureAlgorithm::Esp256;
    const ED25519: SignatureAlgorithm = SignatureAlgorithm::Ed25519;

    fn question() -> Question {
        Question {
            algorithms: vec![ESP256, ED25519],
            freshness: vec![FreshnessMechanism::NONCE, FreshnessMechanism::TIMESTAMP],
            items: DataItems::ATTESTATION | DataItems::TRUSTED_COMPONENTS | DataItems::EXTENSIONS,
            attestation: None,
            suit_reports: vec![vec![0xa0]],
        }
    }

    fn asks(error: &Error) -> Option<(Question, SignatureAlgorithm)> {
        match react(error, ESP256, question()) {
            Reaction::Ask(question, algorithm) => Some((question, algorithm)),
            _ => None,
        }
    }

    // req: TEEP-ERR-007
    // req: TEEP-ERR-005
    // req: TEEP-FRESH-006
    #[test]
    fn what_the_agent_supports_is_asked_and_nothing_is_asked_twice() {
        let mut error = Error::new(ErrorCode::UNSUPPORTED_CIPHER_SUITES);
        assert_eq!(asks(&error), None, "an error without its list");
        let odd = CipherSuite(vec![]);
        error.supported_teep_cipher_suites = vec![odd, CipherSuite::sign1(ED25519)];
        let (asked, algorithm) = asks(&error).unwrap();
        assert_eq!((asked.algorithms, algorithm), (vec![ED25519], ED25519));

        let mut error = Error::new(ErrorCode::UNSUPPORTED_FRESHNESS_MECHANISMS);
        assert_eq!(asks(&error), None);
        error.supported_freshness_mechanisms = vec![FreshnessMechanism(9)];
        assert_eq!(asks(&error), None);
        error.supported_freshness_mechanisms = vec![FreshnessMechanism::TIMESTAMP];
        let (asked, _) = asks(&error).unwrap();
        assert_eq!(asked.freshness, [FreshnessMechanism::TIMESTAMP]);
        error.supported_freshness_mechanisms = question().freshness;
        assert_eq!(asks(&error), None);

        let (asked, _) = asks(&Error::new(ErrorCode::UNSUPPORTED_EXTENSION)).unwrap();
        let plain = DataItems::ATTESTATION | DataItems::TRUSTED_COMPONENTS;
        assert_eq!(asked.items, plain);
        let again = Question {
            items: plain,
            ..question()
        };
        let again = react(&Error::new(ErrorCode::UNSUPPORTED_EXTENSION), ESP256, again);
        assert!(matches!(again, Reaction::End(_)));

        let (asked, _) = asks(&Error::new(ErrorCode::UNSUPPORTED_SUIT_REPORT)).unwrap();
        assert!(asked.suit_reports.is_empty());

        let mut error = Error::new(ErrorCode::UNSUPPORTED_MSG_VERSION);
        assert_eq!(asks(&error), None);
        error.versions = vec![VERSION];
        assert_eq!(asks(&error), None);
    }

    // req: TEEP-ERR-002
    // req: TEEP-ERR-004
    #[test]
    fn other_errors_end_the_exchange() {
        for code in [1, 4, 6, 9, 10, 11, 17, 18, 23, 24, 1000, u64::MAX] {
            let reaction = react(&Error::new(ErrorCode(code)), ESP256, question());
            assert!(matches!(reaction, Reaction::End(_)), "{code}");
        }
    }

    // req: TEEP-TAM-018
    #[test]
    fn patience_ends_for_one_agent_and_comes_back() {
        let patience = Patience::default();
        let key = |n: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&n.to_be_bytes());
            KeyId::from_bytes(&bytes)
        };
        let minute = Timestamp(1_800_000_000_000_000);
        let lasts = |agent, now| patience.lasts(agent, 2, now);
        assert!(lasts(key(1), minute) && lasts(key(1), minute) && !lasts(key(1), minute));
        assert!(lasts(key(2), minute));
        assert!(lasts(key(1), Timestamp(minute.0 + 60_000_000)));
        // A flood of names has a bounded table and one common budget.
        let lasting = (0..10_000).filter(|n| lasts(key(100 + n), minute)).count();
        assert!(lasting <= Patience::MOST + 2);
        assert!(patience.0.lock().unwrap().asked.len() <= Patience::MOST + 1);
    }
}
