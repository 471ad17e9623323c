//! What an attempt is, and what may come of it.

use std::fmt;

use tamarack_agent::link::Reply;
use tamarack_ta::ResultCode;
use tamarack_teep::{ErrorCode, Message};

use super::stage::{Stage, read_message, result_of};

/// Something that a hostile broker does.
pub(crate) struct Attempt {
    /// What it does.
    pub(crate) what: &'static str,
    /// What has to come of it, each time that the attempt does it.
    pub(crate) expected: Expected,
    /// Does it; what came of it.
    pub(crate) act: fn(&mut Stage) -> Vec<Outcome>,
}

/// What has to come of an attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    /// The call fails with this result code.
    Fails(ResultCode),
    /// The Trusted Application's command ends with this result code.
    Ends(ResultCode),
    /// The Trusted Application's command ends with one of these result codes.
    EndsWithOneOf([ResultCode; 2]),
    /// The TEE hangs up without an answer.
    HangsUp,
    /// The TEE hangs up in the middle of an answer or, on a machine that is too slow to get that far, the Trusted
    /// Application's command ends with this result code.
    HangsUpOrEnds(ResultCode),
    /// The agent answers an Error with this code, and says why in these words.
    Error(ErrorCode, &'static str),
    /// The agent answers some Error, or nothing.
    AnyError,
    /// The TEE does not start, and says these words.
    NoStart(&'static str),
    /// Somebody else than the TEE refuses it, in these words.
    Refused(&'static str),
    /// It is allowed, and this is all that comes of it. The attempt itself has looked.
    Harmless(&'static str),
}

/// What came of an attempt.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The TEE's last reply; `None` if it hung up.
    Reply(Option<Reply>),
    /// What `tamarack tee serve` said before it ended.
    Ended(String),
    /// What somebody else said who refused.
    Refusal(String),
    /// Nothing that matters.
    Nothing,
    /// It could not be tried here.
    Skipped(&'static str),
}

impl Expected {
    /// Whether this is what had to come of it.
    pub(crate) fn is_met_by(self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (_, Outcome::Skipped(why)) => {
                eprintln!("SKIPPED: {why}");
                true
            }
            (Self::Fails(code), Outcome::Reply(Some(reply @ Reply::Failed { .. })))
            | (
                Self::Ends(code) | Self::HangsUpOrEnds(code),
                Outcome::Reply(Some(reply @ Reply::Output { .. })),
            ) => result_of(reply) == Some(code),
            (Self::EndsWithOneOf(codes), Outcome::Reply(Some(reply @ Reply::Output { .. }))) => {
                result_of(reply).is_some_and(|code| codes.contains(&code))
            }
            (Self::HangsUp | Self::HangsUpOrEnds(_), Outcome::Reply(None))
            | (Self::AnyError, Outcome::Reply(Some(Reply::NoData)))
            | (Self::Harmless(_), Outcome::Nothing) => true,
            (Self::Error(code, words), Outcome::Reply(Some(Reply::Message(bytes)))) => {
                match read_message(bytes) {
                    Message::Error(error) => {
                        let text = error.explanation.map(|explanation| explanation.text);
                        error.code == code && text.unwrap_or_default().contains(words)
                    }
                    _ => false,
                }
            }
            (Self::AnyError, Outcome::Reply(Some(Reply::Message(bytes)))) => {
                matches!(read_message(bytes), Message::Error(error) if error.suit_reports.is_empty())
            }
            (Self::NoStart(words), Outcome::Ended(said))
            | (Self::Refused(words), Outcome::Refusal(said)) => said.contains(words),
            _ => false,
        }
    }
}

/// For whoever looks into a failure.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(Some(Reply::Message(bytes))) => write!(f, "{:?}", read_message(bytes)),
            other => write!(f, "{other:?}"),
        }
    }
}

/// As `docs/attacks-broker.md` says it.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails(code) => write!(f, "The call fails: `{code:?}`"),
            Self::Ends(code) => write!(f, "The command ends: `{code:?}`"),
            Self::EndsWithOneOf([one, other]) => {
                write!(f, "The command ends: `{one:?}`, or `{other:?}`")
            }
            Self::HangsUp => f.write_str("The TEE hangs up"),
            Self::HangsUpOrEnds(code) => {
                write!(f, "The TEE hangs up, or the command ends: `{code:?}`")
            }
            Self::Error(code, words) => {
                let name = code.name().unwrap_or_default();
                write!(f, "Error `{name}`: “{words}”")
            }
            Self::AnyError => f.write_str("An Error that says nothing else, or no answer"),
            Self::NoStart(words) => write!(f, "The TEE does not start: “{words}”"),
            Self::Refused(words) => write!(f, "Refused: “{words}”"),
            Self::Harmless(what) => write!(f, "{what}"),
        }
    }
}
