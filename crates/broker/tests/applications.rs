//! The local API: sessions, commands that stream, cancellation, and what an application is told.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use common::{
    ASK, BREAK, CANCEL, COUNT, DIE, ECHO, FAIL, FAIL_LATE, FLOOD, IGNORE, OWN_CODE, QUIT,
    TARGET_DEAD, WAIT, World,
};
use tamarack_broker::Config;
use tamarack_client::{
    Error,
    api::{Invocation, OpenSession, Origin},
};

const MIB: u64 = 1 << 20;

fn own_user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

fn invocation(command: u32) -> Invocation {
    Invocation {
        component: "acme/hello".into(),
        command,
        input_text: Some("Ada".into()),
        input_base64: None,
        tee: None,
    }
}

fn opening(component: &str) -> OpenSession {
    OpenSession {
        component: component.into(),
        ..OpenSession::default()
    }
}

#[test]
fn a_session_is_opened_with_its_user_and_input_and_closed_when_it_is_dropped() {
    let world = World::new();
    let session = world.client.open(&OpenSession {
        input_text: Some("PIN".into()),
        ..opening("acme/hello")
    });
    let session = session.unwrap();
    assert_eq!(session.invoke(ECHO, b"Ada").unwrap(), b"Ada");
    let opened = world
        .tee
        .until("it is open", |state| state.opened.first().cloned());
    assert_eq!(
        opened,
        ("acme/hello".into(), Some(own_user()), b"PIN".to_vec())
    );

    let state = session.state().unwrap();
    assert_eq!((state.running, state.ended), (None, false));
    let last = state.last.unwrap();
    assert_eq!(
        (last.command, last.result, last.error),
        (ECHO, Some(0), None)
    );
    let listed = world.client.sessions().unwrap().sessions;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].session, session.number());

    let number = session.number();
    drop(session);
    world
        .tee
        .until("it is closed", |state| state.open.is_empty().then_some(()));
    let gone = world.client.session(number).invoke(ECHO, b"").unwrap_err();
    assert!(matches!(gone, Error::NotFound(_)), "{gone}");

    // One command in a session of its own.
    assert_eq!(world.client.invoke(&invocation(ECHO)).unwrap(), b"Ada");
    assert!(world.client.sessions().unwrap().sessions.is_empty());
}

#[test]
fn what_goes_wrong_says_where_and_with_which_code() {
    let world = World::new();
    let none = world.client.open(&opening("acme/none")).unwrap_err();
    let Error::NotFound(problem) = &none else {
        panic!("{none:?}");
    };
    assert_eq!(
        (problem.origin, none.result()),
        (Origin::Tee, Some(0xFFFF_0008))
    );
    // An application that refuses a session.
    let closed = world.client.open(&opening("acme/closed")).unwrap_err();
    let Error::Refused { status: 422, .. } = &closed else {
        panic!("{closed:?}");
    };
    assert_eq!(closed.result(), Some(OWN_CODE));
    let wrong = world.client.open(&opening("0xzz")).unwrap_err();
    assert!(
        matches!(wrong, Error::Refused { status: 400, .. }),
        "{wrong:?}"
    );
    let both = world.client.open(&OpenSession {
        input_text: Some("a".into()),
        input_base64: Some("YQ==".into()),
        ..opening("acme/hello")
    });
    let both = both.unwrap_err();
    assert!(both.to_string().contains("not both"), "{both}");

    let session = world.open();
    for failed in [
        session.invoke(FAIL, b"").unwrap_err(),
        session.run(FAIL, io::empty(), io::sink()).unwrap_err(),
        session.run(FAIL_LATE, io::empty(), io::sink()).unwrap_err(),
        world.client.invoke(&invocation(FAIL)).unwrap_err(),
    ] {
        assert!(
            matches!(
                failed,
                Error::Command {
                    result: OWN_CODE,
                    ..
                }
            ),
            "{failed:?}"
        );
    }
    // A TEE that breaks off in the middle is told apart from one that is done.
    let broken = session.run(BREAK, io::empty(), io::sink()).unwrap_err();
    assert!(matches!(broken, Error::BrokenOff(_)), "{broken:?}");
    assert!(broken.to_string().contains("link"), "{broken}");

    // The application's death is the session's end.
    let died = session.run(DIE, io::empty(), io::sink()).unwrap_err();
    assert!(matches!(&died, Error::Died(_)), "{died:?}");
    assert_eq!(died.result(), Some(TARGET_DEAD));
    assert!(session.state().unwrap().ended);
    let ended = session.invoke(ECHO, b"").unwrap_err();
    assert!(ended.to_string().contains("has ended"), "{ended}");
    let died = world.client.invoke(&invocation(DIE)).unwrap_err();
    assert!(matches!(died, Error::Died(_)), "{died:?}");

    let nobody = tamarack_client::Client::new("/nonexistent/app.sock").components();
    let nobody = nobody.unwrap_err();
    assert!(matches!(nobody, Error::Unreachable { .. }), "{nobody:?}");
}

#[test]
fn a_user_has_so_many_sessions_and_no_more() {
    let world = World::with(Config {
        sessions_per_user: 2,
        ..Config::default()
    });
    let first = world.open();
    let _second = world.open();
    let full = world.client.open(&opening("acme/hello")).unwrap_err();
    let Error::TooMuch { problem, .. } = &full else {
        panic!("{full:?}");
    };
    assert!(problem.error.contains("2 sessions"), "{}", problem.error);
    first.close().unwrap();
    world.open();
}

/// So many bytes, counted as they are read.
struct Counted {
    left: u64,
    produced: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.left).unwrap().min(buffer.len());
        buffer[..length].fill(b'a');
        self.left -= length as u64;
        self.produced.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

#[test]
fn input_that_nobody_reads_is_no_obstacle_to_the_answer() {
    let world = World::new();
    let session = world.open();
    let produced = Arc::new(AtomicU64::new(0));
    let input = Counted {
        left: 40 * MIB,
        produced: Arc::clone(&produced),
    };
    let mut output = Vec::new();
    session.run(IGNORE, input, &mut output).unwrap();
    assert_eq!(output, b"done");
    // One whose input never ends, either.
    let mut output = Vec::new();
    session.run(IGNORE, io::repeat(1), &mut output).unwrap();
    assert_eq!(output, b"done");
    // And the session goes on.
    session.run(COUNT, &b"12345"[..], &mut output).unwrap();
    assert_eq!(output[4..], 5_u64.to_be_bytes());
}

/// Reads nothing: somebody holds the other end.
struct Silent(std::sync::mpsc::Receiver<()>);

impl Read for Silent {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Ok(0)
    }
}

#[test]
fn a_command_is_cancelled_whatever_it_waits_for() {
    let world = World::new();
    let session = world.open();
    // In the TEE; for input that does not come; while it writes; for input after it wrote; for input, and does not listen.
    for command in [WAIT, COUNT, FLOOD, ASK, QUIT] {
        let (_hold, silence) = std::sync::mpsc::channel();
        let canceller = session.canceller();
        let cancelled = thread::scope(|scope| {
            let running = scope.spawn(|| session.run(command, Silent(silence), io::sink()));
            world.tee.until("the command runs", |state| {
                state.running.contains(&command).then_some(())
            });
            canceller.cancel().unwrap();
            running.join().unwrap().unwrap_err()
        });
        assert!(
            matches!(cancelled, Error::Cancelled(_)),
            "{command}: {cancelled:?}"
        );
        assert_eq!(cancelled.result(), Some(CANCEL));
    }
    // Nothing is left of it for the next command, and nothing is under way to be cancelled.
    canceller_is_harmless(&session);
    assert_eq!(session.invoke(ECHO, b"Ada").unwrap(), b"Ada");
    let whole = thread::scope(|scope| {
        let running = scope.spawn(|| session.invoke(WAIT, b""));
        world.tee.until("the command runs", |state| {
            state.running.contains(&WAIT).then_some(())
        });
        session.canceller().cancel().unwrap();
        running.join().unwrap().unwrap_err()
    });
    assert!(matches!(whole, Error::Cancelled(_)), "{whole:?}");
}

fn canceller_is_harmless(session: &tamarack_client::Session) {
    for _ in 0..3 {
        session.canceller().cancel().unwrap();
    }
}

/// Sends the head of a request, and perhaps some of its body.
fn raw(world: &World, path: &str, rest: &str) -> UnixStream {
    let mut stream = UnixStream::connect(&world.socket).unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{rest}");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn a_command_whose_application_goes_away_is_cancelled() {
    let world = World::new();
    let session = world.open();
    let number = session.number();
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    let some = format!("{chunked}5\r\nhello\r\n");
    let empty = format!("{chunked}0\r\n\r\n");
    let json = |command: u32| {
        let body = format!("{{\"command\": {command}}}");
        format!(
            "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for (path, rest, command) in [
        // In the middle of its input, waiting for its output, and not reading what comes.
        (format!("commands/{COUNT}"), &some, COUNT),
        (format!("commands/{WAIT}"), &empty, WAIT),
        (format!("commands/{FLOOD}"), &empty, FLOOD),
        (format!("commands/{ASK}"), &some, ASK),
        ("invoke".to_owned(), &json(WAIT), WAIT),
    ] {
        let stream = raw(&world, &format!("/v1/sessions/{number}/{path}"), rest);
        world.tee.until("the command runs", |state| {
            state.running.contains(&command).then_some(())
        });
        drop(stream);
        world.tee.until("the command is over", |state| {
            state.running.is_empty().then_some(())
        });
        // The session waits for that, and is good for more.
        assert_eq!(session.invoke(ECHO, b"Ada").unwrap(), b"Ada", "{command}");
    }

    // A session for one command goes with its application.
    let body = r#"{"component": "acme/hello", "command": 3}"#;
    let rest = format!(
        "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let stream = raw(&world, "/v1/invoke", &rest);
    world.tee.until("the command runs", |state| {
        state.running.contains(&WAIT).then_some(())
    });
    drop(stream);
    world.tee.until("one session is left", |state| {
        (state.open.len() == 1).then_some(())
    });
}

#[test]
fn a_stream_whose_break_would_not_show_is_refused() {
    let world = World::new();
    let session = world.open();
    let mut stream = UnixStream::connect(&world.socket).unwrap();
    let path = format!("/v1/sessions/{}/commands/{FLOOD}", session.number());
    let request = format!("POST {path} HTTP/1.0\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 505"), "{answer}");
    assert!(answer.contains("HTTP/1.1"), "{answer}");
}

#[test]
fn input_that_can_not_be_read_cancels_the_command() {
    struct Broken(bool);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match std::mem::replace(&mut self.0, true) {
                false => {
                    buffer[0] = 1;
                    Ok(1)
                }
                true => Err(io::Error::other("the disk is gone")),
            }
        }
    }
    let world = World::new();
    let session = world.open();
    let failed = session.run(COUNT, Broken(false), io::sink()).unwrap_err();
    let Error::Input(fault) = &failed else {
        panic!("{failed:?}");
    };
    assert!(fault.to_string().contains("disk"), "{fault}");
    let reason = world
        .tee
        .until("the TEE knows", |state| state.input_failed.pop());
    assert!(reason.contains("went away"), "{reason}");

    // Output that can't be written is not waited for.
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let failed = session.run(FLOOD, io::empty(), Full).unwrap_err();
    assert!(matches!(failed, Error::Output(_)), "{failed:?}");
    world.tee.until("the command is over", |state| {
        state.running.is_empty().then_some(())
    });
}

#[test]
fn the_two_ends_of_a_stream_can_be_used_step_by_step() {
    let world = World::new();
    let session = world.open();
    let (mut input, mut output) = session.stream(ECHO).unwrap();
    // More than what is held back, so that the answer begins before the input ends.
    let piece = vec![7; 80 << 10];
    let mut echoed = vec![0; piece.len()];
    for _ in 0..4 {
        input.write_all(&piece).unwrap();
        input.flush().unwrap();
        output.read_exact(&mut echoed).unwrap();
        assert!(echoed == piece);
    }
    input.finish().unwrap();
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
}

#[test]
fn hostile_requests_are_refused_and_nothing_breaks() {
    let world = World::new();
    let session = world.open();
    for path in [
        "/v1/sessions/0/commands/1",
        "/v1/sessions/-1/commands/1",
        "/v1/sessions/99999999999999999999/invoke",
        "/v1/sessions/x/cancel",
        &format!("/v1/sessions/{}/commands/4294967296", session.number()),
        &format!("/v1/sessions/{}/commands/-1", session.number()),
    ] {
        let mut stream = raw(
            &world,
            path,
            "connection: close\r\ncontent-length: 0\r\n\r\n",
        );
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = &answer[9..12];
        assert!(matches!(status, "400" | "404" | "415"), "{path}: {answer}");
    }
    // A body that contradicts its own framing.
    let path = format!("/v1/sessions/{}/commands/{COUNT}", session.number());
    let mut stream = raw(&world, &path, "transfer-encoding: chunked\r\n\r\nzz\r\n");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    world.tee.until("nothing runs", |state| {
        state.running.is_empty().then_some(())
    });
    assert_eq!(session.invoke(ECHO, b"Ada").unwrap(), b"Ada");
}
