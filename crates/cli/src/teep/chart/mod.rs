//! A trace as a sequence chart: who said what to whom, exchange by exchange.

mod draw;
mod gist;

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use tamarack_suit::explain::visible;
use tamarack_trace::{Line, Lines, Party};

pub(super) use draw::Charset;

use super::show::Keys;
use gist::Gist;

/// A message of a trace.
pub(super) struct Message<'t> {
    /// Its number in the trace, from 1.
    number: usize,
    line: &'t Line,
    /// The message itself; `None` if there was none.
    pub(super) body: Option<&'t [u8]>,
    gist: Gist,
}

/// Messages that belong together.
struct Group {
    /// The positions of its messages.
    messages: Vec<usize>,
    /// Signers and URIs, as far as they are known.
    agent: Option<String>,
    ueid: Option<String>,
    tam: Option<String>,
}

/// What is drawn.
pub(super) struct Trace<'t> {
    pub(super) messages: Vec<Message<'t>>,
    groups: Vec<Group>,
    /// What the trace says about itself.
    notes: Vec<String>,
}

impl<'t> Trace<'t> {
    pub(super) fn of(lines: &'t Lines, keys: &Keys) -> Self {
        let mut trace = Self {
            messages: Vec::new(),
            groups: Vec::new(),
            notes: Vec::new(),
        };
        for (number, why) in &lines.faults {
            trace
                .notes
                .push(format!("line {number} is passed over: {}", visible(why)));
        }
        let mut grouping = Grouping::default();
        for line in &lines.lines {
            let Some(to) = line.to else {
                trace.notes.extend(line.note.as_deref().map(visible));
                continue;
            };
            let body = line.body.as_deref();
            let gist = match body {
                Some(body) if !body.is_empty() => Gist::of(body, keys),
                _ => Gist::default(),
            };
            let at = trace.messages.len();
            let group = grouping.of(line, to, &gist, trace.groups.len());
            if group == trace.groups.len() {
                trace.groups.push(Group {
                    messages: Vec::new(),
                    agent: None,
                    ueid: None,
                    tam: None,
                });
            }
            if let Some(group) = trace.groups.get_mut(group) {
                group.learn(line, to, &gist);
                group.messages.push(at);
            }
            trace.messages.push(Message {
                number: at + 1,
                line,
                body,
                gist,
            });
        }
        trace
    }

    pub(super) fn has_problem(&self) -> bool {
        let faulty = |message: &Message<'_>| !message.gist.problems.is_empty();
        self.messages.iter().any(faulty)
    }

    /// The messages of a group, each with the time since the first.
    fn messages_of(&self, group: &Group) -> impl Iterator<Item = (&Message<'t>, Duration)> {
        let started = self.started(group);
        let messages = group
            .messages
            .iter()
            .filter_map(|at| self.messages.get(*at));
        messages.map(move |message| {
            let since = message.line.at.duration_since(started).unwrap_or_default();
            (message, since)
        })
    }

    /// When a group starts. A clock that was set back in the middle does not matter.
    fn started(&self, group: &Group) -> SystemTime {
        let messages = group
            .messages
            .iter()
            .filter_map(|at| self.messages.get(*at));
        messages
            .map(|message| message.line.at)
            .min()
            .unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The chart for programs; `docs/traces.md` describes the members.
    pub(super) fn json(&self, path: &Path) -> Value {
        let exchanges = self.groups.iter().enumerate().map(|(at, group)| {
            let messages = self.messages_of(group).map(|(message, since)| {
                json!({
                    "number": message.number,
                    "seconds": since.as_secs_f64(),
                    "to": message.line.to,
                    "message": message.gist.name,
                    "bytes": message.body.map_or(0, <[u8]>::len),
                    "status": message.line.status,
                    "fault": message.line.fault,
                    "gist": message.gist.words,
                    "problems": message.gist.problems,
                })
            });
            json!({
                "exchange": at + 1,
                "started": humantime::format_rfc3339_micros(self.started(group)).to_string(),
                "agent": group.agent,
                "ueid": group.ueid,
                "tam": group.tam,
                "messages": messages.collect::<Vec<_>>(),
            })
        });
        json!({
            "trace": path,
            "exchanges": exchanges.collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

impl Group {
    /// Takes from a message who is talking.
    fn learn(&mut self, line: &Line, to: Party, gist: &Gist) {
        if self.ueid.is_none() {
            self.ueid.clone_from(&gist.ueid);
        }
        match to {
            Party::Tam if self.agent.is_none() => self.agent.clone_from(&gist.key_id),
            Party::Agent if self.tam.is_none() => self.tam.clone_from(&gist.key_id),
            _ => {}
        }
        // Its URI says more than the id of its key.
        if let Some(uri) = &line.tam {
            self.tam = Some(uri.clone());
        }
    }
}

/// Which lines belong together: those that the broker has numbered alike; at the TAM, requests that repeat the
/// token or the challenge of a response.
#[derive(Default)]
struct Grouping<'t> {
    numbered: HashMap<(&'t str, Party, u64), usize>,
    tied: HashMap<Vec<u8>, usize>,
}

impl<'t> Grouping<'t> {
    /// The group of a line; `next` is the number of a new one.
    fn of(&mut self, line: &'t Line, to: Party, gist: &Gist, next: usize) -> usize {
        let number = (line.run.as_str(), line.by, line.exchange);
        let known = self.numbered.get(&number).copied();
        let tied = || {
            let at_tam = line.by == Party::Tam && to == Party::Tam;
            let mut ties = gist.ties.iter().filter(|_| at_tam);
            ties.find_map(|tie| self.tied.get(tie)).copied()
        };
        let group = known.or_else(tied).unwrap_or(next);
        self.numbered.insert(number, group);
        for tie in &gist.ties {
            self.tied.insert(tie.clone(), group);
        }
        group
    }
}

#[cfg(test)]
mod tests;
