//! What went wrong, for a person: the thing, the cause, and what to do about it.

use std::{fmt, io, path::Path};

use tamarack_ta::ResultCode;

/// A command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// A failure in words: what, and why.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            code: 1,
        }
    }

    /// The command was used wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(message).code(2)
    }

    /// The result has been printed, and its exit code is 1: nothing is left to say.
    pub(crate) fn told() -> Self {
        Self::new("")
    }

    /// Another exit code than 1.
    pub(crate) fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.code
    }

    /// A failure about a file.
    pub(crate) fn file(path: &Path, cause: impl fmt::Display) -> Self {
        Self::new(format!("{}: {cause}", path.display()))
    }

    /// Says which file it is about.
    pub(crate) fn about(mut self, path: &Path) -> Self {
        self.message = format!("{}: {}", path.display(), self.message);
        self
    }

    /// Says what failed besides.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.message = format!("{}; and {}", self.message, other.message);
        self
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<tamarack_broker::BrokerError> for Failure {
    fn from(error: tamarack_broker::BrokerError) -> Self {
        Self::new(error.to_string())
    }
}

/// Exit code of what the user may not do.
const NOT_PERMITTED: u8 = 4;

impl From<tamarack_client::Error> for Failure {
    fn from(error: tamarack_client::Error) -> Self {
        use tamarack_client::Error;
        let failure = Self::new(error.to_string());
        match &error {
            Error::Unreachable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                failure
                    .code(NOT_PERMITTED)
                    .hint("the socket is for a group; `ls -l` shows which, and `id` whether you are in it")
            }
            Error::Unreachable { .. } => {
                failure.hint("check the address, and that the process is running")
            }
            Error::Denied(_) => failure
                .code(NOT_PERMITTED)
                .hint("docs/applications.md says how permissions are given"),
            error if error.result() == Some(ResultCode::TARGET_DEAD.0) => failure.hint(
                "the log of the TEE says why it died: `tamarack tee serve` writes it to its standard error",
            ),
            _ => failure,
        }
    }
}

impl From<tamarack_cose::Error> for Failure {
    fn from(error: tamarack_cose::Error) -> Self {
        Self::new(error.to_string())
    }
}
