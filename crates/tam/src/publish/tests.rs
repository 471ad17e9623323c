use tamarack_suit::{
    Envelope, Limits, SequenceNumber, SuitDigest, Uuid, VendorId,
    author::{ComponentBuilder, ManifestBuilder},
};

use super::{
    DomainError, PublishError, Registration, Removal, publish, register_domain, remove_domain,
};
use crate::{
    Actor, Mode, Store,
    catalog::ComponentImage,
    testing::{Agent, Provider, World, id, untagged},
};

fn register(world: &World, registration: &Registration) -> Result<bool, DomainError> {
    register_domain(&world.tam, &Limits::default(), registration)
}

/// A provider whose domain has a manifest of its own, signed by an anchor.
fn with_manifest(provider: &Provider, anchor: &Provider, number: u64) -> Registration {
    let component = id("security-domain")
        .joined(provider.name.as_bytes())
        .unwrap();
    let envelope = anchor.sign(
        &format!("security-domain/{}/suit", provider.name),
        number,
        &component,
        b"descriptor",
        &[],
    );
    Registration {
        anchor: Some(*anchor.key.public_key()),
        manifest: Some(envelope),
        ..provider.registration()
    }
}

// req: TEEP-TAM-016
#[test]
fn a_domain_signers_manifest_is_published_once() {
    let world = World::new();
    let acme = Provider::new("acme");
    world.register(&acme);
    let envelope = acme.envelope("lock", 1, b"first");
    assert!(world.publish(&envelope).unwrap().new);
    let before = world.dump();
    assert!(!world.publish(&envelope).unwrap().new, "the same bytes");
    assert_eq!(world.dump(), before);

    let again = world
        .publish(&acme.envelope("lock", 1, b"other"))
        .unwrap_err();
    assert!(
        matches!(
            again,
            PublishError::NotNewer {
                offered: 1,
                published: 1,
                ..
            }
        ),
        "{again}"
    );
    assert!(
        world
            .publish(&acme.envelope("lock", 3, b"third"))
            .unwrap()
            .new
    );
    let older = world
        .publish(&acme.envelope("lock", 2, b"second"))
        .unwrap_err();
    assert!(
        matches!(
            older,
            PublishError::NotNewer {
                offered: 2,
                published: 3,
                ..
            }
        ),
        "{older}"
    );
    let oldest = world.publish(&envelope).unwrap_err();
    assert!(
        matches!(oldest, PublishError::NotNewer { offered: 1, .. }),
        "{oldest}"
    );
    let catalog = world.tam.store().catalog().unwrap();
    assert_eq!(catalog.newest().count(), 1);
    assert_eq!(catalog.newest().next().unwrap().sequence_number, 3);
}

// req: TEEP-TAM-016
#[test]
fn nobody_publishes_under_anothers_prefix() {
    let world = World::new();
    let (acme, evil) = (Provider::new("acme"), Provider::new("evil"));
    world.register(&acme);
    world.register(&evil);
    // A signer of one domain with components of another.
    let mut posing = evil.clone();
    posing.name = "acme".into();
    let error = world
        .publish(&posing.envelope("lock", 1, b"x"))
        .unwrap_err();
    let PublishError::Unauthorized {
        domain, foreign, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (domain.as_str(), foreign.as_deref()),
        ("acme", Some("evil"))
    );
    assert!(
        error.to_string().contains("a key of \"evil\" did"),
        "{error}"
    );
    // Its own manifest id, another's component; and the other way round.
    let component = id("acme/lock/ta");
    let error = world
        .publish(&evil.sign("evil/suit", 1, &component, b"x", &[]))
        .unwrap_err();
    assert!(
        matches!(error, PublishError::SeveralDomains { .. }),
        "{error}"
    );
    let error = world
        .publish(&evil.sign("acme/suit", 1, &id("evil/ta"), b"x", &[]))
        .unwrap_err();
    assert!(
        matches!(error, PublishError::SeveralDomains { .. }),
        "{error}"
    );
    // Nobody's, and a security domain itself.
    let error = world
        .publish(&evil.sign("evil/suit", 1, &id("evi/ta"), b"x", &[]))
        .unwrap_err();
    assert!(matches!(error, PublishError::Unowned(_)), "{error}");
    let domain = id("security-domain/acme");
    let error = world
        .publish(&evil.sign("evil/suit", 1, &domain, b"x", &[]))
        .unwrap_err();
    assert!(matches!(error, PublishError::Reserved(_)), "{error}");
    assert_eq!(world.tam.store().catalog().unwrap().manifests(), []);
}

#[test]
fn the_longest_prefix_owns() {
    let world = World::new();
    let everybody = Provider::new("");
    let inner = Provider::new("acme/inner");
    let rest = Registration {
        name: "rest".into(),
        ..everybody.registration()
    };
    register(&world, &rest).unwrap();
    register(
        &world,
        &Registration {
            name: "inner".into(),
            ..inner.registration()
        },
    )
    .unwrap();
    let envelope = |provider: &Provider, prefix: &str| {
        let mut provider = provider.clone();
        provider.name = prefix.into();
        provider.envelope("lock", 1, b"x")
    };
    world.publish(&envelope(&everybody, "acme")).unwrap();
    world.publish(&envelope(&inner, "acme/inner")).unwrap();
    let error = world
        .publish(&envelope(&everybody, "acme/inner/deep"))
        .unwrap_err();
    assert!(
        matches!(error, PublishError::Unauthorized { .. }),
        "{error}"
    );
}

#[test]
fn tampered_and_oversized_envelopes_are_refused() {
    let world = World::new();
    let acme = Provider::new("acme");
    world.register(&acme);
    let envelope = acme.envelope("lock", 1, b"first");
    for length in 0..envelope.len() {
        assert!(world.publish(&envelope[..length]).is_err(), "{length}");
    }
    let manifest = Envelope::decode(&envelope)
        .unwrap()
        .manifest_item()
        .to_vec();
    let start = envelope
        .windows(manifest.len())
        .position(|found| found == manifest)
        .unwrap();
    for position in start..start + manifest.len() {
        let mut flipped = envelope.clone();
        flipped[position] ^= 1;
        assert!(world.publish(&flipped).is_err(), "{position}");
    }
    let limits = Limits {
        envelope_bytes: 10,
        ..Limits::default()
    };
    let store = world.tam.store();
    let error = publish(&world.tam, &limits, &envelope).unwrap_err();
    assert!(matches!(error, PublishError::TooLarge { limit: 10, .. }));
    assert_eq!(store.catalog().unwrap().manifests(), []);
}

#[test]
fn one_component_has_one_manifest() {
    let world = World::new();
    let acme = Provider::new("acme");
    world.register(&acme);
    world.publish(&acme.envelope("lock", 1, b"first")).unwrap();
    let component = id("acme/lock/ta");
    let error = world
        .publish(&acme.sign("acme/other", 1, &component, b"x", &[]))
        .unwrap_err();
    assert!(
        matches!(error, PublishError::ComponentTaken { .. }),
        "{error}"
    );
}

#[test]
fn a_domains_own_manifest_is_verified_with_its_anchor() {
    let world = World::new();
    let (acme, anchor, stranger) = (
        Provider::new("acme"),
        Provider::new("anchor"),
        Provider::new("stranger"),
    );
    let good = with_manifest(&acme, &anchor, 1);
    let manifest = with_manifest(&acme, &stranger, 1).manifest;
    let error = register(
        &world,
        &Registration {
            manifest,
            ..good.clone()
        },
    )
    .unwrap_err();
    assert!(matches!(error, DomainError::Unauthorized(_)), "{error}");
    let error = register(
        &world,
        &Registration {
            anchor: None,
            ..good.clone()
        },
    )
    .unwrap_err();
    assert!(matches!(error, DomainError::NoAnchor), "{error}");
    let manifest = with_manifest(&Provider::new("other"), &anchor, 1).manifest;
    let error = register(
        &world,
        &Registration {
            manifest,
            ..good.clone()
        },
    )
    .unwrap_err();
    assert!(
        matches!(error, DomainError::OtherComponent { .. }),
        "{error}"
    );

    assert!(register(&world, &good).unwrap());
    assert!(!register(&world, &good).unwrap(), "again");
    let newer = with_manifest(&acme, &anchor, 2);
    assert!(!register(&world, &newer).unwrap());
    let error = register(&world, &good).unwrap_err();
    assert!(
        matches!(error, DomainError::Manifest(PublishError::NotNewer { .. })),
        "{error}"
    );
    let other_anchor = Some(*stranger.key.public_key());
    let moved = Registration {
        anchor: other_anchor,
        manifest: None,
        ..good.clone()
    };
    let error = register(&world, &moved).unwrap_err();
    assert!(
        matches!(error, DomainError::AnchorWithoutManifest),
        "{error}"
    );
    // Without either, what is known stays.
    assert!(!register(&world, &acme.registration()).unwrap());
    let catalog = world.tam.store().catalog().unwrap();
    assert_eq!(catalog.domain_manifest("acme").unwrap().sequence_number, 2);
}

#[test]
fn a_device_gets_the_domain_before_its_component() {
    let agent = Agent::new("one");
    let world = World::new();
    world.enroll(&agent, &[]);
    let (acme, anchor) = (Provider::new("acme"), Provider::new("anchor"));
    let registration = with_manifest(&acme, &anchor, 1);
    register(&world, &registration).unwrap();
    let envelope = acme.envelope("lock", 1, b"first");
    world.publish(&envelope).unwrap();
    world.deploy("all", "acme/lock/ta", Mode::Required);
    let update = world.session(&agent).unwrap();
    assert_eq!(
        update.manifest_list,
        [&registration.manifest.unwrap(), &envelope].map(|tagged| untagged(tagged))
    );
}

#[test]
fn domains_that_are_none_or_clash_are_refused() {
    let world = World::new();
    let acme = Provider::new("acme");
    world.register(&acme);
    world.publish(&acme.envelope("lock", 1, b"first")).unwrap();
    let other = Provider::new("other").registration();
    let refused = |registration: &Registration| register(&world, registration).unwrap_err();
    for name in [
        "",
        "a//b",
        "a/b/c/d/e",
        "suit",
        "a b",
        "a\n",
        &"x".repeat(65),
    ] {
        let error = refused(&Registration {
            name: name.into(),
            ..other.clone()
        });
        assert!(matches!(error, DomainError::Name(_)), "{error}");
    }
    let error = refused(&Registration {
        signers: vec![],
        ..other.clone()
    });
    assert!(matches!(error, DomainError::Signers), "{error}");
    let error = refused(&Registration {
        prefix: id("acme"),
        ..other.clone()
    });
    assert!(matches!(error, DomainError::PrefixTaken(_)), "{error}");
    let error = refused(&Registration {
        prefix: id("acme/lock"),
        ..other.clone()
    });
    assert!(matches!(error, DomainError::WouldMove { .. }), "{error}");
    let error = refused(&Registration {
        prefix: id("security-domain/x"),
        ..other
    });
    assert!(matches!(error, DomainError::Reserved(_)), "{error}");
    let error = refused(&Registration {
        prefix: id("elsewhere"),
        ..acme.registration()
    });
    assert!(matches!(error, DomainError::WouldMove { .. }), "{error}");
}

#[test]
fn a_domain_in_use_is_not_removed() {
    let world = World::new();
    let (acme, empty) = (Provider::new("acme"), Provider::new("empty"));
    world.register(&acme);
    register(&world, &with_manifest(&empty, &Provider::new("anchor"), 1)).unwrap();
    world.publish(&acme.envelope("lock", 1, b"first")).unwrap();
    let remove = |name| remove_domain(&world.tam, name, &Actor::administrator());
    assert!(matches!(
        remove("acme"),
        Err(DomainError::InUse { manifests: 1, .. })
    ));
    assert!(matches!(remove("nobody"), Err(DomainError::Unknown(_))));
    assert_eq!(remove("empty").unwrap(), Removal::Done);
    assert_eq!(world.tam.store().catalog().unwrap().domains().len(), 1);
}

#[test]
fn an_envelope_that_fits_into_no_update_is_refused_with_advice() {
    let world = World::new();
    let acme = Provider::new("acme");
    world.register(&acme);
    let most = world.tam.settings().update_bytes;
    let error = world
        .publish(&acme.envelope("lock", 1, &vec![7; most]))
        .unwrap_err();
    assert!(matches!(error, PublishError::Undeliverable { limit, .. } if limit == most));
    assert!(error.to_string().contains("--uri"), "{error}");
    let fits = acme.envelope("lock", 1, &vec![7; most - 1024]);
    assert!(world.publish(&fits).unwrap().new);
}

#[test]
fn images_for_several_slots_are_published_with_the_digest_of_each() {
    let world = World::new();
    let acme = Provider::new("acme");
    world.register(&acme);
    let image = |slot, payload: &[u8]| {
        let component = ComponentBuilder::new(id("acme/hub"));
        let key = format!("#{slot}");
        component.integrated(&world.crypto, key, payload).slot(slot)
    };
    let draft = ManifestBuilder::new(SequenceNumber(1))
        .component(image(0, b"for slot 0").or(image(1, b"for slot 1")))
        .component(ComponentBuilder::new(id("acme/config")).content(&world.crypto, b"x"))
        .build()
        .unwrap();
    let signer = world.crypto.signatures.signer(&acme.key).unwrap();
    let envelope = draft.sign(&world.crypto, &[&*signer]).unwrap();
    assert!(world.publish(untagged(&envelope)).unwrap().new);
    let catalog = world.tam.store().catalog().unwrap();
    let images = &catalog.newest().next().unwrap().components;
    let digest = |content: &[u8]| SuitDigest::sha256(&world.crypto, content);
    let expected = [
        (
            id("acme/hub"),
            vec![digest(b"for slot 0"), digest(b"for slot 1")],
        ),
        (id("acme/config"), vec![digest(b"x")]),
    ]
    .map(|(component, digests)| ComponentImage { component, digests });
    assert_eq!(*images, expected);
}

#[test]
fn what_a_manifest_asks_of_vendor_and_class_is_kept() {
    let world = World::new();
    let acme = Provider::new("acme");
    world.register(&acme);
    let (vendor, class) = (Uuid([1; 16]), Uuid([2; 16]));
    let pen = VendorId::Pen(vec![1, 2].into());
    let both: &dyn Fn(ComponentBuilder) -> ComponentBuilder = &|c| c.vendor(vendor).class(class);
    let number: &dyn Fn(ComponentBuilder) -> ComponentBuilder =
        &|c| c.vendor(pen.clone()).class(class);
    let neither: &dyn Fn(ComponentBuilder) -> ComponentBuilder = &|c| c;
    let cases = [
        ("a", both, vec![vendor.0], vec![class.0]),
        // A vendor that an endorsement can't list is for the device to judge.
        ("b", number, vec![], vec![class.0]),
        ("c", neither, vec![], vec![]),
    ];
    for (name, ask, vendor_ids, class_ids) in cases {
        let component = ComponentBuilder::new(id(&format!("acme/{name}/ta")));
        let draft = ManifestBuilder::new(SequenceNumber(1))
            .manifest_id(id(&format!("acme/{name}/suit")))
            .component(ask(component).integrated(&world.crypto, "#ta", b"x"))
            .build()
            .unwrap();
        let signer = world.crypto.signatures.signer(&acme.key).unwrap();
        world
            .publish(&draft.sign(&world.crypto, &[&*signer]).unwrap())
            .unwrap();
        let catalog = world.tam.store().catalog().unwrap();
        let manifest = catalog.newest_of(&id(&format!("acme/{name}/suit")));
        let manifest = manifest.unwrap();
        assert_eq!(manifest.vendor_ids, vendor_ids, "{name}");
        assert_eq!(manifest.class_ids, class_ids, "{name}");
    }
}
