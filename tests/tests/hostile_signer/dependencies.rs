//! Dependencies on what is somebody else's: to read it, to bring it back, to keep it from being removed.

use tamarack_suit::{Envelope, SuitDigest, author::DependencyBuilder, report::Reason};
use tamarack_tests::{
    Person, crypto, id, release,
    release::Release,
    wasm::{HELLO_1, HELLO_2},
};

use crate::{
    Attempt,
    Expected::{Harmless, Refused},
    NO_RIGHT, attempt,
    world::{Tried, World, identified, manifest, part},
};

/// A manifest that needs the one that is kept at `kept` and has this digest, and may bring it along.
fn needs(world: &mut World, kept: &str, digest: SuitDigest, brings: Option<Vec<u8>>) -> Tried {
    let mut dependency = DependencyBuilder::new(id(kept), digest);
    if let Some(envelope) = brings {
        dependency = dependency.integrated("#dependency", envelope);
    }
    let component = identified(&id("evil/x")).integrated(&crypto(), "#payload", HELLO_1);
    let draft = manifest(1).component(component).dependency(dependency);
    world.signs(&draft.build().unwrap())
}

/// A manifest that needs one that is kept at `kept`.
fn needs_some(world: &mut World, kept: &str) -> Tried {
    needs(world, kept, SuitDigest::sha256(&crypto(), b"some"), None)
}

/// A manifest that needs this one, as it is installed.
fn needs_this(world: &mut World, envelope: &[u8]) -> Tried {
    let release = Release::new("evil/x", 1)
        .kept_at("evil/manifest")
        .carrying(HELLO_1);
    let envelope = release.needing(envelope).by(&world.evil);
    world.send(&envelope)
}

/// What a neighbour says of the sub-domain that the hostile signer has.
fn guest(world: &World, number: u64, owner: &Person) -> Vec<u8> {
    let (name, acme) = ("acme/guest", &world.providers.acme);
    release::domain_with(name, number, name, &[owner], part(), acme)
}

/// The digest of the manifest in an envelope.
pub(crate) fn digest_of(envelope: &[u8]) -> SuitDigest {
    Envelope::decode(envelope).unwrap().claimed_digest()
}

pub(crate) const ATTEMPTS: &[Attempt] = &[
    attempt(
        "need a neighbour's manifest, so that it can't be removed",
        NO_RIGHT,
        |world| {
            let theirs = release::app("acme/later-removed", 1, b"data", &world.providers.acme);
            world.neighbours_act(|world| world.allowed(&theirs));
            let tried = needs_this(world, &theirs);
            world.neighbours_act(|world| world.unlink(&["acme/later-removed/suit"]));
            tried
        },
    ),
    attempt("need a neighbour's domain", NO_RIGHT, |world| {
        needs_some(world, "security-domain/acme/suit")
    }),
    attempt("need a sub-domain of a neighbour's", NO_RIGHT, |world| {
        needs_some(world, "security-domain/acme/locks/suit")
    }),
    attempt("need what the administrator has", NO_RIGHT, |world| {
        needs_some(world, "system/hello/suit")
    }),
    attempt(
        "need the trust anchors, so that they can't change",
        NO_RIGHT,
        |world| needs_some(world, "trust-anchors/spare/suit"),
    ),
    attempt(
        "need a manifest in the domain within its own prefix",
        NO_RIGHT,
        |world| needs_some(world, "evil/tenant/data/suit"),
    ),
    attempt(
        "need a neighbour's manifest that nobody has yet",
        NO_RIGHT,
        |world| needs_some(world, "acme/later/suit"),
    ),
    attempt(
        "bring an older, genuine release of a neighbour's along",
        NO_RIGHT,
        |world| {
            let genuine = release::app("acme/hello", 2, HELLO_1, &world.providers.acme);
            needs(world, "acme/hello/suit", digest_of(&genuine), Some(genuine))
        },
    ),
    attempt(
        "keep a neighbour's genuine manifest in its own place",
        Refused(Reason::ComponentUnauthorized, "no right"),
        |world| {
            let genuine = release::app("acme/hello", 2, HELLO_1, &world.providers.acme);
            needs(world, "evil/needed", digest_of(&genuine), Some(genuine))
        },
    ),
    attempt(
        "keep a stranger's manifest in its own place",
        Refused(Reason::Unauthorized, "signed by a key that is not trusted"),
        |world| {
            let strange = release::app("evil/needed", 1, HELLO_1, &Person::new());
            needs(
                world,
                "evil/needed/suit",
                digest_of(&strange),
                Some(strange),
            )
        },
    ),
    attempt(
        "have a dependency of its own touch a neighbour's component",
        NO_RIGHT,
        |world| {
            let release = Release::new("acme/hello", 9).kept_at("evil/needed/suit");
            let reaching = release.carrying(HELLO_1).by(&world.evil);
            needs(
                world,
                "evil/needed/suit",
                digest_of(&reaching),
                Some(reaching),
            )
        },
    ),
    attempt(
        "bring another manifest than it says",
        Refused(Reason::ConditionFailed, "it holds another manifest"),
        |world| {
            let one = release::app("evil/needed", 1, HELLO_1, &world.evil);
            let other = release::app("evil/needed", 2, HELLO_2, &world.evil);
            needs(world, "evil/needed/suit", digest_of(&one), Some(other))
        },
    ),
    attempt(
        "need what is not there",
        Refused(Reason::ConditionFailed, "it has not been fetched"),
        |world| needs_some(world, "evil/nothing/suit"),
    ),
    attempt(
        "need itself",
        Refused(Reason::CborParse, "is kept where one of its components is"),
        |world| needs_some(world, "evil/manifest"),
    ),
    attempt(
        "need the sub-domain that it has from a neighbour, so that its key stays",
        Harmless,
        |world| {
            let (first, evil) = (guest(world, 1, &world.evil), world.evil.again());
            let needing = Release::new("acme/guest/x", 1)
                .carrying(b"data")
                .needing(&first);
            world.send(&needing.by(&evil))?;
            // The neighbour takes the key away all the same, and gives it back for what is tried next.
            let second = guest(world, 2, &Person::new());
            let third = guest(world, 3, &evil);
            let late = release::app("acme/guest/y", 1, b"data", &evil);
            world.neighbours_act(|world| {
                world.allowed(&second);
                world.send(&late).unwrap_err();
                world.allowed(&third);
            });
            Ok(())
        },
    ),
];
