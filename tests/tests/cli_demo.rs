//! `tamarack demo`: it walks all the way, and whatever happens it leaves no process behind.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::Stdio,
};

use serde_json::Value;
use tamarack_tests::system::{alive, children, eventually, run, signal, tamarack};

const STEPS: [&str; 14] = [
    "start",
    "enroll",
    "attest",
    "create-domain",
    "install",
    "invoke",
    "update",
    "personalize",
    "reject-tampered",
    "reject-replayed",
    "reject-downgraded",
    "reject-foreign-signer",
    "delete",
    "verify-gone",
];

/// The numbers in a sentence: the process ids in what `start` says.
fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect()
}

#[test]
fn the_demo_takes_all_steps_in_order_and_leaves_nothing_running() {
    let text = run(&["demo", "--json"]).ok();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let steps: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["step"].as_str())
        .collect();
    assert_eq!(steps[..14], STEPS);
    for line in &lines[..14] {
        assert_eq!(line["ok"], true, "{line}");
        assert!(line["ms"].is_u64(), "{line}");
        assert!(
            line["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{line}"
        );
    }
    assert!(lines[14..].iter().all(|line| line["ok"] == true), "{text}");
    let processes = numbers(lines[0]["detail"].as_str().unwrap());
    assert_eq!(processes.len(), 3, "{}", lines[0]);
    assert!(processes.into_iter().all(|process| !alive(process)));
}

#[test]
fn the_demo_speaks_to_people_and_keeps_what_it_made() {
    let folder = tempfile::tempdir().unwrap();
    let keep = folder.path().join("kept");
    let keep_text = keep.to_str().unwrap();
    let text = run(&["demo", "--keep", keep_text]).ok();
    assert_eq!(text.trim_end().lines().last(), Some("demo: ok"), "{text}");
    for step in STEPS {
        let told = text
            .lines()
            .filter(|line| line.starts_with(&format!("✓ {step} ")));
        assert_eq!(told.count(), 1, "{step}: {text}");
    }
    assert!(!text.contains('\x1b'), "colours are for terminals");
    for secret in [
        "keys/acme.pem",
        "tam/keys/esp256.pem",
        "tam/admin.token",
        "tee/platform/root.key",
    ] {
        let mode = keep.join(secret).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{secret}");
    }
    // What is there already is not mixed with a second demo.
    run(&["demo", "--keep", keep_text]).fails(1, &[keep_text, "not empty"]);
}

/// Interrupts a demo once `ready` says so. It must end, and so must all that it started.
fn interrupted(name: &str, step: Option<&str>) {
    let mut demo = tamarack(&["demo", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    match step {
        None => drop(eventually("a process is started", || {
            children(demo.id()).pop()
        })),
        Some(step) => {
            let wanted = format!("\"step\":\"{step}\"");
            assert!(lines.any(|line| line.unwrap().contains(&wanted)));
        }
    }
    let started = children(demo.id());
    assert!(!started.is_empty());
    signal(demo.id(), name);
    let status = eventually("the demo stops", || demo.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
    eventually("its processes stop", || {
        started.iter().all(|process| !alive(*process)).then_some(())
    });
    let said = std::io::read_to_string(demo.stderr.take().unwrap()).unwrap();
    assert!(
        said.contains("stopped") && !said.contains("panicked"),
        "{said}"
    );
}

#[test]
fn ctrl_c_in_the_middle_of_the_demo_stops_everything() {
    interrupted("INT", Some("install"));
}

#[test]
fn ctrl_c_while_the_demo_starts_stops_everything() {
    interrupted("INT", None);
}

#[test]
fn a_request_to_terminate_stops_everything_too() {
    interrupted("TERM", Some("update"));
}
