use std::path::PathBuf;

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
        wait: std::time::Duration,
    },
    /// The exchange did not come to an end.
    #[error("the exchange with {uri} was ended after {rounds} messages")]
    EndlessExchange {
        /// The TAM's URI.
        uri: String,
        /// Messages carried to the TAM.
        rounds: usize,
    },
    /// A socket could not be opened.
    #[error("cannot listen on {path}: {source}")]
    Listen {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
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

impl BrokerError {
    /// Whether it is a TAM that failed: the TEE is well, and so may other TAMs be.
    pub(crate) fn is_of_tam(&self) -> bool {
        matches!(self, Self::Tam { .. } | Self::EndlessExchange { .. })
    }
}
