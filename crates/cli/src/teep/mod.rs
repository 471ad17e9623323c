//! `tamarack teep`: read TEEP messages and traces of exchanges.

mod chart;
mod input;
mod message;
mod show;
mod wrap;

use clap::Subcommand;

use crate::{failure::Failure, output::Output};

#[derive(Subcommand)]
pub(crate) enum Command {
    Show(show::Show),
}

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let Self::Show(show) = self;
        show.run(output)
    }
}
