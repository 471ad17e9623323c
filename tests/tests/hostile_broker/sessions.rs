//! Sessions that are not there, and too many of them.

use std::thread;

use tamarack_agent::link::{Call, MAX_FRAME, Reply};
use tamarack_cose::cbor::Writer;
use tamarack_ta::{
    ResultCode,
    interface::{Client, decode_client},
};
use tamarack_tests::system::eventually;

use super::{
    attempt::{Attempt, Expected, Outcome},
    worker::{COPY, NOTHING, SPIN, WHO},
};

const WORKER: &str = "acme/worker";
const NO_SESSION: Expected = Expected::Fails(ResultCode::BAD_STATE);

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt {
        what: "Guesses the numbers of sessions: small ones, large ones, the neighbours of one that is open",
        expected: NO_SESSION,
        act: |stage| {
            let open = stage.open("globex/vault");
            let guesses = [
                0,
                1,
                2,
                64,
                u64::MAX,
                i64::MAX as u64,
                open - 1,
                open + 1,
                open ^ 1 << 63,
            ];
            let mut outcomes = Vec::new();
            for session in guesses {
                for call in every_call(session) {
                    outcomes.push(Outcome::Reply(stage.call(&call)));
                }
            }
            stage.close(open);
            outcomes
        },
    },
    Attempt {
        what: "Uses a session after it was closed, and closes and cancels it again",
        expected: NO_SESSION,
        act: |stage| {
            let session = stage.open(WORKER);
            stage.close(session);
            let calls = every_call(session).into_iter().chain(every_call(session));
            calls
                .map(|call| Outcome::Reply(stage.call(&call)))
                .collect()
        },
    },
    Attempt {
        what: "Uses a session that died",
        expected: NO_SESSION,
        act: |stage| {
            let session = stage.open(WORKER);
            stage.invoke(session, SPIN, b"");
            let calls = every_call(session);
            calls.map(|call| Outcome::Reply(stage.call(&call))).into()
        },
    },
    Attempt {
        what: "Uses a session that was opened before the device restarted",
        expected: NO_SESSION,
        act: |stage| {
            let session = stage.open(WORKER);
            stage.stop();
            stage.start();
            let calls = every_call(session);
            calls.map(|call| Outcome::Reply(stage.call(&call))).into()
        },
    },
    Attempt {
        what: "Opens ten thousand sessions and closes none",
        expected: Expected::Fails(ResultCode::BUSY),
        act: |stage| {
            let mut open = Vec::new();
            let mut last = None;
            for _ in 0..10_000 {
                last = stage.try_open(WORKER, None, b"");
                match &last {
                    Some(Reply::Session(session)) => open.push(*session),
                    Some(Reply::Failed { .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(open.len(), 16, "the quota of the domain");
            // The other domain has its own.
            stage.is_unharmed();
            for session in open {
                stage.close(session);
            }
            vec![Outcome::Reply(last)]
        },
    },
    Attempt {
        what: "Invokes commands with input that fits no frame",
        expected: Expected::HangsUp,
        act: |stage| {
            let session = stage.open(WORKER);
            let mut link = stage.link();
            link.raw(&(9_u32 << 20).to_be_bytes());
            link.raw(&vec![0; MAX_FRAME]);
            let outcome = Outcome::Reply(link.hear());
            stage.close(session);
            vec![outcome]
        },
    },
    Attempt {
        what: "Invokes commands with as much input as fits a frame",
        expected: Expected::Ends(ResultCode::EXCESS_DATA),
        act: |stage| {
            let session = stage.open(WORKER);
            let outcomes = [(1 << 20) + 1, 8 << 20]
                .map(|length| Outcome::Reply(stage.invoke(session, NOTHING, &vec![0; length])));
            stage.close(session);
            outcomes.into()
        },
    },
    Attempt {
        what: "Opens a session with more data than a call may have",
        expected: Expected::Fails(ResultCode::EXCESS_DATA),
        act: |stage| {
            let data = vec![0; 2 << 20];
            vec![Outcome::Reply(stage.try_open("globex/vault", None, &data))]
        },
    },
    Attempt {
        what: "Invokes commands that the application does not have",
        expected: Expected::Ends(ResultCode::NOT_SUPPORTED),
        act: |stage| {
            let session = stage.open("globex/vault");
            let commands = [0, 5, 1 << 16, i32::MAX as u32, u32::MAX];
            let outcomes =
                commands.map(|command| Outcome::Reply(stage.invoke(session, command, b"")));
            stage.close(session);
            outcomes.into()
        },
    },
    Attempt {
        what: "Says that root calls, or another user, or nobody",
        expected: Expected::Harmless(
            "The application is told that a user calls, as the broker says: a statement, no proof",
        ),
        act: |stage| {
            for user in [Some(0), Some(65_534), Some(u32::MAX), None] {
                let Some(Reply::Session(session)) = stage.try_open(WORKER, user, b"") else {
                    panic!("no session");
                };
                let Some(Reply::Output { output, .. }) = stage.invoke(session, WHO, b"") else {
                    panic!("no answer");
                };
                let expected = user.map_or(Client::Unknown, Client::User);
                assert_eq!(decode_client(&output), Some(expected));
                stage.close(session);
            }
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Says that a Trusted Application calls",
        expected: Expected::Fails(ResultCode::BAD_FORMAT),
        act: |stage| {
            let application = tamarack_ta::interface::encode_client(&Client::Application {
                domain: "globex".into(),
                component: "globex/vault".into(),
            });
            let open = |client: &dyn Fn(&mut Writer)| {
                let frame = Writer::build(|w| {
                    w.array(4).uint(7).array(2).bytes(b"acme").bytes(b"worker");
                    client(w);
                    w.bytes(b"");
                });
                let mut link = stage.link();
                link.frame(&frame);
                Outcome::Reply(link.hear())
            };
            vec![
                open(&|w| {
                    w.bytes(&application);
                }),
                open(&|w| {
                    w.text("globex/vault");
                }),
                open(&|w| {
                    w.array(2).text("globex").text("globex/vault");
                }),
            ]
        },
    },
    Attempt {
        what: "Opens sessions with security domains and data",
        expected: Expected::Fails(ResultCode::BAD_PARAMETERS),
        act: |stage| {
            let components = [
                "security-domain/globex",
                "security-domain/acme",
                "acme/hello/greeting",
            ];
            components
                .map(|component| Outcome::Reply(stage.try_open(component, None, b"")))
                .into()
        },
    },
    Attempt {
        what: "Opens sessions with what is not installed: prefixes, manifests, services, nothing",
        expected: Expected::Fails(ResultCode::ITEM_NOT_FOUND),
        act: |stage| {
            let components = [
                "globex",
                "globex/vault/suit",
                "globex/vault/count",
                "vault",
                "",
            ];
            components
                .map(|component| Outcome::Reply(stage.try_open(component, None, b"")))
                .into()
        },
    },
    Attempt {
        what: "Cancels a session while another one of the same application waits for its turn",
        expected: Expected::Ends(ResultCode::CANCEL),
        act: |stage| {
            let (spinning, waiting) = (stage.open(WORKER), stage.open(WORKER));
            let stage = &*stage;
            let outcome = thread::scope(|scope| {
                let spin = scope.spawn(|| stage.invoke(spinning, SPIN, b""));
                let wait = scope.spawn(|| stage.invoke(waiting, NOTHING, b""));
                // Until the command runs, there is nothing to cancel.
                eventually("the command ends", || {
                    stage.call(&Call::Cancel { session: spinning });
                    spin.is_finished().then_some(())
                });
                let done = Some(Reply::Output {
                    result: 0,
                    output: Vec::new(),
                });
                assert_eq!(wait.join().unwrap(), done);
                spin.join().unwrap()
            });
            stage.close(waiting);
            vec![Outcome::Reply(outcome)]
        },
    },
    Attempt {
        what: "Runs commands without end in all sessions of a domain at once",
        expected: Expected::EndsWithOneOf([ResultCode::TARGET_DEAD, ResultCode::BUSY]),
        act: |stage| {
            let sessions: Vec<u64> = (0..2).map(|_| stage.open(WORKER)).collect();
            thread::scope(|scope| {
                let shared = &*stage;
                let spin = |session| scope.spawn(move || shared.invoke(session, SPIN, b""));
                let spinning: Vec<_> = sessions.into_iter().map(spin).collect();
                // Others are served meanwhile.
                let session = shared.open("globex/vault");
                shared.close(session);
                let ended = spinning.into_iter().map(|thread| thread.join().unwrap());
                ended.map(Outcome::Reply).collect()
            })
        },
    },
];

/// Every call that names a session.
fn every_call(session: u64) -> [Call; 4] {
    [
        Call::Invoke {
            session,
            command: NOTHING,
            input: Vec::new(),
        },
        Call::InvokeStreaming {
            session,
            command: COPY,
        },
        Call::Cancel { session },
        Call::CloseSession { session },
    ]
}
