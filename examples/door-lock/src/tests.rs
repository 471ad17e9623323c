use std::time::Duration;

use tamarack_ta::{
    cose, objects,
    testing::{self, Session, within},
    wire::Output as _,
};

use super::{
    log::{Entry, SEGMENT_ENTRIES, SEGMENTS, Segment},
    *,
};

/// A Monday, 12:00 UTC.
const NOON: u64 = 1_800_014_400;

/// The key of Ada's phone, which is another device.
fn phone() -> SigningKey {
    SigningKey::open_or_generate("phone", SignatureAlgorithm::Ed25519).unwrap()
}

fn personalize(credentials: &[Credential]) {
    testing::personalize("credentials", &minicbor::to_vec(credentials).unwrap());
}

fn ada() -> Credential {
    Credential {
        key: Some(within("phone/ada", || phone().public_key()).unwrap()),
        ..Credential::new("ada")
    }
}

fn bob() -> Credential {
    Credential {
        pin: Some(pin::digest("bob", "4711").unwrap().into()),
        ..Credential::new("bob")
    }
}

fn open() -> Session<DoorLock> {
    testing::set_time(NOON);
    personalize(&[ada(), bob()]);
    Session::open(b"").unwrap()
}

fn pin(session: &mut Session<DoorLock>, id: &str, pin: &str) -> u8 {
    session.call(UNLOCK_PIN, (id, pin)).unwrap()
}

fn sign(session: &mut Session<DoorLock>) -> Vec<u8> {
    let challenge = session.invoke(CHALLENGE, b"").unwrap();
    within("phone/ada", || {
        phone().sign(&[PURPOSE, &challenge].concat())
    })
    .unwrap()
}

fn unlock(session: &mut Session<DoorLock>, id: &str, signature: &[u8]) -> u8 {
    session.call(UNLOCK_SIGNED, (id, signature)).unwrap()
}

const OPENS: u8 = Decision::Opens as u8;
const DENIED: u8 = Decision::Denied as u8;
const NOT_NOW: u8 = Decision::NotNow as u8;
const LOCKED_OUT: u8 = Decision::LockedOut as u8;

#[test]
fn a_signed_challenge_opens_the_door_once() {
    let mut session = open();
    let signature = sign(&mut session);
    assert_eq!(unlock(&mut session, "ada", &signature), OPENS);
    assert_eq!(unlock(&mut session, "ada", &signature), DENIED, "used up");
    let _ = session.invoke(CHALLENGE, b"").unwrap();
    assert_eq!(
        unlock(&mut session, "ada", &signature),
        DENIED,
        "of another challenge"
    );
    let signature = sign(&mut session);
    assert_eq!(
        unlock(&mut session, "bob", &signature),
        DENIED,
        "bob has no key"
    );
    let signature = sign(&mut session);
    let mut other = open();
    assert_eq!(
        unlock(&mut other, "ada", &signature),
        DENIED,
        "another session"
    );
    let challenge = session.invoke(CHALLENGE, b"").unwrap();
    let bare = within("phone/ada", || phone().sign(&challenge)).unwrap();
    assert_eq!(
        unlock(&mut session, "ada", &bare),
        DENIED,
        "for another purpose"
    );
    let _ = sign(&mut session);
    assert_eq!(unlock(&mut session, "ada", b"short"), DENIED);
}

#[test]
fn a_pin_opens_the_door_until_it_was_wrong_too_often() {
    let mut session = open();
    assert_eq!(pin(&mut session, "bob", "4711"), OPENS);
    for _ in 0..4 {
        assert_eq!(pin(&mut session, "bob", "0000"), DENIED);
    }
    assert_eq!(
        pin(&mut session, "bob", "4711"),
        OPENS,
        "the count begins anew"
    );
    for _ in 0..5 {
        assert_eq!(pin(&mut session, "bob", "0000"), DENIED);
    }
    assert_eq!(pin(&mut session, "bob", "4711"), LOCKED_OUT);
    session.close();
    let mut session = Session::<DoorLock>::open(b"").unwrap();
    assert_eq!(
        pin(&mut session, "bob", "4711"),
        LOCKED_OUT,
        "in every session"
    );
    testing::advance_time(Duration::from_secs(pin::FIRST_PAUSE - 1));
    assert_eq!(pin(&mut session, "bob", "4711"), LOCKED_OUT);
    testing::advance_time(Duration::from_secs(1));
    assert_eq!(pin(&mut session, "bob", "0000"), DENIED);
    testing::advance_time(Duration::from_secs(pin::FIRST_PAUSE));
    assert_eq!(
        pin(&mut session, "bob", "4711"),
        LOCKED_OUT,
        "the pause doubles"
    );
    testing::advance_time(Duration::from_secs(pin::FIRST_PAUSE));
    assert_eq!(pin(&mut session, "bob", "4711"), OPENS);
}

/// Tries a PIN, and ends the command as soon as that can be done without a trace of the guess.
fn pin_and_cancel(pin: &str) {
    let mut session = Session::<DoorLock>::open(b"").unwrap();
    testing::end_at_commit();
    let ended = session.call::<u8>(UNLOCK_PIN, ("bob", pin));
    assert_eq!(ended, Err(ResultCode::CANCEL));
}

#[test]
fn a_guess_counts_even_if_its_command_is_cancelled() {
    let mut session = open();
    for _ in 0..pin::MAX_FAILURES {
        pin_and_cancel("0000");
    }
    assert_eq!(pin(&mut session, "bob", "4711"), LOCKED_OUT);
    testing::advance_time(Duration::from_secs(pin::FIRST_PAUSE));
    pin_and_cancel("4711");
    assert_eq!(
        pin(&mut session, "bob", "4711"),
        LOCKED_OUT,
        "a right one too: nobody tells by the count"
    );
    testing::advance_time(Duration::from_secs(2 * pin::FIRST_PAUSE));
    assert_eq!(pin(&mut session, "bob", "4711"), OPENS);
    assert_eq!(segment(&mut session, 0).1.len(), 3, "what was decided");
}

#[test]
fn a_guess_counts_even_if_its_command_fails() {
    let mut session = open();
    assert_eq!(pin(&mut session, "bob", "4711"), OPENS);
    let end = objects::read("log").unwrap();
    objects::write("log", b"").unwrap();
    for _ in 0..pin::MAX_FAILURES {
        let failed = session.call::<u8>(UNLOCK_PIN, ("bob", "0000"));
        assert_eq!(failed, Err(ResultCode::CORRUPT_OBJECT));
    }
    objects::write("log", &end).unwrap();
    assert_eq!(pin(&mut session, "bob", "4711"), LOCKED_OUT);
}

#[test]
fn the_longest_pause_is_a_day() {
    let mut session = open();
    for _ in 0..300 {
        assert_eq!(pin(&mut session, "bob", "0000"), DENIED);
        testing::advance_time(Duration::from_secs(pin::LONGEST_PAUSE));
    }
    assert_eq!(pin(&mut session, "bob", "4711"), OPENS);
}

#[test]
fn unknown_ids_are_denied_and_not_remembered() {
    let mut session = open();
    for id in ["", "eve", "../bob", &"x".repeat(1000)] {
        assert_eq!(pin(&mut session, id, "4711"), DENIED);
        assert_eq!(unlock(&mut session, id, b""), DENIED);
    }
    assert_eq!(pin(&mut session, "ada", ""), DENIED, "ada has no PIN");
    assert_eq!(objects::list().unwrap(), ["log", "log/0"]);
}

#[test]
fn credentials_are_for_their_time() {
    let minutes = |hour: u16, minute: u16| hour * 60 + minute;
    let hour = 60 * 60;
    let credential = Credential {
        from: Some(NOON - 2 * hour),
        until: Some(NOON + 24 * hour),
        daily: Some((minutes(11, 30), minutes(13, 0))),
        ..bob()
    };
    let night = Credential {
        daily: Some((minutes(22, 0), minutes(6, 0))),
        ..bob()
    };
    let mut session = open();
    for (credential, time, expected) in [
        (&credential, NOON, OPENS),
        (&credential, NOON - hour, NOT_NOW),
        (&credential, NOON - hour / 2, OPENS),
        (&credential, NOON + hour - 1, OPENS),
        (&credential, NOON + hour, NOT_NOW),
        (&credential, NOON - 24 * hour, NOT_NOW),
        (&credential, NOON + 24 * hour, NOT_NOW),
        (&night, NOON, NOT_NOW),
        (&night, NOON + 10 * hour, OPENS),
        (&night, NOON - 6 * hour - 1, OPENS),
        (&night, NOON - 6 * hour, NOT_NOW),
    ] {
        personalize(std::slice::from_ref(credential));
        testing::set_time(time);
        assert_eq!(pin(&mut session, "bob", "4711"), expected, "{time}");
    }
    assert_eq!(
        pin(&mut session, "bob", "0"),
        DENIED,
        "a wrong PIN learns nothing of the time"
    );
}

#[test]
fn a_credential_that_is_withdrawn_opens_nothing() {
    let mut session = open();
    let signature = sign(&mut session);
    personalize(&[bob()]);
    assert_eq!(unlock(&mut session, "ada", &signature), DENIED);
    testing::personalize("credentials", b"no CBOR");
    let refused = session.call::<u8>(UNLOCK_PIN, ("bob", "4711"));
    assert_eq!(refused, Err(ResultCode::BAD_FORMAT));
}

/// A segment, verified as somebody far away does who knows the TEE's key.
fn segment(session: &mut Session<DoorLock>, number: u32) -> (Segment, Vec<Entry>) {
    let signed = session.call::<Vec<u8>>(LOG, number).unwrap();
    let token = session.invoke(LOG_KEY, b"a nonce!").unwrap();
    let claims = cose::verify1(&testing::attestation_key(), &token).unwrap();
    let key = SigningKey::open("log").unwrap().public_key().unwrap();
    assert!(claims.windows(key.len()).any(|part| part == key));
    let segment: Segment = minicbor::decode(cose::verify1(&key, &signed).unwrap()).unwrap();
    let mut hash = segment.before;
    let mut entries = Vec::new();
    let mut rest = &segment.entries[..];
    while !rest.is_empty() {
        let mut items = minicbor::Decoder::new(rest);
        entries.push(items.decode().unwrap());
        let (entry, behind) = rest.split_at(items.position());
        hash = log::hash(&hash, entry).unwrap();
        rest = behind;
    }
    assert_eq!(hash, segment.after);
    (segment, entries)
}

#[test]
fn every_decision_is_in_the_log() {
    let mut session = open();
    assert_eq!(
        session.call::<Vec<u8>>(LOG_STATE, ()),
        Err(ResultCode::ITEM_NOT_FOUND)
    );
    pin(&mut session, "bob", "4711");
    pin(&mut session, "bob", "1");
    pin(
        &mut session,
        "a very long id of more than thirty-two bytes ü",
        "1",
    );
    let (segment, entries) = segment(&mut session, 0);
    assert_eq!(segment.before, [0; 32]);
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| (entry.number, entry.time, &*entry.id, entry.decision))
        .collect();
    let expected = [
        (0, NOON, "bob", OPENS),
        (1, NOON, "bob", DENIED),
        (2, NOON, "a very long id of more than thir", DENIED),
    ];
    assert_eq!(entries, expected);
}

#[test]
fn the_log_is_a_chain_over_its_segments_and_forgets_the_oldest() {
    let mut session = open();
    let all = SEGMENT_ENTRIES * (SEGMENTS + 1) + 1;
    for _ in 0..all {
        assert_eq!(pin(&mut session, "bob", "4711"), OPENS);
    }
    let state = session.invoke(LOG_STATE, b"").unwrap();
    assert_eq!(state, (2u32, SEGMENTS + 1).into_output().unwrap());
    for gone in [0, 1, SEGMENTS + 2] {
        assert_eq!(
            session.call::<Vec<u8>>(LOG, gone),
            Err(ResultCode::ITEM_NOT_FOUND)
        );
    }
    let (mut before, mut entries) = segment(&mut session, 2);
    for number in 3..=SEGMENTS + 1 {
        let (next, more) = segment(&mut session, number);
        assert_eq!(next.before, before.after);
        entries.extend(more);
        before = next;
    }
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.number).collect();
    let expected: Vec<u64> = (u64::from(2 * SEGMENT_ENTRIES)..u64::from(all)).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn a_command_that_fails_leaves_no_entry() {
    let mut session = open();
    pin(&mut session, "bob", "1");
    objects::write("pin/bob", b"").unwrap();
    let failed = session.call::<u8>(UNLOCK_PIN, ("bob", "4711"));
    assert_eq!(failed, Err(ResultCode::CORRUPT_OBJECT));
    assert_eq!(segment(&mut session, 0).1.len(), 1);
}
