//! `tamarack manifest run` at work: a folder as a device, keys of all kinds, encrypted payloads, and the
//! published examples.

mod accounts;
mod encrypted_payloads;
mod kinds_of_keys;
mod published_examples;

use std::{fs, ops::Deref};

use serde_json::Value;
use tamarack_suit::{
    Identity, Report,
    directory::DirectoryDevice,
    report::{Reason, ReportResult},
};
use tamarack_tests::system::{self, Finished, Response, Server};

/// A folder with a key pair and a payload.
struct Folder(system::Folder);

impl Deref for Folder {
    type Target = system::Folder;

    fn deref(&self) -> &system::Folder {
        &self.0
    }
}

/// The device that most manifests here are for.
const LAMP: &str = "--vendor acme.example --class lamp";

impl Folder {
    fn new() -> Self {
        let this = Self(system::Folder::new());
        this.key("acme");
        this.write("app.bin", "lamp firmware, release 1");
        this
    }

    #[track_caller]
    fn create(&self, line: &str) {
        self.tamarack(&format!("manifest create {line}")).ok();
    }

    /// Runs a manifest on the folder `device`, trusting the key pair.
    #[track_caller]
    fn run(&self, line: &str) -> Finished {
        self.tamarack(&format!(
            "manifest run --components @device --key @acme.pub.pem {line}"
        ))
    }

    /// A manifest for the lamp that carries its payload.
    #[track_caller]
    fn lamp(&self, number: u64) {
        self.create(&format!(
            "--component lamp/app --payload @app.bin {LAMP} --invoke lamp/app -n {number} \
             --key @acme.pem --out @lamp-{number}.suit"
        ));
    }
}

fn changes(value: &Value) -> Vec<(&str, &str)> {
    let all = value["changes"].as_array().unwrap().iter();
    all.map(|one| {
        let word = |name: &str| one[name].as_str().unwrap_or_default();
        (word("change"), word("component"))
    })
    .collect()
}

#[test]
fn a_release_comes_and_goes() {
    let folder = Folder::new();
    folder.lamp(1);
    let done = folder.run(&format!("--json @lamp-1.suit {LAMP}")).json();
    assert_eq!(done["done"], true);
    assert_eq!(done["manifest"], "lamp/app/suit");
    assert_eq!(done["previous_sequence_number"], Value::Null);
    assert_eq!(changes(&done), [("wrote", "lamp/app")]);
    assert_eq!(done["changes"][0]["path"], "lamp+/app");
    assert_eq!(done["changes"][0]["bytes"], 24);
    assert_eq!(folder.read("device/lamp+/app"), folder.read("app.bin"));
    let found: Vec<&str> = done["found"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["property"].as_str().unwrap())
        .collect();
    assert_eq!(
        found,
        ["vendor-id", "class-id", "image-digest", "image-size"]
    );

    // The same again changes nothing; a newer one does; the older one is refused from then on.
    let again = folder.run(&format!("--json @lamp-1.suit {LAMP}")).json();
    assert!(changes(&again).is_empty());
    folder.write("app.bin", "lamp firmware, release 2");
    folder.lamp(2);
    let text = folder.run(&format!("@lamp-2.suit {LAMP}")).ok();
    assert!(text.contains("number 1 → 2"), "{text}");
    assert!(text.contains("acme.pub.pem"), "{text}");
    folder.run(&format!("@lamp-1.suit {LAMP}")).fails(
        1,
        &[
            "sequence number 1 is not newer than 2",
            "--uninstall lamp/app/suit",
        ],
    );
    assert_eq!(folder.read("device/lamp+/app"), folder.read("app.bin"));

    let started = folder
        .run(&format!("--json --invoke lamp/app/suit {LAMP}"))
        .json();
    assert_eq!(changes(&started), [("would start", "lamp/app")]);
    let gone = folder
        .run(&format!("--json --uninstall lamp/app/suit {LAMP}"))
        .json();
    assert_eq!(changes(&gone), [("removed", "lamp/app")]);
    assert!(!folder.has("device/lamp+"));
    folder
        .run("--invoke lamp/app/suit")
        .fails(1, &["no manifest is installed at lamp/app/suit"]);
}

#[test]
fn a_device_is_what_it_is_told_to_be() {
    let folder = Folder::new();
    folder.lamp(1);
    let said = folder
        .run("@lamp-1.suit")
        .fails(1, &["vendor-identifier", "shared sequence"]);
    let option = said.split("say ").nth(1).unwrap().lines().next().unwrap();
    // What the hint says works.
    let said = folder
        .run(&format!("@lamp-1.suit {option}"))
        .fails(1, &["class-identifier"]);
    let class = said.split("say ").nth(1).unwrap().lines().next().unwrap();
    assert!(!folder.has("device/lamp+"));
    folder.run(&format!("@lamp-1.suit {option} {class}")).ok();
    assert!(folder.has("device/lamp+/app"));
    folder
        .run("@lamp-1.suit --class lamp")
        .fails(2, &["a name is one within a vendor's", "--vendor"]);
    for wrong in [
        "--slot a",
        "--slot a=b",
        "--fetch x",
        "--nonce 0 --report @r",
        "--invoke a",
    ] {
        let finished = folder.run(&format!("@lamp-1.suit {wrong}"));
        assert_eq!(finished.code, Some(2), "{wrong}: {}", finished.stderr);
    }
}

#[test]
fn keys_are_trusted_below_their_prefixes_and_together() {
    let folder = Folder::new();
    folder.lamp(1);
    let trusting = |keys: &str| {
        folder.tamarack(&format!(
            "manifest run @lamp-1.suit --components @device {LAMP} {keys}"
        ))
    };
    trusting("--key @acme.pub.pem=door,tree").fails(1, &["no right", "--key"]);
    folder
        .tamarack("manifest verify @lamp-1.suit --key @acme.pub.pem=door")
        .fails(1, &["no right to lamp/app"]);
    folder
        .tamarack("key generate --algorithm ed25519 --out @auditor.pem --public @auditor.pub.pem")
        .ok();
    let both = "--key @acme.pub.pem=door,lamp --key @auditor.pub.pem --at-least 2";
    trusting(both).fails(1, &["1 of the 2 authorities"]);
    trusting("--key @acme.pub.pem --at-least 2").fails(2, &["only 1 key is given"]);
    trusting("--key @auditor.pub.pem").fails(1, &["not trusted", "manifest verify"]);
    folder
        .tamarack("manifest sign @lamp-1.suit --key @auditor.pem")
        .ok();
    trusting(both).ok();
    // A file may have an equals sign in its name.
    fs::copy(folder.path("acme.pub.pem"), folder.path("acme=door.pem")).unwrap();
    trusting("--key @acme=door.pem").ok();
}

#[test]
fn payloads_come_from_files_folders_and_servers() {
    let folder = Folder::new();
    let payload = folder.read("app.bin");
    let server = Server::start(move |request, _| {
        Some(match request.path.as_str() {
            "/app.bin" => Response {
                status: 200,
                body: payload.clone(),
                ..Response::default()
            },
            "/long.bin" => Response {
                status: 200,
                body: vec![7; 1 << 20],
                ..Response::default()
            },
            _ => Response {
                status: 404,
                ..Response::default()
            },
        })
    });
    let create = |name: &str, uri: &str| {
        folder.create(&format!(
            "--component lamp/app --payload @app.bin --uri {uri} -n 1 --key @acme.pem --out @{name}"
        ));
    };
    create("found.suit", &server.url("/app.bin"));
    create("missing.suit", &server.url("/missing.bin"));
    create("long.suit", &server.url("/long.bin"));
    create("coap.suit", "coap://acme.example/1/app.bin?x");
    folder
        .run("@missing.suit")
        .fails(1, &["404", "install", "--fetch"]);
    folder
        .run("@found.suit --offline")
        .fails(1, &["not available", "--offline"]);
    folder.run("@long.suit").fails(1, &["longer than 24 bytes"]);
    folder
        .run("@coap.suit")
        .fails(1, &["coap://acme.example/1/app.bin", "--fetch"]);
    assert!(!folder.has("device/lamp+"));
    let from = |finished: Finished| finished.json()["fetched"][0]["from"].clone();
    assert_eq!(from(folder.run("--json @found.suit")), "the network");
    let named = "--json @coap.suit --fetch coap://acme.example/1/app.bin?x=@app.bin";
    fs::remove_dir_all(folder.path("device")).unwrap();
    assert_eq!(from(folder.run(named)), folder.path("app.bin"));
    fs::remove_dir_all(folder.path("device")).unwrap();
    assert_eq!(
        from(folder.run("--json @coap.suit --payload-dir @")),
        folder.path("app.bin")
    );
    folder.write("other", "something else");
    fs::remove_dir_all(folder.path("device")).unwrap();
    folder
        .run("@coap.suit --fetch coap://acme.example/1/app.bin?x=@other")
        .fails(1, &["image-match"]);
}

#[test]
fn reports_are_written_and_shown() {
    let folder = Folder::new();
    folder.lamp(1);
    let line = "--report @report --nonce 00ff --capabilities";
    folder.run(&format!("@lamp-1.suit {line}")).fails(1, &[]);
    let report = Report::decode(&folder.read("report")).unwrap();
    let ReportResult::Failure { reason, .. } = report.result else {
        panic!("{report:?}");
    };
    assert_eq!(reason, Reason::ConditionFailed);
    assert_eq!(report.nonce.as_deref(), Some(&[0, 0xff][..]));
    assert!(report.capability_report.is_some());
    let shown = folder.tamarack("--json manifest show @report").json();
    assert_eq!(shown["nonce"], "00ff");
    assert_eq!(shown["result"]["reason"], "condition-failed");
    let text = folder.tamarack("manifest show @report").ok();
    assert!(text.contains("shared-sequence"), "{text}");

    folder
        .run(&format!("@lamp-1.suit {LAMP} --report @report"))
        .ok();
    let report = Report::decode(&folder.read("report")).unwrap();
    assert!(report.result.is_success() && report.capability_report.is_none());
    // Also of bytes that are no envelope.
    folder.write("broken", b"\xd8\x6b\xa1\x02");
    folder
        .run("@broken --report @report")
        .fails(1, &["ends too early", "SUIT envelope"]);
    let report = Report::decode(&folder.read("report")).unwrap();
    assert!(!report.result.is_success());
}

#[test]
fn a_folder_that_fails_makes_no_report_of_success() {
    let folder = Folder::new();
    let payload = folder.read("app.bin");
    let device = folder.path("device");
    // While the payload is on its way, something gets into the way of what is committed after it.
    let server = Server::start(move |request, _| {
        fs::create_dir_all(format!("{device}{}", request.path)).unwrap();
        Some(Response {
            status: 200,
            body: payload.clone(),
            ..Response::default()
        })
    });
    let create = |name: &str, obstacle: &str| {
        folder.create(&format!(
            "--component lamp/app --payload @app.bin --uri {} -n 1 --key @acme.pem --out @{name}",
            server.url(obstacle)
        ));
    };
    create("one.suit", "/lamp+/app/x");
    create("two.suit", "/.suit/records/x");
    folder
        .run("@one.suit --report @report")
        .fails(1, &["lamp+/app"]);
    assert!(!folder.has("device/.suit/records") && !folder.has("report"));
    fs::remove_dir_all(folder.path("device/lamp+")).unwrap();
    folder
        .run("@two.suit --report @report")
        .fails(3, &["committed", "completes the update"]);
    assert!(!folder.has("report"));
    fs::remove_dir_all(folder.path("device/.suit/records")).unwrap();
    let done = folder.run("--json @two.suit --report @report").json();
    assert!(changes(&done).is_empty());
    assert_eq!(folder.read("device/lamp+/app"), folder.read("app.bin"));
    let report = Report::decode(&folder.read("report")).unwrap();
    assert!(report.result.is_success());
}

#[test]
fn what_is_done_stays_done_without_a_report() {
    let folder = Folder::new();
    folder.lamp(1);
    folder
        .run(&format!("@lamp-1.suit {LAMP} --report /dev/full"))
        .fails(4, &["/dev/full", "all else is done"]);
    assert_eq!(folder.read("device/lamp+/app"), folder.read("app.bin"));
}

#[test]
fn an_old_report_says_nothing_of_a_later_run() {
    let folder = Folder::new();
    folder.lamp(1);
    let run = format!("@lamp-1.suit {LAMP} --report @report");
    folder.run(&run).ok();
    assert!(folder.has("report"));
    folder.write("device/.suit/records", "damaged");
    folder.run(&run).fails(1, &["damaged"]);
    assert!(!folder.has("report"));
}

#[test]
fn what_is_no_folder_is_called_that() {
    let folder = Folder::new();
    folder.lamp(1);
    folder
        .tamarack("manifest run @lamp-1.suit --components @app.bin --key @acme.pub.pem")
        .fails(1, &["app.bin: is no folder", "--components"]);
}

// req: SUIT-DEP-032
#[test]
fn whoever_depends_on_another_release_is_named() {
    let folder = Folder::new();
    for number in [1, 2] {
        folder.write("library", format!("library {number}"));
        folder.create(&format!(
            "--component lib/radio --payload @library -n {number} --key @acme.pem --out @lib-{number}"
        ));
    }
    folder.create(
        "--component dev/app --payload @app.bin --depends-on @lib-1=#lib -n 1 --key @acme.pem --out @dev",
    );
    folder.run("@dev").ok();
    let named = folder.run("--json @lib-2").json();
    assert_eq!(named["outdated_dependents"][0], "dev/app/suit");
    folder
        .run("--invoke dev/app/suit")
        .fails(1, &["it holds another manifest"]);
    // The same again, for people.
    let text = folder.run("@lib-2").ok();
    assert!(
        text.contains("dev/app/suit depends on another release"),
        "{text}"
    );
}

#[test]
fn payloads_of_any_size_are_measured_and_fetched() {
    let folder = Folder::new();
    let large = std::fs::File::create(folder.path("large.bin")).unwrap();
    large.set_len((256 << 20) + 1).unwrap();
    folder.create(
        "--component big/a --payload @large.bin --uri http://a.example/large.bin -n 1 \
         --key @acme.pem --out @large.suit",
    );
    let run = "@large.suit --payload-dir @. --offline";
    folder.run(run).fails(1, &["--max-payload"]);
    folder.run(&format!("{run} --max-payload 300000000")).ok();
    let installed = fs::metadata(folder.path("device/big+/a")).unwrap();
    assert_eq!(installed.len(), (256 << 20) + 1);
}

#[test]
fn one_process_at_a_time_works_on_a_folder() {
    let folder = Folder::new();
    folder.lamp(1);
    let device = DirectoryDevice::open(folder.path("device"), Identity::default()).unwrap();
    folder
        .run(&format!("@lamp-1.suit {LAMP}"))
        .fails(3, &["another process"]);
    drop(device);
    folder.run(&format!("@lamp-1.suit {LAMP}")).ok();
}
