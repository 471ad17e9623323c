//! A machine in memory whose power can be cut: a medium that forgets what was not synced, and a counter.
//!
//! Operations that change something are counted, those of the medium and of the counter in one row.

#[path = "../../../crates/suit/tests/power_loss/power.rs"]
mod power;

use std::{
    cell::Cell,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard},
};

use tamarack_agent::platform::Identity;
use tamarack_cose::{
    CryptoProvider, Error, SecureRandom, Signer,
    encrypt::{EncryptionKey, RecipientKey},
    rustcrypto,
};
use tamarack_tee::{
    platform::{Attester, Device, MonotonicCounter, PlatformFault, RootKey, TeePlatform},
    store::Medium,
};

pub use power::{Cut, Numbers, Survival};

/// Where there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    Enough,
    /// For the operation of this number.
    NotAt(usize),
    /// To grow, from the operation of this number on.
    NoGrowthFrom(usize),
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Write,
    SetLength,
    Sync,
    Increment,
}

/// What is wrong with a machine, for the harness to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Sync returns, and nothing is safe.
    SyncDoesNothing,
    /// Sync makes every second change safe.
    SyncKeepsHalf,
    /// The counter goes up when a commit begins to be written, not when it is there.
    CounterFirst,
}

/// A write takes effect in pieces of so many bytes.
const SECTOR: usize = 512;

/// A file system changes the length of a file as a whole, or at least by whole blocks.
const BLOCK: usize = 4096;

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone, Default)]
struct State {
    content: Vec<u8>,
    durable: Vec<u8>,
    /// What was done since the last sync, in its order.
    pending: Vec<Change>,
    counter: u64,
    done: Vec<Kind>,
    cut: Option<Cut>,
    is_off: bool,
    room: Option<Room>,
    defect: Option<Defect>,
    is_armed: bool,
    counted_ahead: bool,
    /// What is safe whenever the counter went up.
    history: Option<Vec<Machine>>,
}

/// A handle to a machine; clones share it.
#[derive(Clone, Default)]
pub struct Machine(Arc<Mutex<State>>);

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Machine")
    }
}

fn no_power() -> io::Error {
    io::Error::other("no power")
}

/// Applies a change, or those of its sectors that are kept.
fn apply(bytes: &mut Vec<u8>, change: &Change, mut keeps: impl FnMut() -> bool) {
    match change {
        Change::Length(length) => {
            if keeps() {
                bytes.resize(*length, 0);
            }
        }
        Change::Write(offset, data) => {
            let mut at = *offset;
            let mut rest = &data[..];
            while !rest.is_empty() {
                let (sector, later) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                // What was written behind an end that was not kept is lost.
                if keeps() && at + sector.len() <= bytes.len() {
                    bytes[at..at + sector.len()].copy_from_slice(sector);
                }
                at += sector.len();
                rest = later;
            }
        }
    }
}

impl Machine {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// An independent machine in the same state, as it is after a reboot that lost nothing.
    pub fn duplicate(&self) -> Self {
        let copy = Self(Arc::new(Mutex::new(self.state().clone())));
        copy.reboot(Survival::Everything);
        copy
    }

    pub fn with_defect(self, defect: Option<Defect>) -> Self {
        self.state().defect = defect;
        self
    }

    pub fn cut(&self, cut: Cut) {
        self.state().cut = Some(cut);
    }

    /// Counts the operations from here on, and sets where there is no room.
    pub fn limit(&self, room: Room) {
        let mut state = self.state();
        state.done.clear();
        state.room = Some(room);
    }

    /// The device is on; from here on, a defect of its own counts.
    pub fn arm(&self) {
        self.state().is_armed = true;
    }

    /// Keeps what is safe whenever the counter goes up.
    pub fn record_history(&self) {
        self.state().history = Some(Vec::new());
    }

    pub fn take_history(&self) -> Vec<Self> {
        self.state().history.take().unwrap_or_default()
    }

    /// What was done since the last reboot.
    pub fn operations(&self) -> Vec<Kind> {
        self.state().done.clone()
    }

    pub fn counter_value(&self) -> u64 {
        self.state().counter
    }

    pub fn content(&self) -> Vec<u8> {
        self.state().content.clone()
    }

    /// Takes the power away, if that has not happened, and gives it back.
    pub fn reboot(&self, survival: Survival) {
        let mut state = self.state();
        let pending = std::mem::take(&mut state.pending);
        match survival {
            Survival::Nothing => {}
            Survival::Everything => {
                state.durable = state.content.clone();
            }
            Survival::Part(seed) => {
                let mut numbers = Numbers(seed);
                // Mostly lost, half lost, or mostly kept.
                let kept = [1, 5, 9][numbers.below(3)];
                for change in &pending {
                    match numbers.below(3) {
                        // Sector by sector, or as a whole.
                        0 => apply(&mut state.durable, change, || numbers.below(10) < kept),
                        _ if numbers.below(10) < kept => apply(&mut state.durable, change, || true),
                        _ => {}
                    }
                }
            }
        }
        state.content = state.durable.clone();
        state.done.clear();
        state.cut = None;
        state.is_off = false;
        state.room = None;
        state.counted_ahead = false;
        state.is_armed = false;
    }

    /// Carries out `change` as far as the power allows.
    fn operate(
        &self,
        kind: Kind,
        change: impl Fn(&mut State, bool) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut state = self.state();
        if state.is_off {
            return Err(no_power());
        }
        let number = state.done.len();
        state.done.push(kind);
        let has_room = match state.room {
            Some(Room::NotAt(at)) => at != number || !matches!(kind, Kind::Write | Kind::SetLength),
            _ => true,
        };
        if !has_room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match state.cut {
            Some(Cut::Before(at)) if at == number => {
                state.is_off = true;
                Err(no_power())
            }
            Some(Cut::Within(at)) if at == number => {
                let _ = change(&mut state, true);
                state.is_off = true;
                Err(no_power())
            }
            Some(Cut::After(at)) if at == number => {
                let _ = change(&mut state, false);
                state.is_off = true;
                Err(no_power())
            }
            _ => change(&mut state, false),
        }
    }

    /// The platform `below`, with the counter of this machine.
    pub fn platform(&self, below: &Arc<Device>) -> Arc<dyn TeePlatform> {
        Arc::new(PoweredPlatform {
            below: Arc::clone(below),
            machine: self.clone(),
        })
    }
}

impl State {
    fn change(&mut self, change: Change) {
        apply(&mut self.content, &change, || true);
        self.pending.push(change);
    }

    fn count(&mut self) {
        self.counter += 1;
        if let Some(mut history) = self.history.take() {
            // What was not synced by now is not in it.
            let now = Machine(Arc::new(Mutex::new(self.clone())));
            now.reboot(Survival::Nothing);
            history.push(now);
            self.history = Some(history);
        }
    }
}

impl Medium for Machine {
    fn length(&self) -> io::Result<u64> {
        let state = self.state();
        match state.is_off {
            true => Err(no_power()),
            false => Ok(state.content.len() as u64),
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if state.is_off {
            return Err(no_power());
        }
        let offset = usize::try_from(offset).unwrap();
        let end = offset.saturating_add(buffer.len());
        let found = state.content.get(offset..end);
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.operate(Kind::Write, |state, partly| {
            let bytes = match partly {
                true => &bytes[..bytes.len() / 2],
                false => bytes,
            };
            if offset + bytes.len() > state.content.len() {
                return Err(io::Error::other("a write behind the end"));
            }
            let counts_first = state.is_armed && state.defect == Some(Defect::CounterFirst);
            if counts_first && !state.counted_ahead {
                state.counted_ahead = true;
                state.count();
            }
            state.change(Change::Write(offset, bytes.to_vec()));
            Ok(())
        })
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap();
        self.operate(Kind::SetLength, |state, partly| {
            let now = state.content.len();
            let grows = length > now;
            if grows && matches!(state.room, Some(Room::NoGrowthFrom(at)) if state.done.len() > at)
            {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let length = match partly {
                true => now.midpoint(length) / BLOCK * BLOCK,
                false => length,
            };
            state.change(Change::Length(length));
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.operate(Kind::Sync, |state, partly| {
            if state.defect == Some(Defect::SyncDoesNothing) {
                return Ok(());
            }
            let pending = std::mem::take(&mut state.pending);
            // Of a sync that was interrupted, any part may be safe; here it is the later half.
            let safe = match partly {
                true => pending.len() / 2,
                false => 0,
            };
            for (number, change) in pending.into_iter().enumerate() {
                let is_lost = state.defect == Some(Defect::SyncKeepsHalf) && number % 2 == 1;
                match number < safe || is_lost {
                    true => state.pending.push(change),
                    false => apply(&mut state.durable, &change, || true),
                }
            }
            Ok(())
        })
    }
}

impl MonotonicCounter for Machine {
    fn value(&self) -> Result<u64, PlatformFault> {
        let state = self.state();
        match state.is_off {
            true => Err(counter_failed()),
            false => Ok(state.counter),
        }
    }

    fn increment(&self) -> Result<u64, PlatformFault> {
        let done = self.operate(Kind::Increment, |state, _| {
            if state.counted_ahead {
                state.counted_ahead = false;
            } else {
                state.count();
            }
            Ok(())
        });
        done.map_err(|_| counter_failed())?;
        Ok(self.state().counter)
    }
}

fn counter_failed() -> PlatformFault {
    Error::Crypto("the counter has no power").into()
}

/// A software platform with the counter of a machine.
struct PoweredPlatform {
    below: Arc<Device>,
    machine: Machine,
}

impl TeePlatform for PoweredPlatform {
    fn name(&self) -> &'static str {
        self.below.name()
    }

    fn warning(&self) -> Option<&'static str> {
        self.below.warning()
    }

    fn root_key(&self) -> &RootKey {
        self.below.root_key()
    }

    fn counter(&self) -> &dyn MonotonicCounter {
        &self.machine
    }

    fn identity(&self) -> &Identity {
        self.below.identity()
    }

    fn teep_keys(&self) -> &[Box<dyn Signer>] {
        self.below.teep_keys()
    }

    fn recipient_keys(&self) -> &[RecipientKey] {
        self.below.recipient_keys()
    }

    fn encryption_keys(&self) -> &[EncryptionKey] {
        self.below.encryption_keys()
    }

    fn measurement(&self) -> [u8; 32] {
        self.below.measurement()
    }

    fn attester(&self) -> Attester<'_> {
        self.below.attester()
    }
}

/// Randomness that is the same again after [`reseed`], for each thread by itself: two runs then leave the same state.
struct Repeatable;

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
}

impl SecureRandom for Repeatable {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        let mut numbers = Numbers(SEED.get());
        for byte in out {
            *byte = u8::try_from(numbers.below(256)).unwrap();
        }
        SEED.set(numbers.0);
        Ok(())
    }
}

/// Starts the randomness of this thread anew.
pub fn reseed(seed: u64) {
    SEED.set(seed);
}

/// The crypto provider of the TEE, with randomness that can be repeated.
pub fn repeatable_crypto() -> CryptoProvider {
    rustcrypto::provider_with(&Repeatable)
}
