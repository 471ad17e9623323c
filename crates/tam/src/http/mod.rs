//! The TAM as an HTTP server: the TEEP endpoint, the admin API, health.

mod admin;
mod error;
mod serve;
mod state;
mod teep;
#[cfg(test)]
mod tests;
mod token;
mod trace;
mod views;

pub use serve::{ServeConfig, ServeError, serve, serve_until};
pub use state::HttpSettings;

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
        .merge(admin::router(&shared))
        .fallback(error::not_found)
        .with_state(shared)
}
