//! The tools that need no server: keys, manifests, messages.

use std::{fs, io::Write, os::unix::fs::PermissionsExt};

use tamarack_tests::{
    Device, Person, Tam, release,
    system::{Finished, Folder, run, tamarack, vectors},
    wasm::HELLO_1,
};

// req: EAT-007
#[test]
fn a_key_is_the_same_key_in_every_format() {
    let folder = Folder::new();
    for algorithm in ["esp256", "ed25519"] {
        for format in ["pem", "jwk", "cose"] {
            let file = |suffix: &str| folder.path(&format!("{algorithm}.{format}{suffix}"));
            let (secret, public) = (file(""), file(".pub"));
            let generate = ["--json", "key", "generate", "--algorithm", algorithm];
            let out = ["--format", format, "--out", &secret, "--public", &public];
            let made = run(&[&generate[..], &out].concat()).json();
            let id = made["key_id"].as_str().unwrap();
            assert_eq!(id.len(), 64);
            let mode = fs::metadata(&secret).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600);
            for path in [&secret, &public] {
                // The public half of either, in every format, has the same thumbprint.
                for other in ["pem", "jwk", "cose"] {
                    let shown = run(&["key", "show", path, "--format", other]).bytes();
                    let copy = folder.write("copy", shown);
                    assert_eq!(run(&["key", "thumbprint", &copy]).ok().trim(), id);
                }
                let shown = run(&["--json", "key", "show", path]).json();
                assert_eq!(shown["key_id"], id);
                assert!(shown["jwk"]["d"].is_null(), "a private key is not shown");
                let thumbprint = run(&["--json", "key", "thumbprint", path]).json();
                assert_eq!(thumbprint["key_id"], id);
                let text = run(&["key", "show", path]).ok();
                assert!(text.contains(id), "{text}");
            }
        }
    }
}

#[test]
fn keys_come_from_standard_input_and_pipes() {
    let folder = Folder::new();
    let (secret, _) = folder.key("acme");
    let shared = folder.path("shared.jwk");
    for (algorithm, path) in [("hmac256", &shared), ("x25519", &folder.path("device.pem"))] {
        run(&["key", "generate", "--algorithm", algorithm, "--out", path]).ok();
    }
    let piped = |path: &str, arguments: &[&str]| {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&fs::read(path).unwrap()).unwrap();
        drop(writer);
        let mut command = tamarack(arguments);
        command.stdin(reader);
        Finished::of(arguments, command)
    };
    for path in [&secret, &shared, &folder.path("device.pem")] {
        for command in ["thumbprint", "show"] {
            let direct = run(&["key", command, path]).ok();
            assert_eq!(piped(path, &["key", command, "-"]).ok(), direct);
        }
        let copy = folder.path("copy.cose");
        piped(
            path,
            &["key", "convert", "-", "--format", "cose", "--out", &copy],
        )
        .ok();
        fs::remove_file(copy).unwrap();
    }
    let payload = folder.write("payload", "content");
    let create = [
        "manifest",
        "create",
        "-n",
        "1",
        "--component",
        "a",
        "--payload",
        &payload,
    ];
    let out = folder.path("a.suit");
    for path in [&secret, &shared] {
        piped(
            path,
            &[&create[..], &["--key", "/dev/stdin", "--out", &out]].concat(),
        )
        .ok();
        piped(path, &["manifest", "verify", &out, "--key", "/dev/stdin"]).ok();
    }
    let device = folder.path("device.pem");
    let to = [
        "--encrypt-to",
        "/dev/stdin",
        "--key",
        &secret,
        "--out",
        &out,
    ];
    piped(&device, &[&create[..], &to].concat()).ok();
    let components = folder.path("components");
    let line = [
        "manifest",
        "run",
        &out,
        "--components",
        &components,
        "--key",
        &secret,
    ];
    piped(&device, &[&line[..], &["--decrypt", "-"]].concat()).ok();
    assert_eq!(folder.read("components/a"), b"content");
}

#[test]
fn a_private_key_is_never_overwritten() {
    let folder = Folder::new();
    let (secret, _) = folder.key("acme");
    let before = fs::read(&secret).unwrap();
    run(&["key", "generate", "--out", &secret]).fails(1, &[&secret, "never overwritten"]);
    assert_eq!(fs::read(&secret).unwrap(), before);
}

#[test]
fn a_manifest_is_made_signed_shown_and_verified() {
    let folder = Folder::new();
    let (acme, acme_public) = folder.key("acme");
    let (globex, globex_public) = folder.key("globex");
    let payload = folder.write("hello.wasm", HELLO_1);
    let out = folder.path("hello.suit");
    let create = ["--json", "manifest", "create", "--component", "acme/hello"];
    let rest = [
        "--payload",
        &payload,
        "--sequence-number",
        "7",
        "--out",
        &out,
    ];
    let made = run(&[&create[..], &rest].concat()).json();
    assert_eq!(made["manifest"], "acme/hello/suit");
    assert_eq!(made["signed_by"], serde_json::Value::Null);
    // Unsigned, nobody vouches for it.
    let verify = |key: &str| run(&["--json", "manifest", "verify", &out, "--key", key]);
    verify(&acme_public).fails(1, &[&out]);
    run(&["manifest", "sign", &out, "--key", &acme]).ok();
    let verified = verify(&acme_public).json();
    assert_eq!(verified["sequence_number"], 7);
    assert_eq!(verified["digest"], made["digest"]);
    verify(&globex_public).fails(1, &[&out]);
    run(&["manifest", "sign", &out, "--key", &globex]).ok();
    assert_eq!(verify(&globex_public).json()["verified"], true);
    assert_eq!(verify(&acme_public).json()["verified"], true);

    assert!(
        run(&["--json", "manifest", "show", &out])
            .json()
            .is_object()
    );
    let text = run(&["manifest", "show", &out]).ok();
    assert!(text.contains("hello"), "{text}");
    let text = run(&["manifest", "verify", &out, "--key", &acme_public]).ok();
    assert!(text.contains("acme/hello/suit"), "{text}");

    let mut tampered = fs::read(&out).unwrap();
    let name = tampered
        .windows(5)
        .position(|window| window == b"hello")
        .unwrap();
    tampered[name] ^= 1;
    let path = folder.write("tampered.suit", tampered);
    run(&["manifest", "verify", &path, "--key", &acme_public]).fails(1, &[&path]);
}

#[test]
fn a_manifest_can_name_a_uri_devices_a_dependency_and_a_domain() {
    let folder = Folder::new();
    let (key, public) = folder.key("acme");
    let payload = folder.write("payload", HELLO_1);
    let (one, two) = (folder.path("one.suit"), folder.path("two.suit"));
    let create = |component: &str, out: &str, more: &[&str]| {
        let base = ["--json", "manifest", "create", "--component", component];
        let rest = [
            "--payload",
            &payload,
            "-n",
            "1",
            "--key",
            &key,
            "--out",
            out,
        ];
        run(&[&base[..], &rest, more].concat())
    };
    let uri = "https://payloads.example/hello.wasm";
    let devices = ["--vendor", "tamarack.example", "--class", "software-tee"];
    create(
        "acme/hello",
        &one,
        &[&["--uri", uri][..], &devices].concat(),
    )
    .ok();
    assert!(
        fs::metadata(&one).unwrap().len() < 2000,
        "the payload is elsewhere"
    );
    let shown = run(&["manifest", "show", &one]).ok();
    assert!(shown.contains(uri), "{shown}");
    create(
        "acme/data",
        &two,
        &["--depends-on", &one, "--manifest-id", "acme/m"],
    )
    .ok();
    let verified = run(&["--json", "manifest", "verify", &two, "--key", &public]).json();
    assert_eq!(verified["manifest"], "acme/m");

    let domain = folder.path("domain.suit");
    let create = [
        "manifest", "create", "--domain", "acme", "--prefix", "acme", "--owner", &public,
    ];
    let quota = ["--quota-bytes", "1000", "--quota-applications", "1"];
    let rest = ["-n", "1", "--key", &key, "--out", &domain];
    run(&[&create[..], &quota, &rest].concat()).ok();
    let shown = run(&["--json", "manifest", "show", &domain])
        .json()
        .to_string();
    assert!(shown.contains("security-domain"), "{shown}");
}

/// A message of each kind, as one side would send it, and whether it is signed by the device.
fn messages() -> (Device, Tam, Vec<(&'static str, Vec<u8>)>) {
    let (tam, admin) = (Tam::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&admin]);
    let hello = release::app("hello", 1, HELLO_1, &admin);
    let query = tam.sign(Tam::query());
    let response = device.process(&query).unwrap();
    let update = tam.sign(Tam::install(&[&hello]));
    let success = device.process(&update).unwrap();
    let old = release::app("hello", 0, HELLO_1, &admin);
    let error = device.process(&tam.sign(Tam::install(&[&old]))).unwrap();
    let list = vec![
        ("QueryRequest", query),
        ("QueryResponse", response),
        ("Update", update),
        ("Success", success),
        ("Error", error),
    ];
    (device, tam, list)
}

#[test]
fn messages_are_shown_signed_or_bare_as_text_and_as_json() {
    let folder = Folder::new();
    let (device, tam, messages) = messages();
    let key = |name: &str, key: tamarack_cose::PublicKey| folder.write(name, key.to_cose_key());
    let (tam_key, device_key) = (key("tam", tam.key.public()), key("device", device.key()));
    for (kind, bytes) in messages {
        let path = folder.write(kind, &bytes);
        let shown = run(&["--json", "teep", "show", &path]).json();
        assert_eq!(
            (&shown["message"], &shown["signed"]),
            (&kind.into(), &"COSE_Sign1".into())
        );
        let text = run(&["teep", "show", &path]).ok();
        assert!(text.contains(kind), "{text}");
        let diagnostic = run(&["teep", "show", "--diagnostic", &path]).ok();
        assert!(diagnostic.starts_with("18("), "{diagnostic}");
        assert!(
            run(&["--json", "teep", "show", "--diagnostic", &path]).json()["diagnostic"]
                .is_string()
        );

        let by_tam = kind == "QueryRequest" || kind == "Update";
        let (right, wrong) = if by_tam {
            (&tam_key, &device_key)
        } else {
            (&device_key, &tam_key)
        };
        let verified = run(&["--json", "teep", "show", &path, "--key", right]).json();
        assert!(verified["verified_by"].is_string());
        run(&["teep", "show", &path, "--key", wrong]).fails(1, &[&path]);

        let protected = tamarack_teep::Protected::decode(&bytes, &Default::default()).unwrap();
        let bare = protected.signed().unverified_payload().unwrap().to_vec();
        let path = folder.write("bare", bare);
        let shown = run(&["--json", "teep", "show", &path]).json();
        assert_eq!(
            (&shown["message"], &shown["signed"]),
            (&kind.into(), &false.into())
        );

        let mut command = tamarack(&["--json", "teep", "show", "-"]);
        command.stdin(fs::File::open(folder.path(kind)).unwrap());
        assert_eq!(
            Finished::of(&["teep", "show", "-"], command).json()["message"],
            kind
        );
    }
}

#[test]
fn messages_that_are_broken_anywhere_are_an_error_and_no_panic() {
    let folder = Folder::new();
    let (_, _, messages) = messages();
    for (kind, bytes) in &messages[..2] {
        for length in (0..bytes.len()).step_by(bytes.len() / 12) {
            let path = folder.write("broken", &bytes[..length]);
            let shown = run(&["teep", "show", &path]);
            shown.fails(1, &[&path]);
        }
        let mut flipped = bytes.clone();
        for at in (0..bytes.len()).step_by(bytes.len() / 12) {
            flipped[at] ^= 0x81;
            let path = folder.write("broken", &flipped);
            let shown = run(&["--json", "teep", "show", &path]);
            assert!(matches!(shown.code, Some(0 | 1)), "{kind} at {at}");
        }
    }
    let bomb = folder.write("bomb", vec![0x81; 10_000]);
    run(&["teep", "show", &bomb]).fails(1, &[&bomb]);
    run(&["teep", "show", "--diagnostic", &bomb]).fails(1, &[&bomb]);
    run(&["manifest", "show", &bomb]).fails(1, &[&bomb]);
}

#[test]
fn the_published_messages_are_shown() {
    let Some(vectors) = vectors() else { return };
    let mut shown = 0;
    for entry in fs::read_dir(vectors.join("teep-draft")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "cbor") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let result = run(&["--json", "teep", "show", path.to_str().unwrap()]);
        if result.code == Some(0) {
            assert!(result.json()["message"].is_string(), "{name}");
            shown += 1;
        }
    }
    assert!(shown > 0, "no message among the vectors");
}
