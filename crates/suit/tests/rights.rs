//! What those who are believed may do: the rights of trust anchors.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_suit::{
    Action, Authority, Command, Condition, Envelope, Error, NoFetch, Processor, Section,
    SequenceNumber, TrustAnchor, TrustAnchors,
    author::{ComponentBuilder, DependencyBuilder, Draft, ManifestBuilder},
    report::{Reason, ReportResult},
};

/// A manifest at `app/suit` that installs `app/ta` with these commands.
fn installing(commands: Vec<Command<'static>>) -> Draft {
    Draft::new(manifest_of(&["app/ta"], vec![(Section::Install, commands)]))
}

fn manifest_of(
    components: &[&str],
    sections: Vec<(Section, Vec<Command<'static>>)>,
) -> tamarack_suit::Manifest<'static> {
    let common = tamarack_suit::Common {
        components: components.iter().map(|text| id(text)).collect(),
        ..Default::default()
    };
    let mut manifest = tamarack_suit::Manifest::new(SequenceNumber(1), common);
    manifest.component_id = Some(id("app/suit"));
    for (section, commands) in sections {
        let sequence = tamarack_suit::Severable::Inline(sequence(commands));
        manifest.set_section(section, sequence);
    }
    manifest
}

/// Runs an update; what went wrong, and whether anything at all was done.
fn attempt(trusted: &TrustAnchors, envelope: &[u8]) -> Result<(), Error> {
    let crypto = crypto();
    let processor = Processor::new(&crypto, trusted, trusted);
    let mut device = device();
    let mut server = Server::with("coap://x", b"payload");
    let outcome = processor.update_bytes(&mut device, &mut server, envelope);
    if let Err(error) = &outcome.result {
        assert_eq!(device.components().count(), 0, "{error}");
        assert!(server.requests.is_empty(), "{error}");
        let reason = error.reason();
        assert!(matches!(
            outcome.report.result,
            ReportResult::Failure { reason: reported, .. } if reported == reason
        ));
    }
    outcome.result
}

// req: SUIT-ACL-001, SUIT-ACL-004, SUIT-ACL-005, SUIT-ACL-006
#[test]
fn commands_and_parameters_of_each_anchor() {
    let crypto = crypto();
    let author = author(2);
    let fetching = vec![
        set([uri("coap://x"), digest_of(b"payload")]),
        action(Action::Fetch),
        condition(Condition::ImageMatch),
    ];
    let writing = vec![
        set([content(b"payload"), digest_of(b"payload")]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ];
    let signed = |commands: &[Command<'static>]| {
        installing(commands.to_vec())
            .sign(&crypto, &[&*author.signer])
            .unwrap()
    };
    let anchor = || TrustAnchor::new(author.key).with_prefixes([id("app")]);
    let refused = |command: i64| {
        Err(Error::CommandUnauthorized {
            command,
            component: id("app/ta"),
        })
    };
    let everything = anchors([anchor()]);
    assert_eq!(attempt(&everything, &signed(&fetching)), Ok(()));
    assert_eq!(attempt(&everything, &signed(&writing)), Ok(()));
    // Writing, not fetching.
    let writer = anchors([anchor().with_commands([Action::Write.label()])]);
    assert_eq!(attempt(&writer, &signed(&writing)), Ok(()));
    assert_eq!(attempt(&writer, &signed(&fetching)), refused(21));
    assert_eq!(
        refused(21).unwrap_err().reason(),
        Reason::ComponentUnauthorized
    );
    // Nested, or after something that is allowed, or where it is never reached: refused before it begins.
    let nested = [
        [writing.clone(), vec![run(fetching.clone())]].concat(),
        [writing.clone(), vec![run([run(fetching.clone())])]].concat(),
        [
            writing.clone(),
            vec![Command::TryEach {
                alternatives: vec![sequence(writing.clone()), sequence(fetching.clone())],
                or_nothing: true,
            }],
        ]
        .concat(),
        [
            writing.clone(),
            vec![condition(Condition::Abort)],
            fetching.clone(),
        ]
        .concat(),
    ];
    for commands in nested {
        assert_eq!(attempt(&writer, &signed(&commands)), refused(21));
    }
    let elsewhere = manifest_of(
        &["app/ta"],
        vec![
            (Section::Install, writing.clone()),
            (Section::Uninstall, vec![action(Action::Unlink)]),
        ],
    );
    let elsewhere = Draft::new(elsewhere).sign(&crypto, &[&*author.signer]);
    assert_eq!(attempt(&writer, &elsewhere.unwrap()), refused(33));
    // Parameters.
    let sparse = anchor().with_parameters([3, 18]);
    assert_eq!(
        attempt(&anchors([sparse.clone()]), &signed(&writing)),
        Ok(())
    );
    assert_eq!(attempt(&anchors([sparse]), &signed(&fetching)), refused(20));
    // Whatever it may use, not on what is not its own.
    let foreign = anchors([TrustAnchor::new(author.key).with_prefixes([id("other")])]);
    assert_eq!(
        attempt(&foreign, &signed(&writing)),
        Err(Error::ComponentUnauthorized(id("app/suit")))
    );
}

// req: SUIT-ACL-001, SUIT-ACL-004
#[test]
fn rights_do_not_add_up() {
    let crypto = crypto();
    let (one, two) = (author(2), author(4));
    let commands = vec![
        set([content(b"payload"), digest_of(b"payload")]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ];
    let both = installing(commands)
        .sign(&crypto, &[&*one.signer, &*two.signer])
        .unwrap();
    let place = |author: &Author| TrustAnchor::new(author.key).with_prefixes([id("app")]);
    let refused = Err(Error::CommandUnauthorized {
        command: 18,
        component: id("app/ta"),
    });
    // The place is the one's, the command the other's: nobody may write there.
    let split = [
        place(&one).with_commands([]),
        TrustAnchor::new(two.key)
            .with_prefixes([id("other")])
            .with_commands([18]),
    ];
    assert_eq!(attempt(&anchors(split), &both), refused);
    // Nor if one key was given both, in two parts.
    let parts = [
        place(&one).with_commands([]),
        TrustAnchor::new(one.key).with_prefixes([id("other")]),
    ];
    assert_eq!(attempt(&anchors(parts), &both), refused);
    // One who has it whole is enough, until it takes two.
    let whole = [
        place(&one),
        TrustAnchor::new(two.key).with_prefixes([id("other")]),
    ];
    assert_eq!(attempt(&anchors(whole.clone()), &both), Ok(()));
    assert_eq!(
        attempt(&anchors(whole).with_threshold(2), &both),
        Err(Error::ComponentUnauthorized(id("app/suit")))
    );
    let one_writes = [place(&one), place(&two).with_commands([])];
    assert_eq!(
        attempt(&anchors(one_writes).with_threshold(2), &both),
        refused
    );
    let both_write = [place(&one), place(&two).with_commands([18])];
    assert_eq!(
        attempt(&anchors(both_write).with_threshold(2), &both),
        Ok(())
    );
}

// req: SUIT-ACL-002, SUIT-ACL-004, SUIT-ACL-005, SUIT-DEP-007
#[test]
fn dependencies_have_the_rights_of_their_own_signers() {
    let crypto = crypto();
    let (vendor, operator) = (author(2), author(4));
    let application = |author: &Author| ta(author, 1, b"payload");
    let configuration = |ta: &[u8], author: &Author| {
        let dependency = DependencyBuilder::of(&Envelope::decode(ta).unwrap()).unwrap();
        ManifestBuilder::new(SequenceNumber(1))
            .manifest_id(id("provider/config/suit"))
            .component(
                ComponentBuilder::new(id("provider/config/json"))
                    .vendor(common::vendor())
                    .class(class())
                    .content(&crypto, *b"{}"),
            )
            .dependency(dependency.integrated("#ta.suit", ta))
            .build()
            .unwrap()
            .sign(&crypto, &[&*author.signer])
            .unwrap()
    };
    let run = |trusted: &TrustAnchors, envelope: &[u8]| {
        let processor = Processor::new(&crypto, trusted, trusted);
        let mut device = device();
        let outcome = in_transaction(&mut device, |device| {
            processor.update_bytes(device, &mut NoFetch, envelope)
        });
        assert_eq!(outcome.result.is_err(), device.components().count() == 0);
        outcome.result
    };
    let of_vendor = || TrustAnchor::new(vendor.key).with_prefixes([id("provider/app")]);
    let of_operator = || TrustAnchor::new(operator.key).with_prefixes([id("provider/config")]);
    let may_depend = || of_operator().with_dependencies([id("provider/app")]);
    let envelope = configuration(&application(&vendor), &operator);
    let each_own = anchors([of_vendor(), may_depend()]);
    assert_eq!(run(&each_own, &envelope), Ok(()));
    // Without the right to depend on it.
    assert_eq!(
        run(&anchors([of_vendor(), of_operator()]), &envelope),
        Err(Error::ComponentUnauthorized(id("provider/app/suit")))
    );
    // The right to depend on it is none to install it.
    let stolen = configuration(&application(&operator), &operator);
    assert_eq!(
        run(&each_own, &stolen),
        Err(Error::ComponentUnauthorized(id("provider/app/suit")))
    );
    // The dependency's signer lacks a command, which its dependent's signer has.
    let no_fetching = anchors([of_vendor().with_commands([18]), may_depend()]);
    assert_eq!(
        run(&no_fetching, &envelope),
        Err(Error::CommandUnauthorized {
            command: 21,
            component: id("provider/app/ta")
        })
    );
    // And the other way round.
    let no_writing = anchors([of_vendor(), may_depend().with_commands([21])]);
    assert!(matches!(
        run(&no_writing, &envelope),
        Err(Error::CommandUnauthorized { command: 18, .. })
    ));
    // A threshold holds for dependencies as for roots.
    let co_signed = Envelope::decode(&envelope)
        .unwrap()
        .add_signatures(&crypto, &[&*vendor.signer])
        .unwrap();
    let both = [&vendor, &operator].map(|author| TrustAnchor::new(author.key));
    assert_eq!(
        run(&anchors(both).with_threshold(2), &co_signed),
        Err(Error::TooFewSigners {
            needed: 2,
            found: 1
        })
    );
}

// req: SUIT-ENV-015, SUIT-DEP-034
#[test]
fn what_a_mac_installed_is_invoked_and_removed() {
    let crypto = crypto();
    let key = mac_key(1);
    let trusted = anchors([TrustAnchor::new(key.clone()).with_prefixes([id("provider")])]);
    let processor = Processor::new(&crypto, &trusted, &trusted);
    let envelope = ta_draft(1, b"payload").mac(&crypto, &key, None);
    let mut device = device();
    let outcome = processor.update_bytes(&mut device, &mut NoFetch, &envelope);
    assert_eq!(outcome.result, Ok(()));
    let place = id("provider/app/suit");
    let record = tamarack_suit::Device::manifest(&mut device, &place).unwrap();
    let authority = Authority::Mac(key.key_id(&crypto));
    assert_eq!(record.unwrap().signers, [authority]);
    // Not by a device that trusts somebody else.
    let others = anchors([TrustAnchor::new(mac_key(2))]);
    let strange = Processor::new(&crypto, &others, &others);
    let outcome = strange.invoke(&mut device, &mut NoFetch, &place);
    assert!(matches!(
        outcome.result,
        Err(Error::ComponentUnauthorized(_))
    ));
    let outcome = processor.invoke(&mut device, &mut NoFetch, &place);
    assert_eq!(outcome.result, Ok(()));
    let outcome = processor.uninstall(&mut device, &mut NoFetch, &place);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.components().count(), 0);
}

// req: SUIT-ACL-007
#[test]
fn a_distributor_does_not_write_what_the_author_decrypts() {
    let crypto = crypto();
    let (vendor, distributor) = (author(2), author(4));
    let trusted = anchors([
        TrustAnchor::new(vendor.key).with_prefixes([id("provider/app")]),
        TrustAnchor::new(distributor.key).with_prefixes([id("provider/encrypted")]),
    ]);
    // The target is the author's, whoever brings what it is decrypted from.
    let bring = |component: &'static str, suit: &str, author: &Author| {
        ManifestBuilder::new(SequenceNumber(1))
            .manifest_id(id(suit))
            .component(ComponentBuilder::new(id(component)).integrated(&crypto, "#x", b"x"))
            .build()
            .unwrap()
            .sign(&crypto, &[&*author.signer])
            .unwrap()
    };
    let ours = bring(
        "provider/encrypted/ta",
        "provider/encrypted/suit",
        &distributor,
    );
    assert_eq!(attempt(&trusted, &ours), Ok(()));
    let target = bring("provider/app/ta", "provider/encrypted/suit", &distributor);
    assert_eq!(
        attempt(&trusted, &target),
        Err(Error::ComponentUnauthorized(id("provider/app/ta")))
    );
    let target = bring("provider/app/ta", "provider/app/suit", &vendor);
    assert_eq!(attempt(&trusted, &target), Ok(()));
}
