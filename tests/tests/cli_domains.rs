//! Security domains by hand, with the documented commands on real processes: made, divided, used by their owners'
//! tokens, and taken off the device again.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};
use tamarack_tests::{
    system::{Finished, Keys, World, run},
    wasm::HELLO_1,
};

/// `tamarack admin` with the token in this file.
#[track_caller]
fn admin_as(world: &World, token: &str, arguments: &[&str]) -> Finished {
    let tam = format!("http://{}", world.address);
    let with = ["--json", "admin", "--tam", &tam, "--token-file", token];
    run(&[&with[..], arguments].concat())
}

/// Makes a token; its file.
#[track_caller]
fn token(world: &World, name: &str, more: &[&str]) -> String {
    let file = world.path(&format!("{name}.token"));
    let create = ["token", "create", name, "--out", &file];
    world.admin(&[&create[..], more].concat()).ok();
    file
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

// req: TEEP-TAM-016
// req: TEEP-AGENT-016
#[test]
fn a_provider_divides_its_domain_and_everything_leaves_the_device_again() {
    let world = World::new();
    Keys::make(&world.folder, "locks", "esp256");
    let acme = token(&world, "acme-ci", &["--role", "signer", "--domain", "acme"]);
    let mode = fs::metadata(&acme).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // acme gives locks a part of its domain, on its own authority.
    let small = [
        "--quota-bytes",
        "1000000",
        "--quota-applications",
        "2",
        "--quota-objects",
        "100",
        "--quota-sessions",
        "2",
        "--quota-time",
        "2000",
    ];
    let manifest = world.domain_manifest("acme/locks", 1, "locks", "acme", &small);
    let admin = |arguments: &[&str]| admin_as(&world, &acme, arguments);
    world.create_domain_by(admin, "acme/locks", "locks", &manifest, &[]);
    let shown = admin_as(&world, &acme, &["domain", "show", "acme/locks"]).json();
    assert_eq!(
        shown["manifest"]["manifest"],
        "security-domain/acme/locks/suit"
    );

    // Each publishes into its own domain, with a token for that; neither into the other's.
    let locks = token(
        &world,
        "locks-ci",
        &["--role", "signer", "--domain", "acme/locks"],
    );
    let hello = world.manifest("acme/hello", 1, HELLO_1, "acme", &[]);
    let front = world.manifest("acme/locks/front", 1, HELLO_1, "locks", &[]);
    for (with, envelope) in [(&acme, &front), (&locks, &hello)] {
        admin_as(&world, with, &["publish", envelope]).fails(1, &["forbidden"]);
    }
    admin_as(&world, &acme, &["publish", &hello]).ok();
    admin_as(&world, &locks, &["publish", &front]).ok();
    let seen = admin_as(&world, &locks, &["components"]).json();
    assert_eq!(seen["components"].as_array().unwrap().len(), 1);
    admin_as(&world, &locks, &["deploy", "acme/locks/front"]).fails(1, &["role signer"]);
    // Signed by the wrong key of the two, it gets past no token.
    let stolen = world.manifest("acme/locks/back", 1, HELLO_1, "acme", &[]);
    world
        .admin(&["publish", &stolen])
        .fails(1, &["no key of security domain"]);

    for component in ["acme/hello", "acme/locks/front"] {
        world.admin(&["deploy", component]).ok();
    }
    world.policy_check();
    for component in [
        "security-domain/acme",
        "security-domain/acme/locks",
        "acme/hello",
        "acme/locks/front",
    ] {
        assert_eq!(world.version(component), Some(1), "{component}");
    }
    assert_eq!(
        world.greeting("acme/locks/front"),
        "Hello from inside the TEE, Ada!"
    );

    // What is withdrawn goes, deployed or not.
    world
        .admin(&["domain", "remove", "acme/locks"])
        .fails(1, &["1 manifests are published"]);
    let withdrawn = admin_as(&world, &locks, &["withdraw", "acme/locks/front"]).json();
    assert_eq!(withdrawn["withdrawn"], json!(["acme/locks/front/suit"]));
    admin_as(&world, &locks, &["withdraw", "acme/hello"])
        .fails(1, &["nothing that is published installs acme/hello"]);
    world.policy_check();
    assert_eq!(world.version("acme/locks/front"), None);
    assert_eq!(world.version("security-domain/acme/locks"), Some(1));

    // Then the domains, the inner one by whoever made it.
    let removal = admin_as(&world, &acme, &["domain", "remove", "acme/locks"]).json();
    assert_eq!(
        (&removal["removed"], &removal["devices"]),
        (&json!(false), &json!(1))
    );
    world.admin(&["withdraw", "acme/hello/suit"]).ok();
    let removal = world.admin(&["domain", "remove", "acme"]).json();
    assert_eq!(removal["removed"], false);
    world.policy_check();
    world.policy_check();
    for component in [
        "security-domain/acme",
        "security-domain/acme/locks",
        "acme/hello",
    ] {
        assert_eq!(world.version(component), None, "{component}");
    }
    for domain in ["acme/locks", "acme"] {
        let removal = world.admin(&["domain", "remove", domain]).json();
        assert_eq!(removal["removed"], true, "{removal}");
    }
    let domains = world.admin(&["domain", "list"]).json();
    assert_eq!(domains["domains"].as_array().unwrap().len(), 1, "globex");
    // Tokens are for nothing any more.
    admin_as(&world, &acme, &["publish", &hello]).fails(1, &["no security domain owns"]);
    let tokens = world.admin(&["token", "list"]).json();
    assert_eq!(text(&tokens["tokens"][0]["name"]), "acme-ci");
    world.admin(&["token", "remove", "acme-ci"]).ok();
    admin_as(&world, &acme, &["components"]).fails(1, &["unauthorized"]);
}

#[test]
fn a_descriptor_has_what_the_options_say() {
    let world = World::new();
    let more = [
        "--service",
        "read=acme/meter",
        "--service",
        "reset=acme/meter",
        "--caller",
        "reset=globex",
        "--caller",
        "reset=acme/locks",
        "--shared-object",
        "ledger",
        "--quota-objects",
        "7",
    ];
    let manifest = world.domain_manifest("acme", 2, "acme", "administrator", &more);
    let anchor = world.path("administrator.pub.pem");
    let admin = |arguments: &[&str]| world.admin(arguments);
    world.create_domain_by(admin, "acme", "acme", &manifest, &["--anchor", &anchor]);
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.admin(&["deploy", "acme/hello"]).ok();
    world.policy_check();
    assert_eq!(
        world.version("security-domain/acme"),
        Some(2),
        "the TEE takes it"
    );

    let owner = world.path("acme.pub.pem");
    for (options, code, why) in [
        (&["--service", "read"][..], 2, "read=acme/meter"),
        (
            &["--service", "read=globex/meter"],
            1,
            "under the domain's prefix",
        ),
        (
            &["--service", "read=acme/a", "--service", "read=acme/b"],
            1,
            "each name once",
        ),
        (&["--service", "a/b=acme/a"], 1, "without a slash"),
        (
            &["--service", "read=acme/a", "--caller", "write=globex"],
            2,
            "there is no --service write",
        ),
        (&["--shared-object", ""], 1, "1 to 64 bytes"),
    ] {
        let out = world.path("refused.suit");
        let create = [
            "manifest", "create", "--domain", "acme", "--prefix", "acme", "--owner", &owner, "-n",
            "1", "--out", &out,
        ];
        run(&[&create[..], options].concat()).fails(code, &[why]);
    }
}
