//! The TAM as an HTTP server: the TEEP endpoint, the admin API, health.

mod access;
mod admin;
mod body;
mod catalog;
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
mod tokens;
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
    let routes = device_routes(trace).merge(admin::router(&shared));
    routes.fallback(error::not_found).with_state(shared)
}

/// The TEEP endpoint and health, where the admin API is elsewhere.
fn teep_router<S: Store + 'static, C: Clock + 'static>(
    shared: Arc<Shared<S, C>>,
    trace: Trace,
) -> Router {
    let routes = device_routes(trace).merge(admin::health_router());
    routes.fallback(error::not_found).with_state(shared)
}

/// The admin API and health, without the TEEP endpoint.
fn admin_router<S: Store + 'static, C: Clock + 'static>(shared: Arc<Shared<S, C>>) -> Router {
    let routes = admin::router(&shared);
    routes.fallback(error::not_found).with_state(shared)
}

/// What devices ask for.
fn device_routes<S: Store + 'static, C: Clock + 'static>(
    trace: Trace,
) -> Router<Arc<Shared<S, C>>> {
    trace::traced(teep::router(), trace).merge(keys::router())
}
