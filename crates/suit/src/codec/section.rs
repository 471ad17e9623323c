use super::label::manifest as label;

/// A top-level command sequence of a manifest. The number is its label in the manifest.
///
/// Ordered as the procedures run them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// 15: fetches dependencies.
    DependencyResolution,
    /// 16: fetches payloads.
    PayloadFetch,
    /// 18: verifies what was fetched.
    CandidateVerification,
    /// 20: installs.
    Install,
    /// 7: verifies what is installed.
    Validate,
    /// 8: loads what is to be invoked.
    Load,
    /// 9: invokes.
    Invoke,
    /// 24: removes.
    Uninstall,
}

impl Section {
    /// All sections, in the order in which the procedures run them.
    pub const ALL: [Self; 8] = [
        Self::DependencyResolution,
        Self::PayloadFetch,
        Self::CandidateVerification,
        Self::Install,
        Self::Validate,
        Self::Load,
        Self::Invoke,
        Self::Uninstall,
    ];

    /// The sections of the update procedure, in order.
    // req: SUIT-SEQ-001
    pub const UPDATE: [Self; 5] = [
        Self::DependencyResolution,
        Self::PayloadFetch,
        Self::CandidateVerification,
        Self::Install,
        Self::Validate,
    ];

    /// The label in the manifest.
    #[must_use]
    pub fn label(self) -> i64 {
        match self {
            Self::DependencyResolution => label::DEPENDENCY_RESOLUTION,
            Self::PayloadFetch => label::PAYLOAD_FETCH,
            Self::CandidateVerification => label::CANDIDATE_VERIFICATION,
            Self::Install => label::INSTALL,
            Self::Validate => label::VALIDATE,
            Self::Load => label::LOAD,
            Self::Invoke => label::INVOKE,
            Self::Uninstall => label::UNINSTALL,
        }
    }

    /// The name in the standard.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DependencyResolution => "dependency-resolution",
            Self::PayloadFetch => "payload-fetch",
            Self::CandidateVerification => "candidate-verification",
            Self::Install => "install",
            Self::Validate => "validate",
            Self::Load => "load",
            Self::Invoke => "invoke",
            Self::Uninstall => "uninstall",
        }
    }

    /// The section with a label in the manifest.
    #[must_use]
    pub fn from_label(label: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|section| section.label() == label)
    }

    /// The section with a name in the standard.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.name() == name)
    }

    /// Whether the section may stand in the envelope, with its digest in the manifest.
    // req: SUIT-SEV-001, SUIT-AMB-017
    #[must_use]
    pub fn is_severable(self) -> bool {
        matches!(
            self,
            Self::DependencyResolution
                | Self::PayloadFetch
                | Self::CandidateVerification
                | Self::Install
        )
    }
}
