//! Security domains in security domains: who makes them, what they get, and what their parents can't do.

use tamarack_agent::{Quota, SecurityDomain, Service};
use tamarack_tests::{
    Person, Providers, id, release,
    release::Release,
    wasm::{HELLO_1, HELLO_2, VAULT},
};

/// A quota that leaves most of the parent's.
fn part() -> Quota {
    Quota {
        bytes: 1 << 20,
        applications: 2,
        objects: 100,
        sessions: 4,
        ..Quota::default()
    }
}

fn locks(number: u64, owner: &Person, signer: &Person) -> Vec<u8> {
    release::domain_with("acme/locks", number, "acme/locks", &[owner], part(), signer)
}

/// Providers, and the owner of the sub-domain `acme/locks` that acme made.
fn with_locks() -> (Providers, Person) {
    let mut world = Providers::new();
    let owner = Person::new();
    world.install(&locks(1, &owner, &world.acme));
    (world, owner)
}

#[test]
fn an_owner_makes_changes_and_removes_a_sub_domain() {
    let (mut world, owner) = with_locks();
    world.install(&release::app("acme/locks/front", 1, HELLO_1, &owner));
    assert_eq!(
        world.device.greeting("acme/locks/front"),
        "Hello from inside the TEE, Ada!"
    );
    let kept = world.device.installed();
    let domain = |component: &str| {
        let mut kept = kept.iter().filter(|c| c.component == id(component));
        kept.next().unwrap().domain.clone()
    };
    assert_eq!(domain("acme/locks/front"), "acme/locks");
    assert_eq!(domain("security-domain/acme/locks"), "acme");

    let successor = Person::new();
    world.install(&locks(2, &successor, &world.acme));
    world.refuses(&release::app("acme/locks/front", 2, HELLO_2, &owner));
    world.install(&release::app("acme/locks/front", 2, HELLO_2, &successor));

    // With something in it, neither it nor the domain around it goes.
    for (domain, why) in [
        (
            "security-domain/acme/locks/suit",
            "still holds components: acme/locks/front",
        ),
        ("security-domain/acme/suit", "sub-domain acme/locks"),
    ] {
        let text = world.refuses_unlink(domain);
        assert!(text.contains(why), "{text}");
    }
    // All at once, in whatever order, what is inside goes first.
    world.device.unlink(
        &world.tam,
        &[
            "security-domain/acme/suit",
            "security-domain/acme/locks/suit",
            "acme/locks/front/suit",
        ],
    );
    assert_eq!(world.domain("acme/locks"), None);
    assert_eq!(world.domain("acme"), None);
}

#[test]
fn nobody_makes_a_sub_domain_in_a_domain_of_somebody_elses() {
    let (mut world, owner) = with_locks();
    let stranger = Person::new();
    for signer in [
        &world.globex.again(),
        &stranger,
        &world.tam.key.again(),
        &owner,
    ] {
        // Neither a new one nor new keys for the one that is there.
        let new = release::domain_with("acme/new", 1, "acme/new", &[signer], part(), signer);
        let reason = world.refuses(&new);
        assert!(!reason.is_empty());
        world.refuses(&locks(2, signer, signer));
    }
    // The owner of the inner one has no say about the outer one, nor has the outer one's about itself.
    for signer in [&owner, &world.acme.again()] {
        world.refuses(&release::domain("acme", 2, signer, signer));
        let top = release::domain_with("top", 1, "top", &[signer], part(), signer);
        world.refuses(&top);
    }
    // In none, a sub-domain is nobody's: the administrator makes the domain first.
    let orphan = release::domain_with("none/x", 1, "none/x", &[&owner], part(), &world.admin);
    let reason = world.refuses(&orphan);
    assert!(
        reason.contains("there is no security domain none"),
        "{reason}"
    );
}

#[test]
fn the_parent_can_not_touch_what_its_sub_domain_owns() {
    let (mut world, owner) = with_locks();
    world.install(&release::app("acme/locks/vault", 1, VAULT, &owner));
    let acme = world.acme.again();
    let attempts = [
        release::app("acme/locks/vault", 2, HELLO_1, &acme),
        release::app("acme/locks/other", 1, HELLO_1, &acme),
        release::app("acme/locks/vault/key", 1, b"x", &acme),
        Release::new("acme/locks/vault", 2)
            .kept_at("acme/x")
            .carrying(HELLO_1)
            .by(&acme),
        Release::new("acme/x", 2)
            .kept_at("acme/locks/vault/suit")
            .carrying(HELLO_1)
            .by(&acme),
    ];
    for attempt in &attempts {
        let reason = world.refuses(attempt);
        assert!(reason.contains("no right"), "{reason}");
    }
    // Nor the other way round.
    let outside = [
        release::app("acme/hello", 1, HELLO_1, &owner),
        Release::new("acme/locks/x", 1)
            .kept_at("security-domain/acme/other/suit")
            .carrying(b"x")
            .by(&owner),
    ];
    for attempt in &outside {
        world.refuses(attempt);
    }
}

#[test]
fn a_crafted_prefix_takes_nothing_from_anybody() {
    let (mut world, owner) = with_locks();
    let acme = world.acme.again();
    world.install(&release::app("acme/hello", 1, HELLO_1, &acme));
    let hole = release::domain_with(
        "hole",
        1,
        "acme/hole",
        &[&world.globex],
        part(),
        &world.admin,
    );
    world.install(&hole);
    let sub =
        |name: &str, prefix: &str| release::domain_with(name, 1, prefix, &[&acme], part(), &acme);
    for (prefix, why) in [
        ("acme", "acme"),
        // Not to whom it belongs: that is nothing to somebody outside.
        ("globex", "is not below acme"),
        ("globex/x", "is not below acme"),
        ("elsewhere", "is not below acme"),
        ("acme2/x", "is not below acme"),
        ("acme/locks", "belongs to the security domain acme/locks"),
        (
            "acme/locks/front",
            "belongs to the security domain acme/locks",
        ),
        ("acme/hole", "belongs to the security domain hole"),
        ("acme/hole/x", "belongs to the security domain hole"),
        ("acme/hello", "is installed by somebody else already"),
        ("acme/hello/suit", "is installed by somebody else already"),
        ("security-domain/acme", "a prefix of its own"),
        ("trust-anchors/x", "a prefix of its own"),
    ] {
        let reason = world.refuses(&sub("acme/evil", prefix));
        assert!(reason.contains(why), "{prefix}: {reason}");
    }
    // A descriptor at the place of a manifest, of a name that is two, or too deep.
    for name in [
        "security-domain/acme/suit",
        "security-domain/acme/locks/suit",
        "security-domain/acme%2flocks",
        "security-domain/acme/a%2fb",
        "security-domain/acme/a/b/c/d",
    ] {
        let descriptor = SecurityDomain::new(id("acme/evil"), vec![acme.public()], part());
        let release = Release::new(name, 9).carrying(&descriptor.encode());
        world.refuses(&release.kept_at("acme/evil/suit").by(&acme));
    }
    // An outer sub-domain around one that is there takes nothing of it.
    let inner = release::domain_with("acme/in", 1, "acme/a/b", &[&owner], part(), &acme);
    world.install(&inner);
    world.install(&release::app("acme/a/b/x", 1, HELLO_1, &owner));
    world.install(&sub("acme/out", "acme/a"));
    world.refuses(&release::app("acme/a/b/x", 2, HELLO_2, &acme));
    world.install(&release::app("acme/a/b/x", 2, HELLO_2, &owner));
    world.install(&release::app("acme/a/y", 1, HELLO_1, &acme));
}

#[test]
fn the_manifest_of_a_domain_is_not_its_owners() {
    let (mut world, owner) = with_locks();
    // Where the administrator's manifest of acme is kept, acme could else count its sequence number up.
    for (at, signer) in [
        ("security-domain/acme/suit", world.acme.again()),
        ("security-domain/acme/locks/suit", owner),
    ] {
        for component in ["security-domain/acme/new", "acme/x", "acme/locks/x"] {
            let release = Release::new(component, 99).kept_at(at).carrying(b"x");
            world.refuses(&release.by(&signer));
        }
    }
}

#[test]
fn one_update_makes_no_two_domains_of_one_prefix() {
    let mut world = Providers::new();
    let acme = world.acme.again();
    let descriptor = SecurityDomain::new(id("acme/two"), vec![acme.public()], part()).encode();
    let release = Release::new("security-domain/acme/one", 1)
        .carrying(&descriptor)
        .and_carrying("security-domain/acme/two", &descriptor);
    let reason = world.refuses(&release.by(&acme));
    assert!(
        reason.contains("belongs to the security domain acme/one"),
        "{reason}"
    );
}

#[test]
fn an_update_installs_nothing_in_a_domain_that_it_makes() {
    let mut world = Providers::new();
    let admin = world.admin.again();
    let descriptor = SecurityDomain::new(id("new"), vec![admin.public()], part()).encode();
    for (first, second) in [
        (("security-domain/new", &*descriptor), ("new/x", &b"x"[..])),
        (("new/x", b"x"), ("security-domain/new", &*descriptor)),
    ] {
        let release = Release::new(first.0, 1)
            .kept_at("security-domain/new/suit")
            .carrying(first.1)
            .and_carrying(second.0, second.1);
        let reason = world.refuses(&release.by(&admin));
        assert!(
            reason.contains("which this update makes") || reason.contains("somebody else already"),
            "{reason}"
        );
    }
}

#[test]
fn a_sub_domain_has_a_part_of_the_quota() {
    let mut world = Providers::new();
    let (acme, admin, owner) = (world.acme.again(), world.admin.again(), Person::new());
    let quota = |bytes, applications| Quota {
        bytes,
        applications,
        objects: 10,
        sessions: 2,
        ..Quota::default()
    };
    let whole = |number, bytes| {
        let quota = Quota {
            sessions: 4,
            objects: 20,
            ..quota(bytes, 4)
        };
        release::domain_with("acme", number, "acme", &[&acme], quota, &admin)
    };
    let sub = |name: &str, number, quota| {
        release::domain_with(
            &format!("acme/{name}"),
            number,
            &format!("acme/{name}"),
            &[&owner],
            quota,
            &acme,
        )
    };
    world.install(&whole(2, 100_000));
    for (wanted, why) in [
        (
            quota(100_001, 1),
            "over quota: 100001 of 100000 bytes for acme with acme/a",
        ),
        (quota(u64::MAX, 1), "bytes"),
        (quota(1, 5), "over quota: 5 of 4 applications"),
        (
            Quota {
                objects: 21,
                ..quota(1, 1)
            },
            "21 of 20 objects",
        ),
        (
            Quota {
                sessions: 5,
                ..quota(1, 1)
            },
            "5 of 4 sessions",
        ),
        (
            Quota {
                memory: (4 << 20) + 1,
                ..quota(1, 1)
            },
            "bytes of memory",
        ),
        (
            Quota {
                fuel: 1_000_000_001,
                ..quota(1, 1)
            },
            "fuel",
        ),
        (
            Quota {
                time_ms: 10_001,
                ..quota(1, 1)
            },
            "milliseconds",
        ),
    ] {
        let reason = world.refuses(&sub("a", 1, wanted));
        assert!(reason.contains(why), "{reason}");
    }
    world.install(&sub("a", 1, quota(60_000, 2)));
    let reason = world.refuses(&sub("b", 1, quota(60_000, 2)));
    assert!(reason.contains("120000 of 100000 bytes"), "{reason}");
    world.refuses(&sub("a", 2, quota(110_000, 2)));

    // What the sub-domain has the parent has no more.
    let reason = world.refuses(&release::app("acme/big", 1, &[1; 45_000], &acme));
    assert!(reason.contains(" of 40000 bytes for acme"), "{reason}");
    world.install(&release::app("acme/fits", 1, &[1; 30_000], &acme));
    // Nor gives away what it uses itself.
    let reason = world.refuses(&sub("b", 1, quota(20_000, 1)));
    assert!(
        reason.contains(" of 100000 bytes for acme with acme/b and what it uses"),
        "{reason}"
    );
    // New keys for the sub-domain need no room.
    world.install(&sub("a", 2, quota(60_000, 2)));
    // The sub-domain has its part, and no more.
    world.install(&release::app("acme/a/x", 1, &[1; 55_000], &owner));
    let reason = world.refuses(&release::app("acme/a/y", 1, &[1; 6_000], &owner));
    assert!(reason.contains(" of 60000 bytes for acme/a"), "{reason}");

    // The parent can't become smaller than what it has given away.
    let reason = world.refuses(&whole(3, 59_999));
    assert!(
        reason.contains("60000 of 59999 bytes for acme with its sub-domains"),
        "{reason}"
    );
    world.install(&sub("a", 3, quota(20_000, 2)));
    world.install(&whole(3, 59_999));
}

#[test]
fn sub_domains_of_sub_domains_share_their_part() {
    let (mut world, owner) = with_locks();
    let third = Person::new();
    let inner = |bytes| {
        let quota = Quota {
            bytes,
            applications: 1,
            objects: 10,
            sessions: 1,
            ..Quota::default()
        };
        release::domain_with(
            "acme/locks/eu",
            1,
            "acme/locks/eu",
            &[&third],
            quota,
            &owner,
        )
    };
    let reason = world.refuses(&inner((1 << 20) + 1));
    assert!(
        reason.contains("1048577 of 1048576 bytes for acme/locks"),
        "{reason}"
    );
    // The outermost owner makes none in the inner one: that is the inner owner's.
    let by_acme = release::domain_with(
        "acme/locks/us",
        1,
        "acme/locks/us",
        &[&third],
        part(),
        &world.acme,
    );
    let reason = world.refuses(&by_acme);
    assert!(reason.contains("no right"), "{reason}");
    world.install(&inner(1 << 10));
    world.install(&release::app("acme/locks/eu/x", 1, b"x", &third));
    world.refuses(&release::app("acme/locks/eu/y", 1, b"x", &owner));
    world.refuses(&release::app("acme/locks/eu/y", 1, b"x", &world.acme));
}

#[test]
fn the_administrator_is_there_for_domains_of_any_depth() {
    let (mut world, owner) = with_locks();
    // A provider who lost the key: the administrator gives the sub-domain new owners, as it does the domain.
    let successor = Person::new();
    world.install(&locks(2, &successor, &world.admin));
    world.refuses(&release::app("acme/locks/x", 1, b"x", &owner));
    world.refuses(&release::app("acme/locks/x", 1, b"x", &world.admin));
    world.install(&release::app("acme/locks/x", 1, b"x", &successor));
    world.device.unlink(&world.tam, &["acme/locks/x/suit"]);
    // And a release without the domain takes it away.
    let empty = Release::new("security-domain/acme/gone", 3)
        .kept_at("security-domain/acme/locks/suit")
        .carrying(&SecurityDomain::new(id("acme/gone"), vec![owner.public()], part()).encode());
    world.install(&empty.by(&world.admin.again()));
    assert_eq!(world.domain("acme/locks"), None);
}

#[test]
fn many_sub_domains_do_not_take_the_devices_places() {
    let mut world = Providers::new();
    let acme = world.acme.again();
    let tiny = Quota {
        bytes: 0,
        applications: 0,
        objects: 0,
        sessions: 0,
        ..Quota::default()
    };
    let mut made = 0;
    let reason = loop {
        let name = format!("acme/{made}");
        let sub = release::domain_with(&name, 1, &name, &[&acme], tiny, &acme);
        match world.device.try_install(&world.tam, &sub) {
            Ok(()) => made += 1,
            Err(reason) => break reason,
        }
    };
    assert!(
        reason.contains("the limit of 32 sub-domains in acme"),
        "{reason}"
    );
    assert_eq!(made, 32);
    world.install(&release::app("globex/hello", 1, HELLO_1, &world.globex));
    let admins = release::domain("initech", 1, &Person::new(), &world.admin);
    world.install(&admins);
}

#[test]
fn services_and_shared_objects_are_kept_as_the_descriptor_says() {
    let mut world = Providers::new();
    let mut domain = SecurityDomain::new(id("acme"), vec![world.acme.public()], Quota::default());
    domain.services = vec![Service {
        name: "read".into(),
        component: id("acme/meter"),
        callers: Some(vec!["globex".into(), "acme/locks".into()]),
    }];
    domain.shared_objects = vec!["ledger".into()];
    world.install(&release::described("acme", 2, &domain, &world.admin));
    world.device = world.device.restarted();
    assert_eq!(world.domain("acme").unwrap().domain, domain);
    // A later one takes them back.
    world.install(&release::domain("acme", 3, &world.acme, &world.admin));
    assert_eq!(world.domain("acme").unwrap().domain.services, []);
}
