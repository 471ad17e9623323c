use subtle::ConstantTimeEq;

/// How far ahead the clock of who issued a token may be, in seconds.
const CLOCK_SKEW: u64 = 60;

/// How a token shows that it is fresh (section 9 of the TEEP protocol).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness<'a> {
    /// It repeats this nonce.
    Nonce(&'a [u8]),
    /// It says when it was issued, which is no longer ago than so many seconds.
    Timestamp {
        /// The oldest that it may be, in seconds.
        maximum_age: u64,
    },
}

impl Freshness<'_> {
    /// Whether a token with these claims is fresh at `now`, in seconds since 1970-01-01 UTC. One that was
    /// issued in the future is not.
    pub(crate) fn holds(&self, nonce: Option<&[u8]>, issued_at: Option<u64>, now: u64) -> bool {
        let from_the_future = issued_at.is_some_and(|at| at > now.saturating_add(CLOCK_SKEW));
        let fresh = match self {
            Self::Nonce(sent) => nonce.is_some_and(|found| found.ct_eq(sent).into()),
            Self::Timestamp { maximum_age } => {
                issued_at.is_some_and(|at| now.saturating_sub(at) <= *maximum_age)
            }
        };
        fresh && !from_the_future
    }
}
