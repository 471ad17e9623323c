//! What `tamarack manifest` and `tamarack key` make of options and key files that are not meant so.

use std::ops::Deref;

use serde_json::Value;
use tamarack_suit::Envelope;
use tamarack_tests::system::{self, Finished};

/// A folder with a key pair, a payload, and a manifest.
struct Folder(system::Folder);

impl Deref for Folder {
    type Target = system::Folder;

    fn deref(&self) -> &system::Folder {
        &self.0
    }
}

impl Folder {
    fn new() -> Self {
        let this = Self(system::Folder::new());
        this.key("acme");
        this.write("app.bin", "application");
        this.create("--component lamp/app --payload @app.bin --key @acme.pem --out @a.suit")
            .ok();
        this
    }

    #[track_caller]
    fn create(&self, line: &str) -> Finished {
        self.tamarack(&format!("manifest create -n 1 {line}"))
    }

    #[track_caller]
    fn generate(&self, algorithm: &str, file: &str) {
        self.tamarack(&format!(
            "key generate --algorithm {algorithm} --out @{file}"
        ))
        .ok();
    }
}

#[test]
fn an_empty_prefix_trusts_nobody_with_everything() {
    let folder = Folder::new();
    for prefixes in ["", "lamp,", ",lamp", "lamp,,hub", "lamp//app", "/"] {
        for command in ["verify @a.suit", "run @a.suit --components @device"] {
            folder
                .tamarack(&format!(
                    "manifest {command} --key @acme.pub.pem={prefixes}"
                ))
                .fails(2, &["--key", "acme.pub.pem", "empty"]);
        }
    }
    assert!(!folder.has("device"));
    folder
        .tamarack("manifest verify @a.suit --key @acme.pub.pem=hub,lamp")
        .ok();
}

#[test]
fn an_envelope_that_nobody_could_read_is_not_made() {
    let folder = Folder::new();
    folder.write("large.bin", vec![0; 16 << 20]);
    let create = "--component lamp/app --payload @large.bin --key @acme.pem --out @large.suit";
    folder
        .create(create)
        .fails(1, &["16 MiB", "--uri", "devices fetch it"]);
    assert!(!folder.has("large.suit"));
    folder
        .create(&format!("{create} --uri https://acme.example/large.bin"))
        .ok();
}

#[test]
fn options_without_effect_are_refused() {
    let folder = Folder::new();
    folder.generate("a128kw", "kw.jwk");
    folder
        .tamarack(
            "manifest encrypt @app.bin --any-component --encrypt-to @kw.jwk --encrypt-with a256gcm \
             --out @app.enc --info @app.info",
        )
        .ok();
    let app = "--component lamp/app --payload @app.bin --out @x";
    for (line, words) in [
        (
            format!("{app} --ciphertext @app.enc --encryption-info @app.info --encrypt-to @kw.jwk"),
            &["--encrypt-to", "--encryption-info"][..],
        ),
        (format!("{app} --prefix lamp"), &["--component", "--prefix"]),
        (
            format!("{app} --owner @acme.pub.pem"),
            &["--component", "--owner"],
        ),
        (
            format!("{app} --quota-bytes 1"),
            &["--component", "--quota-bytes"],
        ),
        (
            format!("{app} --service a=b"),
            &["--component", "--service"],
        ),
        (
            format!("{app} --shared-object a"),
            &["--component", "--shared-object"],
        ),
        (
            format!("{app} --encrypt-to @kw.jwk --encrypt-to @kw.jwk=b"),
            &["kw.jwk", "twice"],
        ),
        (
            format!("{app} --encrypt-to @kw.jwk=0xzz"),
            &["0xzz", "hexadecimal"],
        ),
        (
            format!("{app} --encrypt-to @kw.jwk="),
            &["kw.jwk=", "empty"],
        ),
        (
            format!("{app} --ciphertext @x.enc"),
            &["--ciphertext", "--encrypt-to"],
        ),
        (
            format!("{app} --manifest-id lamp/app"),
            &["--manifest-id lamp/app"],
        ),
    ] {
        folder.create(&line).fails(2, words);
        assert!(!folder.has("x"), "{line}");
    }
    for option in [
        "--quota-time 1",
        "--caller a=b",
        "--class a",
        "--language de",
        "--encrypt-with a256gcm",
    ] {
        let name = option.split(' ').next().unwrap();
        folder
            .tamarack(&format!(
                "manifest create --from @app.json {option} --out @x"
            ))
            .fails(2, &["--from", name]);
    }
    let domain = "--domain acme --owner @acme.pub.pem --out @x";
    for (line, word) in [
        ("--prefix acme --exchange hpke", "--exchange"),
        ("--prefix acme --payload-dir @", "--payload-dir"),
        ("--prefix=", "empty"),
        ("--prefix acme//lamp", "empty"),
    ] {
        folder.create(&format!("{domain} {line}")).fails(2, &[word]);
    }
    for (line, words) in [
        ("esp256 --levels 5/8", &["--levels", "hss-lms"][..]),
        ("hmac256 --format pem", &["--format pem"]),
        ("hmac256 --public @y", &["--public"]),
    ] {
        folder
            .tamarack(&format!("key generate --out @x --algorithm {line}"))
            .fails(2, words);
        assert!(!folder.has("x"), "{line}");
    }
}

#[test]
fn slips_in_values_are_found() {
    let folder = Folder::new();
    for (option, word) in [
        ("--vendor=fa6b4a53-d5ad-5fdf-be9d-e663e4d41ff", "UUID"),
        ("--vendor=https://acme.example", "domain name"),
        ("--vendor=", "empty"),
        (
            "--vendor=acme.example --class=fa6b4a53-d5ad-5fdf-be9d-e663e4d41ff",
            "UUID",
        ),
        ("--uri=", "empty"),
        ("--uri=#", "empty"),
        ("--uri=https://acme.example/ü", "can't stand in a URI"),
        ("--reference-uri=<a>", "can't stand in a URI"),
        ("--depends-on=@lib.suit=#", "empty"),
        ("--manifest-id=", "empty"),
        ("--component=", "empty"),
    ] {
        folder
            .create(&format!(
                "--component lamp/app --payload @app.bin {option} --out @x"
            ))
            .fails(2, &[word]);
    }
}

/// The same for programs, which get JSON on both outputs.
#[test]
fn wrong_usage_is_told_in_json_too() {
    let folder = Folder::new();
    let refused = folder.tamarack("--json manifest verify @a.suit");
    assert_eq!(refused.code, Some(2));
    let value: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert!(
        value["error"].as_str().unwrap().contains("--key"),
        "{value}"
    );
}

#[test]
fn a_key_is_used_for_what_its_file_says() {
    let folder = Folder::new();
    folder.generate("hmac256", "mac.jwk");
    folder.write(
        "gcm.jwk",
        r#"{"kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODw", "alg": "A128GCM"}"#,
    );
    let app = "--component lamp/app --payload @app.bin --out @x";
    for (file, purpose) in [("mac.jwk", "HMAC 256/256"), ("gcm.jwk", "A128GCM")] {
        let words = &[file, purpose][..];
        folder
            .create(&format!("{app} --encrypt-to @{file}"))
            .fails(1, words);
        folder
            .tamarack(&format!(
                "manifest run @a.suit --components @device --key @acme.pub.pem --decrypt @{file}"
            ))
            .fails(1, words);
    }
    folder
        .create(&format!("{app} --key @gcm.jwk"))
        .fails(1, &["gcm.jwk", "A128GCM"]);

    folder
        .tamarack("key generate --algorithm ecdh-p256 --format jwk --out @ecdh.jwk")
        .ok();
    let jwk = String::from_utf8(folder.read("ecdh.jwk")).unwrap();
    for says in [
        r#""alg": "ECDH-ES+A128KW""#,
        r#""use": "enc""#,
        r#""key_ops": ["deriveKey"]"#,
    ] {
        folder.write("says.jwk", jwk.replacen('{', &format!("{{{says},"), 1));
        folder
            .create(&format!("{app} --key @says.jwk"))
            .fails(1, &["says.jwk", "for encryption"]);
    }
    assert!(!folder.has("x"));
}

/// Keys as OpenSSL makes them: RSA, and P-384.
const RSA: &str = "-----BEGIN PUBLIC KEY-----
MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf
9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==
-----END PUBLIC KEY-----
";
const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
-----END PUBLIC KEY-----
";

#[test]
fn a_file_that_is_no_key_for_this_is_named() {
    let folder = Folder::new();
    folder.write("rsa.pem", RSA);
    folder.write("p384.pem", P384);
    folder.write("empty.pem", "\n");
    let block = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    folder.write("locked.pem", block("ENCRYPTED PRIVATE KEY"));
    folder.write("ssh.pem", block("OPENSSH PRIVATE KEY"));
    folder
        .tamarack("key authority @acme.pem --subject CN=Acme --out @acme.crt.pem")
        .ok();
    for (file, what) in [
        ("rsa.pem", "an RSA key"),
        ("p384.pem", "another curve than P-256"),
        ("empty.pem", "an empty file"),
        ("locked.pem", "under a passphrase"),
        ("ssh.pem", "OPENSSH PRIVATE KEY"),
    ] {
        folder
            .tamarack(&format!("manifest verify @a.suit --key @{file}"))
            .fails(1, &[file, what]);
    }
    for (file, what) in [
        ("empty.pem", "an empty file"),
        ("locked.pem", "under a passphrase"),
        ("acme.crt.pem", "a certificate, and not a key"),
    ] {
        folder
            .tamarack(&format!("manifest sign @a.suit --key @{file} --out @x"))
            .fails(1, &[file, what]);
    }
    // OpenSSL puts the name of the curve before the key.
    let key = String::from_utf8(folder.read("acme.pem")).unwrap();
    let parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    folder.write("openssl.pem", format!("{parameters}{key}"));
    folder
        .create("--component lamp/app --payload @app.bin --key @openssl.pem --out @x")
        .ok();
    folder
        .tamarack("manifest verify @x --key @openssl.pem")
        .ok();
    // Other keys of the file still count, before and behind it.
    folder.key("other");
    let other = String::from_utf8(folder.read("other.pub.pem")).unwrap();
    for bundle in [
        format!("{other}{parameters}{key}"),
        format!("{parameters}{key}{other}"),
        format!("{parameters}{other}{parameters}{key}"),
    ] {
        folder.write("bundle.pem", bundle);
        folder
            .tamarack("manifest verify @x --key @bundle.pem --all")
            .fails(1, &["1 of 2 keys have signed"]);
        folder.tamarack("manifest verify @x --key @bundle.pem").ok();
    }
}

#[test]
fn a_broken_signature_is_called_one() {
    let folder = Folder::new();
    folder
        .create("--component lamp/app --payload @app.bin --key @acme.pem --out @a.suit")
        .ok();
    let mut bytes = folder.read("a.suit");
    // The head of the COSE_Sign1's array.
    let at = bytes
        .windows(2)
        .position(|window| window == [0xd2, 0x84])
        .unwrap();
    bytes[at + 1] = 0x83;
    folder.write("a.suit", bytes);
    folder
        .tamarack("manifest verify @a.suit --key @acme.pub.pem")
        .fails(1, &["a signature or MAC: "]);
}

// req: SUIT-DEP-038
#[test]
fn a_dependency_is_carried_along() {
    let folder = Folder::new();
    folder.key("lib");
    folder
        .create("--component lib/radio --payload @app.bin --key @lib.pem --out @lib.suit")
        .ok();
    folder
        .create(
            "--component dev/app --payload @app.bin --depends-on @lib.suit=#lib --key @acme.pem --out @dev.suit",
        )
        .ok();
    let bytes = folder.read("dev.suit");
    let envelope = Envelope::decode(&bytes).unwrap();
    let keys: Vec<&str> = envelope.integrated().iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, ["#lib", "#payload"]);
    let run =
        "manifest run @dev.suit --components @device --key @lib.pub.pem=lib --key @acme.pub.pem";
    folder
        .tamarack(&format!("{run}=dev"))
        .fails(1, &["dependency lib/radio/suit", "depend on"]);
    folder.tamarack(&format!("{run}=dev,lib/radio/suit")).ok();
    assert_eq!(folder.read("device/lib+/radio"), folder.read("app.bin"));
    folder
        .tamarack("manifest verify @dev.suit --key @acme.pub.pem")
        .ok();
}

#[test]
fn what_the_manifest_does_not_name_is_not_verified() {
    let folder = Folder::new();
    let bytes = folder.read("a.suit");
    let envelope = Envelope::decode(&bytes).unwrap();
    // A member more, at the end of the map.
    let start = usize::from(bytes[0] == 0xd8) * 2;
    assert_eq!(envelope.integrated().len(), 1);
    let mut more = bytes.clone();
    more[start] += 1;
    more.extend(b"\x65#evil\x43bad");
    folder.write("more.suit", &more);
    let verified = folder.tamarack("--json manifest verify @more.suit --key @acme.pub.pem");
    let value: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(value["verified"], false);
    let evil = &value["carried"][1];
    assert_eq!(evil["part"], "payload");
    assert_eq!(evil["key"], "#evil");
    assert_eq!(evil["named"], false);
    assert_eq!(evil["holds"], false);
    assert_eq!(value["carried"][0]["component"], "lamp/app");
    assert_eq!(value["signatures"][1]["algorithm"], "ESP256");
    verified.fails(1, &["#evil", "does not name it"]);

    // What a section named that was dropped, nobody knows.
    folder
        .create("--component lamp/app --payload @app.bin --sever install --key @acme.pem --out @severed.suit")
        .ok();
    folder
        .tamarack("manifest sever @severed.suit --drop install")
        .ok();
    let value = folder
        .tamarack("--json manifest verify @severed.suit --key @acme.pub.pem")
        .json();
    assert_eq!(value["carried"][0]["holds"], Value::Null);
    assert_eq!(value["carried"][0]["named"], false);

    folder
        .tamarack("manifest sever @more.suit --drop #evil")
        .ok();
    folder
        .tamarack("manifest verify @more.suit --key @acme.pub.pem")
        .ok();
}

#[test]
fn a_certificate_is_called_by_the_id_of_its_key() {
    let folder = Folder::new();
    folder.key("signer");
    folder
        .tamarack("key authority @acme.pem --subject CN=Acme --out @acme.crt.pem")
        .ok();
    folder
        .tamarack(
            "key certify @signer.pub.pem --purpose signer --subject CN=Signer \
             --issuer @acme.crt.pem --issuer-key @acme.pem --out @signer.crt.pem",
        )
        .ok();
    folder
        .tamarack("manifest sign @a.suit --key @signer.pem --out @signed.suit")
        .ok();
    let id = folder.tamarack("key thumbprint @signer.pem").ok();
    let said = folder
        .tamarack("manifest verify @signed.suit --key @signer.crt.pem")
        .ok();
    assert!(said.contains(&format!("signed by {}", id.trim())), "{said}");
    let said = folder
        .tamarack("manifest run @signed.suit --components @device --key @signer.crt.pem")
        .ok();
    assert!(said.contains("signer.crt.pem"), "{said}");
}

/// What disturbs no terminal is shown as it is, and programs get all as it is.
#[test]
fn text_is_escaped_for_terminals_only() {
    let folder = Folder::new();
    let app = "--component lamp/app --payload @app.bin";
    let plain = "–„Grüße“💡";
    folder
        .create(&format!("{app} --description {plain} --out @plain.suit"))
        .ok();
    folder
        .create(&format!(
            "{app} --description a\u{202e}\u{1b}b --out @evil.suit"
        ))
        .ok();
    for line in ["show @plain.suit", "diff @plain.suit @evil.suit"] {
        let said = folder.tamarack(&format!("manifest {line}"));
        let text = String::from_utf8(said.stdout).unwrap();
        assert!(text.contains(plain), "{text}");
    }
    let diff = folder.tamarack("manifest diff @plain.suit @evil.suit");
    let text = String::from_utf8(diff.stdout).unwrap();
    assert!(text.contains("a\\u{202e}\\u{1b}b"), "{text}");
    let diff = folder.tamarack("--json manifest diff @plain.suit @evil.suit");
    let value: Value = serde_json::from_slice(&diff.stdout).unwrap();
    assert_eq!(value["changes"][0]["before"], plain);
    assert_eq!(value["changes"][0]["after"], "a\u{202e}\u{1b}b");
}

#[test]
fn examples_in_help_can_be_pasted() {
    for command in [
        "key certify",
        "trust create",
        "manifest create",
        "manifest encrypt",
        "manifest run",
    ] {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = system::run(&words).ok();
        let lines: Vec<&str> = help.lines().collect();
        let mut examples = 0;
        for pair in lines.windows(2) {
            // A line of an example, which goes on in the next one.
            let starts = pair[0].starts_with("  tamarack ");
            if starts && pair[1].starts_with("    ") {
                assert!(pair[0].ends_with(" \\"), "{command}: {pair:?}");
                examples += 1;
            }
        }
        assert!(examples > 0 && !help.contains("\\\\"), "{command}: {help}");
    }
}

#[test]
fn a_manifest_does_not_need_itself() {
    let folder = Folder::new();
    folder.write("app", "application");
    let create = "manifest create --component lamp/app --payload @app";
    folder.tamarack(&format!("{create} -n 1 --out @one")).ok();
    folder
        .tamarack(&format!("{create} -n 2 --depends-on @one=#one --out @two"))
        .fails(2, &["lamp/app/suit", "--manifest-id"]);
    assert!(!folder.has("two"));
}
