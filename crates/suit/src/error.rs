use alloc::string::String;
use core::fmt;

use tamarack_cose::cbor::DecodeError;

use crate::{
    ComponentId, DeviceError, SequenceNumber,
    codec::{Action, Condition, element_name},
    explain,
    report::Reason,
};

/// Why an envelope was refused or a procedure failed.
///
/// The words in it are for people. Without the feature `rules` of `cose`, those of the processor are empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not what the standard defines.
    #[error("{0}")]
    Decode(DecodeError),
    /// The manifest breaks a rule that its encoding alone does not show.
    #[error("the manifest {}", some(.0, "breaks a rule"))]
    Invalid(&'static str),
    /// The authentication wrapper holds no authentication block.
    #[error("the envelope carries no signature")]
    Unsigned,
    /// A COSE structure that is not used so: in an envelope, an authentication block that is not tagged or has its payload
    /// attached; around a report, one without payload; or one with a critical header that is not understood.
    #[error("unsupported COSE structure: {0}")]
    CoseUnsupported(&'static str),
    /// A COSE algorithm that is not implemented.
    #[error("COSE algorithm {} is not supported", Numbered(*.0, explain::algorithm_name(*.0)))]
    AlgorithmUnsupported(i64),
    /// No signature by a trusted key, or one that does not verify.
    #[error("{0}")]
    Unauthorized(tamarack_cose::Error),
    /// The crypto provider failed, or a key is of no use for what was asked of it: nothing about the manifest is implied.
    #[error("{0}")]
    Provider(tamarack_cose::Error),
    /// Fewer different authorities have authenticated the manifest than must have.
    #[error("authenticated by {found} of the {needed} authorities that it takes")]
    TooFewSigners {
        /// How many it takes.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// Something that is encrypted by a cipher which notices no change, without a signature or MAC around
    /// it.
    #[error(
        "the ciphertext is not authenticated: its cipher notices no change, and nothing is around it"
    )]
    Unauthenticated,
    /// The manifest is not the one that was signed.
    #[error("the manifest does not have the digest in its authentication wrapper")]
    ManifestDigest,
    /// A severed element is not the one that the manifest names.
    #[error("the severed {} does not have its digest in the manifest", element_name(*.0))]
    SeveredDigest(i64),
    /// A severed section that has to be run is not in the envelope.
    #[error("the section {0} was severed and is not in the envelope")]
    SeveredMissing(&'static str),
    /// An older manifest than the one the device has, or another one with the same number.
    #[error("{}", rollback(*.current, *.received))]
    Rollback {
        /// What the device has.
        current: SequenceNumber,
        /// What the manifest has.
        received: SequenceNumber,
    },
    /// A component that this device does not have.
    #[error("component {0} is not supported")]
    ComponentUnsupported(ComponentId),
    /// A component index beyond the manifest's components and dependencies.
    #[error("there is no component with index {0}")]
    ComponentIndex(u64),
    /// An identifier that the manifest wants and that belongs to another manifest: one is kept there, or
    /// has it as a component.
    #[error("{0} belongs to another manifest")]
    InUse(ComponentId),
    /// A component that the manifest's signer may not touch.
    #[error("the signer has no right to component {0}")]
    ComponentUnauthorized(ComponentId),
    /// A command, or a parameter that it sets, that the manifest's signer may not use on a component.
    #[error(
        "the signer has no right to use command {} on component {component}",
        Numbered(*command, explain::command_name(*command))
    )]
    CommandUnauthorized {
        /// The label of the command.
        command: i64,
        /// The component.
        component: ComponentId,
    },
    /// A command that is not implemented.
    #[error("command {} is not supported", Numbered(*.0, explain::command_name(*.0)))]
    CommandUnsupported(i64),
    /// A parameter that is not implemented.
    #[error("parameter {} is not supported", Numbered(*.0, explain::parameter_name(*.0)))]
    ParameterUnsupported(i64),
    /// A condition did not hold.
    #[error("condition {} failed: {}", condition.name(), some(why, "it does not hold"))]
    ConditionFailed {
        /// The condition.
        condition: Condition,
        /// What did not hold.
        why: &'static str,
    },
    /// A directive did not succeed.
    #[error("directive {} failed: {why}", action.name())]
    ActionFailed {
        /// The directive.
        action: Action,
        /// What went wrong.
        why: Why,
    },
    /// A component was written, and no condition vouched for its content afterwards.
    #[error("component {0} was written and its content was not verified")]
    Unverified(ComponentId),
    /// A dependency could not be used.
    #[error("dependency {id}: {}", some(why, "it can't be used"))]
    Dependency {
        /// Its identifier.
        id: ComponentId,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The manifest asks for more than the [`Limits`](crate::Limits) allow.
    #[error("the limit on {} is exceeded", some(.0, "what a manifest asks for"))]
    LimitExceeded(&'static str),
    /// No manifest is installed at this identifier.
    #[error("no manifest is installed at {0}")]
    NotInstalled(ComponentId),
    /// The device's storage returned less of a component than it has.
    #[error("component {0} ended before its length")]
    Truncated(ComponentId),
    /// The device's storage failed outside a directive.
    #[error("{0}")]
    Device(DeviceError),
    /// What the processor knows does not hold together: a defect of it, whatever the input.
    #[error("a defect of the manifest processor; please report it")]
    Defect,
}

/// Why a sequence number is refused.
fn rollback(current: SequenceNumber, received: SequenceNumber) -> String {
    let other = match current == received {
        true => ": another manifest with this number is installed",
        false => "",
    };
    alloc::format!("sequence number {received} is not newer than {current}{other}")
}

/// Words, or others where there are none.
fn some(words: &'static str, others: &'static str) -> &'static str {
    match words {
        "" => others,
        words => words,
    }
}

/// A number of a registry, and what it stands for there.
struct Numbered(i64, Option<&'static str>);

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(number, Some(name)) => write!(f, "{number} ({name})"),
            Self(number, None) => write!(f, "{number}"),
        }
    }
}

/// Why a directive did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// A parameter that the directive needs is not set.
    #[error("parameter {} is not set", Numbered(*.0, explain::parameter_name(*.0)))]
    ParameterMissing(i64),
    /// A URI that starts with `#` and names no integrated payload.
    #[error("the envelope has no payload {0}")]
    NotIntegrated(String),
    /// The payload is longer than its image size or the limit.
    #[error("the payload is longer than {0} bytes")]
    TooLong(u64),
    /// The source component has no content.
    #[error("the source component is empty")]
    SourceMissing,
    /// A wait event that has not happened yet: the procedure can be repeated later.
    #[error("wait event {0} has not happened yet")]
    NotYet(i64),
    /// The content is encrypted, and for none of the keys that this Recipient has.
    #[error("the content is encrypted for another recipient")]
    NoRecipient,
    /// The content is encrypted for another component than the one that it would be stored in.
    #[error("the content is encrypted for another component")]
    OtherTarget,
    /// The content is encrypted, and is not what was encrypted for this Recipient.
    #[error("the encrypted content does not decrypt")]
    BadCiphertext,
    /// Another installed manifest needs the component.
    #[error("another manifest needs the component")]
    InUse,
    /// The device said no.
    #[error("{0}")]
    Device(DeviceError),
}

impl Error {
    /// The reason that a report gives (draft-ietf-suit-report, `SUIT_Report_Reasons`).
    // req: SUIT-REP-009
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Decode(_) | Self::Invalid(_) => Reason::CborParse,
            Self::CoseUnsupported(_) => Reason::CoseUnsupported,
            Self::AlgorithmUnsupported(_) => Reason::AlgorithmUnsupported,
            Self::Unsigned
            | Self::Unauthorized(_)
            | Self::Unauthenticated
            | Self::TooFewSigners { .. }
            | Self::ManifestDigest
            | Self::SeveredDigest(_) => Reason::Unauthorized,
            Self::CommandUnsupported(_) => Reason::CommandUnsupported,
            Self::ComponentUnsupported(_) | Self::ComponentIndex(_) => Reason::ComponentUnsupported,
            Self::ComponentUnauthorized(_) | Self::CommandUnauthorized { .. } => {
                Reason::ComponentUnauthorized
            }
            Self::ParameterUnsupported(_) => Reason::ParameterUnsupported,
            Self::Rollback { .. }
            | Self::ConditionFailed { .. }
            | Self::Unverified(_)
            | Self::Dependency { .. } => Reason::ConditionFailed,
            Self::SeveredMissing(_)
            | Self::ActionFailed { .. }
            | Self::LimitExceeded(_)
            | Self::NotInstalled(_)
            | Self::Truncated(_)
            | Self::InUse(_)
            | Self::Device(_)
            | Self::Provider(_)
            | Self::Defect => Reason::OperationFailed,
        }
    }

    /// The result code that a report gives: a number for debugging, without meaning to other
    /// implementations.
    #[must_use]
    pub fn code(&self) -> i64 {
        match self {
            Self::Decode(_) => 1,
            Self::Invalid(_) => 2,
            Self::Unsigned => 3,
            Self::CoseUnsupported(_) => 4,
            Self::AlgorithmUnsupported(_) => 5,
            Self::Unauthorized(_) => 6,
            Self::ManifestDigest => 7,
            Self::SeveredDigest(_) => 8,
            Self::SeveredMissing(_) => 9,
            Self::Rollback { .. } => 10,
            Self::ComponentUnsupported(_) => 11,
            Self::ComponentUnauthorized(_) => 12,
            Self::CommandUnsupported(_) => 13,
            Self::ParameterUnsupported(_) => 14,
            Self::ConditionFailed { .. } => 15,
            Self::ActionFailed { .. } => 16,
            Self::Unverified(_) => 17,
            Self::Dependency { .. } => 18,
            Self::LimitExceeded(_) => 19,
            Self::Device(_) => 20,
            Self::ComponentIndex(_) => 21,
            Self::CommandUnauthorized { .. } => 22,
            Self::TooFewSigners { .. } => 23,
            Self::NotInstalled(_) => 24,
            Self::Truncated(_) => 25,
            Self::Unauthenticated => 26,
            Self::InUse(_) => 27,
            Self::Defect => 28,
            Self::Provider(_) => 29,
        }
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<tamarack_cose::Error> for Error {
    fn from(error: tamarack_cose::Error) -> Self {
        use tamarack_cose::Error as Cose;
        match error {
            Cose::Decode(error) => Self::Decode(error),
            Cose::AlgorithmMissing => Self::CoseUnsupported("no algorithm in the protected header"),
            Cose::AlgorithmUnsupported(id) => Self::AlgorithmUnsupported(id),
            Cose::CriticalHeader(_) => Self::CoseUnsupported("a critical header parameter"),
            Cose::Payload(_) => {
                Self::CoseUnsupported("a payload is missing, or where it must not be")
            }
            Cose::Crypto(_) | Cose::Misuse(_) => Self::Provider(error),
            error => Self::Unauthorized(error),
        }
    }
}

impl From<DeviceError> for Error {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use tamarack_cose::cbor::Problem;

    /// One of each kind, in the order of their codes.
    fn all() -> Vec<Error> {
        let (id, number) = (ComponentId::default, SequenceNumber);
        vec![
            Error::Decode(DecodeError::new(0, "test", Problem::Truncated)),
            Error::Invalid(""),
            Error::Unsigned,
            Error::CoseUnsupported(""),
            Error::AlgorithmUnsupported(0),
            Error::Unauthorized(tamarack_cose::Error::UnknownKey),
            Error::ManifestDigest,
            Error::SeveredDigest(0),
            Error::SeveredMissing(""),
            Error::Rollback {
                current: number(2),
                received: number(1),
            },
            Error::ComponentUnsupported(id()),
            Error::ComponentUnauthorized(id()),
            Error::CommandUnsupported(0),
            Error::ParameterUnsupported(0),
            Error::ConditionFailed {
                condition: Condition::Abort,
                why: "",
            },
            Error::ActionFailed {
                action: Action::Fetch,
                why: Why::InUse,
            },
            Error::Unverified(id()),
            Error::Dependency { id: id(), why: "" },
            Error::LimitExceeded(""),
            Error::Device(DeviceError::NoSpace),
            Error::ComponentIndex(0),
            Error::CommandUnauthorized {
                command: 0,
                component: id(),
            },
            Error::TooFewSigners {
                needed: 2,
                found: 1,
            },
            Error::NotInstalled(id()),
            Error::Truncated(id()),
            Error::Unauthenticated,
            Error::InUse(id()),
            Error::Defect,
            Error::Provider(tamarack_cose::Error::Crypto("")),
        ]
    }

    #[test]
    fn every_kind_has_a_code_of_its_own() {
        let codes: Vec<_> = all().iter().map(Error::code).collect();
        let expected: Vec<_> = (1..=codes.len() as i64).collect();
        assert_eq!(codes, expected);
    }
}
