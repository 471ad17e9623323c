//! The life of a TA in the in-memory TEE: sessions, streams, cancellation, services, time, updates, attestation.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use tamarack_ta::{
    ResultCode, TrustedApplication, attestation, cose, digest,
    interface::Client,
    keys::{SignatureAlgorithm, SigningKey},
    objects, personalization, services, session,
    testing::{self, Session, Streamed, StreamedInput},
    time,
};

struct Worker;

const WHO: u32 = 1;
const COPY: u32 = 2;
const LOOP: u32 = 3;
const COUNT: u32 = 4;
const COUNT_AND_FAIL: u32 = 5;
const FORWARD: u32 = 6;
const FORWARD_AND_FAIL: u32 = 7;
const COMMIT_AND_FAIL: u32 = 8;
const FORWARD_COMMIT_AND_FAIL: u32 = 9;
const DIE: u32 = 10;

impl Worker {
    fn who(&mut self) -> Result<String, ResultCode> {
        Ok(match session::client()? {
            Client::Unknown => "nobody".into(),
            Client::User(user) => format!("user {user}"),
            Client::Application { domain, component } => format!("{component} of {domain}"),
        })
    }

    fn copy(&mut self) -> Result<(), ResultCode> {
        let mut first = [0; 2];
        session::Input.read_exact(&mut first)?;
        session::Output.write(&first)?;
        let rest = session::Input.read_to_end(6)?;
        session::Output.write(&rest)
    }

    fn run_until_cancelled(&mut self) -> Result<(), ResultCode> {
        objects::write("count", &[99])?;
        while !session::cancelled() {}
        Err(ResultCode::CANCEL)
    }

    fn count(&mut self) -> Result<u8, ResultCode> {
        let count = objects::read("count").map_or(0, |bytes| bytes[0]) + 1;
        objects::write("count", &[count])?;
        Ok(count)
    }

    fn count_and_fail(&mut self) -> Result<(), ResultCode> {
        self.count()?;
        Err(ResultCode::SECURITY)
    }

    fn commit_and_fail(&mut self) -> Result<(), ResultCode> {
        self.count()?;
        session::commit()?;
        self.count_and_fail()
    }

    fn forward_commit_and_fail(&mut self, service: &str, command: u32) -> Result<(), ResultCode> {
        self.count()?;
        let answer = self.forward(service, command);
        session::commit()?;
        answer?;
        self.count_and_fail()
    }

    fn die(&mut self) -> Result<(), ResultCode> {
        Err(ResultCode::TARGET_DEAD)
    }

    fn forward(&mut self, service: &str, command: u32) -> Result<Vec<u8>, ResultCode> {
        services::call(service, command, b"")
    }

    fn forward_and_fail(&mut self, service: &str, command: u32) -> Result<(), ResultCode> {
        self.count()?;
        self.forward(service, command)?;
        Err(ResultCode::SECURITY)
    }
}

impl TrustedApplication for Worker {
    fn create() -> Result<Self, ResultCode> {
        Ok(Self)
    }

    tamarack_ta::commands! {
        WHO => who(),
        COPY => copy(),
        LOOP => run_until_cancelled(),
        COUNT => count(),
        COUNT_AND_FAIL => count_and_fail(),
        FORWARD => forward(service, command),
        FORWARD_AND_FAIL => forward_and_fail(service, command),
        COMMIT_AND_FAIL => commit_and_fail(),
        FORWARD_COMMIT_AND_FAIL => forward_commit_and_fail(service, command),
        DIE => die(),
    }
}

fn open() -> Session<Worker> {
    Session::open(b"").unwrap()
}

#[test]
fn a_session_knows_its_client() {
    assert_eq!(open().call::<String>(WHO, ()).unwrap(), "nobody");
    testing::set_client(Client::User(7));
    let mut session = open();
    testing::set_client(Client::Unknown);
    assert_eq!(session.call::<String>(WHO, ()).unwrap(), "user 7");
}

#[test]
fn streams_pass_through() {
    let done = |output: &[u8]| Streamed {
        result: Ok(()),
        output: output.into(),
    };
    let mut session = open();
    let input = StreamedInput::new(&[b"a", b"bcd", b"", b"ef"]);
    assert_eq!(session.stream(COPY, input), done(b"abcdef"));
    let refused = session.stream(COPY, StreamedInput::new(&[b"a"]));
    assert_eq!(refused.result, Err(ResultCode::NO_DATA));
    let refused = session.stream(COPY, StreamedInput::new(&[b"ab", b"1234567"]));
    assert_eq!(refused.result, Err(ResultCode::EXCESS_DATA));
    assert_eq!(refused.output, b"ab", "it has left already");
    let refused = session.stream(COPY, StreamedInput::broken_off(&[b"abc"]));
    assert_eq!(refused.result, Err(ResultCode::CANCEL));
    assert_eq!(session.invoke(COPY, b""), Err(ResultCode::NO_DATA));
}

#[test]
fn a_cancelled_command_ends_and_leaves_nothing() {
    let mut session = open();
    for polls in [0, 1, 1000] {
        testing::cancel_after(polls);
        assert_eq!(session.invoke(LOOP, b""), Err(ResultCode::CANCEL));
        assert_eq!(objects::list().unwrap().len(), 0);
    }
    assert!(!session::cancelled(), "the next command is not cancelled");
}

fn count_of(application: &str) -> Option<u8> {
    testing::within(application, || objects::read("count"))
        .ok()
        .map(|bytes| bytes[0])
}

#[test]
fn what_is_committed_is_kept_whatever_happens() {
    let mut session = open();
    for expected in [1, 2] {
        let failed = session.call::<()>(COMMIT_AND_FAIL, ());
        assert_eq!(failed, Err(ResultCode::SECURITY));
        let kept = count_of(testing::APPLICATION);
        assert_eq!(kept, Some(expected), "only what was committed");
    }
    session::commit().unwrap();
    assert_eq!(session.call::<u8>(COUNT, ()), Ok(3));
}

#[test]
fn a_command_that_is_ended_at_its_commit_goes_no_further() {
    let mut session = open();
    testing::end_at_commit();
    assert_eq!(
        session.call::<u8>(COUNT, ()),
        Ok(1),
        "one that commits nothing early goes on"
    );
    assert_eq!(
        session.call::<()>(COMMIT_AND_FAIL, ()),
        Err(ResultCode::SECURITY),
        "as the next one does"
    );
    testing::end_at_commit();
    let ended = session.call::<()>(COMMIT_AND_FAIL, ());
    assert_eq!(ended, Err(ResultCode::CANCEL));
    assert_eq!(count_of(testing::APPLICATION), Some(3));
    let dead = session.call::<u8>(COUNT, ());
    assert_eq!(dead, Err(ResultCode::TARGET_DEAD));
    session.close();
    assert_eq!(open().call::<u8>(COUNT, ()), Ok(4));
}

#[test]
fn a_service_and_its_caller_commit_for_themselves() {
    testing::expose::<Worker>("other/worker", &["test"]);
    let mut session = open();
    let failed = session.call::<()>(FORWARD_AND_FAIL, ("other/worker", COMMIT_AND_FAIL));
    assert_eq!(failed, Err(ResultCode::SECURITY));
    assert_eq!(count_of("other/worker"), Some(1));
    assert_eq!(count_of(testing::APPLICATION), None, "not the caller's");
    let failed = session.call::<()>(FORWARD_COMMIT_AND_FAIL, ("other/worker", COUNT_AND_FAIL));
    assert_eq!(failed, Err(ResultCode::SECURITY));
    assert_eq!(count_of("other/worker"), Some(1), "not the service's");
    assert_eq!(count_of(testing::APPLICATION), Some(1));
    testing::end_at_commit();
    let ended = session.call::<()>(FORWARD_COMMIT_AND_FAIL, ("other/worker", COMMIT_AND_FAIL));
    assert_eq!(ended, Err(ResultCode::CANCEL));
    assert_eq!(
        count_of("other/worker"),
        Some(2),
        "nobody ended the service"
    );
    assert_eq!(count_of(testing::APPLICATION), Some(2));
}

#[test]
fn nobody_but_the_tee_says_that_a_session_is_dead() {
    testing::expose::<Worker>("other/worker", &["test"]);
    let mut session = open();
    let failed = session.call::<()>(DIE, ());
    assert_eq!(failed, Err(ResultCode::GENERIC));
    let failed = session.call::<()>(FORWARD, ("other/worker", DIE));
    assert_eq!(failed, Err(ResultCode::GENERIC));
}

#[test]
#[should_panic(expected = "a bug of the TA")]
fn a_panic_of_the_ta_is_one_of_the_test() {
    struct Broken;
    impl TrustedApplication for Broken {
        fn create() -> Result<Self, ResultCode> {
            Ok(Self)
        }
        fn invoke_command(&mut self, _: u32, _: &[u8]) -> Result<Vec<u8>, ResultCode> {
            panic!("a bug of the TA")
        }
    }
    let mut session = Session::<Broken>::open(b"").unwrap();
    let _ = session.invoke(1, b"");
}

#[test]
fn a_service_is_another_application() {
    testing::expose::<Worker>("other/worker", &["test"]);
    testing::expose::<Worker>("closed/worker", &["elsewhere"]);
    let mut session = open();
    let answer: String = session.call(FORWARD, ("other/worker", WHO)).unwrap();
    assert_eq!(answer, "test/application of test");
    assert_eq!(session.call::<u8>(FORWARD, ("other/worker", COUNT)), Ok(1));
    assert_eq!(session.call::<u8>(COUNT, ()), Ok(1), "two counts");
    let failed = session.call::<()>(FORWARD, ("other/worker", COUNT_AND_FAIL));
    assert_eq!(failed, Err(ResultCode::SECURITY));
    let failed = session.call::<()>(FORWARD_AND_FAIL, ("other/worker", COUNT));
    assert_eq!(failed, Err(ResultCode::SECURITY));
    assert_eq!(
        objects::read("count").unwrap(),
        [1],
        "the caller's is undone"
    );
    testing::within("other/worker", || {
        assert_eq!(objects::read("count").unwrap(), [2], "the service's is not");
    });
    for (service, code) in [
        ("closed/worker", ResultCode::ITEM_NOT_FOUND),
        ("other/none", ResultCode::ITEM_NOT_FOUND),
        ("", ResultCode::ITEM_NOT_FOUND),
        ("worker", ResultCode::ITEM_NOT_FOUND),
        ("/worker", ResultCode::ITEM_NOT_FOUND),
        (&"a/".repeat(163), ResultCode::BAD_PARAMETERS),
    ] {
        let refused = session.call::<()>(FORWARD, (service, WHO));
        assert_eq!(refused, Err(code), "{service}");
    }
}

#[test]
fn an_application_that_waits_is_not_called() {
    testing::expose::<Worker>("test/application", &["test", "other"]);
    let mut session = open();
    let refused = session.call::<()>(FORWARD, ("test/application", WHO));
    assert_eq!(refused, Err(ResultCode::BUSY));
}

#[test]
fn personalization_data_is_the_applications() {
    testing::personalize("b", b"2");
    testing::personalize("a", b"1");
    testing::within("test/other", || {
        assert_eq!(personalization::read("a"), Err(ResultCode::ITEM_NOT_FOUND));
        testing::personalize("c", b"3");
    });
    assert_eq!(personalization::list().unwrap(), ["a", "b"]);
    assert_eq!(personalization::read("a").unwrap(), b"1");
    assert_eq!(personalization::read("c"), Err(ResultCode::ITEM_NOT_FOUND));
    assert_eq!(personalization::read(""), Err(ResultCode::BAD_PARAMETERS));
}

#[test]
fn shared_objects_are_the_domains() {
    let shared = objects::Storage::Shared;
    assert_eq!(shared.write("rate", b"1"), Err(ResultCode::ACCESS_DENIED));
    testing::share("rate");
    shared.write("rate", b"1").unwrap();
    testing::within("test/other", || {
        assert_eq!(shared.read("rate").unwrap(), b"1");
        shared.write("rate", b"2").unwrap();
    });
    testing::within("elsewhere/other", || {
        assert_eq!(shared.read("rate"), Err(ResultCode::ACCESS_DENIED));
        assert_eq!(shared.list().unwrap().len(), 0);
    });
    assert_eq!(shared.read("rate").unwrap(), b"2");
    assert_eq!(objects::list().unwrap().len(), 0);
}

#[test]
fn persistent_time_runs_with_the_clock() {
    testing::set_time(1_000);
    assert_eq!(time::persistent(), Err(ResultCode::TIME_NOT_SET));
    time::set_persistent(50).unwrap();
    let started = time::system();
    testing::advance_time(Duration::from_secs(20));
    assert_eq!(time::now(), 1_020);
    assert_eq!(time::persistent(), Ok(70));
    assert_eq!(time::system() - started, Duration::from_secs(20));
    testing::set_time(999);
    assert_eq!(time::persistent(), Err(ResultCode::TIME_NEEDS_RESET));
    time::set_persistent(u64::MAX).unwrap();
    assert_eq!(time::persistent(), Ok(u64::MAX));
    testing::advance_time(Duration::from_secs(1));
    assert_eq!(time::persistent(), Err(ResultCode::OVERFLOW));
    testing::within("test/other", || {
        assert_eq!(time::persistent(), Err(ResultCode::TIME_NOT_SET));
    });
}

/// The next version: counts in two bytes.
struct Version2;

impl TrustedApplication for Version2 {
    fn create() -> Result<Self, ResultCode> {
        Ok(Self)
    }

    fn migrate(&mut self, from: Option<u64>) -> Result<(), ResultCode> {
        match from {
            Some(1) => {
                let count = u16::from(objects::read("count")?[0]);
                objects::write("count", &count.to_be_bytes())
            }
            Some(_) => {
                objects::delete("count")?;
                assert_eq!(
                    session::commit(),
                    Err(ResultCode::BAD_STATE),
                    "a migration is one step"
                );
                Err(ResultCode::NOT_SUPPORTED)
            }
            None => Ok(()),
        }
    }

    fn invoke_command(&mut self, _: u32, _: &[u8]) -> Result<Vec<u8>, ResultCode> {
        objects::read("count")
    }
}

#[test]
fn an_update_keeps_what_is_stored_and_brings_it_up_to_date() {
    testing::migrate::<Worker>(None).unwrap();
    open().call::<u8>(COUNT, ()).unwrap();
    let refused = testing::migrate::<Version2>(Some(9));
    assert_eq!(refused, Err(ResultCode::NOT_SUPPORTED));
    testing::migrate::<Version2>(Some(1)).unwrap();
    let mut session = Session::<Version2>::open(b"").unwrap();
    assert_eq!(session.invoke(1, b"").unwrap(), [0, 1]);
}

#[test]
fn attestation_is_signed_and_names_the_application() {
    let key = SigningKey::generate("k", SignatureAlgorithm::Esp256).unwrap();
    let token = attestation::attest(b"12345678", Some(&key)).unwrap();
    let payload = cose::verify1(&testing::attestation_key(), &token).unwrap();
    let contains = |part: &[u8]| payload.windows(part.len()).any(|window| window == part);
    assert!(contains(b"12345678"));
    assert!(contains(b"test/application"));
    assert!(contains(&key.public_key().unwrap()));

    let without = attestation::attest(&[0; 64], None).unwrap();
    assert!(without.len() < token.len());
    for nonce in [&[0; 7][..], &[0; 65]] {
        let refused = attestation::attest(nonce, None);
        assert_eq!(refused, Err(ResultCode::BAD_PARAMETERS));
    }
    key.clone().delete().unwrap();
    let refused = attestation::attest(b"12345678", Some(&key));
    assert_eq!(refused, Err(ResultCode::ITEM_NOT_FOUND));
}

#[test]
fn signed_messages_are_verified() {
    for algorithm in [SignatureAlgorithm::Esp256, SignatureAlgorithm::Ed25519] {
        testing::reset();
        let key = SigningKey::generate("k", algorithm).unwrap();
        let public_key = key.public_key().unwrap();
        let signed = cose::sign1(&key, b"message").unwrap();
        assert_eq!(cose::verify1(&public_key, &signed).unwrap(), b"message");
        assert_eq!(
            cose::verify1(&public_key, &signed[1..]).unwrap(),
            b"message",
            "untagged"
        );
        for at in 0..signed.len() {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            assert!(cose::verify1(&public_key, &changed).is_err(), "byte {at}");
        }
    }
}

#[test]
fn digests_are_those_of_the_standard() {
    // FIPS 180-4, "abc".
    assert_eq!(
        digest::sha256(b"abc").unwrap()[..4],
        [0xba, 0x78, 0x16, 0xbf]
    );
    assert_eq!(
        digest::sha384(b"abc").unwrap()[..4],
        [0xcb, 0x00, 0x75, 0x3f]
    );
    assert_eq!(
        digest::sha512(b"abc").unwrap()[..4],
        [0xdd, 0xaf, 0x35, 0xa1]
    );
}

#[test]
fn log_lines_are_short_and_clean() {
    tamarack_ta::log!("one\n{}", "ü".repeat(200));
    let lines = testing::log_lines();
    assert!(lines[0].starts_with("one ü") && lines[0].len() <= 256);
}
