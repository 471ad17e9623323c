//! What the end-to-end tests share.
//!
//! The tests `agent_*` hold a TEE in this process: [`Device`] is the real agent in the real TEE, in a
//! temporary folder; [`Tam`] is scripted, so that it can say what no honest TAM says; [`Payloads`] stands
//! in for the network; [`Person`] and [`release`] make keys and manifests.
//!
//! The tests `cli_*` drive the binary: [`system`] builds it, starts its processes and ends them.
//!
//! The tests `tpm`, with the feature of that name, do either on a software TPM.

pub mod crash;
mod device;
mod payloads;
mod person;
mod providers;
pub mod release;
#[cfg(feature = "tpm")]
pub mod swtpm;
pub mod system;
mod tam;
pub mod wat;

pub use device::{Device, Off, invoke_in, open_session, reports};
pub use payloads::Payloads;
pub use person::Person;
pub use providers::Providers;
pub use tam::{Tam, error_of, success_of};

use std::time::UNIX_EPOCH;

use tamarack_cose::{CryptoProvider, rustcrypto};
use tamarack_suit::ComponentId;

/// The example applications.
pub mod wasm {
    /// `hello`, version 1: says hello.
    pub const HELLO_1: &[u8] = include_bytes!("../../examples/prebuilt/hello-1.wasm");
    /// `hello`, version 2: greets with its Personalization Data `greeting`.
    pub const HELLO_2: &[u8] = include_bytes!("../../examples/prebuilt/hello-2.wasm");
    /// `vault`: signs with a key of its own, and counts.
    pub const VAULT: &[u8] = include_bytes!("../../examples/prebuilt/vault-1.wasm");
    /// Tries everything that it should not be able to do.
    pub const ATTACKER: &[u8] = include_bytes!("../../examples/prebuilt/attacker-1.wasm");
    /// Bills what a meter counts.
    pub const BILLING: &[u8] = include_bytes!("../../examples/prebuilt/billing-1.wasm");
    /// Counts, and is written in C.
    pub const COUNTER: &[u8] = include_bytes!("../../examples/prebuilt/counter-1.wasm");
    /// Decides who opens a door.
    pub const DOOR_LOCK: &[u8] = include_bytes!("../../examples/prebuilt/door-lock-1.wasm");
    /// Counts consumption.
    pub const METER: &[u8] = include_bytes!("../../examples/prebuilt/meter-1.wasm");

    /// Command of `hello`: greets the name that is the input.
    pub const GREET: u32 = 1;
    /// Command of `vault`: signs the input.
    pub const SIGN: u32 = 1;
    /// Command of `vault`: tells the public key.
    pub const PUBLIC_KEY: u32 = 2;
    /// Command of `vault`: tells the number of signatures.
    pub const COUNT: u32 = 3;
}

/// The crypto provider of the TEE.
#[must_use]
pub fn crypto() -> CryptoProvider {
    rustcrypto::provider()
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// A component identifier from its text form.
#[must_use]
#[track_caller]
pub fn id(text: &str) -> ComponentId {
    text.parse().unwrap()
}
