//! The options of those that write traces.

use std::path::PathBuf;

use clap::Args;
use tamarack_trace::Settings;

/// Traces, which `tamarack teep show` draws.
#[derive(Args)]
pub(crate) struct Options {
    /// Append every TEEP message that passes to this file, for `tamarack teep show`. Messages hold Evidence and
    /// identifiers of devices: the file is for its owner only.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// The size in bytes at which the trace ends.
    #[arg(long, value_name = "BYTES", requires = "trace", default_value_t = Settings::LIMIT)]
    trace_limit: u64,
}

impl Options {
    /// Where the trace goes, if there is to be one; who asked for it is reminded of what it holds.
    pub(crate) fn settings(self) -> Option<Settings> {
        let file = self.trace?;
        tracing::warn!(
            file = %file.display(),
            limit = self.trace_limit,
            "every TEEP message is written to the trace, with Evidence and identifiers of devices"
        );
        Some(Settings {
            file,
            limit: self.trace_limit,
        })
    }
}
