//! The TEEP Broker: the part of TEEP that lives in the rich execution environment.
//!
//! It carries messages between a TAM and the agent in the TEE, unread and unchanged
//! (draft-ietf-teep-otrp-over-http), fetches payloads that the agent asks for, and offers applications on
//! the device a local HTTP API on a Unix socket: request and unrequest components, list them, invoke
//! Trusted Applications. It knows which user an application runs as, and has rules for what each may do. It holds no
//! key and nothing that it says is believed.
//!
//! What it does not do: decide. Whether a message is genuine, which TAM may change what, whether a payload
//! is the right one — the agent answers all of it, in the TEE.
//!
//! [`Server`] runs it until it is told to stop:
//!
//! ```no_run
//! # async fn run() -> Result<(), tamarack_broker::BrokerError> {
//! let config = tamarack_broker::Config {
//!     tees: vec!["/run/tamarack/tee.sock".into()],
//!     tam_uris: vec!["https://tam.example/tam".into()],
//!     socket: "/run/tamarack/app.sock".into(),
//!     ..Default::default()
//! };
//! tamarack_broker::Server::open(config).await?.serve(std::future::pending()).await
//! # }
//! ```
//!
//! The API is described in [`tamarack_client::api`].

mod applications;
mod backoff;
mod broker;
mod budget;
mod command;
mod error;
mod exchange;
mod fetch;
mod http_client;
mod peer;
mod permissions;
mod places;
mod server;
mod session_calls;
mod sessions;
mod tam_listener;
mod tee_link;
mod tees;
mod verifier;

pub use error::BrokerError;
pub use http_client::Transport;
pub use server::{Config, Server};
