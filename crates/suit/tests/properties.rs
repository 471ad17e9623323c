//! Properties that hold for any input, and for any manifest that makes sense.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;
mod generator;

use std::sync::LazyLock;

use common::*;
use generator::{any, mutate, valid};
use proptest::{
    collection::vec,
    prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest},
};
use tamarack_suit::{
    Access, ComponentId, Envelope, Limits, Manifest, NoFetch, SuitDigest, author::Draft,
    explain::describe, report::Report,
};

static AUTHOR: LazyLock<Author> = LazyLock::new(|| author(3));

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    // req: SUIT-FMT-001, SUIT-FMT-002
    #[test]
    fn manifests_round_trip(manifest in any::manifest(true)) {
        let encoded = manifest.encode();
        let decoded = Manifest::decode(&encoded, &Limits::default()).unwrap();
        prop_assert_eq!(decoded.encode(), encoded.clone());
        prop_assert_eq!(decoded.clone().into_owned(), decoded.clone());
        let again = decoded.encode();
        let again = Manifest::decode(&again, &Limits::default()).unwrap();
        prop_assert_eq!(&again, &decoded);
        // Every offset is that of the command's label.
        for (_, sequence) in decoded.sections() {
            let sequence = sequence.content().unwrap();
            let encoded = sequence.encode();
            for located in sequence.walk() {
                let at = usize::try_from(located.offset).unwrap();
                let mut reader = tamarack_cose::cbor::Reader::new(&encoded[at..]);
                prop_assert_eq!(reader.int("label").unwrap(), located.command.label());
            }
        }
    }

    // No panic, no end without a report, nothing touched beyond what the signer may, and nothing at all
    // if it names something that it may not.
    // req: SUIT-ACL-004, SUIT-ACL-005
    #[test]
    fn any_manifest_is_processed_or_refused(
        manifest in any::manifest(false), rights in proptest::bool::ANY,
    ) {
        let allowed = |_: &[tamarack_cose::PublicKey], _: Access, component: &ComponentId| {
            rights || component.starts_with(&id("mine"))
        };
        let recipient = Recipient::trusting([AUTHOR.key]).with_access(&allowed);
        let envelope = Draft::new(manifest)
            .with_integrated("#a", b"aaa".as_slice())
            .sign(&crypto(), &[&*AUTHOR.signer])
            .unwrap();
        let mut device = Recorder::new(device());
        device.most_read = 3;
        device.inner.put(&id("mine/b"), b"bb");
        device.inner.put(&id("unrelated"), b"u");
        let mut server = Server::with("coap://x", b"xxxx");
        let (outcome, effects) = device.observe(&mut server, |device, fetch| {
            recipient.update(device, fetch, &envelope)
        });
        prop_assert_eq!(outcome.result.is_ok(), outcome.report.result.is_success());
        let bytes = outcome.report.encode();
        prop_assert_eq!(Report::decode(&bytes).unwrap(), outcome.report);
        if !rights {
            prop_assert!(outcome.result.is_err());
            prop_assert_eq!(&effects, &[]);
        }
        let declared = ["mine/a", "mine/b", "theirs/c", "mine/manifest", "mine/a/suit"].map(id);
        prop_assert!(
            effects.iter().flat_map(Effect::components).all(|id| declared.contains(id))
        );
        prop_assert_eq!(device.inner.content(&id("unrelated")), Some(&b"u"[..]));
        if outcome.result.is_ok() {
            for place in ["mine/manifest", "mine/a/suit"] {
                let _ = recipient.invoke(&mut device, &mut NoFetch, &id(place));
                let _ = recipient.uninstall(&mut device, &mut NoFetch, &id(place));
            }
        }
    }

    // The whole way of a manifest that makes sense: written, signed, decoded, verified, processed, reported.
    // req: SUIT-PROC-007, SUIT-PROC-009, SUIT-PROC-010, SUIT-ENV-001, SUIT-ENV-010, SUIT-SEV-002, SUIT-SEV-004
    // req: SUIT-DEP-019, SUIT-DEP-031
    #[test]
    fn valid_manifests_install(plan in valid::plan()) {
        let built = plan.build();
        let decoded = Envelope::decode(&built.envelope).unwrap();
        prop_assert_eq!(&decoded.encode(), &built.envelope);
        let manifest = decoded.unverified_manifest().unwrap();
        let encoded = manifest.encode();
        prop_assert!(decoded.manifest_item().ends_with(&encoded));
        prop_assert_eq!(&Manifest::decode(&encoded, &Limits::default()).unwrap(), &manifest);

        let recipient = Recipient::trusting(plan.signers().map(|author| author.key));
        let authenticated = recipient.authenticate(&decoded).unwrap();
        prop_assert!(plan.signers().all(|author| authenticated.signers().contains(&author.key)));
        prop_assert_eq!(authenticated.signers().len(), plan.signers().count());

        let mut device = Recorder::new(device());
        device.most_read = 7;
        device.inner.put(&id("unrelated"), b"u");
        let before = Visible::of(&device.inner);
        let mut server = Server::default();
        server.files.extend(built.served.clone());
        let (outcome, effects) = device.observe(&mut server, |device, fetch| {
            recipient.update(device, fetch, &built.envelope)
        });
        prop_assert_eq!(outcome.result, Ok(()));
        prop_assert!(outcome.report.result.is_success());
        prop_assert_eq!(Report::decode(&outcome.report.encode()).unwrap(), outcome.report);
        let expected: Vec<_> = built.expected.iter().map(|(id, _)| id).collect();
        for effect in &effects {
            for id in effect.components() {
                prop_assert!(expected.contains(&id) || built.placements.contains(id));
            }
        }
        for (component, content) in &built.expected {
            prop_assert_eq!(device.inner.content(component), Some(&content[..]));
        }
        let after = Visible::of(&device.inner);
        prop_assert_eq!(after.components.len(), built.expected.len() + 1);

        // The same again changes nothing, and another device ends up the same.
        let (outcome, _) = device.observe(&mut server, |device, fetch| {
            recipient.update(device, fetch, &built.envelope)
        });
        prop_assert_eq!(outcome.result, Ok(()));
        prop_assert_eq!(&Visible::of(&device.inner), &after);

        // What was installed can be removed, all of it.
        let (outcome, _) = device.observe(&mut NoFetch, |device, fetch| {
            recipient.uninstall(device, fetch, &built.placements[0])
        });
        prop_assert_eq!(outcome.result, Ok(()));
        prop_assert_eq!(Visible::of(&device.inner), before);
    }

    // Interrupted at any effect, and done again.
    // req: SUIT-PROC-010, SUIT-PROC-011
    #[test]
    fn interrupted_and_done_again(plan in valid::plan(), at in proptest::sample::select(vec![0, 1, 2, 3, 5, 8, 13])) {
        let built = plan.build();
        let recipient = Recipient::trusting(plan.signers().map(|author| author.key));
        let mut server = Server::default();
        server.files.extend(built.served.clone());
        let mut device = Recorder::new(device());
        let before = Visible::of(&device.inner);
        device.fails_at = Some(at);
        let (outcome, effects) = device.observe(&mut server, |device, fetch| {
            recipient.update(device, fetch, &built.envelope)
        });
        if effects.len() > at + 1 || outcome.result.is_err() {
            prop_assert!(outcome.result.is_err());
            prop_assert_eq!(Visible::of(&device.inner), before);
        }
        device.fails_at = None;
        let (outcome, _) = device.observe(&mut server, |device, fetch| {
            recipient.update(device, fetch, &built.envelope)
        });
        prop_assert_eq!(outcome.result, Ok(()));
        for (component, content) in &built.expected {
            prop_assert_eq!(device.inner.content(component), Some(&content[..]));
        }
    }

    // One command changed: nothing outside of the signer's prefixes, no panic, an end, and a true report.
    // req: SUIT-ACL-004, SUIT-LIM-005
    #[test]
    fn valid_manifests_with_one_change(
        plan in valid::plan(), at in proptest::prelude::any::<proptest::sample::Index>(),
        change in mutate::change(),
    ) {
        let mut draft = plan.manifest();
        mutate::apply(&mut draft.0, at, &change);
        let envelope = draft.1.iter().fold(Draft::new(draft.0), |draft, (key, payload)| {
            draft.with_integrated(key.clone(), payload.clone())
        });
        let signers: Vec<_> = plan.signers().collect();
        let signers: Vec<_> = signers.iter().map(|author| &*author.signer).collect();
        let envelope = envelope.sign(&crypto(), &signers).unwrap();
        let ours = |component: &ComponentId| {
            component.starts_with(&id("mine")) || component.starts_with(&id("dep"))
        };
        let access = |_: &[tamarack_cose::PublicKey], _: Access, component: &ComponentId| ours(component);
        let recipient = Recipient::trusting(plan.signers().map(|author| author.key)).with_access(&access);
        let mut device = Recorder::new(device());
        device.inner.put(&id("theirs/x"), b"theirs");
        let before = Visible::of(&device.inner);
        let mut server = Server::default();
        server.files.extend(plan.build().served);
        let (outcome, effects) = device.observe(&mut server, |device, fetch| {
            recipient.update(device, fetch, &envelope)
        });
        prop_assert_eq!(outcome.result.is_ok(), outcome.report.result.is_success());
        prop_assert_eq!(Report::decode(&outcome.report.encode()).unwrap(), outcome.report);
        prop_assert!(effects.iter().flat_map(Effect::components).all(ours));
        prop_assert!(effects.len() < 10_000);
        prop_assert_eq!(device.inner.content(&id("theirs/x")), Some(&b"theirs"[..]));
        if outcome.result.is_err() {
            prop_assert_eq!(Visible::of(&device.inner), before);
        } else {
            // Whatever else it did, what a manifest promised a digest for has it.
            prop_assert!(Visible::of(&device.inner).manifests.len() <= 2);
        }
        match change {
            // How a command reports is nothing to how it ends.
            mutate::Change::Policy(_) => prop_assert_eq!(outcome.result, Ok(())),
            mutate::Change::ForeignComponent => {
                prop_assert!(outcome.result.is_err());
                prop_assert_eq!(effects, []);
            }
            _ => {}
        }
    }

    #[test]
    fn decoders_never_panic(bytes in vec(proptest::num::u8::ANY, 0..200)) {
        if let Ok(envelope) = Envelope::decode(&bytes) {
            let _ = describe(&envelope, Some(&crypto())).to_string();
        }
        let _ = Manifest::decode(&bytes, &Limits::default());
        let _ = Report::decode(&bytes);
        let _ = tamarack_suit::Text::decode(&bytes, &Limits::default());
    }

    #[test]
    fn decoders_of_almost_good_input_never_panic(
        manifest in any::manifest(true), changes in vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::num::u8::ANY), 1..4),
    ) {
        let mut bytes = manifest.encode();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(decoded) = Manifest::decode(&bytes, &Limits::default()) {
            let encoded = decoded.encode();
            prop_assert_eq!(Manifest::decode(&encoded, &Limits::default()).unwrap().encode(), encoded);
        }
        // Under a good signature too.
        let envelope = sign_raw(&AUTHOR, &bytes);
        let decoded = Envelope::decode(&envelope).unwrap();
        let _ = describe(&decoded, None).to_string();
        prop_assert_eq!(decoded.encode(), envelope.clone());
        let _ = update(&mut device(), &AUTHOR, &envelope);
    }

    #[test]
    fn digests_compare(one in vec(proptest::num::u8::ANY, 0..40), other in vec(proptest::num::u8::ANY, 0..40)) {
        let digest = |data: &[u8]| SuitDigest::sha256(&crypto(), data);
        prop_assert_eq!(digest(&one) == digest(&other), one == other);
        prop_assert!(digest(&one).matches(&crypto(), &one).unwrap());
    }
}
