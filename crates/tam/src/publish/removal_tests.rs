//! What leaves the devices again, and what signers may do in their own domains.

use tamarack_cose::SignatureAlgorithm;
use tamarack_suit::{Limits, SuitDigest};
use tamarack_teep::{Numbering, Update};

use super::{
    DomainError, PublishError, Registration, Removal, WithdrawError, publish_as, register_domain,
    register_domain_as, remove_domain, withdraw,
};
use crate::{
    Actor, Mode, Role, Store, Timestamp, Token,
    testing::{Agent, Provider, World, id, untagged},
};

const NOBODY: Actor = Actor::administrator();

fn signer_of(domains: &[&str]) -> Actor {
    Actor::from(Token {
        name: "build-server".into(),
        role: Role::Signer,
        domains: domains.iter().map(|name| (*name).into()).collect(),
        created_at: Timestamp(0),
    })
}

/// The registration of a domain with a manifest of its own, signed by `anchor`.
fn registration(name: &str, provider: &Provider, anchor: &Provider, number: u64) -> Registration {
    let component = format!("security-domain/{name}");
    let manifest = format!("{component}/suit");
    Registration {
        name: name.into(),
        prefix: id(name),
        manifest: Some(anchor.sign(&manifest, number, &id(&component), name.as_bytes(), &[])),
        anchor: None,
        signers: vec![*provider.key.public_key()],
    }
}

fn register(world: &World, name: &str, provider: &Provider, anchor: &Provider) {
    let registration = Registration {
        anchor: Some(*anchor.key.public_key()),
        ..registration(name, provider, anchor, 1)
    };
    register_domain(&world.tam, &Limits::default(), &registration).unwrap();
}

fn remove(world: &World, name: &str) -> Result<Removal, DomainError> {
    remove_domain(&world.tam, name, &NOBODY)
}

/// A device that holds what the world has published and deployed.
fn settled(world: &World) -> Agent {
    let mut agent = Agent::with("one", SignatureAlgorithm::Esp256, Numbering::Sparse);
    world.enroll(&agent, &[]);
    let update = world.session(&agent).unwrap();
    agent.install(&update);
    world.process(&agent.sign(agent.success(&update)));
    agent
}

fn unlinked(update: &Update) -> Vec<String> {
    let list = update.unneeded_manifest_list.iter();
    list.map(ToString::to_string).collect()
}

#[test]
fn what_is_withdrawn_leaves_the_devices_and_comes_back_when_published_again() {
    let world = World::new();
    let acme = Provider::new("acme");
    world.register(&acme);
    let (first, second) = (
        acme.envelope("lock", 1, b"1"),
        acme.envelope("lock", 2, b"2"),
    );
    world.publish(&first).unwrap();
    world.publish(&second).unwrap();
    world.deploy("all", "acme/lock/ta", Mode::Required);
    let mut agent = settled(&world);
    assert!(
        world
            .session(&agent)
            .is_none_or(|update| update.manifest_list.is_empty())
    );

    withdraw(&world.tam, &id("acme/lock/suit"), &NOBODY).unwrap();
    let update = world.session(&agent).unwrap();
    assert_eq!(unlinked(&update), ["acme/lock/suit"]);
    assert_eq!(update.manifest_list, Vec::<Vec<u8>>::new());
    agent.installed = Some(Vec::new());
    world.process(&agent.sign(agent.success(&update)));
    // The deployment is there still, and brings nothing.
    assert!(
        world
            .session(&agent)
            .is_none_or(|update| update.manifest_list.is_empty())
    );
    let again = withdraw(&world.tam, &id("acme/lock/suit"), &NOBODY).unwrap_err();
    assert!(matches!(again, WithdrawError::Unknown(_)), "{again}");

    // An older release does not come back, the newest does.
    let older = world.publish(&first).unwrap_err();
    assert!(matches!(older, PublishError::NotNewer { .. }), "{older}");
    assert!(world.publish(&second).unwrap().new);
    assert!(!world.publish(&second).unwrap().new);
    let update = world.session(&agent).unwrap();
    assert_eq!(update.manifest_list, [untagged(&second)]);
    let audit = world.audit();
    assert_eq!(
        audit.iter().filter(|action| *action == "withdraw").count(),
        1
    );
}

#[test]
fn what_something_needs_is_not_withdrawn() {
    let world = World::new();
    let acme = Provider::new("acme");
    world.register(&acme);
    let lib = acme.envelope("lib", 1, b"lib");
    world.publish(&lib).unwrap();
    world
        .publish(&acme.manifest("app", 1, b"app", &[&lib]))
        .unwrap();
    let error = withdraw(&world.tam, &id("acme/lib/suit"), &NOBODY).unwrap_err();
    assert!(
        error.to_string().contains("needed by acme/app/suit"),
        "{error}"
    );
    withdraw(&world.tam, &id("acme/app/suit"), &NOBODY).unwrap();
    withdraw(&world.tam, &id("acme/lib/suit"), &NOBODY).unwrap();
}

#[test]
fn a_domain_leaves_the_devices_after_what_is_in_it() {
    let world = World::new();
    let (acme, locks, anchor) = (
        Provider::new("acme"),
        Provider::new("acme/locks"),
        Provider::new("anchor"),
    );
    register(&world, "acme", &acme, &anchor);
    register_domain(
        &world.tam,
        &Limits::default(),
        &registration("acme/locks", &locks, &acme, 1),
    )
    .unwrap();
    for (provider, component) in [(&acme, "acme/app/ta"), (&locks, "acme/locks/app/ta")] {
        world
            .publish(&provider.envelope("app", 1, component.as_bytes()))
            .unwrap();
        world.deploy("all", component, Mode::Required);
    }
    let mut agent = Agent::new("one");
    world.enroll(&agent, &[]);
    let update = world.session(&agent).unwrap();
    // The domain around comes before the one in it, and both before what is in them.
    let place = |manifest: &Vec<u8>| {
        let envelope = tamarack_suit::Envelope::decode(manifest).unwrap();
        envelope
            .unverified_manifest()
            .unwrap()
            .placement()
            .to_string()
    };
    let order: Vec<_> = update.manifest_list.iter().map(place).collect();
    assert_eq!(
        order[..2],
        [
            "security-domain/acme/suit",
            "security-domain/acme/locks/suit"
        ]
    );
    assert_eq!(order.len(), 4);
    agent.install(&update);
    world.process(&agent.sign(agent.success(&update)));
    let _ = world.session(&agent);

    let error = withdraw(&world.tam, &id("security-domain/acme/suit"), &NOBODY).unwrap_err();
    assert!(matches!(error, WithdrawError::OfDomain(_)), "{error}");
    assert!(matches!(
        remove(&world, "acme/locks"),
        Err(DomainError::InUse { manifests: 1, .. })
    ));
    withdraw(&world.tam, &id("acme/app/suit"), &NOBODY).unwrap();
    let error = remove(&world, "acme").unwrap_err();
    assert!(matches!(error, DomainError::HasSubDomain { .. }), "{error}");
    withdraw(&world.tam, &id("acme/locks/app/suit"), &NOBODY).unwrap();
    for name in ["acme/locks", "acme"] {
        assert_eq!(
            remove(&world, name).unwrap(),
            Removal::UnderWay { devices: 1 }
        );
    }
    let error = world.publish(&acme.envelope("new", 1, b"x")).unwrap_err();
    assert!(matches!(error, PublishError::Retired(_)), "{error}");

    let update = world.session(&agent).unwrap();
    assert_eq!(
        unlinked(&update),
        [
            "acme/app/suit",
            "acme/locks/app/suit",
            "security-domain/acme/locks/suit",
            "security-domain/acme/suit"
        ]
    );
    agent.installed = Some(Vec::new());
    world.process(&agent.sign(agent.success(&update)));
    // Whether it did is known once it says so.
    let _ = world.session(&agent);
    assert_eq!(
        remove(&world, "acme").unwrap(),
        Removal::UnderWay { devices: 0 }
    );
    assert_eq!(remove(&world, "acme/locks").unwrap(), Removal::Done);
    assert_eq!(remove(&world, "acme").unwrap(), Removal::Done);
    assert!(world.tam.store().catalog().unwrap().domains().is_empty());
}

#[test]
fn a_domain_that_is_registered_again_stays() {
    let world = World::new();
    let (acme, anchor) = (Provider::new("acme"), Provider::new("anchor"));
    register(&world, "acme", &acme, &anchor);
    world.publish(&acme.envelope("app", 1, b"x")).unwrap();
    world.deploy("all", "acme/app/ta", Mode::Required);
    let agent = settled(&world);
    let _ = world.session(&agent);
    withdraw(&world.tam, &id("acme/app/suit"), &NOBODY).unwrap();
    assert_eq!(
        remove(&world, "acme").unwrap(),
        Removal::UnderWay { devices: 1 }
    );
    world.register(&acme);
    let update = world.session(&agent).unwrap();
    assert_eq!(unlinked(&update), ["acme/app/suit"], "and not the domain");
}

// req: TEEP-TAM-016
#[test]
fn a_signer_publishes_and_withdraws_in_its_own_domains_only() {
    let world = World::new();
    let (acme, globex) = (Provider::new("acme"), Provider::new("globex"));
    world.register(&acme);
    world.register(&globex);
    let as_acme = signer_of(&["acme"]);
    let publish = |envelope: &[u8]| publish_as(&world.tam, &Limits::default(), envelope, &as_acme);
    assert!(publish(&acme.envelope("app", 1, b"x")).unwrap().new);
    // With the right key of another domain, and with the wrong key in its own.
    let error = publish(&globex.envelope("app", 1, b"x")).unwrap_err();
    assert!(matches!(error, PublishError::NotYours(_)), "{error}");
    let foreign = globex.sign("acme/evil/suit", 1, &id("acme/evil"), b"x", &[]);
    let error = publish(&foreign).unwrap_err();
    assert!(
        matches!(error, PublishError::Unauthorized { .. }),
        "{error}"
    );
    world.publish(&globex.envelope("app", 1, b"x")).unwrap();
    let error = withdraw(&world.tam, &id("globex/app/suit"), &as_acme).unwrap_err();
    assert!(matches!(error, WithdrawError::NotYours(_)), "{error}");
    withdraw(&world.tam, &id("acme/app/suit"), &as_acme).unwrap();
    let records = world.tam.store().audit(0, 100).unwrap();
    assert!(
        records
            .last()
            .unwrap()
            .detail
            .contains("by token build-server")
    );
}

#[test]
fn a_signer_divides_its_own_domain_and_no_other() {
    let world = World::new();
    let (acme, globex, locks) = (
        Provider::new("acme"),
        Provider::new("globex"),
        Provider::new("acme/locks"),
    );
    let admin = Provider::new("admin");
    register(&world, "acme", &acme, &admin);
    world.register(&globex);
    let as_acme = signer_of(&["acme"]);
    let register = |registration: &Registration| {
        register_domain_as(&world.tam, &Limits::default(), registration, &as_acme)
    };
    let good = registration("acme/locks", &locks, &acme, 1);
    for (wrong, what) in [
        (
            Registration {
                manifest: None,
                ..registration("acme", &locks, &acme, 2)
            },
            "its own domain's keys",
        ),
        (registration("globex/x", &locks, &globex, 1), "another's"),
        (registration("new", &locks, &acme, 1), "a new one"),
        (
            registration("acme/locks/eu", &locks, &acme, 1),
            "a part of a part",
        ),
    ] {
        let error = register(&wrong).unwrap_err();
        assert!(
            matches!(error, DomainError::NotYours(_) | DomainError::Unknown(_)),
            "{what}: {error}"
        );
    }
    for prefix in ["acme", "globex/x", "acm"] {
        let error = register(&Registration {
            prefix: id(prefix),
            ..good.clone()
        })
        .unwrap_err();
        assert!(
            matches!(error, DomainError::Outside { .. }),
            "{prefix}: {error}"
        );
    }
    let by_admin = Registration {
        anchor: Some(*admin.key.public_key()),
        ..registration("acme/locks", &locks, &admin, 1)
    };
    let error = register(&by_admin).unwrap_err();
    assert!(matches!(error, DomainError::ForeignAnchor), "{error}");
    let stranger = registration("acme/locks", &locks, &locks, 1);
    assert!(matches!(register(&stranger), Err(DomainError::NoAnchor)));
    // The manifest of one domain at the place of another's.
    let misplaced = Registration {
        manifest: Some(acme.sign(
            "security-domain/acme/suit",
            9,
            &id("security-domain/acme/locks"),
            b"x",
            &[],
        )),
        ..good.clone()
    };
    assert!(matches!(
        register(&misplaced),
        Err(DomainError::OtherComponent { .. })
    ));

    assert!(register(&good).unwrap());
    // What is in it is its own signers', not the one's around it.
    let error = world
        .publish(&acme.sign("acme/locks/x/suit", 1, &id("acme/locks/x"), b"x", &[]))
        .unwrap_err();
    assert!(
        matches!(error, PublishError::Unauthorized { .. }),
        "{error}"
    );
    let publish = |actor: &Actor| {
        publish_as(
            &world.tam,
            &Limits::default(),
            &locks.envelope("app", 1, b"x"),
            actor,
        )
    };
    assert!(matches!(publish(&as_acme), Err(PublishError::NotYours(_))));
    publish(&signer_of(&["acme/locks"])).unwrap();
    // A sibling's prefix within another's.
    let inside = Registration {
        prefix: id("acme/locks/x"),
        ..registration("acme/evil", &acme, &acme, 1)
    };
    assert!(matches!(
        register(&inside),
        Err(DomainError::PrefixTaken(_))
    ));
    let error = remove_domain(&world.tam, "acme", &as_acme).unwrap_err();
    assert!(matches!(error, DomainError::NotYours(_)), "{error}");
    withdraw(&world.tam, &id("acme/locks/app/suit"), &NOBODY).unwrap();
    assert_eq!(
        remove_domain(&world.tam, "acme/locks", &as_acme).unwrap(),
        Removal::Done
    );
}

#[test]
fn a_token_goes_with_its_domain_and_is_kept_as_a_hash() {
    let world = World::new();
    world.register(&Provider::new("acme"));
    let token = Token {
        name: "ci".into(),
        role: Role::Signer,
        domains: vec!["acme".into()],
        created_at: Timestamp(5),
    };
    let store = world.tam.store();
    let entry = world.entry(crate::AuditAction::AddToken);
    let hash = *SuitDigest::sha256(&world.crypto, b"secret")
        .bytes()
        .first_chunk()
        .unwrap();
    assert!(store.add_token(&token, &hash, &entry).unwrap());
    assert!(
        !store.add_token(&token, &[1; 32], &entry).unwrap(),
        "one of a name"
    );
    assert_eq!(store.token(&hash).unwrap(), Some(token.clone()));
    assert_eq!(store.token(&[1; 32]).unwrap(), None);
    assert_eq!(store.tokens().unwrap(), [token]);
    assert_eq!(remove(&world, "acme").unwrap(), Removal::Done);
    world.register(&Provider::new("acme"));
    // Whoever has the name now is not whoever had it then.
    assert!(store.token(&hash).unwrap().unwrap().domains.is_empty());
    assert!(store.remove_token("ci", &entry).unwrap());
    assert!(!store.remove_token("ci", &entry).unwrap());
    assert_eq!(store.token(&hash).unwrap(), None);
}
