//! Manifests from JSON, against what the drafts publish for the same JSON.
#![cfg(all(feature = "json", feature = "author"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use serde_json::{Value, json};
use tamarack_suit::{
    Envelope, Error, Limits, SuitDigest, Text,
    author::{
        BuildError, Draft,
        json::{Input, InputError},
    },
};

fn draft(json: &str) -> Result<Draft, InputError> {
    let mut files = |name: &str| match name {
        "image.bin" => Ok(b"an image".to_vec()),
        other => Err(format!("no file {other}")),
    };
    Input::parse(json)?.draft(&crypto(), &mut files)
}

/// An example's JSON and its published envelope, severed as `variant` says.
fn example(number: u8, variant: u8) -> Option<(String, Vec<u8>)> {
    let folder = vectors()?.join("suit-draft");
    let json = std::fs::read_to_string(folder.join(format!("example{number}.json"))).unwrap();
    let name = format!("example{number}.{variant}.cbor");
    let bytes = std::fs::read(folder.join(&name)).unwrap();
    Some((json, restore(&name, &bytes)))
}

// req: SUIT-COM-006, SUIT-COM-007, SUIT-COM-011, SUIT-SEQ-006
#[test]
fn the_examples_json_gives_the_examples_manifests() {
    for number in [0, 1, 3, 4, 5] {
        let Some((json, unsigned)) = example(number, 0) else {
            return;
        };
        let draft = draft(&json).unwrap();
        assert_eq!(draft.encode_unsigned(&crypto()), unsigned, "{number}");
        // With the published signature it is the published envelope.
        let (_, signed) = example(number, 1).unwrap();
        let signed = Envelope::decode(&signed).unwrap();
        assert_eq!(draft.digest(&crypto()), signed.claimed_digest(), "{number}");
    }
}

/// The published text of example 2 lacks two of the texts in its JSON, and the JSON that it asks for. With
/// those left out, it is the published one to the byte; with them, nothing but the text differs.
// req: SUIT-SEV-001, SUIT-SEV-002, SUIT-SEV-003, SUIT-SEV-004, SUIT-SEV-009, SUIT-SEV-010, SUIT-MAN-009, SUIT-MAN-010
#[test]
fn the_severed_example_is_made_of_its_json() {
    let Some((json, severed)) = example(2, 2) else {
        return;
    };
    let mut value: Value = serde_json::from_str(&json).unwrap();
    value["include-json"] = json!(false);
    let texts = value["components"][0]["description"]["en-US"].as_object_mut();
    let texts = texts.unwrap();
    assert_eq!(texts.remove("component-version"), Some(json!("v1.0.1")));
    assert_eq!(texts.remove("model-info"), Some(json!("suit")));
    let reduced = draft(&value.to_string()).unwrap();
    let published = Envelope::decode(&severed).unwrap();
    assert_eq!(reduced.digest(&crypto()), published.claimed_digest());
    let made = reduced.encode_unsigned(&crypto());
    let made = Envelope::decode(&made).unwrap();
    assert_eq!(made.manifest_item(), published.manifest_item());
    assert_eq!(made.severed(), published.severed());

    let whole = draft(&json).unwrap();
    let mut manifest = whole.manifest().clone();
    let text = manifest.text.take();
    let mut expected = reduced.manifest().clone();
    assert_ne!(text, expected.text.take());
    assert_eq!(manifest, expected);
    let envelope = whole.encode_unsigned(&crypto());
    let envelope = Envelope::decode(&envelope).unwrap();
    let text = envelope
        .severed()
        .iter()
        .find(|s| s.name() == "text")
        .unwrap();
    let text = Text::decode(text.content(), &Limits::default()).unwrap();
    let (tag, english) = &text.languages[0];
    assert_eq!(tag, "en-US");
    assert_eq!(english.manifest[1], (3, json.as_str().into()));
    let labels: Vec<_> = english.components[0]
        .1
        .iter()
        .map(|(label, _)| *label)
        .collect();
    assert_eq!(labels, [3, 4, 5, 6]);
}

fn minimal() -> Value {
    json!({
        "manifest-version": 1,
        "manifest-sequence-number": 7,
        "components": [{
            "install-id": ["00"],
            "file": "image.bin",
            "uri": "#image",
            "vendor-id": "fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe",
        }],
    })
}

// req: SUIT-SEV-013, SUIT-SEV-014, SUIT-UPD-005
#[test]
fn a_file_is_measured_and_carried_and_installs() {
    let mut value = minimal();
    value["manifest-component-id"] = json!(["61", "62"]);
    value["set-version"] = json!([1, 2, -2, 3]);
    let draft = draft(&value.to_string()).unwrap();
    let manifest = draft.manifest();
    assert_eq!(manifest.placement(), id("a/b"));
    assert_eq!(
        manifest.set_version.as_ref().unwrap().to_string(),
        "1.2-beta.3"
    );
    assert_eq!(
        manifest.image_digests(0),
        [SuitDigest::sha256(&crypto(), b"an image")]
    );
    let author = author(2);
    let signed = draft.sign(&crypto(), &[&*author.signer]).unwrap();
    let mut device = draft_device();
    assert_eq!(update(&mut device, &author, &signed).result, Ok(()));
    assert_eq!(device.content(&id("0x00")), Some(&b"an image"[..]));
}

#[test]
fn one_of_two_slots_is_installed() {
    let mut value = minimal();
    value["components"][0]["slot"] = json!(0);
    let mut other = value["components"][0].clone();
    other["slot"] = json!(1);
    other["uri"] = json!("https://example.com/other");
    other["install-digest"] = json!({
        "algorithm-id": "sha512",
        "digest-bytes": SuitDigest::of(&crypto(), tamarack_cose::DigestAlgorithm::Sha512, b"other")
            .to_string()["sha512:".len()..],
    });
    other["install-size"] = json!(5);
    other.as_object_mut().unwrap().remove("file");
    value["components"].as_array_mut().unwrap().push(other);
    let author = author(2);
    let draft = draft(&value.to_string()).unwrap();
    assert_eq!(draft.manifest().common.components.len(), 1);
    let signed = draft.sign(&crypto(), &[&*author.signer]).unwrap();
    for (slot, content) in [(0, &b"an image"[..]), (1, b"other")] {
        let mut device = draft_device();
        device.set_slot(&id("0x00"), slot);
        let mut server = Server::with("https://example.com/other", b"other");
        let outcome = update_from(&mut device, &author, &signed, &mut server);
        assert_eq!(outcome.result, Ok(()), "{slot}");
        assert_eq!(device.content(&id("0x00")), Some(content), "{slot}");
    }
    let mut device = draft_device();
    device.set_slot(&id("0x00"), 2);
    let outcome = update(&mut device, &author, &signed);
    assert!(matches!(outcome.result, Err(Error::ConditionFailed { .. })));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut value = minimal();
        change(&mut value);
        match draft(&value.to_string()) {
            Err(InputError::Place { place, problem }) => format!("{place}: {problem}"),
            other => panic!("{other:?}"),
        }
    };
    let component = |field: &'static str, value: Value| {
        move |json: &mut Value| json["components"][0][field] = value.clone()
    };
    type Change<'c> = &'c dyn Fn(&mut Value);
    let cases: [(Change<'_>, &str); 15] = [
        (
            &|json| json["manifest-version"] = json!(2),
            "manifest-version: is not 1",
        ),
        (
            &|json| json["manifest-sequence-number"] = json!(-1),
            "manifest-sequence-number: invalid value",
        ),
        (
            &|json| json["compression"] = json!(1),
            "compression: unknown field `compression`, expected one of",
        ),
        (
            &component("compression-info", json!({})),
            "components[0].compression-info: unknown field",
        ),
        (
            &component("install-id", json!([])),
            "components[0].install-id: has no segment",
        ),
        (
            &component("install-id", json!(["00", "x"])),
            "components[0].install-id[1]: \"x\" is not hexadecimal",
        ),
        (
            &component("vendor-id", json!("arm.com")),
            "components[0].vendor-id: a UUID is",
        ),
        (
            &component("vendor-id", json!(null)),
            "components: none has a vendor-id",
        ),
        (
            &component("file", json!("gone")),
            "components[0].file: no file gone",
        ),
        (
            &component("file", json!(null)),
            "components[0].install-digest: is missing",
        ),
        (
            &component("install-size", json!(9)),
            "components[0].install-size: is not that of the file",
        ),
        (
            &component(
                "install-digest",
                json!({"algorithm-id": "md5", "digest-bytes": ""}),
            ),
            "components[0].install-digest.algorithm-id: \"md5\" is none of",
        ),
        (
            &component(
                "install-digest",
                json!({"algorithm-id": "sha256", "digest-bytes": "00"}),
            ),
            "components[0].install-digest.digest-bytes: is not 32 bytes",
        ),
        (
            &component("loadable", json!(true)),
            "components[0].load-id: is missing",
        ),
        (
            &component("install-on-download", json!(false)),
            "components[0].download-id: is missing",
        ),
    ];
    for (change, expected) in cases {
        let said = broken(change);
        assert!(said.starts_with(expected), "{said}");
    }
    let said = broken(&|json| {
        let again = json["components"][0].clone();
        json["components"].as_array_mut().unwrap().push(again);
    });
    assert!(
        said.starts_with("components[1].slot: images are told apart by their slots"),
        "{said}"
    );
    let Err(InputError::Place { problem, .. }) = draft("{\n  \"components\": [,]\n}") else {
        panic!("not refused")
    };
    assert!(problem.contains("line 2 column 18"), "{problem}");
    assert!(matches!(draft("{} {}"), Err(InputError::Place { .. })));
}

/// The value with a second component, changed by `change`, that is installed at `01`.
fn with_another(mut value: Value, change: &dyn Fn(&mut Value)) -> Result<Draft, InputError> {
    let components = value["components"].as_array_mut().unwrap();
    let mut other = components[0].clone();
    other["install-id"] = json!(["01"]);
    components.push(other);
    change(&mut value["components"]);
    let mut files = |name: &str| Ok(name.as_bytes().to_vec());
    Input::parse(&value.to_string())?.draft(&crypto(), &mut files)
}

#[test]
fn one_key_is_one_payload() {
    let same = with_another(minimal(), &|_| {}).unwrap();
    let envelope = same.encode_unsigned(&crypto());
    let envelope = Envelope::decode(&envelope).unwrap();
    assert_eq!(envelope.integrated(), [("#image", &b"image.bin"[..])]);
    let different = with_another(minimal(), &|both| both[1]["file"] = json!("other.bin"));
    assert_eq!(
        different.unwrap_err(),
        InputError::Build(BuildError::DuplicateKey("#image".into()))
    );
}

// req: SUIT-COM-006
#[test]
fn one_place_is_for_one_image() {
    let mut staged = minimal();
    let first = &mut staged["components"][0];
    first["uri"] = json!("https://example.com/image");
    first["install-on-download"] = json!(false);
    first["download-id"] = json!(["02"]);
    first["loadable"] = json!(true);
    first["load-id"] = json!(["03"]);
    let apart = |both: &mut Value| {
        both[1]["download-id"] = json!(["04"]);
        both[1]["load-id"] = json!(["05"]);
    };
    let draft = with_another(staged.clone(), &apart).unwrap();
    let ids = ["0x00", "0x02", "0x03", "0x01", "0x04", "0x05"].map(id);
    assert_eq!(draft.manifest().common.components, ids);
    let taken = [
        (1, "download-id", "02"),
        (1, "load-id", "03"),
        (1, "load-id", "01"),
        (1, "load-id", "04"),
        (1, "download-id", "00"),
        (1, "install-id", "02"),
        (1, "install-id", "03"),
        (0, "load-id", "00"),
    ];
    for (position, field, segment) in taken {
        let change = |both: &mut Value| {
            apart(both);
            both[position][field] = json!([segment]);
        };
        let expected = BuildError::DuplicateIdentifier(id(&format!("0x{segment}")));
        assert_eq!(
            with_another(staged.clone(), &change).unwrap_err(),
            InputError::Build(expected),
            "{field}"
        );
    }
}
