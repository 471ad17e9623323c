//! Sequence numbers, and where manifests are kept.

use tamarack_suit::{Envelope, author::Draft, report::Reason};
use tamarack_tests::{
    release,
    release::Release,
    wasm::{HELLO_1, HELLO_2, VAULT},
};

use crate::{
    Attempt, Expected,
    Expected::{Harmless, Refused},
    NO_RIGHT, attempt,
    world::{Tried, World},
};

const NOT_NEWER: Expected = Refused(Reason::ConditionFailed, "is not newer than");

/// A component of its own whose manifest is kept at `manifest`, with the highest number there is.
fn kept_at(world: &mut World, manifest: &str) -> Tried {
    let release = Release::new("evil/x", u64::MAX).kept_at(manifest);
    let envelope = release.carrying(b"data").by(&world.evil);
    world.send(&envelope)
}

fn own(world: &mut World, number: u64, content: &[u8]) -> Tried {
    let envelope = release::app("evil/own", number, content, &world.evil);
    world.send(&envelope)
}

pub(crate) const ATTEMPTS: &[Attempt] = &[
    attempt("roll its own application back", NOT_NEWER, |world| {
        own(world, 5, HELLO_2)?;
        own(world, 4, HELLO_1)
    }),
    attempt(
        "publish other content under the same number",
        NOT_NEWER,
        |world| own(world, 5, VAULT),
    ),
    attempt(
        "roll its own application back after it was removed",
        NOT_NEWER,
        |world| {
            world.unlink(&["evil/own/suit"]);
            own(world, 4, HELLO_1)
        },
    ),
    attempt("use up a neighbour's sequence numbers", NO_RIGHT, |world| {
        kept_at(world, "acme/hello/suit")
    }),
    attempt(
        "use up the numbers of a neighbour's domain",
        NO_RIGHT,
        |world| kept_at(world, "security-domain/acme/suit"),
    ),
    attempt(
        "use up the numbers of its own domain, which are the administrator's",
        NO_RIGHT,
        |world| kept_at(world, "security-domain/evil/suit"),
    ),
    attempt(
        "use up the numbers of the sub-domain that it has from a neighbour",
        NO_RIGHT,
        |world| kept_at(world, "security-domain/acme/guest/suit"),
    ),
    attempt(
        "use up the numbers of the trust anchors",
        NO_RIGHT,
        |world| kept_at(world, "trust-anchors/spare/suit"),
    ),
    attempt(
        "use up numbers in the domain within its own prefix",
        NO_RIGHT,
        |world| kept_at(world, "evil/tenant/data/suit"),
    ),
    attempt(
        "keep a manifest where a neighbour's application is",
        NO_RIGHT,
        |world| kept_at(world, "acme/vault"),
    ),
    attempt(
        "keep a manifest nowhere",
        Refused(Reason::ComponentUnauthorized, "no right"),
        |world| kept_at(world, ""),
    ),
    attempt(
        "keep a manifest where its own component is",
        Refused(Reason::CborParse, "is kept where one of its components is"),
        |world| kept_at(world, "evil/x"),
    ),
    attempt(
        "keep a manifest where a component of another manifest is",
        Refused(Reason::OperationFailed, "belongs to another manifest"),
        |world| {
            own(world, 6, HELLO_1)?;
            kept_at(world, "evil/own")
        },
    ),
    attempt(
        "install a component where a manifest is kept",
        Refused(Reason::OperationFailed, "belongs to another manifest"),
        |world| world.installs("evil/own/suit"),
    ),
    attempt(
        "take a component over with another manifest",
        Refused(
            Reason::OperationFailed,
            "another manifest needs the component",
        ),
        |world| {
            let release = Release::new("evil/own", 9).kept_at("evil/usurper");
            let envelope = release.carrying(HELLO_2).by(&world.evil);
            world.send(&envelope)
        },
    ),
    attempt(
        "sign a neighbour's own manifest, with the next number",
        NO_RIGHT,
        |world| {
            let genuine = release::app("acme/hello", 4, HELLO_1, &world.providers.acme);
            let draft = Draft::of(&Envelope::decode(&genuine).unwrap()).unwrap();
            world.signs(&draft)
        },
    ),
    attempt(
        "change a neighbour's signed manifest",
        Refused(Reason::Unauthorized, "digest"),
        |world| {
            let mut envelope = release::app("acme/hello", 4, HELLO_1, &world.providers.acme);
            let (from, to) = (b"acme", b"evil");
            let at = envelope.windows(4).position(|bytes| bytes == from).unwrap();
            envelope[at..][..4].copy_from_slice(to);
            world.send(&envelope)
        },
    ),
    attempt(
        "use the highest number for its own application",
        Harmless,
        |world| {
            let envelope = release::app("evil/last", u64::MAX, HELLO_1, &world.evil);
            world.send(&envelope)
        },
    ),
];
