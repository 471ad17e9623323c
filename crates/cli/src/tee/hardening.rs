//! How the TEE's process is protected, for people and for programs.

use serde_json::{Value, json};
use tamarack_tee::hardening::{Report, State};

use crate::output::{BAD, GOOD};

/// A list of all protections.
pub(super) fn json(report: &Report) -> Value {
    let each = report.iter().map(|(protection, state)| {
        json!({
            "protection": protection.name(),
            "state": state.name(),
            "problem": state.problem(),
        })
    });
    each.collect()
}

/// What is on, on one line, and each thing that is missing on a line of its own.
pub(super) fn text(report: &Report) -> String {
    let on = report
        .iter()
        .filter(|(_, state)| !matches!(state, State::Missing(_)));
    let on: Vec<_> = on.map(|(protection, _)| protection.meaning()).collect();
    let mut lines = Vec::new();
    if !on.is_empty() {
        lines.push(format!("  {GOOD}protected{GOOD:#}: {}", on.join(", ")));
    }
    for (protection, problem) in report.problems() {
        lines.push(format!(
            "  {BAD}missing{BAD:#}: {}: {problem}",
            protection.meaning()
        ));
    }
    lines.join("\n")
}

/// What is missing, and why, in one sentence.
pub(super) fn problems(report: &Report) -> String {
    let each = report
        .problems()
        .map(|(protection, problem)| format!("{protection} ({problem})"));
    each.collect::<Vec<_>>().join("; ")
}
