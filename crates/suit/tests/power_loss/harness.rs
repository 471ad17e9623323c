//! Cuts the power at every operation, reboots, and looks.

use tamarack_suit::{
    ComponentId, Device, Envelope, Error, ManifestRecord,
    directory::{DirectoryDevice, DirectoryError, Files},
};

use crate::{
    common::{id, identity},
    scenarios::{Act, End, Scenario, perform},
    storage::{Cut, Numbers, Storage, Survival, Tree},
};

/// How a device gets at its storage: directly, or through something that is to be found out.
pub type Access<F> = fn(Storage) -> F;

/// How much was tried.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tried {
    pub operations: usize,
    pub cuts: usize,
    pub pairs: usize,
}

/// What is certain about a scenario before anything interferes.
pub struct Trial<'s, F> {
    scenario: &'s Scenario,
    access: Access<F>,
    old: Tree,
    new: Tree,
    /// Operations from opening the folder to the end of the transaction.
    operations: usize,
}

/// Opens the folder and does what is to be done, in one transaction.
fn run<F: Files>(files: F, act: &Act) -> Result<Result<(), Error>, DirectoryError> {
    let mut device = DirectoryDevice::on(files, identity())?;
    device.set_slot(&id("slots/a"), 1);
    let mut transaction = device.transaction()?;
    let outcome = perform(act, &mut transaction);
    if outcome.result.is_ok() {
        transaction.commit()?;
    }
    Ok(outcome.result)
}

impl<'s, F: Files> Trial<'s, F> {
    /// Runs the scenario once without interference; what it leaves must be what it promises.
    pub fn new(scenario: &'s Scenario, access: Access<F>) -> Result<Self, String> {
        let opened = scenario.before.duplicate();
        DirectoryDevice::on(access(opened.clone()), identity()).map_err(|e| e.to_string())?;
        let storage = scenario.before.duplicate();
        let result = run(access(storage.clone()), &scenario.act).map_err(|e| e.to_string())?;
        if result.is_ok() == (scenario.end == End::Fails) {
            return Err(format!("unexpected end: {result:?}"));
        }
        let trial = Self {
            scenario,
            access,
            old: opened.tree(),
            new: storage.tree(),
            operations: storage.operations(),
        };
        if (trial.old == trial.new) != (scenario.end == End::Fails) && !trial.may_change_nothing() {
            return Err("the folder does not show the difference".into());
        }
        trial.look(&storage)?;
        for (name, expected) in &scenario.after {
            let found = content(&storage, access, &id(name))?;
            if found != *expected {
                return Err(format!("{name} is {found:?} in the end"));
            }
        }
        Ok(trial)
    }

    /// Applying the same manifest again.
    fn may_change_nothing(&self) -> bool {
        self.scenario.end == End::Succeeds
    }

    /// Cuts the power at each operation, with each fate of what was not synced.
    pub fn every_cut(&self) -> Result<Tried, String> {
        let mut tried = Tried {
            operations: self.operations,
            ..Tried::default()
        };
        for at in 0..=self.operations {
            // What is left after one operation is what is left before the next: a random part of it is
            // chosen anew, the extremes are the same.
            let seed = Survival::Part(at as u64);
            let cuts = [
                (Cut::Before(at), Survival::Nothing),
                (Cut::Before(at), Survival::Everything),
                (Cut::Before(at), seed),
                (Cut::Within(at), Survival::Everything),
                (Cut::Within(at), seed),
                (Cut::After(at), Survival::Nothing),
                (Cut::After(at), Survival::Part(!(at as u64))),
            ];
            for (cut, survival) in cuts {
                let storage = self.scenario.before.duplicate();
                self.interrupt(&storage, cut, survival)?;
                self.finish(&storage)
                    .map_err(|what| format!("{cut:?}, {survival:?}: {what}"))?;
                tried.cuts += 1;
            }
        }
        Ok(tried)
    }

    /// Cuts the power twice: the second time during recovery or the repetition.
    pub fn random_pairs(&self, pairs: usize, seed: u64) -> Result<Tried, String> {
        let mut numbers = Numbers(seed);
        for _ in 0..pairs {
            let storage = self.scenario.before.duplicate();
            let mut chosen = Vec::new();
            // Recovery comes on top of what an undisturbed run needs, and is where it gets interesting.
            for bound in [
                self.operations,
                [12, self.operations + 12][numbers.below(2)],
            ] {
                let (cut, survival) = numbers.cut(bound);
                chosen.push((cut, survival));
                self.interrupt(&storage, cut, survival)
                    .map_err(|what| format!("{chosen:?}: {what}"))?;
            }
            self.finish(&storage)
                .map_err(|what| format!("{chosen:?}: {what}"))?;
        }
        Ok(Tried {
            pairs,
            ..Tried::default()
        })
    }

    /// Runs until the power goes, which it does at the latest when the run is over.
    fn interrupt(&self, storage: &Storage, cut: Cut, survival: Survival) -> Result<(), String> {
        storage.cut(cut);
        let result = run((self.access)(storage.clone()), &self.scenario.act);
        if result == Ok(Ok(())) && storage.is_off() {
            return Err("success was reported without power".into());
        }
        storage.reboot(survival);
        if result == Ok(Ok(())) {
            // What was reported is kept.
            self.reopened(storage)?;
            if storage.tree() != self.new {
                return Err(format!("a success was lost: {}", self.difference(storage)));
            }
            storage.reboot(Survival::Everything);
        }
        Ok(())
    }

    /// After a reboot: the device is in the old or the new state, whole, and can be brought to the new.
    // req: SUIT-PROC-007, SUIT-PROC-009, SUIT-PROC-010, SUIT-PROC-011, SUIT-MAN-004, SUIT-MAN-005
    fn finish(&self, storage: &Storage) -> Result<(), String> {
        self.reopened(storage)?;
        let tree = storage.tree();
        let is_new = tree == self.new;
        if !is_new && tree != self.old {
            return Err(format!("neither old nor new: {}", self.difference(storage)));
        }
        self.look(storage)?;
        let result = run((self.access)(storage.clone()), &self.scenario.act);
        let succeeds = match self.scenario.end {
            End::Succeeds => true,
            End::SucceedsOnce => !is_new,
            End::Fails => false,
        };
        match result {
            Err(error) => return Err(format!("the repetition failed: {error}")),
            Ok(result) if result.is_ok() != succeeds => {
                return Err(format!("the repetition ended with {result:?}"));
            }
            Ok(_) => {}
        }
        if storage.tree() != self.new {
            return Err(format!("after repetition: {}", self.difference(storage)));
        }
        self.look(storage)
    }

    fn reopened(&self, storage: &Storage) -> Result<(), String> {
        DirectoryDevice::on((self.access)(storage.clone()), identity())
            .map(drop)
            .map_err(|error| format!("the folder can't be opened: {error}"))
    }

    /// Records, envelopes and components fit together, whatever the scenario.
    fn look(&self, storage: &Storage) -> Result<(), String> {
        let mut device = DirectoryDevice::on((self.access)(storage.clone()), identity())
            .map_err(|error| error.to_string())?;
        let records = device.records().to_vec();
        let mut transaction = device.transaction().map_err(|error| error.to_string())?;
        for record in &records {
            fits(&mut transaction, record)
                .map_err(|what| format!("manifest {}: {what}", record.id))?;
            for needed in &record.dependencies {
                if !records.iter().any(|record| record.id == *needed) {
                    return Err(format!("{} lacks {needed}", record.id));
                }
            }
        }
        Ok(())
    }

    fn difference(&self, storage: &Storage) -> String {
        let tree = storage.tree();
        let mut paths: Vec<&String> = tree.keys().chain(self.old.keys()).collect();
        paths.extend(self.new.keys());
        paths.sort();
        paths.dedup();
        let mut lines = String::new();
        for path in paths {
            let (is, old, new) = (tree.get(path), self.old.get(path), self.new.get(path));
            let verdict = match (is == old, is == new) {
                (true, true) => continue,
                (true, false) => "old",
                (false, true) => "new",
                (false, false) => "neither",
            };
            lines += &format!("{path} {verdict}; ");
        }
        lines
    }
}

fn content<F: Files>(
    storage: &Storage,
    access: Access<F>,
    component: &ComponentId,
) -> Result<Option<Vec<u8>>, String> {
    let mut device = DirectoryDevice::on(access(storage.clone()), identity())
        .map_err(|error| error.to_string())?;
    let mut transaction = device.transaction().map_err(|error| error.to_string())?;
    read(&mut transaction, component)
}

fn read(device: &mut dyn Device, id: &ComponentId) -> Result<Option<Vec<u8>>, String> {
    let Some(length) = device.length(id).map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    let mut bytes = vec![0; usize::try_from(length).unwrap()];
    let read = device
        .read_at(id, 0, &mut bytes)
        .map_err(|error| error.to_string())?;
    match read == bytes.len() {
        true => Ok(Some(bytes)),
        false => Err("a short read".into()),
    }
}

/// The envelope that is kept is the one that the record is about.
fn fits(device: &mut dyn Device, record: &ManifestRecord) -> Result<(), String> {
    let bytes = read(device, &record.id)?.ok_or("it has no envelope")?;
    let envelope = Envelope::decode(&bytes).map_err(|error| error.to_string())?;
    let manifest = envelope
        .unverified_manifest()
        .map_err(|error| error.to_string())?;
    if envelope.claimed_digest() != record.digest {
        return Err("its envelope is another".into());
    }
    if manifest.sequence_number != record.sequence_number {
        return Err("its record has another sequence number".into());
    }
    Ok(())
}
