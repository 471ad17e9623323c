//! Learning something about neighbours from how the device refuses.

use tamarack_suit::{
    Action, Condition, Parameter, SuitDigest, author::DependencyBuilder, report::Reason,
};
use tamarack_tests::{Person, crypto, id, release, release::Release, wasm::HELLO_1};

use crate::{
    Attempt,
    Expected::Refused,
    NO_RIGHT, attempt,
    commands::{act, index, set, test},
    dependencies::digest_of,
    domains::domain,
    world::{GREETING, Tried, World, identified, manifest},
};

/// Refused in one way, whatever the guess was: a text that says the name says it in both cases, and nothing else.
fn same(right: (&str, Tried), wrong: (&str, Tried)) -> Tried {
    let ((right_name, right), (wrong_name, wrong)) = (right, wrong);
    let (right, wrong) = (right.unwrap_err(), wrong.unwrap_err());
    assert_eq!(
        right.text.replace(right_name, "…"),
        wrong.text.replace(wrong_name, "…")
    );
    assert_eq!((right.reason, right.place), (wrong.reason, wrong.place));
    assert_eq!(right.code, wrong.code);
    Err(right)
}

fn digest(content: &[u8]) -> SuitDigest {
    SuitDigest::sha256(&crypto(), content)
}

fn at_number(world: &mut World, number: u64) -> Tried {
    let release = Release::new("evil/x", number).kept_at("acme/hello/suit");
    let envelope = release.carrying(HELLO_1).by(&world.evil);
    world.send(&envelope)
}

pub(crate) const ATTEMPTS: &[Attempt] = &[
    attempt(
        "guess the digest of a neighbour's Personalization Data",
        NO_RIGHT,
        |world| {
            let [right, wrong] = [GREETING, b"guess"].map(|guess| {
                let compare = vec![
                    index(1),
                    set(Parameter::ImageDigest(digest(guess))),
                    test(Condition::ImageMatch),
                ];
                ("", world.commands(&["acme/hello/greeting"], compare))
            });
            same(right, wrong)
        },
    ),
    attempt(
        "guess that a neighbour's content is not this",
        NO_RIGHT,
        |world| {
            let [right, wrong] = [GREETING, b"guess"].map(|guess| {
                let compare = vec![
                    index(1),
                    set(Parameter::ImageDigest(digest(guess))),
                    test(Condition::ImageNotMatch),
                ];
                ("", world.commands(&["acme/hello/greeting"], compare))
            });
            same(right, wrong)
        },
    ),
    attempt(
        "guess the Personalization Data of a neighbour",
        NO_RIGHT,
        |world| {
            let [right, wrong] = [GREETING, b"guess"].map(|guess| {
                let compare = vec![
                    index(1),
                    set(Parameter::Content(guess.into())),
                    test(Condition::CheckContent),
                ];
                ("", world.commands(&["acme/hello/greeting"], compare))
            });
            same(right, wrong)
        },
    ),
    attempt(
        "see from what is not fetched that a neighbour has it already",
        NO_RIGHT,
        |world| {
            let [right, wrong] = [GREETING, b"guess"].map(|guess| {
                let fetch = vec![
                    index(1),
                    set(Parameter::ImageDigest(digest(guess))),
                    set(Parameter::ImageSize(guess.len() as u64)),
                    set(Parameter::Uri("http://evil/asked".into())),
                    act(Action::Fetch),
                ];
                ("", world.commands(&["acme/hello/greeting"], fetch))
            });
            assert!(world.providers.device.payloads.asked.is_empty());
            same(right, wrong)
        },
    ),
    attempt("guess which manifest a neighbour has", NO_RIGHT, |world| {
        let genuine = release::app("acme/hello/greeting", 3, GREETING, &world.providers.acme);
        let [right, wrong] = [digest_of(&genuine), digest(b"guess")].map(|guess| {
            let dependency = DependencyBuilder::new(id("acme/hello/greeting/suit"), guess);
            let component = identified(&id("evil/x")).integrated(&crypto(), "#payload", HELLO_1);
            let draft = manifest(1).component(component).dependency(dependency);
            ("", world.signs(&draft.build().unwrap()))
        });
        same(right, wrong)
    }),
    attempt(
        "guess which number a neighbour's release has",
        NO_RIGHT,
        |world| same(("", at_number(world, 2)), ("", at_number(world, 4))),
    ),
    attempt(
        "see whether a neighbour has an application of some name",
        NO_RIGHT,
        |world| {
            let (there, not) = ("acme/vault", "acme/vaulx");
            same((there, world.installs(there)), (not, world.installs(not)))
        },
    ),
    attempt(
        "see whether there is a domain of some name",
        NO_RIGHT,
        |world| {
            let (there, not) = ("globex", "globix");
            let [right, wrong] = [there, not].map(|name| {
                let tried = domain(world, &format!("{name}/x"), 1, "evil/x");
                (name, tried)
            });
            same(right, wrong)
        },
    ),
    attempt(
        "see whether somebody has a prefix, by wanting it for a sub-domain",
        Refused(Reason::OperationFailed, "is not below evil"),
        |world| {
            let (there, not) = ("globex", "globix");
            let [right, wrong] =
                [there, not].map(|prefix| (prefix, domain(world, "evil/x", 1, prefix)));
            same(right, wrong)
        },
    ),
    attempt("see whose key a component's owner has", NO_RIGHT, |world| {
        let theirs = world.providers.acme.public();
        let guesses = [("evil/one", theirs), ("evil/other", Person::new().public())];
        let [right, wrong] = guesses.map(|(name, key)| {
            world
                .sub_domain(name, |domain| domain.owners.push(key))
                .unwrap();
            ("", world.installs("acme/hello"))
        });
        same(right, wrong)
    }),
];
