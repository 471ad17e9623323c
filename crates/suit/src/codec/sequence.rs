use alloc::vec::Vec;
use core::convert::Infallible;

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};

use super::{Command, Located, enter};
use crate::Limits;

/// A command sequence, decoded whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sequence<'a> {
    commands: Vec<Located<'a>>,
}

/// What decoding a sequence needs to know of its surroundings.
pub(super) struct Context<'l> {
    pub(super) limits: &'l Limits,
    /// Whether this is the shared sequence or nested in it.
    shared: bool,
    /// What the manifest may still have.
    left: &'l mut Allowance,
    /// Sequences around the one being read.
    depth: usize,
    /// Where the top-level sequence starts in what the readers' offsets count in.
    start: usize,
}

/// How much more a manifest may hold.
pub(crate) struct Allowance {
    commands: usize,
    parameters: usize,
}

impl Allowance {
    /// That of a whole manifest.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            commands: limits.manifest_commands,
            parameters: limits.manifest_parameters,
        }
    }

    /// Takes what a command adds to the manifest; `None` if that is too much.
    pub(crate) fn spend(&mut self, command: &Command<'_>) -> Option<()> {
        self.commands = self.commands.checked_sub(1)?;
        self.parameters = self.parameters.checked_sub(command.parameter_count())?;
        Some(())
    }
}

impl Context<'_> {
    /// Reads a wrapped sequence within the one being read.
    pub(super) fn nested<'a>(
        &mut self,
        reader: &mut Reader<'a>,
        rule: &'static str,
    ) -> Result<Sequence<'a>, DecodeError> {
        if self.depth >= self.limits.nesting() {
            return Err(reader.error(rule, Problem::TooDeep));
        }
        let inner = enter(reader, self.limits, rule)?;
        self.depth += 1;
        let sequence = self.sequence(inner);
        self.depth -= 1;
        sequence
    }

    // req: SUIT-FMT-004, SUIT-SEQ-004
    fn sequence<'a>(&mut self, mut reader: Reader<'a>) -> Result<Sequence<'a>, DecodeError> {
        const RULE: &str = "SUIT_Command_Sequence";
        let start = reader.clone();
        let items = reader.array(RULE)?;
        if items == 0 || !items.is_multiple_of(2) {
            let problem = Problem::Expected("pairs of command and argument, at least one");
            return Err(start.error(RULE, problem));
        }
        let mut commands = Vec::with_capacity((items / 2).min(self.left.commands));
        for _ in 0..items / 2 {
            let position = reader.clone();
            let command = Command::read(&mut reader, self)?;
            self.left.spend(&command).ok_or_else(|| {
                position.error(RULE, Problem::OutOfBounds("the limit on commands"))
            })?;
            if self.shared && !command.may_be_shared() {
                let problem = Problem::Expected("a command that the shared sequence allows");
                return Err(position.error("SUIT_Shared_Sequence", problem));
            }
            commands.push(Located {
                offset: (position.position() - self.start) as u64,
                command,
            });
        }
        Ok(Sequence { commands })
    }
}

impl<'a> Sequence<'a> {
    /// The commands in order.
    #[must_use]
    pub fn commands(&self) -> &[Located<'a>] {
        &self.commands
    }

    /// Reads a wrapped sequence, which takes from what the manifest has `left`.
    pub(super) fn read(
        reader: &mut Reader<'a>,
        rule: &'static str,
        limits: &Limits,
        shared: bool,
        left: &mut Allowance,
    ) -> Result<Self, DecodeError> {
        let content = enter(reader, limits, rule)?;
        Context {
            limits,
            shared,
            left,
            depth: 0,
            start: content.position(),
        }
        .sequence(content)
    }

    /// The encoded array, without a byte string around it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.array(self.commands.len() * 2);
            for located in &self.commands {
                located.command.write(w);
            }
        })
    }

    /// The same sequence, holding its bytes itself.
    #[must_use]
    pub fn into_owned(self) -> Sequence<'static> {
        let owned = |located: Located<'a>| Located {
            offset: located.offset,
            command: located.command.into_owned(),
        };
        Sequence {
            commands: self.commands.into_iter().map(owned).collect(),
        }
    }

    /// Calls `visit` with every command, nested ones included, in the order of the encoding, until it fails.
    ///
    /// Recursive, but no deeper than sequences nest.
    pub(crate) fn each<'s, E>(
        &'s self,
        visit: &mut dyn FnMut(&'s Located<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        for located in &self.commands {
            visit(located)?;
            for nested in located.command.nested() {
                nested.each(visit)?;
            }
        }
        Ok(())
    }

    /// Every command, nested ones included, in the order of the encoding.
    pub fn walk(&self) -> impl Iterator<Item = &Located<'a>> {
        let mut all = Vec::new();
        let Ok(()) = self.each::<Infallible>(&mut |located| {
            all.push(located);
            Ok(())
        });
        all.into_iter()
    }
}

impl<'a> FromIterator<Command<'a>> for Sequence<'a> {
    /// A sequence of these commands, with their offsets in its encoding (nested ones excepted).
    fn from_iter<I: IntoIterator<Item = Command<'a>>>(commands: I) -> Self {
        let commands: Vec<_> = commands.into_iter().collect();
        let mut w = Writer::new();
        w.array(commands.len() * 2);
        let place = |command: Command<'a>| {
            let offset = w.len() as u64;
            command.write(&mut w);
            Located { offset, command }
        };
        Self {
            commands: commands.into_iter().map(place).collect(),
        }
    }
}
