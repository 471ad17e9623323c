//! A small world, checked exhaustively: a few devices and TAMs, and a network in which whatever was sent stays and
//! can arrive anywhere, at any time, any number of times, or never.
//!
//! What the model says of a TAM and a device is what the code does, step by step: see `conformance`.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model, Property};

/// A message, without what makes two of one kind and content differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Sent {
    /// A QueryRequest of this TAM. Challenges are numbered in the order of issue.
    Query { tam: usize, challenge: u8 },
    /// A QueryResponse, of a device that holds this release of the TAM's component; 0 is none.
    Response {
        tam: usize,
        challenge: u8,
        device: usize,
        holds: u8,
    },
    /// An Update in answer to the QueryResponse of `device` to `challenge`: its token says so.
    Update {
        tam: usize,
        challenge: u8,
        device: usize,
        task: Task,
    },
    /// A Success or Error of the device `by`, with the token of that Update.
    Answer {
        tam: usize,
        challenge: u8,
        device: usize,
        by: usize,
        success: bool,
    },
}

/// What an Update asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Task {
    Install(u8),
    Unlink,
}

/// One step. What is to be modelled next, a QueryRequest in answer to an Error say, is one more of these or of
/// [`Sent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// A broker connects to a TAM.
    Connect { tam: usize },
    /// A message arrives at a device.
    AtDevice { sent: Sent, device: usize },
    /// A message arrives at a TAM.
    AtTam { sent: Sent, tam: usize },
    /// A device is switched off and on.
    Restart { device: usize },
    /// The next release is published.
    Publish { tam: usize },
    /// The component is deployed for a device, or no longer.
    Toggle { tam: usize, device: usize },
}

/// What a device remembers, for each TAM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Device {
    /// The release that it holds; 0 is none.
    pub(crate) holds: Vec<u8>,
    /// The highest release that it ever held.
    pub(crate) highest: Vec<u8>,
    /// The challenge that it answered last, until it is switched off.
    pub(crate) exchange: Vec<Option<u8>>,
    /// The Updates that it has seen, by challenge.
    pub(crate) seen: Vec<BTreeSet<u8>>,
}

/// What a TAM remembers, for each device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tam {
    pub(crate) published: u8,
    pub(crate) deployed: Vec<bool>,
    /// The newest challenge that was used.
    pub(crate) mark: Vec<Option<u8>>,
    /// What the device said it holds.
    pub(crate) believes: Vec<u8>,
    /// The Update that was not answered, by challenge.
    pub(crate) pending: Vec<Option<u8>>,
}

/// What no party knows, for the properties.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    /// Whether a component was ever deployed, by TAM and device.
    deployed: BTreeSet<(usize, usize)>,
    /// The highest release ever held, by TAM and device, whatever the device remembers.
    highest: Vec<Vec<u8>>,
    /// Updates that were closed by an answer, by TAM, device and challenge.
    closed: BTreeSet<(usize, usize, u8)>,
    /// A challenge or a token counted twice.
    used_twice: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) devices: Vec<Device>,
    pub(crate) tams: Vec<Tam>,
    pub(crate) network: BTreeSet<Sent>,
    witness: Witness,
    pub(crate) connects: u8,
    toggles: u8,
    restarts: u8,
}

/// What is left out on purpose, to see a property fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Devices take an Update whatever it follows.
    FollowsAnything,
    /// Devices forget Updates, and releases that they held.
    Forgets,
    /// TAMs take a challenge as often as it is answered.
    ReusesChallenges,
    /// TAMs keep an Update open that nobody will answer.
    KeepsPending,
}

/// How small the world is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Small {
    pub(crate) devices: usize,
    pub(crate) tams: usize,
    /// How often brokers connect, deployments change, and devices restart, at most.
    pub(crate) connects: u8,
    pub(crate) toggles: u8,
    pub(crate) restarts: u8,
    /// Releases that there are of each component.
    pub(crate) releases: u8,
    pub(crate) flaw: Option<Flaw>,
}

impl Small {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// A device gets a message; what it answers.
    fn at_device(&self, state: &mut State, sent: Sent, number: usize) -> Option<Sent> {
        let device = &mut state.devices[number];
        match sent {
            Sent::Query { tam, challenge } => {
                device.exchange[tam] = Some(challenge);
                Some(Sent::Response {
                    tam,
                    challenge,
                    device: number,
                    holds: device.holds[tam],
                })
            }
            Sent::Update {
                tam,
                challenge,
                device: meant,
                task,
            } => {
                let answer = |success| {
                    Some(Sent::Answer {
                        tam,
                        challenge,
                        device: meant,
                        by: number,
                        success,
                    })
                };
                let follows = device.exchange[tam] == Some(challenge) && meant == number;
                let anything = self.has(Flaw::FollowsAnything) && device.exchange[tam].is_some();
                if !follows && !anything {
                    return answer(false);
                }
                let is_in_force = match task {
                    Task::Install(release) => device.holds[tam] == release,
                    Task::Unlink => device.holds[tam] == 0,
                };
                let forgets = self.has(Flaw::Forgets);
                if !device.seen[tam].insert(challenge) && !is_in_force && !forgets {
                    return answer(false);
                }
                match task {
                    Task::Install(release) if release < device.highest[tam] && !forgets => {
                        return answer(false);
                    }
                    Task::Install(release) => {
                        device.holds[tam] = release;
                        device.highest[tam] = device.highest[tam].max(release);
                    }
                    Task::Unlink => device.holds[tam] = 0,
                }
                let held = device.holds[tam];
                let highest = &mut state.witness.highest[tam][number];
                *highest = (*highest).max(held);
                answer(true)
            }
            Sent::Response { .. } | Sent::Answer { .. } => None,
        }
    }

    /// A TAM gets a message; what it answers.
    fn at_tam(&self, state: &mut State, sent: Sent, number: usize) -> Option<Sent> {
        let server = &mut state.tams[number];
        match sent {
            Sent::Response {
                tam,
                challenge,
                device,
                holds,
            } if tam == number => {
                let used = server.mark[device] >= Some(challenge);
                if used && !self.has(Flaw::ReusesChallenges) {
                    return None;
                }
                server.mark[device] = server.mark[device].max(Some(challenge));
                server.believes[device] = holds;
                let task = match server.deployed[device] {
                    true if holds != server.published => Task::Install(server.published),
                    false if holds > 0 => Task::Unlink,
                    _ => {
                        // There is nothing left to do, so no answer is needed.
                        if !self.has(Flaw::KeepsPending) {
                            server.pending[device] = None;
                        }
                        return None;
                    }
                };
                state.witness.used_twice |= used;
                server.pending[device] = Some(challenge);
                Some(Sent::Update {
                    tam,
                    challenge,
                    device,
                    task,
                })
            }
            Sent::Answer {
                tam,
                challenge,
                device,
                by,
                ..
            } if tam == number => {
                if by == device && server.pending[device] == Some(challenge) {
                    server.pending[device] = None;
                    let closed = (tam, device, challenge);
                    state.witness.used_twice |= !state.witness.closed.insert(closed);
                }
                None
            }
            _ => None,
        }
    }

    /// Does a step; what is sent because of it.
    pub(crate) fn step(&self, state: &mut State, step: Step) -> Option<Sent> {
        let sent = match step {
            Step::Connect { tam } => {
                state.connects += 1;
                Some(Sent::Query {
                    tam,
                    challenge: state.connects,
                })
            }
            Step::AtDevice { sent, device } => self.at_device(state, sent, device),
            Step::AtTam { sent, tam } => self.at_tam(state, sent, tam),
            Step::Restart { device } => {
                state.restarts += 1;
                state.devices[device].exchange = vec![None; self.tams];
                None
            }
            Step::Publish { tam } => {
                state.tams[tam].published += 1;
                None
            }
            Step::Toggle { tam, device } => {
                state.toggles += 1;
                let deployed = &mut state.tams[tam].deployed[device];
                *deployed = !*deployed;
                if *deployed {
                    state.witness.deployed.insert((tam, device));
                }
                None
            }
        };
        state.network.extend(sent);
        sent
    }

    /// Steps that can be done.
    pub(crate) fn steps(&self, state: &State) -> Vec<Step> {
        let mut steps = Vec::new();
        for tam in 0..self.tams {
            if state.connects < self.connects {
                steps.push(Step::Connect { tam });
            }
            if state.tams[tam].published < self.releases {
                steps.push(Step::Publish { tam });
            }
            if state.toggles < self.toggles {
                steps.extend((0..self.devices).map(|device| Step::Toggle { tam, device }));
            }
        }
        if state.restarts < self.restarts {
            steps.extend((0..self.devices).map(|device| Step::Restart { device }));
        }
        for sent in state.network.iter().copied() {
            match sent {
                Sent::Query { .. } | Sent::Update { .. } => {
                    let devices = 0..self.devices;
                    steps.extend(devices.map(|device| Step::AtDevice { sent, device }));
                }
                Sent::Response { .. } | Sent::Answer { .. } => {
                    steps.extend((0..self.tams).map(|tam| Step::AtTam { sent, tam }));
                }
            }
        }
        steps
    }

    /// An exchange in which every message arrives.
    fn exchange(&self, state: &mut State, device: usize, tam: usize) {
        let mut sent = self.step(state, Step::Connect { tam });
        while let Some(message) = sent {
            sent = match message {
                Sent::Query { .. } | Sent::Update { .. } => self.at_device(state, message, device),
                Sent::Response { .. } | Sent::Answer { .. } => self.at_tam(state, message, tam),
            };
        }
    }

    /// Whether everything is as it shall be once messages have flowed, twice between each two.
    fn settles(&self, state: &State) -> bool {
        let mut state = state.clone();
        let pairs = || (0..self.devices).flat_map(|d| (0..self.tams).map(move |t| (d, t)));
        for (device, tam) in pairs().chain(pairs()) {
            self.exchange(&mut state, device, tam);
        }
        pairs().all(|(device, tam)| {
            let server = &state.tams[tam];
            let wanted = if server.deployed[device] {
                server.published
            } else {
                0
            };
            let held = state.devices[device].holds[tam];
            held == wanted && server.believes[device] == held && server.pending[device].is_none()
        })
    }
}

/// Whether one of all devices and TAMs is like this.
fn any(state: &State, is_so: impl Fn(&Device, &Tam, usize, usize) -> bool) -> bool {
    let tams = state.tams.iter().enumerate();
    tams.into_iter().any(|(t, tam)| {
        let mut devices = state.devices.iter().enumerate();
        devices.any(|(d, device)| is_so(device, tam, t, d))
    })
}

impl Model for Small {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let device = Device {
            holds: vec![0; self.tams],
            highest: vec![0; self.tams],
            exchange: vec![None; self.tams],
            seen: vec![BTreeSet::new(); self.tams],
        };
        let tam = Tam {
            published: 1,
            deployed: vec![false; self.devices],
            mark: vec![None; self.devices],
            believes: vec![0; self.devices],
            pending: vec![None; self.devices],
        };
        vec![State {
            devices: vec![device; self.devices],
            tams: vec![tam; self.tams],
            network: BTreeSet::new(),
            witness: Witness {
                highest: vec![vec![0; self.devices]; self.tams],
                ..Witness::default()
            },
            connects: 0,
            toggles: 0,
            restarts: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        actions.extend(self.steps(state));
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut next = last.clone();
        self.step(&mut next, step);
        (next != *last).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing unauthorised is installed", |_, state: &State| {
                !any(state, |device, tam, t, d| {
                    let held = device.holds[t];
                    held > tam.published || held > 0 && !state.witness.deployed.contains(&(t, d))
                })
            }),
            Property::always("nothing is downgraded", |_, state: &State| {
                !any(state, |device, _, t, d| {
                    device.holds[t] > 0 && device.holds[t] < state.witness.highest[t][d]
                })
            }),
            Property::always("challenges and tokens count once", |_, state: &State| {
                !state.witness.used_twice
            }),
            Property::always(
                "once messages flow, all is as it shall be",
                |small: &Self, state| small.settles(state),
            ),
            // What can happen at all: the properties above are not true of an empty world.
            Property::sometimes("the last release is installed", |small: &Self, state| {
                any(state, |device, _, t, _| device.holds[t] == small.releases)
            }),
            Property::sometimes(
                "a release is removed, if that is wished",
                |small: &Self, state| {
                    small.toggles < 2
                        || any(state, |device, _, t, _| {
                            device.holds[t] == 0 && device.highest[t] > 0
                        })
                },
            ),
            Property::sometimes("a TAM believes what is no longer so", |_, state| {
                any(state, |device, tam, t, d| {
                    tam.believes[d] != device.holds[t]
                })
            }),
        ]
    }
}

/// Worlds that are checked whole.
pub(crate) const TWO_DEVICES: Small = Small {
    devices: 2,
    tams: 1,
    connects: 2,
    toggles: 1,
    restarts: 0,
    releases: 1,
    flaw: None,
};
pub(crate) const TWO_TAMS: Small = Small {
    devices: 1,
    tams: 2,
    connects: 2,
    toggles: 2,
    restarts: 1,
    releases: 2,
    flaw: None,
};
pub(crate) const LONG: Small = Small {
    devices: 1,
    tams: 1,
    connects: 3,
    toggles: 2,
    restarts: 0,
    releases: 2,
    flaw: None,
};

fn check(name: &str, small: Small) {
    let checker = small.checker().threads(2).spawn_bfs().join();
    println!(
        "{name}: {} states, {} of them different, depth {}",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth()
    );
    checker.assert_properties();
}

// req: TEEP-TOK-003
// req: TEEP-TOK-008
#[test]
fn two_devices_of_one_tam() {
    check("two devices, one TAM", TWO_DEVICES);
}

#[test]
fn one_device_of_two_tams() {
    check("one device, two TAMs", TWO_TAMS);
}

#[test]
fn a_longer_life_of_one_device() {
    check("one device, one TAM", LONG);
}

#[track_caller]
fn finds(small: Small, flaw: Flaw, property: &'static str) {
    let flawed = Small {
        flaw: Some(flaw),
        ..small
    };
    // What else goes wrong in such a world is not looked for.
    let found = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let checker = flawed.checker().threads(2).finish_when(found);
    let checker = checker.spawn_bfs().join();
    assert!(
        checker.discovery(property).is_some(),
        "{flaw:?} is not found"
    );
}

#[test]
fn each_property_can_fail() {
    finds(
        TWO_DEVICES,
        Flaw::FollowsAnything,
        "nothing unauthorised is installed",
    );
    finds(LONG, Flaw::Forgets, "nothing is downgraded");
    finds(
        LONG,
        Flaw::ReusesChallenges,
        "challenges and tokens count once",
    );
    finds(
        LONG,
        Flaw::KeepsPending,
        "once messages flow, all is as it shall be",
    );
}
