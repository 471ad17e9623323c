//! What the agent remembers of exchanges while it runs: lost on a restart, and harmlessly so.

use alloc::{collections::BTreeMap, vec::Vec};

use tamarack_cose::{CryptoProvider, KeyId, SignatureAlgorithm};
use tamarack_teep::Token;

use crate::agent::Confidentiality;

/// Updates taken in one exchange: a TAM may go on after a failed manifest, but not for ever.
const MAX_UPDATES: u32 = 16;

/// How long an exchange stays open: a slow device may take hours over one update.
const MAX_AGE: u64 = 12 * 3600;

/// Exchanges with TAMs that were answered with a QueryResponse.
///
/// An Update is taken in an exchange only, so that one that was recorded earlier can't be played at will.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    /// By the anchor that stands for the TAM: no more entries than there are TAM anchors.
    open: BTreeMap<KeyId, Exchange>,
}

/// An exchange with one TAM.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// In which suite it goes on.
    pub(crate) algorithm: SignatureAlgorithm,
    /// How reports are encrypted, as the QueryRequest allows.
    pub(crate) confidentiality: Option<Confidentiality>,
    /// The nonce that was answered and the key that signed the answer, if the TAM announced that its Updates
    /// follow that.
    pub(crate) followed: Option<(Vec<u8>, KeyId)>,
    /// When, in seconds since 1970-01-01 UTC.
    pub(crate) opened: u64,
    /// How many Updates came so far.
    pub(crate) updates: u32,
}

impl Exchanges {
    /// A QueryResponse goes out to the TAM that this anchor stands for.
    pub(crate) fn open(&mut self, tam: KeyId, exchange: Exchange) {
        self.open.insert(tam, exchange);
    }

    /// Whether there is an exchange with the TAM in this suite.
    // req: TEEP-COSE-012
    pub(crate) fn is_in(&self, tam: &KeyId, algorithm: SignatureAlgorithm) -> bool {
        let exchange = self.open.get(tam);
        exchange.is_some_and(|exchange| exchange.algorithm == algorithm)
    }

    /// The TAM has said that it does not go on.
    pub(crate) fn close(&mut self, tam: &KeyId) {
        self.open.remove(tam);
    }

    /// How to encrypt reports for the TAM.
    pub(crate) fn confidentiality(&self, tam: &KeyId) -> Option<Confidentiality> {
        self.open.get(tam)?.confidentiality
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

    /// Whether an Update with this token follows the QueryResponse that opened the exchange: not one to another
    /// device, nor an earlier one. Of a TAM that does not say what its Updates follow, any does.
    pub(crate) fn is_followed_by(
        &self,
        crypto: &CryptoProvider,
        tam: &KeyId,
        token: Option<&Token>,
    ) -> bool {
        let followed = self.open.get(tam).and_then(|open| open.followed.as_ref());
        followed.is_none_or(|(nonce, agent)| {
            token.is_some_and(|token| token.follows(crypto, nonce, agent))
        })
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
