use std::{path::PathBuf, time::Duration};

use tamarack_client::api::Denial;
use tamarack_ta::ResultCode;

/// Why the broker could not do something, by whose fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The TEE can't be reached.
    #[error("the TEE does not answer on {path}: {source}. Is `tamarack tee serve` running?")]
    TeeUnreachable {
        /// Its socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The TEE ended the link or broke its rules.
    #[error("the link to the TEE broke: {0}")]
    Link(String),
    /// The TEE refused a call.
    #[error("{reason}")]
    Tee {
        /// GlobalPlatform result code.
        result: u32,
        /// Why, in the TEE's words.
        reason: String,
    },
    /// The TAM can't be reached, or did not answer as TEEP over HTTP demands.
    #[error("the TAM at {uri}: {reason}")]
    Tam {
        /// Its URI.
        uri: String,
        /// What went wrong.
        reason: String,
        /// Whether it may have worked on a message to which the answer was lost.
        lost: bool,
    },
    /// No TEE suits a request.
    #[error("no TEE suits the request: {0}")]
    NoTee(String),
    /// No TEE holds a component.
    #[error("{0} is installed in none of the TEEs that suit the request")]
    NotHeld(String),
    /// Applications cause too many exchanges.
    #[error("too many requests; the next is taken in {} s", wait.as_secs().max(1))]
    TooOften {
        /// When there is room again.
        wait: Duration,
    },
    /// The exchange did not come to an end.
    #[error("the exchange with {uri} was ended after {rounds} messages")]
    EndlessExchange {
        /// The TAM's URI.
        uri: String,
        /// Messages carried to the TAM.
        rounds: usize,
    },
    /// The kernel does not say who is at the other end of the socket.
    #[error("the kernel does not say which user this is")]
    Unknown,
    /// A user may not do something.
    #[error("{}", denied(.0))]
    Denied(Box<Denial>),
    /// A session is another user's.
    #[error("the session is another user's, not that of user {}", .0.user)]
    ForeignSession(Box<Denial>),
    /// There is no such session.
    #[error("there is no session {0}; it may have been closed because it was idle")]
    NoSession(u64),
    /// The TEE has ended a session.
    #[error(
        "session {0} has ended: it was idle for long, its application died or changed, or the TEE was started again"
    )]
    SessionEnded(u64),
    /// A user has as many sessions as one may have.
    #[error("user {user} has {most} sessions open; close one (GET /v1/sessions lists them)")]
    TooManySessions {
        /// The user id.
        user: u32,
        /// How many one may have.
        most: usize,
    },
    /// The application went away while its command was under way.
    #[error("the application went away")]
    Abandoned,
    /// A command was cancelled before it came to an end.
    #[error("the command was cancelled")]
    Cancelled,
    /// A command that was cancelled goes on.
    #[error("the command was cancelled and does not end")]
    WillNotEnd,
    /// An application sends no more input.
    #[error("no input came for {} s; the command was cancelled", .0.as_secs())]
    InputStalled(Duration),
    /// An application does not read a command's output.
    #[error("the output was not read for {} s; the command was cancelled", .0.as_secs())]
    OutputStalled(Duration),
    /// The permissions of applications can't be used.
    #[error("{}: {reason}", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A socket could not be opened.
    #[error("cannot listen on {path}: {source}")]
    Listen {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The group that the socket should belong to can't be had.
    #[error("the socket can't be given to the group {group}: {reason}")]
    SocketGroup {
        /// The group, by name or number.
        group: String,
        /// What went wrong.
        reason: String,
    },
    /// A file with certificates of authorities can't be used.
    #[error("{}: {reason}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The address for TAMs can't be listened on.
    #[error("cannot listen on {address}: {source}")]
    ListenForTam {
        /// The address.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The trace could not be opened.
    #[error(transparent)]
    Trace(#[from] tamarack_trace::TraceError),
    /// The HTTP client could not be set up.
    #[error("cannot set up the HTTP client: {0}")]
    HttpClient(String),
}

fn denied(denial: &Denial) -> String {
    let Denial {
        user,
        action,
        component,
        rules,
    } = denial;
    let what = match component {
        Some(component) => format!("{action} {component}"),
        None => action.clone(),
    };
    match rules {
        Some(rules) => format!("user {user} may not {what}: no rule in {rules} allows it"),
        None => format!(
            "user {user} may not {what}: the broker has no --permissions, so only root and its own user may"
        ),
    }
}

impl BrokerError {
    /// The GlobalPlatform result code, if there is one.
    pub(crate) fn result(&self) -> Option<u32> {
        match self {
            Self::Tee { result, .. } => Some(*result),
            Self::Cancelled | Self::WillNotEnd | Self::InputStalled(_) | Self::OutputStalled(_) => {
                Some(ResultCode::CANCEL.0)
            }
            _ => None,
        }
    }

    /// Whether a session about which the TEE says this is there no more.
    pub(crate) fn ends_session(&self) -> bool {
        [ResultCode::BAD_STATE.0, ResultCode::TARGET_DEAD.0]
            .iter()
            .any(|code| matches!(self, Self::Tee { result, .. } if result == code))
    }

    /// Whether it is a TAM that failed: the TEE is well, and so may other TAMs be.
    pub(crate) fn is_of_tam(&self) -> bool {
        matches!(self, Self::Tam { .. } | Self::EndlessExchange { .. })
    }
}
