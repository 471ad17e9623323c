//! The model says what the code does: traces of the model are played on the real TAM and the real agent, and after
//! each step both are compared, in what they answer and in what they remember.

use std::collections::BTreeMap;

use fastrand::Rng;
use stateright::Model;
use tamarack_cose::cbor::Limits;
use tamarack_simulator::{Party, World, release_component};
use tamarack_tam::{Mode, Settings};
use tamarack_teep::{Message, Protected};

use crate::model::{LONG, Sent, Small, State, Step, TWO_DEVICES, TWO_TAMS, Task};

/// The component that the model has of each TAM.
const COMPONENT: usize = 0;

/// The real parties, and the bytes of each message of the model.
struct Real {
    world: World,
    bytes: BTreeMap<Sent, Vec<u8>>,
    /// Which devices each component is deployed for, oldest deployment first, by TAM.
    deployed: Vec<Vec<usize>>,
}

impl Real {
    fn new(small: &Small) -> Self {
        let settings = Settings {
            // The model has no TAM that gives up.
            failures: u32::MAX,
            ..Settings::default()
        };
        let mut world = World::new(settings, None);
        (0..small.tams).for_each(|tam| world.publish(tam, COMPONENT));
        Self {
            world,
            bytes: BTreeMap::new(),
            deployed: vec![Vec::new(); small.tams],
        }
    }

    /// Does a step; the bytes that are sent because of it.
    fn step(&mut self, step: Step) -> Option<Vec<u8>> {
        let world = &mut self.world;
        let answer = match step {
            Step::Connect { tam } => {
                world.advance(std::time::Duration::from_millis(1));
                Some(world.connect(0, tam))
            }
            Step::AtDevice { sent, device } => {
                let (Sent::Query { tam, .. } | Sent::Update { tam, .. }) = sent else {
                    panic!("{sent:?} is not for a device")
                };
                let party = Party::Device(device);
                let answer = world.deliver(&self.bytes[&sent], Party::Tam(tam), party);
                answer.unwrap()
            }
            Step::AtTam { sent, tam } => {
                let (Sent::Response { device, .. } | Sent::Answer { by: device, .. }) = sent else {
                    panic!("{sent:?} is not for a TAM")
                };
                let party = Party::Device(device);
                let answer = world.deliver(&self.bytes[&sent], party, Party::Tam(tam));
                answer.unwrap()
            }
            Step::Restart { device } => {
                world.restart(Party::Device(device));
                None
            }
            Step::Publish { tam } => {
                world.publish(tam, COMPONENT);
                None
            }
            Step::Toggle { tam, device } => {
                let deployed = &mut self.deployed[tam];
                match deployed.iter().position(|found| *found == device) {
                    Some(at) => {
                        deployed.remove(at);
                        world.undeploy(tam, at);
                    }
                    None => {
                        deployed.push(device);
                        world.deploy(tam, COMPONENT, Some(device), Mode::Required);
                    }
                }
                None
            }
        };
        answer.map(|number| world.log[number].bytes.clone())
    }

    fn release(&self, device: usize, tam: usize) -> u8 {
        let name = release_component(tam, COMPONENT);
        let installed = self.world.installed(device);
        let found = installed.iter().find(|found| found.component == name);
        found.map_or(0, |found| u8::try_from(found.sequence_number).unwrap())
    }

    /// Whether the real parties remember what the model's do.
    #[track_caller]
    fn must_be(&self, state: &State, trace: &[Step]) {
        for (d, device) in state.devices.iter().enumerate() {
            for (t, tam) in state.tams.iter().enumerate() {
                let real = self.release(d, t);
                assert_eq!(real, device.holds[t], "device {d} holds, after {trace:#?}");
                let remembered = self.world.remembered(d, t, COMPONENT);
                let highest = u64::from(device.highest[t]);
                assert_eq!(
                    remembered, highest,
                    "device {d} remembers, after {trace:#?}"
                );
                let known = self.world.known(t, d);
                let name = release_component(t, COMPONENT);
                let believed = known.installed.iter().find(|found| found.component == name);
                let believed = believed.map(|found| *found.digest.as_ref().unwrap());
                let expected = self.world.digest(t, COMPONENT, tam.believes[d].into());
                assert_eq!(
                    believed, expected,
                    "TAM {t} believes of device {d}, after {trace:#?}"
                );
                let pending = known.pending.is_some();
                let expected = tam.pending[d].is_some();
                assert_eq!(
                    pending, expected,
                    "TAM {t} awaits device {d}, after {trace:#?}"
                );
                let marked = known.mark.issued_at.0 > 0;
                assert_eq!(
                    marked,
                    tam.mark[d].is_some(),
                    "TAM {t} marks device {d}, after {trace:#?}"
                );
            }
        }
    }
}

/// Whether a real message is what the model sends.
fn is_like(sent: Sent, bytes: &[u8]) -> bool {
    let protected = Protected::decode(bytes, &Limits::default()).unwrap();
    let message = protected.read_unverified().unwrap().0;
    match (sent, message) {
        (Sent::Query { .. }, Message::QueryRequest(request)) => request.challenge.is_some(),
        (Sent::Response { tam, holds, .. }, Message::QueryResponse(response)) => {
            let name = release_component(tam, COMPONENT);
            let list = response.tc_list.unwrap();
            list.iter().any(|claims| claims.component == name) == (holds > 0)
        }
        (Sent::Update { task, .. }, Message::Update(update)) => match task {
            // The manifest of the security domain may come first.
            Task::Install(_) => {
                !update.manifest_list.is_empty() && update.unneeded_manifest_list.is_empty()
            }
            Task::Unlink => {
                update.manifest_list.is_empty() && update.unneeded_manifest_list.len() == 1
            }
        },
        (Sent::Answer { success, .. }, Message::Success(answer)) => {
            success && answer.token.is_some()
        }
        (Sent::Answer { success, .. }, Message::Error(answer)) => {
            !success && answer.token.is_some()
        }
        _ => false,
    }
}

/// Plays a trace on both.
#[track_caller]
fn play(small: &Small, trace: &[Step]) {
    let mut state = small.init_states().remove(0);
    let mut real = Real::new(small);
    for (at, step) in trace.iter().enumerate() {
        let done = &trace[..=at];
        let expected = small.step(&mut state, *step);
        let sent = real.step(*step);
        match (expected, sent) {
            (None, None) => {}
            (Some(expected), Some(bytes)) if is_like(expected, &bytes) => {
                real.bytes.entry(expected).or_insert(bytes);
            }
            (expected, sent) => {
                let sent = sent.map(|bytes| {
                    let protected = Protected::decode(&bytes, &Limits::default()).unwrap();
                    protected.read_unverified().unwrap().0
                });
                panic!("the model sends {expected:?}, the code {sent:?}, after {done:#?}")
            }
        }
        real.must_be(&state, done);
    }
}

/// Every trace of so many steps that change something, after `prefix`.
fn traces(small: &Small, prefix: Vec<Step>, length: usize) -> Vec<Vec<Step>> {
    let mut state = small.init_states().remove(0);
    for step in &prefix {
        small.step(&mut state, *step);
    }
    let mut traces = vec![(prefix, state)];
    for _ in 0..length {
        let mut longer = Vec::new();
        for (trace, state) in traces {
            for step in small.steps(&state) {
                if let Some(next) = small.next_state(&state, step) {
                    longer.push(([&trace[..], &[step]].concat(), next));
                }
            }
        }
        traces = longer;
    }
    traces.into_iter().map(|(trace, _)| trace).collect()
}

#[test]
fn every_short_trace_is_one_of_the_code() {
    let mut played = 0;
    for small in [TWO_DEVICES, TWO_TAMS] {
        let deploy = vec![Step::Toggle { tam: 0, device: 0 }];
        for trace in traces(&small, deploy, 4) {
            play(&small, &trace);
            played += 1;
        }
    }
    println!("{played} traces");
    assert!(played > 100);
}

/// Long traces that prefer what is new, with everything that was sent before mixed in.
#[test]
fn long_traces_are_those_of_the_code() {
    let mut rng = Rng::with_seed(4);
    let mut kinds = BTreeMap::<&str, u32>::new();
    for number in 0..90 {
        let small = Small {
            connects: 12,
            toggles: 8,
            restarts: 4,
            ..[TWO_DEVICES, TWO_TAMS, LONG][number % 3]
        };
        let mut state = small.init_states().remove(0);
        let mut trace = Vec::new();
        let mut newest = None;
        for _ in 0..50 {
            let steps = small.steps(&state);
            let fresh = steps.iter().filter(|step| match step {
                Step::AtDevice { sent, .. } | Step::AtTam { sent, .. } => newest == Some(*sent),
                _ => false,
            });
            let fresh: Vec<_> = fresh.copied().collect();
            let step = match rng.u8(..3) {
                0 => rng.choice(steps),
                _ => rng.choice(fresh).or_else(|| rng.choice(steps)),
            };
            let step = step.unwrap();
            newest = small.step(&mut state, step).or(newest);
            trace.push(step);
        }
        for sent in &state.network {
            let kind = match sent {
                Sent::Update {
                    task: Task::Install(_),
                    ..
                } => "installs",
                Sent::Update {
                    task: Task::Unlink, ..
                } => "unlinks",
                Sent::Answer { success: true, .. } => "successes",
                Sent::Answer { success: false, .. } => "errors",
                Sent::Query { .. } | Sent::Response { .. } => continue,
            };
            *kinds.entry(kind).or_default() += 1;
        }
        play(&small, &trace);
    }
    println!("{kinds:?}");
    assert!(
        kinds.len() == 4 && kinds.values().all(|count| *count > 20),
        "{kinds:?}"
    );
}
