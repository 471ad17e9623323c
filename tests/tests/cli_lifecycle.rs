//! The whole life of an application by hand, with the documented commands on real processes.

use std::{fs, os::unix::fs::PermissionsExt};

use tamarack_tests::{
    system::{Response, Server, World, request, run},
    wasm::{HELLO_1, HELLO_2, VAULT},
};

/// A server that has one file.
fn serving(payload: &'static [u8]) -> Server {
    Server::start(move |_, _| {
        Some(Response {
            status: 200,
            headers: Vec::new(),
            body: payload.to_vec(),
        })
    })
}

// req: TEEP-MSG-067
// req: TEEP-TAM-011
#[test]
fn an_application_is_published_requested_installed_updated_personalised_and_removed() {
    let world = World::new();
    assert_eq!(world.policy_check(), 1, "the device shows itself");
    let device = world.admin(&["device", &world.ueid]).json();
    assert!(device["agent_key"].is_string(), "{device}");
    assert_eq!(device["labels"]["site"], "test");

    // Published and deployed on request: nothing comes unasked but the security domains.
    world.publish("acme/hello", 1, HELLO_1, "acme");
    let deploy = ["deploy", "acme/hello", "--to", "site=test", "--on-request"];
    assert_eq!(world.admin(&deploy).json()["mode"], "on-request");
    world.policy_check();
    assert_eq!(world.version("acme/hello"), None);
    let outcome = world.app(&["request", "acme/hello"]).json();
    assert_eq!(outcome["installed"], true);
    assert_eq!(
        world.version("security-domain/acme"),
        Some(1),
        "its domain came with it"
    );
    assert_eq!(
        world.greeting("acme/hello"),
        "Hello from inside the TEE, Ada!"
    );
    assert_eq!(world.app(&["request", "acme/hello"]).json()["exchanges"], 0);

    // A newer release, fetched from where its provider keeps it.
    let payloads = serving(HELLO_2);
    let uri = payloads.url("/hello.wasm");
    let two = world.manifest("acme/hello", 2, HELLO_2, "acme", &["--uri", &uri]);
    world.admin(&["publish", &two]).ok();
    let older = world.manifest("acme/hello", 1, HELLO_1, "acme", &[]);
    world.admin(&["publish", &older]).fails(
        1,
        &[
            &older,
            "1 of acme/hello/suit is not newer than 2",
            "sign it again",
        ],
    );
    world.policy_check();
    assert_eq!(world.version("acme/hello"), Some(2));
    assert!(world.greeting("acme/hello").starts_with("Welcome, Ada!"));

    // Data for this very device.
    let more = ["--depends-on", &two];
    let greeting = world.manifest("acme/hello/greeting", 1, b"Servus", "acme", &more);
    world.admin(&["publish", &greeting]).ok();
    let to = format!("ueid={}", world.ueid);
    world
        .admin(&["deploy", "acme/hello/greeting", "--to", &to])
        .ok();
    world.policy_check();
    assert!(world.greeting("acme/hello").starts_with("Servus, Ada!"));
    let elsewhere = ["deploy", "globex/vault", "--to", "site=elsewhere"];
    world.publish("globex/vault", 1, VAULT, "globex");
    world.admin(&elsewhere).ok();
    world.policy_check();
    assert_eq!(
        world.version("globex/vault"),
        None,
        "deployed to other devices"
    );

    // What the TAM knows of all this.
    let device = world.admin(&["device", &world.ueid]).json();
    let installed = device["installed"].to_string();
    assert!(installed.contains("acme/hello/greeting"), "{installed}");
    let outcomes = device["manifests"].as_array().unwrap();
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome["status"] == "installed"),
        "{device}"
    );
    let components = world.admin(&["components"]).json();
    assert_eq!(
        components["components"].as_array().unwrap().len(),
        4,
        "{components}"
    );
    let audit = world.admin(&["audit"]).json();
    let records = audit["records"].as_array().unwrap();
    for action in ["enroll", "publish", "send-update", "update-succeeded"] {
        assert!(
            records.iter().any(|record| record["action"] == action),
            "{action}: {audit}"
        );
    }
    let after = records[0]["id"].to_string();
    let rest = world
        .admin(&["audit", "--after", &after, "--limit", "2"])
        .json();
    assert_eq!(rest["records"].as_array().unwrap().len(), 2);

    // The application withdraws its wish; then the deployments end.
    world.admin(&["undeploy", "acme/hello/greeting"]).ok();
    world.admin(&["undeploy", "acme/hello"]).ok();
    let outcome = world.app(&["unrequest", "acme/hello"]).json();
    assert_eq!(outcome["installed"], false);
    assert_eq!(world.version("acme/hello"), None);
    assert_eq!(world.version("acme/hello/greeting"), None);
    world
        .app(&["invoke", "acme/hello", "1", "--input", "Ada"])
        .fails(1, &["acme/hello"]);
    world.policy_check();
    let device = world.admin(&["device", &world.ueid]).json();
    assert!(
        !device["installed"].to_string().contains("acme/hello"),
        "{device}"
    );
    assert_eq!(
        world.admin(&["unenroll", &world.ueid]).json()["unenrolled"],
        world.ueid
    );
    let devices = world.admin(&["devices"]).json();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 0);
}

#[test]
fn every_command_has_text_for_people_and_json_for_programs() {
    let world = World::new();
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");
    world.policy_check();
    let (tam, token) = (
        format!("http://{}", world.address),
        world.path("tam/admin.token"),
    );
    let (tam_data, tee_data) = (world.path("tam"), world.path("tee"));
    let (socket, envelope) = (
        world.path("app.sock"),
        world.path("acme.hello-1-by-acme.suit"),
    );
    let (key, public) = (world.path("acme.pem"), world.path("acme.pub.pem"));
    let response = world.write("message", world.wire.last("QueryResponse").0);
    let copy = world.path("copy.suit");
    let admin = ["admin", "--tam", &tam, "--token-file", &token];
    let app = ["app", "--socket", &socket];
    for (group, arguments, word) in [
        (&admin[..], &["devices"][..], world.ueid.as_str()),
        (&admin, &["device", &world.ueid], "acme/hello"),
        (&admin, &["components"], "acme/hello"),
        (&admin, &["domain", "list"], "globex"),
        (&admin, &["deployments"], "required"),
        (&admin, &["audit"], "send-update"),
        (
            &admin,
            &["deploy", "acme/hello", "--to", "site=lab"],
            "acme/hello",
        ),
        (&app, &["list"], "acme/hello"),
        (&app, &["policy-check"], "1"),
        (&app, &["request", "acme/hello"], "installed"),
        (
            &app,
            &["invoke", "acme/hello", "1", "--input", "Ada"],
            "Ada",
        ),
        (&[], &["key", "show", &key], "ed25519"),
        (&[], &["key", "thumbprint", &public], ""),
        (&[], &["manifest", "show", &envelope], "hello"),
        (
            &[],
            &["manifest", "verify", &envelope, "--key", &public],
            "acme/hello/suit",
        ),
        (
            &[],
            &[
                "manifest",
                "sign",
                &envelope,
                "--key",
                &world.path("globex.pem"),
                "--out",
                &copy,
            ],
            "signed",
        ),
        (&[], &["teep", "show", &response], "QueryResponse"),
        (&[], &["tee", "endorsement", "--data", &tee_data], "ueid"),
        (
            &[],
            &["tam", "keys", "--data", &tam_data, "--format", "jwk"],
            "kty",
        ),
    ] {
        let all = [group, arguments].concat();
        let text = run(&all).ok().to_lowercase();
        assert!(text.contains(&word.to_lowercase()), "{arguments:?}: {text}");
        let value = run(&[&["--json"], &all[..]].concat()).json();
        assert!(value.is_object(), "{arguments:?}: {value}");
    }
    let undeploy = ["undeploy", "acme/hello", "--to"];
    let text = run(&[&admin[..], &undeploy, &["site=lab"]].concat()).ok();
    assert!(text.contains("acme/hello"), "{text}");
    assert!(world.admin(&[&undeploy[..], &["all"]].concat()).json()["ended"].is_array());
}

#[test]
fn the_tams_keys_come_in_every_format() {
    let world = World::new();
    let data = world.path("tam");
    let keys = |more: &[&str]| run(&[&["tam", "keys", "--data", &data], more].concat());
    let mut thumbprints = Vec::new();
    for algorithm in ["esp256", "ed25519"] {
        let of = |format: &str| {
            let key = keys(&["--format", format, "--algorithm", algorithm]).bytes();
            let path = world.write("key", key);
            run(&["key", "thumbprint", &path]).ok()
        };
        assert_eq!(of("pem"), of("jwk"));
        assert_eq!(of("pem"), of("cose"));
        thumbprints.push(of("pem"));
    }
    assert_ne!(thumbprints[0], thumbprints[1]);
    let both = keys(&["--format", "pem"]).ok();
    assert_eq!(both.matches("BEGIN PUBLIC KEY").count(), 2);
    assert_eq!(
        keys(&["--format", "jwk"]).json()["keys"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    keys(&["--format", "cose"]).fails(1, &["--format cose"]);
}

#[test]
fn secrets_are_for_their_owner_only() {
    let world = World::new();
    for name in [
        "tam/admin.token",
        "tam/keys/esp256.pem",
        "tam/keys/ed25519.pem",
        "tam/keys/ticket.key",
        "tee/platform/root.key",
        "tee/platform/teep-esp256.key",
        "tee/platform/attester.key",
        "acme.pem",
    ] {
        let mode = fs::metadata(world.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    for socket in ["tee.sock", "app.sock"] {
        let mode = fs::metadata(world.path(socket))
            .unwrap()
            .permissions()
            .mode()
            & 0o777;
        assert_eq!(mode & 0o007, 0, "{socket}");
    }
}

// req: TEEP-OPS-004
#[test]
fn the_admin_api_is_closed_without_the_token() {
    let world = World::new();
    let token = fs::read_to_string(world.path("tam/admin.token")).unwrap();
    let ask = |authorization: &str| {
        let headers = [("authorization", authorization)];
        request(&world.address, "GET", "/api/v1/devices", &headers, b"").status
    };
    assert_eq!(ask(&format!("Bearer {}", token.trim())), 200);
    for wrong in ["", "Bearer", "Bearer 0", &format!("Basic {}", token.trim())] {
        assert_eq!(ask(wrong), 401, "{wrong}");
    }
    assert!(!world.tam.log().contains(token.trim()));
}

// req: TEEP-TAM-016
#[test]
fn what_was_tampered_with_is_refused_by_the_tam_already() {
    let world = World::new();
    let envelope = world.manifest("acme/hello", 1, HELLO_1, "acme", &[]);
    let whole = fs::read(&envelope).unwrap();
    let name = whole
        .windows(5)
        .position(|window| window == b"hello")
        .unwrap();
    for at in [name, name + 3, whole.len() - 50] {
        let mut tampered = whole.clone();
        tampered[at] ^= 1;
        let path = world.write("tampered.suit", tampered);
        world.admin(&["publish", &path]).fails(1, &[&path]);
    }
    let unsigned = world.path("unsigned.suit");
    let payload = world.write("payload", HELLO_1);
    let create = [
        "manifest",
        "create",
        "--component",
        "acme/hello",
        "--payload",
        &payload,
    ];
    run(&[&create[..], &["-n", "1", "--out", &unsigned]].concat()).ok();
    world.admin(&["publish", &unsigned]).fails(1, &[&unsigned]);
    world.admin(&["publish", &envelope]).ok();
    // The same is published again without harm; another of that number is not.
    world.admin(&["publish", &envelope]).ok();
    let other = world.manifest("acme/hello", 1, HELLO_2, "acme", &[]);
    world.admin(&["publish", &other]).fails(1, &[&other]);
}
