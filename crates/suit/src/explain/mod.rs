//! Envelopes and reports for people: a tree that prints and becomes JSON, and diagnostic notation.

mod describe;
mod diagnostic;
mod shape;
mod tree;

pub use describe::{describe, describe_parameter, describe_report, unverified};
pub use diagnostic::{Diagnostic, locate};
pub use tree::Tree;
