//! The machine that runs command sequences: an explicit stack of frames, no recursion.
//!
//! A frame is a sequence being run. Nested sequences (Try Each, Run Sequence) and sections of
//! dependencies are frames on top of the one that runs them; every frame has its own component index
//! and Soft Failure, which thereby return to their old values when a sequence ends. The stack is bounded
//! by the nesting that decoding allows and by the depth of dependencies; the work is bounded by a budget
//! of commands.

use alloc::{vec, vec::Vec};

use super::{
    Failure,
    order::{self, Order},
    procedure::Procedure,
    state::{Loaded, Slot, State},
};
use crate::{
    Error, Section, Why,
    codec::{
        Action, Command, Condition, IndexArgument, Located, Parameters, ReportingPolicy, SHARED,
        Sequence,
    },
    report::{Entry, Record},
};

pub(super) struct Machine<'r> {
    pub(super) state: State<'r>,
    /// The manifests that take part; the root is the first.
    pub(super) manifests: Vec<Loaded<'r>>,
    pub(super) procedure: Procedure,
    /// Manifests to be forgotten when the procedure succeeds: their slots.
    pub(super) released: Vec<usize>,
    frames: Vec<Frame>,
    /// Whether a rehearsal came to where only the performance can tell how it goes on.
    open_ended: bool,
    /// Commands that may still be executed.
    budget: usize,
}

/// A sequence being run.
struct Frame {
    manifest: usize,
    section: Section,
    /// Whether this is the shared sequence (which runs before a section), or nested in it.
    shared: bool,
    kind: Kind,
    /// Position of the command to be executed.
    next: usize,
    /// The components that commands are for.
    targets: Targets,
    /// How many of the targets the command at `next` is done with.
    done: usize,
    /// Whether a failed condition ends this sequence only.
    // req: SUIT-PAR-012, SUIT-PAR-013
    soft_failure: bool,
    order: Order,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A section or the shared sequence.
    TopLevel,
    /// An alternative of the Try Each at the frame below, by position.
    Alternative(usize),
    /// The argument of the Run Sequence at the frame below.
    Run,
}

/// The component index in force.
enum Targets {
    One(usize),
    All,
    List(Vec<usize>),
}

impl Targets {
    /// The component in turn, of `count`.
    fn get(&self, turn: usize, count: usize) -> Option<usize> {
        match self {
            Self::One(index) => (turn == 0).then_some(*index),
            Self::All => (turn < count).then_some(turn),
            Self::List(list) => list.get(turn).copied(),
        }
    }
}

/// What follows a command.
enum Flow {
    /// The command is done for this component.
    Done,
    /// A nested sequence is to be run.
    Enter(Kind),
    /// The component index changes.
    Retarget(Targets),
    /// Dependency Integrity is to be checked.
    Integrity,
    /// The dependency's section is to be run.
    Process(Section),
    /// In a rehearsal: what comes of the command, only the performance will tell.
    Undecided,
    /// In a rehearsal: what holds after the command, only the performance will tell.
    Later,
}

impl<'r> Machine<'r> {
    pub(super) fn new(state: State<'r>, procedure: Procedure) -> Self {
        let budget = state.processor.settings.limits.executed_commands;
        Self {
            state,
            manifests: Vec::new(),
            procedure,
            released: Vec::new(),
            frames: Vec::new(),
            open_ended: false,
            budget,
        }
    }

    /// Goes through the sections of the root manifest without any effect, so that everything that can be
    /// known to fail fails before the first effect: conditions about the device, the time and what is
    /// there already, and directives that lack what they need.
    ///
    /// A rehearsal never refuses what the performance would accept: where an outcome depends on content
    /// that is not there yet, or on another manifest, it is assumed to be what the procedure needs, or
    /// the rehearsal ends.
    // req: SUIT-COM-010
    pub(super) fn rehearse(&mut self) -> Result<(), Failure> {
        let budget = self.budget;
        self.state.rehearsing = true;
        for section in self.procedure.sections() {
            if self.open_ended {
                break;
            }
            self.run(0, *section)?;
        }
        self.state.rehearsing = false;
        self.state.slots.iter_mut().for_each(Slot::rewind);
        self.state.entries.clear();
        self.state.position = Record::default();
        self.budget = budget;
        let limits = &self.state.processor.settings.limits;
        self.state.read_left = limits.read_bytes;
        self.state.parameters_left = limits.parameter_bytes;
        Ok(())
    }

    /// Runs a section of a manifest, after the shared sequence. A section that is not there succeeds.
    // req: SUIT-COM-005, SUIT-SEQ-004
    pub(super) fn run(&mut self, manifest: usize, section: Section) -> Result<(), Failure> {
        self.frames.clear();
        self.enter_section(manifest, section)?;
        while !self.frames.is_empty() {
            if let Err(error) = self.step() {
                self.recover(error)?;
            }
        }
        Ok(())
    }

    /// Puts a section and the shared sequence before it on the stack.
    fn enter_section(&mut self, manifest: usize, section: Section) -> Result<bool, Failure> {
        let loaded = self.manifests.get(manifest).ok_or_else(Failure::defect)?;
        let manifest_value = loaded.envelope().manifest();
        let Some(sequence) = manifest_value.section(section) else {
            return Ok(false);
        };
        if sequence.content().is_none() {
            return Err(Error::SeveredMissing(section.name()).into());
        }
        let has_shared = manifest_value.common.shared_sequence.is_some();
        for shared in [false, true] {
            if shared && !has_shared {
                continue;
            }
            self.frames.push(Frame {
                manifest,
                section,
                shared,
                kind: Kind::TopLevel,
                next: 0,
                targets: Targets::One(0),
                done: 0,
                soft_failure: false,
                order: Order::default(),
            });
        }
        Ok(true)
    }

    /// Executes the command at hand for one component, or ends the sequence at hand.
    fn step(&mut self) -> Result<(), Failure> {
        let frame = self.frames.last().ok_or_else(Failure::defect)?;
        let manifest = frame.manifest;
        let loaded = self.manifests.get(manifest).ok_or_else(Failure::defect)?;
        let sequence = sequence_at(loaded, &self.frames).ok_or_else(Failure::defect)?;
        let Some(Located { offset, command }) = sequence.commands().get(frame.next) else {
            return self.leave();
        };
        let Some(target) = frame.targets.get(frame.done, loaded.slots.len()) else {
            return self.advance();
        };
        self.state.position = Record {
            manifest_id: loaded.path.clone(),
            section: match frame.shared {
                true => SHARED,
                false => frame.section.label(),
            },
            offset: *offset,
            component_index: target as u64,
            properties: Parameters::new(),
        };
        self.budget = self
            .budget
            .checked_sub(1)
            .ok_or(Error::LimitExceeded("executed commands"))?;
        let frame = self.frames.last_mut().ok_or_else(Failure::defect)?;
        frame.order.check_index(command, frame.next)?;
        let slot = loaded.slot(target as u64)?;
        match command {
            Command::Action(action, _) => {
                let source = match action {
                    Action::Copy | Action::Swap => self.state.source(*action, loaded, slot).ok(),
                    _ => None,
                };
                frame.order.touch(*action, slot, source)?;
            }
            Command::RunSequence(sequence) => {
                let one = matches!(frame.targets, Targets::One(_));
                frame.order.check_run(sequence, one)?;
            }
            _ => {}
        }
        let (strict_order, soft_failure) = order::of_processor(command);
        let flow = self.state.execute(command, loaded, frame, target, slot)?;
        if let Some(strict_order) = strict_order {
            frame.order.set_strict(strict_order);
        }
        if let Some(soft_failure) = soft_failure {
            // req: SUIT-PAR-014
            if frame.kind == Kind::TopLevel {
                return Err(Failure::invalid(
                    "sets soft-failure outside a nested sequence",
                ));
            }
            frame.soft_failure = soft_failure;
        }
        match flow {
            Flow::Done => frame.done += 1,
            Flow::Retarget(targets) => {
                frame.targets = targets;
                return self.advance();
            }
            // req: SUIT-COM-018, SUIT-PAR-012
            Flow::Enter(kind) => {
                let nested = Frame {
                    manifest,
                    section: frame.section,
                    shared: frame.shared,
                    kind,
                    next: 0,
                    targets: Targets::One(target),
                    done: 0,
                    soft_failure: matches!(kind, Kind::Alternative(_)),
                    order: frame.order.nested(),
                };
                self.frames.push(nested);
            }
            Flow::Integrity => {
                self.check_integrity(manifest, target)?;
                self.done_with_target()?;
            }
            Flow::Process(section) => self.process(manifest, target, section)?,
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

    /// Goes on to the next command.
    fn advance(&mut self) -> Result<(), Failure> {
        let frame = self.frames.last_mut().ok_or_else(Failure::defect)?;
        frame.next += 1;
        frame.done = 0;
        Ok(())
    }

    fn done_with_target(&mut self) -> Result<(), Failure> {
        self.frames.last_mut().ok_or_else(Failure::defect)?.done += 1;
        Ok(())
    }

    /// Ends the sequence at hand, which succeeded.
    fn leave(&mut self) -> Result<(), Failure> {
        let frame = self.frames.pop().ok_or_else(Failure::defect)?;
        if frame.kind == Kind::TopLevel {
            if frame.shared {
                return Ok(());
            }
            if !self.state.rehearsing {
                self.section_ended(frame.manifest, frame.section)?;
            }
        }
        // The command that ran it is done for this component.
        if let Some(below) = self.frames.last_mut() {
            below.done += 1;
        }
        Ok(())
    }

    /// Goes on after a command failed, if the manifest provides for that.
    ///
    /// Only a failed condition under Soft Failure is survived: it ends its sequence, and the next
    /// alternative of Try Each or what follows Run Sequence is next. Everything else ends the procedure.
    // req: SUIT-PROC-012, SUIT-PROC-017, SUIT-PROC-018, SUIT-CMD-010, SUIT-CMD-011, SUIT-CMD-022
    // req: SUIT-PAR-015, SUIT-DEP-028
    fn recover(&mut self, failure: Failure) -> Result<(), Failure> {
        let abort = |state: &mut State<'_>, mut failure: Failure| {
            *failure.record_mut() = core::mem::take(&mut state.position);
            Err(failure)
        };
        let soft =
            failure.is_condition() && self.frames.last().is_some_and(|frame| frame.soft_failure);
        if !soft {
            return abort(&mut self.state, failure);
        }
        // req: SUIT-REP-008, SUIT-SEQ-010
        let policy = self.policy();
        if policy.reports_failure() {
            let mut record = self.state.position.clone();
            if !policy.measures_failure() {
                record.properties = Parameters::new();
            }
            self.state.report(Entry::Record(record));
        }
        let ended = self.frames.pop().ok_or_else(Failure::defect)?;
        let Kind::Alternative(position) = ended.kind else {
            return self.done_with_target();
        };
        let below = self.frames.last().ok_or_else(Failure::defect)?;
        let loaded = self
            .manifests
            .get(below.manifest)
            .ok_or_else(Failure::defect)?;
        let command = sequence_at(loaded, &self.frames)
            .and_then(|sequence| sequence.commands().get(below.next))
            .map(|located| &located.command);
        let Some(Command::TryEach {
            alternatives,
            or_nothing,
        }) = command
        else {
            return Err(Failure::defect());
        };
        if position + 1 < alternatives.len() {
            let target = below
                .targets
                .get(below.done, loaded.slots.len())
                .ok_or_else(Failure::defect)?;
            let order = below.order.nested();
            self.frames.push(Frame {
                kind: Kind::Alternative(position + 1),
                next: 0,
                targets: Targets::One(target),
                done: 0,
                soft_failure: true,
                order,
                ..ended
            });
            Ok(())
        } else if *or_nothing {
            self.done_with_target()
        } else {
            abort(&mut self.state, failure)
        }
    }

    /// What the command at hand asks to be reported.
    fn policy(&self) -> ReportingPolicy {
        let policy = self.frames.last().and_then(|frame| {
            let loaded = self.manifests.get(frame.manifest)?;
            let commands = sequence_at(loaded, &self.frames)?.commands();
            commands.get(frame.next)?.command.policy()
        });
        policy.unwrap_or_default()
    }

    /// Runs a dependency's section on top of the command that asks for it.
    fn process(&mut self, manifest: usize, target: usize, section: Section) -> Result<(), Failure> {
        let Some(dependency) = self.open_dependency(manifest, target, section)? else {
            return self.done_with_target();
        };
        if !self.enter_section(dependency, section)? {
            self.done_with_target()?;
        }
        Ok(())
    }
}

impl<'r> State<'r> {
    fn execute(
        &mut self,
        command: &Command<'r>,
        loaded: &Loaded<'_>,
        frame: &Frame,
        target: usize,
        slot: usize,
    ) -> Result<Flow, Failure> {
        match command {
            Command::Condition(Condition::DependencyIntegrity, _) if !self.rehearsing => {
                return Ok(Flow::Integrity);
            }
            Command::Condition(condition, policy) => {
                if !self.test_now(*condition, *policy, loaded, target, slot)? {
                    return Ok(Flow::Undecided);
                }
            }
            Command::Action(Action::ProcessDependency, _) => {
                return match (loaded.is_dependency(target), &frame.targets) {
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
                };
            }
            // req: SUIT-DEP-035
            Command::Action(Action::Unlink, _) if loaded.is_dependency(target) => {
                return match frame.section {
                    Section::Uninstall => Ok(Flow::Process(Section::Uninstall)),
                    // Its dependent is here to stay.
                    _ => Err(Failure::action(Action::Unlink, Why::InUse)),
                };
            }
            Command::Action(action, _) => {
                self.act(*action, loaded, target, slot)?;
                // What is tested after a wait is tested when it is over.
                if self.rehearsing && *action == Action::Wait {
                    return Ok(Flow::Later);
                }
            }
            Command::SetComponentIndex(index) => {
                return targets(index, loaded.slots.len()).map(Flow::Retarget);
            }
            Command::TryEach { .. } => return Ok(Flow::Enter(Kind::Alternative(0))),
            Command::RunSequence(_) => return Ok(Flow::Enter(Kind::Run)),
            Command::SetParameters(parameters) => self.set_parameters(slot, parameters, false)?,
            Command::OverrideParameters(parameters) => {
                self.set_parameters(slot, parameters, true)?;
            }
            // req: SUIT-UPD-031
            Command::OverrideMultiple(list) => {
                let mut last = IndexArgument::One(target as u64);
                for (index, parameters) in list {
                    self.set_parameters(loaded.slot(*index)?, parameters, true)?;
                    last = IndexArgument::One(*index);
                }
                return targets(&last, loaded.slots.len()).map(Flow::Retarget);
            }
            Command::CopyParameters(list) => self.copy_parameters(loaded, slot, list)?,
            Command::Other { label, .. } => return Err(Error::CommandUnsupported(*label).into()),
        }
        Ok(Flow::Done)
    }
}

/// The components that an index argument names, of `count`.
// req: SUIT-COM-014, SUIT-COM-016, SUIT-COM-017
fn targets(argument: &IndexArgument, count: usize) -> Result<Targets, Failure> {
    let one = |index: &u64| {
        usize::try_from(*index)
            .ok()
            .filter(|at| *at < count)
            .ok_or_else(|| Failure::no_component(*index))
    };
    Ok(match argument {
        IndexArgument::One(index) => Targets::One(one(index)?),
        IndexArgument::All => Targets::All,
        IndexArgument::List(list) => Targets::List(list.iter().map(one).collect::<Result<_, _>>()?),
    })
}

/// The sequence of the topmost frame.
///
/// Frames hold no reference into their manifest; the sequence is found by following the frames up from
/// their section, which are few.
fn sequence_at<'m, 'r>(loaded: &'m Loaded<'r>, frames: &[Frame]) -> Option<&'m Sequence<'r>> {
    let base = frames
        .iter()
        .rposition(|frame| frame.kind == Kind::TopLevel)?;
    let (base, nested) = frames.get(base..)?.split_first()?;
    let manifest = loaded.envelope().manifest();
    let mut sequence = match base.shared {
        true => manifest.common.shared_sequence.as_ref()?,
        false => manifest.section(base.section)?.content()?,
    };
    let mut next = base.next;
    for frame in nested {
        sequence = match (&sequence.commands().get(next)?.command, frame.kind) {
            (Command::TryEach { alternatives, .. }, Kind::Alternative(at)) => {
                alternatives.get(at)?
            }
            (Command::RunSequence(inner), Kind::Run) => inner,
            _ => return None,
        };
        next = frame.next;
    }
    Some(sequence)
}

/// The path to a dependency, from that of its dependent.
pub(super) fn path_to(dependent: &[u64], index: usize) -> Vec<u64> {
    let mut path = vec![index as u64];
    path.splice(0..0, dependent.iter().copied());
    path
}
