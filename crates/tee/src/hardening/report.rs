use core::fmt;

/// Something that the process of a TEE is protected from, or by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protection {
    /// A crash writes no memory to the disk.
    CoreDumps,
    /// Other processes of the same user can't read the memory, attach a debugger, or follow the open files.
    Tracing,
    /// Nothing that is run from here gains privileges.
    Privileges,
    /// Files are for this user only.
    PrivateFiles,
    /// Memory with keys in it is not swapped out.
    LockedMemory,
    /// Files outside the data folder are out of reach.
    FileAccess,
    /// No TCP connection is made or taken.
    Tcp,
    /// No signals to other processes, and none of their abstract sockets.
    OtherProcesses,
    /// System calls that the TEE does not need are refused.
    SystemCalls,
}

impl Protection {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::CoreDumps,
        Self::Tracing,
        Self::Privileges,
        Self::PrivateFiles,
        Self::LockedMemory,
        Self::FileAccess,
        Self::Tcp,
        Self::OtherProcesses,
        Self::SystemCalls,
    ];

    /// A short name, for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CoreDumps => "core-dumps",
            Self::Tracing => "tracing",
            Self::Privileges => "privileges",
            Self::PrivateFiles => "private-files",
            Self::LockedMemory => "locked-memory",
            Self::FileAccess => "file-access",
            Self::Tcp => "tcp",
            Self::OtherProcesses => "other-processes",
            Self::SystemCalls => "system-calls",
        }
    }

    /// What it means where it is on, for people.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::CoreDumps => "no core dumps",
            Self::Tracing => "no tracing",
            Self::Privileges => "no new privileges",
            Self::PrivateFiles => "private files",
            Self::LockedMemory => "locked memory",
            Self::FileAccess => "no files but its own (Landlock)",
            Self::Tcp => "no TCP (Landlock)",
            Self::OtherProcesses => "no signals to others (Landlock)",
            Self::SystemCalls => "no system calls but the needed (seccomp)",
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What came of a [`Protection`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It is on.
    On,
    /// It is on, but for what is said here.
    Partial(String),
    /// It is not on, for the reason that is said here.
    Missing(String),
}

impl State {
    /// One word, for programs: `on`, `partial` or `missing`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Partial(_) => "partial",
            Self::Missing(_) => "missing",
        }
    }

    /// What is missing and why; `None` if nothing is.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::On => None,
            Self::Partial(problem) | Self::Missing(problem) => Some(problem),
        }
    }
}

/// How a process is protected.
#[derive(Debug, Clone, Default)]
pub struct Report(Vec<(Protection, State)>);

impl Report {
    /// The report of a process of which nothing is protected, on the wish of whoever runs it.
    #[must_use]
    pub fn unprotected() -> Self {
        let state = State::Missing("it was switched off".into());
        let all = Protection::ALL.iter();
        Self(all.map(|found| (*found, state.clone())).collect())
    }

    pub(super) fn add(&mut self, protection: Protection, state: State) {
        self.0.push((protection, state));
    }

    /// Each protection and what came of it.
    pub fn iter(&self) -> impl Iterator<Item = (Protection, &State)> {
        self.0
            .iter()
            .map(|(protection, state)| (*protection, state))
    }

    /// Whether everything is on.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.problems().next().is_none()
    }

    /// What is missing, wholly or in part, and why.
    pub fn problems(&self) -> impl Iterator<Item = (Protection, &str)> {
        self.iter()
            .filter_map(|(protection, state)| Some((protection, state.problem()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_that_is_missing_makes_it_incomplete() {
        let mut report = Report::default();
        report.add(Protection::Tcp, State::On);
        assert!(report.is_complete());
        report.add(Protection::FileAccess, State::Partial("of late".into()));
        assert!(!report.is_complete());
        assert_eq!(
            report.problems().collect::<Vec<_>>(),
            [(Protection::FileAccess, "of late")]
        );
    }

    #[test]
    fn unprotected_means_everything() {
        let report = Report::unprotected();
        assert_eq!(report.problems().count(), Protection::ALL.len());
        let mut names: Vec<_> = Protection::ALL.iter().map(|found| found.name()).collect();
        names.dedup();
        assert_eq!(names.len(), Protection::ALL.len());
    }
}
