//! `tamarack manifest run` at work: a folder as a device, keys of all kinds, encrypted payloads, and the
//! published examples.

use std::{fs, ops::Deref, thread};

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::Value;
use tamarack_cose::{CryptoProvider, Signed, cbor::Reader, rustcrypto};
use tamarack_suit::{
    ComponentId, Device, Envelope, Identity, Report,
    directory::DirectoryDevice,
    report::{Reason, ReportResult},
};
use tamarack_tests::system::{self, Finished, Response, Server, vectors};

/// A folder with a key pair and a payload.
struct Folder {
    folder: system::Folder,
    crypto: CryptoProvider,
}

impl Deref for Folder {
    type Target = system::Folder;

    fn deref(&self) -> &system::Folder {
        &self.folder
    }
}

/// The device that most manifests here are for.
const LAMP: &str = "--vendor acme.example --class lamp";

impl Folder {
    fn new() -> Self {
        let this = Self {
            folder: system::Folder::new(),
            crypto: rustcrypto::provider(),
        };
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
    assert_eq!(changes(&started), [("started", "lamp/app")]);
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
        .fails(1, &["a name is one within a vendor's", "--vendor"]);
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
    trusting("--key @acme.pub.pem --at-least 2").fails(1, &["only 1 different"]);
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
        .run(&format!("@lamp-1.suit {LAMP} --report @gone/report"))
        .fails(1, &["gone/report", "only the report is missing"]);
    assert_eq!(folder.read("device/lamp+/app"), folder.read("app.bin"));
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

#[test]
fn encrypted_payloads_reach_their_devices() {
    let folder = Folder::new();
    for algorithm in ["x25519", "ecdh-p256"] {
        folder
            .tamarack(&format!(
                "key generate --algorithm {algorithm} --out @{algorithm} --public @{algorithm}.pub"
            ))
            .ok();
    }
    folder
        .tamarack("key generate --algorithm a256kw --format cose --out @kek")
        .ok();
    folder
        .tamarack("key generate --algorithm x25519 --out @stranger")
        .ok();
    let everybody =
        "--encrypt-to @x25519.pub=0x0102 --encrypt-to @ecdh-p256.pub=lamp-7 --encrypt-to @kek";
    for (number, how) in [
        (1, ""),
        (2, "--exchange hpke --encrypt-with chacha20-poly1305"),
        (
            3,
            "--encrypt-with a256ctr --uri https://x/app.enc --ciphertext @app.enc",
        ),
        (4, "--encrypt-with a192cbc"),
    ] {
        let secret = format!("secret firmware {number}");
        folder.write("app.bin", &secret);
        folder.create(&format!(
            "--component lamp/app --payload @app.bin -n {number} {everybody} {how} \
             --key @acme.pem --out @lamp.suit"
        ));
        let envelope = folder.read("lamp.suit");
        assert!(!envelope.windows(6).any(|bytes| bytes == b"secret"));
        let from = "--payload-dir @";
        folder
            .run(&format!("@lamp.suit {from}"))
            .fails(1, &["--decrypt"]);
        folder
            .run(&format!("@lamp.suit {from} --decrypt @stranger"))
            .fails(1, &["--decrypt"]);
        for key in ["x25519=0x0102", "x25519", "ecdh-p256=lamp-7", "kek"] {
            let device = format!("device-{number}-{}", key.replace('=', "-"));
            let done = folder.tamarack(&format!(
                "--json manifest run @lamp.suit --components @{device} --key @acme.pub.pem \
                 {from} --decrypt @{key}"
            ));
            let done = done.json();
            let expected = [
                ("wrote", "lamp/app/encrypted"),
                ("wrote", "lamp/app"),
                ("removed", "lamp/app/encrypted"),
            ];
            assert_eq!(changes(&done), expected, "{key}");
            assert_eq!(
                folder.read(&format!("{device}/lamp+/app")),
                secret.as_bytes()
            );
            assert!(!folder.has(&format!("{device}/lamp+/app+")));
        }
    }
    let text = folder.tamarack("manifest show @lamp.suit").ok();
    for word in [
        "A192CBC",
        "ECDH-ES + A128KW",
        "lamp-7",
        "A256KW",
        "encryption-info",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn what_was_encrypted_before_goes_into_a_manifest() {
    let folder = Folder::new();
    folder
        .tamarack("key generate --algorithm ecdh-p256 --format jwk --out @device.jwk")
        .ok();
    // Longer than what is encrypted at a time.
    let payload: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    folder.write("big.bin", &payload);
    let encrypted = folder.tamarack(
        "--json manifest encrypt @big.bin --component lamp/app --recipient @device.jwk=kid-9 --out @big.enc --info @big.info",
    );
    let encrypted = encrypted.json();
    assert_eq!(encrypted["plaintext_bytes"], 300_000);
    assert_eq!(encrypted["ciphertext_bytes"], 300_016);
    let line = "--component lamp/app --payload @big.bin --uri https://x/big.enc -n 1 --key @acme.pem --out @l";
    folder
        .tamarack(&format!(
            "manifest create {line} --encryption-info @big.info"
        ))
        .fails(1, &["--ciphertext is missing"]);
    folder
        .tamarack(&format!("manifest create {line} --ciphertext @big.enc"))
        .fails(1, &["--encrypt-to"]);
    folder
        .tamarack(&format!(
            "manifest create {line} --ciphertext @big.enc --encryption-info @big.bin"
        ))
        .fails(1, &["big.bin"]);
    for uri in ["", "--uri #app"] {
        folder
            .tamarack(&format!(
                "manifest create --component a --payload @big.bin {uri} --ciphertext @never \
                 --encrypt-to @device.jwk -n 1 --out @l"
            ))
            .fails(2, &["--component a", "--ciphertext", "--uri"]);
        assert!(!folder.has("never") && !folder.has("l"));
    }
    folder.create(&format!(
        "{line} --ciphertext @big.enc --encryption-info @big.info"
    ));
    folder.run("@l --decrypt @device.jwk --payload-dir @").ok();
    assert_eq!(folder.read("device/lamp+/app"), payload);
    let mut spoiled = folder.read("big.enc");
    spoiled[70_000] ^= 1;
    folder.write("big.enc", spoiled);
    fs::remove_dir_all(folder.path("device")).unwrap();
    folder
        .run("@l --decrypt @device.jwk --payload-dir @")
        .fails(1, &["image-match"]);
    assert!(!folder.has("device/lamp+"));
    // Either may go to standard output, where nothing else goes then.
    let encrypt = "manifest encrypt @big.bin --component lamp/app --recipient @device.jwk=kid-9";
    let piped = folder.tamarack(&format!("{encrypt} --out - --info @big.info"));
    folder.write("big.enc", piped.bytes());
    folder.create(&format!(
        "{line} --ciphertext @big.enc --encryption-info @big.info"
    ));
    folder.run("@l --decrypt @device.jwk --payload-dir @").ok();
    assert_eq!(folder.read("device/lamp+/app"), payload);
    let piped = folder.tamarack(&format!("{encrypt} --out @big.enc --info -"));
    folder.write("big.info", piped.bytes());
    fs::remove_dir_all(folder.path("device")).unwrap();
    folder.create(&format!(
        "{line} --ciphertext @big.enc --encryption-info @big.info"
    ));
    folder.run("@l --decrypt @device.jwk --payload-dir @").ok();
    folder
        .tamarack(&format!("{encrypt} --out - --info -"))
        .fails(2, &["--out", "--info"]);
    folder
        .tamarack("manifest encrypt @big.bin --any-component --recipient @acme.pub.pem --recipient @nobody --out @x --info @y")
        .fails(1, &["nobody"]);
    folder
        .tamarack("key generate --algorithm ed25519 --out @ed")
        .ok();
    folder
        .tamarack("manifest encrypt @big.bin --any-component --recipient @ed --out @x --info @y")
        .fails(1, &["X25519"]);
    folder
        .tamarack("manifest encrypt @big.bin --recipient @device.jwk --out @x --info @y")
        .fails(2, &["--component <ID>", "--any-component"]);
    assert!(!folder.has("x") && !folder.has("y"));
}

#[test]
fn a_payload_for_a_component_is_for_no_other() {
    let folder = Folder::new();
    folder
        .tamarack("key generate --algorithm ecdh-p256 --format jwk --out @device.jwk")
        .ok();
    folder.write("app.bin", b"for the lamp");
    let encrypt = |target: &str| {
        let to = format!("{target} --recipient @device.jwk --out @app.enc --info @app.info");
        let line = format!("--json manifest encrypt @app.bin {to}");
        folder.tamarack(&line).json()["component"].clone()
    };
    let create = |component: &str| {
        folder.tamarack(&format!(
            "manifest create --component {component} --payload @app.bin --uri #app --ciphertext @app.enc \
             --encryption-info @app.info -n 1 --key @acme.pem --out @l"
        ))
    };
    assert_eq!(encrypt("--any-component"), serde_json::Value::Null);
    create("lamp/other").ok();
    assert_eq!(encrypt("--component lamp/app"), "lamp/app");
    create("lamp/other").fails(1, &["lamp/other", "encrypted for another component"]);
    create("lamp/app").ok();
    let shown = folder.tamarack("manifest show @l").ok();
    assert!(shown.contains("for-component"), "{shown}");
    folder.run("@l --decrypt @device.jwk").ok();
    assert_eq!(folder.read("device/lamp+/app"), b"for the lamp");
}

#[test]
fn shared_keys_vouch_for_manifests() {
    let folder = Folder::new();
    for algorithm in ["hmac256", "hmac384", "hmac512", "a128kw", "a256kw"] {
        let key = format!("@{algorithm}");
        folder
            .tamarack(&format!("key generate --algorithm {algorithm} --out {key}"))
            .ok();
        folder
            .tamarack(&format!("key convert {key} --format cose --out {key}.cose"))
            .ok();
        let ids = [key.clone(), format!("{key}.cose")]
            .map(|key| folder.tamarack(&format!("key thumbprint {key}")).ok());
        assert_eq!(ids[0], ids[1]);
        let line =
            format!("--component c/{algorithm} --payload @app.bin -n 1 --key {key} --out @m");
        folder.create(&line);
        for key in [&key, &format!("{key}.cose")] {
            folder
                .tamarack(&format!("manifest verify @m --key {key}"))
                .ok();
            folder
                .tamarack(&format!("manifest run @m --components @device --key {key}"))
                .ok();
        }
        folder
            .tamarack("manifest verify @m --key @acme.pub.pem")
            .fails(1, &["not trusted"]);
        folder.tamarack("manifest sign @m --key @acme.pem").ok();
        folder
            .tamarack(&format!(
                "manifest verify @m --key {key} --key @acme.pub.pem --at-least 2"
            ))
            .ok();
    }
    folder
        .tamarack("manifest verify @m --key @hmac256 --key @a256kw --all")
        .fails(1, &["1 of 2 keys"]);
    folder
        .tamarack("key generate --algorithm hmac256 --format pem --out @x")
        .fails(1, &["no PEM"]);
    folder
        .tamarack("key generate --algorithm hmac256 --public @y --out @x")
        .fails(1, &["no public half"]);
    folder
        .tamarack("key show @hmac256 --format jwk")
        .fails(1, &["no public half"]);
    assert!(!folder.tamarack("key show @hmac256").ok().contains("\"k\""));
}

fn next(folder: &Folder) -> u64 {
    let state: Value = serde_json::from_slice(&folder.read("hss.state")).unwrap();
    assert!(state["warning"].as_str().unwrap().contains("Never"));
    state["next"].as_u64().unwrap()
}

#[test]
fn hash_based_signatures_are_counted() {
    let folder = Folder::new();
    folder
        .tamarack("key generate --algorithm hss-lms --levels 5/8 --out @hss --public @hss.pub")
        .ok();
    assert_eq!(next(&folder), 0);
    let line = "--component c --payload @app.bin -n 1";
    folder.create(&format!("{line} --key @hss --out @m"));
    assert_eq!(next(&folder), 1);
    folder.tamarack("manifest verify @m --key @hss.pub").ok();
    folder
        .tamarack("manifest run @m --components @device --key @hss.pub")
        .ok();
    // Looking costs nothing.
    let shown = folder.tamarack("--json key show @hss").json();
    assert_eq!(
        (&shown["signatures"], &shown["capacity"]),
        (&1.into(), &32.into())
    );
    folder.tamarack("manifest verify @m --key @hss").ok();
    assert_eq!(next(&folder), 1);

    // Several at a time get numbers of their own.
    thread::scope(|scope| {
        for at in 0..4 {
            let folder = &folder;
            scope.spawn(move || folder.create(&format!("{line} --key @hss --out @m{at}")));
        }
    });
    assert_eq!(next(&folder), 5);
    let number = |name: &str| {
        let bytes = folder.read(name);
        let envelope = Envelope::decode(&bytes).unwrap();
        // The signature is the last item of the block: levels below the top, then the leaf.
        let block = envelope.authentication_blocks()[0];
        let mut reader = Reader::new(block);
        reader.tag("block").unwrap();
        reader.array("block").unwrap();
        reader.skip("protected").unwrap();
        reader.skip("unprotected").unwrap();
        reader.skip("payload").unwrap();
        let signature = reader.bytes("signature").unwrap();
        u32::from_be_bytes(signature[4..8].try_into().unwrap())
    };
    let mut numbers: Vec<u32> = ["m0", "m1", "m2", "m3"].map(number).to_vec();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);

    // A state that is lost, another's, or at its end ends the key.
    let state = fs::read_to_string(folder.path("hss.state")).unwrap();
    let create = format!("manifest create {line} --key @hss --out @n");
    for (spoiled, words) in [
        (
            state.replace("\"next\": 5", "\"next\": 32"),
            &["has made all its"][..],
        ),
        (
            state.replace("\"key_id\": \"", "\"key_id\": \"00"),
            &["another key"],
        ),
        ("{}".into(), &["no state", "must not sign any more"]),
    ] {
        folder.write("hss.state", spoiled);
        folder.tamarack(&create).fails(1, words);
    }
    fs::remove_file(folder.path("hss.state")).unwrap();
    folder
        .tamarack(&create)
        .fails(1, &["must not sign any more"]);
    assert!(!folder.has("n"));
    folder
        .tamarack("key convert @hss --format jwk --out @copy")
        .fails(1, &["not converted"]);
    folder.write("hss.state", state);
    folder
        .tamarack("key generate --algorithm hss-lms --levels 5 --out @hss")
        .fails(1, &["exists"]);
    assert_eq!(next(&folder), 5);
}

/// The devices of the published examples.
const DRAFTS: &str = "--vendor fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe \
    --vendor c0ddd5f1-5243-5660-87db-4f5b0aa26c2f --class 1492af14-2569-5e48-bf42-9b2d51f2ab45 \
    --class db42f709-3d8c-55ba-a8c5-265fc5820f4e";

/// The files of the suit-draft examples lack their first 30 bytes: everything before the tail of the
/// manifest's digest, which follows from the manifest.
fn restore(name: &str, rest: &[u8], crypto: &CryptoProvider) -> Vec<u8> {
    let members = if name == "example2.2.cbor" { 4 } else { 2 };
    let (length, blocks) = match name.ends_with(".0.cbor") {
        true => (0x27, 0x81),
        false => (0x73, 0x82),
    };
    let ends = (0..rest.len()).filter(|at| rest[*at] == 3);
    ends.filter_map(|at| {
        let manifest = Reader::new(&rest[at + 1..]).raw("manifest").ok()?;
        let mut envelope = vec![0xd8, 0x6b, 0xa0 | members, 0x02, 0x58, length, blocks];
        envelope.extend([0x58, 0x24, 0x82, 0x2f, 0x58, 0x20]);
        envelope.extend(&crypto.sha256(manifest)[..30 - envelope.len()]);
        envelope.extend(rest);
        let decoded = Envelope::decode(&envelope).ok()?;
        let matches = decoded
            .claimed_digest()
            .matches(crypto, decoded.manifest_item());
        (matches == Ok(true)).then(|| envelope.clone())
    })
    .next()
    .expect("a manifest")
}

#[test]
fn examples_of_the_manifest_draft() {
    let Some(vectors) = vectors() else { return };
    let folder = Folder::new();
    fs::create_dir(folder.path("payloads")).unwrap();
    for name in ["file.bin", "file1.bin", "file2.bin"] {
        folder.write(&format!("payloads/{name}"), "not the image");
    }
    let anchor = vectors.join("keys/trust-anchor-p256.pem");
    let mut seen = 0;
    for entry in fs::read_dir(vectors.join("suit-draft")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".cbor") {
            continue;
        }
        seen += 1;
        let restored = restore(&name, &fs::read(&path).unwrap(), &folder.crypto);
        folder.write("example.suit", restored);
        let finished = folder.tamarack(&format!(
            "manifest run @example.suit --components @{name} --key {} {DRAFTS} --slot 0x00=1 \
             --offline --payload-dir @payloads",
            anchor.display()
        ));
        // The digests belong to no published payload: fetching works, matching can't.
        let words: &[&str] = match name.as_str() {
            "example2.1.cbor" => &["section install was severed"],
            "example0.1.cbor" => &["image-match", "validate"],
            unsigned if unsigned.ends_with(".0.cbor") => &["carries no signature"],
            _ => &["image-match"],
        };
        finished.fails(1, words);
    }
    assert_eq!(seen, 13);
}

#[test]
fn examples_of_trust_domains_and_teep() {
    let Some(vectors) = vectors() else { return };
    let folder = Folder::new();
    let anchor = vectors.join("keys/trust-anchor-p256.pem");
    let run = |device: &str, line: &str| {
        folder.tamarack(&format!(
            "--json manifest run --components @{device} --key {} {DRAFTS} {line}",
            anchor.display()
        ))
    };
    let domains = vectors.join("suit-trust-domains").display().to_string();
    let dependent = format!("{domains}/example0_dependent.cbor");
    run("one", &dependent).fails(1, &["was not verified", "--compatible"]);
    run("one", &format!("{dependent} --compatible")).ok();
    assert_eq!(folder.read("one/00"), b"hello world");
    let started = run("one", "--invoke dependent.suit --compatible").json();
    assert_eq!(started["changes"][0]["arguments"], "636174203030");

    let process = format!(
        "{domains}/example1_process.cbor --fetch http://example.com/dependent.suit={dependent}"
    );
    run("two", &format!("{process} --compatible")).ok();
    assert_eq!(folder.read("two/00"), b"hello world");
    assert_eq!(folder.read("two/10"), b" in multiple trust domains");
    let integrated = format!("{domains}/example2_integrated.cbor");
    run("three", &integrated).fails(1, &["--compatible"]);
    run("three", &format!("{integrated} --compatible")).ok();
    assert_eq!(folder.read("three/00"), b"hello world");

    let teep = vectors.join("teep-draft").display().to_string();
    for name in ["suit_integrated", "suit_uri"] {
        let done = run(
            name,
            &format!("{teep}/{name}.cbor --compatible --payload-dir {teep}"),
        )
        .json();
        let path = done["changes"][0]["path"].as_str().unwrap();
        assert_eq!(
            folder.read(&format!("{name}/{path}")),
            b"Hello, Secure World!"
        );
        let manifest = done["manifest"].as_str().unwrap();
        assert_eq!(
            run(name, &format!("--uninstall {manifest}")).json()["done"],
            true
        );
        assert!(!folder.has(&format!("{name}/{path}")));
    }
    let personal = format!("{teep}/suit_personalization.cbor --compatible");
    run("four", &personal).fails(1, &["parameter 19", "--decrypt"]);
}

#[test]
fn examples_of_firmware_encryption() {
    let Some(vectors) = vectors() else { return };
    let folder = Folder::new();
    let base64 = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let oct = |name: &str, key: &[u8]| {
        let jwk = serde_json::json!({ "kty": "oct", "kid": "kid-1", "k": base64(key) });
        folder.write(name, jwk.to_string());
    };
    oct("kek.jwk", &[b'a'; 16]);
    oct("mac.jwk", &[b'a'; 32]);
    let field = |digits: &str| base64(&base16ct::mixed::decode_vec(digits).unwrap());
    let private = serde_json::json!({
        "kty": "EC", "crv": "P-256", "kid": "kid-2",
        "x": field("5886CD61DD875862E5AAA820E7A15274C968A9BC96048DDCACE32F50C3651BA3"),
        "y": field("9EED8125E932CD60C0EAD3650D0A485CF726D378D1B016ED4298B2961E258F1B"),
        "d": field("60FE6DD6D85D5740A5349B6F91267EEAC5BA81B8CB53EE249E4B4EB102C476B3"),
    });
    folder.write("private.jwk", private.to_string());
    let keys = vectors.join("keys").display().to_string();
    let trust = format!(
        "--key @mac.jwk --key {keys}/trust-anchor-p256.pem --key {keys}/delegated-authority-p256.pem"
    );
    let examples = vectors.join("suit-encryption").display().to_string();
    let ciphertext = format!("{examples}/encrypted-payload-aes-kw-aes-gcm.cbor");
    for (name, target) in [
        ("aes-kw", "plaintext-firmware"),
        ("aes-kw-content", "plaintext-firmware"),
        ("aes-kw-slot", "0x00"),
        ("es-ecdh-content", "decrypted-firmware"),
        ("es-ecdh-dependency", "decrypted-firmware"),
    ] {
        let components = folder.path(name);
        let open = || DirectoryDevice::open(&components, Identity::default()).unwrap();
        if name == "aes-kw-slot" {
            let mut device = open();
            let id: ComponentId = "0x01".parse().unwrap();
            let mut transaction = device.transaction().unwrap();
            transaction.begin(&id, None).unwrap();
            transaction
                .append(&id, &fs::read(&ciphertext).unwrap())
                .unwrap();
            transaction.finish(&id).unwrap();
            transaction.commit().unwrap();
        }
        let line = format!(
            "manifest run {examples}/suit-manifest-{name}.signed.cbor --components {components} {trust} \
             --fetch coaps://example.com/encrypted-firmware={ciphertext}"
        );
        folder
            .tamarack(&format!("{line} --compatible"))
            .fails(1, &["--decrypt"]);
        let line = format!("{line} --decrypt @kek.jwk --decrypt @private.jwk");
        folder.tamarack(&line).fails(1, &["--compatible"]);
        folder.tamarack(&format!("{line} --compatible")).ok();
        let path = open().path_of(&target.parse().unwrap()).unwrap();
        assert_eq!(
            folder.read(&format!("{name}/{path}")),
            b"This is a real firmware image.",
            "{name}"
        );
    }
}

#[test]
fn the_envelope_of_the_interop_event() {
    let Some(vectors) = vectors() else { return };
    let folder = Folder::new();
    let interop = vectors.join("interop-2026");
    let message = fs::read(interop.join("update0.tam.esp256.cose")).unwrap();
    let payload = Signed::decode(&message)
        .unwrap()
        .unverified_payload()
        .unwrap();
    let mut reader = Reader::new(payload);
    reader.array("update").unwrap();
    reader.uint("type").unwrap();
    reader.map("options").unwrap();
    reader.uint("label").unwrap();
    reader.array("manifest-list").unwrap();
    folder.write("update.suit", reader.bytes("envelope").unwrap());
    let key = interop.join("tc-signer-esp256-pub.jwk");
    folder
        .tamarack(&format!(
            "manifest run @update.suit --components @device {DRAFTS} --vendor example.com --class door --key {}",
            key.display()
        ))
        .ok();
    assert!(folder.read("device/app.wasm").starts_with(b"\0asm"));
}
