//! The TAM as an HTTP server: the TEEP endpoint, the admin API, health.

mod admin;
mod body;
mod certificates;
mod client;
mod connections;
mod contact;
mod error;
mod keys;
mod rate;
mod serve;
mod state;
mod teep;
#[cfg(test)]
mod tests;
mod tls;
mod token;
mod trace;
mod views;

pub use rate::Rate;
pub use serve::{
    AttestationConfig, Listeners, ServeConfig, ServeError, serve, serve_until, tam_identity,
};
pub use state::HttpSettings;
pub use tls::{TlsError, TlsFiles};

use std::sync::Arc;

use axum::Router;
use tamarack_trace::Trace;

use crate::{Clock, Store};
use state::Shared;

/// All routes.
fn router<S: Store + 'static, C: Clock + 'static>(
    shared: Arc<Shared<S, C>>,
    trace: Trace,
) -> Router {
    Router::new()
        .merge(trace::traced(teep::router(), trace))
        .merge(keys::router())
        .merge(admin::router(&shared))
        .fallback(error::not_found)
        .with_state(shared)
}

/// The TEEP endpoint and health, where the admin API is elsewhere.
fn teep_router<S: Store + 'static, C: Clock + 'static>(
    shared: Arc<Shared<S, C>>,
    trace: Trace,
) -> Router {
    Router::new()
        .merge(trace::traced(teep::router(), trace))
        .merge(keys::router())
        .merge(admin::health_router())
        .fallback(error::not_found)
        .with_state(shared)
}

/// The admin API and health, without the TEEP endpoint.
fn admin_router<S: Store + 'static, C: Clock + 'static>(shared: Arc<Shared<S, C>>) -> Router {
    Router::new()
        .merge(admin::router(&shared))
        .fallback(error::not_found)
        .with_state(shared)
}
