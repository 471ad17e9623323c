//! Commands whose input and output are streamed.

use tamarack_agent::link::{Call, Reply, STREAM_CHUNK};
use tamarack_ta::ResultCode;

use super::{
    attempt::{Attempt, Expected, Outcome},
    stage::{Link, Stage},
    worker::{COPY, NOTHING, POUR},
};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt {
        what: "Never sends the input of a command",
        expected: Expected::Ends(ResultCode::TARGET_DEAD),
        act: |stage| {
            streaming(stage, COPY, |link| {
                stage_is_served(stage);
                vec![last(link)]
            })
        },
    },
    Attempt {
        what: "Sends the input of a command byte by byte, in frames that never end",
        expected: Expected::Ends(ResultCode::TARGET_DEAD),
        act: |stage| {
            streaming(stage, COPY, |link| {
                link.raw(&1000_u32.to_be_bytes());
                for _ in 0..10 {
                    link.raw(&[0]);
                }
                vec![last(link)]
            })
        },
    },
    Attempt {
        what: "Never reads the output of a command",
        expected: Expected::HangsUpOrEnds(ResultCode::TARGET_DEAD),
        act: |stage| {
            let session = stage.open("acme/worker");
            let mut link = stage.link();
            link.say(&Call::InvokeStreaming {
                session,
                command: POUR,
            });
            stage_is_served(stage);
            // Waits for the end of the command.
            stage.invoke(session, NOTHING, b"");
            vec![last(&mut link)]
        },
    },
    Attempt {
        what: "Says that the rest of the input can't be had",
        expected: Expected::Ends(ResultCode::CANCEL),
        act: |stage| {
            streaming(stage, COPY, |link| {
                link.say(&Call::InputChunk(b"half".to_vec()));
                link.say(&Call::InputFailed("\n\u{1b}[31m".repeat(1000)));
                vec![last(link)]
            })
        },
    },
    Attempt {
        what: "Sends input in pieces of no bytes, or of more than 64 KiB",
        expected: Expected::Ends(ResultCode::COMMUNICATION),
        act: |stage| {
            let mut outcomes = Vec::new();
            for length in [0, STREAM_CHUNK + 1, 8 << 20] {
                outcomes.extend(streaming(stage, COPY, |link| {
                    link.say(&Call::InputChunk(vec![0; length]));
                    vec![last(link)]
                }));
            }
            outcomes
        },
    },
    Attempt {
        what: "Makes another call where input is asked for, or says something that is no frame",
        expected: Expected::Ends(ResultCode::COMMUNICATION),
        act: |stage| {
            let mut outcomes = Vec::new();
            for frame in [
                Call::List.encode(),
                Call::FetchChunk(vec![1]).encode(),
                vec![0x9f; 9],
                vec![],
            ] {
                outcomes.extend(streaming(stage, COPY, |link| {
                    link.frame(&frame);
                    vec![last(link)]
                }));
            }
            outcomes
        },
    },
    Attempt {
        what: "Sends more input than is asked for, and goes on after its end",
        expected: Expected::Harmless("What comes after the end is not read"),
        act: |stage| {
            streaming(stage, COPY, |link| {
                link.say(&Call::InputChunk(b"all".to_vec()));
                link.say(&Call::InputEnd);
                link.say(&Call::InputChunk(b"more".to_vec()));
                link.say(&Call::List);
                let mut output = Vec::new();
                let end = loop {
                    match link.hear() {
                        Some(Reply::OutputChunk(piece)) => output.extend(piece),
                        Some(Reply::NextInput) => {}
                        other => break other,
                    }
                };
                assert_eq!(output, b"all");
                assert!(
                    matches!(end, Some(Reply::Output { result: 0, .. })),
                    "{end:?}"
                );
                assert_eq!(link.hear(), None);
                vec![Outcome::Nothing]
            })
        },
    },
    Attempt {
        what: "Hangs up in the middle of a stream",
        expected: Expected::Harmless(
            "The command is told that nobody wants it any more; its session stays",
        ),
        act: |stage| {
            let session = stage.open("acme/worker");
            for command in [COPY, POUR] {
                let mut link = stage.link();
                link.say(&Call::InvokeStreaming { session, command });
                link.hear();
            }
            let reply = stage.invoke(session, NOTHING, b"");
            let done = Reply::Output {
                result: 0,
                output: Vec::new(),
            };
            assert_eq!(reply, Some(done));
            stage.close(session);
            vec![Outcome::Nothing]
        },
    },
];

/// Invokes a command that streams, in a session of its own.
fn streaming(
    stage: &Stage,
    command: u32,
    then: impl FnOnce(&mut Link) -> Vec<Outcome>,
) -> Vec<Outcome> {
    let session = stage.open("acme/worker");
    let mut link = stage.link();
    link.say(&Call::InvokeStreaming { session, command });
    let outcomes = then(&mut link);
    stage.close(session);
    outcomes
}

/// What comes after all that is streamed.
fn last(link: &mut Link) -> Outcome {
    loop {
        match link.hear() {
            Some(Reply::NextInput | Reply::OutputChunk(_)) => {}
            other => return Outcome::Reply(other),
        }
    }
}

/// Says that others are served while a command of the broker's hangs.
fn stage_is_served(stage: &Stage) {
    let session = stage.open("globex/vault");
    assert_eq!(stage.close(session), Some(Reply::NoData));
}
