//! Results on standard output: text for people, JSON for programs.

use std::{
    io::{self, Write},
    sync::OnceLock,
};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::failure::Failure;

/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What did not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What matters less.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What matters more.
pub(crate) const STRONG: Style = Style::new().bold();

/// Why standard output took no more: results are printed in many places, and none of them ends the command.
static BROKEN: OnceLock<String> = OnceLock::new();

/// Where results go. Colours show on a terminal only.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a program reads the results.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result: as one JSON value, or as the text that `text` writes.
    pub(crate) fn result(self, value: &impl Serialize, text: impl FnOnce() -> String) {
        if self.json {
            self.json_line(value, true);
        } else {
            self.line(&text());
        }
    }

    /// Prints one line of text, or nothing where a program reads.
    pub(crate) fn text(self, text: &str) {
        if !self.json {
            self.line(text);
        }
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let written = out.write_all(bytes).and_then(|()| out.flush());
        patient(written).map_err(|error| Failure::new(format!("standard output: {error}")))
    }

    /// Prints a value on a line of its own, for results that come one by one.
    pub(crate) fn event(self, value: &impl Serialize) {
        if self.json {
            self.json_line(value, false);
        }
    }

    /// Fails if a result that was printed did not arrive.
    pub(crate) fn arrived(self) -> Result<(), Failure> {
        match BROKEN.get() {
            Some(why) => Err(Failure::new(format!("standard output: {why}"))),
            None => Ok(()),
        }
    }

    /// Prints why the command failed, on standard error.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            let value = serde_json::json!({
                "error": failure.message(),
                "hint": failure.hint_text(),
            });
            eprintln!("{value}");
            return;
        }
        anstream::eprintln!("{BAD}error:{BAD:#} {failure}");
        if let Some(hint) = failure.hint_text() {
            anstream::eprintln!("{STRONG}help:{STRONG:#} {hint}");
        }
    }

    fn json_line(self, value: &impl Serialize, pretty: bool) {
        let text = if pretty {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        self.line(&text.unwrap_or_default());
    }

    fn line(self, text: &str) {
        let mut out = anstream::stdout().lock();
        let written = writeln!(out, "{text}").and_then(|()| out.flush());
        if let Err(error) = patient(written) {
            BROKEN.get_or_init(|| error.to_string());
        }
    }
}

/// Text of somebody else's choice, as it may go to a terminal: what does not show, or changes how the rest shows, is
/// escaped. For programs, text goes as it is.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        // A mark shows on the character before it.
        let marked = String::from_iter(['_', character]);
        match character {
            '\\' | '"' | '\'' => shown.push(character),
            plain if marked.escape_debug().count() == marked.chars().count() => shown.push(plain),
            other => shown.extend(other.escape_unicode()),
        }
    }
    shown
}

/// Of writing to standard output, all failures but that the reader went away, as in `tamarack … | head`.
pub(crate) fn patient(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Lays rows out in columns, the last one ragged.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let columns = header.len();
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain(header.get(column).map(|cell| cell.len()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![format!("{STRONG}{}{STRONG:#}", line(header.to_vec()))];
    lines.extend(
        rows.iter()
            .map(|row| line(row.iter().map(String::as_str).collect())),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_is_shown_and_nothing_else_reaches_the_terminal() {
        for text in [
            "Grüße „日本“ – ‚ok‘",
            "u\u{308} ⚠\u{fe0f} 💡",
            "\"a\" 'b' \\n",
        ] {
            assert_eq!(printable(text), text);
        }
        for (text, shown) in [
            ("a\u{1b}[2J\n", "a\\u{1b}[2J\\u{a}"),
            ("\u{9b}\u{202e}", "\\u{9b}\\u{202e}"),
            ("\u{200b}\u{2066}\u{feff}", "\\u{200b}\\u{2066}\\u{feff}"),
            ("\u{2028}\u{ad}", "\\u{2028}\\u{ad}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}
