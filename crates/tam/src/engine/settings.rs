use std::time::Duration;

use tamarack_cose::cbor;
use tamarack_teep::DataItems;

/// In seconds.
const HOUR: u64 = 3600;

/// Who turns a device's Evidence into an Attestation Result (TEEP section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AttestationModel {
    /// The TAM, with its Verifier: agents answer a challenge with Evidence.
    #[default]
    BackgroundCheck,
    /// The device: agents present an Attestation Result that holds the TAM's token.
    Passport,
}

/// How the engine is set: times and bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a challenge may be answered. Default 4 hours, as a device may have to wake others first.
    pub challenge_lifetime: Duration,
    /// How long the answer to an Update is waited for. Default 24 hours: it comes once all is installed.
    // req: TEEP-TOK-007
    pub update_lifetime: Duration,
    /// Which model QueryRequests are for. Default Background-Check.
    pub attestation_model: AttestationModel,
    /// How old Evidence or an Attestation Result may be that holds a time and no nonce; such are taken,
    /// and offered to agents as the freshness mechanism timestamp, if this is set. Default not.
    pub timestamp_window: Option<Duration>,
    /// For how long an attestation counts: a device that is asked again within this time, in the same
    /// exchange or at the TAM's initiative, is not asked for another one. Default 1 hour.
    pub attestation_lifetime: Duration,
    /// What QueryRequests ask for besides attestation and the installed components: extensions, SUIT
    /// reports of the boot, both, or (by default) neither.
    pub also_asked: DataItems,
    /// How many QueryRequests a minute are sent in answer to Errors of one agent. Default 8. Two sides that
    /// can't agree would go on for ever otherwise.
    pub questions_per_minute: u32,
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
    /// Whether agents get an Attestation Result of their own in an Update, for others to see, if the
    /// Verifier gives one. Default no.
    pub results_for_agents: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            challenge_lifetime: Duration::from_secs(4 * HOUR),
            update_lifetime: Duration::from_secs(24 * HOUR),
            attestation_model: AttestationModel::default(),
            timestamp_window: None,
            attestation_lifetime: Duration::from_secs(HOUR),
            also_asked: DataItems::default(),
            questions_per_minute: 8,
            message: cbor::Limits::default(),
            update_bytes: 7 << 20,
            installed_components: 1024,
            failures: 3,
            results_for_agents: false,
        }
    }
}
