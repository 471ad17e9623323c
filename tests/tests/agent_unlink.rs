//! Removing what is installed, and having it back.

use tamarack_teep::Update;
use tamarack_tests::{
    Device, Person, Tam, id, release,
    release::Release,
    reports, success_of,
    wasm::{HELLO_1, HELLO_2, VAULT},
};

/// A device with an application and data that depends on it, its TAM and its administrator.
fn world() -> (Device, Tam, Person) {
    let (tam, admin) = (Tam::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&admin]);
    let hello = release::app("hello", 2, HELLO_2, &admin);
    let greeting = Release::new("hello/greeting", 1)
        .carrying(b"Salut")
        .needing(&hello);
    device.install(&tam, &[&hello, &greeting.by(&admin)]);
    assert!(device.greeting("hello").starts_with("Salut"));
    (device, tam, admin)
}

// req: TEEP-AGENT-016
// req: TEEP-MSG-048
#[test]
fn dependents_go_first_in_whatever_order_they_are_named() {
    for order in [
        ["hello/suit", "hello/greeting/suit"],
        ["hello/greeting/suit", "hello/suit"],
    ] {
        let (mut device, tam, _) = world();
        device.unlink(&tam, &order);
        assert_eq!(device.installed(), []);
    }
}

#[test]
fn unlinking_what_is_not_there_is_no_error() {
    let (mut device, tam, _) = world();
    let before = device.installed();
    device.unlink(&tam, &["elsewhere/suit", "hello"]);
    assert_eq!(
        device.installed(),
        before,
        "a component is not its manifest"
    );
    device.unlink(
        &tam,
        &[
            "elsewhere/suit",
            "hello/greeting/suit",
            "hello/greeting/suit",
        ],
    );
    assert_eq!(device.version("hello/greeting"), None);
    assert_eq!(device.version("hello"), Some(2));
    device.unlink(&tam, &["hello/greeting/suit"]);
}

// req: TEEP-AGENT-016
// req: TEEP-ERR-010
#[test]
fn a_removal_that_is_blocked_keeps_the_update_from_installing_anything() {
    let (mut device, tam, admin) = world();
    let vault = release::app("vault", 1, VAULT, &admin);
    let update = Update {
        unneeded_manifest_list: vec![id("hello/suit")],
        ..Tam::install(&[&vault])
    };
    let token = update.token.clone();
    let error = device.refused(&tam, update);
    assert_eq!(error.token, token);
    let reason = error.explanation.unwrap().text;
    assert!(reason.contains("needed by hello/greeting/suit"), "{reason}");
}

#[test]
fn one_update_can_remove_and_install() {
    let (mut device, tam, admin) = world();
    let vault = release::app("vault", 1, VAULT, &admin);
    let update = Update {
        unneeded_manifest_list: vec![id("hello/suit"), id("hello/greeting/suit")],
        ..Tam::install(&[&vault])
    };
    let success = success_of(device.exchange(&tam, update));
    assert_eq!(reports(&success.suit_reports).len(), 1);
    let installed: Vec<_> = device
        .installed()
        .into_iter()
        .map(|c| c.component)
        .collect();
    assert_eq!(installed, [id("vault")]);
}

// req: TEEP-AGENT-020
#[test]
fn what_was_removed_comes_back_with_a_fresh_update_and_no_older() {
    let (mut device, tam, admin) = world();
    device.unlink(&tam, &["hello/greeting/suit", "hello/suit"]);
    let mut device = device.restarted();
    let older = release::app("hello", 1, HELLO_1, &admin);
    device.refused(&tam, Tam::install(&[&older]));
    assert_eq!(device.version("hello"), None);
    // Another manifest of that number is not the one that was there.
    let other = release::app("hello", 2, HELLO_1, &admin);
    device.refused(&tam, Tam::install(&[&other]));
    device.install(&tam, &[&release::app("hello", 3, HELLO_1, &admin)]);
    assert_eq!(device.version("hello"), Some(3));
}

// req: TEEP-AGENT-020
#[test]
fn the_same_manifest_comes_back_too() {
    let (mut device, tam, admin) = world();
    let vault = release::app("vault", 5, VAULT, &admin);
    device.install(&tam, &[&vault]);
    device.unlink(&tam, &["vault/suit"]);
    device.install(&tam, &[&vault]);
    assert_eq!(device.version("vault"), Some(5));
}

#[test]
fn what_depends_on_nothing_that_is_there_is_refused() {
    let (mut device, tam, admin) = world();
    let absent = release::app("absent", 1, HELLO_1, &admin);
    let needy = Release::new("data", 1)
        .carrying(b"x")
        .needing(&absent)
        .by(&admin);
    device.refused(&tam, Tam::install(&[&needy]));
    assert_eq!(device.version("data"), None);
    // Within one Update, the order of the list counts.
    device.install(&tam, &[&absent, &needy]);
    assert_eq!(device.version("data"), Some(1));
}

// req: SUIT-DEP-034
#[test]
fn an_application_can_be_updated_under_the_data_that_depends_on_it() {
    let (mut device, tam, admin) = world();
    device.install(&tam, &[&release::app("hello", 3, HELLO_2, &admin)]);
    assert!(device.greeting("hello").starts_with("Salut"));
    device.unlink(&tam, &["hello/greeting/suit", "hello/suit"]);
    assert_eq!(device.installed(), []);
}
