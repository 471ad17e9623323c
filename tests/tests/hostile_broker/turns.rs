//! Calls out of turn, and payloads that are not what was asked for.

use tamarack_agent::link::{Call, FETCH_CHUNK, Reply};
use tamarack_ta::ResultCode;
use tamarack_teep::{ErrorCode, FreshnessMechanism, Message, QueryRequest};
use tamarack_tests::{
    Tam,
    release::Release,
    system::run,
    wasm::{HELLO_1, HELLO_2},
};

use super::{
    attempt::{Attempt, Expected, Outcome},
    stage::{Link, Stage, TAM_URI, read, read_message},
};

const URI: &str = "http://payloads.example/hello-2";

const fn fails(words: &'static str) -> Expected {
    Expected::Error(ErrorCode::MANIFEST_PROCESSING_FAILED, words)
}

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt {
        what: "Answers what it was not asked: payload, Attestation Result and input out of turn",
        expected: Expected::Fails(ResultCode::BAD_STATE),
        act: |stage| {
            let answers = [
                Call::FetchChunk(vec![1]),
                Call::FetchEnd,
                Call::FetchFailed("no".into()),
                appraised("application/eat+cwt", 1),
                Call::AppraisalFailed("no".into()),
                Call::InputChunk(vec![1]),
                Call::InputEnd,
                Call::InputFailed("no".into()),
            ];
            let answer = |call: &Call| Outcome::Reply(stage.call(call));
            answers.iter().map(answer).collect()
        },
    },
    Attempt {
        what: "Makes another call, or answers with input, where a payload is asked for",
        expected: fails("out of step"),
        act: |stage| {
            let instead = [
                Call::List,
                Call::InputChunk(vec![1]),
                Call::ProcessTeepMessage {
                    tam_uri: TAM_URI.into(),
                    message: vec![1],
                },
            ];
            let serve = |call: &Call| {
                fetched(stage, &mut |link, _| {
                    link.say(call);
                })
            };
            instead.iter().map(serve).collect()
        },
    },
    Attempt {
        what: "Sends payload in pieces of no bytes, for ever",
        expected: fails("out of step"),
        act: |stage| {
            vec![fetched(stage, &mut |link, _| {
                for _ in 0..1000 {
                    if !link.say(&Call::FetchChunk(Vec::new())) {
                        break;
                    }
                }
            })]
        },
    },
    Attempt {
        what: "Sends payload in a piece of more than 64 KiB",
        expected: fails("out of step"),
        act: |stage| {
            vec![fetched(stage, &mut |link, _| {
                link.say(&Call::FetchChunk(vec![0; FETCH_CHUNK + 1]));
            })]
        },
    },
    Attempt {
        what: "Sends something that is no frame where a payload is asked for",
        expected: fails("out of step"),
        act: |stage| {
            vec![fetched(stage, &mut |link, _| {
                link.frame(&[0x9f; 100]);
            })]
        },
    },
    Attempt {
        what: "Spoils one bit of a payload",
        expected: fails("another digest or size"),
        act: |stage| {
            let mut spoilt = HELLO_2.to_vec();
            spoilt[HELLO_2.len() / 2] ^= 1;
            vec![served(stage, &spoilt)]
        },
    },
    Attempt {
        what: "Sends the payload of another version, which was in order in its time",
        expected: fails("another digest or size"),
        act: |stage| vec![served(stage, HELLO_1)],
    },
    Attempt {
        what: "Ends a payload early, or before it began",
        expected: fails("another digest or size"),
        act: |stage| {
            let length = HELLO_2.len();
            let parts = [0, 1, length - 1];
            parts.map(|end| served(stage, &HELLO_2[..end])).into()
        },
    },
    Attempt {
        what: "Sends a byte more than a payload has by its manifest",
        expected: fails("longer than"),
        act: |stage| vec![served(stage, &[HELLO_2, &[0]].concat())],
    },
    Attempt {
        what: "Goes on sending after a payload was refused, without end",
        expected: fails("longer than"),
        act: |stage| {
            vec![fetched(stage, &mut |link, _| {
                let piece = Call::FetchChunk(vec![0; FETCH_CHUNK]).encode();
                let sent = (0..2_000).take_while(|_| link.frame(&piece)).count();
                assert!(sent < 2_000, "all of it was read");
            })]
        },
    },
    Attempt {
        what: "Says that a payload can't be had, in a megabyte of line ends and escape sequences",
        expected: fails("not available"),
        act: |stage| {
            let mut outcomes = Vec::new();
            for reason in [
                "\n2026-01-01T00:00:00Z  WARN forged by fetch\u{1b}[31m".into(),
                "\r\n\0".repeat(300_000),
            ] {
                let outcome = fetched(stage, &mut |link, _| {
                    link.say(&Call::FetchFailed(reason.clone()));
                });
                if let Outcome::Reply(Some(Reply::Message(bytes))) = &outcome
                    && let Message::Error(error) = read_message(bytes)
                {
                    let text = error.explanation.unwrap().text;
                    assert!(text.len() <= 128 && !text.contains(char::is_control));
                }
                outcomes.push(outcome);
            }
            let log = stage.process().log();
            assert!(!log.lines().any(|line| line.starts_with("2026-01-01")));
            assert!(log.lines().all(|line| line.len() < 4096));
            outcomes
        },
    },
    Attempt {
        what: "Hangs up in the middle of a payload",
        expected: Expected::Harmless("Nothing of it is kept, and the next message is served"),
        act: |stage| {
            let mut link = asked(stage);
            link.say(&Call::FetchChunk(HELLO_2[..1000].to_vec()));
            drop(link);
            stage.exchange(&stage.tam);
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Keeps the agent waiting for a payload",
        expected: Expected::Harmless(
            "Applications are served meanwhile; another TAM's message waits until it hangs up, or half an hour",
        ),
        act: |stage| {
            let link = asked(stage);
            stage.is_unharmed();
            drop(link);
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Lets the same Update fail again and again, for the manifest to be given up",
        expected: Expected::Harmless(
            "The device takes it the next time that it is sent whole. A TAM gives it up for this device after three failures, until its operator acts",
        ),
        act: |stage| {
            for _ in 0..4 {
                fetched(stage, &mut |link, _| {
                    link.say(&Call::FetchFailed("not yet".into()));
                });
            }
            let Outcome::Reply(reply) = served(stage, HELLO_2) else {
                unreachable!();
            };
            assert!(matches!(read(reply), Message::Success(_)));
            stage.remove("acme/second/suit");
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Answers a request for an Attestation Result with something else, or one of a megabyte",
        expected: Expected::Harmless("The agent sends its own Evidence instead"),
        act: |stage| {
            let answers = [
                Call::FetchEnd,
                Call::List,
                Call::AppraisalFailed("\n".repeat(1000)),
                appraised("application/eat+cwt", 1 << 20),
                appraised(&"a".repeat(1 << 20), 1),
            ];
            for answer in &answers {
                let (asked, bytes) = appraise(stage, answer);
                let Message::QueryResponse(response) = read_message(&bytes) else {
                    panic!("not a QueryResponse");
                };
                assert_eq!(response.attestation.unwrap().bytes, asked);
            }
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Hands the attestation token of a Trusted Application in as Evidence of the device",
        expected: Expected::Refused("holds no cnf claim"),
        act: |stage| vec![Outcome::Refusal(token_as_evidence(stage))],
    },
];

fn appraised(media_type: &str, length: usize) -> Call {
    Call::Appraised {
        media_type: media_type.into(),
        result: vec![0; length],
    }
}

/// A connection on which the TEE has just asked for a payload.
fn asked(stage: &Stage) -> Link {
    stage.exchange(&stage.tam);
    let mut link = stage.link();
    link.say(&Call::ProcessTeepMessage {
        tam_uri: TAM_URI.into(),
        message: update(stage),
    });
    let expected = Reply::Fetch { uri: URI.into() };
    assert_eq!(link.hear(), Some(expected));
    link
}

/// An Update whose payload has to be fetched.
fn update(stage: &Stage) -> Vec<u8> {
    let release = Release::new("acme/second", 1).fetching(URI, HELLO_2);
    stage.tam.sign(Tam::install(&[&release.by(&stage.acme)]))
}

/// What comes of an Update whose payload the broker serves so.
fn fetched(stage: &Stage, payload: &mut dyn FnMut(&mut Link, &str)) -> Outcome {
    stage.exchange(&stage.tam);
    Outcome::Reply(stage.process_with(&update(stage), payload))
}

/// What comes of an Update with this payload.
fn served(stage: &Stage, payload: &[u8]) -> Outcome {
    fetched(stage, &mut |link, _| {
        for piece in payload.chunks(FETCH_CHUNK) {
            link.say(&Call::FetchChunk(piece.to_vec()));
        }
        link.say(&Call::FetchEnd);
    })
}

/// The Evidence for which the agent asks an Attestation Result, and what it tells the TAM after this answer.
fn appraise(stage: &Stage, answer: &Call) -> (Vec<u8>, Vec<u8>) {
    let query = QueryRequest {
        challenge: None,
        token: Some(Tam::token()),
        supported_freshness_mechanisms: vec![FreshnessMechanism::NONCE],
        ..Tam::query()
    };
    let mut link = stage.link();
    link.say(&Call::ProcessTeepMessage {
        tam_uri: TAM_URI.into(),
        message: stage.tam.sign(query),
    });
    let Some(Reply::Appraise { evidence, .. }) = link.hear() else {
        panic!("no appraisal is asked for");
    };
    link.say(answer);
    match link.hear() {
        Some(Reply::Message(bytes)) => (evidence, bytes),
        other => panic!("{other:?}"),
    }
}

/// What the appraiser of a TAM says to the token of the victim, which answers the TAM's challenge.
fn token_as_evidence(stage: &mut Stage) -> String {
    const ATTEST: u32 = 4;
    let challenge = Stage::query().challenge.unwrap();
    let session = stage.open("globex/vault");
    let reply = stage.invoke(session, ATTEST, challenge.as_bytes());
    let Some(Reply::Output { result: 0, output }) = reply else {
        panic!("{reply:?}");
    };
    stage.close(session);
    let data = stage.path("tee");
    stage.stop();
    let endorsement = ["tee", "endorsement", "--data", data.to_str().unwrap()];
    let endorsement = run(&endorsement).ok();
    stage.start();
    let endorsement = tamarack_rats::Endorsement::from_json(&endorsement).unwrap();
    let evidence = tamarack_rats::Evidence::decode(&output).unwrap();
    let appraised = tamarack_rats::appraise(
        &tamarack_tests::crypto(),
        &evidence,
        &endorsement,
        tamarack_rats::Freshness::Nonce(challenge.as_bytes()),
        tamarack_tests::now(),
    );
    appraised.unwrap_err().to_string()
}
