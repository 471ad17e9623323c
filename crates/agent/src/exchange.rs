//! What the agent remembers of exchanges while it runs: lost on a restart, and harmlessly so.

use alloc::collections::BTreeMap;

use tamarack_cose::{KeyId, SignatureAlgorithm};

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

#[derive(Debug)]
struct Exchange {
    /// In which suite it goes on.
    algorithm: SignatureAlgorithm,
    opened: u64,
    updates: u32,
    /// How reports are encrypted, as the QueryRequest allows.
    confidentiality: Option<Confidentiality>,
}

impl Exchanges {
    /// A QueryResponse goes out to the TAM with this key.
    pub(crate) fn open(
        &mut self,
        tam: KeyId,
        algorithm: SignatureAlgorithm,
        now: u64,
        confidentiality: Option<Confidentiality>,
    ) {
        self.open.insert(
            tam,
            Exchange {
                algorithm,
                opened: now,
                updates: 0,
                confidentiality,
            },
        );
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
