//! Holding a report against the manifest that it is about.

use alloc::{string::String, vec::Vec};

use super::{Claims, Record, Report, ReportResult};
use crate::{
    AuthenticatedEnvelope, ComponentId, Manifest, Section,
    codec::{Command, Parameters, SHARED, Sequence},
};

/// Why a report can't be what processing the manifest led to. Whoever made it is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Inconsistency {
    /// The report is about another manifest.
    #[error("the report is about another manifest")]
    Digest,
    /// The report names another place where the manifest can be had than the manifest itself.
    #[error("the report names the reference URI {0:?}, which is not the manifest's")]
    ReferenceUri(String),
    /// A record of a dependency that the manifest does not declare.
    #[error("the manifest has no dependency with index {0}")]
    Dependency(u64),
    /// A record of a command sequence that the manifest does not have.
    #[error("the manifest has no command sequence {0}")]
    Section(i64),
    /// A record of a place where no command is that would lead to a record.
    #[error("no command of sequence {section} leads to a record at offset {offset}")]
    Offset {
        /// The sequence.
        section: i64,
        /// The byte offset in it.
        offset: u64,
    },
    /// A record about a component that the manifest does not list, by its index.
    #[error("the manifest has no component with index {0}")]
    Component(u64),
}

/// What a report says about components: the claims, gathered by component.
pub type Measurements = Vec<(ComponentId, Parameters<'static>)>;

impl Report {
    /// Holds the report against the manifest, as a Verifier does, and returns what it says about the
    /// components.
    ///
    /// Records of dependencies are compared as far as the manifest declares them; whoever has the
    /// dependency's manifest too holds its records against it with
    /// [`check_record`](Self::check_record).
    ///
    /// # Errors
    ///
    /// What shows that the report and the manifest do not belong together.
    // req: SUIT-REP-025, SUIT-REP-026
    pub fn check_against(
        &self,
        envelope: &AuthenticatedEnvelope<'_>,
    ) -> Result<Measurements, Inconsistency> {
        let manifest = envelope.manifest();
        if self.reference.digest != envelope.digest() {
            return Err(Inconsistency::Digest);
        }
        if self.reference.uri != manifest.reference_uri.as_deref().unwrap_or_default() {
            return Err(Inconsistency::ReferenceUri(self.reference.uri.clone()));
        }
        if let ReportResult::Failure { record, .. } = &self.result {
            in_tree(record, manifest, |record, manifest| {
                command(record, manifest).map(drop)
            })?;
        }
        for record in self.records() {
            in_tree(record, manifest, Self::check_record)?;
        }
        let mut measurements = Measurements::new();
        for Claims {
            component,
            properties,
        } in self.claims()
        {
            let known = measurements.iter_mut().find(|(id, _)| id == component);
            match known {
                Some((_, known)) => properties.iter().for_each(|p| known.set(p.clone())),
                None => measurements.push((component.clone(), properties.clone())),
            }
        }
        Ok(measurements)
    }

    /// Holds one record against the manifest with the command, wherever that stands in the tree of
    /// dependencies.
    ///
    /// # Errors
    ///
    /// As [`check_against`](Self::check_against).
    pub fn check_record(record: &Record, manifest: &Manifest<'_>) -> Result<(), Inconsistency> {
        let asked_for = match command(record, manifest)? {
            None | Some(Command::Condition(..)) => true,
            Some(command) => command
                .policy()
                .is_some_and(|policy| policy.reports_failure() || policy.reports_success()),
        };
        match asked_for {
            true => Ok(()),
            false => Err(Inconsistency::Offset {
                section: record.section,
                offset: record.offset,
            }),
        }
    }
}

/// Checks a record of the root manifest, or that its dependency is declared.
fn in_tree(
    record: &Record,
    root: &Manifest<'_>,
    check: impl FnOnce(&Record, &Manifest<'_>) -> Result<(), Inconsistency>,
) -> Result<(), Inconsistency> {
    match record.manifest_id.first() {
        None => check(record, root),
        Some(index) if root.common.dependency(*index).is_some() => Ok(()),
        Some(index) => Err(Inconsistency::Dependency(*index)),
    }
}

/// The command that a record is about; `None` if it is about the manifest or a sequence as a whole, or
/// the sequence is severed and not at hand.
fn command<'m>(
    record: &Record,
    manifest: &'m Manifest<'m>,
) -> Result<Option<&'m Command<'m>>, Inconsistency> {
    if record.section == 0 {
        return Ok(None);
    }
    if record.component_index >= (manifest.common.index_count() as u64).max(1) {
        return Err(Inconsistency::Component(record.component_index));
    }
    // The label of the common section, whose components may be what is wrong; it need not have a sequence.
    if record.section == SHARED && record.offset == 0 {
        return Ok(None);
    }
    let sequence = sequence(manifest, record.section);
    let sequence = sequence.ok_or(Inconsistency::Section(record.section))?;
    // Offset 0 is the head of the array: no command stands there.
    let Some(sequence) = sequence.filter(|_| record.offset > 0) else {
        return Ok(None);
    };
    let mut commands = sequence.walk();
    let found = commands.find(|located| located.offset == record.offset);
    match found {
        Some(located) => Ok(Some(&located.command)),
        None => Err(Inconsistency::Offset {
            section: record.section,
            offset: record.offset,
        }),
    }
}

/// The sequence with a label; `Some(None)` if it is severed and not at hand.
fn sequence<'m>(manifest: &'m Manifest<'m>, label: i64) -> Option<Option<&'m Sequence<'m>>> {
    if label == SHARED {
        return manifest.common.shared_sequence.as_ref().map(Some);
    }
    let section = Section::from_label(label)?;
    manifest.section(section).map(|sequence| sequence.content())
}
