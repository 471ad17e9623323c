//! Storage that fills up or fails in the middle of an Update: the old state holds, and the TAM is told.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use tamarack_agent::{
    Agent, AgentError, Relay, installed_components,
    platform::{Platform, StorageError},
};
use tamarack_suit::{DeviceError, Fetch, NoFetch};
use tamarack_teep::{ErrorCode, Message};
use tamarack_tests::{
    Device, Person, Tam,
    crash::Frail,
    error_of, invoke_in, open_session, release,
    release::Release,
    reports, success_of,
    wasm::{COUNT, HELLO_1, HELLO_2, SIGN, VAULT},
};

struct World {
    device: Device,
    agent: Agent<Frail>,
    tam: Tam,
    admin: Person,
}

/// A device on which hello 1 runs, and an agent in it whose storage can fail.
fn world() -> World {
    let (tam, admin) = (Tam::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&admin]);
    device.install(&tam, &[&release::app("hello", 1, HELLO_1, &admin)]);
    let agent = Agent::new(Frail::new(&device.tee));
    World {
        device,
        agent,
        tam,
        admin,
    }
}

impl World {
    fn process(&mut self, message: &[u8]) -> Result<Message, AgentError> {
        let answer = self.agent.process_teep_message(message, &mut NoFetch)?;
        Ok(self.device.open(&answer.expect("an answer")))
    }

    fn hello_2(&self) -> Vec<u8> {
        self.tam.sign(Tam::install(&[&release::app(
            "hello",
            2,
            HELLO_2,
            &self.admin,
        )]))
    }

    #[track_caller]
    fn is_as_before(&self) {
        assert_eq!(self.device.version("hello"), Some(1));
        assert_eq!(
            self.device.greeting("hello"),
            "Hello from inside the TEE, Ada!"
        );
    }
}

// req: TEEP-ERR-010
#[test]
fn a_storage_that_is_full_refuses_the_manifest_and_keeps_the_old_component() {
    let mut world = world();
    let size = HELLO_2.len() as u64;
    // Nothing can be noted; or the payload, or the records after it, do not fit.
    let temporary = [0, 1].map(|room| (room, ErrorCode::TEMPORARY_ERROR));
    let failed =
        [5_000, size, size + 400].map(|room| (room, ErrorCode::MANIFEST_PROCESSING_FAILED));
    for (room, code) in temporary.into_iter().chain(failed) {
        world.process(&world.tam.sign(Tam::query())).unwrap();
        world.agent.platform().leave_room(room);
        let update = world.hello_2();
        let answer = world.process(&update);
        world.agent.platform().leave_room(u64::MAX);
        let error = error_of(answer.expect("an answer for the TAM"));
        assert_eq!(error.code, code, "{room} bytes left");
        assert!(error.token.is_some());
        let reports = reports(&error.suit_reports);
        assert!(reports.iter().all(|report| !report.result.is_success()));
        world.is_as_before();
    }
    world.process(&world.tam.sign(Tam::query())).unwrap();
    success_of(world.process(&world.hello_2()).unwrap());
    assert_eq!(world.device.version("hello"), Some(2));
}

// req: TEEP-ERR-010
#[test]
fn a_commit_that_finds_no_room_is_a_manifest_that_failed() {
    let mut world = world();
    world.process(&world.tam.sign(Tam::query())).unwrap();
    // The first commit notes that the Update was seen, the second is the manifest's.
    world
        .agent
        .platform()
        .fail_commit_after(1, StorageError::Full);
    let error = error_of(world.process(&world.hello_2()).unwrap());
    assert_eq!(error.code, ErrorCode::MANIFEST_PROCESSING_FAILED);
    let report = &reports(&error.suit_reports)[0];
    assert!(
        !report.result.is_success(),
        "the report does not claim what did not happen"
    );
    world.is_as_before();
}

#[test]
fn a_medium_that_fails_leaves_the_old_state() {
    let mut world = world();
    world.process(&world.tam.sign(Tam::query())).unwrap();
    let fault = StorageError::Failed("the medium is gone".into());
    for successes in [0, 1] {
        world
            .agent
            .platform()
            .fail_commit_after(successes, fault.clone());
        let outcome = world.process(&world.hello_2());
        assert_eq!(outcome.unwrap_err(), AgentError::Storage(fault.clone()));
        world.is_as_before();
    }
    let installed = installed_components(&*world.device.tee.storage().view().unwrap()).unwrap();
    assert_eq!(installed.len(), 1);
    // It works again, and so does the Update.
    world.process(&world.tam.sign(Tam::query())).unwrap();
    success_of(world.process(&world.hello_2()).unwrap());
}

/// A network that holds back the payload until it is told to go on.
struct Slow {
    started: mpsc::Sender<()>,
    go_on: mpsc::Receiver<()>,
}

impl Relay for Slow {}

impl Fetch for Slow {
    fn fetch(
        &mut self,
        _: &str,
        _: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        let (first, rest) = HELLO_2.split_at(1000);
        sink(first)?;
        self.started.send(()).unwrap();
        let told = self.go_on.recv_timeout(Duration::from_secs(60));
        assert!(told.is_ok(), "nobody waits for the payload");
        sink(rest)
    }
}

/// Runs `meanwhile` while an Update waits for its payload; hello 2 is installed afterwards.
fn while_a_payload_is_awaited(meanwhile: impl FnOnce(&Device)) {
    let mut world = world();
    let vault = release::app("vault", 1, VAULT, &world.admin);
    world.device.install(&world.tam, &[&vault]);
    let _ = world.device.output("vault", SIGN, b"first");
    world.process(&world.tam.sign(Tam::query())).unwrap();
    let two = Release::new("hello", 2).fetching("https://slow.example", HELLO_2);
    let update = world.tam.sign(Tam::install(&[&two.by(&world.admin)]));
    let (started, wait) = mpsc::channel();
    let (tell, go_on) = mpsc::channel();
    let World {
        device, mut agent, ..
    } = world;
    std::thread::scope(|scope| {
        let updating = scope.spawn(move || {
            let mut slow = Slow { started, go_on };
            agent
                .process_teep_message(&update, &mut slow)
                .unwrap()
                .unwrap()
        });
        wait.recv_timeout(Duration::from_secs(60)).unwrap();
        meanwhile(&device);
        tell.send(()).unwrap();
        success_of(device.open(&updating.join().unwrap()));
    });
    assert_eq!(device.version("hello"), Some(2));
}

#[test]
fn the_old_component_answers_while_the_new_one_arrives() {
    while_a_payload_is_awaited(|device| {
        assert_eq!(device.greeting("hello"), "Hello from inside the TEE, Ada!");
        assert_eq!(device.version("hello"), Some(1));
        assert_eq!(device.output("vault", COUNT, b""), 1_u64.to_be_bytes());
    });
}

#[test]
fn applications_can_store_while_a_payload_arrives() {
    while_a_payload_is_awaited(|device| {
        let (done, wait) = mpsc::channel();
        let tee = Arc::clone(&device.tee);
        std::thread::spawn(move || {
            let session = open_session(&tee, "vault").unwrap();
            let _ = done.send(invoke_in(&tee, session, SIGN, b"second"));
        });
        let signed = wait.recv_timeout(Duration::from_secs(20));
        assert!(
            matches!(signed, Ok(Ok(Ok(_)))),
            "the vault waits for the network: {signed:?}"
        );
    });
}

// req: TEEP-AGENT-016
#[test]
fn a_removal_that_finds_no_room_is_answered_and_goes_through_later() {
    let mut world = world();
    world.process(&world.tam.sign(Tam::query())).unwrap();
    world.agent.platform().leave_room(0);
    let answer = world.process(&world.tam.sign(Tam::unlink(&["hello/suit"])));
    world.agent.platform().leave_room(u64::MAX);
    let error = error_of(answer.expect("an answer for the TAM"));
    assert_eq!(error.code, ErrorCode::MANIFEST_PROCESSING_FAILED);
    world.is_as_before();
    success_of(
        world
            .process(&world.tam.sign(Tam::unlink(&["hello/suit"])))
            .unwrap(),
    );
    assert_eq!(world.device.version("hello"), None);
}
