//! Keys that are shared, and keys that are used up.

use std::{fs, thread};

use serde_json::Value;
use tamarack_cose::cbor::Reader;
use tamarack_suit::Envelope;

use super::Folder;

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
        .fails(2, &["no PEM"]);
    folder
        .tamarack("key generate --algorithm hmac256 --public @y --out @x")
        .fails(2, &["no public half"]);
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
