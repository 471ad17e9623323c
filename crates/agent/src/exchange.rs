//! What the agent remembers of exchanges while it runs: lost on a restart, and harmlessly so.

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};

use tamarack_cose::{CryptoProvider, KeyId};
use tamarack_teep::{Token, announced};

/// Updates taken in one exchange: a TAM may go on after a failed manifest, but not for ever.
const MAX_UPDATES: u32 = 16;

/// How long an exchange stays open: a slow device may take hours over one update.
const MAX_AGE: u64 = 12 * 3600;

/// Exchanges with TAMs that were answered with a QueryResponse.
///
/// An Update is taken in an exchange only, so that one that was recorded earlier can't be played at will.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    /// By the TAM's key: no more entries than there are TAM anchors.
    open: BTreeMap<KeyId, Exchange>,
}

#[derive(Debug)]
struct Exchange {
    opened: u64,
    updates: u32,
    /// The nonce that was answered, if the TAM announced that its Updates follow the answer.
    nonce: Option<Vec<u8>>,
}

impl Exchanges {
    /// A QueryResponse that answers `nonce` goes out to the TAM with this key.
    pub(crate) fn open(&mut self, crypto: &CryptoProvider, tam: KeyId, nonce: &[u8], now: u64) {
        self.open.insert(
            tam,
            Exchange {
                opened: now,
                updates: 0,
                nonce: announced(crypto, nonce).map(|_| nonce.to_vec()),
            },
        );
    }

    /// Whether an Update may come from the TAM now; counts it if so.
    pub(crate) fn take_update(&mut self, tam: &KeyId, now: u64) -> bool {
        let Some(exchange) = self.open.get_mut(tam) else {
            return false;
        };
        exchange.updates += 1;
        let age = now.saturating_sub(exchange.opened);
        let fits = exchange.updates <= MAX_UPDATES && age <= MAX_AGE;
        if !fits {
            self.open.remove(tam);
        }
        fits
    }

    /// Whether an Update with this token follows the QueryResponse that opened the exchange, which was signed
    /// with the key `agent`: not one to another device, nor an earlier one. Of a TAM that does not say what
    /// its Updates follow, any does.
    pub(crate) fn is_followed_by(
        &self,
        crypto: &CryptoProvider,
        tam: &KeyId,
        token: Option<&Token>,
        agent: &KeyId,
    ) -> bool {
        let exchange = self.open.get(tam);
        let nonce = exchange.and_then(|exchange| exchange.nonce.as_deref());
        nonce.is_none_or(|nonce| token.is_some_and(|token| token.follows(crypto, nonce, agent)))
    }
}

/// The TAMs still to be named in a round of policy checks.
#[derive(Debug, Default)]
pub(crate) struct PolicyRound {
    left: Option<VecDeque<String>>,
}

impl PolicyRound {
    /// The next TAM, from `all` when a round begins; `None` ends the round.
    // req: TEEP-AGENT-007
    pub(crate) fn next(&mut self, all: impl FnOnce() -> VecDeque<String>) -> Option<String> {
        let left = self.left.get_or_insert_with(all);
        let next = left.pop_front();
        if next.is_none() {
            self.left = None;
        }
        next
    }
}

/// Answers to messages that nobody trusted signed: a few a minute, then silence.
// req: TEEP-VAL-008
#[derive(Debug, Default)]
pub(crate) struct StrangerBudget {
    minute: u64,
    spent: u32,
}

impl StrangerBudget {
    /// Answers in one minute.
    const PER_MINUTE: u32 = 120;

    pub(crate) fn spend(&mut self, now: u64) -> bool {
        let minute = now / 60;
        if self.minute != minute {
            *self = Self { minute, spent: 0 };
        }
        self.spent += 1;
        self.spent <= Self::PER_MINUTE
    }
}
