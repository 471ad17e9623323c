//! Traces: every message of every exchange, as it passed, in a file.
//!
//! A trace is for finding out what two peers say to each other. It is off unless somebody asks for it, since
//! messages hold Evidence and identifiers of devices; the file is for its owner alone (mode 0600), and has a
//! limit. Writing is done by a thread of its own: a disk that is slow, full or gone costs lines of the trace,
//! never the exchange.
//!
//! The format is JSON Lines. A [`Line`] is written in one piece, so that several processes can write to one
//! file, and a crash costs the last line at most. `docs/traces.md` describes the members.
//!
//! ```
//! use tamarack_trace::{Lines, Party, Settings, Trace};
//!
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("exchanges.trace");
//! let trace = Trace::open(&Settings::new(&file), Party::Tam)?;
//! trace.exchange(None).sent(Party::Tam, &[0x82, 0x05, 0xa0]);
//! drop(trace); // waits until all is written
//!
//! let lines = Lines::read(&std::fs::read(&file)?);
//! assert_eq!(lines.lines[0].body.as_deref(), Some(&[0x82, 0x05, 0xa0][..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod line;
mod trace;
mod writer;

pub use line::{Line, Lines, Party};
pub use trace::{Exchange, Settings, Trace, TraceError};
