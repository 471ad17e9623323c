//! The binary at work: its commands, its processes, and what they talk to.

mod binary;
mod folder;
mod http;
mod process;
mod tls;
mod verifier;
mod wire;
mod world;

pub use binary::{Finished, binary, copy_binary, run, tamarack};
pub use folder::{Folder, vectors};
pub use http::{Request, Response, Server, post, request, send_slowly};
pub use process::{PATIENCE, Process, alive, children, eventually, is_root, signal};
pub use tls::Authority;
pub use verifier::start_verifier;
pub use wire::Wire;
pub use world::{Keys, World, serve_tee, start_tam};
