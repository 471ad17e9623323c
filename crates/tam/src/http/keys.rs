//! The public keys of the TAM, for makers of devices.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use serde_json::{Value, json};

use super::state::Shared;
use crate::{Clock, Store};

pub(super) fn router<S: Store + 'static, C: Clock + 'static>() -> Router<Arc<Shared<S, C>>> {
    Router::new().route("/keys", get(keys))
}

/// A JWK set (RFC 7517): those with which the TAM signs (`"use": "sig"`), and those to which agents encrypt
/// Evidence and reports (`"use": "enc"`).
///
/// What comes over a network is no reason to trust a key: a maker compares its thumbprint, the `kid`.
async fn keys<S: Store + 'static, C: Clock + 'static>(
    State(shared): State<Arc<Shared<S, C>>>,
) -> Json<Value> {
    let (keys, crypto) = (shared.tam.keys(), shared.tam.crypto());
    let signing = keys.public_keys().into_iter();
    let signing = signing.map(|key| jwk(&key.to_jwk(), "sig", &key.key_id(crypto).to_hex()));
    let encryption = keys.encryption_keys().iter();
    let encryption = encryption.map(|key| jwk(&key.to_jwk(), "enc", &key.key_id(crypto).to_hex()));
    let all: Vec<Value> = signing.chain(encryption).collect();
    Json(json!({ "keys": all }))
}

fn jwk(jwk: &str, used_for: &str, key_id: &str) -> Value {
    let mut value: Value = serde_json::from_str(jwk).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.insert("use".into(), used_for.into());
        members.insert("kid".into(), key_id.into());
    }
    value
}
