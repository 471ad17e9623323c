//! What can happen in one step, and how a seed draws it.

use std::time::Duration;

use fastrand::Rng;
use tamarack_tam::Mode;

use crate::{
    DEVICES, Mangle, Party, PowerLoss, RELEASES, TAMS, Violation, World, people::COMPONENTS,
};

/// One step. Each can be done in any state, so that a list of them still makes sense with some left out:
/// letters are counted back from the newest and around.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// A broker connects for a device; the QueryRequest waits.
    Connect { device: usize, tam: usize },
    /// A letter arrives where it is for, now or once more.
    Deliver { back: u16 },
    /// A letter arrives at somebody else.
    Misdeliver { back: u16, to: Party },
    /// A letter arrives changed.
    Tamper {
        back: u16,
        other: u16,
        how: Mangle,
        to: Option<Party>,
    },
    /// An exchange, broken off after so many letters.
    Exchange {
        device: usize,
        tam: usize,
        legs: usize,
    },
    /// A TAM that nobody trusts sends a genuine release.
    Forge {
        device: usize,
        release: (usize, usize, usize),
    },
    /// Somebody is switched off and on again.
    Restart { party: Party },
    /// The power of a device goes off at a commit to come.
    LosePower { device: usize, when: PowerLoss },
    /// From now on the broker of a device treats payloads like this.
    Payloads {
        device: usize,
        fault: Option<FetchFault>,
    },
    /// Time goes by, in seconds.
    Wait { seconds: u64 },
    /// The operator publishes the next release.
    Publish { tam: usize, component: usize },
    /// The operator deploys a component.
    Deploy {
        tam: usize,
        component: usize,
        device: Option<usize>,
        mode: Mode,
    },
    /// The operator takes a deployment back.
    Undeploy { tam: usize, deployment: usize },
    /// An application needs a component.
    Request {
        device: usize,
        tam: usize,
        component: usize,
    },
    /// An application no longer needs it.
    Unrequest {
        device: usize,
        tam: usize,
        component: usize,
    },
}

/// What can go wrong with a payload that a device fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchFault {
    /// It does not come.
    Refused,
    /// One bit is another.
    Changed(u16),
    /// It ends too early.
    Cut(u16),
    /// It goes on.
    Longer,
    /// It takes an hour.
    Slow,
}

/// The schedule of a seed: something to do for the TAMs, then `length` steps of the adversary.
#[must_use]
pub fn schedule(seed: u64, length: usize) -> Vec<Action> {
    let mut rng = Rng::with_seed(seed);
    let mut actions = Vec::new();
    for tam in 0..TAMS {
        for component in 0..3 {
            actions.push(Action::Publish { tam, component });
            if rng.bool() {
                actions.push(deploy(&mut rng, tam, component));
            }
        }
    }
    actions.extend((0..length).map(|_| draw(&mut rng)));
    actions
}

fn deploy(rng: &mut Rng, tam: usize, component: usize) -> Action {
    Action::Deploy {
        tam,
        component,
        device: rng.bool().then(|| rng.usize(..DEVICES)),
        mode: match rng.u8(..3) {
            0 => Mode::OnRequest,
            _ => Mode::Required,
        },
    }
}

/// A letter: more often a new one than an old one.
fn back(rng: &mut Rng) -> u16 {
    match rng.u8(..4) {
        0 => rng.u16(..),
        1 => rng.u16(..8),
        _ => 0,
    }
}

fn party(rng: &mut Rng) -> Party {
    rng.choice(Party::all()).unwrap()
}

fn draw(rng: &mut Rng) -> Action {
    let (device, tam, component) = (rng.usize(..DEVICES), rng.usize(..TAMS), rng.usize(..3));
    match rng.u8(..100) {
        0..8 => Action::Connect { device, tam },
        8..30 => Action::Deliver { back: back(rng) },
        30..37 => Action::Misdeliver {
            back: back(rng),
            to: party(rng),
        },
        37..45 => Action::Tamper {
            back: back(rng),
            other: rng.u16(..),
            how: mangle(rng),
            to: (rng.u8(..4) == 0).then(|| party(rng)),
        },
        45..63 => Action::Exchange {
            device,
            tam,
            legs: rng.usize(1..6),
        },
        63..65 => Action::Forge {
            device,
            release: (tam, component, rng.usize(..RELEASES)),
        },
        65..69 => Action::Restart { party: party(rng) },
        69..73 => Action::LosePower {
            device,
            when: match rng.bool() {
                true => PowerLoss::Before(rng.u32(..5)),
                false => PowerLoss::After(rng.u32(..5)),
            },
        },
        73..77 => Action::Payloads {
            device,
            fault: match rng.u8(..8) {
                0 => Some(FetchFault::Refused),
                1 => Some(FetchFault::Changed(rng.u16(..))),
                2 => Some(FetchFault::Cut(rng.u16(..))),
                3 => Some(FetchFault::Longer),
                4 => Some(FetchFault::Slow),
                _ => None,
            },
        },
        77..81 => Action::Wait {
            seconds: [1, 61, 3600, 5 * 3600, 25 * 3600][rng.usize(..5)],
        },
        81..85 => Action::Publish { tam, component },
        85..90 => deploy(rng, tam, component),
        90..93 => Action::Undeploy {
            tam,
            deployment: rng.usize(..8),
        },
        93..97 => Action::Request {
            device,
            tam,
            component,
        },
        _ => Action::Unrequest {
            device,
            tam,
            component,
        },
    }
}

fn mangle(rng: &mut Rng) -> Mangle {
    match rng.u8(..10) {
        0..3 => Mangle::Flip(rng.u32(..)),
        3 => Mangle::Cut(rng.u32(..)),
        4 => Mangle::Longer(rng.u8(..)),
        5 => Mangle::Tag,
        6 => Mangle::Unprotected,
        7 => Mangle::Signature,
        8 => Mangle::Protected,
        _ => Mangle::Structure,
    }
}

impl World {
    /// Does one step, and checks the invariants.
    ///
    /// # Errors
    ///
    /// The first invariant that is found not to hold.
    pub fn apply(&mut self, action: &Action) -> Result<(), Violation> {
        self.advance(Duration::from_millis(1));
        match *action {
            Action::Connect { device, tam } => drop(self.connect(device, tam)),
            Action::Deliver { back } => {
                if let Some(letter) = self.letter(back) {
                    self.deliver(&letter.bytes, letter.from, letter.to)?;
                }
            }
            Action::Misdeliver { back, to } => {
                if let Some(letter) = self.letter(back) {
                    self.deliver(&letter.bytes, letter.from, to)?;
                }
            }
            Action::Tamper {
                back,
                other,
                how,
                to,
            } => {
                if let (Some(letter), Some(other)) = (self.letter(back), self.letter(other)) {
                    let bytes = how.apply(&letter.bytes, &other.bytes);
                    self.deliver(&bytes, letter.from, to.unwrap_or(letter.to))?;
                }
            }
            Action::Exchange { device, tam, legs } => drop(self.exchange(device, tam, legs)?),
            Action::Forge { device, release } => self.forge(device, release)?,
            Action::Restart { party } => self.restart(party),
            Action::LosePower { device, when } => self.lose_power(device, when),
            Action::Payloads { device, fault } => self.treat_payloads(device, fault),
            Action::Wait { seconds } => self.advance(Duration::from_secs(seconds)),
            Action::Publish { tam, component } => self.publish(tam, component),
            Action::Deploy {
                tam,
                component,
                device,
                mode,
            } => self.deploy(tam, component, device, mode),
            Action::Undeploy { tam, deployment } => self.undeploy(tam, deployment),
            Action::Request {
                device,
                tam,
                component,
            } => self.request(device, tam, component)?,
            Action::Unrequest {
                device,
                tam,
                component,
            } => self.unrequest(device, tam, component)?,
        }
        self.check()
    }

    fn letter(&self, back: u16) -> Option<crate::Letter> {
        let count = self.log.len();
        let back = usize::from(back).checked_rem(count)?;
        self.log.get(count - 1 - back).cloned()
    }
}

const _: () = assert!(COMPONENTS.len() == 4, "three of them are for operators");
