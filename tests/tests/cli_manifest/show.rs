//! `tamarack manifest show`, of what is in order and of what is not.

use std::fs;

use serde_json::Value;
use tamarack_cose::{SecretKey, cbor::Reader};
use tamarack_suit::Envelope;
use tamarack_tests::crypto;

use super::Folder;

#[test]
fn manifests_are_shown_in_three_forms() {
    let folder = Folder::new();
    folder.key("acme");
    folder.lamp("lamp.suit", 1, "--key @acme.pem");
    let tree = folder.manifest("show @lamp.suit").ok();
    for part in [
        "├─ manifest-digest-matches  yes",
        "└─ ESP256  structure COSE_Sign1  key-id ",
        "│  │  └─ 1  lamp/config",
        "condition-image-match  policy 15",
        "manifest-description  Release-1",
        "install  bytes ",
        "└─ #payload-2  bytes 14  for lamp/config  digest-matches yes",
    ] {
        assert!(tree.contains(part), "{part} in\n{tree}");
    }
    assert!(!tree.contains('\u{1b}'), "no colours in a pipe");
    let diagnostic = folder.manifest("show @lamp.suit --format diagnostic").ok();
    for part in [
        "107({\n    / authentication-wrapper / 2: << [",
        "/ manifest-sequence-number / 2: 1,",
        "/ install / 20: [\n            / algorithm-id / -16 / SHA-256 /,",
        "\n    / install / 20: << [\n        / directive-set-component-index / 12, 0,",
        "\"#payload-2\": h'7b",
    ] {
        assert!(diagnostic.contains(part), "{part} in\n{diagnostic}");
    }
    let json = folder.manifest("show @lamp.suit --format json").json();
    assert_eq!(json, folder.manifest("--json show @lamp.suit").json());
    let wrapped = folder
        .manifest("--json show @lamp.suit --format diagnostic")
        .json();
    assert_eq!(
        wrapped["diagnostic"].as_str().unwrap(),
        diagnostic.trim_end()
    );

    folder.write("large", vec![7; 500]);
    folder
        .manifest("create -n 1 --component a --payload @large --out @large.suit")
        .ok();
    let short = folder.manifest("show @large.suit --format diagnostic").ok();
    assert!(short.contains(" ...' / 500 bytes /"), "{short}");
    let full = folder
        .manifest("show @large.suit --format diagnostic --full")
        .ok();
    assert!(full.contains(&"07".repeat(500)), "{full}");
}

#[test]
fn what_is_no_envelope_is_shown_as_what_it_is() {
    let folder = Folder::new();
    folder.key("acme");
    folder.lamp("lamp.suit", 1, "--key @acme.pem");
    folder
        .manifest("extract @lamp.suit --manifest --out @manifest")
        .ok();
    let shown = folder.manifest("show @manifest");
    let notation = String::from_utf8(shown.stdout.clone()).unwrap();
    assert!(
        notation.contains("/ manifest-sequence-number / 2: 1"),
        "{notation}"
    );
    assert!(!notation.contains("authentication-wrapper"), "{notation}");
    shown.fails(1, &["a manifest without the envelope around it"]);
    // A map with numbers as labels is no envelope by that alone.
    folder.write("map", [0xa2, 0x01, 0x02, 0x03, 0x04]);
    let shown = folder.manifest("show @map");
    assert!(!String::from_utf8_lossy(&shown.stdout).contains("manifest"));
    let said = shown.fails(1, &["a SUIT envelope"]);
    assert!(!said.contains("older drafts"), "{said}");
}

#[test]
fn a_key_is_not_shown() {
    let folder = Folder::new();
    folder.key("acme");
    for (name, format, algorithm) in [
        ("cose", "cose", "esp256"),
        ("jwk", "jwk", "ed25519"),
        ("shared", "jwk", "hmac256"),
        ("wrap", "cose", "a128kw"),
        ("device", "cose", "x25519"),
    ] {
        folder
            .tamarack(&format!(
                "key generate --algorithm {algorithm} --format {format} --out @{name}"
            ))
            .ok();
    }
    for name in [
        "acme.pem",
        "acme.pub.pem",
        "cose",
        "jwk",
        "shared",
        "wrap",
        "device",
    ] {
        for options in ["", "--full", "--format json", "--format diagnostic"] {
            let shown = folder.manifest(&format!("show @{name} {options}"));
            assert!(shown.stdout.is_empty(), "{name} {options}");
            shown.fails(1, &[name, "a key, and no manifest", "tamarack key show"]);
        }
    }
}

#[test]
fn broken_manifests_are_shown_as_far_as_they_go() {
    let folder = Folder::new();
    folder.lamp("lamp.suit", 1, "");
    let bytes = folder.read("lamp.suit");
    // Text where an identifier's bytes have to be.
    let at = bytes
        .windows(4)
        .position(|window| window == b"lamp")
        .unwrap();
    let mut broken = bytes.clone();
    broken[at - 1] ^= 0x40 ^ 0x60;
    folder.write("broken.suit", broken);
    let place = format!("at byte {}, in manifest / common / components / 0", at - 1);
    let shown = folder.manifest("show @broken.suit");
    let text = String::from_utf8(shown.stdout.clone()).unwrap();
    let mark = format!(
        "[/ byte {}: expected a byte string / \"lamp\", 'app']",
        at - 1
    );
    assert!(text.contains(&mark), "{text}");
    assert!(
        text.contains("/ reference-uri / 4: \"https://acme.example/1.suit\""),
        "{text}"
    );
    assert!(text.contains("manifest-digest-matches  no"), "{text}");
    shown.fails(1, &["broken.suit", &place]);
    let shown = folder.manifest("--json show @broken.suit");
    let value: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(value["error"]["offset"], at - 1);
    assert_eq!(value["error"]["path"], "manifest / common / components / 0");
    assert_eq!(value["manifest-digest-matches"], false);

    for length in (0..bytes.len()).step_by(17) {
        folder.write("cut.suit", &bytes[..length]);
        for format in ["tree", "diagnostic", "json"] {
            let shown = folder.manifest(&format!("show @cut.suit --format {format}"));
            assert!(!shown.stdout.is_empty(), "{length} {format}");
            shown.fails(1, &["cut.suit"]);
        }
    }
    for command in [
        "verify @cut.suit --key @acme.pub.pem",
        "extract @cut.suit --all --out @x",
        "sever @cut.suit --text",
    ] {
        folder.key("acme");
        folder.manifest(command).fails(1, &["cut.suit"]);
        fs::remove_file(folder.path("acme.pem")).unwrap();
        fs::remove_file(folder.path("acme.pub.pem")).unwrap();
    }
}

#[test]
fn a_manifest_of_an_older_draft_is_called_one() {
    let folder = Folder::new();
    folder.key("acme");
    folder.write("app.bin", b"payload");
    folder
        .manifest("create --component a --payload @app.bin -n 1 --out @new.suit")
        .ok();
    // The section install under its older label, and the digest of that.
    let mut bytes = folder.read("new.suit");
    let envelope = Envelope::decode(&bytes).unwrap();
    let (start, item) = (envelope.manifest_position(), envelope.manifest_item());
    let content = start..start + Reader::new(item).bytes("manifest").unwrap().len();
    let item = content.end - item.len()..content.end;
    let digest = envelope.digest_bytes()[4..].to_vec();
    let label = content.start
        + bytes[content.clone()]
            .windows(2)
            .rposition(|window| matches!(window, [0x14, 0x40..=0x5b]))
            .unwrap();
    bytes[label] = 17;
    let at = bytes
        .windows(32)
        .position(|window| window == digest)
        .unwrap();
    let digest = crypto().sha256(&bytes[item]);
    bytes[at..at + 32].copy_from_slice(&digest);
    folder.write("old.suit", &bytes);
    let then = "install was 17 in older drafts, and is 20";
    // Nobody signs here what nobody reads.
    folder
        .manifest("sign @old.suit --key @acme.pem")
        .fails(1, &["old.suit", then]);
    let pem = String::from_utf8(folder.read("acme.pem")).unwrap();
    let key = SecretKey::from_pem(&crypto(), &pem).unwrap();
    let signer = crypto().signatures.signer(&key).unwrap();
    let envelope = Envelope::decode(&bytes).unwrap();
    let bytes = envelope.add_signatures(&crypto(), &[&*signer]).unwrap();
    folder.write("old.suit", &bytes);
    let label = {
        let start = Envelope::decode(&bytes).unwrap().manifest_position();
        start + label - content.start
    };
    let place = format!("at byte {label}, where 17 stands, in manifest");
    for command in [
        "show @old.suit",
        "verify @old.suit --key @acme.pub.pem",
        "run @old.suit --key @acme.pub.pem --components @device",
    ] {
        folder
            .manifest(command)
            .fails(1, &["old.suit", &place, then]);
    }
}
