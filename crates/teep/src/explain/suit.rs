//! What is SUIT's in a message: manifests, reports, components.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use tamarack_cose::{Signed, cbor::Reader};
use tamarack_suit::{
    ComponentId, Envelope, Limits, Report,
    explain::{self, Diagnostic, Tree},
    report::{self, REPORT_PURPOSE},
};

use super::{
    cose::Structure,
    item::{Item, Octets, Origin},
    node::{Content, Node},
    walk::{Walk, source},
};

/// The bytes of an item as a part of their own.
fn part<'i>(item: &'i Item<'_>) -> Octets<'i> {
    Octets {
        content: item.raw.into(),
        origin: Origin::Runs(Vec::from([(0, item.offset)])),
    }
}

impl Walk<'_> {
    /// A SUIT_Component_Identifier, in its text form.
    pub(super) fn component_id(&mut self, item: &Item<'_>, source: &'static str) -> Content {
        self.encoding(item);
        let Some(items) = item.array() else {
            return self.wrong(item, "an array of byte strings", source);
        };
        let mut segments = Vec::new();
        for (at, segment) in items.iter().enumerate() {
            self.under(format_args!("[{at}]"), |walk| {
                walk.encoding(segment);
                match segment.bytes() {
                    Some(octets) => segments.push(octets.content.as_ref()),
                    None => drop(walk.wrong(segment, "a byte string", source)),
                }
            });
        }
        match ComponentId::new(&segments) {
            Ok(id) => Content::text(id),
            Err(error) => {
                self.problem(item, error, source);
                Content::text(item.kind())
            }
        }
    }

    /// An entry of tc-list: a component and what was measured of it (`system-property-claims`).
    pub(super) fn property_claims(&mut self, item: &Item<'_>) -> Content {
        const COMPONENT: &str = "system-component-id (0)";
        self.encoding(item);
        let Some(entries) = item.map() else {
            return self.wrong(item, "a map of claims", source::REPORT);
        };
        let mut nodes = Vec::new();
        let mut seen = false;
        for (key, value) in entries {
            if key.int() == Some(0) {
                seen = true;
                self.under(COMPONENT, |walk| walk.encoding(key));
                let content =
                    self.under(COMPONENT, |walk| walk.component_id(value, source::REPORT));
                nodes.push(Node::new("system-component-id", Some(0), content));
            }
        }
        if !seen {
            self.problem(item, "system-component-id (0) is missing", source::REPORT);
        }
        let claims = report::Claims::read(&mut Reader::new(item.raw), &Limits::default());
        match claims {
            Ok(claims) => {
                for parameter in claims.properties.iter() {
                    let (name, tree) = explain::describe_parameter(parameter);
                    nodes.push(Node::new(name, Some(parameter.label()), tree.into()));
                }
            }
            Err(error) => {
                for (key, value) in entries.iter().filter(|(key, _)| key.int() != Some(0)) {
                    let name = self.key(key);
                    let content = self.under(&name, |walk| walk.anything(value));
                    nodes.push(Node::new(name, None, content));
                }
                // What is wrong with the component is said already.
                if !error.rule.starts_with("system-component-id") && seen {
                    self.refused(&part(item), &error, "", source::REPORT);
                }
            }
        }
        Content::Map(nodes)
    }

    /// A SUIT report in any of its forms; its nonce goes to `found`.
    pub(super) fn report(&mut self, octets: &Octets<'_>, found: &mut Option<Report>) -> Content {
        let is_report = matches!(octets.content.first(), Some(0xa0..=0xbf));
        if is_report {
            return self.bare_report(octets, found);
        }
        let shown = self.open(octets, |walk, item| {
            let Some(structure) = Structure::of(item, Structure::Encrypt) else {
                return walk.wrong(item, "a SUIT_Report, or one in COSE", source::REPORT);
            };
            let shown = walk.cose(
                item,
                structure,
                REPORT_PURPOSE,
                |walk, payload| match payload {
                    Some(payload) => Node::plain("report", walk.report(payload, found)),
                    None => Node::plain("report", Content::text("detached")),
                },
            );
            Content::Map(shown.nodes)
        });
        shown.unwrap_or_else(|| Content::start_of(&octets.content))
    }

    fn bare_report(&mut self, octets: &Octets<'_>, found: &mut Option<Report>) -> Content {
        match Report::decode(&octets.content) {
            Ok(report) => {
                let tree = explain::describe_report(&report);
                *found = Some(report);
                Content::Leaf(tree)
            }
            Err(error) => {
                let shown = self.open(octets, Self::report_members);
                let whole = octets.item();
                let place = place_in_report(&whole.item, octets.origin.locate(error.offset));
                self.refused(octets, &error, &place, source::REPORT);
                shown.unwrap_or_else(|| Content::start_of(&octets.content))
            }
        }
    }

    /// The members of a report that does not decode.
    fn report_members(&mut self, item: &Item<'_>) -> Content {
        self.encoding(item);
        let Some(entries) = item.map() else {
            return self.wrong(item, "a SUIT_Report, which is a map,", source::REPORT);
        };
        let nodes = entries.iter().map(|(key, value)| {
            let plain = self.key(key);
            let (number, name) = match key
                .int()
                .and_then(|label| Some((label, member_name(label)?)))
            {
                Some((label, name)) => (Some(label), name.to_string()),
                None => (None, plain),
            };
            let content = self.under(&name, |walk| walk.anything(value));
            Node::new(name, number, content)
        });
        Content::Map(nodes.collect())
    }

    /// A manifest in its envelope.
    pub(super) fn manifest(&mut self, octets: &Octets<'_>) -> Content {
        let bytes = octets.content.as_ref();
        let place = |offset| explain::locate(bytes, offset);
        // What is wrong with the encoding at any depth comes first: its place is exact.
        let fault = Diagnostic::of(bytes).fault();
        if let Some(fault) = &fault {
            self.refused(octets, fault, &place(fault.offset), source::SUIT);
        }
        let envelope = match Envelope::decode(bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                if fault.is_none() {
                    self.refused(octets, &error, &place(error.offset), source::SUIT);
                }
                return Content::text(format!(
                    "{} bytes that are no SUIT_Envelope",
                    octets.content.len()
                ));
            }
        };
        if let Err(error) = envelope.unverified_manifest()
            && fault.is_none()
        {
            self.refused(octets, &error, &place(error.offset), source::SUIT);
        }
        let tree = explain::describe(&envelope, Some(self.knowledge.crypto));
        if tree.flag("manifest-digest-matches") == Some(false) {
            let place = octets.origin.locate(envelope.manifest_position());
            let what = "the digest that was signed is that of another manifest";
            self.under("manifest", |walk| {
                walk.problem_at(place, what, source::SUIT);
            });
        }
        let mut members = match tree {
            Tree::Map(members) => members,
            other => Vec::from([("manifest".to_string(), other)]),
        };
        if let Some(names) = self.manifest_signers(&envelope) {
            members.insert(0, ("verified-by".to_string(), Tree::Text(names)));
        }
        Content::Leaf(Tree::Map(members))
    }

    /// Which of the keys signed a manifest; `None` if there are no keys.
    fn manifest_signers(&self, envelope: &Envelope<'_>) -> Option<String> {
        let knowledge = self.knowledge;
        if knowledge.keys.is_empty() {
            return None;
        }
        let mut names: Vec<&str> = Vec::new();
        for block in envelope.authentication_blocks() {
            let Ok(signed) = Signed::decode(block) else {
                continue;
            };
            for index in 0..signed.signatures().len() {
                let fits = |key| {
                    let digest = Some(envelope.digest_bytes());
                    signed
                        .verify_at(knowledge.crypto, index, key, digest)
                        .is_ok()
                };
                let found = knowledge.keys.iter().find(|(_, key)| fits(key));
                names.extend(found.map(|(name, _)| name.as_str()));
            }
        }
        Some(match names.as_slice() {
            [] => "none of the keys given".to_string(),
            names => names.join(", "),
        })
    }
}

fn member_name(label: i64) -> Option<&'static str> {
    Some(match label {
        2 => "suit-report-nonce",
        3 => "suit-report-records",
        4 => "suit-report-result",
        8 => "suit-capability-report",
        99 => "suit-reference",
        _ => return None,
    })
}

/// The names of the parts of a report around a byte of the file.
fn place_in_report(report: &Item<'_>, offset: usize) -> String {
    let mut path: Vec<String> = Vec::new();
    let mut item = report;
    let holds = |item: &Item<'_>| (item.offset..item.offset + item.raw.len()).contains(&offset);
    loop {
        if let Some(entries) = item.map()
            && let Some((key, value)) = entries.iter().find(|(_, value)| holds(value))
        {
            let label = key.int();
            let name = label.filter(|_| path.is_empty()).and_then(member_name);
            path.push(match (name, label) {
                (Some(name), Some(label)) => format!("{name} ({label})"),
                (_, Some(label)) => label.to_string(),
                _ => key.kind().to_string(),
            });
            item = value;
        } else if let Some(items) = item.array()
            && let Some(at) = items.iter().position(holds)
            && let Some(inner) = items.get(at)
        {
            path.push(format!("[{at}]"));
            item = inner;
        } else {
            return path.join(" / ");
        }
    }
}
