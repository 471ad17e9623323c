//! Every message that was ever sent, played again at every later moment, to everybody: nothing changes.

use std::time::Duration;

use tamarack_cose::cbor::Limits;
use tamarack_simulator::{DEVICES, FetchFault, Letter, Mangle, Party, TAMS, World};
use tamarack_tam::{Mode, Settings};
use tamarack_teep::{ErrorCode, Message, Protected, Update};

fn read(bytes: &[u8]) -> Message {
    let protected = Protected::decode(bytes, &Limits::default()).unwrap();
    protected.read_unverified().unwrap().0
}

/// An exchange that is under way.
#[derive(Clone, Copy)]
struct Exchange {
    query: usize,
    /// The letter that arrives next.
    in_flight: usize,
}

struct Tape {
    world: World,
    /// For each Update, the QueryRequest that it follows.
    queries: Vec<(usize, usize)>,
    replays: usize,
}

impl Tape {
    fn new() -> Self {
        Self {
            world: World::new(Settings::default(), None),
            queries: Vec::new(),
            replays: 0,
        }
    }

    /// An exchange in which everything is replayed before each message arrives.
    fn exchange(&mut self, device: usize, tam: usize) {
        let query = self.world.connect(device, tam);
        let mut in_flight = query;
        loop {
            if matches!(read(&self.world.log[in_flight].bytes), Message::Update(_)) {
                self.queries.push((in_flight, query));
            }
            self.replay_everything(Some(Exchange { query, in_flight }));
            let letter = self.world.log[in_flight].clone();
            let answer = self.world.deliver(&letter.bytes, letter.from, letter.to);
            match answer.unwrap() {
                Some(next) => in_flight = next,
                None => break,
            }
        }
        self.replay_everything(None);
        Party::all()
            .into_iter()
            .for_each(|party| self.world.restart(party));
        self.replay_everything(None);
    }

    /// Plays every letter to everybody, changed and unchanged, and every Update after QueryRequests. The letter
    /// that is in flight, unchanged, at the one that it is for, is left out.
    fn replay_everything(&mut self, exchange: Option<Exchange>) {
        // So that answers to strangers don't run out.
        self.world.advance(Duration::from_secs(61));
        let in_flight = exchange.map(|exchange| exchange.in_flight);
        let count = self.world.log.len();
        for number in 0..count {
            let letter = self.world.log[number].clone();
            for party in Party::all() {
                if in_flight != Some(number) || party != letter.to {
                    self.replay(exchange, number, &letter.bytes, party);
                }
            }
            let other = self.world.log[(number * 7 + count / 2) % count]
                .bytes
                .clone();
            for how in changes(number) {
                let changed = how.apply(&letter.bytes, &other);
                if in_flight != Some(number) && changed != letter.bytes {
                    self.replay(exchange, number, &changed, letter.to);
                }
            }
        }
        for (update, own) in self.queries.clone() {
            let newest = exchange.map(|exchange| exchange.query);
            for query in [Some(own), newest].into_iter().flatten() {
                for device in 0..DEVICES {
                    let to = Party::Device(device);
                    let is_real = in_flight == Some(update)
                        && self.world.log[update].to == to
                        && query == own;
                    if !is_real {
                        let bytes = self.world.log[query].bytes.clone();
                        self.replay(exchange, query, &bytes, to);
                        let bytes = self.world.log[update].bytes.clone();
                        self.replay(exchange, update, &bytes, to);
                    }
                }
            }
        }
        // The agent answers a QueryRequest that is played again, and then awaits what follows that answer. So it
        // is reminded of the exchange that is under way.
        if let Some(exchange) = exchange.filter(|exchange| exchange.query != exchange.in_flight) {
            let query = self.world.log[exchange.query].clone();
            self.world
                .deliver(&query.bytes, query.from, query.to)
                .unwrap();
            self.world.log.truncate(count);
        }
    }

    /// Plays bytes that are, or were made of, letter `number`, and checks that nothing comes of it.
    fn replay(&mut self, exchange: Option<Exchange>, number: usize, bytes: &[u8], to: Party) {
        self.replays += 1;
        let count = self.world.log.len();
        let letter = self.world.log[number].clone();
        let before = State::of(&self.world);
        let answer = self.world.deliver(bytes, letter.from, to).unwrap();
        let answer = answer.map(|answer| self.world.log[answer].clone());
        before.must_be_that_of(&self.world, &letter, to);
        if let Some(answer) = answer {
            self.check_answer(exchange, number, to, &answer);
        }
        self.world.log.truncate(count);
    }

    fn check_answer(
        &mut self,
        exchange: Option<Exchange>,
        number: usize,
        to: Party,
        answer: &Letter,
    ) {
        let played = &self.world.log[number];
        let (kind, party) = (read(&played.bytes).name(), to);
        match read(&answer.bytes) {
            // A TAM says nothing, or what is wrong; a device says that it does nothing.
            Message::Update(update) if matches!(to, Party::Tam(_)) => {
                let text = update.explanation.map(|explanation| explanation.text);
                let nothing = Update {
                    error: Some(ErrorCode::ATTESTATION_REQUIRED),
                    ..Update::default()
                };
                assert!(text.is_some_and(|text| text.len() < 80));
                let update = Update {
                    explanation: None,
                    ..update
                };
                assert_eq!(update, nothing, "{kind} at {party:?}");
            }
            Message::Error(error) if matches!(to, Party::Device(_)) => {
                assert!(
                    error.suit_reports.is_empty(),
                    "{kind} at {party:?}: {error:?}"
                );
            }
            // Whether a QueryRequest was answered before, the agent does not know; its TAM does.
            Message::QueryResponse(_) => {
                assert_eq!(kind, "QueryRequest");
                let Party::Tam(tam) = played.from else {
                    panic!("a QueryRequest of {:?}", played.from)
                };
                assert!(
                    to != Party::Device(DEVICES - 1) || tam == 0,
                    "{tam} is no TAM of {to:?}"
                );
                let is_old = exchange.is_none_or(|exchange| exchange.query > number);
                if is_old && to == played.to {
                    let before = State::of(&self.world);
                    let reply = self.world.deliver(&answer.bytes, to, Party::Tam(tam));
                    assert_eq!(reply.unwrap(), None, "a challenge was used twice");
                    before.must_be_that_of(&self.world, answer, Party::Tam(tam));
                }
            }
            // To its own device in its own exchange, while everything that it asks for is so.
            Message::Success(_) => {
                assert_eq!(kind, "Update");
                assert_eq!(to, played.to);
            }
            other => panic!("{party:?} answers a {kind} that is played again: {other:?}"),
        }
    }
}

/// The changes that are tried on a letter: those that keep its signature, and some that don't.
fn changes(number: usize) -> [Mangle; 8] {
    let number = u32::try_from(number).unwrap();
    [
        Mangle::Tag,
        Mangle::Unprotected,
        Mangle::Structure,
        Mangle::Signature,
        Mangle::Protected,
        Mangle::Flip(number * 1031),
        Mangle::Cut(number * 37),
        Mangle::Longer(0),
    ]
}

/// What everybody remembers.
struct State {
    commits: Vec<u64>,
    tees: Vec<tamarack_simulator::Stored>,
    databases: Vec<i64>,
}

impl State {
    fn of(world: &World) -> Self {
        let tees = (0..DEVICES).map(|device| world.tee(device));
        Self {
            commits: tees
                .clone()
                .map(tamarack_simulator::MemoryTee::commits)
                .collect(),
            tees: tees.map(tamarack_simulator::MemoryTee::dump).collect(),
            databases: (0..TAMS).map(|tam| world.version(tam)).collect(),
        }
    }

    #[track_caller]
    fn must_be_that_of(&self, world: &World, played: &Letter, to: Party) {
        let what = || {
            format!(
                "{} of {:?} at {to:?}",
                read(&played.bytes).name(),
                played.from
            )
        };
        for tam in 0..TAMS {
            assert_eq!(
                self.databases[tam],
                world.version(tam),
                "TAM {tam}: {}",
                what()
            );
        }
        for device in 0..DEVICES {
            // An Update in force may be written once more, as it is.
            if self.commits[device] != world.tee(device).commits() {
                let same = self.tees[device] == world.tee(device).dump();
                assert!(same, "device {device}: {}", what());
            }
        }
    }
}

// req: TEEP-AGENT-020
// req: TEEP-TOK-003
// req: TEEP-TOK-008
// req: TEEP-TAM-008
// req: ARCH-042
#[test]
fn no_message_counts_anywhere_but_where_and_when_it_is_due() {
    let mut tape = Tape::new();
    for tam in 0..TAMS {
        for component in [0, 1] {
            tape.world.publish(tam, component);
            tape.world.deploy(tam, component, None, Mode::Required);
        }
    }
    // Enrolled, attested, and given everything, by two TAMs.
    tape.exchange(0, 0);
    tape.exchange(0, 1);
    tape.exchange(1, 0);
    // What one device has, another shall not have.
    tape.world.publish(0, 2);
    tape.world.deploy(0, 2, Some(0), Mode::Required);
    tape.exchange(0, 0);
    // An application is updated.
    tape.world.publish(0, 0);
    tape.exchange(0, 0);
    // Its data can't be had at first.
    tape.world.publish(0, 1);
    tape.world.treat_payloads(0, Some(FetchFault::Refused));
    tape.exchange(0, 0);
    tape.world.treat_payloads(0, None);
    tape.exchange(0, 0);
    // And it is removed, at the wish of the device.
    tape.world.undeploy(0, 0);
    tape.world.deploy(0, 0, None, Mode::OnRequest);
    tape.world.unrequest(0, 0, 0).unwrap();
    tape.exchange(0, 0);
    assert!(
        tape.world.installed(0).len() >= 5,
        "something was installed"
    );
    println!("{} letters, {} replays", tape.world.log.len(), tape.replays);
    tape.world.settle().unwrap();
}
