//! Payloads that only the devices that they are for can read.

use std::fs;

use super::{Folder, changes};

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
        .fails(2, &["--ciphertext is missing"]);
    folder
        .tamarack(&format!("manifest create {line} --ciphertext @big.enc"))
        .fails(2, &["--encrypt-to"]);
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
