//! What docs/applications.md shows, run; and streams through real processes.

use std::{
    fs,
    os::unix::{fs::symlink, process::CommandExt},
    process::{Command, Stdio},
};

use tamarack_tests::{
    system::{World, binary, signal, tamarack},
    wasm::HELLO_1,
    wat::application,
};

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
    assert_eq!(fs::read_to_string(world.path("status")).unwrap(), "409");
    let cancelled = fs::read_to_string(world.path("cancelled")).unwrap();
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
