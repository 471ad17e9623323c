//! What is left of a security domain that was deleted: nothing that anybody can read.

use tamarack_agent::platform::{Namespace, Platform};
use tamarack_tee::{InvocationError, Tee};
use tamarack_tests::{
    Providers, id, invoke_in, open_session, release,
    release::Release,
    wasm::{COUNT, HELLO_1, PUBLIC_KEY, SIGN, VAULT},
};

const SECRET: &[u8] = b"a secret of acme's that is nobody else's ";

/// Everything that acme stores, under names that it will have again.
fn fill(world: &mut Providers) {
    world.install(&release::app("acme/vault", 1, VAULT, &world.acme));
    let data = SECRET.repeat(2000);
    world.install(&release::app("acme/data", 1, &data, &world.acme));
    let _ = world.device.output("acme/vault", SIGN, b"x");
    put(&world.device.tee, &Namespace::shared("acme"), SECRET);
}

fn put(tee: &Tee, space: &Namespace, value: &[u8]) {
    let mut transaction = tee.storage().begin().unwrap();
    transaction.put(space, b"oledger", value).unwrap();
    transaction.commit().unwrap();
}

fn empty(world: &mut Providers) {
    world.device.unlink(
        &world.tam,
        &[
            "acme/vault/suit",
            "acme/data/suit",
            "security-domain/acme/suit",
        ],
    );
}

/// The namespaces of acme and of its application.
fn spaces() -> [Namespace; 3] {
    [
        Namespace::domain("acme"),
        Namespace::shared("acme"),
        Namespace::application("acme", &id("acme/vault")),
    ]
}

fn holds_nothing(tee: &Tee) -> bool {
    let view = tee.storage().view().unwrap();
    spaces()
        .iter()
        .all(|space| view.names(space, b"").unwrap().is_empty() && view.usage(space).unwrap() == 0)
}

// req: TEEP-AGENT-016
#[test]
fn a_deleted_domain_takes_components_objects_and_what_it_shared_along() {
    let mut world = Providers::new();
    fill(&mut world);
    let key = world.device.output("acme/vault", PUBLIC_KEY, b"");
    assert!(!holds_nothing(&world.device.tee));
    empty(&mut world);
    assert!(holds_nothing(&world.device.tee));
    world.device = world.device.restarted();
    world.install(&release::domain("acme", 1, &world.acme, &world.admin));
    assert!(holds_nothing(&world.device.tee));
    world.install(&release::app("acme/vault", 1, VAULT, &world.acme));
    assert_eq!(world.count("acme/vault"), 0);
    assert_ne!(world.device.output("acme/vault", PUBLIC_KEY, b""), key);
}

#[test]
fn sessions_end_with_the_domain() {
    let mut world = Providers::new();
    fill(&mut world);
    let session = open_session(&world.device.tee, "acme/vault").unwrap();
    empty(&mut world);
    let outcome = invoke_in(&world.device.tee, session, COUNT, b"");
    assert!(
        matches!(outcome, Err(InvocationError::NoSession)),
        "{outcome:?}"
    );
}

#[test]
fn what_is_written_too_late_is_not_found_by_a_successor() {
    let mut world = Providers::new();
    fill(&mut world);
    empty(&mut world);
    // As a command would that was running when the domain went.
    for space in spaces() {
        put(&world.device.tee, &space, SECRET);
    }
    world.install(&release::domain("acme", 1, &world.acme, &world.admin));
    world.install(&release::app("acme/vault", 1, VAULT, &world.acme));
    let names = |space: &Namespace| world.device.names(space);
    assert_eq!(names(&spaces()[1]), Vec::<Vec<u8>>::new());
    assert_eq!(names(&spaces()[2]), Vec::<Vec<u8>>::new());
    assert_eq!(names(&spaces()[0]).len(), 1, "the code of the vault");
}

/// A page of what the domain stored, put back on the disk after the domain was deleted, and after one of its name
/// was made again: the TEE refuses to start, or starts and sees nothing of it.
#[test]
fn old_pages_of_a_deleted_domain_bring_nothing_back() {
    const PAGE: usize = 4096;
    for comes_back in [false, true] {
        let mut world = Providers::new();
        fill(&mut world);
        let off = world.device.off();
        let full = std::fs::read(off.storage()).unwrap();
        let contains = |file: &[u8]| file.windows(SECRET.len()).any(|bytes| bytes == SECRET);
        assert!(
            !contains(&full),
            "nothing is readable on the disk at any time"
        );

        let mut world = Providers {
            device: tamarack_tests::Device::on(off),
            ..world
        };
        empty(&mut world);
        if comes_back {
            world.install(&release::domain("acme", 1, &world.acme, &world.admin));
        }
        let off = world.device.off();
        let file = off.storage();
        let now = std::fs::read(&file).unwrap();
        assert!(!contains(&now));
        let differing: Vec<usize> = (0..full.len().min(now.len()) / PAGE)
            .filter(|at| full[at * PAGE..][..PAGE] != now[at * PAGE..][..PAGE])
            .collect();
        assert!(!differing.is_empty());
        let step = differing.len().div_ceil(24);
        for at in differing.iter().step_by(step) {
            let mut spliced = now.clone();
            spliced[at * PAGE..][..PAGE].copy_from_slice(&full[at * PAGE..][..PAGE]);
            std::fs::write(&file, &spliced).unwrap();
            if let Ok(tee) = off.start() {
                assert!(holds_nothing(&tee), "page {at}");
            }
            std::fs::write(&file, &now).unwrap();
        }
        // As it is, it starts.
        assert!(holds_nothing(&off.start().unwrap()));
    }
}

#[test]
fn a_domain_that_something_needs_stays() {
    let mut world = Providers::new();
    let domain = release::domain("acme", 2, &world.acme, &world.admin);
    world.install(&domain);
    let app = Release::new("acme/hello", 1).carrying(HELLO_1);
    world.install(&app.needing(&domain).by(&world.acme));
    let text = world.refuses_unlink("security-domain/acme/suit");
    assert!(text.contains("is needed by acme/hello/suit"), "{text}");
    assert!(world.domain("acme").is_some());
}
