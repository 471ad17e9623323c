//! A TEE to live in: it isolates Trusted Applications, seals what they and the TEEP Agent store, and gives
//! the machine below one face.
//!
//! - [`runtime`] runs TAs as WebAssembly modules, each session in an instance with its own memory and a
//!   quota of memory and fuel.
//! - [`store`] is the sealed, transactional storage, which notices that it was tampered with or rolled back.
//! - [`platform`] is what the machine contributes: a root key, a monotonic counter, an identity, a way to
//!   attest. [`platform::Software`] keeps all that in files, for development and tests; the others rely on a TPM, a
//!   confidential virtual machine or an enclave.
//! - [`hardening`] is what the process around all that gives up before it serves, and [`LinkSocket`] where it is reached, by
//!   the users that may.
//!
//! What it does not do: it decides nothing about what is installed, which is the TEEP Agent's part
//! (`tamarack-agent`), and speaks to no network. With the `software` platform it protects against hostile
//! Trusted Applications, and against nobody who controls the machine.
//!
//! # Features
//!
//! - `tpm`: the platform of a TPM 2.0, `platform::Tpm`. It needs the libraries of tpm2-tss (Debian: `libtss2-dev`).
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use tamarack_agent::platform::{Namespace, Storage};
//! use tamarack_cose::rustcrypto;
//! use tamarack_tee::{
//!     platform::{DeviceOptions, Software},
//!     store::{Store, StoreOptions},
//! };
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let crypto = rustcrypto::provider();
//! let platform = Software::open(folder, &crypto, &DeviceOptions::default())?;
//! let path = folder.join("store");
//! let store = Store::open(&path, Arc::new(platform), &crypto, StoreOptions::default())?;
//!
//! let space = Namespace::domain("acme");
//! let mut transaction = store.begin()?;
//! transaction.put(&space, b"door-lock", b"a payload")?;
//! transaction.commit()?;
//! assert_eq!(store.view()?.get(&space, b"door-lock")?.as_deref(), Some(&b"a payload"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Pages of the storage that somebody changed make redb panic, and the store is closed by a panic.
#[cfg(panic = "abort")]
compile_error!("tamarack-tee needs panics that unwind: leave out `panic = \"abort\"`");

mod applications;
mod clock;
mod evidence;
pub mod hardening;
pub mod platform;
pub mod runtime;
mod server;
mod services;
mod socket;
pub mod store;
mod tee;

pub use applications::{Applications, InvocationError};
pub use server::serve;
pub use socket::LinkSocket;
pub use tee::{Tee, TeeError, endorsement};
