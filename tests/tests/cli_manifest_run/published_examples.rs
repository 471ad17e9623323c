//! What other implementers and the drafts have published.

use std::fs;

use base64ct::{Base64UrlUnpadded, Encoding};
use tamarack_cose::{CryptoProvider, Signed, cbor::Reader};
use tamarack_suit::{ComponentId, Device, Envelope, Identity, directory::DirectoryDevice};
use tamarack_tests::{crypto, system::vectors};

use super::Folder;

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
        let restored = restore(&name, &fs::read(&path).unwrap(), &crypto());
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
