//! What a person does wrong: exit code 1 or 2, a message that names the file or the flag, never a panic.

use std::fs;

use tamarack_tests::{
    system::{Keys, World, run},
    wasm::HELLO_1,
};

#[test]
fn every_command_explains_itself() {
    let help = run(&["--help"]).ok();
    let commands = |help: &str| -> Vec<String> {
        let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let list = list.take_while(|line| !line.is_empty());
        // Explanations that are too long for a line go on further in.
        list.filter(|line| !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .filter(|name| name != "help")
            .collect()
    };
    let mut explained = 0;
    for command in commands(&help) {
        let help = run(&[&command, "--help"]).ok();
        explained += 1;
        for sub in commands(&help) {
            let help = run(&[&command, &sub, "--help"]).ok();
            assert!(help.contains("Usage:"), "{command} {sub}: {help}");
            explained += 1;
        }
    }
    assert!(explained > 30, "{explained}: {help}");
    assert!(run(&["--version"]).ok().starts_with("tamarack "));
}

#[test]
fn wrong_usage_names_the_flag() {
    for (arguments, words) in [
        (&["no-such-command"][..], &["no-such-command"][..]),
        (&["tam", "serve"], &["--data", "--listen"]),
        (
            &["tam", "keys", "--data", "x", "--format", "der"],
            &["--format", "der"],
        ),
        (&["key", "generate"], &["--out"]),
        (
            &["key", "generate", "--out", "x", "--algorithm", "rsa"],
            &["--algorithm", "rsa"],
        ),
        (&["manifest", "create", "--component", "a"], &["--payload"]),
        (&["manifest", "verify", "x"], &["--key"]),
        (
            &["tee", "endorsement", "--data", "x", "--label", "novalue"],
            &["--label", "NAME=VALUE"],
        ),
        (&["broker", "serve", "--tee", "x"], &["--socket"]),
        (&["broker", "serve", "--socket", "x"], &["--tee"]),
        (&["app", "list"], &["--socket"]),
        (
            &["app", "--socket", "x", "invoke", "a", "minus"],
            &["minus"],
        ),
        (&["admin", "devices"], &["--tam"]),
        (
            &[
                "admin",
                "--tam",
                "x",
                "--token-file",
                "x",
                "audit",
                "--limit",
                "many",
            ],
            &["--limit"],
        ),
        (&["teep", "show"], &["<FILE>"]),
        (
            &[
                "broker",
                "serve",
                "--tee",
                "x",
                "--tam",
                "http://x",
                "--socket",
                "y",
                "--policy-interval",
                "0",
            ],
            &["--policy-interval"],
        ),
    ] {
        run(arguments).fails(2, words);
    }
}

#[test]
fn files_that_are_missing_or_wrong_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let write = |name: &str, content: &[u8]| {
        fs::write(path(name), content).unwrap();
        path(name)
    };
    Keys::make(folder.path(), "acme", "esp256");
    let (secret, public) = (path("acme.pem"), path("acme.pub.pem"));
    let missing = path("missing");
    let garbage = write("garbage", b"\xff\x00 garbage");
    let empty = write("empty", b"");
    let half = write("half.pem", b"-----BEGIN PRIVATE KEY-----\nMIGH");
    let json = write("bad.json", b"{\"kty\": \"EC\"}");
    let payload = write("payload", HELLO_1);
    let out = path("out");
    let dir = folder.path().to_str().unwrap();

    let create = [
        "manifest",
        "create",
        "--component",
        "a",
        "--payload",
        &payload,
        "-n",
        "1",
    ];
    for file in [&missing, &garbage, &empty, &half, &json, dir] {
        run(&["key", "show", file]).fails(1, &[file]);
        run(&["key", "thumbprint", file]).fails(1, &[file]);
        run(&["teep", "show", file]).fails(1, &[file]);
        run(&["manifest", "show", file]).fails(1, &[file]);
        run(&["manifest", "verify", file, "--key", &public]).fails(1, &[file]);
        run(&["manifest", "sign", file, "--key", &secret]).fails(1, &[file]);
        let with_key = [&create[..], &["--key", file, "--out", &out]].concat();
        run(&with_key).fails(1, &[file]);
        let tee = path("tee");
        let trust = ["tee", "trust", "--data", &tee, "--tam-key", file];
        run(&trust).fails(1, &[file]);
    }
    // A public key can't sign.
    run(&[&create[..], &["--key", &public, "--out", &out]].concat()).fails(1, &[&public]);
    // Nowhere to write.
    let nowhere = path("no/such/folder/file");
    run(&["key", "generate", "--out", &nowhere]).fails(1, &[&nowhere]);
    run(&[&create[..], &["--key", &secret, "--out", &nowhere]].concat()).fails(1, &[&nowhere]);
    // Errors are for programs too.
    let said = run(&["--json", "key", "show", &missing]).fails(1, &[]);
    let said: serde_json::Value = serde_json::from_str(&said).expect(&said);
    assert!(
        said["error"]
            .as_str()
            .is_some_and(|error| error.contains(&missing))
    );
}

#[test]
fn values_that_make_no_sense_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    Keys::make(folder.path(), "acme", "esp256");
    let (secret, public, out) = (path("acme.pem"), path("acme.pub.pem"), path("out"));
    let domain = |more: &[&str]| {
        let create = [
            "manifest", "create", "-n", "1", "--key", &secret, "--out", &out,
        ];
        run(&[&create[..], more].concat())
    };
    domain(&["--domain", "acme", "--owner", &public]).fails(2, &["--prefix"]);
    domain(&["--domain", "acme", "--prefix", "acme"]).fails(2, &["--owner"]);
    let long = "x".repeat(65);
    domain(&["--domain", &long, "--prefix", "x", "--owner", &public]).fails(2, &["--domain"]);
    let reserved = [
        "--domain",
        "x",
        "--prefix",
        "security-domain/x",
        "--owner",
        &public,
    ];
    domain(&reserved).fails(1, &["prefix"]);
    domain(&["--component", "0xzz", "--payload", &secret]).fails(2, &["--component"]);

    let empty = path("empty");
    fs::create_dir(&empty).unwrap();
    run(&["tam", "keys", "--data", &empty, "--format", "pem"]).fails(1, &[&empty]);
    let tam = ["tam", "serve", "--data", &empty, "--listen"];
    run(&[&tam[..], &["nonsense"]].concat()).fails(1, &["--listen", "nonsense"]);
    let broker = [
        "broker", "serve", "--tee", "x", "--socket", "y", "--tam", "ftp://x",
    ];
    run(&broker).fails(1, &["--tam", "ftp://x"]);
    let socket = path("nobody.sock");
    run(&["app", "--socket", &socket, "list"]).fails(1, &[&socket]);
    let admin = [
        "admin",
        "--tam",
        "http://127.0.0.1:1",
        "--token-file",
        &secret,
        "devices",
    ];
    run(&admin).fails(1, &["127.0.0.1:1"]);
    run(&[
        "admin",
        "--tam",
        "nowhere",
        "--token-file",
        &secret,
        "devices",
    ])
    .fails(1, &["nowhere"]);
}

#[test]
fn a_device_that_is_open_or_exposed_is_not_opened() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("tee");
    let text = data.to_str().unwrap();
    run(&["tee", "trust", "--data", text]).ok();
    let key = data.join("platform/teep-esp256.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    run(&["tee", "endorsement", "--data", text]).fails(1, &[key.to_str().unwrap(), "chmod"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    run(&["tee", "endorsement", "--data", text]).ok();
    // The store of yesterday in the TEE of today.
    let store = data.join("store.redb");
    let old = fs::read(&store).unwrap();
    Keys::make(folder.path(), "tam", "esp256");
    let key = folder.path().join("tam.pub.pem");
    let trust = [
        "tee",
        "trust",
        "--data",
        text,
        "--tam-key",
        key.to_str().unwrap(),
    ];
    run(&trust).ok();
    fs::write(&store, old).unwrap();
    run(&trust).fails(1, &[text, "rolled back"]);
}

#[test]
fn servers_and_operators_who_are_wrong_are_told_so() {
    let world = World::new();
    let tam = format!("http://{}", world.address);
    let wrong = world.write("wrong.token", "0123456789abcdef0123456789abcdef");
    let admin = |token: &str, arguments: &[&str]| {
        run(&[&["admin", "--tam", &tam, "--token-file", token], arguments].concat())
    };
    admin(&wrong, &["devices"]).fails(1, &["admin.token"]);
    let missing = world.path("missing");
    admin(&missing, &["devices"]).fails(1, &[&missing]);

    let bad = world.write("bad.json", "{\"ueid\": 1}");
    world.admin(&["enroll", &bad]).fails(1, &[&bad]);
    let no_envelope = world.write("no.suit", "no envelope");
    world
        .admin(&["publish", &no_envelope])
        .fails(1, &[&no_envelope]);
    world.admin(&["publish", &missing]).fails(1, &[&missing]);
    let foreign = world.manifest("acme/hello", 1, HELLO_1, "globex", &[]);
    world.admin(&["publish", &foreign]).fails(1, &[&foreign]);
    world.admin(&["device", "00ff"]).fails(1, &[]);
    world.admin(&["device", "no-hex"]).fails(1, &[]);
    world
        .admin(&["undeploy", "acme/hello"])
        .fails(1, &["acme/hello"]);
    world
        .admin(&["deploy", "acme/hello", "--to", "nonsense"])
        .fails(1, &["nonsense"]);
    world
        .admin(&["domain", "remove", "initech"])
        .fails(1, &["initech"]);
    let key = world.path("globex.pub.pem");
    let rival = [
        "domain",
        "create",
        "rival",
        "--prefix",
        "acme",
        "--signer-key",
        &key,
    ];
    world.admin(&rival).fails(1, &["acme"]);

    world
        .app(&["invoke", "acme/hello", "1"])
        .fails(1, &["acme/hello"]);
    world
        .app(&["unrequest", "acme/hello"])
        .fails(1, &["acme/hello"]);
    world.app(&["request", "0xzz"]).fails(1, &["0xzz"]);

    // Ports, sockets and folders that are taken.
    let elsewhere = world.path("tam2");
    let listen = [
        "tam",
        "serve",
        "--data",
        &elsewhere,
        "--listen",
        &world.address,
    ];
    run(&listen).fails(1, &["--listen", &world.address]);
    let (tee, socket) = (world.path("tee"), world.path("other.sock"));
    run(&["tee", "serve", "--data", &tee, "--socket", &socket]).fails(1, &[&tee]);
    let (tee, socket) = (world.path("tee2"), world.path("tee.sock"));
    run(&["tee", "serve", "--data", &tee, "--socket", &socket]).fails(1, &[&socket]);
    let (tee, app) = (world.path("tee.sock"), world.path("app.sock"));
    let broker = [
        "broker", "serve", "--tee", &tee, "--tam", &tam, "--socket", &app,
    ];
    let refused = run(&broker);
    assert_eq!(refused.stdout, b"", "nothing is served, so nothing says so");
    refused.fails(1, &[&app]);
    assert_eq!(
        world.installed().len(),
        0,
        "whoever was there first still answers"
    );
}
