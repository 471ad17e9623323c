//! A progress bar on standard error, for what takes longer than a second.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Output;

/// How far something has got, in bytes. The bar goes when this is dropped, if not before.
pub(crate) struct Progress {
    shown: bool,
    started: Instant,
    what: String,
    done: u64,
    total: Option<u64>,
    bar: Option<ProgressBar>,
}

/// Nobody needs a bar for what is over sooner.
const PATIENCE: Duration = Duration::from_secs(1);

impl Progress {
    /// Nothing is shown where a program reads, or standard error is no terminal.
    pub(crate) fn new(output: Output) -> Self {
        Self {
            shown: !output.is_json(),
            started: Instant::now(),
            what: String::new(),
            done: 0,
            total: None,
            bar: None,
        }
    }

    /// Something new begins.
    pub(crate) fn begin(&mut self, what: impl Into<String>, total: Option<u64>) {
        self.end();
        self.started = Instant::now();
        self.what = what.into();
        self.done = 0;
        self.total = total;
    }

    /// So many more bytes are done.
    pub(crate) fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        if self.shown && self.bar.is_none() && self.started.elapsed() >= PATIENCE {
            self.bar = Some(self.make());
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        }
    }

    /// What began is over; the bar goes.
    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn make(&self) -> ProgressBar {
        let (bar, template) = match self.total {
            Some(total) => (
                ProgressBar::new(total),
                "{msg} {bar:40} {bytes}/{total_bytes}, {eta} left",
            ),
            None => (ProgressBar::new_spinner(), "{msg} {spinner} {bytes}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(self.what.clone());
        bar
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
