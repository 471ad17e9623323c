use crate::ErrorCode;

/// Which numbers stand for the labels, message types and error codes.
///
/// The draft's registries are sparse: type 4 and label 5 are reserved, and the error codes jump from 10
/// to 17. A renumbering that closes the gaps was proposed for the draft in February 2026, and peers
/// that follow it are deployed. Both are read, and a peer is answered in the numbering that it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Numbering {
    /// The registries of draft-ietf-teep-protocol at level -26.
    #[default]
    Sparse,
    /// The proposed registries without gaps.
    Compact,
}

/// In which order the options of a message stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By label, as deterministic CBOR demands (RFC 8949 section 4.2.1).
    #[default]
    Deterministic,
    /// As the CDDL lists them, token first, which the draft's examples do.
    AsDefined,
}

/// How a message is put into bytes where the draft leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoding {
    /// The registries in use.
    pub numbering: Numbering,
    /// The order of the options.
    pub order: Order,
}

/// A label of an option (section 6), by name. In the order of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    SupportedTeepCipherSuites,
    Challenge,
    Versions,
    SupportedSuitCoseProfiles,
    SelectedVersion,
    AttestationPayload,
    TcList,
    ExtList,
    ManifestList,
    Msg,
    ErrMsg,
    AttestationPayloadFormat,
    RequestedTcList,
    UnneededManifestList,
    ComponentId,
    TcManifestSequenceNumber,
    HaveBinary,
    SuitReports,
    Token,
    SupportedFreshnessMechanisms,
    ErrLang,
    ErrCode,
}

impl Label {
    /// From label 6 on, the compact numbering is one lower.
    const BY_COMPACT_NUMBER: [Self; 22] = [
        Self::SupportedTeepCipherSuites,
        Self::Challenge,
        Self::Versions,
        Self::SupportedSuitCoseProfiles,
        Self::SelectedVersion,
        Self::AttestationPayload,
        Self::TcList,
        Self::ExtList,
        Self::ManifestList,
        Self::Msg,
        Self::ErrMsg,
        Self::AttestationPayloadFormat,
        Self::RequestedTcList,
        Self::UnneededManifestList,
        Self::ComponentId,
        Self::TcManifestSequenceNumber,
        Self::HaveBinary,
        Self::SuitReports,
        Self::Token,
        Self::SupportedFreshnessMechanisms,
        Self::ErrLang,
        Self::ErrCode,
    ];

    pub(crate) fn number(self, numbering: Numbering) -> u64 {
        let compact = self as u64 + 1;
        match numbering {
            Numbering::Compact => compact,
            Numbering::Sparse if compact < 5 => compact,
            Numbering::Sparse => compact + 1,
        }
    }

    pub(crate) fn from_number(number: u64, numbering: Numbering) -> Option<Self> {
        let compact = match numbering {
            Numbering::Compact => number,
            Numbering::Sparse if number < 5 => number,
            Numbering::Sparse if number == 5 => return None,
            Numbering::Sparse => number - 1,
        };
        let index = usize::try_from(compact.checked_sub(1)?).ok()?;
        Self::BY_COMPACT_NUMBER.get(index).copied()
    }
}

/// A message type (section 14.2), by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageType {
    QueryRequest,
    QueryResponse,
    Update,
    Success,
    Error,
}

impl MessageType {
    pub(crate) fn number(self, numbering: Numbering) -> u64 {
        match (self, numbering) {
            (Self::QueryRequest, _) => 1,
            (Self::QueryResponse, _) => 2,
            (Self::Update, _) => 3,
            (Self::Success, Numbering::Compact) => 4,
            (Self::Success, Numbering::Sparse) | (Self::Error, Numbering::Compact) => 5,
            (Self::Error, Numbering::Sparse) => 6,
        }
    }

    // req: TEEP-MSG-003
    pub(crate) fn from_number(number: u64, numbering: Numbering) -> Option<Self> {
        [
            Self::QueryRequest,
            Self::QueryResponse,
            Self::Update,
            Self::Success,
            Self::Error,
        ]
        .into_iter()
        .find(|kind| kind.number(numbering) == number)
    }
}

impl ErrorCode {
    pub(crate) fn number(self, numbering: Numbering) -> u64 {
        match (self, numbering) {
            (Self::MANIFEST_PROCESSING_FAILED, Numbering::Compact) => 11,
            (Self(code), _) => code,
        }
    }

    pub(crate) fn from_number(number: u64, numbering: Numbering) -> Self {
        match (number, numbering) {
            (11, Numbering::Compact) => Self::MANIFEST_PROCESSING_FAILED,
            (code, _) => Self(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // req: TEEP-EXT-004
    #[test]
    fn reserved_numbers_mean_nothing() {
        let sparse = Numbering::Sparse;
        for reserved in [0, 5, 24, 25] {
            assert_eq!(Label::from_number(reserved, sparse), None, "{reserved}");
        }
        for reserved in [0, 4, 7, 23] {
            assert_eq!(
                MessageType::from_number(reserved, sparse),
                None,
                "{reserved}"
            );
        }
    }

    // req: TEEP-MSG-008
    #[test]
    fn a_number_is_one_label_in_each_numbering() {
        for numbering in [Numbering::Sparse, Numbering::Compact] {
            let mut seen = [false; 24];
            for label in Label::BY_COMPACT_NUMBER {
                let number = label.number(numbering);
                assert_eq!(Label::from_number(number, numbering), Some(label));
                let seen = &mut seen[usize::try_from(number).unwrap()];
                assert!(!*seen, "{number} is {label:?} and another one");
                *seen = true;
            }
        }
    }
}
