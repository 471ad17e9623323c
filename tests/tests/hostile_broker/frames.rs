//! Frames that are none.

use tamarack_agent::link::{Call, MAX_FRAME, Reply};
use tamarack_suit::ComponentId;
use tamarack_ta::ResultCode;
use tamarack_tests::{id, system::eventually};

use super::{
    attempt::{Attempt, Expected, Outcome},
    stage::Stage,
};

const BAD_FORMAT: Expected = Expected::Fails(ResultCode::BAD_FORMAT);

/// Connections that the TEE serves at a time.
const PLACES: usize = 64;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt {
        what: "Announces a frame that is one byte longer than the longest",
        expected: Expected::HangsUp,
        act: |stage| {
            let length = u32::try_from(MAX_FRAME + 1).unwrap();
            let mut link = stage.link();
            link.raw(&length.to_be_bytes());
            vec![Outcome::Reply(link.hear())]
        },
    },
    Attempt {
        what: "Announces the longest frame on half of all connections, and sends none of it",
        expected: Expected::Harmless("No memory is set aside; they are hung up on after 5 seconds"),
        act: |stage| {
            let before = stage.process().resident_kib();
            let length = u32::try_from(MAX_FRAME).unwrap().to_be_bytes();
            let mut links: Vec<_> = (0..PLACES / 2).map(|_| stage.link()).collect();
            links.iter_mut().for_each(|link| assert!(link.raw(&length)));
            stage.list();
            let grown = stage.process().resident_kib().saturating_sub(before);
            assert!(grown < 16 << 10, "{grown} KiB more");
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Says nothing, on all connections that are served at a time",
        expected: Expected::HangsUp,
        act: |stage| {
            let links: Vec<_> = (0..PLACES).map(|_| stage.link()).collect();
            // Whoever comes behind them waits, and gets an answer.
            stage.list();
            links
                .into_iter()
                .map(|mut link| Outcome::Reply(link.hear()))
                .collect()
        },
    },
    Attempt {
        what: "Sends a frame byte by byte, each in time",
        expected: Expected::HangsUp,
        act: |stage| {
            let frame = Call::InputFailed("x".repeat(1000)).encode();
            let mut link = stage.link();
            link.raw(&u32::try_from(frame.len()).unwrap().to_be_bytes());
            let mut left = frame.iter();
            eventually("the TEE loses patience", || {
                std::thread::sleep(std::time::Duration::from_millis(200));
                let byte = left.next().expect("it takes all of them");
                (!link.raw(&[*byte])).then_some(())
            });
            vec![Outcome::Reply(link.hear())]
        },
    },
    Attempt {
        what: "Sends a part of what it announced, and says that nothing more comes",
        expected: Expected::HangsUp,
        act: |stage| {
            let mut outcomes = Vec::new();
            for part in [&[0, 0][..], &[0, 0, 0, 9], &[0, 0, 0, 9, 0x81]] {
                let mut link = stage.link();
                link.raw(part);
                link.half_close();
                outcomes.push(Outcome::Reply(link.hear()));
            }
            outcomes
        },
    },
    Attempt {
        what: "Sends a frame of no bytes",
        expected: BAD_FORMAT,
        act: |stage| frames(stage, &[b""]),
    },
    Attempt {
        what: "Sends bytes that are no CBOR: text, breaks, reserved heads, random bits",
        expected: BAD_FORMAT,
        act: |stage| {
            let random = tamarack_tests::crypto().random_array::<32>().unwrap();
            // Not by chance a call: no array starts so.
            let random = [&[0xff][..], &random].concat();
            frames(stage, &[b"hello", &[0xff], &[0x1c], &[0xf8, 0], &random])
        },
    },
    Attempt {
        what: "Hides bytes behind a call, in the same frame",
        expected: BAD_FORMAT,
        act: |stage| {
            let list = Call::List.encode();
            frames(
                stage,
                &[&[&list[..], &[0]].concat(), &[&list[..], &list].concat()],
            )
        },
    },
    Attempt {
        what: "Uses indefinite lengths, for the call and for what is in it",
        expected: BAD_FORMAT,
        act: |stage| {
            let list = [0x9f, 6, 0xff];
            let chunk = [0x82, 10, 0x5f, 0x41, 0, 0xff];
            frames(stage, &[&list, &chunk])
        },
    },
    Attempt {
        what: "Writes a call's number in more bytes than it takes",
        expected: Expected::Harmless("It is the call that it says, and no other"),
        act: |stage| {
            let wide = [
                &[0x81, 0x18, 6][..],
                &[0x81, 0x19, 0, 6],
                &[0x98, 1, 0x1b, 0, 0, 0, 0, 0, 0, 0, 6],
            ];
            for frame in wide {
                let mut link = stage.link();
                link.frame(frame);
                let reply = link.hear();
                assert!(matches!(reply, Some(Reply::Components(_))), "{reply:?}");
            }
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Leaves items of a call out, or adds some",
        expected: BAD_FORMAT,
        act: |stage| {
            let more: Vec<Vec<u8>> = calls()
                .iter()
                .map(|call| {
                    let mut frame = call.encode();
                    frame[0] += 1;
                    frame.push(0);
                    frame
                })
                .collect();
            let more: Vec<&[u8]> = more.iter().map(Vec::as_slice).collect();
            let less: [&[u8]; 4] = [&[0x80], &[0x81, 1], &[0x82, 8, 0], &[0x81, 7]];
            let mut outcomes = frames(stage, &more);
            outcomes.extend(frames(stage, &less));
            outcomes
        },
    },
    Attempt {
        what: "Makes calls of numbers that nobody knows",
        expected: BAD_FORMAT,
        act: |stage| {
            let unknown = [
                &[0x81, 0][..],
                &[0x81, 0x18, 38],
                &[0x81, 0x1b, 255, 255, 255, 255, 255, 255, 255, 255],
                &[0x81, 0x20],
            ];
            frames(stage, &unknown)
        },
    },
    Attempt {
        what: "Says what only a TEE says: each reply, as a call",
        expected: BAD_FORMAT,
        act: |stage| {
            let replies = [
                Reply::NoData,
                Reply::Message(vec![1]),
                Reply::Fetch { uri: "u".into() },
                Reply::Components(Vec::new()),
                Reply::Session(1),
                Reply::NextInput,
                Reply::OutputChunk(vec![1]),
                Reply::failed(0, ""),
            ];
            let replies = replies.map(|reply| reply.encode());
            let replies: Vec<&[u8]> = replies.iter().map(Vec::as_slice).collect();
            frames(stage, &replies)
        },
    },
    Attempt {
        what: "Nests arrays, tags and maps a hundred thousand deep",
        expected: BAD_FORMAT,
        act: |stage| {
            let deep = [0x81, 0xc1, 0xa1].map(|head| vec![head; 100_000]);
            let deep: Vec<&[u8]> = deep.iter().map(Vec::as_slice).collect();
            frames(stage, &deep)
        },
    },
    Attempt {
        what: "Declares arrays, maps and strings of 2^63 items",
        expected: BAD_FORMAT,
        act: |stage| {
            let declared = [0x5b, 0x7b, 0x9b, 0xbb]
                .map(|head| [&[0x82, 10, head][..], &(1_u64 << 63).to_be_bytes()].concat());
            let declared: Vec<&[u8]> = declared.iter().map(Vec::as_slice).collect();
            frames(stage, &declared)
        },
    },
    Attempt {
        what: "Repeats a key in a map, where no map belongs",
        expected: BAD_FORMAT,
        act: |stage| frames(stage, &[&[0x82, 4, 0xa2, 0, 0, 0, 0]]),
    },
    Attempt {
        what: "Sends a command's number and a user's that have more than 32 bits",
        expected: BAD_FORMAT,
        act: |stage| {
            let large = [0x1b, 0, 0, 0, 1, 0, 0, 0, 0];
            let command = [&[0x84, 8, 1][..], &large, &[0x40]].concat();
            let user = [&[0x84, 7, 0x81, 0x41, 1][..], &large, &[0x40]].concat();
            frames(stage, &[&command, &user])
        },
    },
    Attempt {
        what: "Sends URIs and reasons that are no UTF-8",
        expected: BAD_FORMAT,
        act: |stage| {
            let bad = [0x62, 0xff, 0xfe];
            let uri = [&[0x82, 4][..], &bad].concat();
            let reason = [&[0x83, 5, 0x61, b'u'][..], &bad].concat();
            frames(stage, &[&uri, &reason])
        },
    },
    Attempt {
        what: "Names components of 8 MB, of 33 segments, and of things that are no bytes",
        expected: BAD_FORMAT,
        act: |stage| {
            let head = [&[0x83, 1, 0x81, 0x5a][..], &(8_u32 << 20).to_be_bytes()].concat();
            let long = [&head[..], &vec![7; 8 << 20], &[0xf6]].concat();
            let many = [&[0x83, 1, 0x98, 33][..], &[0x41; 66], &[0xf6]].concat();
            let text = [0x83, 1, 0x81, 0x61, b'a', 0xf6];
            frames(stage, &[&long, &many, &text])
        },
    },
    Attempt {
        what: "Makes a second call on a connection",
        expected: Expected::HangsUp,
        act: |stage| {
            let mut link = stage.link();
            link.say(&Call::List);
            link.say(&Call::List);
            assert!(matches!(link.hear(), Some(Reply::Components(_))));
            vec![Outcome::Reply(link.hear())]
        },
    },
    Attempt {
        what: "Hangs up in the middle of each call, and before each answer",
        expected: Expected::Harmless("What was not said whole is not done; what was, may be"),
        act: |stage| {
            for call in calls() {
                let frame = call.encode();
                let frame = [
                    &u32::try_from(frame.len()).unwrap().to_be_bytes(),
                    &frame[..],
                ]
                .concat();
                for end in 0..=frame.len() {
                    stage.link().raw(&frame[..end]);
                }
            }
            vec![Outcome::Nothing]
        },
    },
];

/// One of each call that changes nothing.
fn calls() -> Vec<Call> {
    let component: ComponentId = id("acme/hello");
    vec![
        Call::RequestTa {
            component: component.clone(),
            tam_uri: None,
        },
        Call::ProcessTeepMessage {
            tam_uri: "u".into(),
            message: Vec::new(),
        },
        Call::RequestPolicyCheck { tam_uri: None },
        Call::NextExchange,
        Call::ProcessError {
            tam_uri: "u".into(),
            error: "e".into(),
        },
        Call::List,
        Call::Describe,
        Call::Invoke {
            session: 1,
            command: 1,
            input: Vec::new(),
        },
        Call::InvokeStreaming {
            session: 1,
            command: 1,
        },
        Call::Cancel { session: 1 },
        Call::CloseSession { session: 1 },
        Call::InputChunk(vec![1]),
        Call::FetchEnd,
    ]
}

/// Sends each frame on a connection of its own.
fn frames(stage: &Stage, frames: &[&[u8]]) -> Vec<Outcome> {
    let send = |frame: &&[u8]| {
        let mut link = stage.link();
        link.frame(frame);
        Outcome::Reply(link.hear())
    };
    frames.iter().map(send).collect()
}
