//! Commands of Trusted Applications: in a session of their own, or in one that stays open.

use std::{fs, io, path::PathBuf};

use base64ct::{Base64, Encoding};
use clap::{Args, Subcommand};
use tamarack_client::{
    Client, Error, Session,
    api::{Invocation, OpenSession, Origin, SessionState},
};
use tamarack_ta::ResultCode;

use super::{Which, argument::Arguments, form::Form, result_and_output};
use crate::{
    failure::Failure,
    files,
    output::{Output, table},
};

/// Exit code of a command that ended with another result than success.
const OTHER_RESULT: u8 = 3;

/// Input that fits into a message.
#[derive(Args)]
pub(super) struct Input {
    /// Input as text.
    #[arg(long, short, conflicts_with = "input_file")]
    input: Option<String>,
    /// Input from a file, `-` for standard input.
    #[arg(long, value_name = "FILE")]
    input_file: Option<PathBuf>,
    #[command(flatten)]
    arguments: Arguments,
}

impl Input {
    fn read(self) -> Result<Vec<u8>, Failure> {
        if !self.arguments.is_empty() {
            return Ok(self.arguments.encode());
        }
        match (self.input, self.input_file) {
            (Some(text), _) => Ok(text.into_bytes()),
            (None, Some(file)) => files::read(&file),
            (None, None) => Ok(Vec::new()),
        }
    }
}

/// Output that fits into a message.
#[derive(Args)]
pub(super) struct Answer {
    /// How the output is printed. `--json` has the output in two forms, whatever this says.
    #[arg(
        long = "output",
        value_name = "FORM",
        value_enum,
        default_value = "auto"
    )]
    form: Form,
}

/// Input and output of any length.
#[derive(Args)]
pub(super) struct Streams {
    /// Where the input is read.
    #[arg(long, value_name = "FILE", default_value = "-")]
    input_file: PathBuf,
    /// Where the output is written.
    #[arg(long, value_name = "FILE", default_value = "-")]
    output_file: PathBuf,
}

#[derive(Args)]
pub(super) struct Invoke {
    /// The component identifier, such as acme/hello.
    component: String,
    /// The command, a number that the trusted application gives meaning.
    command: u32,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    answer: Answer,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct Stream {
    /// The component identifier, such as acme/hello.
    component: String,
    /// The command, a number that the trusted application gives meaning.
    command: u32,
    #[command(flatten)]
    streams: Streams,
    #[command(flatten)]
    which: Which,
}

/// Sessions that stay open between commands, for the user who opened them. One that is idle for ten minutes is closed.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Open a session with a trusted application and print its number.
    Open(Open),
    /// List your sessions, what they do, and how their last commands ended.
    List,
    /// Invoke a command in a session and print its output.
    Invoke {
        /// The session.
        session: u64,
        /// The command, a number that the trusted application gives meaning.
        command: u32,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        answer: Answer,
    },
    /// Invoke a command in a session with input and output of any length.
    Stream {
        /// The session.
        session: u64,
        /// The command, a number that the trusted application gives meaning.
        command: u32,
        #[command(flatten)]
        streams: Streams,
    },
    /// Tell the command that is under way in a session to end.
    Cancel {
        /// The session.
        session: u64,
    },
    /// Close a session.
    Close {
        /// The session.
        session: u64,
    },
}

#[derive(Args)]
pub(super) struct Open {
    /// The component identifier, such as acme/hello.
    component: String,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    which: Which,
}

impl Command {
    pub(super) fn run(self, client: &Client, output: Output) -> Result<(), Failure> {
        match self {
            Self::Open(open) => {
                let opened = client.open(&OpenSession {
                    tee: open.which.requirements(),
                    ..OpenSession::with_input(open.component, &open.input.read()?)
                });
                let opened = opened.map_err(not_opened)?;
                let session = opened.keep();
                let value = serde_json::json!({ "session": session });
                output.result(&value, || session.to_string());
            }
            Self::List => {
                let list = client.sessions()?;
                output.result(&list, || rows(&list.sessions));
            }
            Self::Invoke {
                session,
                command,
                input,
                answer,
            } => {
                let input = input.read()?;
                let outcome = client.session(session).invoke(command, &input);
                let outcome = result_and_output(outcome)?;
                return answer.print(outcome, &format!("command {command}"), output);
            }
            Self::Stream {
                session,
                command,
                streams,
            } => {
                return streams.run(&client.session(session), command, output);
            }
            Self::Cancel { session } => {
                client.session(session).canceller().cancel()?;
                output.text("cancelled");
            }
            Self::Close { session } => {
                client.session(session).close()?;
                output.text("closed");
            }
        }
        Ok(())
    }
}

fn rows(sessions: &[SessionState]) -> String {
    if sessions.is_empty() {
        return "no session is open".into();
    }
    let row = |state: &SessionState| {
        let last = match &state.last {
            Some(last) => match (&last.error, last.result) {
                (Some(error), _) => format!("{}: {error}", last.command),
                (None, result) => {
                    let result = ResultCode(result.unwrap_or(0));
                    format!("{}: {}", last.command, named(result))
                }
            },
            None => "-".into(),
        };
        let does = match state.running {
            Some(command) => format!("command {command}"),
            None if state.ended => "ended".into(),
            None => "idle".into(),
        };
        vec![
            state.session.to_string(),
            state.component.clone(),
            does,
            last,
        ]
    };
    let rows: Vec<_> = sessions.iter().map(row).collect();
    table(&["SESSION", "COMPONENT", "DOES", "LAST COMMAND"], &rows)
}

impl Invoke {
    pub(super) fn run(self, client: &Client, output: Output) -> Result<(), Failure> {
        let what = format!("command {} of {}", self.command, self.component);
        let outcome = client.invoke(&Invocation {
            tee: self.which.requirements(),
            ..Invocation::new(self.component, self.command, &self.input.read()?)
        });
        let outcome = result_and_output(outcome).map_err(not_opened)?;
        self.answer.print(outcome, &what, output)
    }
}

impl Answer {
    /// Prints the output of a command, and says if it did not succeed.
    fn print(
        self,
        (result, bytes): (u32, Vec<u8>),
        what: &str,
        output: Output,
    ) -> Result<(), Failure> {
        let result = ResultCode(result);
        if output.is_json() {
            let value = serde_json::json!({
                "result": result.0,
                "result_name": result.name(),
                "output_base64": Base64::encode_string(&bytes),
                "output_text": std::str::from_utf8(&bytes).ok(),
            });
            output.result(&value, String::new);
        } else if result == ResultCode::SUCCESS {
            self.form.print(&bytes, output)?;
        }
        match result {
            ResultCode::SUCCESS => Ok(()),
            other => Err(returned(what, other)),
        }
    }
}

/// A result code by its name, if it has one.
fn named(result: ResultCode) -> String {
    match result.name() {
        Some(name) => format!("{name} ({:#010x})", result.0),
        None => format!("{:#010x}", result.0),
    }
}

/// The failure of a command that returned another result than success.
fn returned(what: &str, result: ResultCode) -> Failure {
    let mut message = format!("{what} returned {}", named(result));
    if result.name().is_some() {
        message = format!("{message}: {}", result.description());
    }
    let failure = Failure::new(message).code(OTHER_RESULT);
    match result {
        ResultCode::NOT_SUPPORTED | ResultCode::BAD_FORMAT | ResultCode::BAD_PARAMETERS => failure
            .hint(
                "the application has no such command, or the input does not fit its parameters; \
                 --arg gives typed ones",
            ),
        ResultCode(1..=0xEFFF_FFFF) => {
            failure.hint("a code of the application's own; its documentation says what it means")
        }
        _ => failure,
    }
}

/// The failure of what opens a session.
fn not_opened(error: Error) -> Failure {
    let is_absent = matches!(
        &error,
        Error::NotFound(problem) if problem.origin != Origin::TrustedApplication
    );
    let failure = Failure::from(error);
    match is_absent {
        true => failure.hint(
            "`tamarack app list` shows what is installed, `tamarack app tees` which TEEs there are",
        ),
        false => failure,
    }
}

impl Stream {
    pub(super) fn run(self, client: &Client, output: Output) -> Result<(), Failure> {
        let session = client.open(&OpenSession {
            component: self.component,
            tee: self.which.requirements(),
            ..OpenSession::default()
        });
        let session = session.map_err(not_opened)?;
        self.streams.run(&session, self.command, output)
    }
}

impl Streams {
    /// Bytes go through as they are; `--json` has no say in that.
    fn run(&self, session: &Session, command: u32, output: Output) -> Result<(), Failure> {
        files::keep_apart([&*self.input_file], [("--output-file", &*self.output_file)])?;
        let input = files::reader(&self.input_file)?;
        // What comes in is there at once: a stream may have no end.
        let bytes = match files::is_standard(&self.output_file) {
            true => session.run(command, input, io::stdout().lock()),
            false => {
                let fault = |error| Failure::file(&self.output_file, error);
                let file = fs::File::create(&self.output_file).map_err(fault)?;
                session.run(command, input, file)
            }
        };
        let bytes = bytes.map_err(|error| match error {
            Error::Command { command, result } => {
                returned(&format!("command {command}"), ResultCode(result))
            }
            other => Failure::from(other),
        })?;
        if !files::is_standard(&self.output_file) {
            let value = serde_json::json!({ "bytes": bytes });
            output.result(&value, || format!("{bytes} bytes"));
        }
        Ok(())
    }
}
