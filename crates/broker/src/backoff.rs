//! How long to wait before something is tried again.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Times that a message is sent, the first time included.
const ATTEMPTS: u32 = 4;

/// Bound of the pause after the first failure. It doubles with every further one.
const FIRST: Duration = Duration::from_millis(500);

/// Bound of every pause that a server does not ask for.
const LONGEST: Duration = Duration::from_secs(8);

/// Longest pause that a server may ask for with Retry-After: what asks for more has failed for now.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Pauses between attempts: any time up to a bound that doubles, so that devices which failed together do not
/// come again together ("full jitter").
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause before the next attempt; `None` if there is to be none. A server that asked to wait is waited
    /// for, and a little longer.
    // req: TEEP-OPS-005
    pub(crate) fn after_failure(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.failures += 1;
        if self.failures >= ATTEMPTS || asked.is_some_and(|asked| asked > MAX_RETRY_AFTER) {
            return None;
        }
        let bound = (FIRST * 2_u32.pow(self.failures - 1)).min(LONGEST);
        Some(asked.unwrap_or_default() + up_to(bound))
    }
}

/// The pause before the next policy check.
///
/// Devices that were started together do not ask together. After failures it is tried again sooner, and less
/// and less so.
pub(crate) fn until_policy_check(interval: Duration, failures: u32) -> Duration {
    let tenth = interval / 10;
    match failures {
        0 => interval - tenth + up_to(tenth * 2),
        failures => {
            let bound = Duration::from_secs(30) * 2_u32.pow((failures - 1).min(16));
            let bound = bound.min(interval);
            bound / 2 + up_to(bound / 2)
        }
    }
}

fn up_to(bound: Duration) -> Duration {
    let bound = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(fastrand::u64(0..=bound))
}

/// What a response says in Retry-After: seconds, or a date (RFC 9110 section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than there are numbers for is long enough.
        return Some(Duration::from_secs(
            text.parse().unwrap_or(u64::from(u32::MAX)),
        ));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    // What is past already may be tried now.
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(value: &str) -> Option<Duration> {
        retry_after(
            &[(RETRY_AFTER, value.parse().unwrap())]
                .into_iter()
                .collect(),
        )
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(said("120"), Some(Duration::from_secs(120)));
        assert_eq!(said("0"), Some(Duration::ZERO));
        let long = said("99999999999999999999999").unwrap();
        assert!(long > MAX_RETRY_AFTER);
        assert_eq!(said("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
        let soon = SystemTime::now() + Duration::from_secs(30);
        let soon = said(&httpdate::fmt_http_date(soon)).unwrap();
        assert!(
            soon > Duration::from_secs(25) && soon <= Duration::from_secs(30),
            "{soon:?}"
        );
        for nonsense in ["", "-1", "1.5", "soon"] {
            assert_eq!(said(nonsense), None, "{nonsense}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    // req: TEEP-OPS-005
    #[test]
    fn pauses_are_bounded_and_end() {
        let mut backoff = Backoff::default();
        for bound in [500, 1000, 2000] {
            let pause = backoff.after_failure(None).unwrap();
            assert!(pause <= Duration::from_millis(bound), "{pause:?}");
        }
        assert_eq!(backoff.after_failure(None), None);

        let asked = Duration::from_secs(7);
        let pause = Backoff::default().after_failure(Some(asked)).unwrap();
        assert!(pause >= asked && pause <= asked + FIRST, "{pause:?}");
        let too_long = MAX_RETRY_AFTER + Duration::from_secs(1);
        assert_eq!(Backoff::default().after_failure(Some(too_long)), None);
    }

    // req: HTTP-025
    #[test]
    fn policy_checks_are_spread_and_come_sooner_after_a_failure() {
        let hour = Duration::from_secs(3600);
        for _ in 0..100 {
            let pause = until_policy_check(hour, 0);
            assert!(
                pause >= hour * 9 / 10 && pause <= hour * 11 / 10,
                "{pause:?}"
            );
            let pause = until_policy_check(hour, 1);
            assert!((15..=30).contains(&pause.as_secs()), "{pause:?}");
            let pause = until_policy_check(hour, u32::MAX);
            assert!(pause >= hour / 2 && pause <= hour, "{pause:?}");
            let pause = until_policy_check(Duration::from_secs(2), 9);
            assert!(pause <= Duration::from_secs(2), "{pause:?}");
        }
    }
}
