//! SDK for Trusted Applications (TAs) that run in a Tamarack TEE.
//!
//! A TA is a WebAssembly core module built for `wasm32-unknown-unknown`. It sees no files, sockets, clock
//! or threads of the machine, only the services that the TEE offers through the import module `tee`; this
//! crate wraps them, so that a TA contains neither `unsafe` code nor pointers. The shape follows
//! `GlobalPlatform`'s TEE Internal Core API: the same life cycle, the same [result codes](ResultCode).
//!
//! A complete TA:
//!
//! ```
//! #![no_std]
//! use tamarack_ta::{ResultCode, TrustedApplication, Vec};
//!
//! struct Hello;
//!
//! impl TrustedApplication for Hello {
//!     fn create() -> Result<Self, ResultCode> {
//!         Ok(Self)
//!     }
//!     fn invoke_command(&mut self, command: u32, name: &[u8]) -> Result<Vec<u8>, ResultCode> {
//!         match command {
//!             1 => Ok([b"Hello, ", name].concat()),
//!             _ => Err(ResultCode::NOT_SUPPORTED),
//!         }
//!     }
//! }
//! tamarack_ta::export!(Hello);
//! # fn main() {
//! # let mut session = tamarack_ta::testing::Session::<Hello>::open(b"").unwrap();
//! # assert_eq!(session.invoke(1, b"Ada").unwrap(), b"Hello, Ada");
//! # }
//! ```
//!
//! With `crate-type = ["cdylib"]` in its manifest, `cargo build --release --target wasm32-unknown-unknown`
//! makes the file that a TEEP manifest installs. `examples/` of the repository holds whole crates.
//!
//! # Services
//!
//! | Module | What the TEE offers |
//! |---|---|
//! | [`objects`] | persistent data, sealed, visible to this TA only |
//! | [`personalization`] | data the TA's provider sent to this device, read-only |
//! | [`keys`] | signing keys that never leave the TEE |
//! | [`random`] | random bytes |
//! | [`time`] | seconds since 1970 |
//! | [`mod@log`] | lines for the operator |
//!
//! # Commands are transactions
//!
//! What a TA changes while it handles one call (open session, command, close session) is kept if the call
//! returns `Ok` and undone if it returns an error, panics, or exceeds a limit. A counter that is raised
//! beside a signature can therefore not get out of step with it.
//!
//! # Limits
//!
//! Names of objects, keys and personalization data are 1 to [`interface::MAX_NAME_LEN`] bytes of UTF-8. Memory, run
//! time of a command, and storage are bounded by the quota of the TA's security domain; exceeding the first two ends the
//! session with [`ResultCode::TARGET_DEAD`], which a panic does too.
//!
//! # Testing without a TEE
//!
//! On every target that is not WebAssembly the services are those of an in-memory TEE, one per thread, so
//! `cargo test` works as in any crate: see [`testing`].
//!
//! # What this crate does not do
//!
//! It is not the TEE, and protects nothing by itself. It offers no `std`, no threads, and no calls to other
//! TAs. The contract with the TEE, for those who write TAs in another language, is in [`interface`].

#![no_std]

extern crate alloc;
#[cfg(not(target_family = "wasm"))]
extern crate std;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod abi;
mod application;
mod export;
pub mod interface;
pub mod keys;
pub mod log;
pub mod objects;
pub mod personalization;
pub mod random;
mod result_code;
#[cfg(all(target_family = "wasm", feature = "runtime"))]
mod runtime;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod time;

// The one seam: both offer the same functions, one passes them to the TEE, the other answers them.
#[cfg(target_family = "wasm")]
use abi as tee;
#[cfg(not(target_family = "wasm"))]
use testing::tee;

pub use alloc::{format, string::String, vec::Vec};
pub use application::TrustedApplication;
pub use result_code::ResultCode;
