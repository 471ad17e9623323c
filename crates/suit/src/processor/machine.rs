//! The machine that runs command sequences: an explicit stack of frames, no recursion.
//!
//! A frame is a sequence being run. Nested sequences (Try Each, Run Sequence) and sections of
//! dependencies are frames on top of the one that runs them; every frame has its own component index
//! and Soft Failure, which thereby return to their old values when a sequence ends. The stack is bounded
//! by the nesting that decoding allows and by the depth of dependencies; the work is bounded by a budget
//! of commands.

use alloc::vec::Vec;

use super::{
    Failure,
    frame::{Frame, Kind, Targets},
    state::{Loaded, Place, Slot, State},
};
use crate::{
    Error, Section, Why,
    codec::{Action, Command, Condition, Located, SHARED, Sequence},
    report::{Entry, Record},
};

pub(super) struct Machine<'r> {
    pub(super) state: State<'r>,
    /// The manifests that take part; the root is the first.
    pub(super) manifests: Vec<Loaded<'r>>,
    /// Manifests to be forgotten when the procedure succeeds: their slots.
    pub(super) released: Vec<usize>,
    frames: Vec<Frame<'r>>,
    /// Whether a rehearsal came to where only the performance can tell how it goes on.
    open_ended: bool,
    /// Commands that may still be executed.
    budget: usize,
}

/// What follows a command.
enum Flow<'r> {
    /// The command is done for this component.
    Done,
    /// A nested sequence is to be run.
    Enter(Kind<'r>, &'r Sequence<'r>),
    /// The component index changes.
    Retarget(Targets<'r>),
    /// Dependency Integrity is to be checked.
    Integrity,
    /// The dependency's section is to be run.
    Process(Section),
    /// The dependency is to be removed.
    Release,
    /// In a rehearsal: what comes of the command, only the performance will tell.
    Undecided,
    /// In a rehearsal: what holds after the command, only the performance will tell.
    Later,
}

impl<'r> Machine<'r> {
    pub(super) fn new(state: State<'r>) -> Self {
        let budget = state.processor.settings.limits.executed_commands;
        Self {
            state,
            manifests: Vec::new(),
            released: Vec::new(),
            frames: Vec::new(),
            open_ended: false,
            budget,
        }
    }

    pub(super) fn loaded(&self, manifest: usize) -> Result<&Loaded<'r>, Failure> {
        self.manifests.get(manifest).ok_or_else(Failure::defect)
    }

    /// Goes through the sections of the root manifest without any effect, so that everything that can be
    /// known to fail fails before the first effect: conditions about the device, the time and what is
    /// there already, and directives that lack what they need.
    ///
    /// A rehearsal never refuses what the performance would accept: where an outcome depends on content
    /// that is not there yet, or on another manifest, it is assumed to be what the procedure needs, or
    /// the rehearsal ends.
    ///
    /// Nothing is reported of a rehearsal that succeeds, as most do. One that fails is held again for what
    /// its report has to say of what came before; its verdict stands.
    // req: SUIT-COM-010
    pub(super) fn rehearse(&mut self) -> Result<(), Failure> {
        self.state.silent = true;
        let result = self.rehearse_once();
        self.state.silent = false;
        if result.is_err() {
            let _ = self.rehearse_once();
        }
        result
    }

    fn rehearse_once(&mut self) -> Result<(), Failure> {
        self.open_ended = false;
        self.state.rehearsing = true;
        let mut sections = self.state.procedure.sections().iter();
        let result = sections.try_for_each(|section| match self.open_ended {
            true => Ok(()),
            false => self.run(0, *section),
        });
        self.state.rehearsing = false;
        self.state.slots.iter_mut().for_each(Slot::rewind);
        self.state.place = Place::default();
        self.state.measured.clear();
        let limits = &self.state.processor.settings.limits;
        self.budget = limits.executed_commands;
        self.state.read_left = limits.read_bytes;
        self.state.parameters_left = limits.parameter_bytes;
        result
    }

    /// Runs a section of a manifest, after the shared sequence. A section that is not there succeeds.
    // req: SUIT-COM-005, SUIT-SEQ-004
    pub(super) fn run(&mut self, manifest: usize, section: Section) -> Result<(), Failure> {
        self.frames.clear();
        self.enter_section(manifest, section)?;
        self.finish()
    }

    /// Runs the shared sequence of the root manifest by itself, where it has no section that the procedure runs:
    /// a manifest for another device has no effect, and is not recorded either.
    // req: SUIT-COM-010
    pub(super) fn run_shared(&mut self) -> Result<(), Failure> {
        let manifest = self.loaded(0)?.envelope.manifest();
        let mut sections = self.state.procedure.sections().iter();
        if sections.any(|section| manifest.section(*section).is_some()) {
            return Ok(());
        }
        self.frames.clear();
        if let Some(shared) = &manifest.common.shared_sequence {
            let frame = Frame::top_level(0, Section::Validate, true, shared);
            self.frames.push(frame);
        }
        self.finish()
    }

    fn finish(&mut self) -> Result<(), Failure> {
        while !self.frames.is_empty() {
            if let Err(error) = self.step() {
                self.recover(error)?;
            }
        }
        Ok(())
    }

    /// Puts a section and the shared sequence before it on the stack.
    fn enter_section(&mut self, manifest: usize, section: Section) -> Result<bool, Failure> {
        let contents = self.loaded(manifest)?.envelope.manifest();
        let Some(sequence) = contents.section(section) else {
            return Ok(false);
        };
        let sequence = sequence
            .content()
            .ok_or_else(|| Failure::severed_missing(section))?;
        self.frames
            .push(Frame::top_level(manifest, section, false, sequence));
        if let Some(shared) = &contents.common.shared_sequence {
            self.frames
                .push(Frame::top_level(manifest, section, true, shared));
        }
        Ok(true)
    }

    /// Executes the command at hand for one component, or ends the sequence at hand.
    fn step(&mut self) -> Result<(), Failure> {
        let frame = self.frames.last_mut().ok_or_else(Failure::defect)?;
        let manifest = frame.manifest;
        let loaded = self.manifests.get(manifest).ok_or_else(Failure::defect)?;
        let Some(Located { offset, command }) = frame.command() else {
            return self.leave();
        };
        let Some(target) = frame.targets.get(frame.done, loaded.slots.len()) else {
            frame.advance();
            return Ok(());
        };
        self.state.measured.clear();
        self.state.place = Place {
            manifest,
            section: match frame.shared {
                true => SHARED,
                false => frame.section.label(),
            },
            offset: *offset,
            component_index: target as u64,
        };
        self.budget = self
            .budget
            .checked_sub(1)
            .ok_or_else(|| Failure::limit("executed commands"))?;
        frame.order.check_index(command, frame.next)?;
        let slot = loaded.slot(target as u64)?;
        if let Command::Action(action, _) = command {
            let source = match action {
                Action::Copy | Action::Swap => self.state.source(*action, loaded, slot).ok(),
                _ => None,
            };
            for frame in &mut self.frames {
                let turn = (frame.next, frame.done);
                frame.order.touch(turn, *action, slot, source)?;
            }
        }
        let frame = self.frames.last_mut().ok_or_else(Failure::defect)?;
        match self.state.execute(command, loaded, frame, target, slot)? {
            Flow::Done => frame.done += 1,
            Flow::Retarget(targets) => {
                frame.targets = targets;
                frame.advance();
            }
            Flow::Enter(kind, sequence) => {
                let nested = frame.nested(kind, sequence, target);
                self.frames.push(nested);
            }
            Flow::Integrity => {
                self.check_integrity(manifest, target)?;
                self.done_with_target()?;
            }
            Flow::Process(section) => {
                let dependency = self.open_dependency(manifest, target, section)?;
                self.enter_dependency(dependency, section, slot)?;
            }
            Flow::Release => {
                let dependency = self.release_dependency(manifest, target)?;
                self.enter_dependency(dependency, Section::Uninstall, slot)?;
            }
            Flow::Undecided => self.assume()?,
            Flow::Later => self.end_rehearsal(),
        }
        Ok(())
    }

    /// Goes on with a rehearsal as if the command at hand had succeeded: where that is what the procedure
    /// needs to succeed. Where the manifest provides for its failure too, the rehearsal knows no more.
    fn assume(&mut self) -> Result<(), Failure> {
        if self.frames.iter().any(|frame| frame.soft_failure) {
            self.end_rehearsal();
            return Ok(());
        }
        self.done_with_target()
    }

    fn end_rehearsal(&mut self) {
        self.frames.clear();
        self.open_ended = true;
    }

    fn done_with_target(&mut self) -> Result<(), Failure> {
        self.frames.last_mut().ok_or_else(Failure::defect)?.done += 1;
        Ok(())
    }

    /// Ends the sequence at hand, which succeeded.
    fn leave(&mut self) -> Result<(), Failure> {
        let frame = self.frames.pop().ok_or_else(Failure::defect)?;
        if let Kind::TopLevel = frame.kind {
            if frame.shared {
                return Ok(());
            }
            if !self.state.rehearsing {
                // What fails now is no fault of the last command's: it is reported of the whole section.
                self.state.measured.clear();
                self.state.place = Place {
                    manifest: frame.manifest,
                    section: frame.section.label(),
                    ..Place::default()
                };
                self.section_ended(frame.manifest, frame.section)?;
            }
        }
        // The command that ran it is done for this component.
        if let Some(below) = self.frames.last_mut() {
            below.done += 1;
        }
        Ok(())
    }

    /// The place of the last command, and what it measured.
    fn place(&mut self) -> Record {
        let place = self.state.place;
        let manifest = self.manifests.get(place.manifest);
        Record {
            manifest_id: manifest
                .map(|loaded| loaded.path.clone())
                .unwrap_or_default(),
            section: place.section,
            offset: place.offset,
            component_index: place.component_index,
            properties: self.state.measured.take(),
        }
    }

    /// Goes on after a command failed, if the manifest provides for that.
    ///
    /// Only a failed condition under Soft Failure is survived: it ends its sequence, and the next
    /// alternative of Try Each or what follows Run Sequence is next. Everything else ends the procedure.
    // req: SUIT-PROC-012, SUIT-PROC-017, SUIT-PROC-018, SUIT-CMD-010, SUIT-CMD-011, SUIT-CMD-022
    // req: SUIT-PAR-015, SUIT-DEP-028
    fn recover(&mut self, mut failure: Failure) -> Result<(), Failure> {
        let soft = |frame: &Frame<'_>| frame.soft_failure && failure.is_condition();
        let Some(ended) = self.frames.pop_if(|frame| soft(frame)) else {
            // What was found in a dependency before its first command has the place where it was found.
            if *failure.record_mut() == Record::default() {
                *failure.record_mut() = self.place();
            }
            return Err(failure);
        };
        // req: SUIT-REP-008, SUIT-SEQ-010
        let command = ended.command();
        let policy = command.and_then(|located| located.command.policy());
        let policy = policy.unwrap_or_default();
        let is_reported = policy.reports_failure() && !self.state.silent;
        let is_last_alternative = matches!(
            ended.kind,
            Kind::Alternative {
                rest: [],
                or_nothing: false
            }
        );
        if is_reported || is_last_alternative {
            let mut record = self.place();
            if is_last_alternative {
                *failure.record_mut() = record.clone();
            }
            if is_reported {
                if !policy.measures_failure() {
                    record.properties.clear();
                }
                self.state.report(Entry::Record(record));
            }
        }
        self.state.measured.clear();
        let Kind::Alternative { rest, or_nothing } = ended.kind else {
            return self.done_with_target();
        };
        let below = self.frames.last_mut().ok_or_else(Failure::defect)?;
        if let Some((sequence, rest)) = rest.split_first() {
            let slots = &self.manifests.get(below.manifest);
            let count = slots.map_or(0, |loaded| loaded.slots.len());
            let target = below
                .targets
                .get(below.done, count)
                .ok_or_else(Failure::defect)?;
            let next = Kind::Alternative { rest, or_nothing };
            let nested = below.nested(next, sequence, target);
            self.frames.push(nested);
        } else if or_nothing {
            below.done += 1;
        } else {
            return Err(failure);
        }
        Ok(())
    }

    /// Runs a section of the dependency in a slot on top of the command that asks for it, if there is one.
    fn enter_dependency(
        &mut self,
        dependency: Option<usize>,
        section: Section,
        slot: usize,
    ) -> Result<(), Failure> {
        if let Some(dependency) = dependency {
            self.state.slot_mut(slot)?.ran = true;
            if self.enter_section(dependency, section)? {
                return Ok(());
            }
            if section == Section::Uninstall {
                self.unlink_components(dependency)?;
            }
        }
        self.done_with_target()
    }

    /// Removes the components of a manifest that has no uninstall section.
    // req: SUIT-AMB-018
    pub(super) fn unlink_components(&mut self, manifest: usize) -> Result<(), Failure> {
        let loaded = self.manifests.get(manifest).ok_or_else(Failure::defect)?;
        for (index, slot) in loaded.slots.iter().enumerate() {
            if !loaded.is_dependency(index) {
                self.state.act(Action::Unlink, loaded, index, *slot)?;
            }
        }
        Ok(())
    }
}

impl<'r> State<'r> {
    fn execute(
        &mut self,
        command: &'r Command<'r>,
        loaded: &Loaded<'r>,
        frame: &mut Frame<'r>,
        target: usize,
        slot: usize,
    ) -> Result<Flow<'r>, Failure> {
        match command {
            Command::Condition(Condition::DependencyIntegrity, _) if !self.rehearsing => {
                return Ok(Flow::Integrity);
            }
            Command::Condition(condition, policy) => {
                if !self.test_now(*condition, *policy, loaded, target, slot)? {
                    return Ok(Flow::Undecided);
                }
            }
            Command::Action(action, _) => {
                return self.direct(*action, loaded, frame, target, slot);
            }
            Command::SetComponentIndex(index) => return Ok(Flow::Retarget(Targets::of(index))),
            Command::TryEach {
                alternatives,
                or_nothing,
            } => {
                let (first, rest) = alternatives.split_first().ok_or_else(Failure::defect)?;
                let or_nothing = *or_nothing;
                return Ok(Flow::Enter(Kind::Alternative { rest, or_nothing }, first));
            }
            Command::RunSequence(sequence) => {
                let one = matches!(frame.targets, Targets::One(_));
                frame.order.check_run(sequence, one)?;
                return Ok(Flow::Enter(Kind::Run, sequence));
            }
            Command::SetParameters(parameters) => {
                self.set_parameters(slot, parameters, false)?;
                frame.set_parameters(parameters, false)?;
            }
            Command::OverrideParameters(parameters) => {
                self.set_parameters(slot, parameters, true)?;
                frame.set_parameters(parameters, true)?;
            }
            // req: SUIT-UPD-031
            Command::OverrideMultiple(list) => {
                let mut last = Targets::One(target);
                for (index, parameters) in list {
                    self.set_parameters(loaded.slot(*index)?, parameters, true)?;
                    frame.set_parameters(parameters, true)?;
                    last = Targets::one(*index);
                }
                return Ok(Flow::Retarget(last));
            }
            Command::CopyParameters(list) => self.copy_parameters(loaded, slot, list)?,
            Command::Other { label, .. } => return Err(Error::CommandUnsupported(*label).into()),
        }
        Ok(Flow::Done)
    }

    /// A directive that acts on a component, or on what a dependency is.
    fn direct(
        &mut self,
        action: Action,
        loaded: &Loaded<'r>,
        frame: &Frame<'r>,
        target: usize,
        slot: usize,
    ) -> Result<Flow<'r>, Failure> {
        match action {
            Action::ProcessDependency => match (loaded.is_dependency(target), &frame.targets) {
                // What a dependency does, and which parameters it leaves set, nobody knows yet.
                // req: SUIT-DEP-019
                (true, _) if self.rehearsing => Ok(Flow::Later),
                (true, _) => Ok(Flow::Process(frame.section)),
                // req: SUIT-DEP-024
                (false, Targets::All) => Ok(Flow::Done),
                // req: SUIT-DEP-021
                (false, _) => Err(Failure::dependency(
                    &self.slot(slot)?.id,
                    "it is processed, and is none",
                )),
            },
            // To depend on a manifest is no right to what else its place may hold.
            Action::Invoke | Action::Swap if loaded.is_dependency(target) => {
                let id = &self.slot(slot)?.id;
                Err(Failure::dependency(id, "it is used as a component"))
            }
            // req: SUIT-DEP-035
            Action::Unlink if loaded.is_dependency(target) => match frame.section {
                Section::Uninstall => Ok(Flow::Release),
                // Its dependent is here to stay.
                _ => Err(Failure::action(Action::Unlink, Why::InUse)),
            },
            action => {
                self.act(action, loaded, target, slot)?;
                // What is tested after a wait is tested when it is over, and what after an invocation, on what that has
                // made.
                match self.rehearsing && matches!(action, Action::Wait | Action::Invoke) {
                    true => Ok(Flow::Later),
                    false => Ok(Flow::Done),
                }
            }
        }
    }
}

/// The way from the root to a dependency, from that to its dependent.
pub(super) fn path_to(dependent: &[u64], index: usize) -> Vec<u64> {
    let mut path = Vec::with_capacity(dependent.len() + 1);
    path.extend_from_slice(dependent);
    path.push(index as u64);
    path
}
