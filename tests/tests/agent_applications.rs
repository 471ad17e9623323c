//! Trusted Applications at work: their data is theirs alone, stays when the power goes, and goes with them.

use tamarack_agent::{
    Quota,
    platform::{Namespace, Platform},
    state::DomainUsage,
};
use tamarack_cose::PublicKey;
use tamarack_ta::ResultCode;
use tamarack_tee::InvocationError;
use tamarack_tests::{
    Person, Providers, Tam, crypto, id, invoke_in, open_session, release,
    wasm::{COUNT, HELLO_1, HELLO_2, PUBLIC_KEY, SIGN, VAULT},
};

// req: ARCH-006
#[test]
fn personalization_data_is_for_its_application_alone() {
    let mut world = Providers::new();
    world.install(&release::app("acme/hello", 1, HELLO_2, &world.acme));
    world.install(&release::app("acme/other", 1, HELLO_2, &world.acme));
    world.install(&release::app("globex/hello", 1, HELLO_2, &world.globex));
    assert!(
        world
            .device
            .greeting("acme/hello")
            .starts_with("Welcome, Ada!")
    );
    world.install(&release::app(
        "acme/hello/greeting",
        1,
        b"Servus",
        &world.acme,
    ));
    assert!(
        world
            .device
            .greeting("acme/hello")
            .starts_with("Servus, Ada!")
    );
    for other in ["acme/other", "globex/hello"] {
        assert!(
            world.device.greeting(other).starts_with("Welcome, Ada!"),
            "{other}"
        );
    }
    // Data is not run.
    let refused = world.device.invoke("acme/hello/greeting", 1, b"");
    assert_eq!(
        refused,
        Err(InvocationError::NotAnApplication(id("acme/hello/greeting")))
    );
    world
        .device
        .unlink(&world.tam, &["acme/hello/greeting/suit"]);
    assert!(
        world
            .device
            .greeting("acme/hello")
            .starts_with("Welcome, Ada!")
    );
}

#[test]
fn an_application_is_no_personalization_data() {
    let mut world = Providers::new();
    world.install(&release::app("acme/hello", 1, HELLO_2, &world.acme));
    world.install(&release::app(
        "acme/hello/greeting",
        1,
        HELLO_1,
        &world.acme,
    ));
    assert!(
        world
            .device
            .greeting("acme/hello")
            .starts_with("Welcome, Ada!")
    );
}

#[test]
fn a_longer_prefix_keeps_its_data_from_the_application_above() {
    let mut world = Providers::new();
    let owner = Person::new();
    let inner = release::domain_with(
        "inner",
        1,
        "acme/hello/greeting",
        &[&owner],
        Quota::default(),
        &world.admin,
    );
    world.install(&inner);
    world.install(&release::app("acme/hello", 1, HELLO_2, &world.acme));
    world.install(&release::app("acme/hello/greeting", 1, b"Mine", &owner));
    assert!(
        world
            .device
            .greeting("acme/hello")
            .starts_with("Welcome, Ada!")
    );
}

// req: ARCH-006
#[test]
fn the_vaults_key_and_count_survive_updates_and_the_power() {
    let mut world = Providers::new();
    world.install(&release::app("acme/vault", 1, VAULT, &world.acme));
    world.install(&release::app("globex/vault", 1, VAULT, &world.globex));
    let key = world.device.output("acme/vault", PUBLIC_KEY, b"");
    let other_key = world.device.output("globex/vault", PUBLIC_KEY, b"");
    assert_ne!(key, other_key, "two vaults, two keys");
    let signature = world.device.output("acme/vault", SIGN, b"a message");
    let public = PublicKey::from_cose_key(&key).unwrap();
    crypto()
        .signatures
        .verify(&public, b"a message", &signature)
        .unwrap();
    assert_eq!(
        (world.count("acme/vault"), world.count("globex/vault")),
        (1, 0)
    );

    world.device = world.device.restarted();
    assert_eq!(world.device.output("acme/vault", PUBLIC_KEY, b""), key);
    let _ = world.device.output("acme/vault", SIGN, b"another");
    assert_eq!(
        (world.count("acme/vault"), world.count("globex/vault")),
        (2, 0)
    );
    // A newer release has what the older one left.
    world.install(&release::app("acme/vault", 2, VAULT, &world.acme));
    assert_eq!(world.device.output("acme/vault", PUBLIC_KEY, b""), key);
    assert_eq!(world.count("acme/vault"), 2);
}

#[test]
fn a_removed_application_leaves_nothing_for_its_successor() {
    let mut world = Providers::new();
    world.install(&release::app("acme/vault", 1, VAULT, &world.acme));
    let key = world.device.output("acme/vault", PUBLIC_KEY, b"");
    let _ = world.device.output("acme/vault", SIGN, b"x");
    world.device.unlink(&world.tam, &["acme/vault/suit"]);
    let space = Namespace::application("acme", &id("acme/vault"));
    assert_eq!(world.device.names(&space), Vec::<Vec<u8>>::new());
    let gone = world.device.invoke("acme/vault", COUNT, b"");
    assert_eq!(gone, Err(InvocationError::NotInstalled(id("acme/vault"))));

    world.install(&release::app("acme/vault", 1, VAULT, &world.acme));
    assert_ne!(world.device.output("acme/vault", PUBLIC_KEY, b""), key);
    assert_eq!(world.count("acme/vault"), 0);
}

#[test]
fn an_application_that_became_data_takes_its_objects_with_it() {
    let mut world = Providers::new();
    world.install(&release::app("acme/vault", 1, VAULT, &world.acme));
    let key = world.device.output("acme/vault", PUBLIC_KEY, b"");
    world.install(&release::app(
        "acme/vault",
        2,
        b"no code any more",
        &world.acme,
    ));
    world.device.unlink(&world.tam, &["acme/vault/suit"]);
    let space = Namespace::application("acme", &id("acme/vault"));
    assert_eq!(world.device.names(&space), Vec::<Vec<u8>>::new());
    world.install(&release::app("acme/vault", 3, VAULT, &world.acme));
    assert_ne!(world.device.output("acme/vault", PUBLIC_KEY, b""), key);
}

#[test]
fn a_changed_quota_counts_from_the_next_session_on() {
    let mut world = Providers::new();
    world.install(&release::app("acme/hello", 1, HELLO_1, &world.acme));
    assert_eq!(
        world.device.greeting("acme/hello"),
        "Hello from inside the TEE, Ada!"
    );
    let quota = Quota {
        fuel: 50,
        ..Quota::default()
    };
    let weak = release::domain_with("acme", 2, "acme", &[&world.acme], quota, &world.admin);
    world.install(&weak);
    let outcome = world.device.invoke("acme/hello", 1, b"Ada");
    assert!(!matches!(outcome, Ok(Ok(_))), "{outcome:?}");
}

#[test]
fn objects_and_components_share_the_quota() {
    let mut world = Providers::new();
    let code = VAULT.len() as u64;
    let quota = Quota {
        bytes: code + 10_000,
        ..Quota::default()
    };
    let small = release::domain_with("acme", 2, "acme", &[&world.acme], quota, &world.admin);
    world.install(&small);
    world.install(&release::app("acme/vault", 1, VAULT, &world.acme));
    let _ = world.device.output("acme/vault", SIGN, b"x");
    // The vault's key and count leave less room than that.
    let full = release::app("acme/data", 1, &[0; 10_000], &world.acme);
    world.device.query(&world.tam, Tam::query());
    let answer = world.device.answer(&world.tam.sign(Tam::install(&[&full])));
    let _ = tamarack_tests::error_of(answer);
    world.install(&release::app("acme/data", 1, &[0; 8_000], &world.acme));
    // What is installed leaves less for objects.
    let view = world.device.tee.storage().view().unwrap();
    let used = DomainUsage::of(&*view, "acme").unwrap().bytes;
    assert!(used > code + 8_000 && used <= quota.bytes, "{used}");
    drop(view);
    let smaller = Quota {
        bytes: used,
        ..quota
    };
    let small = release::domain_with("acme", 3, "acme", &[&world.acme], smaller, &world.admin);
    world.install(&small);
    // The count is there, and gets no longer.
    let count = world.count("acme/vault");
    let _ = world.device.output("acme/vault", SIGN, b"x");
    assert_eq!(world.count("acme/vault"), count + 1);
}

#[test]
fn a_result_of_the_applications_own_is_passed_on() {
    let mut world = Providers::new();
    world.install(&release::app("acme/hello", 1, HELLO_1, &world.acme));
    let invoke = |command, input: &[u8]| world.device.invoke("acme/hello", command, input).unwrap();
    assert_eq!(invoke(99, b""), Err(ResultCode::NOT_SUPPORTED));
    assert_eq!(invoke(1, b"\xff"), Err(ResultCode::BAD_FORMAT));
    assert_eq!(invoke(1, &[b'a'; 101]), Err(ResultCode::BAD_PARAMETERS));
    let unknown = world.device.invoke("acme/unknown", 1, b"");
    assert_eq!(
        unknown,
        Err(InvocationError::NotInstalled(id("acme/unknown")))
    );
    let domain = world.device.invoke("security-domain/acme", 1, b"");
    assert_eq!(
        domain,
        Err(InvocationError::NotAnApplication(id(
            "security-domain/acme"
        )))
    );
}

#[test]
fn sessions_are_bounded_and_end_when_they_are_closed() {
    let mut world = Providers::new();
    world.install(&release::app("acme/hello", 1, HELLO_1, &world.acme));
    let applications = world.device.tee.applications();
    let open = || open_session(&world.device.tee, "acme/hello");
    let sessions: Vec<u64> = std::iter::from_fn(|| open().ok()).take(1000).collect();
    assert_eq!(sessions.len() as u64, Quota::default().sessions);
    let quota = Quota::default().sessions;
    assert_eq!(open(), Err(InvocationError::TooManySessions { quota }));
    applications.close(sessions[0]).unwrap();
    assert_eq!(
        applications.close(sessions[0]),
        Err(InvocationError::NoSession)
    );
    assert_eq!(
        invoke_in(&world.device.tee, sessions[0], 1, b"Ada"),
        Err(InvocationError::NoSession)
    );
    assert!(open().is_ok());
}
