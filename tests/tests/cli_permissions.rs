//! What users of a device may do with Trusted Applications, tried by processes of other users.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::{Command, Stdio},
};

use serde_json::Value;
use tamarack_tests::{
    system::{Finished, World, copy_binary, eventually, is_root, signal},
    wasm::HELLO_1,
};

const SOCKET_GROUP: u32 = 2000;
const OPERATORS: u32 = 2001;
const APPLICATION: u32 = 1001;
const STRANGER: u32 = 65534;

/// Exit code of what is not permitted.
const DENIED: i32 = 4;

/// A world that users other than the one who runs the tests can get at; none if those can't be played.
fn world() -> Option<World> {
    if !is_root() {
        eprintln!("SKIPPED: only root can run processes of other users");
        return None;
    }
    let world = World::new();
    fs::set_permissions(&world.folder, fs::Permissions::from_mode(0o755)).unwrap();
    copy_binary(world.path("tamarack"));
    for component in ["acme/hello", "acme/other", "globex/hello"] {
        let signer = component.split('/').next().unwrap();
        world.publish(component, 1, HELLO_1, signer);
        world.deploy(component);
    }
    assert_eq!(world.policy_check(), 1);
    Some(world)
}

/// Runs `tamarack app` as this user, in this group and in no other.
fn app(world: &World, user: u32, group: u32, arguments: &[&str]) -> Finished {
    let socket = world.path("app.sock");
    let arguments = [&["--json", "app", "--socket", &socket], arguments].concat();
    let mut command = Command::new(world.path("tamarack"));
    command
        .args(&arguments)
        .uid(user)
        .gid(group)
        .current_dir("/")
        .env_clear()
        .stdin(Stdio::null());
    Finished::of(&arguments, command)
}

const RULES: &str = r#"{"rules": [
    {"users": [1001], "open": ["acme/hello"], "list": ["acme/*"]},
    {"groups": [2001], "request": ["acme/other"], "unrequest": ["*"], "check_policy": true}
]}"#;

/// Starts the broker again, with rules.
fn give_rules(world: &mut World) -> String {
    let file = world.write("permissions.json", RULES);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let tam = world.wire.url();
    world.restart_broker(&[
        "--tam",
        &tam,
        "--permissions",
        &file,
        "--socket-group",
        "2000",
        "--sessions-per-user",
        "2",
    ]);
    file
}

fn names(list: &Value) -> Vec<&str> {
    let components = list["components"].as_array().unwrap();
    components
        .iter()
        .map(|found| found["component"].as_str().unwrap())
        .collect()
}

#[test]
fn a_user_may_do_what_rules_say_and_nothing_else() {
    let Some(mut world) = world() else { return };
    let hello = ["invoke", "acme/hello", "1", "--input", "Ada"];

    // Without rules, being in the group of the socket is not enough.
    for arguments in [
        &hello[..],
        &["list"],
        &["tees"],
        &["request", "acme/hello"],
        &["policy-check"],
    ] {
        app(&world, APPLICATION, 0, arguments)
            .fails(DENIED, &["user 1001 may not", "--permissions"]);
    }
    let file = give_rules(&mut world);

    let greeting = app(&world, APPLICATION, SOCKET_GROUP, &hello).json();
    assert!(greeting["output_text"].as_str().unwrap().contains("Ada"));
    let list = app(&world, APPLICATION, SOCKET_GROUP, &["list"]).json();
    assert_eq!(names(&list), ["acme/hello", "acme/other"]);
    app(&world, APPLICATION, SOCKET_GROUP, &["tees"]).ok();
    for (arguments, words) in [
        (
            &["invoke", "globex/hello", "1"][..],
            "may not open globex/hello",
        ),
        (&["invoke", "acme/other", "1"], "may not open acme/other"),
        // That it does not exist is nobody's business.
        (
            &["invoke", "globex/nothing", "1"],
            "may not open globex/nothing",
        ),
        (
            &["session", "open", "globex/hello"],
            "may not open globex/hello",
        ),
        (
            &["stream", "globex/hello", "1"],
            "may not open globex/hello",
        ),
        (&["request", "acme/hello"], "may not request acme/hello"),
        (&["unrequest", "acme/hello"], "may not unrequest acme/hello"),
        (&["policy-check"], "may not check_policy"),
    ] {
        app(&world, APPLICATION, SOCKET_GROUP, arguments)
            .fails(DENIED, &["user 1001", words, &file]);
    }
    // A user without a rule, and one who can't even connect.
    for arguments in [&hello[..], &["list"], &["tees"]] {
        app(&world, STRANGER, SOCKET_GROUP, arguments).fails(DENIED, &["user 65534 may not"]);
    }
    app(&world, APPLICATION, APPLICATION, &hello).fails(DENIED, &["can't be reached", "group"]);

    // Group rules count for the group of a process, and for its supplementary ones.
    let socket = world.path("app.sock");
    let operators = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--groups=2000,2001"])
            .arg(world.path("tamarack"))
            .args(["--json", "app", "--socket", &socket])
            .args(arguments)
            .current_dir("/")
            .env_clear()
            .env("PATH", "/usr/bin:/bin");
        Finished::of(arguments, command)
    };
    assert_eq!(
        operators(&["request", "acme/other"]).json()["installed"],
        true
    );
    operators(&["policy-check"]).ok();
    operators(&["request", "acme/hello"]).fails(DENIED, &["user 65534 may not request acme/hello"]);
    operators(&["invoke", "acme/other", "1"]).fails(DENIED, &["may not open acme/other"]);
    assert_eq!(OPERATORS, 2001);

    // Root needs no rule, and the log has who was turned away.
    assert_eq!(names(&world.app(&["list"]).json()).len(), 5);
    let log = world.broker.log();
    assert!(log.contains("an application was denied"), "{log}");
    assert!(log.contains("globex/nothing"), "{log}");
}

#[test]
fn a_session_is_its_users_alone() {
    let Some(mut world) = world() else { return };
    give_rules(&mut world);
    let number = |opened: Finished| opened.json()["session"].to_string();
    let open = ["session", "open", "acme/hello"];
    let roots = number(world.app(&open));
    let own = number(app(&world, APPLICATION, SOCKET_GROUP, &open));

    for (user, group, session) in [
        (APPLICATION, SOCKET_GROUP, &roots),
        (STRANGER, SOCKET_GROUP, &own),
        (STRANGER, SOCKET_GROUP, &roots),
        (0, 0, &own),
    ] {
        for arguments in [
            &["session", "invoke", session, "1"][..],
            &["session", "stream", session, "1"],
            &["session", "cancel", session],
            &["session", "close", session],
        ] {
            app(&world, user, group, arguments).fails(DENIED, &["another user's"]);
        }
        let list = app(&world, user, group, &["session", "list"]).ok();
        assert!(!list.contains(session.as_str()), "{list}");
    }
    // Nothing came of it.
    for (user, group, session) in [(0, 0, &roots), (APPLICATION, SOCKET_GROUP, &own)] {
        let invoke = ["session", "invoke", session, "1", "--input", "Ada"];
        let greeting = app(&world, user, group, &invoke).json();
        assert!(greeting["output_text"].as_str().unwrap().contains("Ada"));
    }

    // A user's sessions are so many, and nobody else's fewer for it.
    number(app(&world, APPLICATION, SOCKET_GROUP, &open));
    app(&world, APPLICATION, SOCKET_GROUP, &open).fails(1, &["user 1001 has 2 sessions open"]);
    app(
        &world,
        APPLICATION,
        SOCKET_GROUP,
        &["invoke", "acme/hello", "1"],
    )
    .fails(1, &["2 sessions"]);
    number(world.app(&open));
    app(
        &world,
        APPLICATION,
        SOCKET_GROUP,
        &["session", "close", &own],
    )
    .ok();
    number(app(&world, APPLICATION, SOCKET_GROUP, &open));
}

#[test]
fn rules_are_read_again_and_broken_ones_are_not_taken() {
    let Some(mut world) = world() else { return };
    let file = give_rules(&mut world);
    let hello = ["invoke", "acme/hello", "1", "--input", "Ada"];
    let replace = |text: &str| {
        let new = world.write("new.json", text);
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644)).unwrap();
        fs::rename(new, &file).unwrap();
    };
    app(&world, STRANGER, SOCKET_GROUP, &hello).fails(DENIED, &["65534"]);
    replace(r#"{"rules": [{"users": ["*"], "open": ["acme/hello"]}]}"#);
    signal(world.broker.id(), "HUP");
    eventually("the new rules hold", || {
        (app(&world, STRANGER, SOCKET_GROUP, &hello).code == Some(0)).then_some(())
    });

    replace(r#"{"rules": [{"users": [1], "open": ["*"], "close": ["*"]}]}"#);
    signal(world.broker.id(), "HUP");
    eventually("the log says what is wrong", || {
        world
            .broker
            .log()
            .contains("unknown field `close`")
            .then_some(())
    });
    app(&world, STRANGER, SOCKET_GROUP, &hello).ok();
    // A change is seen without being told.
    replace(RULES);
    eventually("the old rules hold again", || {
        (app(&world, STRANGER, SOCKET_GROUP, &hello).code == Some(DENIED)).then_some(())
    });

    // At the start there are no old rules.
    let (tee, socket) = (world.path("tee.sock"), world.path("other.sock"));
    let serve = |file: &str| {
        tamarack_tests::system::run(&[
            "broker",
            "serve",
            "--tee",
            &tee,
            "--socket",
            &socket,
            "--permissions",
            file,
        ])
    };
    let broken = world.write("broken.json", r#"{"rules": [{"users": [1]}]}"#);
    serve(&broken).fails(1, &[&broken, "rule 1: it allows nothing"]);
    let open = world.write("open.json", RULES);
    fs::set_permissions(&open, fs::Permissions::from_mode(0o666)).unwrap();
    serve(&open).fails(1, &[&open, "chmod"]);
    serve(&world.path("none.json")).fails(1, &["none.json"]);
}
