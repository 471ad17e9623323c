//! The server over real connections.

mod access;
mod transport;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use tamarack_teep::{MEDIA_TYPE, Message, Protected};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot};

use super::{HttpSettings, ServeConfig, serve_until};
use crate::{
    api,
    testing::{Agent, Provider, id, untagged},
};

/// A TAM that listens on a free port.
struct Server {
    runtime: Runtime,
    address: SocketAddr,
    token: String,
    stop: Option<oneshot::Sender<()>>,
    dir: TempDir,
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Reads an HTTP response that ends with the connection or its Content-Length.
    fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        let (head, rest) = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = bytes.split_off(end + 4);
                break (String::from_utf8(bytes).unwrap(), rest);
            }
            let count = stream.read(&mut buffer).unwrap();
            assert!(
                count > 0,
                "the connection was closed before there was an answer"
            );
            bytes.extend_from_slice(&buffer[..count]);
        };
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers: Vec<_> = headers
            .map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()))
            .collect();
        let mut answer = Self {
            status,
            headers,
            body: rest,
        };
        let length: usize = answer
            .header("content-length")
            .map_or(0, |n| n.parse().unwrap());
        while answer.body.len() < length {
            let count = stream.read(&mut buffer).unwrap();
            answer.body.extend_from_slice(&buffer[..count]);
        }
        answer
    }
}

impl Server {
    fn start() -> Self {
        Self::with(HttpSettings::default())
    }

    fn with(http: HttpSettings) -> Self {
        let server = Self::configured(|config| config.http = http);
        assert_eq!(server.request("GET", "/healthz", &[], b"").status, 200);
        server
    }

    /// A server whose configuration is changed before it starts.
    fn configured(change: impl FnOnce(&mut ServeConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = ServeConfig::new(dir.path().join("data"));
        change(&mut config);
        let token_file = config.admin_token();
        let (stop, stopped) = oneshot::channel();
        runtime.spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            serve_until(config, listener, stopped).await.unwrap();
        });
        let mut server = Self {
            runtime,
            address,
            token: String::new(),
            stop: Some(stop),
            dir,
        };
        let token = (0..500).find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            let token = std::fs::read_to_string(&token_file).ok();
            token.filter(|token| !token.trim().is_empty())
        });
        server.token = token.unwrap().trim().to_owned();
        server
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: tam\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        // A server that has answered already may not want the rest.
        let _ = stream.write_all(body);
        Answer::read(&mut stream)
    }

    fn teep(&self, body: &[u8]) -> Answer {
        let headers = [("Accept", MEDIA_TYPE), ("Content-Type", MEDIA_TYPE)];
        self.request("POST", "/tam", &headers, body)
    }

    fn admin(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        let path = format!("{}{path}", api::PREFIX);
        self.request(method, &path, &[("Authorization", &authorization)], body)
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.admin("POST", path, body.to_string().as_bytes())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

fn jwk(provider: &Provider) -> Value {
    serde_json::from_str(&provider.key.public_key().to_jwk()).unwrap()
}

fn open(message: &[u8]) -> Message {
    let protected = Protected::decode(message, &Default::default()).unwrap();
    protected.read_unverified().unwrap().0
}

// req: HTTP-042
// req: HTTP-043
// req: HTTP-044
// req: HTTP-046
#[test]
fn a_device_is_served_from_enrolment_to_removal() {
    let server = Server::start();
    let (mut agent, acme) = (Agent::new("one"), Provider::new("acme"));
    let enrolled = server.admin("POST", "/devices", agent.endorsement().to_json().as_bytes());
    assert_eq!(enrolled.status, 201);
    let device = enrolled.json()["ueid"].as_str().unwrap().to_owned();
    let domain = json!({"name": "acme", "prefix": "acme", "signers": [jwk(&acme)]});
    assert_eq!(server.post("/domains", &domain).status, 201);
    assert_eq!(server.post("/domains", &domain).status, 200);
    let envelope = acme.envelope("lock", 1, b"first");
    assert_eq!(server.admin("POST", "/components", &envelope).status, 201);
    assert_eq!(server.admin("POST", "/components", &envelope).status, 200);
    let deployment = json!({"selector": "all", "component": "acme/lock/ta", "mode": "required"});
    let deployed = server.post("/deployments", &deployment);
    assert_eq!(deployed.status, 201);

    // Each message on a connection of its own: only what the messages say holds a session together.
    let connected = server.request("POST", "/tam", &[("Accept", MEDIA_TYPE)], b"");
    assert_eq!(connected.status, 200);
    let Message::QueryRequest(request) = open(&connected.body) else {
        panic!()
    };
    let answered = server.teep(&agent.answer(&request.challenge.unwrap()));
    assert_eq!(answered.status, 200);
    let Message::Update(update) = open(&answered.body) else {
        panic!()
    };
    assert_eq!(update.manifest_list, [untagged(&envelope)]);
    agent.install(&update);
    let done = server.teep(&agent.sign(agent.success(&update)));
    assert_eq!((done.status, done.body.len()), (204, 0));

    let details = server.admin("GET", &format!("/devices/{device}"), b"");
    let details: api::DeviceDetails = serde_json::from_slice(&details.body).unwrap();
    assert_eq!(details.manifests[0].status, "installed");
    assert_eq!(details.manifests[0].manifest, "acme/lock/suit");
    assert!(details.device.attested_at.is_some() && !details.device.update_pending);
    let components = server.admin("GET", "/components", b"");
    let components: api::Components = serde_json::from_slice(&components.body).unwrap();
    assert!(components.components[0].newest);
    let audit = server.admin("GET", "/audit?limit=2&after=1", b"");
    let audit: api::AuditPage = serde_json::from_slice(&audit.body).unwrap();
    assert_eq!((audit.records.len(), audit.next), (2, Some(3)));

    let number = deployed.json()["id"].clone();
    assert_eq!(
        server
            .admin("DELETE", &format!("/deployments/{number}"), b"")
            .status,
        204
    );
    assert_eq!(
        server
            .admin("DELETE", &format!("/deployments/{number}"), b"")
            .status,
        404
    );
    assert_eq!(server.admin("DELETE", "/domains/acme", b"").status, 409);
    assert_eq!(
        server
            .admin("DELETE", &format!("/devices/{device}"), b"")
            .status,
        204
    );
    assert_eq!(
        server
            .admin("GET", &format!("/devices/{device}"), b"")
            .status,
        404
    );
    assert_eq!(
        server.admin("GET", "/devices", b"").json(),
        json!({"devices": []})
    );
}

// req: HTTP-003
// req: HTTP-004
// req: HTTP-005
// req: TEEP-MSG-011
#[test]
fn a_message_has_the_headers_of_the_binding_and_no_others_that_it_forbids() {
    let server = Server::start();
    let answer = server.request("POST", "/tam", &[("Accept", MEDIA_TYPE)], b"");
    for (name, value) in [
        ("content-type", "application/teep+cbor"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    for answer in [answer, server.teep(b"garbage")] {
        assert_eq!(
            (answer.header("cache-control"), answer.header("set-cookie")),
            (None, None)
        );
    }
}

// req: HTTP-001
// req: HTTP-040
// req: HTTP-041
// req: HTTP-043
#[test]
fn each_fault_of_http_has_its_status() {
    let server = Server::start();
    let status = |method: &str, headers: &[(&str, &str)], body: &[u8]| {
        let answer = server.request(method, "/tam", headers, body);
        assert_eq!(answer.body, b"", "what is not a TEEP message has no body");
        answer.status
    };
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let answer = server.request(method, "/tam", &[], b"");
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("POST")),
            "{method}"
        );
    }
    let teep = ("Content-Type", MEDIA_TYPE);
    assert_eq!(
        status("POST", &[("Content-Type", "application/cbor")], b"x"),
        415
    );
    assert_eq!(status("POST", &[], b"x"), 415);
    assert_eq!(status("POST", &[teep, ("Accept", "text/html")], b"x"), 406);
    assert_eq!(status("POST", &[("Accept", "text/html")], b""), 406);
    assert_eq!(status("POST", &[teep], b"garbage"), 204);
    // AMB-26: an empty body needs no type.
    assert_eq!(
        server
            .request("POST", "/tam", &[("Content-Type", "text/plain")], b"")
            .status,
        200
    );
}

#[test]
fn why_a_device_is_not_sent_something_is_shown() {
    let server = Server::start();
    let (mut agent, acme) = (Agent::new("one"), Provider::new("acme"));
    let mut endorsement = agent.endorsement();
    endorsement.class_ids = vec![[7; 16]];
    let enrolled = server.admin("POST", "/devices", endorsement.to_json().as_bytes());
    let device = enrolled.json()["ueid"].as_str().unwrap().to_owned();
    let domain = json!({"name": "acme", "prefix": "acme", "signers": [jwk(&acme)]});
    assert_eq!(server.post("/domains", &domain).status, 201);
    let left_out = || {
        let details = server.admin("GET", &format!("/devices/{device}"), b"");
        let details: api::DeviceDetails = serde_json::from_slice(&details.body).unwrap();
        let left_out = details.left_out.into_iter();
        left_out
            .map(|left| (left.manifest, left.sequence_number, left.reason))
            .collect::<Vec<_>>()
    };
    let for_others = acme.envelope_for_class("lamp", 1, [8; 16]);
    let envelope = acme.envelope("lock", 1, b"first");
    for (envelope, component) in [(&for_others, "acme/lamp/ta"), (&envelope, "acme/lock/ta")] {
        assert_eq!(server.admin("POST", "/components", envelope).status, 201);
        let deployment = json!({"selector": "all", "component": component, "mode": "required"});
        assert_eq!(server.post("/deployments", &deployment).status, 201);
    }
    let lamp = (
        "acme/lamp/suit".to_owned(),
        1,
        "it is for devices of other vendors or classes".to_owned(),
    );
    assert_eq!(left_out(), std::slice::from_ref(&lamp));
    // What fails again and again is not sent for ever.
    let fails = |agent: &mut Agent| {
        let connected = server.request("POST", "/tam", &[("Accept", MEDIA_TYPE)], b"");
        let Message::QueryRequest(request) = open(&connected.body) else {
            panic!()
        };
        let answered = server.teep(&agent.answer(&request.challenge.unwrap()));
        if answered.body.is_empty() {
            return false;
        }
        let Message::Update(update) = open(&answered.body) else {
            panic!()
        };
        server.teep(&agent.sign(agent.failure(&update)));
        true
    };
    while fails(&mut agent) {}
    let [again, lock] = &left_out()[..] else {
        panic!("{:?}", left_out())
    };
    assert_eq!(*again, lamp);
    assert!(
        lock.2.contains("failed on the device too often"),
        "{lock:?}"
    );
}

// req: HTTP-045
#[test]
fn a_tam_without_its_store_says_that_it_has_no_reply() {
    let server = Server::start();
    let agent = Agent::new("one");
    let enrolled = server.admin("POST", "/devices", agent.endorsement().to_json().as_bytes());
    assert_eq!(enrolled.status, 201);
    let connected = server.request("POST", "/tam", &[("Accept", MEDIA_TYPE)], b"");
    let Message::QueryRequest(request) = open(&connected.body) else {
        panic!()
    };
    let store = rusqlite::Connection::open(server.dir.path().join("data/tam.sqlite")).unwrap();
    store
        .execute_batch("ALTER TABLE devices RENAME TO gone")
        .unwrap();
    let answered = server.teep(&agent.answer(&request.challenge.unwrap()));
    assert_eq!((answered.status, answered.body.len()), (500, 0));
    // What needs no store is answered as before.
    let connected = server.request("POST", "/tam", &[("Accept", MEDIA_TYPE)], b"");
    assert_eq!(connected.status, 200);
    store
        .execute_batch("ALTER TABLE gone RENAME TO devices")
        .unwrap();
    let Message::QueryRequest(request) = open(&connected.body) else {
        panic!()
    };
    let answered = server.teep(&agent.answer(&request.challenge.unwrap()));
    assert_eq!(answered.status, 204);
}

#[test]
fn a_body_that_is_too_long_is_refused_and_the_server_lives() {
    let server = Server::start();
    // It says how long it is, and comes.
    assert_eq!(server.teep(&vec![0; 64 << 20]).status, 413);
    // It says how long it is, and does not come: the answer is there before the body.
    let mut stream = server.connect();
    let head = format!(
        "POST /tam HTTP/1.1\r\nHost: tam\r\nContent-Length: {}\r\n\r\n",
        64 << 20
    );
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut stream).status, 413);
    // It does not say, and comes in chunks.
    let mut stream = server.connect();
    let head = "POST /tam HTTP/1.1\r\nHost: tam\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [b"10000\r\n".as_slice(), &vec![0; 0x10000], b"\r\n"].concat();
    for _ in 0..1024 {
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    assert_eq!(Answer::read(&mut stream).status, 413);
    assert_eq!(
        server.teep(&vec![0; 1 << 20]).status,
        204,
        "just short enough"
    );
    assert_eq!(server.request("POST", "/tam", &[], b"").status, 200);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let settings = HttpSettings {
        body_timeout: Duration::from_millis(100),
        ..HttpSettings::default()
    };
    let server = Server::with(settings);
    let mut stream = server.connect();
    stream
        .write_all(b"POST /tam HTTP/1.1\r\nHost: tam\r\nContent-Length: 5\r\n\r\nab")
        .unwrap();
    assert_eq!(Answer::read(&mut stream).status, 408);
}

// req: TEEP-OPS-005
#[test]
fn too_much_work_is_refused() {
    let settings = HttpSettings {
        concurrency: 0,
        ..HttpSettings::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let config = ServeConfig {
        http: settings,
        ..ServeConfig::new(dir.path())
    };
    runtime.spawn(serve_until(config, listener, std::future::pending()));
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"POST /tam HTTP/1.1\r\nHost: tam\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    let answer = Answer::read(&mut stream);
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
    runtime.shutdown_background();
}

#[test]
fn the_admin_api_wants_the_token() {
    let server = Server::start();
    let path = format!("{}/devices", api::PREFIX);
    let (start, last) = server.token.split_at(server.token.len() - 1);
    let close = format!("Bearer {start}{}", if last == "0" { "1" } else { "0" });
    let bare = server.token.clone();
    for headers in [
        vec![],
        vec![("Authorization", "Bearer ")],
        vec![("Authorization", close.as_str())],
        vec![("Authorization", bare.as_str())],
    ] {
        let answer = server.request("GET", &path, &headers, b"");
        assert_eq!(answer.status, 401, "{headers:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.json()["error"], "unauthorized");
    }
    assert_eq!(server.admin("GET", "/devices", b"").status, 200);
    let mode = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    let data = server.dir.path().join("data");
    assert_eq!(
        (mode(&data), mode(&data.join("admin.token"))),
        (0o700, 0o600)
    );
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let server = Server::start();
    let acme = Provider::new("acme");
    let cases = [
        (server.admin("POST", "/devices", b"{"), 422, "invalid"),
        (server.admin("POST", "/devices", b"\xff"), 400, "malformed"),
        (server.admin("GET", "/devices/xyz", b""), 400, "malformed"),
        (
            server.admin("GET", "/devices/0102030405060708", b""),
            404,
            "not-found",
        ),
        (server.admin("GET", "/nothing", b""), 404, "not-found"),
        (
            server.post("/domains", &json!({"name": "acme"})),
            400,
            "malformed",
        ),
        (
            server.post(
                "/domains",
                &json!({"name": "", "prefix": "a", "signers": []}),
            ),
            422,
            "invalid",
        ),
        (
            server.admin("DELETE", "/domains/acme", b""),
            404,
            "not-found",
        ),
        (
            server.admin("POST", "/components", b"no envelope"),
            400,
            "malformed",
        ),
        (
            server.admin("POST", "/components", &acme.envelope("lock", 1, b"x")),
            422,
            "invalid",
        ),
        (
            server.post(
                "/deployments",
                &json!({"selector": "?", "component": "a", "mode": "required"}),
            ),
            422,
            "invalid",
        ),
        (
            server.post(
                "/deployments",
                &json!({"selector": "all", "component": "a", "mode": "now"}),
            ),
            422,
            "invalid",
        ),
        (
            server.admin("DELETE", "/deployments/x", b""),
            400,
            "malformed",
        ),
        (server.admin("GET", "/audit?after=x", b""), 400, "malformed"),
        (
            server.admin("GET", "/devices?limit=-1", b""),
            400,
            "malformed",
        ),
        (
            server.admin("PATCH", "/devices", b""),
            405,
            "method-not-allowed",
        ),
    ];
    for (number, (answer, status, error)) in cases.into_iter().enumerate() {
        let said: api::Error = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(
            (answer.status, said.error.as_str()),
            (status, error),
            "{number}"
        );
        assert!(said.detail.len() > 10, "{number}: {}", said.detail);
    }
}

#[test]
fn a_device_with_another_attester_does_not_take_the_place_of_an_enrolled_one() {
    let server = Server::start();
    let (one, other) = (Agent::new("one"), Agent::new("one"));
    let enroll = |agent: &Agent| {
        server
            .admin("POST", "/devices", agent.endorsement().to_json().as_bytes())
            .status
    };
    assert_eq!(
        [enroll(&one), enroll(&one), enroll(&other)],
        [201, 200, 409]
    );
}

#[test]
fn a_domain_is_registered_with_its_manifest_and_shown() {
    let server = Server::start();
    let (acme, anchor) = (Provider::new("acme"), Provider::new("anchor"));
    let component = id("security-domain/acme");
    let manifest = anchor.sign(
        "security-domain/acme/suit",
        1,
        &component,
        b"descriptor",
        &[],
    );
    let request = api::DomainRequest {
        name: "acme".into(),
        prefix: "acme".into(),
        signers: vec![jwk(&acme)],
        anchor: Some(jwk(&anchor)),
        manifest: Some(Base64::encode_string(&manifest)),
    };
    let answer = server.post("/domains", &serde_json::to_value(&request).unwrap());
    assert_eq!(answer.status, 201, "{}", answer.json());
    let shown = server.admin("GET", "/domains/acme", b"");
    let shown: api::Domain = serde_json::from_slice(&shown.body).unwrap();
    assert_eq!(
        shown.manifest.unwrap().components[0].component,
        "security-domain/acme"
    );
    assert_eq!(
        (shown.signers, shown.anchor),
        (request.signers, request.anchor)
    );
    assert_eq!(
        server.admin("GET", "/components", b"").json(),
        json!({"components": []})
    );
    assert_eq!(server.admin("DELETE", "/domains/acme", b"").status, 204);
    assert_eq!(
        server.admin("GET", "/domains", b"").json(),
        json!({"domains": []})
    );
}

#[test]
fn pages_follow_one_another() {
    let server = Server::start();
    for name in ["a", "b", "c"] {
        server.admin(
            "POST",
            "/devices",
            Agent::new(name).endorsement().to_json().as_bytes(),
        );
    }
    let first = server.admin("GET", "/devices?limit=2", b"");
    let first: api::Devices = serde_json::from_slice(&first.body).unwrap();
    let after = first.next.unwrap();
    let second = server.admin("GET", &format!("/devices?limit=2&after={after}"), b"");
    let second: api::Devices = serde_json::from_slice(&second.body).unwrap();
    assert_eq!(
        (first.devices.len(), second.devices.len(), second.next),
        (2, 1, None)
    );
}

#[test]
fn the_server_stops_when_told_to() {
    let mut server = Server::start();
    server.stop.take().unwrap().send(()).unwrap();
    let stopped = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        TcpStream::connect(server.address).is_err()
    });
    assert!(stopped);
    let _ = &server.runtime;
}
