//! `tamarack bench`: measure, each figure beside the bare cost of the same work.

mod messages;
mod sessions;
mod suit;
mod tam;
mod tee;

use clap::Subcommand;

use crate::{failure::Failure, output::Output};

#[derive(Subcommand)]
pub(crate) enum Command {
    Tam(tam::Tam),
    Messages(messages::Messages),
    Suit(suit::Suit),
    Tee(tee::Tee),
}

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Tam(command) => command.run(output),
            Self::Messages(command) => command.run(output),
            Self::Suit(command) => command.run(output),
            Self::Tee(command) => command.run(output),
        }
    }
}
