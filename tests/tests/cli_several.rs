//! Several TEEs and several TAMs on one device, as processes.

use std::collections::BTreeMap;

use serde_json::Value;
use tamarack_tests::{
    system::{Response, Server, World, run},
    wasm::{HELLO_1, HELLO_2},
};

/// What is installed where: components by TEE.
fn by_tee(world: &World) -> BTreeMap<String, Vec<String>> {
    let list = world.app(&["list"]).json();
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for component in list["components"].as_array().unwrap() {
        let text = |member: &str| component[member].as_str().unwrap().to_owned();
        if text("kind") == "application" {
            found
                .entry(text("tee"))
                .or_default()
                .push(text("component"));
        }
    }
    found
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

// req: TEEP-BROKER-004
// req: TEEP-BROKER-005
// req: TEEP-BROKER-006
// req: TEEP-BROKER-007
// req: TEEP-BROKER-008
// req: TEEP-BROKER-013
#[test]
fn one_broker_serves_several_tees_and_sends_each_request_to_the_one_that_suits() {
    let mut world = World::new();
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.publish("acme/other", 1, HELLO_1, "acme");
    for component in ["acme/hello", "acme/other"] {
        world.admin(&["deploy", component, "--on-request"]).ok();
    }
    let (_right, socket) = world.another_tee("right", &[]);
    let tam = world.wire.url();
    world.restart_broker(&["--tam", &tam, "--tee", &socket]);

    let tees = world.app(&["tees"]).json();
    let names: Vec<_> = tees["tees"].as_array().unwrap().iter().collect();
    assert_eq!(
        [text(&names[0]["name"]), text(&names[1]["name"])],
        ["software", "right"]
    );
    assert_eq!(text(&names[1]["platform"]), "software");
    let class = text(&names[0]["classes"][0]).to_owned();

    // No preference: the first. A name: that one.
    let outcome = world.app(&["request", "acme/hello"]).json();
    assert_eq!(
        (text(&outcome["tee"]), &outcome["installed"]),
        ("software", &Value::Bool(true))
    );
    let outcome = world
        .app(&["request", "acme/other", "--tee", "right"])
        .json();
    assert_eq!(
        (text(&outcome["tee"]), &outcome["installed"]),
        ("right", &Value::Bool(true))
    );
    assert_eq!(
        by_tee(&world),
        BTreeMap::from([
            ("right".into(), vec!["acme/other".into()]),
            ("software".into(), vec!["acme/hello".into()])
        ])
    );
    // What is there is found, wherever it is.
    let outcome = world.app(&["request", "acme/other"]).json();
    assert_eq!(
        (text(&outcome["tee"]), &outcome["exchanges"]),
        ("right", &0.into())
    );
    for component in ["acme/hello", "acme/other"] {
        assert!(world.greeting(component).contains("Ada"), "{component}");
    }

    // Nobody suits: each says why.
    let request = ["request", "acme/hello"];
    let refused = |requirement: &[&str], words: &[&str]| {
        world
            .app(&[&request[..], requirement].concat())
            .fails(1, words);
    };
    refused(
        &["--tee", "left"],
        &["no TEE suits", "software: its name", "right: its name"],
    );
    refused(
        &["--platform", "sgx"],
        &["its platform is software, not sgx"],
    );
    refused(
        &["--capability", "javacard"],
        &["lacks the capability", "javacard"],
    );
    refused(
        &["--class", "00000000-0000-0000-0000-000000000000"],
        &["not of the class"],
    );
    world
        .app(&[&request[..], &["--class", &class]].concat())
        .ok();
    let invoke = ["invoke", "acme/hello", "1", "--tee", "right"];
    world.app(&invoke).fails(
        1,
        &[
            "no trusted application is installed as acme/hello",
            "tamarack app list",
        ],
    );
    world
        .app(&["invoke", "acme/nothing", "1"])
        .fails(1, &["acme/nothing is installed in none of the TEEs"]);

    // Withdrawn where it is.
    let outcome = world.app(&["unrequest", "acme/other"]).json();
    assert_eq!(
        (text(&outcome["tee"]), &outcome["installed"]),
        ("right", &Value::Bool(false))
    );
    // One policy check asks for both.
    assert_eq!(world.policy_check(), 2);
}

// req: TEEP-BROKER-013
#[test]
fn a_tee_that_is_gone_takes_nothing_from_the_others() {
    let mut world = World::new();
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");
    let (right, socket) = world.another_tee("right", &[]);
    let tam = world.wire.url();
    world.restart_broker(&["--tam", &tam, "--tee", &socket]);
    assert_eq!(world.policy_check(), 2);
    right.kill();
    let list = world.app(&["list"]).json();
    assert_eq!(list["unreachable"].as_array().unwrap().len(), 1);
    assert!(text(&list["unreachable"][0]).contains("right.sock"));
    assert_eq!(
        text(&world.app(&["request", "acme/hello"]).json()["tee"]),
        "software"
    );
    assert!(world.greeting("acme/hello").contains("Ada"));
    world
        .app(&["request", "acme/hello", "--tee", "right"])
        .fails(1, &["right.sock"]);
    // The one that is there is asked all the same.
    let before = world.wire.passed().len();
    world.app(&["policy-check"]).fails(1, &["right.sock"]);
    assert!(world.wire.passed().len() > before);
}

// req: TEEP-AGENT-002
// req: TEEP-AGENT-007
// req: TEEP-AGENT-008
// req: ARCH-001
// req: HTTP-020
// req: HTTP-023
#[test]
fn a_device_falls_over_to_the_next_of_its_tams() {
    let mut world = World::new();
    let (_second, folder, address, key) = world.another_tam("second");
    let publish = world.manifest("acme/hello", 1, HELLO_1, "acme", &[]);
    world
        .admin_of(&folder, &address, &["publish", &publish])
        .ok();
    let deploy = ["deploy", "acme/hello", "--on-request"];
    world.admin_of(&folder, &address, &deploy).ok();

    // Of the first nothing is to be had; where the broker would send the device does not matter.
    let dead = "http://127.0.0.1:1/tam";
    let first = format!("{}={dead}", world.path("tam.pub.pem"));
    let second = format!("{key}=http://{address}/tam");
    world.trust(&["--tam-key", &first, &second]);
    let misled = Server::start(|_, _| {
        Some(Response {
            status: 418,
            ..Response::default()
        })
    });
    world.restart_broker(&["--tam", &misled.url("/tam")]);
    let outcome = world.app(&["request", "acme/hello"]).json();
    assert_eq!(
        (&outcome["exchanges"], &outcome["installed"]),
        (&1.into(), &Value::Bool(true))
    );
    let log = world.tee.log();
    assert!(
        log.contains(dead) && log.contains("could not be delivered"),
        "{log}"
    );
    // Both are asked in a round, and what fails is said.
    world.app(&["policy-check"]).fails(1, &[dead]);
    let audit = world.admin_of(&folder, &address, &["audit"]).ok();
    assert!(audit.contains("update-succeeded"), "{audit}");

    // A TAM that answers and has nothing is followed by the next as well.
    let alive = format!("{}={}", world.path("tam.pub.pem"), world.wire.url());
    world.trust(&["--tam-key", &alive]);
    let publish = world.manifest("acme/other", 1, HELLO_1, "acme", &[]);
    world
        .admin_of(&folder, &address, &["publish", &publish])
        .ok();
    let deploy = ["deploy", "acme/other", "--on-request"];
    world.admin_of(&folder, &address, &deploy).ok();
    let hint = ["request", "acme/other", "--tam", &world.wire.url()];
    assert_eq!(world.app(&hint).json()["installed"], true);
}

// req: ARCH-002
#[test]
fn a_dependency_comes_from_the_tam_that_has_it() {
    let mut world = World::new();
    let (_second, folder, address, key) = world.another_tam("second");
    let vendor = format!("http://{address}/tam");
    let first = format!("{}={}", world.path("tam.pub.pem"), world.wire.url());
    world.trust(&["--tam-key", &first, &format!("{key}={vendor}")]);
    world.restart_broker(&[]);

    let library = world.manifest("acme/library", 1, HELLO_1, "acme", &[]);
    world
        .admin_of(&folder, &address, &["publish", &library])
        .ok();
    let deploy = ["deploy", "acme/library", "--on-request"];
    world.admin_of(&folder, &address, &deploy).ok();
    let needed = format!("{library}={vendor}");
    let app = world.manifest("acme/app", 1, HELLO_2, "acme", &["--depends-on", &needed]);
    world.admin(&["publish", &app]).ok();
    world.admin(&["deploy", "acme/app", "--on-request"]).ok();

    // To the first, to the second for the library, and back. What was refused meanwhile is settled.
    let outcome = world.app(&["request", "acme/app"]).json();
    assert_eq!(outcome["refusals"], Value::Null);
    assert_eq!(
        (&outcome["exchanges"], &outcome["installed"]),
        (&3.into(), &Value::Bool(true))
    );
    assert!(world.greeting("acme/app").contains("Ada"));
    assert_eq!(world.version("acme/library"), Some(1));
    let log = world.admin(&["audit"]).ok();
    assert!(log.contains("update-succeeded"), "{log}");
}

// req: ARCH-047
// req: TEEP-AGENT-022
#[test]
fn what_one_tam_manages_another_can_not_take_until_its_key_is_gone() {
    let mut world = World::new();
    let (_second, folder, address, key) = world.another_tam("second");
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");
    let newer = world.manifest("acme/hello", 2, HELLO_2, "acme", &[]);
    world.admin_of(&folder, &address, &["publish", &newer]).ok();
    world
        .admin_of(&folder, &address, &["deploy", "acme/hello", "--to", "all"])
        .ok();

    let first = format!("{}={}", world.path("tam.pub.pem"), world.wire.url());
    let second = format!("{key}=http://{address}/tam");
    world.trust(&["--tam-key", &first, &second]);
    world.restart_broker(&[]);
    let outcome = world.app(&["policy-check"]).json();
    assert_eq!(outcome["exchanges"], 2);
    // Who asked for the check is told what the device refused.
    let refusals = outcome["refusals"].as_array().unwrap();
    assert_eq!(refusals.len(), 1);
    let refusal = text(&refusals[0]);
    for word in [
        "the TEE, to the TAM at http://",
        "ERR_MANIFEST_PROCESSING_FAILED",
        "acme/hello",
        "is managed by TAM",
    ] {
        assert!(refusal.contains(word), "no {word} in {refusal}");
    }
    assert_eq!(world.version("acme/hello"), Some(1));
    assert!(world.greeting("acme/hello").starts_with("Hello"));
    let audit = world.admin_of(&folder, &address, &["audit"]).ok();
    assert!(audit.contains("is managed by TAM"), "{audit}");

    // The device's maker ends the first one's part.
    let id = key_id(&mut world, "tam.pub.pem");
    world.trust(&["--revoke", &id]);
    world.policy_check();
    world.policy_check();
    assert_eq!(world.version("acme/hello"), Some(2));
}

/// The id of the TAM's key in a file, as `tee trust` lists it.
fn key_id(world: &mut World, file: &str) -> String {
    tamarack_tests::system::signal(world.tee.id(), "KILL");
    let data = world.path("tee");
    let listed = tamarack_tests::system::eventually("the folder is free", || {
        let finished = run(&["--json", "tee", "trust", "--data", &data]);
        (finished.code == Some(0)).then(|| finished.json())
    });
    world.restart_tee();
    let anchors = listed["anchors"].as_array().unwrap();
    let found = anchors.iter().find(|anchor| {
        text(&anchor["from"]).ends_with(&format!("/{file}"))
            && !text(&anchor["from"]).contains("second")
    });
    text(&found.unwrap()["key_id"]).to_owned()
}
