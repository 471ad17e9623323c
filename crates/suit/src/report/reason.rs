use core::fmt;

/// Why a manifest was not processed to its end (`SUIT_Report_Reasons`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// 0: registered, and never used: success is the result `true`.
    Ok,
    /// 1: CBOR that could not be parsed.
    CborParse,
    /// 2: a COSE structure or header that is not supported.
    CoseUnsupported,
    /// 3: an algorithm that is not supported.
    AlgorithmUnsupported,
    /// 4: no valid signature by somebody who is trusted.
    Unauthorized,
    /// 5: a command that is not supported.
    CommandUnsupported,
    /// 6: a component that does not exist here.
    ComponentUnsupported,
    /// 7: a component that the signer may not touch.
    ComponentUnauthorized,
    /// 8: a parameter that is not supported.
    ParameterUnsupported,
    /// 9: severed elements, which are not supported.
    SeveringUnsupported,
    /// 10: a condition that failed.
    ConditionFailed,
    /// 11: a fetch, copy, write or the like that failed.
    OperationFailed,
    /// 12: what follows is the invocation, about which the report can't know.
    InvokePending,
    /// A number that is not registered.
    Other(i64),
}

impl Reason {
    const REGISTERED: [(Self, &'static str); 13] = [
        (Self::Ok, "ok"),
        (Self::CborParse, "cbor-parse"),
        (Self::CoseUnsupported, "cose-unsupported"),
        (Self::AlgorithmUnsupported, "alg-unsupported"),
        (Self::Unauthorized, "unauthorised"),
        (Self::CommandUnsupported, "command-unsupported"),
        (Self::ComponentUnsupported, "component-unsupported"),
        (Self::ComponentUnauthorized, "component-unauthorised"),
        (Self::ParameterUnsupported, "parameter-unsupported"),
        (Self::SeveringUnsupported, "severing-unsupported"),
        (Self::ConditionFailed, "condition-failed"),
        (Self::OperationFailed, "operation-failed"),
        (Self::InvokePending, "invoke-pending"),
    ];

    /// The number in the registry.
    #[must_use]
    pub fn number(self) -> i64 {
        if let Self::Other(number) = self {
            return number;
        }
        let position = Self::REGISTERED
            .iter()
            .position(|(reason, _)| *reason == self);
        position
            .and_then(|position| i64::try_from(position).ok())
            .unwrap_or_default()
    }

    /// The reason with a number.
    #[must_use]
    pub fn from_number(number: i64) -> Self {
        usize::try_from(number)
            .ok()
            .and_then(|position| Self::REGISTERED.get(position))
            .map_or(Self::Other(number), |(reason, _)| *reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::REGISTERED.iter().find(|(reason, _)| reason == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "reason {}", self.number()),
        }
    }
}
