use crate::Limits;

/// What a Recipient decides where the standard leaves a choice. The default is the strict side, but for two that
/// published examples and fast storage ask for: [`IdentityChecks::Optional`] and [`Measurement::WhileWriting`]. Set
/// others with `Settings { limits, ..Settings::default() }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// Bounds on everything that input could make large.
    pub limits: Limits,
    /// When content is measured for image match.
    pub measurement: Measurement,
    /// Whether dependencies are verified without being asked.
    pub dependency_integrity: DependencyIntegrity,
    /// Whether content from the manifest itself needs a condition.
    pub written_content: WrittenContent,
    /// Whether content that was decrypted with authentication needs a condition.
    pub decrypted_content: DecryptedContent,
    /// Whether a dependent has to have every section that its dependencies have.
    pub dependency_sections: DependencySections,
    /// Whether manifests have to say whom they are for.
    pub identity_checks: IdentityChecks,
    /// When reports say what the Recipient is capable of.
    pub capability_report: CapabilityPolicy,
}

impl Settings {
    /// The settings under which the published examples of the drafts run, some of which are looser than
    /// the text: no condition after what the manifest's signature or an authenticated cipher vouches for,
    /// no integrity condition before a dependency is processed, sections of dependencies that nobody
    /// processes. Signatures and digests are verified all the same.
    #[must_use]
    pub fn compatible() -> Self {
        Self {
            dependency_integrity: DependencyIntegrity::Implied,
            written_content: WrittenContent::CoveredBySignature,
            decrypted_content: DecryptedContent::CoveredByTag,
            dependency_sections: DependencySections::Optional,
            ..Self::default()
        }
    }
}

/// When content is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Measurement {
    /// While it is written; image match in the same procedure uses that digest. For devices whose
    /// storage returns what was stored, or fails.
    #[default]
    WhileWriting,
    /// Always from storage, at the price of reading and hashing once more.
    ReadBack,
}

/// Whether Process Dependency needs a Dependency Integrity condition before it (SUIT-AMB-005).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DependencyIntegrity {
    /// The manifest has to say so: the standard's rule.
    #[default]
    Explicit,
    /// Process Dependency makes the same checks itself where the manifest forgot the condition, as some
    /// published examples do. Nothing is skipped: signature and digest are verified either way.
    Implied,
}

/// Whether what Write stored has to pass a condition (SUIT-CMD-016).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WrittenContent {
    /// Yes, like everything that was written.
    #[default]
    NeedsCondition,
    /// No: the content stood in the manifest, so the signature covers it.
    CoveredBySignature,
}

/// Whether the shared sequence of a manifest with components has to check the vendor and the class
/// (SUIT-COM-009).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdentityChecks {
    /// No: published examples check the class nowhere. What a signer may touch is settled by its rights.
    #[default]
    Optional,
    /// Yes: what does not say whom it is for is refused.
    Required,
}

/// When a report says what the Recipient is capable of (SUIT-REP-014).
// req: SUIT-REP-014
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CapabilityPolicy {
    /// Not at all.
    Never,
    /// Where the manifest needed what is not implemented.
    #[default]
    Unsupported,
    /// In every report: for who asked for it.
    Always,
}

/// Whether what Copy or Write decrypted with an authenticated cipher has to pass a condition (SUIT-CMD-016,
/// SUIT-ENC-007).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DecryptedContent {
    /// Yes, like everything that was written.
    #[default]
    NeedsCondition,
    /// No: the signature covers the encryption information, and whoever lacks the content key can't make
    /// another ciphertext. Every other recipient of the same content has that key, though.
    CoveredByTag,
}

/// Whether a dependent has to have, and to process, every section that its dependencies have (SUIT-DEP-010,
/// SUIT-DEP-011).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DependencySections {
    /// Yes.
    #[default]
    Required,
    /// No: what the dependent leaves out is not run. A dependency's own validation may be among it.
    Optional,
}
