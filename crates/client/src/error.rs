use std::{io, path::PathBuf, time::Duration};

use crate::api::{Origin, Problem};

/// Why something could not be done for an application.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The broker can't be reached.
    #[error("the broker on {} can't be reached: {source}", socket.display())]
    Unreachable {
        /// Its socket.
        socket: PathBuf,
        /// What the system said; [`PermissionDenied`](io::ErrorKind::PermissionDenied) means that the user is not in
        /// the group of the socket.
        source: io::Error,
    },
    /// The broker's rules do not permit it; [`Problem::denied`] says what.
    #[error("{}", .0.error)]
    Denied(Problem),
    /// There is no such component, session or TEE, or the session has ended.
    #[error("{}", .0.error)]
    NotFound(Problem),
    /// Too much at a time, for this user or for the TEE.
    #[error("{}", problem.error)]
    TooMuch {
        /// What is too much.
        problem: Problem,
        /// How long to wait, if the broker says so.
        wait: Option<Duration>,
    },
    /// The Trusted Application returned another result than success.
    #[error("command {command} returned {result:#010x}")]
    Command {
        /// The command.
        command: u32,
        /// GlobalPlatform result code, or one of the Trusted Application's own.
        result: u32,
    },
    /// The command was cancelled.
    #[error("{}", .0.error)]
    Cancelled(Problem),
    /// The Trusted Application died, by a fault of its own or because it exceeded a limit. Its session is over.
    #[error("{}", .0.error)]
    Died(Problem),
    /// Anything else that the broker, the TEE or a TAM refuses.
    #[error("{}", problem.error)]
    Refused {
        /// HTTP status.
        status: u16,
        /// Why.
        problem: Problem,
    },
    /// The broker broke off its answer, or the connection broke.
    #[error("the broker broke off its answer: {0}")]
    BrokenOff(io::Error),
    /// What answers on the socket is no broker, or one that this client does not understand.
    #[error("the broker gave an answer that makes no sense: {0}")]
    Nonsense(String),
    /// The input that the application gave can't be read.
    #[error("the input can't be read: {0}")]
    Input(io::Error),
    /// Where the application wants the output it can't be written.
    #[error("the output can't be written: {0}")]
    Output(io::Error),
}

/// `TEE_ERROR_CANCEL`.
const CANCEL: u32 = 0xFFFF_0002;

/// `TEE_ERROR_TARGET_DEAD`.
const TARGET_DEAD: u32 = 0xFFFF_3024;

impl Error {
    /// What an answer with an error status means. `command` is the one that it is about, if it is about one.
    pub(crate) fn of_answer(
        status: u16,
        problem: Problem,
        wait: Option<Duration>,
        command: Option<u32>,
    ) -> Self {
        match (status, &problem, command) {
            (
                403,
                Problem {
                    denied: Some(_), ..
                },
                _,
            ) => Self::Denied(problem),
            (
                _,
                &Problem {
                    origin: Origin::TrustedApplication,
                    result: Some(result),
                    ..
                },
                Some(command),
            ) => Self::Command { command, result },
            (
                _,
                Problem {
                    result: Some(CANCEL),
                    ..
                },
                Some(_),
            ) => Self::Cancelled(problem),
            (
                _,
                Problem {
                    result: Some(TARGET_DEAD),
                    ..
                },
                Some(_),
            ) => Self::Died(problem),
            (404 | 410, ..) => Self::NotFound(problem),
            (429 | 503, ..) => Self::TooMuch { problem, wait },
            _ => Self::Refused { status, problem },
        }
    }

    /// What a command's result means, other than success.
    pub(crate) fn of_result(command: u32, result: u32) -> Self {
        let problem = |error: &str| Problem {
            error: error.to_owned(),
            origin: Origin::Tee,
            result: Some(result),
            denied: None,
        };
        match result {
            CANCEL => Self::Cancelled(problem("the command was cancelled")),
            TARGET_DEAD => Self::Died(problem("the application died; its session is over")),
            _ => Self::Command { command, result },
        }
    }

    /// The GlobalPlatform result code, if there is one.
    #[must_use]
    pub fn result(&self) -> Option<u32> {
        match self {
            Self::Command { result, .. } => Some(*result),
            Self::Denied(problem)
            | Self::NotFound(problem)
            | Self::Cancelled(problem)
            | Self::Died(problem)
            | Self::TooMuch { problem, .. }
            | Self::Refused { problem, .. } => problem.result,
            _ => None,
        }
    }
}
