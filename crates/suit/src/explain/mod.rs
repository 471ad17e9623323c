//! Envelopes and reports for people: a tree that prints, and becomes JSON.

mod describe;
mod tree;

pub use describe::{describe, describe_report};
pub use tree::Tree;
