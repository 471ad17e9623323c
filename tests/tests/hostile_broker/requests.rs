//! Wishes of applications that there are not, and failures that were none.

use tamarack_agent::link::{Call, Reply};
use tamarack_suit::ComponentId;
use tamarack_ta::ResultCode;
use tamarack_tests::id;

use super::{
    attempt::{Attempt, Expected, Outcome},
    stage::{Stage, TAM_URI},
};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt {
        what: "Wishes for a thousand components",
        expected: Expected::Fails(ResultCode::BUSY),
        act: |stage| {
            let wish = |number: usize| id(&format!("acme/wish-{number}"));
            let mut granted = Vec::new();
            let mut outcomes = Vec::new();
            for number in 0..1_000 {
                match request(stage, &wish(number), None) {
                    Some(Reply::Outbound { .. }) => granted.push(wish(number)),
                    reply => outcomes.push(Outcome::Reply(reply)),
                }
            }
            assert_eq!(granted.len(), 32);
            for component in &granted {
                assert_eq!(unrequest(stage, component), Some(Reply::NoData));
            }
            outcomes
        },
    },
    Attempt {
        what: "Suggests TAMs of its own: other hosts, other schemes, line ends, 64 KB",
        expected: Expected::Harmless("The device's own TAM is named"),
        act: |stage| {
            let long = "http://mallory.example/".to_owned() + &"x".repeat(64 << 10);
            let uris = [
                "http://mallory.example/tam",
                "file:///etc/shadow",
                "javascript:alert(1)",
                "http://tam.example/tam\r\nHost: mallory.example",
                "\u{1b}]0;mallory\u{7}",
                "",
                &long,
            ];
            for uri in uris {
                for call in [
                    Call::RequestTa {
                        component: id("acme/wish"),
                        tam_uri: Some(uri.into()),
                    },
                    Call::UnrequestTa {
                        component: id("globex/vault"),
                        tam_uri: Some(uri.into()),
                    },
                    Call::RequestPolicyCheck {
                        tam_uri: Some(uri.into()),
                    },
                ] {
                    match stage.call(&call) {
                        Some(Reply::Outbound {
                            tam_uri,
                            message: None,
                        }) => assert_eq!(tam_uri, TAM_URI),
                        Some(Reply::NoData) => {}
                        other => panic!("{other:?}"),
                    }
                }
            }
            unrequest(stage, &id("acme/wish"));
            // Takes the wish back that the vault goes.
            assert_eq!(
                request(stage, &id("globex/vault"), None),
                Some(Reply::NoData)
            );
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Gives up what it does not have: components that are not installed, domains of others",
        expected: Expected::Fails(ResultCode::ITEM_NOT_FOUND),
        act: |stage| {
            let components = ["globex", "globex/vault/suit", "acme/nothing", ""];
            let unrequest = |component: &str| unrequest(stage, &id(component));
            components
                .map(|component| Outcome::Reply(unrequest(component)))
                .into()
        },
    },
    Attempt {
        what: "Gives up the applications of others, two hundred times",
        expected: Expected::Harmless("One wish is remembered; nothing goes before a TAM says so"),
        act: |stage| {
            for _ in 0..200 {
                let reply = unrequest(stage, &id("globex/vault"));
                assert!(matches!(reply, Some(Reply::Outbound { .. })), "{reply:?}");
            }
            stage.is_unharmed();
            assert_eq!(
                request(stage, &id("globex/vault"), None),
                Some(Reply::NoData)
            );
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Asks for a policy check a thousand times",
        expected: Expected::Harmless(
            "The TAM is named in every second answer, and nothing is stored",
        ),
        act: |stage| {
            for _ in 0..1_000 {
                let reply = stage.call(&Call::RequestPolicyCheck { tam_uri: None });
                assert!(
                    matches!(reply, Some(Reply::Outbound { .. } | Reply::NoData)),
                    "{reply:?}"
                );
            }
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Reports failures of all TAMs, so that none is asked",
        expected: Expected::Harmless(
            "They are named all the same: others before them, if there are any",
        ),
        act: |stage| {
            for _ in 0..200 {
                for tam_uri in [TAM_URI, "http://mallory.example/tam"] {
                    stage.call(&error(tam_uri, "unreachable"));
                }
            }
            let reply = request(stage, &id("acme/wish"), None);
            let expected = Reply::Outbound {
                tam_uri: TAM_URI.into(),
                message: None,
            };
            assert_eq!(reply, Some(expected));
            unrequest(stage, &id("acme/wish"));
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Writes lines of its own into the log, with line ends and escape sequences",
        expected: Expected::Harmless("They are in the log, escaped, in one line of the TEE's"),
        act: |stage| {
            let forged = "2026-01-01T00:00:00Z  WARN forged by the broker";
            for end in ["\n", "\r\n", "\u{85}", "\u{2028}", "\u{1b}[2K\r"] {
                let text = format!("x{end}{forged}");
                stage.call(&error(&text, "y"));
                stage.call(&error(TAM_URI, &text));
            }
            let log = stage.process().log();
            assert!(log.contains("forged by the broker"));
            assert!(!log.lines().any(|line| line.starts_with(forged)), "{log}");
            assert!(
                !log.contains(['\r', '\u{1b}', '\u{85}', '\u{2028}']),
                "{log}"
            );
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Writes megabytes into the log",
        expected: Expected::Harmless("256 characters of each text are kept"),
        act: |stage| {
            let before = stage.process().log().len();
            let (uri, text) = ("u".repeat(3 << 20), "e".repeat(4 << 20));
            for _ in 0..4 {
                stage.call(&error(&uri, &text));
            }
            let grown = stage.process().log().len() - before;
            assert!(grown < 16 << 10, "{grown}");
            vec![Outcome::Nothing]
        },
    },
];

fn error(tam_uri: &str, error: &str) -> Call {
    Call::ProcessError {
        tam_uri: tam_uri.into(),
        error: error.into(),
    }
}

fn request(stage: &Stage, component: &ComponentId, tam_uri: Option<&str>) -> Option<Reply> {
    stage.call(&Call::RequestTa {
        component: component.clone(),
        tam_uri: tam_uri.map(str::to_owned),
    })
}

fn unrequest(stage: &Stage, component: &ComponentId) -> Option<Reply> {
    stage.call(&Call::UnrequestTa {
        component: component.clone(),
        tam_uri: None,
    })
}
