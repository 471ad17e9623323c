use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How many exchanges may be caused in a minute, from one side: a bucket of tokens.
// req: ARCH-042
#[derive(Debug)]
pub(crate) struct Budget {
    per_minute: u32,
    /// When the bucket is full again, if nothing more is taken.
    full: Mutex<Instant>,
}

impl Budget {
    /// A budget of `per_minute`, all of which may be spent at once; 0 is no limit.
    pub(crate) fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            full: Mutex::new(Instant::now()),
        }
    }

    /// Takes one, or says how long it is until there is one.
    pub(crate) fn spend(&self, now: Instant) -> Result<(), Duration> {
        let minute = Duration::from_secs(60);
        if self.per_minute == 0 {
            return Ok(());
        }
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        let emptied = (*full).max(now) + minute / self.per_minute;
        let too_far = emptied.duration_since(now).saturating_sub(minute);
        if too_far.is_zero() {
            *full = emptied;
            Ok(())
        } else {
            Err(too_far)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // req: ARCH-042
    #[test]
    fn what_was_spent_comes_back_over_a_minute() {
        let budget = Budget::new(2);
        let now = Instant::now();
        assert_eq!([budget.spend(now), budget.spend(now)], [Ok(()), Ok(())]);
        let wait = budget.spend(now).unwrap_err();
        assert_eq!(wait, Duration::from_secs(30));
        assert_eq!(budget.spend(now + wait), Ok(()));
        assert!(budget.spend(now + wait).is_err());
        let unlimited = Budget::new(0);
        assert!((0..1000).all(|_| unlimited.spend(now).is_ok()));
    }
}
