//! Runs Trusted Applications as WebAssembly modules, each session in an instance of its own.
//!
//! A TA is hostile: it was signed by somebody, but not by us. What it can do is what the import module `tee`
//! offers (see [`tamarack_ta::interface`]), for as long as its [`Quota`] lasts. Every address and
//! length that it passes is checked, and what goes wrong inside it ends its session and nothing else.
//!
//! [`TaRuntime`] checks and compiles a module, [`TaModule`] opens a [`Session`], and [`Services`] is the
//! side of the TEE that a session's service calls reach.

mod fuel;
mod guest;
mod host;
mod imports;
mod module;
mod quota;
mod services;
mod session;

#[cfg(test)]
mod tests;

pub use module::{ModuleError, TaModule, TaRuntime};
pub use quota::Quota;
pub use services::Services;
pub use session::{Death, Session};
