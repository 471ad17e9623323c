//! TEEP over HTTP between real processes: TLS, proxies, servers that are busy or break off, TAMs that come of
//! their own accord.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tamarack_tests::{
    system::{
        Authority, Process, Request, Response, Server, World, eventually, post, request, run,
        send_slowly, signal,
    },
    wasm::HELLO_1,
};

const TEEP: &str = "application/teep+cbor";

/// Relays a request to the TAM at `HOST:PORT`.
fn relayed(tam: &str, request: &Request) -> Response {
    let answer = post(tam, &request.body);
    let media_type = answer.header("content-type").map(str::to_owned);
    Response {
        status: answer.status,
        headers: media_type
            .map(|value| ("content-type".to_owned(), value))
            .into_iter()
            .collect(),
        body: answer.body,
    }
}

fn plain(status: u16, headers: &[(&str, &str)]) -> Response {
    let header = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Response {
        status,
        headers: headers.iter().map(header).collect(),
        body: Vec::new(),
    }
}

/// Bodies that a server in front of the TAM got, in order.
type Bodies = Arc<Mutex<Vec<Vec<u8>>>>;

/// A server in front of the TAM: `disturb` may answer instead, given the number of the request from 0 on.
fn in_front(
    world: &World,
    disturb: impl Fn(usize, &Request) -> Option<Option<Response>> + Send + Sync + 'static,
) -> (Server, Bodies) {
    let (tam, bodies) = (world.address.clone(), Bodies::default());
    let (count, seen) = (AtomicUsize::new(0), Arc::clone(&bodies));
    let server = Server::start(move |request, _| {
        seen.lock().unwrap().push(request.body.clone());
        let number = count.fetch_add(1, Ordering::SeqCst);
        match disturb(number, &request) {
            Some(instead) => instead,
            None => Some(relayed(&tam, &request)),
        }
    });
    (server, bodies)
}

/// A world with something to install, whose broker has not asked yet.
fn world() -> World {
    let world = World::new();
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");
    world
}

// req: TEEP-OPS-005
#[test]
fn a_busy_tam_is_asked_again_when_it_said_so() {
    let mut world = world();
    let (front, bodies) = in_front(&world, |number, _| match number {
        0 => Some(Some(plain(503, &[("retry-after", "2")]))),
        // A message that was refused like this was not worked on: the same is sent again.
        2 => Some(Some(plain(429, &[("retry-after", "1")]))),
        _ => None,
    });
    world.restart_broker(&["--tam", &front.url("/tam")]);
    let started = Instant::now();
    assert_eq!(world.policy_check(), 1);
    assert!(started.elapsed() >= Duration::from_secs(3));
    assert_eq!(world.version("acme/hello"), Some(1));
    let bodies = bodies.lock().unwrap();
    assert!(bodies[0].is_empty() && bodies[1].is_empty());
    assert!(!bodies[2].is_empty() && bodies[2] == bodies[3]);
}

#[test]
fn a_tam_that_wants_to_be_left_alone_for_long_has_failed_for_now() {
    let mut world = world();
    let busy = |_: usize, _: &Request| Some(Some(plain(503, &[("retry-after", "86400")])));
    let (front, bodies) = in_front(&world, busy);
    world.restart_broker(&["--tam", &front.url("/tam")]);
    world.app(&["policy-check"]).fails(1, &["503", "86400 s"]);
    assert_eq!(bodies.lock().unwrap().len(), 1);
}

// req: HTTP-028
// req: TEEP-BROKER-009
#[test]
fn a_lost_answer_begins_the_exchange_anew_and_no_message_is_sent_twice() {
    for status in [None, Some(502), Some(504)] {
        let mut world = world();
        let tam = world.address.clone();
        let (front, bodies) = in_front(&world, move |number, request| {
            // The QueryResponse arrives, and the TAM's Update is lost.
            (number == 1).then(|| {
                assert!(!relayed(&tam, request).body.is_empty());
                status.map(|status| plain(status, &[]))
            })
        });
        world.restart_broker(&["--tam", &front.url("/tam")]);
        assert_eq!(world.policy_check(), 1, "{status:?}");
        assert_eq!(world.version("acme/hello"), Some(1), "{status:?}");
        let bodies = bodies.lock().unwrap();
        assert!(bodies[2].is_empty(), "the TAM speaks first again");
        let messages: Vec<_> = bodies.iter().filter(|body| !body.is_empty()).collect();
        for (at, message) in messages.iter().enumerate() {
            assert!(!messages[..at].contains(message), "sent twice");
        }
        // The agent was told.
        assert!(world.tee.log().contains("could not be delivered"));
    }
}

// req: HTTP-027
// req: TEEP-BROKER-012
#[test]
fn a_tee_that_dies_in_an_exchange_is_no_fault_of_the_tam() {
    let mut world = world();
    let (tam, tee) = (world.address.clone(), world.tee.id());
    let (front, bodies) = in_front(&world, move |_, request| {
        let answer = relayed(&tam, request);
        signal(tee, "KILL");
        Some(Some(answer))
    });
    world.restart_broker(&["--tam", &front.url("/tam")]);
    // Found by the broker as it writes, or as it waits for the answer.
    world.app(&["policy-check"]).fails(1, &["the TEE"]);
    assert_eq!(bodies.lock().unwrap().len(), 1);
    world.restart_tee();
    assert_eq!(world.installed(), []);
    assert!(!world.tee.log().contains("could not be delivered"));
}

// req: HTTP-029
#[test]
fn a_slow_agent_is_waited_for() {
    let mut world = world();
    let (tam, tee) = (world.address.clone(), world.tee.id());
    let (front, _) = in_front(&world, move |number, request| {
        let answer = relayed(&tam, request);
        if number == 0 {
            signal(tee, "STOP");
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_secs(5));
                signal(tee, "CONT");
            });
        }
        Some(Some(answer))
    });
    world.restart_broker(&["--tam", &front.url("/tam")]);
    let started = Instant::now();
    assert_eq!(world.policy_check(), 1);
    assert!(started.elapsed() >= Duration::from_secs(5));
    assert_eq!(world.version("acme/hello"), Some(1));
}

// req: HTTP-002
// req: HTTP-003
// req: HTTP-028
#[test]
fn what_is_no_answer_of_a_tam_fails_at_once() {
    let mut world = world();
    let elsewhere = world.wire.url();
    let answers = [
        plain(302, &[("location", &elsewhere)]),
        plain(307, &[("location", &elsewhere)]),
        plain(404, &[]),
        plain(500, &[]),
        plain(501, &[]),
        Response {
            body: b"<html>".to_vec(),
            ..plain(200, &[("content-type", "text/html")])
        },
        Response {
            body: b"?".to_vec(),
            ..plain(200, &[])
        },
    ];
    let before = world.wire.passed().len();
    for answer in answers {
        let words = match answer.status {
            200 => TEEP.to_owned(),
            status => status.to_string(),
        };
        let told = answer.clone();
        let (front, bodies) = in_front(&world, move |_, _| {
            let mut answer = told.clone();
            answer.headers.push(("set-cookie".into(), "a=b".into()));
            Some(Some(answer))
        });
        world.restart_broker(&["--tam", &front.url("/tam")]);
        world.app(&["policy-check"]).fails(1, &[&words]);
        assert_eq!(bodies.lock().unwrap().len(), 1, "{words}");
    }
    assert_eq!(
        world.wire.passed().len(),
        before,
        "no redirect was followed"
    );
}

// req: HTTP-003
// req: HTTP-005
// req: HTTP-021
// req: HTTP-022
#[test]
fn requests_have_the_headers_of_the_binding_and_no_others_that_matter() {
    let mut world = world();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let tam = world.address.clone();
    let (front, _) = in_front(&world, move |_, request| {
        record.lock().unwrap().push(request.clone());
        let mut answer = relayed(&tam, request);
        answer.headers.push(("set-cookie".into(), "a=b".into()));
        Some(Some(answer))
    });
    world.restart_broker(&["--tam", &front.url("/tam")]);
    world.policy_check();
    world.policy_check();
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 5);
    // The TAM speaks first.
    assert!(seen[0].body.is_empty());
    for request in seen.iter() {
        let header = |name: &str| {
            let found = request.headers.iter().find(|(found, _)| found == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(
            (request.method.as_str(), header("accept")),
            ("POST", Some(TEEP))
        );
        let content_type = (!request.body.is_empty()).then_some(TEEP);
        assert_eq!(header("content-type"), content_type);
        for name in ["cookie", "cache-control", "referer", "authorization"] {
            assert_eq!(header(name), None, "{name}");
        }
    }
}

// req: HTTP-024
// req: HTTP-043
#[test]
fn any_success_without_a_body_ends_the_exchange() {
    let mut world = world();
    for status in [200, 202, 204, 299] {
        let (front, _) = in_front(&world, move |_, _| Some(Some(plain(status, &[]))));
        world.restart_broker(&["--tam", &front.url("/tam")]);
        assert_eq!(world.policy_check(), 1, "{status}");
    }
}

#[test]
fn messages_go_through_a_proxy_if_one_is_set() {
    let mut world = world();
    let (tam, seen) = (world.address.clone(), Arc::new(Mutex::new(Vec::new())));
    let record = Arc::clone(&seen);
    let proxy = Server::start(move |request, _| {
        record.lock().unwrap().push(request.path.clone());
        Some(relayed(&tam, &request))
    });
    // No resolver knows this name: the proxy does.
    let uri = "http://tam.invalid/tam";
    world.restart_broker(&["--tam", uri, "--proxy", &proxy.url("")]);
    assert_eq!(world.policy_check(), 1);
    assert_eq!(world.version("acme/hello"), Some(1));
    let asked = || std::mem::take(&mut *seen.lock().unwrap());
    assert!(asked().iter().all(|path| path == uri));

    let url = proxy.url("");
    world.restart_broker_in(&[("HTTP_PROXY", &url)], &["--tam", uri]);
    assert_eq!(world.policy_check(), 1);
    assert!(!asked().is_empty());

    // The local sockets and what NO_PROXY lists are reached directly.
    let environment = [("HTTP_PROXY", url.as_str()), ("NO_PROXY", "127.0.0.1")];
    let direct = world.wire.url();
    world.restart_broker_in(&environment, &["--tam", &direct]);
    assert_eq!(world.policy_check(), 1);
    assert_eq!(asked(), [""; 0]);
}

/// A TAM that serves HTTPS beside that of the world, on the same data; the world's own is gone.
fn over_tls(world: &World, authority: &Authority, name: &str) -> (Process, u16) {
    signal(world.tam.id(), "TERM");
    eventually("the TAM goes", || {
        std::net::TcpStream::connect(&world.address)
            .is_err()
            .then_some(())
    });
    let (chain, key) = (world.path("chain.pem"), world.path("key.pem"));
    authority.issue(name, &chain, &key);
    authority.write_root(world.path("root.pem"));
    let data = world.path("tam");
    let arguments = [
        "--json",
        "tam",
        "serve",
        "--data",
        &data,
        "--listen",
        "127.0.0.1:0",
    ];
    let tls = ["--tls-certificate", &chain, "--tls-key", &key];
    let mut tam = Process::start("tls", &world.folder, &[&arguments[..], &tls].concat());
    let log = world.path("tls.log");
    let port = tam.wait_until("the TAM serves HTTPS", || {
        let said = fs::read_to_string(&log).unwrap();
        let (_, rest) = said.split_once("\"tam\": \"https://127.0.0.1:")?;
        let port = rest.split_once('/')?.0.parse().ok()?;
        std::net::TcpStream::connect(("127.0.0.1", port))
            .is_ok()
            .then_some(port)
    });
    (tam, port)
}

// req: HTTP-007
// req: HTTP-008
// req: TEEP-OPS-009
// req: TEEP-OPS-010
#[test]
fn a_device_trusts_a_tam_over_https_by_a_private_authority_and_by_its_name() {
    let mut world = world();
    let authority = Authority::new();
    let (tam, port) = over_tls(&world, &authority, "localhost");
    let root = world.path("root.pem");
    let uri = format!("https://localhost:{port}/tam");

    world.restart_broker(&["--tam", &uri, "--tam-ca", &root]);
    assert_eq!(world.policy_check(), 1);
    assert_eq!(world.version("acme/hello"), Some(1));
    world.restart_broker(&["--tam", &uri, "--tam-ca", &root, "--tam-ca-only"]);
    assert_eq!(world.policy_check(), 1);

    // Under another name, by another authority, or by none that is known, it is not the TAM.
    let elsewhere = format!("https://127.0.0.1:{port}/tam");
    world.restart_broker(&["--tam", &elsewhere, "--tam-ca", &root]);
    world.app(&["policy-check"]).fails(1, &["certificate"]);
    Authority::new().write_root(&root);
    world.restart_broker(&["--tam", &uri, "--tam-ca", &root, "--tam-ca-only"]);
    world.app(&["policy-check"]).fails(1, &["certificate"]);
    world.restart_broker(&["--tam", &uri]);
    world.app(&["policy-check"]).fails(1, &["certificate"]);

    // The administrator needs the authority too.
    authority.write_root(&root);
    let token = world.path("tam/admin.token");
    let url = format!("https://localhost:{port}");
    let admin = ["--json", "admin", "--tam", &url, "--token-file", &token];
    run(&[&admin[..], &["devices"]].concat()).fails(1, &["certificate"]);
    let devices = run(&[&admin[..], &["--tam-ca", &root, "devices"]].concat()).json();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 1);

    // A new certificate is taken on SIGHUP: this one has expired trust for the old name only.
    authority.issue("127.0.0.1", world.path("chain.pem"), world.path("key.pem"));
    signal(tam.id(), "HUP");
    world.restart_broker(&["--tam", &elsewhere, "--tam-ca", &root]);
    assert_eq!(world.policy_check(), 1);
    assert_eq!(tam.stop().code(), Some(0));
}

#[test]
fn files_that_make_no_tls_are_named() {
    let world = World::new();
    let data = world.path("other");
    let serve = ["tam", "serve", "--data", &data, "--listen", "127.0.0.1:0"];
    let missing = world.path("nothing.pem");
    let only = ["--tls-certificate", &missing];
    run(&[&serve[..], &only].concat()).fails(2, &["--tls-key"]);
    let both = ["--tls-certificate", &missing, "--tls-key", &missing];
    run(&[&serve[..], &both].concat()).fails(1, &["nothing.pem"]);
    let (tee, socket) = (world.path("tee.sock"), world.path("other.sock"));
    let broker = ["broker", "serve", "--tee", &tee, "--socket", &socket];
    run(&[&broker[..], &["--tam-ca", &missing]].concat()).fails(1, &["nothing.pem"]);
    run(&[&broker[..], &["--proxy", "http://"]].concat()).fails(1, &["proxy"]);
}

// req: ARCH-042
#[test]
fn applications_can_not_cause_exchanges_at_will() {
    let mut world = world();
    let tam = world.wire.url();
    world.restart_broker(&["--tam", &tam, "--requests-per-minute", "3"]);
    for _ in 0..3 {
        world.policy_check();
    }
    let before = world.wire.passed().len();
    for command in [
        &["policy-check"][..],
        &["request", "acme/x"],
        &["unrequest", "acme/x"],
    ] {
        world.app(command).fails(1, &["too many requests"]);
    }
    assert_eq!(world.wire.passed().len(), before);
    // What causes none goes on.
    assert_eq!(world.version("acme/hello"), Some(1));
    assert!(world.greeting("acme/hello").contains("Ada"));
}

/// Where the broker says that TAMs may come.
fn listening(world: &mut World, arguments: &[&str]) -> String {
    let more = ["--listen-for-tam", "127.0.0.1:0"];
    world.restart_broker(&[arguments, &more].concat());
    let log = world.broker.log();
    let (_, rest) = log.rsplit_once("TAMs on http://").unwrap();
    rest.split_once("/teep").unwrap().0.to_owned()
}

// req: HTTP-010
// req: ARCH-043
#[test]
fn a_tam_contacts_a_device_that_listens() {
    let mut world = world();
    // Nobody tells the broker of a TAM: it comes by itself.
    let device = listening(&mut world, &[]);
    let uri = format!("http://{device}/teep");
    let ueid = world.ueid.clone();
    let contacted = world.admin(&["contact", &ueid, "--uri", &uri]).json();
    assert_eq!(contacted["answers"], 2);
    assert_eq!(world.version("acme/hello"), Some(1));
    let again = world.admin(&["contact", &ueid, "--uri", &uri]).json();
    assert_eq!(again["answers"], 1, "there is nothing left to do");

    let unknown = ["contact", "00112233445566", "--uri", &uri];
    world.admin(&unknown).fails(1, &["not enrolled"]);
    let wrong = ["contact", &ueid, "--uri", "ftp://x"];
    world.admin(&wrong).fails(1, &["http or https"]);
    let nowhere = ["contact", &ueid, "--uri", "http://127.0.0.1:1/teep"];
    world.admin(&nowhere).fails(1, &["127.0.0.1:1"]);
    let elsewhere = format!("http://{}/", world.address);
    let elsewhere = ["contact", &ueid, "--uri", &elsewhere];
    world.admin(&elsewhere).fails(1, &["404"]);
}

// req: HTTP-001
// req: HTTP-004
// req: HTTP-005
// req: HTTP-010
// req: HTTP-040
// req: HTTP-041
#[test]
fn a_device_that_listens_keeps_the_binding() {
    let mut world = world();
    let device = listening(&mut world, &[]);
    let query = post(&world.address, b"").body;
    let ask =
        |headers: &[(&str, &str)], body: &[u8]| request(&device, "POST", "/teep", headers, body);
    let teep = [("accept", TEEP), ("content-type", TEEP)];
    let answer = ask(&teep, &query);
    assert_eq!(answer.status, 200);
    for (name, value) in [
        ("content-type", Some(TEEP)),
        ("x-content-type-options", Some("nosniff")),
        ("content-security-policy", Some("default-src 'none'")),
        ("referrer-policy", Some("no-referrer")),
        ("cache-control", None),
        ("set-cookie", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let refused = request(&device, "GET", "/teep", &teep, b"");
    assert_eq!(
        (refused.status, refused.header("allow")),
        (405, Some("POST"))
    );
    assert_eq!(ask(&[("accept", TEEP)], &query).status, 415);
    assert_eq!(
        ask(&[("accept", "text/html"), ("content-type", TEEP)], &query).status,
        406
    );
    assert_eq!(ask(&teep, b"").status, 400);
    let other = request(&device, "POST", "/teep/other", &teep, &query);
    assert_eq!(other.status, 404);
    let length = (9 << 20).to_string();
    let long = [&teep[..], &[("content-length", length.as_str())]].concat();
    let piece = vec![0; 1 << 20];
    let pieces = std::iter::repeat_n(&piece[..], 9);
    assert_eq!(
        send_slowly(&device, "POST", "/teep", &long, pieces).status,
        413
    );
    // Garbage and strangers get a signed Error of the agent, and change nothing.
    assert_eq!(ask(&teep, b"garbage").status, 200);
    assert_eq!(world.installed(), []);
}
