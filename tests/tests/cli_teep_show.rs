//! Messages and traces as people see them: the binary shows what broker and TAM wrote.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;
use tamarack_tests::{
    system::{Folder, Process, World, alive, eventually, request, run, signal, vectors},
    wasm::HELLO_1,
};

/// Starts broker and TAM again, with a trace each.
fn traced(world: &mut World, more: &[&str]) -> (String, String) {
    let (device, tam) = (world.path("device.trace"), world.path("tam.trace"));
    for process in [world.broker.id(), world.tam.id()] {
        signal(process, "TERM");
        eventually("it stops", || (!alive(process)).then_some(()));
    }
    let (data, address) = (world.path("tam"), world.address.clone());
    let serve = [
        "tam", "serve", "--data", &data, "--listen", &address, "--trace", &tam,
    ];
    world.tam = Process::start("tam", &world.folder, &serve);
    world.tam.wait_until("the TAM serves", || {
        std::net::TcpStream::connect(&address).ok()?;
        (request(&address, "GET", "/healthz", &[], b"").status == 200).then_some(())
    });
    let (tee, socket, url) = (
        world.path("tee.sock"),
        world.path("app.sock"),
        world.wire.url(),
    );
    let serve = [
        "broker", "serve", "--tee", &tee, "--tam", &url, "--socket", &socket,
    ];
    let arguments = [&serve[..], &["--trace", &device], more].concat();
    world.broker = Process::start("broker", &world.folder, &arguments);
    world.broker.wait_until("the broker serves", || {
        std::os::unix::net::UnixStream::connect(&socket).ok()
    });
    (device, tam)
}

/// Waits until a trace has so many lines.
fn wait_for(trace: &str, lines: usize) {
    eventually("the trace is written", || {
        let text = fs::read_to_string(trace).unwrap_or_default();
        (text.lines().count() >= lines).then_some(())
    });
}

fn names(exchange: &Value) -> Vec<Option<&str>> {
    let messages = exchange["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|message| message["message"].as_str())
        .collect()
}

/// What went over the wire, as one side wrote it down.
fn bodies(trace: &str) -> Vec<Value> {
    let text = fs::read_to_string(trace).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.map(|line: Value| line["body"].clone()).collect()
}

// req: TEEP-OPS-004
// req: TEEP-BROKER-001
#[test]
fn an_exchange_is_traced_on_both_sides_and_drawn() {
    let mut world = World::new();
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");
    let (device, tam) = traced(&mut world, &[]);
    assert!(
        world.broker.log().contains("Evidence and identifiers"),
        "the trace is announced"
    );
    world.policy_check();

    let whole = [
        None,
        Some("QueryRequest"),
        Some("QueryResponse"),
        Some("Update"),
        Some("Success"),
        None,
    ];
    for trace in [&device, &tam] {
        wait_for(trace, 6);
        let mode = fs::metadata(trace).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{trace}");
        let chart = run(&["--json", "teep", "show", "--trace", trace]).json();
        let exchange = &chart["exchanges"][0];
        assert_eq!(names(exchange)[..5], whole[..5], "{trace}: {chart:#}");
        assert_eq!(names(exchange).last(), Some(&None));
        assert_eq!(exchange["ueid"], world.ueid.as_str());
        assert_eq!(exchange["messages"][1]["problems"], serde_json::json!([]));

        let text = run(&["teep", "show", trace, "--width", "100"]).ok();
        for word in [
            "exchange 1",
            "connect",
            "QueryRequest",
            "2 signatures",
            "asks for attestation",
        ] {
            assert!(text.contains(word), "no {word} in {text}");
        }
        let evidence = format!("Evidence of {}", &world.ueid[..8]);
        for word in [
            evidence.as_str(),
            "installs security-domain/acme",
            "acme/hello/suit #1",
            "report",
        ] {
            assert!(text.contains(word), "no {word} in {text}");
        }
        let narrow = run(&["teep", "show", trace, "--ascii", "--width", "52"]).ok();
        assert!(narrow.is_ascii());
    }
    let [relayed, received] = [&device, &tam].map(|trace| bodies(trace));
    assert_eq!(relayed, received);
    let chart = run(&["teep", "show", &device]).ok();
    assert!(chart.contains(&world.wire.url()), "{chart}");
    let statuses = run(&["--json", "teep", "show", &tam]).json();
    let statuses = &statuses["exchanges"][0]["messages"];
    assert_eq!(statuses[1]["status"], 200);
    assert_eq!(statuses.as_array().unwrap().last().unwrap()["status"], 204);

    // One message in full, verified by the device's own key or not.
    let show = [
        "--json",
        "teep",
        "show",
        "--trace",
        &device,
        "--message",
        "3",
    ];
    let response = run(&show).json();
    assert_eq!(response["message"], "QueryResponse");
    let payload = &response["content"]["options"]["attestation-payload"];
    assert_eq!(payload["claims"]["ueid"], world.ueid.as_str());
    assert_eq!(response["problems"], serde_json::json!([]));
    let tam_key = world.path("tam.pub.pem");
    let show = [
        "--json",
        "teep",
        "show",
        "--trace",
        &device,
        "--key",
        &tam_key,
        "--message",
    ];
    assert_eq!(
        run(&[&show[..], &["2"]].concat()).json()["verified_with"],
        tam_key.as_str()
    );
    run(&[&show[..], &["3"]].concat()).fails(1, &["none of the keys given"]);
    run(&[&show[..], &["1"]].concat()).fails(1, &["empty"]);
    run(&[&show[..], &["99"]].concat()).fails(1, &["no message 99"]);

    broken_traces(&world, &device);
}

/// What is wrong with a trace costs what is wrong, and is said.
fn broken_traces(world: &World, device: &str) {
    let text = fs::read_to_string(device).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut third: Value = serde_json::from_str(lines[2]).unwrap();
    let body = third["body"].as_str().unwrap()[..400].to_owned();
    third["body"] = body.into();
    let text = format!(
        "{}\n{}\n{{\"trace\":1,\n{third}\n{}",
        lines[0],
        lines[1],
        &lines[3][..40]
    );
    let cut = world.write("cut.trace", text);
    let shown = run(&["teep", "show", &cut]);
    let chart = String::from_utf8(shown.stdout.clone()).unwrap();
    shown.fails(1, &[]);
    for word in [
        "line 3 is passed over",
        "line 5 is passed over",
        "the input ends",
    ] {
        assert!(chart.contains(word), "no {word} in {chart}");
    }
    let empty = world.write("empty.trace", "{\"trace\":1,}");
    run(&["teep", "show", "--trace", &empty]).fails(1, &[&empty, "line 1"]);
    let other = world.write("other", "no trace");
    run(&["teep", "show", "--trace", &other]).fails(1, &[&other]);
}

#[test]
fn a_trace_that_is_full_or_impossible_stops_no_exchange() {
    let mut world = World::new();
    let (device, _) = traced(&mut world, &["--trace-limit", "1500"]);
    for _ in 0..3 {
        assert_eq!(world.policy_check(), 1);
    }
    wait_for(&device, 3);
    assert!(fs::metadata(&device).unwrap().len() < 2_000);
    let text = run(&["teep", "show", &device]).ok();
    assert!(
        text.contains("the limit of 1500 bytes is reached"),
        "{text}"
    );

    // One that can't even be opened is refused before anything starts.
    let (tee, socket) = (world.path("tee.sock"), world.path("other.sock"));
    let occupied = world.write("thesis", "Chapter 1");
    for (trace, word) in [
        (occupied.as_str(), "something else"),
        ("/no/folder/trace", "No such file"),
    ] {
        let serve = [
            "broker",
            "serve",
            "--tee",
            &tee,
            "--tam",
            "http://127.0.0.1:1/tam",
        ];
        let with = ["--socket", &socket, "--trace", trace];
        run(&[&serve[..], &with].concat()).fails(1, &[trace, word]);
    }
    assert_eq!(fs::read(&occupied).unwrap(), b"Chapter 1");
    run(&[
        "broker",
        "serve",
        "--tee",
        &tee,
        "--tam",
        "http://x",
        "--socket",
        &socket,
        "--trace-limit",
        "5",
    ])
    .fails(2, &["--trace"]);
}

/// A Success whose token is too short, in a COSE_Sign1 that nobody made.
const SHORT_TOKEN: [u8; 26] = [
    0xd2, 0x84, 0x43, 0xa1, 0x01, 0x28, 0xa0, 0x4a, 0x82, 0x05, 0xa1, 0x14, 0x45, b'h', b'e', b'l',
    b'l', b'o', 0x47, 0, 1, 2, 3, 4, 5, 6,
];

#[test]
fn a_problem_has_a_byte_a_path_a_rule_and_its_bytes() {
    let folder = Folder::new();
    let path = folder.write("short", SHORT_TOKEN);
    let shown = run(&["teep", "show", &path]);
    let text = String::from_utf8(shown.stdout.clone()).unwrap();
    let said = shown.fails(1, &[&path, "byte 12"]);
    assert!(
        said.contains("COSE_Sign1 / Success / options / token (20)"),
        "{said}"
    );
    for line in [
        "└─ Success",
        "token (20)  68656c6c6f",
        "1 problem",
        "✗ byte 12  COSE_Sign1 / Success / options / token (20)",
        "5 bytes long; 8 to 64 bytes are allowed  TEEP protocol, appendix C",
        "00000004  01 28 a0 4a 82 05 a1 14 [45 68 65 6c 6c 6f] 47 00 01 02 03 04 05 06",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    let shown = run(&["--json", "teep", "show", &path]);
    let value: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let problem = &value["problems"][0];
    assert_eq!(problem["offset"], 12);
    assert_eq!(
        problem["path"],
        "COSE_Sign1 / Success / options / token (20)"
    );
    assert_eq!(problem["around"]["offset"], 4);
    assert_eq!(value["content"]["options"]["token"], "68656c6c6f");
}

#[test]
fn messages_are_read_in_hexadecimal_and_base64_and_several_at_once() {
    let folder = Folder::new();
    let hex: String = SHORT_TOKEN
        .iter()
        .map(|byte| format!("{byte:02X} "))
        .collect();
    let base64 = "0oRDoQEooEqCBaEURWhlbGxvRwABAgMEBQY=";
    let files = [
        folder.write("raw", SHORT_TOKEN),
        folder.write("hex", hex),
        folder.write("base64", format!("{base64}\n")),
    ];
    let files = files.each_ref().map(String::as_str);
    let shown = run(&[&["--json", "teep", "show"], &files[..]].concat());
    assert_eq!(shown.code, Some(1));
    let values: Value = serde_json::from_slice(&shown.stdout).unwrap();
    for (at, encoding) in ["cbor", "hex", "base64"].into_iter().enumerate() {
        assert_eq!(values[at]["encoding"], encoding);
        assert_eq!(values[at]["problems"][0]["offset"], 12);
    }
    let text = run(&["teep", "show", "--diagnostic", files[1]]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("<< [5, {20: h'68656c6c6f'}] >>"), "{text}");
}

#[test]
fn hostile_text_does_not_reach_the_terminal() {
    let folder = Folder::new();
    let mut bytes = vec![0x83, 0x06, 0xa1, 0x0c, 0x78, 0x1b];
    bytes.extend_from_slice("\u{1b}]0;owned\u{7}\u{202e}\u{9b}2J disk full".as_bytes());
    bytes[5] = u8::try_from(bytes.len() - 6).unwrap();
    bytes.push(0x01);
    let path = folder.write("hostile", bytes);
    for arguments in [&["teep", "show"][..], &["teep", "show", "--diagnostic"]] {
        let text = run(&[arguments, &[path.as_str()]].concat()).ok();
        assert!(text.contains("disk full"), "{text}");
        let plain = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
        assert!(text.chars().all(plain), "{text:?}");
    }
}

#[test]
fn published_messages_are_shown_with_what_is_in_them() {
    let Some(vectors) = vectors() else { return };
    let path = |name: &str| vectors.join(name).to_str().unwrap().to_owned();
    let agent = path("interop-2026/agent-esp256-pub.jwk");
    let response = path("interop-2026/query_response_eat.agent.esp256.cose");
    let text = run(&["teep", "show", &response, "--key", &agent]).ok();
    for line in [
        "numbers of the proposed compact registries",
        "attestation-payload (6)",
        "ES256 (-7), the old number for ESP256",
        "ueid (256)         016275696c64696e672d6465762d313233",
        "name              TEEP Agent",
        "requested-tc-list (13)",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    let update = path("interop-2026/update0.tam.esp256.cose");
    let value = run(&["--json", "teep", "show", &update]).json();
    let manifest = &value["content"]["options"]["manifest-list"][0];
    assert_eq!(manifest["manifest-digest-matches"], true);
    assert_eq!(manifest["manifest"]["components"][0], "app.wasm");
    let result = path("interop-2026/eat_attestation_result.jwt");
    let text = run(&["teep", "show", &result]).ok();
    assert!(text.contains("executables        affirming (2)"), "{text}");
    // The one of the event whose reports have no nonce.
    let success = path("interop-2026/teep_success.agent.esp256.cose");
    run(&["teep", "show", &success]).fails(1, &["the report has no nonce (2)"]);
    let manifest = path("teep-draft/suit_integrated.cbor");
    run(&["teep", "show", &manifest]).fails(1, &["manifest show"]);
}
