//! A hostile signer: the owner of one security domain of a device, and what it can't do to everybody else there.
//!
//! The manifests reach the device through an honest TAM. The signer owns the domain `evil`, within whose prefix the
//! administrator made the domain `tenant` for somebody else, and `acme/guest`, a sub-domain of a neighbour's. Each attempt
//! is refused as the list says, or is nobody else's matter. After each of them, everything that the neighbours, the
//! administrator and the TEE have is compared with what it was, their applications are asked, and they install
//! something.

mod ciphertexts;
mod commands;
mod components;
mod dependencies;
mod documented;
mod domains;
mod exhaustion;
mod learning;
mod numbers;
mod signatures;
mod world;

use tamarack_suit::report::Reason;
use tamarack_teep::ErrorCode;

use world::{Tried, World};

/// Something that the signer tries.
pub(crate) struct Attempt {
    what: &'static str,
    expected: Expected,
    act: fn(&mut World) -> Tried,
}

/// What has to become of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    /// The device refuses the manifest: with this reason in the SUIT report, and a text that holds this.
    Refused(Reason, &'static str),
    /// It is allowed, and reaches nobody else.
    Harmless,
}

use Expected::{Harmless, Refused};

/// The signer has no right to a component, manifest or dependency that the manifest names.
const NO_RIGHT: Expected = Refused(Reason::ComponentUnauthorized, "no right to component");

/// The device could not do what the manifest wants.
const fn failed(text: &'static str) -> Expected {
    Refused(Reason::OperationFailed, text)
}

const fn attempt(what: &'static str, expected: Expected, act: fn(&mut World) -> Tried) -> Attempt {
    Attempt {
        what,
        expected,
        act,
    }
}

/// All attempts, by what they are about.
const CHAPTERS: &[&[Attempt]] = &[
    components::ATTEMPTS,
    domains::ATTEMPTS,
    numbers::ATTEMPTS,
    dependencies::ATTEMPTS,
    commands::ATTEMPTS,
    learning::ATTEMPTS,
    signatures::ATTEMPTS,
    exhaustion::ATTEMPTS,
    ciphertexts::ATTEMPTS,
];

/// All attempts, in the order of their numbers.
fn attempts() -> impl Iterator<Item = (usize, &'static Attempt)> {
    (1..).zip(CHAPTERS.iter().copied().flatten())
}

impl Expected {
    /// What is wrong with what became of an attempt.
    fn differs(self, tried: &Tried) -> Option<String> {
        let as_expected = match (self, tried) {
            (Harmless, Ok(())) => true,
            (Refused(reason, text), Err(refusal)) => {
                refusal.code == ErrorCode::MANIFEST_PROCESSING_FAILED
                    && refusal.reason == reason
                    && refusal.text.contains(text)
            }
            _ => false,
        };
        (!as_expected).then(|| format!("{tried:?} instead of {self:?}"))
    }
}

/// Tries everything in a chapter on one device, and looks after everybody else each time.
fn run(attempts: &[Attempt]) {
    let mut world = World::new();
    let mut wrong = Vec::new();
    for Attempt {
        what,
        expected,
        act,
    } in attempts
    {
        println!("{what}");
        world.before = Some(world.victims());
        let tried = act(&mut world);
        let mut fails = |why: String| wrong.push(format!("{what}: {why}"));
        if let Some(why) = expected.differs(&tried) {
            fails(why);
        }
        if Some(world.victims()) != world.before {
            fails("somebody else is not as before".into());
        }
        if world.something_leaked() {
            fails("an answer holds what is a neighbour's".into());
        }
        world.neighbours_can_install();
    }
    let before = world.victims();
    world.providers.device = world.providers.device.restarted();
    if world.victims() != before {
        wrong.push("somebody is not as before after a restart".into());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn attempts_are_different() {
    let all: Vec<&Attempt> = attempts().map(|(_, attempt)| attempt).collect();
    for attempt in &all {
        let same = all.iter().filter(|other| other.what == attempt.what);
        assert_eq!(same.count(), 1, "{}", attempt.what);
    }
    let refused = all
        .iter()
        .filter(|attempt| matches!(attempt.expected, Refused(..)));
    assert!(refused.count() >= 40);
}

#[test]
fn components_of_others() {
    run(components::ATTEMPTS);
}

#[test]
fn domains_and_trust() {
    run(domains::ATTEMPTS);
}

#[test]
fn numbers_and_identifiers_of_manifests() {
    run(numbers::ATTEMPTS);
}

#[test]
fn dependencies_on_others() {
    run(dependencies::ATTEMPTS);
}

#[test]
fn commands_that_reach_out() {
    run(commands::ATTEMPTS);
}

#[test]
fn learning_from_answers() {
    run(learning::ATTEMPTS);
}

#[test]
fn signatures_that_are_not_its_own() {
    run(signatures::ATTEMPTS);
}

#[test]
fn more_than_its_share() {
    run(exhaustion::ATTEMPTS);
}

#[test]
fn ciphertexts_of_others() {
    run(ciphertexts::ATTEMPTS);
}
