//! Certificates with the documented commands on real processes: authorities, expiry, revocation, keys that are
//! replaced while devices are in the field, and devices that their makers' certificates make known.

use std::{fs, mem};

use serde_json::Value;
use tamarack_teep::{ErrorCode, Message};
use tamarack_tests::{
    system::{Keys, Process, World, run},
    wasm::{HELLO_1, HELLO_2},
};

/// A process that ends at once, to stand where another one was.
fn idle() -> Process {
    Process::start("idle", &std::env::temp_dir(), &["--version"])
}

fn restart_tam(world: &mut World) {
    let _ = mem::replace(&mut world.tam, idle()).stop();
    world.restart_tam();
}

/// Runs `tamarack tee` with the TEE stopped, and starts it again.
fn with_tee_stopped(world: &mut World, commands: &[&[&str]]) {
    let _ = mem::replace(&mut world.tee, idle()).stop();
    for command in commands {
        run(command).ok();
    }
    world.restart_tee();
}

fn key_id(file: &str) -> String {
    let id = run(&["--json", "key", "thumbprint", file]).json();
    id["key_id"].as_str().unwrap().to_owned()
}

/// Makes an authority: `NAME.pem` and `NAME.crt.pem`.
fn authority(world: &World, name: &str) -> String {
    Keys::make(&world.folder, name, "esp256");
    let (key, out) = (
        world.path(&format!("{name}.pem")),
        world.path(&format!("{name}.crt.pem")),
    );
    let subject = format!("CN={name}");
    run(&[
        "key",
        "authority",
        &key,
        "--subject",
        &subject,
        "--out",
        &out,
    ])
    .ok();
    out
}

/// Has an authority issue a certificate for a public key; the file.
fn certify(world: &World, by: &str, key: &str, subject: &str, out: &str, more: &[&str]) -> String {
    let out = world.path(out);
    let (issuer, issuer_key) = (
        world.path(&format!("{by}.crt.pem")),
        world.path(&format!("{by}.pem")),
    );
    let command = [
        "key",
        "certify",
        key,
        "--subject",
        subject,
        "--issuer",
        &issuer,
        "--issuer-key",
        &issuer_key,
        "--out",
        &out,
    ];
    run(&[&command[..], more].concat()).ok();
    out
}

/// The last Error that the agent sent.
fn last_error(world: &World) -> tamarack_teep::Error {
    match world.wire.last("Error").1 {
        Message::Error(error) => error,
        other => panic!("{other:?}"),
    }
}

/// Publishes a set of trust anchors that is described so, and has it on every device.
fn deploy_anchors(world: &World, number: u64, description: &str) {
    let file = world.write("anchors.json", description);
    let payload = world.path("anchors.cbor");
    run(&["trust", "create", &file, "--out", &payload]).ok();
    let content = fs::read(&payload).unwrap();
    world.publish("trust-anchors/site", number, &content, "administrator");
}

/// The domain in which the administrator publishes sets of trust anchors.
fn create_anchor_domain(world: &World) {
    let key = world.path("administrator.pub.pem");
    let create = ["domain", "create", "site", "--prefix", "trust-anchors"];
    world
        .admin(&[&create[..], &["--signer-key", &key]].concat())
        .ok();
    world.deploy("trust-anchors/site");
}

// req: ARCH-021
// req: TEEP-OPS-002
#[test]
fn a_device_knows_its_tam_by_an_authority() {
    let mut world = World::new();
    let authority = authority(&world, "operator");
    let tam = world.path("tam.pub.pem");
    let (data, tee) = (world.path("tam"), world.path("tee"));
    let purpose = ["--purpose", "tam"];
    let good = certify(
        &world,
        "operator",
        &tam,
        "CN=TAM 1",
        "tam.crt.pem",
        &purpose,
    );
    run(&["tam", "certify", "--data", &data, &good]).ok();
    restart_tam(&mut world);
    let id = key_id(&tam);
    with_tee_stopped(
        &mut world,
        &[&[
            "tee",
            "trust",
            "--data",
            &tee,
            "--tam-key",
            &authority,
            "--revoke",
            &id,
        ]],
    );
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");
    world.policy_check();
    assert_eq!(world.version("acme/hello"), Some(1));

    // The certificate expires, and the device says which.
    let end = [
        "--purpose",
        "tam",
        "--not-before",
        "1",
        "--not-after",
        "1700000000",
    ];
    let expired = certify(
        &world,
        "operator",
        &tam,
        "CN=Late TAM",
        "late.crt.pem",
        &end,
    );
    run(&["tam", "certify", "--data", &data, &expired]).ok();
    restart_tam(&mut world);
    world.publish("acme/hello", 2, HELLO_2, "acme");
    world.app(&["policy-check"]);
    let error = last_error(&world);
    assert_eq!(error.code, ErrorCode::CERTIFICATE_EXPIRED);
    let text = error.explanation.unwrap().text;
    assert!(
        text.contains("CN=Late TAM") && text.contains("expired"),
        "{text}"
    );
    assert_eq!(world.version("acme/hello"), Some(1));

    // It is revoked in the device, and renewed at the TAM.
    let revoke = world.write(
        "revoke.json",
        r#"{ "revoked": [ { "certificate": "tam.crt.pem" } ] }"#,
    );
    with_tee_stopped(
        &mut world,
        &[&["tee", "trust", "--data", &tee, "--anchors", &revoke]],
    );
    run(&["tam", "certify", "--data", &data, &good]).ok();
    restart_tam(&mut world);
    world.app(&["policy-check"]);
    let error = last_error(&world);
    assert_eq!(error.code, ErrorCode::BAD_CERTIFICATE);
    let renewed = certify(
        &world,
        "operator",
        &tam,
        "CN=TAM 1",
        "new.crt.pem",
        &purpose,
    );
    run(&["tam", "certify", "--data", &data, &renewed]).ok();
    restart_tam(&mut world);
    world.policy_check();
    assert_eq!(world.version("acme/hello"), Some(2));
}

// req: TEEP-OPS-001
// req: ARCH-026
#[test]
fn the_keys_of_a_tam_are_replaced_while_a_device_is_in_the_field() {
    let mut world = World::new();
    create_anchor_domain(&world);
    let data = world.path("tam");
    let old = world.path("tam.pub.pem");
    run(&["tam", "rotate-keys", "--data", &data]).ok();
    restart_tam(&mut world);
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");
    world.policy_check();
    assert_eq!(
        world.version("acme/hello"),
        Some(1),
        "both keys sign, the device knows one"
    );
    let (keys, out) = (["tam", "keys", "--data", &data], world.path("both.pub.pem"));
    run(&[
        &keys[..],
        &["--format", "pem", "--algorithm", "esp256", "--out", &out],
    ]
    .concat())
    .ok();
    let anchors = r#"{ "purpose": "tam", "file": "both.pub.pem" }"#;
    deploy_anchors(&world, 1, &format!(r#"{{ "anchors": [ {anchors} ] }}"#));
    world.policy_check();
    assert_eq!(world.version("trust-anchors/site"), Some(1));
    run(&["tam", "retire-keys", "--data", &data]).ok();
    restart_tam(&mut world);
    let revoked = format!(r#"{{ "key_id": "{}" }}"#, key_id(&old));
    deploy_anchors(
        &world,
        2,
        &format!(r#"{{ "anchors": [ {anchors} ], "revoked": [ {revoked} ] }}"#),
    );
    world.policy_check();
    assert_eq!(
        world.version("trust-anchors/site"),
        Some(2),
        "the new key alone signs"
    );
    world.publish("acme/hello", 2, HELLO_2, "acme");
    world.policy_check();
    assert_eq!(world.version("acme/hello"), Some(2));
    // A set that would leave nobody changes nothing.
    let administrator = key_id(&world.path("administrator.pub.pem"));
    deploy_anchors(
        &world,
        3,
        &format!(r#"{{ "revoked": [ {{ "key_id": "{administrator}" }} ] }}"#),
    );
    world.app(&["policy-check"]);
    assert_eq!(world.version("trust-anchors/site"), Some(2));
}

// req: TEEP-OPS-001
#[test]
fn a_revoked_agent_does_not_come_back() {
    let world = World::new();
    world.policy_check();
    let device = world.admin(&["device", &world.ueid]).json();
    let agent = device["agent_key"].as_str().unwrap().to_owned();
    let revoke = ["revoke", "--key-id", &agent, "--reason", "stolen"];
    let list = world.admin(&revoke).json();
    assert_eq!(list["revocations"][0]["id"], Value::from(agent.clone()));
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");
    for _ in 0..2 {
        world.app(&["policy-check"]);
        match world.wire.last("Update").1 {
            Message::Update(update) => {
                assert_eq!(update.error, Some(ErrorCode::BAD_CERTIFICATE));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(world.version("acme/hello"), None);
    }
    let device = world.admin(&["device", &world.ueid]).json();
    assert!(device["agent_key"].is_null(), "{device}");
    // The attester's key is worth as little.
    world.admin(&["reinstate", &agent]).ok();
    let attester = device["endorsement"]["attester"].to_string();
    let attester = world.write("attester.jwk", attester);
    world.admin(&["revoke", "--key", &attester]).ok();
    world.app(&["policy-check"]);
    assert_eq!(world.version("acme/hello"), None);
    world.admin(&["reinstate", &key_id(&attester)]).ok();
    assert_eq!(
        world.admin(&["revocations"]).json()["revocations"],
        Value::from(Vec::<Value>::new())
    );
    world.policy_check();
    assert_eq!(world.version("acme/hello"), Some(1));
}

// req: ARCH-023
// req: ARCH-046
#[test]
fn a_device_is_known_by_the_certificate_of_its_maker() {
    let mut world = World::new();
    world.admin(&["unenroll", &world.ueid]).ok();
    let maker = authority(&world, "maker");
    let tee = world.path("tee");
    let endorsement: Value =
        serde_json::from_slice(&fs::read(world.path("endorsement.json")).unwrap()).unwrap();
    let attester = world.write("attester.jwk", endorsement["attester"].to_string());
    let purpose = ["--purpose", "tee", "--no-end"];
    let subject = format!("CN={}", world.ueid);
    let chain = certify(
        &world,
        "maker",
        &attester,
        &subject,
        "attester.crt.pem",
        &purpose,
    );
    with_tee_stopped(&mut world, &[&["tee", "certify", "--data", &tee, &chain]]);
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");
    world.app(&["policy-check"]);
    assert_eq!(world.version("acme/hello"), None, "the maker is a stranger");

    let mut template = endorsement;
    for own in ["ueid", "attester"] {
        template.as_object_mut().unwrap().remove(own);
    }
    let template = world.write("template.json", template.to_string());
    let add = [
        "maker",
        "add",
        "maker",
        "--certificate",
        &maker,
        "--template",
        &template,
    ];
    world.admin(&add).ok();
    // Its first contact makes it known. A challenge from before that is not taken, so that nothing that was
    // recorded before a device was removed brings it back.
    world.policy_check();
    world.policy_check();
    assert_eq!(world.version("acme/hello"), Some(1));
    let device = world.admin(&["device", &world.ueid]).json();
    assert_eq!(device["labels"]["site"], "test");

    // Another device's certificate makes nobody known, and a revoked one neither.
    world.admin(&["unenroll", &world.ueid]).ok();
    let wrong = certify(
        &world,
        "maker",
        &attester,
        "CN=01020304050607",
        "w.crt.pem",
        &purpose,
    );
    with_tee_stopped(&mut world, &[&["tee", "certify", "--data", &tee, &wrong]]);
    world.app(&["policy-check"]);
    world
        .admin(&["device", &world.ueid])
        .fails(1, &["not enrolled"]);
    with_tee_stopped(&mut world, &[&["tee", "certify", "--data", &tee, &chain]]);
    world.admin(&["revoke", "--certificate", &chain]).ok();
    world.app(&["policy-check"]);
    world
        .admin(&["device", &world.ueid])
        .fails(1, &["not enrolled"]);
}

// req: ARCH-022
#[test]
fn a_manifest_is_signed_with_a_certificate_and_verified_with_its_authority() {
    let world = World::new();
    let anchor = authority(&world, "vendors");
    let public = world.path("acme.pub.pem");
    let purpose = ["--purpose", "signer"];
    let chain = certify(
        &world,
        "vendors",
        &public,
        "CN=acme",
        "acme.crt.pem",
        &purpose,
    );
    let [key, chain] =
        [world.path("acme.pem"), chain].map(|file| fs::read_to_string(file).unwrap());
    let certified = world.write("certified.pem", format!("{key}{chain}"));
    fs::set_permissions(
        &certified,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let signed = world.manifest("acme/hello", 1, HELLO_1, "certified", &[]);
    run(&["manifest", "verify", &signed, "--key", &anchor]).ok();
    let bare = world.manifest("acme/hello", 2, HELLO_1, "acme", &[]);
    run(&["manifest", "verify", &bare, "--key", &anchor]).fails(1, &[]);
    let stranger = authority(&world, "strangers");
    run(&["manifest", "verify", &signed, "--key", &stranger]).fails(1, &[]);

    // A device takes it from whom the authority certifies so, and for what it may.
    let anchors = r#"{ "purpose": "signer", "file": "vendors.crt.pem", "subject": "CN=acme", "prefixes": ["free"] }"#;
    create_anchor_domain(&world);
    deploy_anchors(&world, 1, &format!(r#"{{ "anchors": [ {anchors} ] }}"#));
    world.policy_check();
    assert_eq!(world.version("trust-anchors/site"), Some(1));
    let create = ["domain", "create", "free", "--prefix", "free"];
    world
        .admin(&[&create[..], &["--signer-key", &public]].concat())
        .ok();
    world.publish("free/hello", 1, HELLO_1, "certified");
    world.deploy("free/hello");
    world.policy_check();
    assert_eq!(world.version("free/hello"), Some(1));
}

#[test]
fn certificates_are_made_and_shown_without_other_tools() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for name in ["root", "middle", "leaf"] {
        Keys::make(folder.path(), name, "ed25519");
    }
    let (root, root_key) = (path("root.crt.pem"), path("root.pem"));
    run(&[
        "key",
        "authority",
        &root_key,
        "--subject",
        "CN=root",
        "--path-length",
        "1",
        "--out",
        &root,
    ])
    .ok();
    let (middle, middle_key) = (path("middle.crt.pem"), path("middle.pem"));
    let of_middle = [
        "key",
        "authority",
        &path("middle.pub.pem"),
        "--subject",
        "CN=middle",
    ];
    let issuer = [
        "--issuer",
        &root,
        "--issuer-key",
        &root_key,
        "--out",
        &middle,
    ];
    run(&[&of_middle[..], &issuer].concat()).ok();
    let leaf = path("leaf.crt.pem");
    let of_leaf = [
        "key",
        "certify",
        &path("leaf.pub.pem"),
        "--subject",
        "CN=leaf,O=Acme",
    ];
    let more = [
        "--purpose",
        "signer",
        "--name",
        "https://acme.example",
        "--days",
        "30",
    ];
    let issuer = [
        "--issuer",
        &middle,
        "--issuer-key",
        &middle_key,
        "--out",
        &leaf,
    ];
    run(&[&of_leaf[..], &more, &issuer].concat()).ok();
    for command in [&["key", "certificates"][..], &["key", "show"]] {
        let shown = run(&[&["--json"][..], command, &[&leaf]].concat()).json();
        let list = shown["certificates"].as_array().unwrap();
        assert_eq!(list.len(), 2, "the root is not sent");
        assert_eq!(list[0]["subject"], "CN=leaf,O=Acme");
        assert_eq!(list[0]["issuer"], "CN=middle");
        assert_eq!(list[0]["purposes"][0], "signer");
        assert_eq!(list[0]["names"][0], "https://acme.example");
        assert_eq!(
            list[0]["key_id"],
            Value::from(key_id(&path("leaf.pub.pem")))
        );
        assert_eq!(list[1]["authority"], true);
    }
    let text = run(&["key", "certificates", &root]).ok();
    assert!(
        text.contains("CN=root") && text.contains("path length"),
        "{text}"
    );
    run(&["key", "certificates", &root_key]).fails(1, &["holds no certificate"]);
    let wrong = ["--issuer", &leaf, "--issuer-key", &path("leaf.pem")];
    run(&[&of_leaf[..], &wrong].concat()).fails(1, &["no certificate of an authority"]);
    let wrong = ["--issuer", &middle, "--issuer-key", &root_key];
    run(&[&of_leaf[..], &wrong].concat()).fails(1, &["is not the key of"]);
}
