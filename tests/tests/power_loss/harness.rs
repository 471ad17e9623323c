//! Cuts the power at every operation, or lets there be no room, reboots, and looks.

use std::collections::BTreeMap;

use redb::{
    Database, ReadableDatabase, ReadableTableMetadata, TableDefinition, backends::InMemoryBackend,
};
use tamarack_agent::platform::Storage;

use crate::{
    machine::{Cut, Defect, Kind, Machine, Numbers, Room, Survival, reseed},
    scenarios::{ATTEMPTS, Scenario, World, spaces},
};

/// How much is tried.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Every so many operations are interrupted, and all that make something durable.
    pub stride: usize,
    /// How many random pairs of cuts.
    pub pairs: usize,
    /// Every so many operations find no room.
    pub full_stride: usize,
}

/// How much was tried.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tried {
    pub cuts: usize,
    pub pairs: usize,
    pub full: usize,
}

/// Everything that is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Values by the number of their namespace and their name.
    values: BTreeMap<(usize, Vec<u8>), Vec<u8>>,
    usage: Vec<u64>,
    /// Rows of records and of pieces: there is nothing beside the values.
    rows: (u64, u64),
}

/// The agent's records of this kind tell one Update from the other.
const SEEN_UPDATES: u8 = b'u';

impl Stored {
    fn on(world: &World, machine: &Machine) -> Result<Self, String> {
        let store = world.open_store(machine)?;
        let read = || {
            let view = store.view()?;
            let mut values = BTreeMap::new();
            let mut usage = Vec::new();
            for (number, space) in spaces().iter().enumerate() {
                for name in view.names(space, b"")? {
                    let value = view.get(space, &name)?.unwrap_or_default();
                    values.insert((number, name), value);
                }
                usage.push(view.usage(space)?);
            }
            Ok((values, usage))
        };
        let (values, usage) =
            read().map_err(|error: tamarack_agent::platform::StorageError| error.to_string())?;
        drop(store);
        Ok(Self {
            values,
            usage,
            rows: rows(&machine.content()),
        })
    }

    /// What two runs with other messages and other randomness have in common.
    fn essence(&self) -> Self {
        let mut essence = self.clone();
        for ((space, name), value) in &mut essence.values {
            let is_of_an_application = *space > 2;
            if is_of_an_application || (*space == 0 && name[0] == SEEN_UPDATES) {
                *value = Vec::new();
            }
        }
        // How many Updates were seen shows in the bytes of the agent.
        essence.usage[0] = 0;
        essence
    }

    fn difference(&self, other: &Self) -> String {
        let mut lines = format!("rows {:?} and {:?}", self.rows, other.rows);
        for key in self.values.keys().chain(other.values.keys()) {
            let (one, two) = (self.values.get(key), other.values.get(key));
            if one != two {
                let (space, name) = (key.0, String::from_utf8_lossy(&key.1));
                let length = |value: Option<&Vec<u8>>| value.map(Vec::len);
                lines += &format!("; {space}:{name} {:?} and {:?}", length(one), length(two));
            }
        }
        lines
    }
}

/// Counts the rows of the database in `content`.
fn rows(content: &[u8]) -> (u64, u64) {
    if content.is_empty() {
        return (0, 0);
    }
    let backend = InMemoryBackend::new();
    redb::StorageBackend::set_len(&backend, content.len() as u64).unwrap();
    redb::StorageBackend::write(&backend, 0, content).unwrap();
    let database = Database::builder().create_with_backend(backend).unwrap();
    let transaction = database.begin_read().unwrap();
    let records: TableDefinition<'_, &[u8; 64], &[u8]> = TableDefinition::new("records");
    let chunks: TableDefinition<'_, &[u8; 20], &[u8]> = TableDefinition::new("chunks");
    let records = transaction.open_table(records).map(|t| t.len().unwrap());
    let chunks = transaction.open_table(chunks).map(|t| t.len().unwrap());
    (records.unwrap_or(0), chunks.unwrap_or(0))
}

/// What is certain about a scenario before anything interferes.
pub struct Trial<'w> {
    world: &'w World,
    scenario: &'w Scenario,
    defect: Option<Defect>,
    /// What is stored before, and after each commit.
    states: Vec<Stored>,
    /// The value of the counter before.
    counter: u64,
    /// Operations from switching the device on to the end of the act.
    operations: Vec<Kind>,
    /// How many of them switch it on.
    booting: usize,
}

/// The same numbers for each run.
const SEED: u64 = 42;

impl<'w> Trial<'w> {
    /// Does the act once without interference.
    pub fn new(
        world: &'w World,
        scenario: &'w Scenario,
        defect: Option<Defect>,
    ) -> Result<Self, String> {
        let machine = scenario.before.duplicate();
        let before = Stored::on(world, &machine.duplicate())?;
        machine.record_history();
        reseed(SEED);
        let mut device = world.boot(&machine, &scenario.act)?;
        let booting = machine.operations().len();
        world.perform(&mut device, &scenario.act, 0)?;
        drop(device);
        let operations = machine.operations();
        let mut states = vec![before];
        for moment in machine.take_history() {
            states.push(Stored::on(world, &moment)?);
        }
        let trial = Self {
            world,
            scenario,
            defect,
            counter: scenario.before.counter_value(),
            states,
            operations,
            booting,
        };
        let found = Stored::on(world, &machine)?;
        if found != *trial.last() {
            return Err(format!("the end: {}", found.difference(trial.last())));
        }
        Ok(trial)
    }

    fn last(&self) -> &Stored {
        &self.states[self.states.len() - 1]
    }

    fn machine(&self) -> Machine {
        self.scenario.before.duplicate().with_defect(self.defect)
    }

    /// Switches on, does the act, and switches off.
    fn run(&self, machine: &Machine, attempt: usize) -> Result<(), String> {
        let act = &self.scenario.act;
        let mut device = self.world.boot(machine, act)?;
        machine.arm();
        self.world.perform(&mut device, act, attempt)
    }

    /// Cuts the power at operations, with different fates of what was not synced.
    pub fn cuts(&self, effort: Effort) -> Result<Tried, String> {
        let mut tried = Tried::default();
        for (at, kind) in self.operations.iter().enumerate() {
            let seed = at as u64;
            let makes_durable = matches!(kind, Kind::Sync | Kind::Increment);
            let mut cuts = Vec::new();
            if at % effort.stride == 0 {
                // What is left after one operation is what is left before the next.
                cuts.push((Cut::Before(at), Survival::Everything));
                cuts.push((Cut::Within(at), Survival::Everything));
            }
            if at % effort.stride == 0 || makes_durable {
                cuts.push((Cut::Before(at), Survival::Part(seed)));
                cuts.push((Cut::Within(at), Survival::Part(!seed)));
            }
            if makes_durable {
                // Between two of these, nothing is safe that was not.
                cuts.push((Cut::After(at), Survival::Nothing));
            }
            for (cut, survival) in cuts {
                self.cut(cut, survival)
                    .map_err(|what| format!("{cut:?} {kind:?}, {survival:?}: {what}"))?;
                tried.cuts += 1;
            }
        }
        Ok(tried)
    }

    fn cut(&self, cut: Cut, survival: Survival) -> Result<(), String> {
        let machine = self.machine();
        machine.cut(cut);
        reseed(SEED);
        let result = self.run(&machine, 0);
        let counted = machine.counter_value();
        machine.reboot(survival);
        self.look(&machine, counted, &result)?;
        self.finish(&machine, 1)
    }

    /// What is stored is what one commit left, and that is no older than what was reported.
    // req: SUIT-PROC-007
    fn look(
        &self,
        machine: &Machine,
        counted: u64,
        result: &Result<(), String>,
    ) -> Result<(), String> {
        let found = Stored::on(self.world, machine).map_err(|what| format!("opening: {what}"))?;
        let generation = machine.counter_value();
        if generation < counted {
            return Err(format!("generation {generation} after {counted}"));
        }
        let commits = usize::try_from(generation - self.counter).unwrap();
        let state = self.states.get(commits);
        let state = state.ok_or_else(|| format!("{commits} commits"))?;
        if found != *state {
            return Err(format!(
                "after {commits} commits: {}",
                found.difference(state)
            ));
        }
        if result.is_ok() && found != *self.last() {
            return Err("a success was lost".into());
        }
        Ok(())
    }

    /// The act succeeds, whatever there was before.
    fn finish(&self, machine: &Machine, attempt: usize) -> Result<(), String> {
        machine.reboot(Survival::Everything);
        self.run(machine, attempt)
            .map_err(|what| format!("the repetition failed: {what}"))?;
        machine.reboot(Survival::Nothing);
        let found = Stored::on(self.world, machine)?.essence();
        let expected = self.last().essence();
        match found == expected {
            true => Ok(()),
            false => Err(format!("the repetition: {}", found.difference(&expected))),
        }
    }

    /// Cuts the power twice: the second time during recovery or the repetition.
    pub fn random_pairs(&self, pairs: usize, seed: u64) -> Result<Tried, String> {
        let mut numbers = Numbers(seed);
        for _ in 0..pairs {
            let machine = self.machine();
            let mut chosen = Vec::new();
            for attempt in 0..ATTEMPTS - 2 {
                // The second time mostly in what comes first: recovery is where it gets interesting.
                let bound = [self.operations.len(), 12][numbers.below(attempt + 1)];
                let (cut, survival) = numbers.cut(bound);
                chosen.push((cut, survival));
                machine.cut(cut);
                // No two runs on one machine draw the same numbers.
                reseed(SEED + attempt as u64);
                let _ = self.run(&machine, attempt);
                machine.reboot(survival);
                let found = Stored::on(self.world, &machine.duplicate())
                    .map_err(|what| format!("{chosen:?}: opening: {what}"))?
                    .essence();
                if !self.states.iter().any(|state| state.essence() == found) {
                    let difference = found.difference(&self.last().essence());
                    return Err(format!("{chosen:?}: no state of the act: {difference}"));
                }
            }
            self.finish(&machine, ATTEMPTS - 1)
                .map_err(|what| format!("{chosen:?}: {what}"))?;
        }
        Ok(Tried {
            pairs,
            ..Tried::default()
        })
    }

    /// Lets there be no room, for one operation or to grow; the device stays on, and does the act once there is.
    pub fn without_room(&self, effort: Effort) -> Result<Tried, String> {
        let mut tried = Tried::default();
        let acting = &self.operations[self.booting..];
        for (at, kind) in acting.iter().enumerate() {
            let room = match kind {
                Kind::SetLength => [Room::NotAt(at), Room::NoGrowthFrom(at)],
                Kind::Write if at % effort.full_stride == 0 => [Room::NotAt(at); 2],
                _ => continue,
            };
            for room in room {
                self.without(room)
                    .map_err(|what| format!("{room:?} {kind:?}: {what}"))?;
                tried.full += 1;
            }
        }
        Ok(tried)
    }

    fn without(&self, room: Room) -> Result<(), String> {
        let machine = self.machine();
        let act = &self.scenario.act;
        reseed(SEED);
        let mut device = self.world.boot(&machine, act)?;
        machine.limit(room);
        let result = self.world.perform(&mut device, act, 0);
        let counted = machine.counter_value();
        machine.limit(Room::Enough);
        // Every commit was reported, and each state is one of those that there are when there is room; which ones come, and how
        // many, may differ.
        let outside = machine.duplicate();
        let found = Stored::on(self.world, &outside)?.essence();
        if outside.counter_value() != counted {
            return Err("a commit was not reported".into());
        }
        let states = match result.is_ok() {
            true => &self.states[self.states.len() - 1..],
            false => &self.states[..],
        };
        if !states.iter().any(|state| state.essence() == found) {
            let difference = found.difference(&self.last().essence());
            return Err(format!("after {result:?}: {difference}"));
        }
        if let Err(what) = &result
            && !["full", "room", "space"]
                .iter()
                .any(|word| what.contains(word))
        {
            return Err(format!("not an error about room: {what}"));
        }
        self.world
            .perform(&mut device, act, 1)
            .map_err(|what| format!("it does not go on: {what}"))?;
        drop(device);
        machine.reboot(Survival::Nothing);
        let found = Stored::on(self.world, &machine)?.essence();
        match found == self.last().essence() {
            true => Ok(()),
            false => Err(found.difference(&self.last().essence())),
        }
    }
}
