//! What a neighbour had encrypted for the device, in manifests of the signer's own: it has the envelope, not the key.

use std::borrow::Cow;

use tamarack_cose::{
    cbor::Writer,
    encrypt::{Encrypted, Recipient},
};
use tamarack_suit::{
    Action, Condition, Parameter, Section,
    author::{ComponentBuilder, EncryptedImage, PayloadEncryption},
};
use tamarack_tests::{crypto, id};

use crate::{
    Attempt, Expected, attempt,
    commands::{act, index, set, test},
    failed,
    world::{GREETING, Tried, World, identified, manifest},
};

const OTHER_COMPONENT: Expected = failed("encrypted for another component");

/// A payload for the device, as its author encrypts it.
fn encrypted(world: &World, component: &str, payload: &[u8]) -> (EncryptedImage, Vec<u8>) {
    let keys = world.providers.device.tee.platform().encryption_keys();
    let to = [Recipient::agreement(&keys[0])];
    PayloadEncryption::default()
        .encrypt(&crypto(), Some(&id(component)), &to, payload)
        .unwrap()
}

/// The neighbour's Personalization Data, as anybody reads them who has the envelope.
fn of_the_neighbour(world: &World) -> (Vec<u8>, Vec<u8>) {
    let (image, ciphertext) = encrypted(world, "acme/hello/greeting", GREETING);
    (image.info().to_vec(), ciphertext)
}

/// Has the device write what it decrypts to a component.
fn written(world: &mut World, component: &str, info: Vec<u8>, ciphertext: Vec<u8>) -> Tried {
    let commands = [
        index(0),
        set(Parameter::EncryptionInfo(Cow::Owned(info))),
        set(Parameter::Content(Cow::Owned(ciphertext))),
        act(Action::Write),
        test(Condition::CheckContent),
    ];
    let draft = manifest(1)
        .manifest_id(id(&format!("{component}/manifest")))
        .component(identified(&id(component)))
        .section(Section::Install, commands.into_iter().collect());
    world.signs(&draft.build().unwrap())
}

/// The encryption information with other headers of the content and other recipients, each encoded.
fn rebuilt(protected: &[u8], unprotected: &[u8], recipients: &[&[u8]]) -> Vec<u8> {
    Writer::build(|w| {
        w.tag(96).array(4).bytes(protected).raw(unprotected).null();
        w.array(recipients.len());
        for recipient in recipients {
            w.raw(recipient);
        }
    })
}

/// The one recipient in the encryption information, encoded: the last member.
fn recipient(info: &[u8]) -> &[u8] {
    let count = Encrypted::decode(info).unwrap().recipients().unwrap().len();
    assert_eq!(count, 1);
    // Null for the ciphertext, one recipient, of three members.
    let before = info.windows(3).position(|w| w == [0xf6, 0x81, 0x83]);
    &info[before.unwrap() + 2..]
}

/// AES-GCM with an IV, as headers of the content.
fn gcm() -> [Vec<u8>; 2] {
    let algorithm = Writer::build(|w| {
        w.map(1).int(1).int(1);
    });
    let iv = Writer::build(|w| {
        w.map(1).int(5).bytes(&[0; 12]);
    });
    [algorithm, iv]
}

pub(crate) const ATTEMPTS: &[Attempt] = &[
    attempt(
        "have a neighbour's Personalization Data decrypted into a component of its own",
        OTHER_COMPONENT,
        |world| {
            let (info, ciphertext) = of_the_neighbour(world);
            written(world, "evil/x", info, ciphertext)
        },
    ),
    attempt(
        "fetch a neighbour's ciphertext, and have it decrypted on the way to a component of its own",
        OTHER_COMPONENT,
        |world| {
            let (info, ciphertext) = of_the_neighbour(world);
            let staged = ComponentBuilder::new(id("evil/staged"));
            let draft = manifest(1)
                .component(identified(&id("evil/x")).integrated(&crypto(), "#x", ciphertext))
                .component(staged)
                .section(
                    Section::Install,
                    [
                        index(1),
                        set(Parameter::Uri("#x".into())),
                        act(Action::Fetch),
                        index(0),
                        set(Parameter::SourceComponent(1)),
                        set(Parameter::EncryptionInfo(Cow::Owned(info))),
                        act(Action::Copy),
                        test(Condition::ImageMatch),
                    ]
                    .into_iter()
                    .collect(),
                );
            world.signs(&draft.build().unwrap())
        },
    ),
    attempt(
        "put a component of its own in the place of the neighbour's, under which data are encrypted",
        failed("encrypted for another recipient"),
        |world| {
            let (mut info, ciphertext) = of_the_neighbour(world);
            let own = "evil/hello/greeting";
            let [theirs, other] = ["acme/hello/greeting", own].map(|name| id(name).to_cbor());
            let at = info.windows(theirs.len()).position(|w| w == theirs);
            let at = at.unwrap();
            info.splice(at..at + theirs.len(), other);
            written(world, own, info, ciphertext)
        },
    ),
    attempt(
        "have a neighbour's data decrypted by a cipher that notices no change",
        OTHER_COMPONENT,
        |world| {
            let (info, ciphertext) = of_the_neighbour(world);
            // AES-CTR, with a key of the same length.
            let counter = Writer::build(|w| {
                w.map(2).int(1).int(-65_534).int(5).bytes(&[0; 16]);
            });
            let weaker = rebuilt(&[], &counter, &[recipient(&info)]);
            written(world, "evil/x", weaker, ciphertext)
        },
    ),
    attempt(
        "put a recipient of its own before a neighbour's, whose data it has decrypted",
        failed("does not decrypt"),
        |world| {
            let (info, ciphertext) = of_the_neighbour(world);
            let (own, _) = encrypted(world, "evil/x", b"its own");
            let [algorithm, iv] = gcm();
            let both = rebuilt(&algorithm, &iv, &[recipient(own.info()), recipient(&info)]);
            written(world, "evil/x", both, ciphertext)
        },
    ),
    attempt(
        "have a neighbour's data decrypted in the sub-domain that it has from the neighbour",
        OTHER_COMPONENT,
        |world| {
            let (info, ciphertext) = of_the_neighbour(world);
            written(world, "acme/guest/x", info, ciphertext)
        },
    ),
    attempt(
        "decrypt what it encrypted for a component of its own",
        Expected::Harmless,
        |world| {
            let (image, ciphertext) = encrypted(world, "evil/own", b"its own");
            let component = identified(&id("evil/own")).encrypted_integrated(
                "#own",
                ciphertext,
                id("evil/sealed"),
                image,
            );
            let draft = manifest(1).manifest_id(id("evil/own/manifest"));
            world.signs(&draft.component(component).build().unwrap())
        },
    ),
];
