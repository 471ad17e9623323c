//! `tamarack`: a TAM, a TEE, a broker, and the tools around them, in one binary.
//!
//! Each subcommand is a module with its arguments and a `run`. Results go to standard output, for people or
//! with `--json` for programs; everything else goes to standard error. Exit codes: 0 done, 1 failed,
//! 2 wrong usage; `manifest diff` says with 1 that there is a difference, and with 2 that it failed; `manifest
//! run` says with 3 that it may succeed later; `app` says with 3 that a trusted application returned another result
//! than success, and with 4 that the user may not do this.

mod admin;
mod app;
mod bench;
mod broker;
mod demo;
mod encryption_keys;
mod failure;
mod files;
mod hss_file;
mod http;
mod key;
mod key_file;
mod logging;
mod manifest;
mod output;
mod processes;
mod progress;
mod signals;
mod symmetric_file;
mod tam;
mod tee;
mod teep;
mod trace;
mod trust;
mod verifier;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;
use output::{Output, patient};

/// TEEP: trusted applications for trusted execution environments.
///
/// A TAM (`tam`) decides which trusted applications each device's TEE may hold; the agent in the TEE (`tee`)
/// installs, updates, runs and removes them; the broker (`broker`) carries messages between the two.
/// `tamarack demo` shows all of it at work on this machine.
#[derive(Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
struct Arguments {
    /// Print results as JSON, for programs.
    #[arg(long, global = true)]
    json: bool,

    /// Say more on standard error; twice for everything. `TAMARACK_LOG` sets it by module.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Arguments),
    /// Run a TAM, or show its keys.
    #[command(subcommand)]
    Tam(tam::Command),
    Admin(admin::Arguments),
    /// Run a Verifier, or show its key.
    #[command(subcommand)]
    Verifier(verifier::Command),
    /// Run a TEE, or prepare one.
    #[command(subcommand)]
    Tee(tee::Command),
    /// Run a broker between a TEE and a TAM.
    #[command(subcommand)]
    Broker(broker::Command),
    App(app::Arguments),
    /// Make keys and show them.
    ///
    /// `-` is standard input where a file is read, and standard output where one is written.
    #[command(subcommand)]
    Key(key::Command),
    /// Sets of trust anchors, which reach devices as trusted components.
    #[command(subcommand)]
    Trust(trust::Command),
    /// Make, sign, read, verify, run, encrypt, compare and take apart SUIT manifests.
    ///
    /// `-` is standard input where a file is read, and standard output where one is written: nothing else is printed
    /// there then. A command can have one of each there.
    ///
    /// A file that is written is there when it is whole, and takes the place of an older one in one step. No output
    /// may be an input too, but that `sign` and `sever` work in place. Symbolic links are followed; devices and pipes
    /// are written to.
    #[command(subcommand)]
    Manifest(manifest::Command),
    /// Read TEEP messages.
    #[command(subcommand)]
    Teep(teep::Command),
    /// Measure, each figure beside the bare cost of the same work.
    #[command(subcommand)]
    Bench(bench::Command),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error),
    };
    logging::start(arguments.verbose);
    let output = Output::new(arguments.json);
    let outcome = match arguments.command {
        Command::Demo(command) => command.run(output),
        Command::Tam(command) => command.run(output),
        Command::Admin(command) => command.run(output),
        Command::Verifier(command) => command.run(output),
        Command::Tee(command) => command.run(output),
        Command::Broker(command) => command.run(output),
        Command::App(command) => command.run(output),
        Command::Key(command) => command.run(output),
        Command::Trust(command) => command.run(output),
        Command::Manifest(command) => command.run(output),
        Command::Teep(command) => command.run(output),
        Command::Bench(command) => command.run(output),
    };
    let mut code = 0;
    for failure in [outcome, output.arrived()]
        .into_iter()
        .filter_map(Result::err)
    {
        if !failure.message().is_empty() {
            output.failure(&failure);
        }
        if code == 0 {
            code = failure.exit_code();
        }
    }
    ExitCode::from(code)
}

/// Prints help, or what was wrong with the arguments.
fn explained(error: &clap::Error) -> ExitCode {
    match patient(error.print()) {
        Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1)),
        Err(fault) => {
            Output::new(false).failure(&Failure::new(format!("standard output: {fault}")));
            ExitCode::FAILURE
        }
    }
}

/// Says why a command line is none: to programs in JSON too. Help, which clap treats as an error, is for people.
fn refused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || !std::env::args_os().any(|argument| argument == "--json") {
        return explained(error);
    }
    let text = error.render().to_string();
    let message = text.split("\n\nUsage:").next().unwrap_or_default();
    let message = message.trim().trim_start_matches("error: ");
    let failure = Failure::usage(message).hint("`--help` after the command explains it");
    Output::new(true).failure(&failure);
    ExitCode::from(failure.exit_code())
}

/// Runs a future to its end on a runtime of its own.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?
        .block_on(future)
}
