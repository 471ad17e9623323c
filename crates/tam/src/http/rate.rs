//! How often a client may ask: a bucket of tokens for each address, and one for all together.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Addresses with a bucket that is not full. Each takes about 64 bytes.
const MAX_ADDRESSES: usize = 1 << 16;

/// How often buckets that have filled up again are thrown away at most.
const CLEAN: Duration = Duration::from_secs(1);

/// How many requests are taken in the long run, and at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests in a second, in the long run. 0 is no limit.
    pub per_second: u32,
    /// Requests at once, after a pause; 1 at least.
    pub burst: u32,
}

impl Rate {
    /// Takes a token, or says how long it is until there is one.
    ///
    /// `full` is when the bucket is full again if nothing more is taken: all that there is to remember.
    fn take(self, full: &mut Instant, now: Instant) -> Result<(), Duration> {
        if self.per_second == 0 {
            return Ok(());
        }
        let token = Duration::from_secs(1) / self.per_second;
        let emptied = (*full).max(now) + token;
        let too_far = emptied
            .duration_since(now)
            .saturating_sub(token * self.burst.max(1));
        if too_far.is_zero() {
            *full = emptied;
            Ok(())
        } else {
            Err(too_far)
        }
    }
}

/// Why a request is not taken now, and when to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// This client asks too often.
    Client(Duration),
    /// All clients together do.
    Everybody(Duration),
}

/// The buckets.
///
/// Memory is bounded. A client that finds no place for its bucket, because too many others have one, is
/// bounded by what all may do together.
// req: TEEP-OPS-005
pub(super) struct RateLimiter {
    each: Rate,
    all: Rate,
    buckets: Mutex<Buckets>,
}

struct Buckets {
    all: Instant,
    each: HashMap<IpAddr, Instant>,
    cleaned: Instant,
}

impl RateLimiter {
    pub(super) fn new(each: Rate, all: Rate) -> Self {
        let now = Instant::now();
        let buckets = Buckets {
            all: now,
            each: HashMap::new(),
            cleaned: now,
        };
        Self {
            each,
            all,
            buckets: Mutex::new(buckets),
        }
    }

    /// Takes a request of `client` into account, or says why it must wait.
    pub(super) fn admit(&self, client: IpAddr, now: Instant) -> Result<(), Denied> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let client = network_of(client);
        if self.each.per_second > 0 && buckets.has_room(&client, now) {
            let full = buckets.each.entry(client).or_insert(now);
            self.each.take(full, now).map_err(Denied::Client)?;
        }
        self.all
            .take(&mut buckets.all, now)
            .map_err(Denied::Everybody)
    }
}

impl Buckets {
    fn has_room(&mut self, client: &IpAddr, now: Instant) -> bool {
        if self.each.len() < MAX_ADDRESSES || self.each.contains_key(client) {
            return true;
        }
        if now.saturating_duration_since(self.cleaned) >= CLEAN {
            self.cleaned = now;
            self.each.retain(|_, full| *full > now);
        }
        self.each.len() < MAX_ADDRESSES
    }
}

/// What one client has: an IPv4 address, or the /64 of an IPv6 address, of which it has as many as it likes.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Rate = Rate {
        per_second: 1,
        burst: 3,
    };
    const MANY: Rate = Rate {
        per_second: 0,
        burst: 0,
    };

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    // req: TEEP-OPS-005
    #[test]
    fn a_burst_is_taken_then_one_at_a_time() {
        let limiter = RateLimiter::new(ONE, MANY);
        let now = Instant::now();
        for _ in 0..3 {
            assert_eq!(limiter.admit(address(1), now), Ok(()));
        }
        let denied = Err(Denied::Client(Duration::from_secs(1)));
        assert_eq!(limiter.admit(address(1), now), denied);
        // What was denied took nothing.
        assert_eq!(limiter.admit(address(1), now), denied);
        assert_eq!(limiter.admit(address(2), now), Ok(()));
        let later = now + Duration::from_secs(1);
        assert_eq!(limiter.admit(address(1), later), Ok(()));
        assert_eq!(limiter.admit(address(1), later), denied);
    }

    #[test]
    fn all_together_have_a_bucket_too() {
        let limiter = RateLimiter::new(MANY, ONE);
        let now = Instant::now();
        for number in 0..3 {
            assert_eq!(limiter.admit(address(number), now), Ok(()));
        }
        let denied = Err(Denied::Everybody(Duration::from_secs(1)));
        assert_eq!(limiter.admit(address(9), now), denied);
    }

    #[test]
    fn addresses_of_one_network_share_a_bucket_and_mapped_ones_are_ipv4() {
        let v6 = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:2"));
        assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
        assert_eq!(v6("::ffff:192.0.2.1"), v6("192.0.2.1"));
    }

    #[test]
    fn memory_is_bounded_and_made_free_again() {
        let limiter = RateLimiter::new(ONE, MANY);
        let now = Instant::now();
        for number in 0..=u32::try_from(MAX_ADDRESSES).unwrap() {
            assert_eq!(limiter.admit(address(number), now), Ok(()));
        }
        let held = || limiter.buckets.lock().unwrap().each.len();
        assert_eq!(held(), MAX_ADDRESSES);
        let later = now + Duration::from_secs(10);
        assert_eq!(limiter.admit(address(u32::MAX), later), Ok(()));
        assert_eq!(held(), 1);
    }
}
