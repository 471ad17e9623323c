//! The form in which the output of a command is printed.

use std::{
    fmt::Display,
    io::{self, IsTerminal},
};

use base16ct::HexDisplay;
use base64ct::{Base64, Encoding};
use clap::ValueEnum;
use tamarack_ta::wire::Input;

use crate::{failure::Failure, output::Output};

/// What is printed of the output of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// On a terminal, text where it is text and hexadecimal where it is not; elsewhere the bytes, and nothing else.
    Auto,
    /// The bytes, and nothing else.
    Raw,
    /// A line of hexadecimal digits.
    Hex,
    /// A line of base64.
    Base64,
    /// A number of one byte.
    U8,
    /// A number of two bytes, big-endian.
    U16,
    /// A number of four bytes, big-endian.
    U32,
    /// A number of eight bytes, big-endian.
    U64,
    /// A number of four bytes that may be negative.
    I32,
    /// A number of eight bytes that may be negative.
    I64,
    /// true or false, which is one byte.
    Bool,
}

impl Form {
    /// Prints the output of a command.
    pub(super) fn print(self, bytes: &[u8], output: Output) -> Result<(), Failure> {
        let line = match self {
            Self::Raw => return output.bytes(bytes),
            Self::Auto if !io::stdout().is_terminal() => return output.bytes(bytes),
            Self::Auto if bytes.is_empty() => return Ok(()),
            Self::Auto => printable(bytes),
            Self::Hex => hexadecimal(bytes),
            Self::Base64 => Base64::encode_string(bytes),
            Self::U8 => self.typed::<u8>(bytes)?,
            Self::U16 => self.typed::<u16>(bytes)?,
            Self::U32 => self.typed::<u32>(bytes)?,
            Self::U64 => self.typed::<u64>(bytes)?,
            Self::I32 => self.typed::<i32>(bytes)?,
            Self::I64 => self.typed::<i64>(bytes)?,
            Self::Bool => self.typed::<bool>(bytes)?,
        };
        output.text(&line);
        Ok(())
    }

    fn typed<'a, T: Input<'a> + Display>(self, bytes: &'a [u8]) -> Result<String, Failure> {
        let value = T::from_input(bytes).map_err(|_| {
            let name = format!("{self:?}").to_lowercase();
            let length = bytes.len();
            Failure::new(format!(
                "--output {name}: the output is no {name}, but {length} bytes"
            ))
            .hint("--output hex shows them")
        })?;
        Ok(value.to_string())
    }
}

/// Output as a person can read it, which does nothing to the terminal: it is the word of an application.
fn printable(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).ok();
    // Numbers are UTF-8 too.
    let text = text.filter(|text| !text.contains('\0') && !text.chars().all(char::is_control));
    let Some(text) = text else {
        return hexadecimal(bytes);
    };
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            control if control.is_control() => shown.extend(control.escape_default()),
            other => shown.push(other),
        }
    }
    shown
}

fn hexadecimal(bytes: &[u8]) -> String {
    format!("{:x}", HexDisplay(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_text_and_does_nothing_to_the_terminal() {
        assert_eq!(printable("Grüße,\n\tAda".as_bytes()), "Grüße,\n\tAda");
        assert_eq!(printable(b"a\x1b[2Jb\r"), "a\\u{1b}[2Jb\\r");
        assert_eq!(printable("a\u{9b}2J".as_bytes()), "a\\u{9b}2J");
    }

    #[test]
    fn what_is_no_text_is_shown_as_hexadecimal() {
        assert_eq!(printable(&[0xFF, 0xFE]), "fffe");
        assert_eq!(printable(&[0, 0, 1, b'A']), "00000141");
        assert_eq!(printable(&[7]), "07");
    }

    #[test]
    fn a_number_is_read_as_the_sdk_writes_it() {
        assert_eq!(Form::U32.typed::<u32>(&[0, 0, 1, 0]).unwrap(), "256");
        assert_eq!(Form::Bool.typed::<bool>(&[1]).unwrap(), "true");
        let unfit = Form::U32.typed::<u32>(b"Ada").unwrap_err();
        assert!(unfit.message().contains("no u32, but 3 bytes"), "{unfit}");
    }
}
