//! The pages of the book that list attempts, and the lists in code, say the same.

use attacker::Expected as OfApplications;

use crate::{Attempt, Expected, attempts};

const PAGE: &str = include_str!("../../../docs/attacks.md");

fn of_signers((number, attempt): (usize, &Attempt)) -> String {
    let Attempt { what, expected, .. } = attempt;
    let becomes = match expected {
        Expected::Harmless => "allowed, and nobody else's matter".to_owned(),
        Expected::Refused(reason, text) => format!("`{reason}`: … {} …", text.trim()),
    };
    format!("| {number} | {what} | {becomes} |")
}

fn of_applications(attempt: &attacker::Attempt) -> String {
    let attacker::Attempt {
        number,
        what,
        expected,
    } = attempt;
    let becomes = match expected {
        OfApplications::Refused(codes) => {
            let codes: Vec<String> = codes.iter().map(|code| format!("`{code:?}`")).collect();
            codes.join(" or ")
        }
        OfApplications::AnyRefusal => "refused".into(),
        OfApplications::Dies => "the application dies".into(),
        OfApplications::RefusedOrDies => "refused, or the application dies".into(),
        OfApplications::Harmless => "allowed, and reaches nobody else".into(),
    };
    format!("| {number} | {what} | {becomes} |")
}

/// The numbered rows under a heading.
fn documented(heading: &str) -> Vec<&'static str> {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let numbered = |row: &&str| {
        let first = row.strip_prefix("| ").and_then(|row| row.split(' ').next());
        first.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    section.lines().filter(numbered).collect()
}

#[track_caller]
fn agree(heading: &str, rows: &[String]) {
    assert_eq!(
        documented(heading),
        rows,
        "docs/attacks.md, {heading}, should say:\n{}",
        rows.join("\n")
    );
}

#[test]
fn the_book_lists_what_a_hostile_signer_tries() {
    agree(
        "A hostile signer",
        &attempts().map(of_signers).collect::<Vec<_>>(),
    );
}

#[test]
fn the_book_lists_what_a_hostile_application_tries() {
    let attempts = attacker::ATTEMPTS.iter().map(of_applications);
    agree(
        "A hostile Trusted Application",
        &attempts.collect::<Vec<_>>(),
    );
}
