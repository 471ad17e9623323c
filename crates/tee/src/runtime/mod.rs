//! Runs Trusted Applications as WebAssembly modules, each session in an instance of its own.
//!
//! A TA is hostile: it was signed by somebody, but not by us. What it can do is what the import module `tee`
//! offers (see [`tamarack_ta::interface`]), for as long as its [`Quota`] lasts. Every address and
//! length that it passes is checked, and what goes wrong inside it ends its session and nothing else.
//!
//! [`TaRuntime`] checks and compiles a module, [`TaModule`] opens a [`Session`], and each call into it has an
//! [`Allowance`] of fuel and time, which somebody may end early. What the service calls of a session reach is in
//! `services`, beside this module.

mod allowance;
mod fuel;
mod guest;
mod host;
mod imports;
mod last_words;
mod module;
mod quota;
mod session;
mod stream;

#[cfg(test)]
mod tests;

pub use allowance::{Allowance, Cancellation, Watch};
pub use module::{ModuleError, TaModule, TaRuntime};
pub use quota::Quota;
pub use session::{Death, Session};
pub use stream::{CommandStream, Input};
