//! Components that are somebody else's, and identifiers that look like theirs.

use tamarack_cose::cbor::Writer;
use tamarack_suit::{ComponentId, report::Reason};
use tamarack_tests::{
    id, release,
    release::Release,
    wasm::{HELLO_1, SIGN, VAULT},
};

use crate::{
    Attempt,
    Expected::{Harmless, Refused},
    NO_RIGHT, attempt,
    world::{Tried, World, part},
};

/// A manifest that lists one component, whose identifier is encoded as `write` says.
fn oddly_encoded(world: &mut World, write: impl FnOnce(&mut Writer)) -> Tried {
    let common = Writer::build(|w| {
        w.map(1).int(2).array(1);
        write(w);
    });
    let manifest = Writer::build(|w| {
        w.map(3).int(1).uint(1).int(2).uint(1).int(3).bytes(&common);
    });
    world.signs_bytes(&manifest)
}

pub(crate) const ATTEMPTS: &[Attempt] = &[
    attempt(
        "install over a neighbour's application",
        NO_RIGHT,
        |world| world.installs("acme/vault"),
    ),
    attempt(
        "install an application below a neighbour's prefix",
        NO_RIGHT,
        |world| world.installs("acme/new"),
    ),
    attempt(
        "install at a neighbour's prefix itself",
        NO_RIGHT,
        |world| world.installs("acme"),
    ),
    attempt(
        "install above all prefixes, at the empty identifier",
        Refused(Reason::ComponentUnsupported, "is not supported"),
        |world| world.installs_id(&ComponentId::default()),
    ),
    attempt(
        "install over what the device administrator has",
        NO_RIGHT,
        |world| world.installs("system/hello"),
    ),
    attempt("install where nobody owns anything", NO_RIGHT, |world| {
        world.installs("nobody/hello")
    }),
    attempt(
        "install in the sub-domain of a neighbour",
        NO_RIGHT,
        |world| world.installs("acme/locks/new"),
    ),
    attempt(
        "install in a domain that was made within its own prefix",
        NO_RIGHT,
        |world| world.installs("evil/tenant/new"),
    ),
    attempt(
        "install, as a guest in a sub-domain, in the domain around it",
        NO_RIGHT,
        |world| {
            let release = Release::new("acme/hello", 9).kept_at("acme/guest/manifest");
            let envelope = release.carrying(HELLO_1).by(&world.evil);
            world.send(&envelope)
        },
    ),
    attempt(
        "install, as a guest in a sub-domain, in the sub-domain beside it",
        NO_RIGHT,
        |world| {
            let release = Release::new("acme/locks/front", 9).kept_at("acme/guest/manifest");
            let envelope = release.carrying(HELLO_1).by(&world.evil);
            world.send(&envelope)
        },
    ),
    attempt(
        "add Personalization Data to a neighbour's application",
        NO_RIGHT,
        |world| world.installs("acme/hello/motd"),
    ),
    attempt(
        "replace the Personalization Data of a neighbour's application",
        NO_RIGHT,
        |world| world.installs("acme/hello/greeting"),
    ),
    attempt(
        "install something of a neighbour's beside something of its own",
        NO_RIGHT,
        |world| {
            let release = Release::new("evil/x", 1)
                .carrying(HELLO_1)
                .and_carrying("acme/x", b"data");
            let envelope = release.by(&world.evil);
            world.send(&envelope)
        },
    ),
    attempt(
        "write a neighbour's path as one segment",
        NO_RIGHT,
        |world| world.installs("acme%2fvault"),
    ),
    attempt(
        "split the segments of a neighbour's path elsewhere",
        NO_RIGHT,
        |world| world.installs("ac/me/vault"),
    ),
    attempt(
        "put an empty segment before a neighbour's path",
        NO_RIGHT,
        |world| world.installs("0x/acme/vault"),
    ),
    attempt(
        "put an empty segment into a neighbour's path",
        NO_RIGHT,
        |world| world.installs("acme/0x/vault"),
    ),
    attempt("end a neighbour's name with a NUL", NO_RIGHT, |world| {
        world.installs("acme%00/vault")
    }),
    attempt(
        "write a neighbour's name with letters that look the same",
        NO_RIGHT,
        |world| world.installs("аcme/vault"),
    ),
    attempt("write a neighbour's name in capitals", NO_RIGHT, |world| {
        world.installs("ACME/vault")
    }),
    attempt("climb out of its own prefix with dots", Harmless, |world| {
        // Segments are names, and nothing climbs.
        world.installs_id_as(&id("evil/../acme/vault"), "evil/dots")
    }),
    attempt(
        "write the length of a segment longer than needed",
        NO_RIGHT,
        |world| {
            oddly_encoded(world, |w| {
                w.array(2).raw(b"\x58\x04acme").bytes(b"vault");
            })
        },
    ),
    attempt(
        "write a segment in pieces of indefinite length",
        Refused(Reason::CborParse, "indefinite length is not accepted"),
        |world| {
            oddly_encoded(world, |w| {
                w.array(2).raw(b"\x5f\x42ac\x42me\xff").bytes(b"vault");
            })
        },
    ),
    attempt(
        "write a segment as text",
        Refused(Reason::CborParse, "expected a byte string"),
        |world| {
            oddly_encoded(world, |w| {
                w.array(2).text("acme").bytes(b"vault");
            })
        },
    ),
    attempt(
        "write an identifier of more segments than there can be",
        Refused(Reason::CborParse, "32 segments"),
        |world| {
            oddly_encoded(world, |w| {
                w.array(40);
                for _ in 0..40 {
                    w.bytes(b"evil");
                }
            })
        },
    ),
    attempt(
        "write an identifier as long as there can be",
        Harmless,
        |world| {
            let long = id("evil").joined(&[b'x'; 1000]).unwrap();
            world.installs_id_as(&long, "evil/long")
        },
    ),
    attempt(
        "install the code of a neighbour's application, and read what that has stored",
        Harmless,
        |world| {
            let neighbours = world.vault("acme/vault");
            let envelope = release::app("evil/vault", 1, VAULT, &world.evil);
            world.send(&envelope)?;
            let (count, key) = world.vault("evil/vault");
            assert_eq!(count, 0);
            assert_ne!(key, neighbours.1);
            let _ = world.providers.device.output("evil/vault", SIGN, b"x");
            Ok(())
        },
    ),
    attempt(
        "take over the identifier of an application whose domain was removed",
        NO_RIGHT,
        |world| world.installs("initech/vault"),
    ),
    attempt(
        "make a sub-domain that is called like a removed domain, and read what that left",
        Harmless,
        |world| {
            world.sub_domain("evil/initech", |domain| domain.quota = part())?;
            let envelope = release::app("evil/initech/vault", 1, VAULT, &world.evil);
            world.send(&envelope)?;
            assert_eq!(world.vault("evil/initech/vault").0, 0);
            world.unlink(&[
                "evil/initech/vault/suit",
                "security-domain/evil/initech/suit",
            ]);
            Ok(())
        },
    ),
    attempt(
        "give a sub-domain away, remove it and read what its owner stored",
        Harmless,
        |world| {
            let customer = tamarack_tests::Person::new();
            let sub = |number, owner| {
                let name = "evil/customer";
                release::domain_with(name, number, name, &[owner], part(), &world.evil)
            };
            let (first, second) = (sub(1, &customer), sub(2, &world.evil));
            let theirs = release::app("evil/customer/vault", 1, VAULT, &customer);
            let mine = release::app("evil/customer/vault", 2, VAULT, &world.evil);
            world.send_all(&[first, theirs])?;
            let _ = world
                .providers
                .device
                .output("evil/customer/vault", SIGN, b"x");
            let (_, key) = world.vault("evil/customer/vault");
            let manifests = [
                "evil/customer/vault/suit",
                "security-domain/evil/customer/suit",
            ];
            world.unlink(&manifests);
            world.send_all(&[second, mine])?;
            let (count, other) = world.vault("evil/customer/vault");
            assert_eq!(count, 0);
            assert_ne!(other, key);
            Ok(())
        },
    ),
];
