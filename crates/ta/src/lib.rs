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
//! use tamarack_ta::{ResultCode, String, TrustedApplication, format};
//!
//! struct Hello;
//!
//! impl Hello {
//!     fn greet(&mut self, name: &str) -> String {
//!         format!("Hello, {name}")
//!     }
//! }
//!
//! impl TrustedApplication for Hello {
//!     fn create() -> Result<Self, ResultCode> {
//!         Ok(Self)
//!     }
//!     tamarack_ta::commands! { 1 => greet(name) }
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
//! [`commands!`] maps numbers to methods with typed parameters; [`wire`] says which bytes they are. A TA that wants bytes
//! writes [`invoke_command`](TrustedApplication::invoke_command) itself.
//!
//! # Services
//!
//! | Module | What the TEE offers |
//! |---|---|
//! | [`objects`] | persistent data, sealed, of this TA or shared within its security domain |
//! | [`personalization`] | data the TA's provider sent to this device, read-only |
//! | [`keys`] | keys that never leave the TEE: signatures, MACs, encryption, key agreement |
//! | [`cose`] | signed messages in a form that others read |
//! | [`digest`], [`random`] | digests, random bytes |
//! | [`time`] | the time of day, time that passed, and a time of the TA's own |
//! | [`attestation`] | proof that it is this TA on this device that speaks |
//! | [`services`] | calls to what other security domains expose |
//! | [`session`] | who calls, whether the command is cancelled, an early commit, streams of input and output |
//! | [`mod@log`] | lines for the operator |
//!
//! # Commands are transactions
//!
//! What a TA changes while it handles one call (open session, command, close session) is kept if the call
//! returns `Ok` and undone if it returns an error, panics, or exceeds a limit. A counter that is raised
//! beside a signature can therefore not get out of step with it.
//!
//! Whoever calls can see to it that a command is undone, at a moment of his choice: he cancels it, or lets a limit end it. Most
//! commands need not care, as their output is not delivered either. One that must remember what was tried does: a TA
//! that counts wrong PINs and looks first gives as many guesses as somebody can cancel. It counts the attempt as used, calls
//! [`session::commit`], looks, and takes the count back if the PIN was right.
//!
//! A call to a [service](services) is a transaction of its own.
//!
//! # Limits
//!
//! Names of objects, keys and personalization data are 1 to [`interface::MAX_NAME_LEN`] bytes of UTF-8. Memory, run
//! time of a command, and storage are bounded by the quota of the TA's security domain; exceeding the first two ends the
//! session with [`ResultCode::TARGET_DEAD`], which a panic does too. No TA can answer that code itself: it becomes
//! [`ResultCode::GENERIC`].
//!
//! Once a TA was updated or removed, sessions with its old code reach nothing any more: services answer
//! [`ResultCode::BUSY`].
//!
//! # Testing without a TEE
//!
//! On every target that is not WebAssembly the services are those of an in-memory TEE, one per thread, with real
//! cryptography, so `cargo test` works as in any crate: see [`testing`].
//!
//! # What this crate does not do
//!
//! It is not the TEE, and protects nothing by itself. It offers no `std` and no threads. The contract with the TEE, for those
//! who write TAs in another language, is in [`interface`].
//!
//! # Features
//!
//! Both are on unless `default-features` is `false`.
//!
//! | Feature | What it adds |
//! |---|---|
//! | `runtime` | an allocator and a panic handler for WebAssembly |
//! | `testing` | the in-memory TEE on every other target, and with it the services there |

#![no_std]

extern crate alloc;
#[cfg(all(not(target_family = "wasm"), feature = "testing"))]
extern crate std;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod abi;
mod application;
#[cfg(any(target_family = "wasm", feature = "testing"))]
pub mod attestation;
mod commands;
#[cfg(any(target_family = "wasm", feature = "testing"))]
pub mod cose;
#[cfg(any(target_family = "wasm", feature = "testing"))]
pub mod digest;
mod export;
pub mod interface;
#[cfg(any(target_family = "wasm", feature = "testing"))]
pub mod keys;
#[cfg(any(target_family = "wasm", feature = "testing"))]
pub mod log;
#[cfg(any(target_family = "wasm", feature = "testing"))]
pub mod objects;
#[cfg(any(target_family = "wasm", feature = "testing"))]
pub mod personalization;
#[cfg(any(target_family = "wasm", feature = "testing"))]
pub mod random;
mod result_code;
#[cfg(all(target_family = "wasm", feature = "runtime"))]
mod runtime;
#[cfg(any(target_family = "wasm", feature = "testing"))]
pub mod services;
#[cfg(any(target_family = "wasm", feature = "testing"))]
pub mod session;
#[cfg(all(not(target_family = "wasm"), feature = "testing"))]
pub mod testing;
#[cfg(any(target_family = "wasm", feature = "testing"))]
pub mod time;
pub mod wire;

// The one seam: both offer the same functions, one passes them to the TEE, the other answers them.
#[cfg(target_family = "wasm")]
use abi as tee;
#[cfg(all(not(target_family = "wasm"), feature = "testing"))]
use testing::tee;

pub use alloc::{format, string::String, vec::Vec};
pub use application::TrustedApplication;
pub use minicbor;
pub use result_code::ResultCode;
