//! Messages that no TAM meant for this device, now.

use tamarack_agent::link::{Call, Reply};
use tamarack_cose::cbor::Writer;
use tamarack_rats::{Confirmation, Evidence};
use tamarack_teep::{Encoding, ErrorCode, Message, QueryRequest, Token};
use tamarack_tests::{
    Person, Tam, crypto, release,
    wasm::{HELLO_1, HELLO_2, SIGN},
};

use super::{
    attempt::{Attempt, Expected, Outcome},
    stage::{Stage, read},
};

/// A protected header: `{ 1 (alg): -9 (ESP256) }`.
const ESP256: [u8; 3] = [0xa1, 0x01, 0x28];

const fn refuses(words: &'static str) -> Expected {
    Expected::Error(ErrorCode::PERMANENT_ERROR, words)
}

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt {
        what: "Flips bits of what a TAM signed in a QueryRequest, and of its signature",
        expected: Expected::AnyError,
        act: |stage| {
            let message = stage.tam.sign(Tam::query());
            spoilt(stage, &message)
        },
    },
    Attempt {
        what: "Flips bits of what a TAM signed in an Update, and of its signature, in an exchange",
        expected: Expected::AnyError,
        act: |stage| {
            stage.exchange(&stage.tam);
            let message = extra(stage);
            spoilt(stage, &message)
        },
    },
    Attempt {
        what: "Cuts a TAM's Update, or lengthens it",
        expected: refuses("not a COSE object"),
        act: |stage| {
            stage.exchange(&stage.tam);
            let message = extra(stage);
            let length = message.len();
            let cut = [1, length / 2, length - 64, length - 1].map(|end| message[..end].to_vec());
            let longer = [&message[..], &[0]].concat();
            let twice = [&message[..], &message].concat();
            let sent = cut.into_iter().chain([longer, twice]);
            sent.map(|message| Outcome::Reply(stage.process_message(&message)))
                .collect()
        },
    },
    Attempt {
        what: "Signs an Update with a key of its own",
        expected: refuses("signed by a key that is not trusted"),
        act: |stage| {
            stage.exchange(&stage.tam);
            let message = Tam::new().sign(Tam::install(&[&spare(stage)]));
            vec![Outcome::Reply(stage.process_message(&message))]
        },
    },
    Attempt {
        what: "Signs an Update with a key of its own, under the key id of the TAM",
        expected: refuses("the signature does not verify"),
        act: |stage| {
            stage.exchange(&stage.tam);
            let message = Tam::new().sign(Tam::install(&[&spare(stage)]));
            let id = stage.tam.key.public().key_id(&crypto());
            let message = with_key_id(&message, id.as_bytes());
            vec![Outcome::Reply(stage.process_message(&message))]
        },
    },
    Attempt {
        what: "Puts another key id on a TAM's message, or none",
        expected: Expected::Harmless(
            "The key id is a hint that nobody signs: the message counts by its signature",
        ),
        act: |stage| {
            let message = stage.tam.sign(Tam::query());
            let id = stage.other_tam.key.public().key_id(&crypto());
            for id in [&id.as_bytes()[..], &[7; 32], b""] {
                let message = with_key_id(&message, id);
                let answer = read(stage.process_message(&message));
                assert!(matches!(
                    answer,
                    Message::QueryResponse(_) | Message::Error(_)
                ));
            }
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Has an Update signed by those who sign manifests: the administrator and a provider",
        expected: refuses("signed by a key that is not trusted"),
        act: |stage| {
            stage.exchange(&stage.tam);
            let update = Tam::install(&[&spare(stage)]);
            let by = |person: &Person| Tam {
                key: person.again(),
            };
            [&stage.admin, &stage.acme, &stage.globex]
                .map(|person| {
                    Outcome::Reply(stage.process_message(&by(person).sign(update.clone())))
                })
                .into()
        },
    },
    Attempt {
        what: "Has a Trusted Application sign an Update, which signs whatever it is given",
        expected: refuses("signed by a key that is not trusted"),
        act: |stage| {
            stage.exchange(&stage.tam);
            let payload = Message::from(Tam::install(&[&spare(stage)])).encode(Encoding::default());
            let signed = Writer::build(|w| {
                w.array(4)
                    .text("Signature1")
                    .bytes(&ESP256)
                    .bytes(&[])
                    .bytes(&payload);
            });
            let session = stage.open("globex/vault");
            let reply = stage.invoke(session, SIGN, &signed);
            let Some(Reply::Output { result: 0, output }) = reply else {
                panic!("{reply:?}");
            };
            stage.signed();
            stage.close(session);
            let message = sign1(None, &payload, &output);
            vec![Outcome::Reply(stage.process_message(&message))]
        },
    },
    Attempt {
        what: "Sends the agent what the agent has said: a QueryResponse, a Success, an Error",
        expected: refuses("signed by a key that is not trusted"),
        act: |stage| {
            let own = |message: &[u8]| match stage.process_message(message) {
                Some(Reply::Message(answer)) => answer,
                other => panic!("{other:?}"),
            };
            let response = own(&stage.tam.sign(Tam::query()));
            let success = own(&stage.tam.sign(Tam::install(&[])));
            let error = own(b"?");
            [response, success, error]
                .map(|message| Outcome::Reply(stage.process_message(&message)))
                .into()
        },
    },
    Attempt {
        what: "Hands a manifest that its owner signed in as a message",
        expected: refuses("not a COSE object"),
        act: |stage| vec![Outcome::Reply(stage.process_message(&spare(stage)))],
    },
    Attempt {
        what: "Asks for Evidence with a challenge of its own",
        expected: refuses("signed by a key that is not trusted"),
        act: |stage| {
            let stranger = Tam::new();
            let messages = [Tam::query(), Tam::plain_query()].map(|query| stranger.sign(query));
            messages
                .map(|message| Outcome::Reply(stage.process_message(&message)))
                .into()
        },
    },
    Attempt {
        what: "Asks for Evidence in a message that nobody signed",
        expected: Expected::AnyError,
        act: |stage| {
            let query = Message::from(Tam::query()).encode(Encoding::default());
            let unsigned = sign1(None, &query, &[]);
            [query, unsigned]
                .map(|message| Outcome::Reply(stage.process_message(&message)))
                .into()
        },
    },
    Attempt {
        what: "Plays a QueryRequest again",
        expected: Expected::Harmless(
            "The agent answers it again, to the same challenge, which counts once with the TAM",
        ),
        act: |stage| {
            let query = Tam::query();
            let nonce = query.challenge.clone().unwrap();
            let message = stage.tam.sign(query);
            for _ in 0..3 {
                let evidence = evidence_in(stage.process_message(&message));
                let evidence = Evidence::decode(&evidence).unwrap();
                let claims = evidence.unverified_claims();
                assert_eq!(claims.nonce.as_deref(), Some(nonce.as_bytes()));
            }
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Plays an Update again, after what it installed was removed",
        expected: refuses("processed before"),
        act: |stage| {
            let update = stage.install(&spare(stage));
            stage.remove("acme/spare/suit");
            stage.exchange(&stage.tam);
            vec![Outcome::Reply(stage.process_message(&update))]
        },
    },
    Attempt {
        what: "Plays an old manifest in a new Update, of which a newer one was installed and removed",
        expected: Expected::Error(ErrorCode::MANIFEST_PROCESSING_FAILED, "is not newer than"),
        act: |stage| {
            let newer = release::app("acme/spare", 9, HELLO_2, &stage.acme);
            stage.install(&newer);
            stage.remove("acme/spare/suit");
            stage.exchange(&stage.tam);
            let old = stage.tam.sign(Tam::install(&[&spare(stage)]));
            vec![Outcome::Reply(stage.process_message(&old))]
        },
    },
    Attempt {
        what: "Delivers an Update of one TAM in the exchange with another",
        expected: refuses("no exchange is open"),
        act: |stage| {
            stage.exchange(&stage.tam);
            let update = stage.other_tam.sign(Tam::install(&[&spare(stage)]));
            vec![Outcome::Reply(stage.process_message(&update))]
        },
    },
    Attempt {
        what: "Holds an Update back until the device has restarted",
        expected: refuses("no exchange is open"),
        act: |stage| {
            stage.exchange(&stage.tam);
            let update = extra(stage);
            stage.stop();
            stage.start();
            vec![Outcome::Reply(stage.process_message(&update))]
        },
    },
    Attempt {
        what: "Delivers an Update that follows an earlier QueryResponse, or none",
        expected: refuses("follows another QueryResponse"),
        act: |stage| {
            let (earlier, agent) = following(stage);
            let (_, _) = following(stage);
            let token = Token::following(&crypto(), &earlier, &agent).unwrap();
            [token, Tam::token()]
                .map(|token| Outcome::Reply(stage.process_message(&with_token(stage, token))))
                .into()
        },
    },
    Attempt {
        what: "Delivers an Update that follows the QueryResponse of another device",
        expected: refuses("follows another QueryResponse"),
        act: |stage| {
            let (nonce, _) = following(stage);
            let other = Person::new().public().key_id(&crypto());
            let token = Token::following(&crypto(), &nonce, &other).unwrap();
            vec![Outcome::Reply(
                stage.process_message(&with_token(stage, token)),
            )]
        },
    },
    Attempt {
        what: "Feeds the agent 8 MB of rubbish as a message",
        expected: refuses("not a COSE object"),
        act: |stage| {
            let zeros = vec![0; 8 << 20];
            let nested = vec![0x81; 8 << 20];
            [zeros, nested]
                .map(|message| Outcome::Reply(stage.process_message(&message)))
                .into()
        },
    },
    Attempt {
        what: "Sends hundreds of messages that nobody trusted signed, for answers to be signed",
        expected: Expected::Harmless(
            "120 a minute are answered, the rest is dropped; TAMs are heard",
        ),
        act: |stage| {
            let answered = (0..400)
                .filter(|_| stage.process_message(b"?") != Some(Reply::NoData))
                .count();
            // A minute may have begun meanwhile.
            assert!(answered <= 240, "{answered}");
            stage.exchange(&stage.tam);
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Looks for a call that makes Evidence without a TAM's message",
        expected: Expected::Harmless(
            "There is none: what it gets from others names or holds no Evidence",
        ),
        act: |stage| {
            let policy = Call::RequestPolicyCheck {
                tam_uri: Some("http://mallory.example/tam".into()),
            };
            for call in [policy, Call::Describe, Call::List] {
                match stage.call(&call) {
                    Some(
                        Reply::Outbound { message: None, .. }
                        | Reply::NoData
                        | Reply::Description(_)
                        | Reply::Components(_),
                    ) => {}
                    other => panic!("{other:?}"),
                }
            }
            vec![Outcome::Nothing]
        },
    },
];

/// A release that is not installed.
fn spare(stage: &Stage) -> Vec<u8> {
    release::app("acme/spare", 1, HELLO_1, &stage.acme)
}

/// An Update of the TAM that would install it.
fn extra(stage: &Stage) -> Vec<u8> {
    stage.tam.sign(Tam::install(&[&spare(stage)]))
}

fn with_token(stage: &Stage, token: Token) -> Vec<u8> {
    let mut update = Tam::install(&[&spare(stage)]);
    update.token = Some(token);
    stage.tam.sign(update)
}

/// The Evidence in a reply, which must be a QueryResponse.
fn evidence_in(reply: Option<Reply>) -> Vec<u8> {
    let Message::QueryResponse(response) = read(reply) else {
        panic!("not a QueryResponse");
    };
    response.attestation.unwrap().bytes
}

/// Opens an exchange in which Updates follow; the nonce and the key that they have to follow.
fn following(stage: &mut Stage) -> (Vec<u8>, tamarack_cose::KeyId) {
    let query: QueryRequest = Stage::query();
    let nonce = query.challenge.clone().unwrap().as_bytes().to_vec();
    let evidence = evidence_in(stage.process_message(&stage.tam.sign(query)));
    let evidence = Evidence::decode(&evidence).unwrap();
    let confirmation = evidence.unverified_claims().confirmation.unwrap();
    let Confirmation::Key(key) = confirmation else {
        panic!("{confirmation:?}");
    };
    (nonce, key.key_id(&crypto()))
}

/// The message with one bit flipped, at a dozen places outside of its unprotected header; what comes of each.
fn spoilt(stage: &Stage, message: &[u8]) -> Vec<Outcome> {
    // The tag, the array, the protected header; then a key id of 32 bytes.
    const HEADER: usize = 6;
    const PAYLOAD: usize = HEADER + 5 + 32;
    let rest = message.len() - 1 - PAYLOAD;
    let places = [0, 1, 2, 3, 4, HEADER - 1].into_iter();
    let places = places.chain((0..=6).map(|part| PAYLOAD + part * rest / 6));
    let spoil = |at: usize| {
        let mut message = message.to_vec();
        message[at] ^= 1 << (at % 8);
        Outcome::Reply(stage.process_message(&message))
    };
    places.map(spoil).collect()
}

/// The message with this key id in its unprotected header.
fn with_key_id(message: &[u8], id: &[u8]) -> Vec<u8> {
    let signed = tamarack_cose::Signed::decode(message).unwrap();
    let payload = signed.unverified_payload().unwrap();
    let signature = &message[message.len() - 64..];
    sign1(Some(id), payload, signature)
}

/// A tagged COSE_Sign1 with this key id in its unprotected header, or none, whoever made the signature.
fn sign1(key_id: Option<&[u8]>, payload: &[u8], signature: &[u8]) -> Vec<u8> {
    Writer::build(|w| {
        w.tag(18).array(4).bytes(&ESP256);
        match key_id {
            Some(id) => w.map(1).uint(4).bytes(id),
            None => w.map(0),
        };
        w.bytes(payload).bytes(signature);
    })
}
