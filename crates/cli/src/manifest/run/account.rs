//! What happened, for people and for programs.

use base16ct::lower::encode_string;
use serde_json::{Value, json};
use tamarack_cose::CryptoProvider;
use tamarack_suit::{
    ComponentId, Device, Error, Manifest, ManifestRecord, Outcome, Section, SuitDigest,
    directory::{DirectoryDevice, OsFiles},
    explain,
    report::{Record, ReportResult},
};

use super::{
    Task, Trusted,
    place::{Place, stored},
    witness::{Deed, Witness},
};
use crate::{
    manifest::outline::plain,
    output::{BAD, DIM, GOOD, Output, STRONG, printable},
};

/// What was checked and changed.
pub(super) struct Account {
    procedure: &'static str,
    /// The manifest's, if there is one.
    digest: Option<String>,
    /// The conditions that did not hold where the manifest provides for that, each once: a report has records of no
    /// others.
    steps: Vec<Place>,
    /// What was found true: of a component, a property and its value.
    claims: Vec<(String, String, String)>,
    /// Where it failed.
    pub(super) failed_at: Option<Place>,
    deeds: Vec<Deed>,
    /// What was fetched, and from where.
    pub(super) fetched: Vec<(String, String)>,
    /// The files of the components that changed.
    paths: Vec<(ComponentId, String)>,
    manifest: Option<ComponentId>,
    number: Option<u64>,
    /// Whether it has a section that an update runs.
    has_update: bool,
    before: Option<u64>,
    signers: Vec<String>,
    /// The manifests for which one stays that is not wanted for its own sake any more.
    needed_by: Vec<String>,
    /// The manifests that depend on another release than the one that is installed now.
    outdated: Vec<String>,
}

impl Account {
    pub(super) fn of(
        task: &Task<'_>,
        outcome: &Outcome,
        root: Option<&Manifest<'static>>,
        witness: &mut Witness<'_>,
    ) -> Self {
        let mut seen: Vec<(&[u64], i64, u64, u64)> = Vec::new();
        let mut steps = Vec::new();
        let key = |record: &'_ Record| (record.section, record.offset, record.component_index);
        for record in outcome.report.records() {
            let (section, offset, index) = key(record);
            let place = (record.manifest_id.as_slice(), section, offset, index);
            // The shared sequence runs before every section.
            if !seen.contains(&place) {
                seen.push(place);
                steps.push(Place::of(record, root, witness));
            }
        }
        let failed_at = match &outcome.report.result {
            ReportResult::Success => None,
            ReportResult::Failure { record, .. } => Some(Place::of(record, root, witness)),
        };
        // What the manifest does not provide for is told apart.
        if let Some(failed) = &failed_at {
            steps.retain(|step| !step.is_same(failed));
        }
        Self {
            procedure: task.name(),
            digest: match &outcome.result {
                Err(Error::NotInstalled(_)) => None,
                _ => Some(outcome.report.reference.digest.to_string()),
            },
            steps,
            claims: claims(outcome),
            failed_at,
            deeds: std::mem::take(&mut witness.deeds),
            fetched: Vec::new(),
            paths: Vec::new(),
            manifest: None,
            number: None,
            has_update: root.is_some_and(|root| {
                Section::UPDATE
                    .iter()
                    .any(|section| root.section(*section).is_some())
            }),
            before: None,
            signers: Vec::new(),
            needed_by: Vec::new(),
            outdated: Vec::new(),
        }
    }

    /// Looks for manifests that depend on what an update has replaced, and name another release of it.
    pub(super) fn look_for_outdated(
        &mut self,
        device: &mut dyn Device,
        root: &Manifest<'_>,
        digest: &SuitDigest,
    ) {
        let id = root.placement();
        let records = device.manifests().unwrap_or_default();
        for record in &records {
            if !record.dependencies.contains(&id) {
                continue;
            }
            let Some(dependent) = stored(device, &record.id) else {
                continue;
            };
            let indices = dependent.common.dependencies.iter();
            let indices = indices.map(|dependency| dependency.index);
            let named: Vec<_> = indices
                .zip(&record.dependencies)
                .filter(|(_, known)| **known == id)
                .flat_map(|(index, _)| dependent.image_digests(index))
                .collect();
            if !named.is_empty() && !named.contains(digest) {
                self.outdated.push(record.id.to_string());
            }
        }
    }

    /// Looks up what the device knows once the transaction is over.
    pub(super) fn look_at(
        &mut self,
        device: &DirectoryDevice<OsFiles>,
        before: &[ManifestRecord],
        root: Option<&Manifest<'_>>,
        trusted: &[Trusted],
        crypto: &CryptoProvider,
    ) {
        let mut changed: Vec<ComponentId> = Vec::new();
        for deed in &self.deeds {
            changed.extend(deed.components().into_iter().cloned());
        }
        for id in changed {
            if let Ok(path) = device.path_of(&id) {
                self.paths.push((id, path));
            }
        }
        let Some(id) = root.map(Manifest::placement) else {
            return;
        };
        let installed = before.iter().find(|record| record.id == id);
        self.before = installed.map(|record| record.sequence_number.0);
        self.number = root.map(|manifest| manifest.sequence_number.0);
        let records = device.records().iter().chain(before);
        let mut records = records.filter(|record| record.id == id);
        let signers = records.next().map(|record| record.signers.clone());
        let name = |signer: tamarack_suit::Authority| {
            let mut trusted = trusted.iter();
            let file = trusted.find(|trusted| trusted.is(&signer, crypto));
            file.map_or_else(
                || signer.key_id(crypto).to_hex(),
                |file| file.path.display().to_string(),
            )
        };
        self.signers = signers.into_iter().flatten().map(name).collect();
        self.manifest = Some(id);
    }

    /// Looks up who needs a manifest that was to go.
    pub(super) fn look_for_dependents(
        &mut self,
        device: &DirectoryDevice<OsFiles>,
        id: &ComponentId,
    ) {
        let records = device.records().iter();
        let dependents = records.filter(|record| record.dependencies.contains(id));
        self.needed_by = dependents.map(|record| record.id.to_string()).collect();
    }

    fn path(&self, id: &ComponentId) -> &str {
        let mut paths = self.paths.iter();
        let found = paths.find(|(known, _)| known == id);
        found.map_or("", |(_, path)| path.as_str())
    }

    pub(super) fn tell(&self, subject: &str, done: bool, output: Output) {
        output.result(&self.json(subject, done), || self.text(subject, done));
    }

    fn json(&self, subject: &str, done: bool) -> Value {
        let place = |place: &Place| {
            json!({
                "command": place.command,
                "component": place.component.as_ref().map(ToString::to_string),
                "section": place.section,
                "offset": place.offset,
                "dependency": place.dependency,
            })
        };
        let step = |step: &Place| {
            let mut value = place(step);
            if let Value::Object(members) = &mut value {
                members.insert("held".into(), json!(false));
            }
            value
        };
        let changes: Vec<Value> = match done {
            true => self.deeds.iter().map(|deed| self.deed(deed)).collect(),
            false => Vec::new(),
        };
        let fetched = self.fetched.iter();
        json!({
            "done": done,
            "procedure": self.procedure,
            "subject": subject,
            "manifest": self.manifest.as_ref().map(ToString::to_string),
            "digest": self.digest,
            "sequence_number": self.number,
            "previous_sequence_number": self.before,
            "signers": if done { json!(self.signers) } else { Value::Null },
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "found": self.claims.iter().map(|(component, name, value)| {
                json!({ "component": component, "property": name, "value": value })
            }).collect::<Vec<_>>(),
            "fetched": fetched.map(|(uri, from)| json!({ "uri": uri, "from": from })).collect::<Vec<_>>(),
            "changes": changes,
            "needed_by": self.needed_by,
            "outdated_dependents": self.outdated,
            "failed_at": self.failed_at.as_ref().map(place),
        })
    }

    fn deed(&self, deed: &Deed) -> Value {
        match deed {
            Deed::Wrote {
                component,
                bytes,
                digest,
            } => json!({
                "change": "wrote",
                "component": component.to_string(),
                "path": self.path(component),
                "bytes": bytes,
                "digest": digest.map(|digest| digest.to_string()),
            }),
            Deed::Removed(component) => json!({
                "change": "removed",
                "component": component.to_string(),
                "path": self.path(component),
            }),
            Deed::Swapped(one, other) => json!({
                "change": "swapped",
                "component": one.to_string(),
                "path": self.path(one),
                "with": other.to_string(),
                "with_path": self.path(other),
            }),
            Deed::Started {
                component,
                arguments,
            } => json!({
                "change": "would start",
                "component": component.to_string(),
                "arguments": arguments.as_deref().map(encode_string),
            }),
        }
    }

    fn text(&self, subject: &str, done: bool) -> String {
        let mut lines = Vec::new();
        let mut head = format!("{STRONG}{}{STRONG:#}", printable(subject));
        if let (Some(id), Some(number)) = (&self.manifest, self.number) {
            head += &format!("  {DIM}manifest{DIM:#} {}", printable(&id.to_string()));
            head += &match (self.procedure, self.before) {
                ("update", Some(before)) if before != number && done => {
                    format!("  {DIM}number{DIM:#} {before} → {number}")
                }
                ("update", Some(before)) if before != number => {
                    format!("  {DIM}number{DIM:#} {number}  {DIM}installed is{DIM:#} {before}")
                }
                _ => format!("  {DIM}number{DIM:#} {number}"),
            };
        }
        if done && !self.signers.is_empty() {
            head += &format!("  {DIM}by{DIM:#} {}", printable(&self.signers.join(", ")));
        }
        lines.push(head);
        self.claims_in_lines(&mut lines);
        self.steps_in_lines(&mut lines);
        for (uri, from) in &self.fetched {
            lines.push(format!(
                "{DIM}fetched{DIM:#} {} {DIM}from{DIM:#} {}",
                printable(uri),
                printable(from)
            ));
        }
        if done {
            self.deeds_in_lines(&mut lines);
            lines.push(match (self.procedure, self.deeds.is_empty()) {
                ("update", true) if !self.has_update => {
                    format!("{GOOD}done{GOOD:#}: the manifest has nothing to install")
                }
                ("update", true) => format!("{GOOD}done{GOOD:#}: everything was there already"),
                ("update", false) => format!("{GOOD}installed{GOOD:#}"),
                ("invoke", _) => format!("{GOOD}ready{GOOD:#}: checked, and nothing was executed"),
                _ if !self.needed_by.is_empty() => format!(
                    "{GOOD}released{GOOD:#}: it stays, because it is needed by {}",
                    printable(&self.needed_by.join(", "))
                ),
                _ => format!("{GOOD}uninstalled{GOOD:#}"),
            });
            for id in &self.outdated {
                lines.push(format!(
                    "{BAD}{}{BAD:#} depends on another release, and does not start until it is updated too",
                    printable(id)
                ));
            }
        } else {
            lines.push(format!("{DIM}The folder is as it was.{DIM:#}"));
        }
        lines.join("\n")
    }

    fn claims_in_lines(&self, lines: &mut Vec<String>) {
        let width = |of: fn(&(String, String, String)) -> &String| {
            let widths = self.claims.iter().map(|claim| of(claim).chars().count());
            widths.max().unwrap_or(0)
        };
        let (components, names) = (width(|claim| &claim.0), width(|claim| &claim.1));
        for (component, name, value) in &self.claims {
            lines.push(format!(
                "{GOOD}✓{GOOD:#} {:components$}  {name:names$}  {DIM}{}{DIM:#}",
                printable(component),
                printable(value)
            ));
        }
    }

    fn steps_in_lines(&self, lines: &mut Vec<String>) {
        let failed = self
            .failed_at
            .iter()
            .filter(|place| place.command.is_some());
        let name = |place: &Place| place.command.clone().unwrap_or_else(|| "a command".into());
        let component = |place: &Place| {
            let id = place.component.as_ref();
            id.map_or_else(String::new, |id| printable(&id.to_string()))
        };
        let all = || self.steps.iter().chain(failed.clone());
        let widest = |of: &dyn Fn(&Place) -> String| {
            let widths = all().map(|place| of(place).chars().count());
            widths.max().unwrap_or(0)
        };
        let (names, components) = (widest(&name), widest(&component));
        let line = |mark: String, place: &Place| {
            format!(
                "{mark} {:names$}  {:components$}  {DIM}{}{DIM:#}",
                name(place),
                component(place),
                printable(&place.shown())
            )
        };
        let provided_for = self.steps.iter();
        lines.extend(provided_for.map(|place| {
            let text = line(format!("{DIM}–{DIM:#}"), place);
            format!("{text}  did not hold, as the manifest provides for")
        }));
        lines.extend(
            failed
                .clone()
                .map(|place| line(format!("{BAD}✗{BAD:#}"), place)),
        );
    }

    fn deeds_in_lines(&self, lines: &mut Vec<String>) {
        let paths = self.paths.iter().map(|(_, path)| path.chars().count());
        let width = paths.max().unwrap_or(0);
        for deed in &self.deeds {
            let component = |id: &ComponentId| printable(&id.to_string());
            lines.push(match deed {
                Deed::Wrote {
                    component,
                    bytes,
                    digest,
                } => {
                    let digest = digest.map(|digest| digest.to_string()).unwrap_or_default();
                    format!(
                        "wrote   {:width$}  {bytes} bytes  {DIM}{digest}{DIM:#}",
                        self.path(component)
                    )
                }
                Deed::Removed(id) => format!("removed {}", self.path(id)),
                Deed::Swapped(one, other) => {
                    format!("swapped {} and {}", self.path(one), self.path(other))
                }
                Deed::Started {
                    component: id,
                    arguments,
                } => {
                    let mut text = format!("would start {}", component(id));
                    match arguments.as_deref().map(std::str::from_utf8) {
                        Some(Ok(arguments)) => {
                            text += &format!(" {DIM}with{DIM:#} {}", printable(arguments));
                        }
                        Some(Err(_)) => {
                            let bytes = arguments.as_deref().unwrap_or_default();
                            text += &format!(" {DIM}with{DIM:#} 0x{}", encode_string(bytes));
                        }
                        None => {}
                    }
                    text
                }
            });
        }
    }
}

/// What the report claims of components, each once.
fn claims(outcome: &Outcome) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for claims in outcome.report.claims() {
        let component = claims.component.to_string();
        for parameter in claims.properties.iter() {
            let (name, value) = explain::describe_parameter(parameter);
            let value = plain(&value);
            let claim = (component.clone(), name, value);
            if !all.contains(&claim) {
                all.push(claim);
            }
        }
    }
    all
}

impl Deed {
    fn components(&self) -> Vec<&ComponentId> {
        match self {
            Self::Wrote { component, .. } | Self::Removed(component) => vec![component],
            Self::Swapped(one, other) => vec![one, other],
            Self::Started { .. } => Vec::new(),
        }
    }
}
