//! Payloads, which no signature covers.

use tamarack_suit::{Action, Condition, Parameter, Section};

use crate::{common::*, fixture::Attack};

/// Fetches `payload` from `location` and verifies it; `size` is what the manifest says.
fn fetching(location: &'static str, payload: &[u8], size: u64) -> Vec<u8> {
    install(vec![
        set([
            uri(location),
            digest_of(payload),
            Parameter::ImageSize(size),
        ]),
        action(Action::Fetch),
        condition(Condition::ImageMatch),
    ])
}

fn install(commands: Vec<tamarack_suit::Command<'static>>) -> Vec<u8> {
    sign_sections(&author(2), &["a/b"], vec![(Section::Install, commands)])
}

/// A signed manifest with this integrated payload in place of `payload`.
fn integrated(payload: &[u8]) -> Vec<u8> {
    ta_draft(1, b"payload")
        .with_integrated("#ta", payload)
        .sign(&crypto(), &[&*author(2).signer])
        .unwrap()
}

pub fn attacks() -> Vec<Attack> {
    let mismatch = "ConditionFailed(image-match)";
    let match_again = || condition(Condition::ImageMatch);
    vec![
        Attack::new(
            "integrated-payload-swapped",
            "exchanges the payload in an envelope; the signature stays good",
            "The payload's digest is in the signed manifest. It is found out before the transaction ends.",
        )
        .rolled_back("same-length", integrated(b"PAYLOAD"), mismatch)
        .rolled_back("shorter", integrated(b"pay"), mismatch)
        .rolled_back("empty", integrated(b""), mismatch)
        .rolled_back("longer", integrated(b"payload and more"), "ActionFailed(fetch, TooLong)")
        .accepted("the-one-that-was-signed", integrated(b"payload")),
        Attack::new(
            "fetched-payload-swapped",
            "answers a fetch with something else",
            "What is fetched is bounded by its size while it arrives, and compared afterwards.",
        )
        .rolled_back("other", fetching("coap://x", b"payload", 7), mismatch)
        .serving("coap://x", "other.bin", b"PAYLOAD")
        .rolled_back("oversize", fetching("coap://y", b"payload", 7), "ActionFailed(fetch, TooLong)")
        .serving("coap://y", "oversize.bin", &[b'x'; 4000])
        .rolled_back("short", fetching("coap://z", b"payload", 7), mismatch)
        .serving("coap://z", "short.bin", b"payl")
        .rolled_back("absent", fetching("coap://nowhere", b"payload", 7), "ActionFailed(fetch, Device)"),
        Attack::new(
            "image-size",
            "has a manifest signed whose size does not fit its digest",
            "The digest alone does not do: a size that is set has to be right.",
        )
        .rolled_back("too-small", fetching("coap://x", b"payload", 3), "ActionFailed(fetch, TooLong)")
        .serving("coap://x", "payload.bin", b"payload")
        .rolled_back("too-large", fetching("coap://x", b"payload", 8), mismatch)
        .serving("coap://x", "payload.bin", b"payload")
        .rolled_back("written", install(vec![
            set([content(b"payload"), digest_of(b"payload"), Parameter::ImageSize(3)]),
            action(Action::Write),
        ]), "ActionFailed(write, TooLong)"),
        Attack::new(
            "unverified-payload",
            "relies on a successful fetch or write as if that were a verification",
            "Whatever was written passes a condition afterwards, or the whole update is undone.",
        )
        .rolled_back("fetched", install(vec![set([uri("coap://x")]), action(Action::Fetch)]), "Unverified")
        .serving("coap://x", "anything.bin", b"anything")
        .rolled_back("written", install(vec![set([content(b"x")]), action(Action::Write)]), "Unverified")
        .rolled_back("verified-then-changed", install(vec![
            set([content(b"x"), digest_of(b"x")]),
            action(Action::Write),
            match_again(),
            set([content(b"y")]),
            action(Action::Write),
        ]), "Unverified")
        .rolled_back("not-the-wrong-one", install(vec![
            set([content(b"x"), digest_of(b"y")]),
            action(Action::Write),
            condition(Condition::ImageNotMatch),
        ]), "Unverified")
        .rolled_back("failed-softly", install(vec![
            set([content(b"x"), digest_of(b"y")]),
            action(Action::Write),
            try_each([vec![match_again()]], true),
        ]), "Unverified")
        .rolled_back("started", install(vec![
            set([content(b"x")]),
            action(Action::Write),
            action(Action::Invoke),
        ]), "Unverified"),
        Attack::new(
            "fragment-that-names-nothing",
            "removes an integrated payload, hoping that its key is asked of the network",
            "A key that is a fragment names a payload of the envelope or nothing.",
        )
        .refused("removed", {
            let author = author(2);
            sign_raw(&author, &ta_draft(1, b"payload").manifest().encode())
        }, "ActionFailed(fetch, NotIntegrated)")
        .serving("#ta", "payload.bin", b"payload"),
    ]
}
