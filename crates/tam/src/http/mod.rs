//! The TAM as an HTTP server: the TEEP endpoint, the admin API, health.

mod admin;
mod error;
mod serve;
mod state;
mod teep;
#[cfg(test)]
mod tests;
mod token;
mod views;

pub use serve::{ServeConfig, ServeError, serve, serve_until};
pub use state::HttpSettings;

use std::sync::Arc;

use axum::Router;

use crate::{Clock, Store};
use state::Shared;

/// All routes.
fn router<S: Store + 'static, C: Clock + 'static>(shared: Arc<Shared<S, C>>) -> Router {
    Router::new()
        .merge(teep::router())
        .merge(admin::router(&shared))
        .fallback(error::not_found)
        .with_state(shared)
}
