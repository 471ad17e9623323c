use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use base16ct::lower::encode_string;

use super::shape;
use crate::component::is_plain;

/// A description, as data.
///
/// `Display` prints it as an indented outline; with feature `json` it becomes a JSON value with the same
/// structure. Text that comes from the input is escaped when it is printed, so that it can't disturb a
/// terminal.
// req: SUIT-UPD-010
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// Text.
    Text(String),
    /// A number.
    Number(i128),
    /// Yes or no.
    Flag(bool),
    /// Several things in order.
    List(Vec<Tree>),
    /// Several things by name, in order.
    Map(Vec<(String, Tree)>),
}

/// The members of a map, of which there may be more.
pub(super) fn map<const N: usize>(members: [(&str, Tree); N]) -> Vec<(String, Tree)> {
    members
        .into_iter()
        .map(|(name, tree)| (name.to_string(), tree))
        .collect()
}

impl Tree {
    pub(super) fn text(text: impl fmt::Display) -> Self {
        Self::Text(alloc::format!("{text}"))
    }

    pub(super) fn number(number: impl Into<i128>) -> Self {
        Self::Number(number.into())
    }

    pub(super) fn hex(bytes: &[u8]) -> Self {
        const SHOWN: usize = 64;
        let mut text = encode_string(bytes.get(..SHOWN).unwrap_or(bytes));
        if bytes.len() > SHOWN {
            text += &alloc::format!("... ({} bytes)", bytes.len());
        }
        Self::Text(text)
    }

    /// A COSE algorithm, by name where it has one.
    pub(super) fn algorithm(id: Option<i64>) -> Self {
        match id {
            Some(id) => shape::algorithm(id).map_or_else(|| Self::number(id), Self::text),
            None => Self::text("no algorithm"),
        }
    }

    /// Text as it is printed.
    pub(super) fn scalar_of(text: &str) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = escaped(&mut out, text);
        out
    }

    fn is_scalar(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Map(_))
    }

    /// The member of a map with a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, tree)| tree),
            _ => None,
        }
    }

    /// The items of a list; none of anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The member of a map with a name, if it is a flag.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Self::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// The member of a map with a name, if it is text or a number, as it is printed.
    #[must_use]
    pub fn word(&self, name: &str) -> Option<String> {
        match self.get(name) {
            Some(word @ (Self::Text(_) | Self::Number(_))) => {
                Some(String::from(alloc::format!("{word}").trim_end()))
            }
            _ => None,
        }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let margin = |f: &mut fmt::Formatter<'_>, indent: usize| write!(f, "{:indent$}", "");
        match self {
            Self::Map(members) => {
                for (name, tree) in members {
                    margin(f, indent)?;
                    escaped(f, name)?;
                    if tree.is_scalar() {
                        f.write_str(": ")?;
                        tree.scalar(f)?;
                        f.write_str("\n")?;
                    } else {
                        f.write_str("\n")?;
                        tree.print(f, indent + 2)?;
                    }
                }
                Ok(())
            }
            Self::List(items) => items.iter().try_for_each(|item| {
                margin(f, indent)?;
                f.write_str("- ")?;
                item.print_item(f, indent)
            }),
            scalar => {
                margin(f, indent)?;
                scalar.scalar(f)?;
                f.write_str("\n")
            }
        }
    }

    /// An item of a list: scalars of a map on the item's own line, the rest below it.
    fn print_item(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let Self::Map(members) = self else {
            if self.is_scalar() {
                self.scalar(f)?;
                return f.write_str("\n");
            }
            f.write_str("\n")?;
            return self.print(f, indent + 2);
        };
        let scalars = members.iter().filter(|(_, tree)| tree.is_scalar());
        for (position, (name, tree)) in scalars.enumerate() {
            if position > 0 {
                f.write_str(if position == 1 { "  (" } else { ", " })?;
                write!(f, "{name} ")?;
            }
            tree.scalar(f)?;
        }
        if members.iter().filter(|(_, tree)| tree.is_scalar()).count() > 1 {
            f.write_str(")")?;
        }
        f.write_str("\n")?;
        for (name, tree) in members.iter().filter(|(_, tree)| !tree.is_scalar()) {
            write!(f, "{:1$}", "", indent + 4)?;
            escaped(f, name)?;
            f.write_str("\n")?;
            tree.print(f, indent + 6)?;
        }
        Ok(())
    }

    fn scalar(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => escaped(f, text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(true) => f.write_str("yes"),
            Self::Flag(false) => f.write_str("no"),
            Self::List(_) | Self::Map(_) => Ok(()),
        }
    }

    /// The same as a JSON value.
    ///
    /// Numbers beyond 64 bits, which no description holds, become `null`.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Number(number) => i64::try_from(*number)
                .map(Value::from)
                .or_else(|_| u64::try_from(*number).map(Value::from))
                .unwrap_or_default(),
            Self::Flag(flag) => Value::Bool(*flag),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, tree)| (name.clone(), tree.to_json()))
                    .collect(),
            ),
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, 0)
    }
}

/// Writes text with everything escaped that is not plainly visible.
fn escaped(f: &mut dyn fmt::Write, text: &str) -> fmt::Result {
    text.chars().try_for_each(|c| match c {
        c if is_plain(c) => write!(f, "{c}"),
        c => write!(f, "{}", c.escape_unicode()),
    })
}
