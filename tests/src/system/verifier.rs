use std::fs;

use serde_json::{Value, json};

use super::{Process, World, run};

/// Starts a Verifier that knows the device and the TAM of `world`; itself, and its `HOST:PORT`. Its public key is in
/// `verifier.pub.pem` in the world's folder.
#[must_use]
pub fn start_verifier(world: &World) -> (Process, String) {
    let (data, endorsements) = (world.path("verifier"), world.path("endorsements"));
    fs::create_dir_all(&endorsements).unwrap();
    let endorsement = run(&["tee", "endorsement", "--data", &world.path("tee")]).ok();
    let mut endorsement: Value = serde_json::from_str(&endorsement).unwrap();
    endorsement["oemid"] = json!(64242);
    endorsement["manifests"] = json!([
        { "uri": "https://example.com/tee.suit", "sha256": "11".repeat(32) }
    ]);
    let file = world.path("endorsements/device.json");
    fs::write(file, endorsement.to_string()).unwrap();
    let endorsement = run(&["tam", "endorsement", "--data", &world.path("tam")]).ok();
    fs::write(world.path("endorsements/tam.json"), endorsement).unwrap();
    let arguments = [
        "--json",
        "--verbose",
        "verifier",
        "serve",
        "--data",
        &data,
        "--endorsements",
        &endorsements,
        "--listen",
        "127.0.0.1:0",
    ];
    let mut verifier = Process::start("verifier", &world.folder, &arguments);
    let log = world.path("verifier.log");
    let address = verifier.wait_until("the Verifier serves", || {
        let said = fs::read_to_string(&log).unwrap();
        let (_, url) = said.split_once("\"verifier\": \"http://")?;
        let address = url.split_once('"')?.0.to_owned();
        std::net::TcpStream::connect(&address)
            .is_ok()
            .then_some(address)
    });
    let key = world.path("verifier.pub.pem");
    let print = ["verifier", "key", "--data", &data, "--format", "pem"];
    run(&[&print[..], &["--out", &key]].concat()).ok();
    (verifier, address)
}
