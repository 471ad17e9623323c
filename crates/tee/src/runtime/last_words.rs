//! What a TA says of the panic that it dies of.

/// The line with which a panic begins.
const PANIC: &str = "panic";

/// Where Rust's standard library panics if there is no memory left.
const ALLOCATOR: &str = "alloc/src/alloc.rs";

/// Lines of the log that may be a panic's: `panic`, then its file, its line and its message, as far as the SDK knows
/// them. They are held back until it is clear whether the TA dies, and are one line then.
#[derive(Debug, Default)]
pub(super) struct LastWords(Vec<String>);

impl LastWords {
    /// Hears a line; those that turned out to be lines like any other.
    pub(super) fn hear(&mut self, line: String) -> Vec<String> {
        match self.0.len() {
            _ if line == PANIC => core::mem::replace(&mut self.0, vec![line]),
            1..=3 => {
                self.0.push(line);
                Vec::new()
            }
            _ => {
                let mut lines = core::mem::take(&mut self.0);
                lines.push(line);
                lines
            }
        }
    }

    /// The lines, if nobody died of them.
    pub(super) fn into_lines(self) -> Vec<String> {
        self.0
    }

    /// Where the TA that died panicked, and why; `None` if it did not say.
    pub(super) fn panic(&self) -> Option<String> {
        let (_, lines) = self.0.split_first()?;
        Some(match lines {
            [] => "panicked".into(),
            [message] => format!("panicked: {message}"),
            // The message has to be formatted, which the SDK does not do.
            [file, line] if file.ends_with(ALLOCATOR) => {
                format!("panicked at {file}:{line}: out of memory")
            }
            [file, line] => format!("panicked at {file}:{line}"),
            [file, line, message @ ..] => {
                format!("panicked at {file}:{line}: {}", message.join(" "))
            }
        })
    }
}
