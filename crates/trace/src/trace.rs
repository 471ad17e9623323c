use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    Line, Party,
    line::VERSION,
    writer::{Writer, open},
};

/// Where a trace goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file; lines are appended.
    pub file: PathBuf,
    /// The size, in bytes, that the file does not grow beyond. Default 64 MiB.
    pub limit: u64,
}

impl Settings {
    /// The default limit, in bytes.
    pub const LIMIT: u64 = 64 << 20;

    /// A trace in a file, with the default limit.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            limit: Self::LIMIT,
        }
    }
}

/// Why a trace can't be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The system refused.
    #[error("the trace {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something else is in the file, and would be spoilt.
    #[error("the trace {}: the file holds something else, which is left alone; choose another file", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
    },
}

impl TraceError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// A trace that is being written, or none. Copies write to the same file.
#[derive(Clone, Default)]
pub struct Trace(Option<Arc<Open>>);

struct Open {
    by: Party,
    run: String,
    exchanges: AtomicU64,
    writer: Writer,
}

impl Trace {
    /// Opens a trace, and makes its file if there is none. Whoever reads messages reads Evidence: the file
    /// is for its owner only, whatever mode it had.
    ///
    /// # Errors
    ///
    /// If the file can't be opened, or holds something that is no trace.
    // req: TEEP-OPS-004
    pub fn open(settings: &Settings, by: Party) -> Result<Self, TraceError> {
        let file = open(settings)?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        // Two processes that start within a microsecond differ in their ids.
        let micros = since.unwrap_or_default().as_micros();
        let run = format!("{micros:x}-{:x}", std::process::id());
        let writer = Writer::start(file, settings.limit).map_err(TraceError::io(&settings.file))?;
        Ok(Self(Some(Arc::new(Open {
            by,
            run,
            exchanges: AtomicU64::new(0),
            writer,
        }))))
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins an exchange with a TAM, whose URI the broker knows.
    #[must_use]
    pub fn exchange(&self, tam: Option<&str>) -> Exchange {
        let opened = self.0.clone();
        let number = opened
            .as_ref()
            .map(|open| open.exchanges.fetch_add(1, Ordering::Relaxed) + 1);
        Exchange {
            number: number.unwrap_or_default(),
            tam: opened.is_some().then(|| tam.map(str::to_owned)).flatten(),
            opened,
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() {
            "Trace(on)"
        } else {
            "Trace(off)"
        })
    }
}

/// An exchange whose messages go to the trace, if there is one.
#[derive(Clone)]
pub struct Exchange {
    opened: Option<Arc<Open>>,
    number: u64,
    tam: Option<String>,
}

impl Exchange {
    fn line(&self, at: SystemTime, to: Party, fill: impl FnOnce(&mut Line)) {
        let Some(open) = &self.opened else { return };
        let mut line = Line {
            trace: VERSION,
            at,
            by: open.by,
            run: open.run.clone(),
            exchange: self.number,
            to: Some(to),
            tam: self.tam.clone(),
            status: None,
            body: None,
            fault: None,
            note: None,
        };
        fill(&mut line);
        open.writer.write(line);
    }

    /// A message passed; no bytes are a body without any.
    pub fn sent(&self, to: Party, message: &[u8]) {
        self.sent_at(SystemTime::now(), to, message);
    }

    /// A message passed a moment ago.
    pub fn sent_at(&self, at: SystemTime, to: Party, message: &[u8]) {
        self.line(at, to, |line| line.body = Some(message.to_vec()));
    }

    /// A response of the TAM passed.
    pub fn responded(&self, status: u16, message: &[u8]) {
        self.line(SystemTime::now(), Party::Agent, |line| {
            line.status = Some(status);
            line.body = Some(message.to_vec());
        });
    }

    /// There was no answer.
    pub fn failed(&self, fault: &dyn fmt::Display) {
        self.line(SystemTime::now(), Party::Agent, |line| {
            line.fault = Some(fault.to_string())
        });
    }

    /// Carries a message to the TAM by `post`, and its answer back, and notes both.
    ///
    /// # Errors
    ///
    /// Those of `post`.
    pub async fn carry<E: fmt::Display, F>(
        &self,
        message: Option<Vec<u8>>,
        post: impl FnOnce(Option<Vec<u8>>) -> F,
    ) -> Result<Option<Vec<u8>>, E>
    where
        F: Future<Output = Result<Option<Vec<u8>>, E>>,
    {
        self.sent(Party::Tam, message.as_deref().unwrap_or_default());
        let outcome = post(message).await;
        match &outcome {
            Ok(answer) => self.sent(Party::Agent, answer.as_deref().unwrap_or_default()),
            Err(error) => self.failed(error),
        }
        outcome
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchange({})", self.number)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.writer.finish();
    }
}
