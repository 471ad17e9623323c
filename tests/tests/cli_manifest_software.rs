//! `tamarack manifest` and what a manifest says about the software that it installs: its tag (CoSWID), and where its MUD
//! file is.

use tamarack_suit::{
    ConciseSwidTag, Entity, Envelope, SequenceNumber, TagId,
    author::{ComponentBuilder, ManifestBuilder},
};
use tamarack_tests::{crypto, system::Folder};

fn tag(version: i64) -> ConciseSwidTag<'static> {
    ConciseSwidTag {
        tag_id: TagId::Text("com.example.lamp".into()),
        tag_version: version,
        software_name: "lamp".into(),
        software_version: Some("2.1".into()),
        entities: vec![Entity {
            name: "Example".into(),
            roles: vec![1, 6],
            // reg-id, and a label that is not registered.
            others: vec![
                (32, (&[0x61, b'x'][..]).into()),
                (-7, (&[0x81, 0x05][..]).into()),
            ],
        }],
        // version-scheme: semver.
        others: vec![(14, (&[0x19, 0x40, 0x00][..]).into())],
    }
}

// req: SUIT-UPD-006, SUIT-MUD-001
#[test]
fn software_is_described_shown_and_compared() {
    let folder = Folder::new();
    folder.key("acme");
    folder.write("app", "application");
    folder.write("one.tag", tag(0).encode());
    folder.write("two.tag", tag(1).encode());
    let create = "manifest create -n 1 --component lamp/app --payload @app";
    let mud = "--mud-url https://acme.example/lamp.json --mud-key";
    folder
        .tamarack(&format!(
            "{create} --coswid @one.tag {mud} @acme.pub.pem --sever coswid --out @one.suit"
        ))
        .ok();
    folder
        .tamarack(&format!("{create} --coswid @two.tag --out @two.suit"))
        .ok();

    let key = folder.tamarack("--json key show @acme.pub.pem").json();
    let key = key["key_id"].as_str().unwrap();
    let tree = folder.tamarack("manifest show @one.suit").ok();
    for part in [
        "tag-id            com.example.lamp",
        "software-version  2.1",
        "version-scheme    16384",
        "Example  roles tag creator, maintainer  reg-id x  member -7 8105",
        "url                     https://acme.example/lamp.json",
        &format!("subject-key-identifier  sha256:{key}"),
    ] {
        assert!(tree.contains(part), "{part} in\n{tree}");
    }
    let json = folder.tamarack("--json manifest show @one.suit").json();
    let entity = &json["manifest"]["coswid"]["content"]["entities"][0];
    assert_eq!(entity["roles"], "tag creator, maintainer");
    let diagnostic = folder
        .tamarack("manifest show @one.suit --format diagnostic")
        .ok();
    for part in [
        "/ coswid / 14: << {",
        "/ software-name / 1: \"lamp\"",
        "/ entity / 2: {",
        "/ reg-id / 32: \"x\"",
        "/ mud / -257: << {",
        "/ url / 1: 32(\"https://acme.example/lamp.json\")",
    ] {
        assert!(diagnostic.contains(part), "{part} in\n{diagnostic}");
    }

    let diff = folder.tamarack("manifest diff @one.suit @two.suit");
    assert_eq!(diff.code, Some(1));
    let text = String::from_utf8(diff.stdout).unwrap();
    for part in [
        "coswid: severed → in the manifest",
        "coswid tag-version: 0 → 1",
        "- mud url: https://acme.example/lamp.json",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(!text.contains("software-name"), "{text}");

    folder
        .tamarack(&format!("{create} --coswid @app --out @no.suit"))
        .fails(1, &["app", "a CoSWID is expected"]);
    folder
        .tamarack(&format!(
            "{create} --mud-url https://a.example/ --out @no.suit"
        ))
        .fails(2, &["--mud-key"]);
    assert!(!folder.has("no.suit"));
}

#[test]
fn a_software_tag_is_taken_out_and_dropped() {
    let folder = Folder::new();
    let tag = tag(0);
    let crypto = &crypto();
    let component = ComponentBuilder::new("a".parse().unwrap());
    let draft = ManifestBuilder::new(SequenceNumber(1))
        .component(component.integrated(crypto, "#payload", b"content"))
        .coswid(&tag)
        .build()
        .unwrap();
    folder.write("inline.suit", draft.encode_unsigned(crypto));
    folder.write("later.suit", draft.encode_unsigned(crypto));
    let severed = draft.sever_coswid(crypto);
    folder.write("severed.suit", severed.encode_unsigned(crypto));
    folder.tamarack("manifest sever @later.suit --coswid").ok();
    assert_eq!(folder.read("later.suit"), folder.read("severed.suit"));
    folder
        .tamarack("manifest extract @later.suit --coswid --out @tag")
        .ok();
    assert_eq!(folder.read("tag"), tag.encode());
    folder
        .tamarack("manifest sever @inline.suit --section coswid")
        .fails(2, &["--coswid severs it"]);
    for name in ["inline", "severed"] {
        folder
            .tamarack(&format!(
                "manifest extract @{name}.suit --all --out @{name}"
            ))
            .ok();
        assert_eq!(folder.read(&format!("{name}/coswid.cbor")), tag.encode());
    }
    folder
        .tamarack("manifest sever @severed.suit --drop text")
        .fails(1, &["no text", "coswid, #payload"]);
    folder
        .tamarack("manifest sever @inline.suit --drop coswid")
        .fails(1, &["no coswid"]);
    folder
        .tamarack("manifest sever @severed.suit --drop coswid --out @small.suit")
        .ok();
    let (small, whole) = (folder.read("small.suit"), folder.read("severed.suit"));
    let (small, whole) = (
        Envelope::decode(&small).unwrap(),
        Envelope::decode(&whole).unwrap(),
    );
    assert!(small.severed().is_empty() && whole.severed().len() == 1);
    assert_eq!(small.manifest_item(), whole.manifest_item());
    folder
        .tamarack("manifest extract @small.suit --all --out @small")
        .ok();
    assert!(!folder.has("small/coswid.cbor"));
}
