use alloc::{borrow::Cow, vec::Vec};
use core::slice;

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Type, Writer};

use super::{Parameter, Parameters, Sequence, bounded, label::command as label, several};
use crate::Limits;

/// A test that a sequence makes. None of them changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Condition {
    /// 1: the component takes software of vendor parameter 1.
    VendorIdentifier,
    /// 2: the component is of class parameter 2.
    ClassIdentifier,
    /// 3: the component's content has digest parameter 3 (and size parameter 14).
    ImageMatch,
    /// 4: now is before parameter 4.
    UseBefore,
    /// 5: the component's slot is parameter 5.
    ComponentSlot,
    /// 6: the component's content is parameter 18.
    CheckContent,
    /// 7: the component holds the envelope with digest parameter 3, and it is authentic.
    DependencyIntegrity,
    /// 8: the component is a dependency.
    IsDependency,
    /// 14: never holds.
    Abort,
    /// 24: this is device parameter 24.
    DeviceIdentifier,
    /// 25: the component's content does not have digest parameter 3.
    ImageNotMatch,
    /// 26: the battery holds at least parameter 26.
    MinimumBattery,
    /// 27: the application agrees to an update of priority parameter 27.
    UpdateAuthorized,
    /// 28: the component's version compares as parameter 28 says.
    Version,
}

/// A directive whose argument is a reporting policy: it does something to the component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// 11: runs the same section of the dependency.
    ProcessDependency,
    /// 18: stores parameter 18.
    Write,
    /// 21: stores what is found at parameter 21.
    Fetch,
    /// 22: stores the content of the component with index parameter 22.
    Copy,
    /// 23: starts the component.
    Invoke,
    /// 29: waits for the events of parameter 29.
    Wait,
    /// 31: exchanges contents with the component of index parameter 22.
    Swap,
    /// 33: removes the component once nothing refers to it.
    Unlink,
}

macro_rules! labels {
    ($type:ident: $($variant:ident = $label:ident, $name:literal;)*) => {
        impl $type {
            /// The label in the command registry.
            #[must_use]
            pub fn label(self) -> i64 {
                match self { $(Self::$variant => label::$label,)* }
            }

            /// The name in the command registry.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub(crate) fn from_label(number: i64) -> Option<Self> {
                match number {
                    $(label::$label => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

labels! { Condition:
    VendorIdentifier = VENDOR_IDENTIFIER, "vendor-identifier";
    ClassIdentifier = CLASS_IDENTIFIER, "class-identifier";
    ImageMatch = IMAGE_MATCH, "image-match";
    UseBefore = USE_BEFORE, "use-before";
    ComponentSlot = COMPONENT_SLOT, "component-slot";
    CheckContent = CHECK_CONTENT, "check-content";
    DependencyIntegrity = DEPENDENCY_INTEGRITY, "dependency-integrity";
    IsDependency = IS_DEPENDENCY, "is-dependency";
    Abort = ABORT, "abort";
    DeviceIdentifier = DEVICE_IDENTIFIER, "device-identifier";
    ImageNotMatch = IMAGE_NOT_MATCH, "image-not-match";
    MinimumBattery = MINIMUM_BATTERY, "minimum-battery";
    UpdateAuthorized = UPDATE_AUTHORIZED, "update-authorized";
    Version = VERSION, "version";
}

labels! { Action:
    ProcessDependency = PROCESS_DEPENDENCY, "process-dependency";
    Write = WRITE, "write";
    Fetch = FETCH, "fetch";
    Copy = COPY, "copy";
    Invoke = INVOKE, "invoke";
    Wait = WAIT, "wait";
    Swap = SWAP, "swap";
    Unlink = UNLINK, "unlink";
}

/// What a command asks to be reported: a field of four bits.
// req: SUIT-SEQ-009
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ReportingPolicy(u8);

impl ReportingPolicy {
    /// Report nothing.
    pub const NONE: Self = Self(0);
    /// Bit 1: a record on failure.
    pub const ON_FAILURE: Self = Self(2);
    /// All four bits.
    pub const ALL: Self = Self(15);

    /// A policy of these bits; `None` above 15.
    #[must_use]
    pub fn new(bits: u8) -> Option<Self> {
        (bits <= 15).then_some(Self(bits))
    }

    /// The bits.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether success is to be reported (bit 0, or bit 2 with system information).
    #[must_use]
    pub fn reports_success(self) -> bool {
        self.0 & 0b0101 != 0
    }

    /// Whether failure is to be reported (bit 1, or bit 3 with system information).
    #[must_use]
    pub fn reports_failure(self) -> bool {
        self.0 & 0b1010 != 0
    }

    /// Whether a record of failure says what was measured (bit 3).
    #[must_use]
    pub fn measures_failure(self) -> bool {
        self.0 & 0b1000 != 0
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_Rep_Policy";
        let start = reader.clone();
        u8::try_from(reader.uint(RULE)?)
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| start.error(RULE, Problem::OutOfBounds("0 to 15")))
    }
}

/// The components that the following commands are for (argument of command 12).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IndexArgument {
    /// The component at this position.
    One(u64),
    /// `true`: each component, in order.
    All,
    /// Each of these, in this order; at least one.
    List(Vec<u64>),
}

impl IndexArgument {
    /// Whether commands under this index apply to the component at `index`.
    #[must_use]
    pub fn covers(&self, index: u64) -> bool {
        match self {
            Self::One(one) => *one == index,
            Self::All => true,
            Self::List(list) => list.contains(&index),
        }
    }
}

impl IndexArgument {
    // req: SUIT-COM-015
    fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        const RULE: &str = "IndexArg";
        let start = reader.clone();
        match reader.peek() {
            Type::Uint => reader.uint(RULE).map(Self::One),
            Type::Bool if reader.bool(RULE)? => Ok(Self::All),
            Type::Array => {
                let count = reader.array(RULE)?;
                if count == 0 {
                    return Err(start.error(RULE, Problem::OutOfBounds("one index or more")));
                }
                let count = bounded(count, limits, reader, RULE)?;
                several(count, || reader.uint(RULE)).map(Self::List)
            }
            _ => Err(start.error(
                RULE,
                Problem::Expected("an index, true, or a list of indices"),
            )),
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::One(index) => {
                w.uint(*index);
            }
            Self::All => {
                w.bool(true);
            }
            Self::List(list) => {
                w.array(list.len());
                for index in list {
                    w.uint(*index);
                }
            }
        }
    }
}

/// One command of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command<'a> {
    /// A condition.
    Condition(Condition, ReportingPolicy),
    /// A directive that acts on the component.
    Action(Action, ReportingPolicy),
    /// 12: chooses the component.
    SetComponentIndex(IndexArgument),
    /// 15: runs alternatives until one succeeds.
    TryEach {
        /// The alternatives in order; at least one.
        alternatives: Vec<Sequence<'a>>,
        /// Whether a final `nil` makes the command succeed when none of them does.
        or_nothing: bool,
    },
    /// 19: sets those parameters that are not set yet.
    SetParameters(Parameters<'a>),
    /// 20: sets parameters.
    OverrideParameters(Parameters<'a>),
    /// 32: runs a sequence.
    RunSequence(Sequence<'a>),
    /// 34: sets parameters of several components.
    OverrideMultiple(Vec<(u64, Parameters<'a>)>),
    /// 35: copies parameters from other components: index and labels.
    CopyParameters(Vec<(u64, Vec<i64>)>),
    /// A command that is not registered, with its encoded argument. Never supported.
    Other {
        /// The label; negative for custom commands.
        label: i64,
        /// The encoded argument.
        argument: Cow<'a, [u8]>,
    },
}

impl<'a> Command<'a> {
    /// The label in the command registry.
    #[must_use]
    pub fn label(&self) -> i64 {
        match self {
            Self::Condition(condition, _) => condition.label(),
            Self::Action(action, _) => action.label(),
            Self::SetComponentIndex(_) => label::SET_COMPONENT_INDEX,
            Self::TryEach { .. } => label::TRY_EACH,
            Self::SetParameters(_) => label::SET_PARAMETERS,
            Self::OverrideParameters(_) => label::OVERRIDE_PARAMETERS,
            Self::RunSequence(_) => label::RUN_SEQUENCE,
            Self::OverrideMultiple(_) => label::OVERRIDE_MULTIPLE,
            Self::CopyParameters(_) => label::COPY_PARAMS,
            Self::Other { label, .. } => *label,
        }
    }

    /// The name in the command registry.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Condition(condition, _) => condition.name(),
            Self::Action(action, _) => action.name(),
            Self::SetComponentIndex(_) => "set-component-index",
            Self::TryEach { .. } => "try-each",
            Self::SetParameters(_) => "set-parameters",
            Self::OverrideParameters(_) => "override-parameters",
            Self::RunSequence(_) => "run-sequence",
            Self::OverrideMultiple(_) => "override-multiple",
            Self::CopyParameters(_) => "copy-params",
            Self::Other { .. } => "unknown command",
        }
    }

    /// The parameters that the command sets.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &Parameter<'a>> {
        let (one, several) = match self {
            Self::SetParameters(list) | Self::OverrideParameters(list) => (Some(list), None),
            Self::OverrideMultiple(lists) => (None, Some(lists)),
            _ => (None, None),
        };
        let several = several.into_iter().flatten().map(|(_, list)| list);
        one.into_iter().chain(several).flat_map(Parameters::iter)
    }

    /// How many parameters the command sets, or copies.
    pub(crate) fn parameter_count(&self) -> usize {
        match self {
            Self::SetParameters(list) | Self::OverrideParameters(list) => list.len(),
            Self::OverrideMultiple(lists) => lists.iter().map(|(_, list)| list.len()).sum(),
            Self::CopyParameters(lists) => lists.iter().map(|(_, labels)| labels.len()).sum(),
            _ => 0,
        }
    }

    /// The reporting policy, of commands that have one.
    #[must_use]
    pub fn policy(&self) -> Option<ReportingPolicy> {
        match self {
            Self::Condition(_, policy) | Self::Action(_, policy) => Some(*policy),
            _ => None,
        }
    }

    /// The sequences that the command runs, or may run, in the order of the encoding.
    pub(crate) fn nested(&self) -> &[Sequence<'a>] {
        match self {
            Self::TryEach { alternatives, .. } => alternatives,
            Self::RunSequence(sequence) => slice::from_ref(sequence),
            _ => &[],
        }
    }

    /// Whether the command says which components those after it are for.
    // req: SUIT-UPD-031
    pub(crate) fn chooses_components(&self) -> bool {
        matches!(self, Self::SetComponentIndex(_) | Self::OverrideMultiple(_))
    }

    /// Whether the command may stand in the shared sequence.
    // req: SUIT-COM-007, SUIT-COM-008
    pub(super) fn may_be_shared(&self) -> bool {
        match self {
            Self::Condition(..)
            | Self::SetComponentIndex(_)
            | Self::TryEach { .. }
            | Self::SetParameters(_)
            | Self::OverrideParameters(_)
            | Self::RunSequence(_) => true,
            Self::Action(..)
            | Self::OverrideMultiple(_)
            | Self::CopyParameters(_)
            | Self::Other { .. } => false,
        }
    }

    // req: SUIT-SEQ-005, SUIT-CMD-009, SUIT-CMD-021
    pub(super) fn read(
        reader: &mut Reader<'a>,
        context: &mut super::sequence::Context<'_>,
    ) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_Command_Sequence / command";
        let start = reader.clone();
        let number = reader.int(RULE)?;
        let limits = context.limits;
        Ok(match number {
            0 => return Err(start.error(RULE, Problem::OutOfBounds("labels other than 0"))),
            label::SET_COMPONENT_INDEX => {
                Self::SetComponentIndex(IndexArgument::read(reader, limits)?)
            }
            label::TRY_EACH => {
                const RULE: &str = "SUIT_Directive_Try_Each_Argument";
                let start = reader.clone();
                let count = reader.array(RULE)?;
                let mut alternatives = Vec::new();
                let mut or_nothing = false;
                for position in 1..=count {
                    if position == count && position > 1 && reader.take_null() {
                        or_nothing = true;
                    } else {
                        alternatives.push(context.nested(reader, RULE)?);
                    }
                }
                if alternatives.is_empty() {
                    return Err(start.error(RULE, Problem::OutOfBounds("one alternative or more")));
                }
                Self::TryEach {
                    alternatives,
                    or_nothing,
                }
            }
            label::SET_PARAMETERS => Self::SetParameters(Parameters::read(reader, limits, 1)?),
            label::OVERRIDE_PARAMETERS => {
                Self::OverrideParameters(Parameters::read(reader, limits, 1)?)
            }
            label::RUN_SEQUENCE => {
                Self::RunSequence(context.nested(reader, "suit-directive-run-sequence")?)
            }
            label::OVERRIDE_MULTIPLE => Self::OverrideMultiple(by_index(
                reader,
                limits,
                "SUIT_Override_Mult_Arg",
                |reader| Parameters::read(reader, limits, 1),
            )?),
            label::COPY_PARAMS => {
                const RULE: &str = "SUIT_Directive_Copy_Params";
                Self::CopyParameters(by_index(reader, limits, RULE, |reader| {
                    let start = reader.clone();
                    match reader.array(RULE)? {
                        0 => Err(start.error(RULE, Problem::OutOfBounds("one label or more"))),
                        count => {
                            let count = bounded(count, limits, reader, RULE)?;
                            several(count, || reader.int(RULE))
                        }
                    }
                })?)
            }
            number => {
                if let Some(condition) = Condition::from_label(number) {
                    Self::Condition(condition, ReportingPolicy::read(reader)?)
                } else if let Some(action) = Action::from_label(number) {
                    Self::Action(action, ReportingPolicy::read(reader)?)
                } else {
                    Self::Other {
                        label: number,
                        argument: reader.raw(RULE)?.into(),
                    }
                }
            }
        })
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.int(self.label());
        match self {
            Self::Condition(_, policy) | Self::Action(_, policy) => {
                w.uint(u64::from(policy.bits()));
            }
            Self::SetComponentIndex(index) => index.write(w),
            Self::TryEach {
                alternatives,
                or_nothing,
            } => {
                w.array(alternatives.len() + usize::from(*or_nothing));
                for alternative in alternatives {
                    w.bytes(&alternative.encode());
                }
                if *or_nothing {
                    w.null();
                }
            }
            Self::SetParameters(parameters) | Self::OverrideParameters(parameters) => {
                parameters.write(w);
            }
            Self::RunSequence(sequence) => {
                w.bytes(&sequence.encode());
            }
            Self::OverrideMultiple(list) => {
                w.map(list.len());
                for (index, parameters) in list {
                    w.uint(*index);
                    parameters.write(w);
                }
            }
            Self::CopyParameters(list) => {
                w.map(list.len());
                for (index, labels) in list {
                    w.uint(*index).array(labels.len());
                    for label in labels {
                        w.int(*label);
                    }
                }
            }
            Self::Other { argument, .. } => {
                w.raw(argument);
            }
        }
    }

    /// The same command, holding its bytes itself.
    #[must_use]
    pub fn into_owned(self) -> Command<'static> {
        match self {
            Self::Condition(condition, policy) => Command::Condition(condition, policy),
            Self::Action(action, policy) => Command::Action(action, policy),
            Self::SetComponentIndex(index) => Command::SetComponentIndex(index),
            Self::TryEach {
                alternatives,
                or_nothing,
            } => Command::TryEach {
                alternatives: alternatives.into_iter().map(Sequence::into_owned).collect(),
                or_nothing,
            },
            Self::SetParameters(parameters) => Command::SetParameters(parameters.into_owned()),
            Self::OverrideParameters(parameters) => {
                Command::OverrideParameters(parameters.into_owned())
            }
            Self::RunSequence(sequence) => Command::RunSequence(sequence.into_owned()),
            Self::OverrideMultiple(list) => Command::OverrideMultiple(
                list.into_iter()
                    .map(|(index, parameters)| (index, parameters.into_owned()))
                    .collect(),
            ),
            Self::CopyParameters(list) => Command::CopyParameters(list),
            Self::Other { label, argument } => Command::Other {
                label,
                argument: Cow::Owned(argument.into_owned()),
            },
        }
    }
}

/// Reads a non-empty map with component indices as keys.
fn by_index<'a, T>(
    reader: &mut Reader<'a>,
    limits: &Limits,
    rule: &'static str,
    mut value: impl FnMut(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Vec<(u64, T)>, DecodeError> {
    let start = reader.clone();
    match reader.map(rule)? {
        0 => Err(start.error(rule, Problem::OutOfBounds("one entry or more"))),
        count => {
            let count = bounded(count, limits, reader, rule)?;
            several(count, || Ok((reader.uint(rule)?, value(reader)?)))
        }
    }
}

/// A command and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<'a> {
    /// Byte offset of the command's label, from the first byte of the top-level sequence it belongs to.
    pub offset: u64,
    /// The command.
    pub command: Command<'a>,
}
