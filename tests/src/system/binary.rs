use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

/// The binary, built if it is not up to date.
///
/// Cargo has no way to depend on the binary of another package, so the first call of a test process asks
/// cargo for it, with the profile and the target folder that this test was built with.
///
/// # Panics
///
/// If it can't be built.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    // A failure is kept too: it would be the same for every test, and cargo has said why.
    let built = BINARY.get_or_init(build);
    built
        .as_deref()
        .expect("`cargo build --package tamarack` succeeds")
}

fn build() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    // …/target/PROFILE/deps/TEST
    let profile_dir = test.ancestors().nth(2).unwrap();
    let profile = match profile_dir
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap()
    {
        "debug" => "dev",
        name => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let built = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "tamarack",
            "--profile",
            profile,
        ])
        .args(if cfg!(feature = "tpm") {
            &["--features", "tpm"][..]
        } else {
            &[]
        })
        .arg("--target-dir")
        .arg(profile_dir.parent().unwrap())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
        .stdin(Stdio::null())
        .status();
    built
        .unwrap()
        .success()
        .then(|| profile_dir.join("tamarack"))
}

/// Copies the binary to where other users may run it.
///
/// Another process does it: what tests of other threads start meanwhile would inherit a descriptor of this one that writes
/// to the copy, and as long as one is open anywhere, the copy can't be run.
///
/// # Panics
///
/// If it can't be copied.
#[track_caller]
pub fn copy_binary(to: impl AsRef<Path>) {
    let copied = Command::new("cp").arg(binary()).arg(to.as_ref()).status();
    assert!(copied.unwrap().success(), "{}", to.as_ref().display());
}

/// The binary with these arguments, undisturbed by the environment of whoever runs the tests.
#[must_use]
pub fn tamarack(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        if text.starts_with("TAMARACK_") || text.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
    arguments: Vec<String>,
}

/// Runs a command to its end. Whatever happens, it must not panic.
#[track_caller]
pub fn run(arguments: &[&str]) -> Finished {
    Finished::of(arguments, tamarack(arguments))
}

impl Finished {
    /// Runs `command`, which has these arguments.
    #[track_caller]
    pub fn of(arguments: &[&str], mut command: Command) -> Self {
        let output = command.output().unwrap();
        let finished = Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("standard error is text"),
            arguments: arguments.iter().map(ToString::to_string).collect(),
        };
        assert!(!finished.stderr.contains("panicked"), "{finished:?}");
        finished
    }

    /// Standard output of a command that must have succeeded.
    #[must_use]
    #[track_caller]
    pub fn bytes(self) -> Vec<u8> {
        assert_eq!(self.code, Some(0), "{:?}: {}", self.arguments, self.stderr);
        self.stdout
    }

    /// Says that the command succeeded; its output as text.
    #[track_caller]
    pub fn ok(self) -> String {
        String::from_utf8(self.bytes()).expect("standard output is text")
    }

    /// Says that the command succeeded; its output as one JSON value.
    #[must_use]
    #[track_caller]
    pub fn json(self) -> Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Says that the command failed (1) or was used wrongly (2), and that it named each of `words`; what it
    /// said.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> String {
        assert_eq!(
            self.code,
            Some(code),
            "{:?}: {}",
            self.arguments,
            self.stderr
        );
        for word in words {
            let (arguments, said) = (&self.arguments, &self.stderr);
            assert!(
                said.contains(word),
                "{arguments:?} does not name {word}: {said}"
            );
        }
        self.stderr
    }
}
