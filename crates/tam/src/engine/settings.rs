use std::time::Duration;

use tamarack_cose::cbor;

/// In seconds.
const HOUR: u64 = 3600;

/// How the engine is set: times and bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a challenge may be answered. Default 4 hours, as a device may have to wake others first.
    pub challenge_lifetime: Duration,
    /// How long the answer to an Update is waited for. Default 24 hours: it comes once all is installed.
    // req: TEEP-TOK-007
    pub update_lifetime: Duration,
    /// Longest message and deepest nesting. Default 1 MiB and 16 levels.
    pub message: cbor::Limits,
    /// How many bytes of envelopes go into one Update; what does not fit waits for the next session. A
    /// longer envelope is refused when it is published, as it would fit into no Update. Default 7 MiB:
    /// with what an Update holds besides, that is a message which agents and brokers, who read 8 MiB,
    /// can read.
    pub update_bytes: usize,
    /// Most entries of a tc-list. Default 1024.
    pub installed_components: usize,
    /// How often a manifest may fail on a device, in a row, before it is no longer sent. Default 3. An
    /// Update that expires unanswered counts as a failure, and so does one that is unanswered after a
    /// minute when the device asks again and still lacks what was in it.
    pub failures: u32,
    /// How old an Attestation Result may be that has no nonce, by its time of issue. Default none: such a
    /// result is not taken. Agents know that it may do without from supported-freshness-mechanisms.
    pub result_age: Option<Duration>,
    /// Whether agents get an Attestation Result of their own in an Update, for others to see, if the
    /// Verifier gives one. Default no.
    pub results_for_agents: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            challenge_lifetime: Duration::from_secs(4 * HOUR),
            update_lifetime: Duration::from_secs(24 * HOUR),
            message: cbor::Limits::default(),
            update_bytes: 7 << 20,
            installed_components: 1024,
            failures: 3,
            result_age: None,
            results_for_agents: false,
        }
    }
}
