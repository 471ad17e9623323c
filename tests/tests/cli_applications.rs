//! What docs/applications.md shows, run; and streams through real processes.

use std::{
    fs,
    os::unix::{fs::symlink, process::CommandExt},
    process::{Command, Stdio},
};

use tamarack_tests::{
    system::{World, binary, run, signal, tamarack},
    wasm::{COUNT, DOOR_LOCK, HELLO_1, SIGN, VAULT},
    wat::application,
};

/// Command of the door lock with an id and a PIN.
const UNLOCK_PIN: u32 = 3;

/// Command of the door lock with the number of a segment.
const LOG: u32 = 4;

/// The application of the page: copies its streamed input to its streamed output.
fn copy() -> Vec<u8> {
    let invoke = "(func $invoke (param i32 i32) (result i32) (call $copy))";
    wat::parse_str(application("", invoke)).unwrap()
}

/// A device for which a TAM has both applications of the page.
fn world() -> World {
    let world = World::new();
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.publish("acme/copy", 1, &copy(), "acme");
    for component in ["acme/hello", "acme/copy"] {
        world.admin(&["deploy", component, "--on-request"]).ok();
    }
    world
}

/// The shell commands of a page, in their order.
fn commands(page: &str) -> String {
    let mut on = false;
    let mut found = String::from("set -euxo pipefail\n");
    for line in page.lines() {
        match line {
            "```sh" => on = true,
            "```" => on = false,
            _ if on => found += &format!("{line}\n"),
            _ => {}
        }
    }
    found
}

#[test]
fn the_page_for_applications_does_what_it_says() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no curl");
        return;
    }
    let world = world();
    let script = commands(include_str!("../../docs/applications.md"));
    let bin = world.folder.join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(binary(), bin.join("tamarack")).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    // A group of its own: what is left in the background ends with it.
    let mut shell = Command::new("timeout");
    shell
        .args(["--kill-after=1", "60", "bash", "-c", &script])
        .current_dir(&world.folder)
        .env("PATH", path)
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(world.path("script.log")).unwrap())
        .process_group(0);
    let child = shell.spawn().unwrap();
    let group = child.id();
    let output = child.wait_with_output().unwrap();
    let _ = Command::new("sh")
        .args(["-c", &format!("kill -- -{group} 2>&-")])
        .status();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = fs::read_to_string(world.path("script.log")).unwrap();
    assert!(output.status.success(), "{said}\n{log}");
    // It ran to its end, and the applications answered.
    assert!(log.contains("tamarack app session close"), "{log}");
    for word in [
        "Hello from inside the TEE, Ada!",
        "\"installed\":true",
        "acme/copy",
        "\"tees\"",
        "closed",
    ] {
        assert!(said.contains(word), "{word} in {said}\n{log}");
    }
    let status = fs::read_to_string(world.path("status")).unwrap();
    let cancelled = fs::read_to_string(world.path("cancelled")).unwrap();
    assert_eq!(status, "409", "{cancelled}");
    assert!(cancelled.contains("cancelled"), "{cancelled}");
}

#[test]
fn forty_megabytes_stream_through_a_device_that_does_not_hold_them() {
    let world = world();
    world.app(&["request", "acme/copy"]).ok();
    let data: Vec<u8> = (0..40_u32 << 20).map(|at| (at % 251) as u8).collect();
    let (from, to) = (world.write("data", &data), world.path("copy"));
    let stream = [
        "stream",
        "acme/copy",
        "1",
        "--input-file",
        &from,
        "--output-file",
        &to,
    ];
    // What the first commands cost is not what the length costs.
    let small = world.write("small", b"Ada");
    let first = [
        "stream",
        "acme/copy",
        "1",
        "--input-file",
        &small,
        "--output-file",
        &to,
    ];
    world.app(&first).ok();
    assert_eq!(fs::read(&to).unwrap(), b"Ada");
    let onto_itself = ["stream", "acme/copy", "1", "--input-file", &to];
    world
        .app(&[&onto_itself[..], &["--output-file", &to]].concat())
        .fails(2, &["--output-file", "is an input too"]);
    assert_eq!(fs::read(&to).unwrap(), b"Ada");
    let before = [world.broker.peak_kib(), world.tee.peak_kib()];
    assert_eq!(world.app(&stream).json()["bytes"], data.len());
    assert!(fs::read(&to).unwrap() == data);
    let after = [world.broker.peak_kib(), world.tee.peak_kib()];
    for (before, after) in before.iter().zip(after) {
        assert!(after - before < 10 << 10, "from {before} to {after} KiB");
    }
}

#[test]
fn a_command_whose_process_is_killed_leaves_its_session_free() {
    let world = world();
    world.app(&["request", "acme/copy"]).ok();
    let session = world.app(&["session", "open", "acme/copy"]).json()["session"].to_string();
    let socket = world.path("app.sock");
    let state = |world: &World| {
        let list = world.app(&["session", "list"]).json();
        list["sessions"][0].clone()
    };
    let stream = [
        "app", "--socket", &socket, "session", "stream", &session, "1",
    ];
    let mut waiting = tamarack(&stream)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    tamarack_tests::system::eventually("the command runs", || {
        (state(&world)["running"] == 1).then_some(())
    });
    signal(waiting.id(), "KILL");
    waiting.wait().unwrap();
    let ended = tamarack_tests::system::eventually("the command is over", || {
        let state = state(&world);
        state["running"].is_null().then_some(state)
    });
    assert!(
        ended["last"]["error"]
            .as_str()
            .unwrap()
            .contains("went away"),
        "{ended}"
    );
    // The application took note in time, so that its session lives.
    assert_eq!(ended["ended"], false);
    world.app(&["session", "close", &session]).ok();
}

#[test]
fn parameters_have_types_and_results_have_names() {
    let world = World::new();
    for (component, code) in [("acme/door", DOOR_LOCK), ("acme/vault", VAULT)] {
        world.publish(component, 1, code, "acme");
        world.deploy(component);
    }
    world.policy_check();
    let socket = world.path("app.sock");
    let invoke = |component: &str, command: u32, more: &[&str]| {
        let command = command.to_string();
        let invoke = ["app", "--socket", &socket, "invoke", component, &command];
        run(&[&invoke, more].concat())
    };

    // Two parameters, one, and none.
    let pin = ["--arg", "text:nobody", "--arg", "text:0000"];
    let decision = invoke(
        "acme/door",
        UNLOCK_PIN,
        &[&pin[..], &["--output", "u8"]].concat(),
    );
    assert_eq!(decision.ok(), "1\n", "denied");
    let segment = invoke("acme/door", LOG, &["--arg", "u32:0", "--output", "hex"]).ok();
    assert!(segment.starts_with("d284"), "a COSE_Sign1: {segment}");
    invoke("acme/door", LOG, &["--arg", "u64:0"])
        .fails(3, &["returned BAD_FORMAT (0xffff0005)", "--arg"]);
    assert!(
        !invoke("acme/vault", SIGN, &["--arg", "hex:00ff"])
            .bytes()
            .is_empty()
    );

    // To a pipe goes what the application answers, and no byte more.
    assert_eq!(invoke("acme/vault", COUNT, &[]).bytes(), 1u64.to_be_bytes());
    assert_eq!(
        invoke("acme/vault", COUNT, &["--output", "u64"]).ok(),
        "1\n"
    );
    let base64 = invoke("acme/vault", COUNT, &["--output", "base64"]).ok();
    assert_eq!(base64, "AAAAAAAAAAE=\n");
    invoke("acme/vault", COUNT, &["--output", "u32"])
        .fails(1, &["no u32, but 8 bytes", "--output hex"]);

    // A result by its name, for people and for programs.
    let unknown = ["returned NOT_SUPPORTED (0xffff000a)", "no such command"];
    invoke("acme/vault", 99, &[]).fails(3, &unknown);
    let unknown = world.app(&["invoke", "acme/vault", "99"]);
    let answer: serde_json::Value = serde_json::from_slice(&unknown.stdout).unwrap();
    assert_eq!(answer["result_name"], "NOT_SUPPORTED");
}
