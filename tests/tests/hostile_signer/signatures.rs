//! Signatures that are missing, forged, somebody else's or nobody's any more.

use tamarack_cose::{
    KeyId, MacAlgorithm, MacKey, SymmetricKey, cbor::Writer, sign1, sign1_detached,
};
use tamarack_suit::{Envelope, SuitDigest, author::Draft, report::Reason};
use tamarack_tests::{Person, crypto, id, release, wasm::HELLO_1};

use crate::{
    Attempt, Expected,
    Expected::Refused,
    NO_RIGHT, attempt,
    world::{Tried, World, identified, manifest},
};

/// Nobody whom the device trusts has signed.
const STRANGE: Expected = Refused(Reason::Unauthorized, "signed by a key that is not trusted");

/// A signature that names somebody's key and is not by it.
const FORGED: Expected = Refused(Reason::Unauthorized, "the signature does not verify");

/// What the signer would like to be somebody else's: an update of a neighbour's application.
fn wanted() -> Draft {
    let component = identified(&id("acme/hello")).integrated(&crypto(), "#payload", HELLO_1);
    let draft = manifest(9)
        .manifest_id(id("acme/hello/suit"))
        .component(component);
    draft.build().unwrap()
}

fn digest_of(draft: &Draft) -> Vec<u8> {
    let digest: SuitDigest = draft.digest(&crypto());
    Writer::build(|w| digest.write(w))
}

/// Sends the wanted update with these authentication blocks.
fn with_blocks(world: &mut World, blocks: &[Vec<u8>]) -> Tried {
    let draft = wanted();
    let unsigned = draft.encode_unsigned(&crypto());
    let envelope = Envelope::decode(&unsigned).unwrap();
    let digest = digest_of(&draft);
    let wrapper = Writer::build(|w| {
        w.array(1 + blocks.len()).bytes(&digest);
        for block in blocks {
            w.bytes(block);
        }
    });
    let forged = Writer::build(|w| {
        w.tag(107)
            .map(3)
            .int(2)
            .bytes(&wrapper)
            .int(3)
            .raw(envelope.manifest_item());
        w.text("#payload").bytes(HELLO_1);
    });
    world.send(&forged)
}

/// A block that names the key of `named` and is signed by the hostile signer.
fn naming(world: &World, named: &Person) -> Vec<u8> {
    let key_id = KeyId::of(&named.public(), &crypto());
    sign1_detached(world.evil.signer(), &digest_of(&wanted()), Some(&key_id)).unwrap()
}

fn own(world: &World) -> Vec<u8> {
    naming(world, &world.evil)
}

pub(crate) const ATTEMPTS: &[Attempt] = &[
    attempt(
        "sign nothing",
        Refused(Reason::Unauthorized, "no signature"),
        |world| with_blocks(world, &[]),
    ),
    attempt("sign with a key that nobody knows", STRANGE, |world| {
        let envelope = wanted().sign(&crypto(), &[Person::new().signer()]).unwrap();
        world.send(&envelope)
    }),
    attempt(
        "sign with its own key under a neighbour's key id",
        FORGED,
        |world| {
            let block = naming(world, &world.providers.acme);
            with_blocks(world, &[block])
        },
    ),
    attempt(
        "sign with its own key without a key id",
        NO_RIGHT,
        |world| {
            let block = sign1_detached(world.evil.signer(), &digest_of(&wanted()), None).unwrap();
            with_blocks(world, &[block])
        },
    ),
    attempt(
        "add a forged signature of a neighbour's to its own",
        FORGED,
        |world| {
            let blocks = [own(world), naming(world, &world.providers.acme)];
            with_blocks(world, &blocks)
        },
    ),
    attempt(
        "add a forged signature of the administrator's to its own",
        NO_RIGHT,
        |world| {
            let blocks = [own(world), naming(world, &world.providers.admin)];
            with_blocks(world, &blocks)
        },
    ),
    attempt(
        "add a neighbour's genuine signature of something else to its own",
        FORGED,
        |world| {
            let genuine = release::app("acme/hello", 3, HELLO_1, &world.providers.acme);
            let genuine = Envelope::decode(&genuine).unwrap();
            let block = genuine.authentication_blocks()[0].to_vec();
            let own = own(world);
            with_blocks(world, &[own, block])
        },
    ),
    attempt("add a stranger's signature to its own", NO_RIGHT, |world| {
        let stranger = Person::new();
        let envelope = wanted().sign(&crypto(), &[world.evil.signer(), stranger.signer()]);
        world.send(&envelope.unwrap())
    }),
    attempt(
        "sign five times",
        Refused(Reason::CborParse, "blocks up to the limit"),
        |world| {
            let own = own(world);
            with_blocks(
                world,
                &[own.clone(), own.clone(), own.clone(), own.clone(), own],
            )
        },
    ),
    attempt(
        "make a MAC with a neighbour's public key as the secret",
        STRANGE,
        |world| {
            let public = world.providers.acme.public();
            let key = SymmetricKey::new(public.to_cose_key());
            let key = MacKey::new(MacAlgorithm::Hmac256, key).unwrap();
            let key_id = KeyId::of(&public, &crypto());
            let envelope = wanted().mac(&crypto(), &key, Some(key_id.as_bytes()));
            world.send(&envelope)
        },
    ),
    attempt(
        "sign an attached digest",
        Refused(Reason::CoseUnsupported, "not detached"),
        |world| {
            let digest = digest_of(&wanted());
            let block = sign1(world.evil.signer(), &digest, None).unwrap();
            with_blocks(world, &[block])
        },
    ),
    attempt(
        "sign with a key that the administrator has taken away",
        STRANGE,
        |world| {
            let before = Person::new();
            let domain = |number, owner: &Person| {
                release::domain("evil-before", number, owner, &world.providers.admin)
            };
            let domains = [domain(1, &before), domain(2, &Person::new())];
            world.neighbours_act(|world| world.send_all(&domains).unwrap());
            let late = release::app("evil-before/x", 1, HELLO_1, &before);
            let tried = world.send(&late);
            world.neighbours_act(|world| world.unlink(&["security-domain/evil-before/suit"]));
            tried
        },
    ),
    attempt(
        "sign for a neighbour with the TAM's key",
        STRANGE,
        |world| {
            // As if the two were one.
            let envelope = wanted()
                .sign(&crypto(), &[world.providers.tam.key.signer()])
                .unwrap();
            world.send(&envelope)
        },
    ),
    attempt(
        "sign one manifest and send another",
        Refused(Reason::Unauthorized, "digest in its authentication wrapper"),
        |world| {
            let component = identified(&id("evil/x")).integrated(&crypto(), "#payload", HELLO_1);
            let harmless = manifest(1).component(component).build().unwrap();
            let signed = harmless.sign(&crypto(), &[world.evil.signer()]).unwrap();
            let signed = Envelope::decode(&signed).unwrap();
            let other = wanted().encode_unsigned(&crypto());
            let other = Envelope::decode(&other).unwrap();
            let wrapper = Writer::build(|w| {
                w.array(2).bytes(signed.digest_bytes());
                w.bytes(signed.authentication_blocks()[0]);
            });
            let forged = Writer::build(|w| {
                w.tag(107)
                    .map(2)
                    .int(2)
                    .bytes(&wrapper)
                    .int(3)
                    .raw(other.manifest_item());
            });
            world.send(&forged)
        },
    ),
];
