//! Security domains: who makes them, what their owners may do, what they may hold, how they go.

use tamarack_agent::{Quota, platform::Namespace};
use tamarack_tests::{
    Person, Providers, id, release,
    release::Release,
    wasm::{COUNT, HELLO_1, HELLO_2, SIGN, VAULT},
};

// req: TEEP-AGENT-019
// req: SUIT-ACL-004
#[test]
fn only_the_administrator_makes_domains() {
    let mut world = Providers::new();
    for signer in [&Person::new(), &world.tam.key.again(), &world.acme.again()] {
        let domain = release::domain("initech", 1, signer, signer);
        world.refuses(&domain);
        let takeover = release::domain("acme", 2, signer, signer);
        world.refuses(&takeover);
    }
    assert_eq!(world.domain("initech"), None);
    assert_eq!(
        world.domain("acme").unwrap().domain.owners,
        [world.acme.public()]
    );
}

#[test]
fn descriptors_that_make_no_sense_are_refused() {
    let mut world = Providers::new();
    let admin = world.admin.again();
    for descriptor in [&b""[..], b"\xa0", b"not CBOR", &[0xa1; 100]] {
        let release = Release::new("security-domain/odd", 1).carrying(descriptor);
        world.refuses(&release.by(&admin));
    }
    let odd = release::domain_with(
        "odd",
        1,
        "security-domain/acme",
        &[&admin],
        Quota::default(),
        &admin,
    );
    world.refuses(&odd);
    let long = Release::new("security-domain/odd", 1).carrying(&vec![0; 20_000]);
    world.refuses(&long.by(&admin));
    // Under the reserved segment there are domains and nothing else.
    for name in ["security-domain/a/b", "security-domain"] {
        world.refuses(
            &Release::new(name, 1)
                .kept_at("x/suit")
                .carrying(HELLO_1)
                .by(&admin),
        );
    }
}

#[test]
fn two_domains_can_not_have_one_prefix() {
    let mut world = Providers::new();
    let (owner, admin) = (Person::new(), world.admin.again());
    let rival = release::domain_with("acme2", 1, "acme", &[&owner], Quota::default(), &admin);
    let reason = world.refuses(&rival);
    assert!(
        reason.contains("belongs to the security domain acme"),
        "{reason}"
    );
    // A longer prefix is another one, and takes what lies below it from the shorter.
    let part = release::domain_with("part", 1, "acme/part", &[&owner], Quota::default(), &admin);
    world.install(&part);
    world.install(&release::app("acme/part/hello", 1, HELLO_1, &owner));
    let by_acme = release::app("acme/part/vault", 1, VAULT, &world.acme);
    world.refuses(&by_acme);
}

// req: TEEP-AGENT-019
// req: ARCH-006
#[test]
fn a_domain_is_its_owners_and_nobody_elses() {
    let mut world = Providers::new();
    world.install(&release::app("acme/hello", 1, HELLO_1, &world.acme));
    for (signer, name) in [
        (world.globex.again(), "globex"),
        (world.admin.again(), "the administrator"),
    ] {
        let update = release::app("acme/hello", 2, HELLO_2, &signer);
        let other = release::app("acme/other", 1, HELLO_2, &signer);
        let data = release::app("acme/hello/greeting", 1, b"Boo", &signer);
        // With the manifest at home and the component abroad, and the other way round.
        let abroad = Release::new("acme/hello", 2)
            .kept_at("globex/x")
            .carrying(HELLO_2);
        let at_home = Release::new("globex/x", 2)
            .kept_at("acme/hello/suit")
            .carrying(HELLO_2);
        for envelope in [update, other, data, abroad.by(&signer), at_home.by(&signer)] {
            let reason = world.refuses(&envelope);
            assert!(reason.contains("no right"), "{name}: {reason}");
        }
    }
    assert_eq!(
        world.device.greeting("acme/hello"),
        "Hello from inside the TEE, Ada!"
    );
    // And the owner has no right outside.
    let outside = release::app("hello", 1, HELLO_1, &world.acme);
    world.refuses(&outside);
    let longer_name = release::app("acme2/hello", 1, HELLO_1, &world.acme);
    world.refuses(&longer_name);
}

// req: SUIT-DEP-032
#[test]
fn a_second_manifest_can_not_take_a_component_over() {
    let mut world = Providers::new();
    world.install(&release::app("acme/hello", 1, HELLO_1, &world.acme));
    let other = Release::new("acme/hello", 9)
        .kept_at("acme/usurper")
        .carrying(HELLO_2);
    world.refuses(&other.by(&world.acme.again()));
    assert_eq!(world.device.version("acme/hello"), Some(1));
}

// req: ARCH-026
#[test]
fn a_domain_can_change_its_keys() {
    let mut world = Providers::new();
    world.install(&release::app("acme/hello", 1, HELLO_1, &world.acme));
    let (successor, admin) = (Person::new(), world.admin.again());
    world.install(&release::domain("acme", 2, &successor, &admin));
    let by_old = release::app("acme/hello", 2, HELLO_2, &world.acme);
    world.refuses(&by_old);
    // The application goes on; its new owner may replace and remove it.
    assert_eq!(
        world.device.greeting("acme/hello"),
        "Hello from inside the TEE, Ada!"
    );
    world.install(&release::app("acme/hello", 2, HELLO_2, &successor));
    world.device.unlink(&world.tam, &["acme/hello/suit"]);
    // The old keys do not come back by an older descriptor.
    let older = release::domain("acme", 1, &world.acme, &admin);
    world.refuses(&older);
}

#[test]
fn a_domain_in_use_does_not_move() {
    let mut world = Providers::new();
    world.install(&release::app("acme/hello", 1, HELLO_1, &world.acme));
    let moved = release::domain_with(
        "acme",
        2,
        "elsewhere",
        &[&world.acme],
        Quota::default(),
        &world.admin,
    );
    let reason = world.refuses(&moved);
    assert!(reason.contains("in use"), "{reason}");
    world.device.unlink(&world.tam, &["acme/hello/suit"]);
    world.install(&moved);
    world.install(&release::app("elsewhere/hello", 1, HELLO_1, &world.acme));
}

// req: TEEP-OPS-006
// req: ARCH-042
#[test]
fn a_domain_holds_no_more_bytes_than_its_quota() {
    let mut world = Providers::new();
    let quota = Quota {
        bytes: 40_000,
        ..Quota::default()
    };
    let small = release::domain_with("acme", 2, "acme", &[&world.acme], quota, &world.admin);
    world.install(&small);
    let reason = world.refuses(&release::app("acme/big", 1, &[1; 40_001], &world.acme));
    assert!(
        reason.contains("over quota: 40001 of 40000 bytes for acme"),
        "{reason}"
    );
    world.install(&release::app("acme/one", 1, &[1; 30_000], &world.acme));
    world.refuses(&release::app("acme/two", 1, &[2; 10_001], &world.acme));
    world.install(&release::app("acme/two", 1, &[2; 8_000], &world.acme));
    // What is replaced or removed makes room, and other domains have their own.
    world.install(&release::app("acme/one", 2, &[3; 29_000], &world.acme));
    world.refuses(&release::app("acme/three", 1, &[4; 3_001], &world.acme));
    world.device.unlink(&world.tam, &["acme/two/suit"]);
    world.install(&release::app("acme/three", 1, &[4; 9_000], &world.acme));
    world.install(&release::app("globex/big", 1, &[1; 100_000], &world.globex));
}

// req: TEEP-OPS-006
// req: ARCH-042
#[test]
fn a_domain_holds_no_more_applications_than_its_quota() {
    let mut world = Providers::new();
    let quota = Quota {
        applications: 2,
        ..Quota::default()
    };
    let small = release::domain_with("acme", 2, "acme", &[&world.acme], quota, &world.admin);
    world.install(&small);
    world.install(&release::app("acme/one", 1, HELLO_1, &world.acme));
    world.install(&release::app("acme/two", 1, HELLO_1, &world.acme));
    let reason = world.refuses(&release::app("acme/three", 1, HELLO_1, &world.acme));
    assert!(
        reason.contains("over quota: 3 of 2 applications for acme"),
        "{reason}"
    );
    world.install(&release::app("acme/two", 2, HELLO_2, &world.acme));
    world.install(&release::app("acme/data", 1, b"data is none", &world.acme));
    world.device.unlink(&world.tam, &["acme/one/suit"]);
    world.install(&release::app("acme/three", 1, HELLO_1, &world.acme));
}

#[test]
fn a_command_can_not_use_more_fuel_than_its_domain_has() {
    let mut world = Providers::new();
    let quota = Quota {
        fuel: 50,
        ..Quota::default()
    };
    let weak = release::domain_with("acme", 2, "acme", &[&world.acme], quota, &world.admin);
    world.install(&weak);
    world.install(&release::app("acme/hello", 1, HELLO_1, &world.acme));
    let outcome = world.device.invoke("acme/hello", 1, b"Ada");
    assert!(!matches!(outcome, Ok(Ok(_))), "{outcome:?}");
    world.install(&release::app("globex/hello", 1, HELLO_1, &world.globex));
    assert_eq!(
        world.device.greeting("globex/hello"),
        "Hello from inside the TEE, Ada!"
    );
}

// req: TEEP-AGENT-016
#[test]
fn a_domain_goes_once_it_is_empty_and_takes_everything_with_it() {
    let mut world = Providers::new();
    world.install(&release::app("acme/vault", 1, VAULT, &world.acme));
    world.install(&release::app(
        "acme/data",
        1,
        b"a secret of acme's",
        &world.acme,
    ));
    let _ = world.device.output("acme/vault", SIGN, b"x");
    let spaces = [
        Namespace::domain("acme"),
        Namespace::application("acme", &id("acme/vault")),
    ];
    assert!(
        spaces
            .iter()
            .all(|space| !world.device.names(space).is_empty())
    );

    let reason = world.refuses_unlink("security-domain/acme/suit");
    assert!(reason.contains("still holds components"), "{reason}");

    // In whatever order they are named: what can't go yet goes on a later try.
    world
        .device
        .unlink(&world.tam, &["acme/data/suit", "acme/vault/suit"]);
    world
        .device
        .unlink(&world.tam, &["security-domain/acme/suit"]);
    assert_eq!(world.domain("acme"), None);
    assert!(
        spaces
            .iter()
            .all(|space| world.device.names(space).is_empty())
    );
    assert!(world.device.installed().iter().all(|c| c.domain != "acme"));
    assert!(world.device.invoke("acme/vault", COUNT, b"").is_err());
    // Its keys count for nothing any more, and its neighbour is as before.
    world.refuses(&release::app("acme/hello", 1, HELLO_1, &world.acme));
    world.install(&release::app("globex/hello", 1, HELLO_1, &world.globex));
}

#[test]
fn a_domain_that_came_back_holds_nothing_of_the_old_one() {
    let mut world = Providers::new();
    world.install(&release::app("acme/vault", 1, VAULT, &world.acme));
    let key = world.device.output("acme/vault", 2, b"");
    let _ = world.device.output("acme/vault", SIGN, b"x");
    world.device.unlink(&world.tam, &["acme/vault/suit"]);
    world
        .device
        .unlink(&world.tam, &["security-domain/acme/suit"]);
    world.device = world.device.restarted();
    world.install(&release::domain("acme", 1, &world.acme, &world.admin));
    world.install(&release::app("acme/vault", 1, VAULT, &world.acme));
    assert_ne!(world.device.output("acme/vault", 2, b""), key);
    assert_eq!(
        world.device.output("acme/vault", COUNT, b""),
        0_u64.to_be_bytes()
    );
}
