//! `tamarack manifest` at work: what it makes, takes apart, shows, verifies and compares.

mod show;

use std::{fs, ops::Deref, path::Path};

use serde_json::Value;
use tamarack_cose::SecretKey;
use tamarack_suit::{
    Envelope, Identity, Manifest, MemoryDevice, NoFetch, Processor, Section, SequenceNumber,
    Severed, SingleAuthority, Uuid,
    author::{ComponentBuilder, ManifestBuilder},
};
use tamarack_tests::{
    crypto,
    system::{self, Finished, run, vectors},
};

struct Folder(system::Folder);

impl Deref for Folder {
    type Target = system::Folder;

    fn deref(&self) -> &system::Folder {
        &self.0
    }
}

impl Folder {
    fn new() -> Self {
        Self(system::Folder::new())
    }

    /// Runs `tamarack manifest …` in which `@name` is a path in the folder.
    #[track_caller]
    fn manifest(&self, line: &str) -> Finished {
        self.tamarack(&format!("manifest {line}"))
    }

    /// Two components, of which one is carried, with text and install severed; signed if `key` names one.
    #[track_caller]
    fn lamp(&self, out: &str, number: u64, key: &str) {
        self.write("app.bin", format!("application {number}"));
        self.write("config.json", format!("{{\"release\": {number}}}"));
        self.manifest(&format!(
            "create -n {number} --vendor acme.example --class lamp \
             --component lamp/app --payload @app.bin --uri https://acme.example/{number}.bin \
             --component lamp/config --payload @config.json --invoke lamp/app \
             --version 1.{number} --description Release-{number} --language de \
             --reference-uri https://acme.example/{number}.suit \
             --sever install,text {key} --out @{out}"
        ))
        .ok();
    }
}

fn texts(value: &Value) -> Vec<&str> {
    let list = value.as_array().unwrap().iter();
    list.map(|value| value.as_str().unwrap()).collect()
}

/// The device that `lamp` is for.
fn device() -> MemoryDevice {
    let vendor = Uuid::vendor("acme.example");
    MemoryDevice::new(Identity {
        vendors: vec![vendor.into()],
        classes: vec![vendor.class("lamp"), vendor.class("hub")],
        devices: vec![],
    })
}

#[test]
fn several_components_with_all_that_options_can_say() {
    let folder = Folder::new();
    let (_, public) = folder.key("acme");
    folder.lamp("lamp.suit", 3, "--key @acme.pem");
    let shown = folder.manifest("--json show @lamp.suit").json();
    let manifest = &shown["manifest"];
    assert_eq!(manifest["sequence-number"], 3);
    assert_eq!(manifest["version"], "1.3");
    assert_eq!(manifest["reference-uri"], "https://acme.example/3.suit");
    assert_eq!(manifest["manifest-component-id"], "lamp/app/suit");
    assert_eq!(texts(&manifest["components"]), ["lamp/app", "lamp/config"]);
    let text = &manifest["text"]["languages"]["de"];
    assert_eq!(text["manifest-description"], "Release-3");
    assert_eq!(manifest["install"]["commands"][0]["component"], "lamp/app");
    assert_eq!(manifest["invoke"][0]["component"], "lamp/app");
    let severed = shown["severed"].as_array().unwrap();
    assert_eq!(severed.len(), 2);
    assert!(
        severed
            .iter()
            .all(|element| element["digest-matches"] == true)
    );
    let integrated = shown["integrated"].as_array().unwrap();
    assert_eq!(integrated.len(), 1);
    assert_eq!(integrated[0]["for"], "lamp/config");
    assert_eq!(integrated[0]["digest-matches"], true);

    let verified = folder
        .manifest("--json verify @lamp.suit --key @acme.pub.pem")
        .json();
    assert_eq!(verified["verified"], true, "{public}");
    assert_eq!(verified["carried"].as_array().unwrap().len(), 3);
}

#[test]
fn each_slot_gets_its_image() {
    let folder = Folder::new();
    let (secret, public) = folder.key("acme");
    folder.write("a", "for slot 0");
    folder.write("b", "for slot 1");
    folder
        .manifest(
            "create -n 1 --vendor acme.example --class hub --digest sha384 --key @acme.pem --out @hub.suit \
             --component hub/app --payload @a --slot 0 --uri #a --component hub/app --payload @b --slot 1 --uri #b",
        )
        .ok();
    let bytes = folder.read("hub.suit");
    let envelope = Envelope::decode(&bytes).unwrap();
    assert!(envelope.claimed_digest().to_string().starts_with("sha384:"));
    let crypto = crypto();
    let secret = SecretKey::from_pem(&crypto, &fs::read_to_string(secret).unwrap()).unwrap();
    let trusted = [*secret.public_key()];
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority);
    for slot in [0, 1] {
        let mut device = device();
        device.set_slot(&"hub/app".parse().unwrap(), slot);
        let outcome = processor.update_bytes(&mut device, &mut NoFetch, &bytes);
        assert_eq!(outcome.result, Ok(()), "{slot} {public}");
        let content = device.content(&"hub/app".parse().unwrap()).unwrap();
        assert_eq!(content, format!("for slot {slot}").as_bytes());
    }
}

#[test]
fn options_that_do_not_fit_are_named() {
    let folder = Folder::new();
    folder.write("a", "a");
    for (line, code, words) in [
        (
            "-n 1 --component a --payload @a --component b --out @x",
            2,
            &["--component b", "--payload"][..],
        ),
        (
            "-n 1 --component a --payload @a --component a --payload @a --out @x",
            2,
            &["--component a", "twice", "--slot"],
        ),
        (
            "-n 1 --component a//b --payload @a --out @x",
            2,
            &["--component", "a//b", "a segment is empty"],
        ),
        (
            "-n 1 --component a --payload @a --payload @a --out @x",
            2,
            &["--payload", "twice"],
        ),
        (
            "-n 1 --component a --payload @a --invoke b --out @x",
            2,
            &["--invoke b"],
        ),
        (
            "-n 1 --component a --payload @a --sever text --out @x",
            1,
            &["no text", "install"],
        ),
        (
            "-n 1 --component a --payload @a --sever validate --out @x",
            2,
            &["validate stays in the manifest"],
        ),
        (
            "-n 1 --component a --payload @a --version 1.2.x --out @x",
            2,
            &["--version", "1.2.3"],
        ),
        (
            "-n 1 --component a --payload @gone --out @x",
            1,
            &["gone", "no such file"],
        ),
        ("-n 1 --out @x", 2, &["--component", "--payload"]),
        ("-n 1 --component a --out @x", 2, &["--payload"]),
        (
            "--component a --payload @a --out @x",
            2,
            &["--sequence-number"],
        ),
        (
            "--from @a -n 1 --out @x",
            2,
            &["--from", "--sequence-number"],
        ),
    ] {
        folder
            .manifest(&format!("create {line}"))
            .fails(code, words);
        assert!(!Path::new(&folder.path("x")).exists(), "{line}");
    }
}

// req: SUIT-COM-006, SUIT-COM-011, SUIT-SEV-002, SUIT-SEV-003
#[test]
fn the_drafts_json_gives_the_drafts_bytes() {
    let Some(vectors) = vectors() else { return };
    let folder = Folder::new();
    for number in [0, 1, 3, 4, 5] {
        let draft = |suffix: &str| vectors.join(format!("suit-draft/example{number}{suffix}"));
        let out = folder.path("made.suit");
        let from = draft(".json");
        run(&[
            "manifest",
            "create",
            "--from",
            from.to_str().unwrap(),
            "--out",
            &out,
        ])
        .ok();
        // The published files lack their first 30 bytes, most of which are the digest of what is there.
        let made = folder.read("made.suit");
        assert_eq!(made[30..], fs::read(draft(".0.cbor")).unwrap(), "{number}");
    }
}

#[test]
fn json_is_read_with_its_files_and_refused_with_its_places() {
    let folder = Folder::new();
    folder.key("acme");
    fs::create_dir(folder.path("images")).unwrap();
    folder.write("images/app.bin", "application");
    let json = r##"{
        "manifest-version": 1, "manifest-sequence-number": 9,
        "components": [{
            "install-id": ["6c616d70"], "file": "app.bin", "uri": "#app",
            "vendor-id": "fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe"
        }]
    }"##;
    folder.write("app.json", json);
    let create = "create --from @app.json --key @acme.pem --out @app.suit";
    folder
        .manifest(create)
        .fails(1, &["app.json", "components[0].file", "no such file"]);
    let made = folder
        .manifest(&format!("--json {create} --payload-dir @images"))
        .json();
    assert_eq!(texts(&made["components"]), ["lamp"]);
    let verified = folder
        .manifest("--json verify @app.suit --key @acme.pub.pem")
        .json();
    assert_eq!(verified["carried"][0]["holds"], true);

    folder.write("app.json", json.replace("install-id", "install-di"));
    folder.manifest(create).fails(
        1,
        &[
            "app.json",
            "components[0].install-di: unknown field",
            "line 4",
        ],
    );
    folder.write("app.json", "not JSON");
    folder.manifest(create).fails(1, &["app.json", "line 1"]);
}

// req: SUIT-SEV-004, SUIT-SEV-012
#[test]
fn parts_are_severed_before_signing_and_dropped_after() {
    let folder = Folder::new();
    folder.key("acme");
    folder.write("a", "content");
    let create = "create -n 1 --component a/b --payload @a --description Words --out @a.suit";
    folder.manifest(create).ok();
    folder
        .manifest("sever @a.suit --section install --text")
        .ok();
    let bytes = folder.read("a.suit");
    let envelope = Envelope::decode(&bytes).unwrap();
    let names: Vec<_> = envelope.severed().iter().map(Severed::name).collect();
    assert_eq!(names, ["install", "text"]);
    folder
        .manifest("sever @a.suit --section payload-fetch")
        .fails(1, &["no payload-fetch"]);
    folder.manifest("sever @a.suit").fails(2, &["--drop"]);
    folder.manifest("sign @a.suit --key @acme.pem").ok();

    folder
        .manifest("sever @a.suit --section install")
        .fails(1, &["a.suit", "signed", "before signing"]);
    let dropped = "--json sever @a.suit --drop text --drop #payload --out @small.suit";
    let done = folder.manifest(dropped).json();
    assert_eq!(texts(&done["dropped"]), ["text", "#payload"]);
    assert!(done["bytes"].as_u64() < done["bytes_before"].as_u64());
    folder
        .manifest("verify @small.suit --key @acme.pub.pem")
        .ok();
    folder
        .manifest("sever @small.suit --drop text")
        .fails(1, &["small.suit", "no text", "install"]);
    folder
        .manifest("extract @small.suit --text --out @t")
        .fails(1, &["dropped"]);
    // What is left is byte for byte what was signed.
    let (small, whole) = (folder.read("small.suit"), folder.read("a.suit"));
    let (small, whole) = (
        Envelope::decode(&small).unwrap(),
        Envelope::decode(&whole).unwrap(),
    );
    assert_eq!(small.manifest_item(), whole.manifest_item());
    assert_eq!(small.authentication_blocks(), whole.authentication_blocks());
    assert!(small.integrated().is_empty());
}

// req: SUIT-UPD-006, SUIT-SEV-012
#[test]
fn parts_are_taken_out_whole_and_never_over_others() {
    let folder = Folder::new();
    folder.lamp("lamp.suit", 1, "");
    let bytes = folder.read("lamp.suit");
    let envelope = Envelope::decode(&bytes).unwrap();
    folder
        .manifest("extract @lamp.suit --payload #payload-2 --out @config")
        .ok();
    assert_eq!(folder.read("config"), b"{\"release\": 1}");
    folder
        .manifest("extract @lamp.suit --payload #payload-2 --out @config")
        .fails(1, &["config", "exists"]);
    folder
        .manifest("extract @lamp.suit --payload #nope --out @x")
        .fails(1, &["#nope", "#payload-2"]);
    assert_eq!(
        folder
            .manifest("extract @lamp.suit --payload #payload-2 --out -")
            .bytes(),
        b"{\"release\": 1}"
    );
    folder
        .manifest("extract @lamp.suit --manifest --out @manifest")
        .ok();
    let manifest = folder.read("manifest");
    let manifest = Manifest::decode(&manifest, &Default::default()).unwrap();
    assert_eq!(manifest, envelope.unverified_manifest().unwrap());
    folder
        .manifest("extract @lamp.suit --section install --out @install")
        .ok();
    let install = envelope
        .severed()
        .iter()
        .find(|severed| severed.name() == "install");
    assert_eq!(folder.read("install"), install.unwrap().content());
    folder
        .manifest("extract @lamp.suit --section validate --out @validate")
        .ok();
    let validate = manifest
        .section(Section::Validate)
        .unwrap()
        .content()
        .unwrap();
    assert_eq!(folder.read("validate"), validate.encode());

    let all = folder
        .manifest("--json extract @lamp.suit --all --out @parts")
        .json();
    let parts = all["parts"].as_array().unwrap();
    let names: Vec<&str> = parts
        .iter()
        .map(|part| part["part"].as_str().unwrap())
        .collect();
    let expected = [
        "manifest",
        "install",
        "validate",
        "invoke",
        "uninstall",
        "text",
        "#payload-2",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        fs::read_dir(folder.path("parts")).unwrap().count(),
        expected.len()
    );
    fs::remove_file(folder.path("parts/manifest.cbor")).unwrap();
    folder
        .manifest("extract @lamp.suit --all --out @parts")
        .fails(1, &["exists"]);
    assert!(
        !Path::new(&folder.path("parts/manifest.cbor")).exists(),
        "all or nothing"
    );
}

#[test]
fn keys_of_a_hostile_envelope_do_not_leave_the_folder() {
    let folder = Folder::new();
    let crypto = &crypto();
    let keys = ["../../escape", "/etc/passwd", "#..", "#", "passwd"];
    let components = keys.iter().enumerate().map(|(position, key)| {
        let id = format!("c/{position}").parse().unwrap();
        ComponentBuilder::new(id).integrated(crypto, *key, key.as_bytes())
    });
    let builder = ManifestBuilder::new(SequenceNumber(1));
    let builder = components.fold(builder, ManifestBuilder::component);
    // A key that no manifest can name, since it is no URI.
    let draft = builder.build().unwrap();
    let draft = draft.with_integrated("\u{1b}[2J", *b"hostile");
    folder.write("hostile.suit", draft.encode_unsigned(crypto));
    fs::create_dir(folder.path("deep")).unwrap();
    let out = folder
        .manifest("extract @hostile.suit --all --out @deep/parts")
        .ok();
    assert!(!out.contains('\u{1b}'), "{out}");
    let mut names: Vec<String> = fs::read_dir(folder.path("deep/parts"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".cbor"))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "__2J",
            "escape",
            "passwd",
            "passwd-2",
            "payload",
            "payload-2"
        ]
    );
    assert_eq!(fs::read_dir(folder.path("deep")).unwrap().count(), 1);
    for format in ["tree", "diagnostic", "json"] {
        let shown = folder
            .manifest(&format!("show @hostile.suit --format {format}"))
            .ok();
        assert!(!shown.contains('\u{1b}'), "{format}: {shown}");
    }
    for line in [
        "extract @hostile.suit --payload none --out @x",
        "sever @hostile.suit --drop none",
    ] {
        let said = folder.manifest(line).fails(1, &["../../escape", "\\u{1b}"]);
        assert!(!said.contains('\u{1b}'), "{line}: {said}");
    }
}

// req: SUIT-SEV-006, SUIT-SEV-007, SUIT-SEV-016
#[test]
fn verify_says_of_everything_whether_it_holds() {
    let folder = Folder::new();
    folder.key("acme");
    folder.key("globex");
    folder.lamp("lamp.suit", 1, "--key @acme.pem");
    let both = "--json verify @lamp.suit --key @acme.pub.pem --key @globex.pub.pem";
    assert_eq!(folder.manifest(both).json()["verified"], true);
    for more in ["--all", "--at-least 2"] {
        let verified = folder.manifest(&format!("{both} {more}"));
        let value: Value = serde_json::from_slice(&verified.stdout).unwrap();
        assert_eq!(value["verified"], false);
        assert_eq!(value["needed"], 2);
        verified.fails(1, &["1 of 2 keys have signed"]);
    }
    folder
        .manifest(&format!("{both} --at-least 3"))
        .fails(2, &["--at-least 3", "2 different keys"]);
    folder
        .manifest(&format!("{both} --at-least 0"))
        .fails(2, &["--at-least"]);
    folder.manifest("sign @lamp.suit --key @globex.pem").ok();
    let value = folder.manifest(&format!("{both} --all")).json();
    assert_eq!(value["signers"].as_array().unwrap().len(), 2);
    let text = folder
        .manifest("verify @lamp.suit --key @globex.pub.pem")
        .ok();
    for part in [
        "? signature 1",
        "by none of the keys; names key ",
        "✓ signature 2",
        "globex.pub.pem",
        "✓ severed install",
        "verified: manifest lamp/app/suit, number 1",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }

    // Every part that no signature covers, and the manifest itself.
    let bytes = folder.read("lamp.suit");
    for (needle, word) in [
        ("https://acme.example/1.bin", "severed"),
        ("Release-1", "severed"),
        ("\"release\"", "payload #payload-2"),
        ("https://acme.example/1.suit", "digest"),
    ] {
        let mut spoiled = bytes.clone();
        let at = spoiled
            .windows(needle.len())
            .position(|w| w == needle.as_bytes())
            .unwrap();
        spoiled[at] ^= 1;
        folder.write("spoiled.suit", spoiled);
        let verified = folder.manifest("verify @spoiled.suit --key @acme.pub.pem");
        let text = String::from_utf8(verified.stdout.clone()).unwrap();
        assert!(text.contains('✗'), "{needle}: {text}");
        assert!(!text.contains("verified:"), "{needle}: {text}");
        verified.fails(1, &["spoiled.suit", word]);
    }
}

#[test]
fn diff_says_what_changed_and_its_exit_code_whether() {
    let folder = Folder::new();
    folder.key("acme");
    folder.key("globex");
    folder.lamp("one.suit", 1, "--key @acme.pem");
    folder.lamp("two.suit", 2, "--key @globex.pem");
    let same = folder.manifest("--json diff @one.suit @one.suit").json();
    assert_eq!(same["same"], true);
    let diff = folder.manifest("diff @one.suit @two.suit");
    assert_eq!((diff.code, diff.stderr.as_str()), (Some(1), ""));
    let text = String::from_utf8(diff.stdout).unwrap();
    for part in [
        "manifest\n  sequence-number: 1 → 2\n  version: 1.1 → 1.2\n",
        "component lamp/app\n  image-digest\n    - sha256:",
        "uri: https://acme.example/1.bin → https://acme.example/2.bin",
        "component lamp/config\n  image-digest\n",
        "manifest-description (de): Release-1 → Release-2",
        "payload #payload-2\n    - 14 bytes, sha256:",
        "signatures\n  ",
        "- ESP256 by key ",
        "+ ESP256 by key ",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    assert!(
        !text.contains("install\n"),
        "the commands are the same: {text}"
    );

    folder.write("a", "a");
    folder.manifest("create -n 2 --component lamp/app --payload @a --component new --payload @a --out @three.suit").ok();
    let diff = folder.manifest("--json diff @two.suit @three.suit");
    assert_eq!(diff.code, Some(1));
    let value: Value = serde_json::from_slice(&diff.stdout).unwrap();
    assert_eq!(value["same"], false);
    let changes = value["changes"].as_array().unwrap();
    let has = |about: &str, what: &str, change: &str| {
        let found = |value: &&Value| {
            value["about"] == about && value["what"] == what && value["change"] == change
        };
        assert!(
            changes.iter().any(|value| found(&value)),
            "{about} {what} {change} in {value}"
        );
    };
    has("component lamp/config", "component", "removed");
    has("component new", "component", "added");
    has("component lamp/app", "vendor-id", "removed");
    has("component lamp/app", "image-size", "changed");
    has("shared-sequence", "command", "removed");
    has("invoke", "command", "removed");
    has("manifest", "version", "removed");
    has("signatures", "signature", "removed");

    folder
        .manifest("diff @one.suit @gone")
        .fails(2, &["gone", "no such file"]);
    folder.write("junk", "junk");
    folder.manifest("diff @junk @one.suit").fails(2, &["junk"]);
}

#[test]
fn every_manifest_command_helps_with_examples() {
    for command in [
        "create", "sign", "sever", "extract", "show", "verify", "run", "encrypt", "diff",
    ] {
        let help = run(&["manifest", command, "--help"]).ok();
        let example = format!("  tamarack manifest {command} ");
        assert!(help.contains(&example), "{command}: {help}");
        assert!(help.contains("--json"), "{command}: {help}");
    }
}
