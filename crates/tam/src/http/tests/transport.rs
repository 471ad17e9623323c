//! TLS, both versions of HTTP, and the bounds on connections and requests.

use std::{
    io::Read,
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::{Certificate, Client, Method, Response, StatusCode, Version};
use tamarack_teep::MEDIA_TYPE;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::{Answer, HttpSettings, Server};
use crate::{Listeners, Rate, ServeConfig, TlsFiles, serve_until};

/// A certification authority, and the files of a server that it vouches for.
struct Authority {
    root: String,
    issuer: Issuer<'static, KeyPair>,
    dir: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().pem();
        Self {
            root,
            issuer: Issuer::new(params, key),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Puts a certificate for `name` into the files; its serial number is `serial`.
    fn issue(&self, name: &str, serial: u64) -> TlsFiles {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.serial_number = Some(serial.into());
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = TlsFiles {
            certificate: self.dir.path().join("chain.pem"),
            key: self.dir.path().join("key.pem"),
        };
        std::fs::write(&files.certificate, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    fn client(&self) -> reqwest::ClientBuilder {
        let root = Certificate::from_pem(self.root.as_bytes()).unwrap();
        Client::builder().no_proxy().tls_certs_only([root])
    }
}

fn plain() -> reqwest::ClientBuilder {
    Client::builder().no_proxy()
}

impl Server {
    /// Sends a request with the headers of the binding.
    fn send(&self, client: &Client, scheme: &str, method: Method, body: Vec<u8>) -> Response {
        let mut request = client
            .request(
                method,
                format!("{scheme}://localhost:{}/tam", self.address.port()),
            )
            .header("accept", MEDIA_TYPE);
        if !body.is_empty() {
            request = request.header("content-type", MEDIA_TYPE).body(body);
        }
        self.runtime.block_on(request.send()).unwrap()
    }
}

/// Says that the answers are those of the binding, in whatever version of HTTP, with TLS or without.
fn keeps_the_binding(server: &Server, client: &Client, scheme: &str, version: Version) {
    let first = server.send(client, scheme, Method::POST, Vec::new());
    assert_eq!((first.status(), first.version()), (StatusCode::OK, version));
    for (name, value) in [
        ("content-type", MEDIA_TYPE),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(first.headers()[name], value, "{name}");
    }
    let dropped = server.send(client, scheme, Method::POST, b"no message".to_vec());
    assert_eq!(dropped.status(), StatusCode::NO_CONTENT);
    let long = server.send(client, scheme, Method::POST, vec![0; (1 << 20) + 1]);
    assert_eq!(long.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let refused = server.send(client, scheme, Method::PUT, Vec::new());
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers()["allow"], "POST");
    let url = format!("{scheme}://localhost:{}/tam", server.address.port());
    let post = |accept: &str, content_type: &str| {
        let request = client.post(&url).header("accept", accept);
        let request = request.header("content-type", content_type).body("x");
        server.runtime.block_on(request.send()).unwrap()
    };
    let foreign = post("text/html", MEDIA_TYPE);
    assert_eq!(foreign.status(), StatusCode::NOT_ACCEPTABLE);
    let mislabelled = post(MEDIA_TYPE, "application/cbor");
    assert_eq!(mislabelled.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for answer in [first, dropped, long, refused, foreign, mislabelled] {
        assert_eq!(answer.version(), version);
        for name in ["cache-control", "set-cookie", "location"] {
            assert_eq!(answer.headers().get(name), None, "{name}");
        }
        let has_content = answer.status() == StatusCode::OK;
        let body = server.runtime.block_on(answer.bytes()).unwrap();
        assert_eq!(!body.is_empty(), has_content);
    }
}

// req: HTTP-001
// req: HTTP-003
// req: HTTP-004
// req: HTTP-005
// req: HTTP-040
// req: HTTP-041
#[test]
fn both_versions_of_http_in_clear_text_keep_the_binding() {
    let server = Server::start();
    let http1 = plain().http1_only().build().unwrap();
    keeps_the_binding(&server, &http1, "http", Version::HTTP_11);
    let http2 = plain().http2_prior_knowledge().build().unwrap();
    keeps_the_binding(&server, &http2, "http", Version::HTTP_2);
}

// req: HTTP-004
// req: HTTP-007
// req: TEEP-OPS-009
// req: TEEP-OPS-010
#[test]
fn both_versions_of_http_over_tls_keep_the_binding() {
    let authority = Authority::new();
    let files = authority.issue("localhost", 1);
    let server = Server::configured(|config| config.tls = Some(files));
    let any = authority.client().build().unwrap();
    keeps_the_binding(&server, &any, "https", Version::HTTP_2);
    let http1 = authority.client().http1_only().build().unwrap();
    keeps_the_binding(&server, &http1, "https", Version::HTTP_11);
    for version in [
        reqwest::tls::Version::TLS_1_2,
        reqwest::tls::Version::TLS_1_3,
    ] {
        let client = authority
            .client()
            .tls_version_min(version)
            .tls_version_max(version);
        let answer = server.send(&client.build().unwrap(), "https", Method::POST, Vec::new());
        assert_eq!(answer.status(), StatusCode::OK);
    }
    // Who does not speak TLS gets nothing.
    let mut stream = server.connect();
    std::io::Write::write_all(&mut stream, b"POST /tam HTTP/1.1\r\nHost: tam\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
}

fn serial(server: &Server, client: &Client) -> Vec<u8> {
    let answer = server.send(client, "https", Method::POST, Vec::new());
    let info = answer.extensions().get::<reqwest::tls::TlsInfo>().unwrap();
    info.peer_certificate().unwrap().to_vec()
}

#[test]
fn a_new_certificate_is_taken_without_losing_a_connection() {
    let authority = Authority::new();
    let server = {
        let files = authority.issue("localhost", 1);
        Server::configured(|config| config.tls = Some(files))
    };
    let client = || authority.client().tls_info(true).build().unwrap();
    let open = client();
    let first = serial(&server, &open);
    // Half of a change is no change: the key does not fit.
    std::fs::write(
        authority.dir.path().join("key.pem"),
        KeyPair::generate().unwrap().serialize_pem(),
    )
    .unwrap();
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(serial(&server, &client()), first);
    authority.issue("localhost", 2);
    let started = Instant::now();
    while serial(&server, &client()) == first {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "never replaced"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    // The connection from before goes on as it was.
    assert_eq!(serial(&server, &open), first);
}

#[test]
fn files_that_do_not_fit_together_are_refused_with_their_names() {
    let authority = Authority::new();
    let files = authority.issue("localhost", 1);
    let start = |files: TlsFiles| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut config = ServeConfig::new(authority.dir.path().join("data"));
        config.tls = Some(files);
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let served = serve_until(config, listener, std::future::pending()).await;
            served.unwrap_err().to_string()
        })
    };
    std::fs::write(&files.key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let said = start(files.clone());
    assert!(
        said.contains("key.pem does not fit") && said.contains("chain.pem"),
        "{said}"
    );
    std::fs::write(&files.key, "nothing").unwrap();
    let said = start(files.clone());
    assert!(said.contains("key.pem: not a private key as PEM"), "{said}");
    std::fs::remove_file(&files.certificate).unwrap();
    let said = start(files);
    assert!(said.contains("chain.pem: "), "{said}");
}

// req: TEEP-OPS-005
#[test]
fn who_asks_too_often_is_told_when_to_come_again() {
    let server = Server::configured(|config| {
        config.http.rate_per_address = Rate {
            per_second: 1,
            burst: 3,
        };
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    });
    let connect = |client: &str| {
        let headers = [("Accept", MEDIA_TYPE), ("X-Forwarded-For", client)];
        server.request("POST", "/tam", &headers, b"")
    };
    for _ in 0..3 {
        assert_eq!(connect("192.0.2.1").status, 200);
    }
    let denied = connect("192.0.2.1");
    assert_eq!((denied.status, denied.body.len()), (429, 0));
    assert_eq!(denied.header("retry-after"), Some("1"));
    // Somebody else is served, and so is the administrator.
    assert_eq!(connect("192.0.2.2").status, 200);
    assert_eq!(server.admin("GET", "/devices", b"").status, 200);
    // Nobody guesses the token at will.
    let guess = || {
        let headers = [
            ("Authorization", "Bearer 0"),
            ("X-Forwarded-For", "192.0.2.3"),
        ];
        server
            .request("GET", "/api/v1/devices", &headers, b"")
            .status
    };
    assert_eq!([guess(), guess(), guess(), guess()], [401, 401, 401, 429]);
}

// req: TEEP-OPS-005
#[test]
fn when_all_ask_too_much_the_server_says_so() {
    let server = Server::configured(|config| {
        config.http.rate = Rate {
            per_second: 1,
            burst: 2,
        };
    });
    let connect = || server.request("POST", "/tam", &[("Accept", MEDIA_TYPE)], b"");
    assert_eq!([connect().status, connect().status], [200, 200]);
    let denied = connect();
    assert_eq!(
        (denied.status, denied.header("retry-after")),
        (503, Some("1"))
    );
}

#[test]
fn without_a_trusted_proxy_the_header_of_a_client_counts_for_nothing() {
    let server = Server::configured(|config| {
        config.http.rate_per_address = Rate {
            per_second: 1,
            burst: 1,
        };
    });
    let connect = |client: &str| {
        let headers = [("Accept", MEDIA_TYPE), ("X-Forwarded-For", client)];
        server.request("POST", "/tam", &headers, b"").status
    };
    assert_eq!([connect("192.0.2.1"), connect("192.0.2.2")], [200, 429]);
}

/// Whether the server ends the connection before the patience of the test ends.
fn is_closed(stream: &mut TcpStream) -> bool {
    // An end or a reset. A server of HTTP/2 has sent its settings before.
    let ended = stream.read_to_end(&mut Vec::new());
    ended.map_err(|error| error.kind()) != Err(std::io::ErrorKind::WouldBlock)
}

// req: TEEP-OPS-005
#[test]
fn who_sends_no_headers_is_hung_up_on() {
    let authority = Authority::new();
    let files = authority.issue("localhost", 1);
    for tls in [None, Some(files)] {
        let server = Server::configured(|config| {
            config.http.header_timeout = Duration::from_millis(300);
            config.tls = tls;
        });
        for sent in [
            &b""[..],
            b"P",
            b"PRI",
            b"POST /tam HTTP/1.1\r\nHost: t\r\nX: ",
        ] {
            let mut stream = server.connect();
            std::io::Write::write_all(&mut stream, sent).unwrap();
            let started = Instant::now();
            assert!(is_closed(&mut stream), "{sent:?}");
            assert!(started.elapsed() < Duration::from_secs(15), "{sent:?}");
        }
    }
}

// req: TEEP-OPS-005
#[test]
fn connections_from_one_address_are_bounded() {
    let server = Server::configured(|config| {
        config.http.connections_per_address = 3;
    });
    let held: Vec<_> = (0..3).map(|_| server.connect()).collect();
    let mut fourth = server.connect();
    assert!(is_closed(&mut fourth));
    drop(held);
    // There is room again.
    let served = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        let mut stream = server.connect();
        let request = b"GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
        let _ = std::io::Write::write_all(&mut stream, request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer.starts_with(b"HTTP/1.1 200")
    });
    assert!(served);
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let server = Server::start();
    let mut stream = server.connect();
    for _ in 0..3 {
        let head = format!(
            "POST /tam HTTP/1.1\r\nHost: t\r\nAccept: {MEDIA_TYPE}\r\nContent-Length: 0\r\n\r\n"
        );
        std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
        assert_eq!(Answer::read(&mut stream).status, 200);
    }
}

// req: TEEP-OPS-005
#[test]
fn the_memory_for_bodies_is_bounded() {
    let settings = HttpSettings {
        body_memory: 64 << 10,
        ..HttpSettings::default()
    };
    let server = Server::with(settings);
    let answer = server.teep(&vec![0; 128 << 10]);
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(server.teep(&vec![0; 32 << 10]).status, 204);
}

#[test]
fn the_admin_api_may_have_a_listener_of_its_own() {
    let dir: TempDir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bind = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let listeners = Listeners {
        teep: bind(),
        admin: Some(bind()),
    };
    let teep = listeners.teep.local_addr().unwrap();
    let admin = listeners.admin.as_ref().unwrap().local_addr().unwrap();
    let data: &Path = dir.path();
    let config = ServeConfig::new(data.join("data"));
    runtime.spawn(serve_until(config, listeners, std::future::pending()));
    let client = plain().build().unwrap();
    let status = |method: Method, url: String| {
        let request = client.request(method, url).header("accept", "*/*").send();
        runtime.block_on(request).unwrap().status().as_u16()
    };
    assert_eq!(status(Method::GET, format!("http://{teep}/healthz")), 200);
    assert_eq!(status(Method::GET, format!("http://{admin}/healthz")), 200);
    assert_eq!(status(Method::POST, format!("http://{teep}/tam")), 200);
    assert_eq!(status(Method::POST, format!("http://{admin}/tam")), 404);
    assert_eq!(
        status(Method::GET, format!("http://{teep}/api/v1/devices")),
        404
    );
    assert_eq!(
        status(Method::GET, format!("http://{admin}/api/v1/devices")),
        401
    );
}
