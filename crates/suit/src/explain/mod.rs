//! Envelopes and reports for people: a tree that prints and becomes JSON, and diagnostic notation.

mod describe;
mod diagnostic;
mod parameter;
mod shape;
mod software;
mod tree;

pub use describe::{describe, describe_report, unverified};
pub use diagnostic::{Content, Diagnostic, locate};
pub use parameter::describe_parameter;
pub use software::{describe_coswid, describe_mud};
pub use tree::Tree;

use alloc::string::{String, ToString};

/// The name of a COSE algorithm that SUIT or TEEP uses, by its number.
#[must_use]
pub fn algorithm_name(id: i64) -> Option<&'static str> {
    shape::algorithm(id)
}

/// The name of a command, by its label; `None` if it is not registered.
#[must_use]
pub fn command_name(label: i64) -> Option<&'static str> {
    registered(shape::command(label).1)
}

/// The name of a parameter, by its label; `None` if it is not registered.
#[must_use]
pub fn parameter_name(label: i64) -> Option<&'static str> {
    registered(shape::parameter(label))
}

fn registered(member: shape::Member) -> Option<&'static str> {
    (!member.name.is_empty()).then_some(member.name)
}

/// Text from outside, fit for a terminal: everything that is not plainly visible is escaped.
#[must_use]
pub fn visible(text: &str) -> String {
    tree::Tree::scalar_of(text)
}

/// The name of a text about the manifest, by its label; the label itself where none is registered.
#[must_use]
pub fn manifest_text_name(label: i64) -> String {
    named(label, shape::manifest_text(label))
}

/// The name of a text about a component, by its label; the label itself where none is registered.
#[must_use]
pub fn component_text_name(label: i64) -> String {
    named(label, shape::component_text(label))
}

fn named(label: i64, name: &str) -> String {
    match name {
        "" => label.to_string(),
        name => name.to_string(),
    }
}
