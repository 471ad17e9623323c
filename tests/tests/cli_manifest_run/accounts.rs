//! What `run` says of what it found, did, and did not do.

use serde_json::Value;

use super::{Folder, changes};

/// A condition that did not hold where the manifest provides for that is not said to have held.
#[test]
fn an_alternative_that_was_passed_over_did_not_hold() {
    let folder = Folder::new();
    folder.create(
        "-n 1 --component hub/app --payload @app.bin --slot 0 --uri #a \
         --component hub/app --payload @acme.pub.pem --slot 1 --uri #b --key @acme.pem --out @hub.suit",
    );
    let done = folder.run("--json @hub.suit --slot hub/app=1").json();
    let steps = done["steps"].as_array().unwrap();
    assert_eq!(steps[0]["command"], "component-slot");
    assert!(steps.iter().all(|step| step["held"] == false), "{done}");
    let found = &done["found"][0];
    assert_eq!(
        (&found["property"], &found["value"]),
        (&"component-slot".into(), &"1".into())
    );
    let text = folder.run("@hub.suit --slot hub/app=1").ok();
    let lines = text.lines().filter(|line| line.contains("shared sequence"));
    for line in lines {
        assert!(
            line.starts_with('–') && line.contains("did not hold"),
            "{text}"
        );
    }
}

/// Removal is not the signer's affair, and what others need stays.
#[test]
fn what_is_needed_is_released_and_stays() {
    let folder = Folder::new();
    folder.create("-n 1 --component lib/x --payload @app.bin --key @acme.pem --out @lib.suit");
    folder.create(
        "-n 1 --component app --payload @app.bin --depends-on @lib.suit=#lib --key @acme.pem --out @app.suit",
    );
    folder.run("@lib.suit").ok();
    folder.run("@app.suit").ok();
    let uninstall = |id: &str, json: &str| {
        folder.tamarack(&format!(
            "{json} manifest run --components @device --uninstall {id}"
        ))
    };
    let said = uninstall("lib/x/suit", "").ok();
    assert!(
        said.contains("released") && said.contains("app/suit"),
        "{said}"
    );
    let value = uninstall("lib/x/suit", "--json").json();
    assert_eq!(value["needed_by"][0], "app/suit");
    assert!(folder.has("device/lib+/x"));
    let gone = uninstall("app/suit", "--json").json();
    assert_eq!(changes(&gone).len(), 2);
    assert!(!folder.has("device/lib+"));
    folder
        .tamarack("manifest run --components @device --invoke app/suit")
        .fails(2, &["--key"]);
}

#[test]
fn nothing_has_no_digest() {
    let folder = Folder::new();
    let said = folder.run("--json --invoke nope");
    let value: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(value["digest"], Value::Null);
    said.fails(1, &["nope"]);
}

#[test]
fn advice_fits_the_failure() {
    let folder = Folder::new();
    folder.key("lib");
    folder.create("-n 1 --component lib/x --payload @app.bin --key @lib.pem --out @lib.suit");
    let uri = "https://acme.example/lib.suit";
    folder.create(&format!(
        "-n 1 --component app --payload @app.bin --depends-on @lib.suit={uri} --key @acme.pem --out @app.suit"
    ));
    let keys = "--key @lib.pub.pem --offline";
    folder
        .run(&format!("@app.suit {keys} --fetch {uri}=none"))
        .fails(
            1,
            &[
                &format!("{uri}: none: no such file"),
                &format!("--fetch '{uri}=FILE'"),
            ],
        );
    folder.create("-n 2 --component lib/x --payload @app.bin --key @lib.pem --out @lib-2.suit");
    let said = folder
        .run(&format!("@app.suit {keys} --fetch {uri}=@lib-2.suit"))
        .fails(1, &["dependency lib/x/suit: it holds another manifest"]);
    assert!(!said.contains("--compatible"), "{said}");
    folder
        .run(&format!("@app.suit --fetch {uri}=@lib.suit"))
        .fails(
            1,
            &["app.suit: dependency lib/x/suit: signed by a key that is not trusted"],
        );
    folder.lamp(1);
    folder
        .run("@lamp-1.suit --vendor acme.example --class lamp")
        .ok();
    let said = folder
        .tamarack("manifest run --components @device --key @lib.pub.pem --invoke lamp/app/suit")
        .fails(1, &["no --key is that of who signed it"]);
    assert!(!said.contains("prefixes"), "{said}");
    folder
        .run("@lamp-1.suit --class lamp")
        .fails(2, &["lamp", "--vendor"]);
}

#[test]
fn what_is_not_supported_is_named() {
    let folder = Folder::new();
    for (algorithm, public) in [
        ("ecdh-p256 --out @device.pem", "--public @device.pub.pem"),
        ("a128kw --out @shared.jwk", "--format jwk"),
    ] {
        folder
            .tamarack(&format!("key generate --algorithm {algorithm} {public}"))
            .ok();
    }
    folder.create(
        "-n 1 --component app --payload @app.bin --encrypt-to @device.pub.pem --key @acme.pem --out @app.suit",
    );
    let without = "parameter 19 (encryption-info) is not supported";
    folder.run("@app.suit").fails(1, &[without, "--decrypt"]);
    let other = "COSE algorithm -29 (ECDH-ES + A128KW) is not supported";
    folder
        .run("@app.suit --decrypt @shared.jwk")
        .fails(1, &[other, "keys of another kind"]);
    folder.run("@app.suit --decrypt @device.pem").ok();
}
