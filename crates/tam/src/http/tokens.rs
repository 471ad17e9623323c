//! The admin API: tokens of people who may do a part of what the administrator may.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::StatusCode,
    routing::{delete, post},
};
use base16ct::lower::encode_string;

use super::{
    admin::{AppState, entry, json_body, removed},
    catalog::no_domain,
    error::ApiError,
    state::Shared,
};
use crate::{AuditAction, AuditEntry, Clock, Role, Store, Token, api};

pub(super) fn routes<S: Store + 'static, C: Clock + 'static>() -> Router<Arc<Shared<S, C>>> {
    Router::new()
        .route("/tokens", post(add).get(tokens))
        .route("/tokens/{name}", delete(remove))
}

async fn add<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    body: Body,
) -> Result<(StatusCode, Json<api::NewToken>), ApiError> {
    let request: api::TokenRequest = json_body(&shared, body).await?;
    let role: Role = request
        .role
        .parse()
        .map_err(|error: crate::RoleError| ApiError::Invalid(error.to_string()))?;
    check(&request, role)?;
    let secret = shared.tam.crypto().random_array::<32>();
    let secret = secret.map_err(|error| ApiError::internal(&error))?;
    let secret = encode_string(&secret);
    let hash = shared.token.hash(&secret);
    shared
        .run(move |tam| {
            let catalog = tam.store().catalog()?;
            let unknown = request.domains.iter();
            let mut unknown = unknown.filter(|name| catalog.domain(name).is_none());
            if let Some(name) = unknown.next() {
                return Err(no_domain(name));
            }
            let mut domains = request.domains;
            domains.sort();
            domains.dedup();
            let token = Token {
                name: request.name,
                role,
                domains,
                created_at: tam.clock().now(),
            };
            let detail = match token.domains.as_slice() {
                [] => role.to_string(),
                domains => format!("{role} of {}", domains.join(" ")),
            };
            let audit = AuditEntry {
                detail,
                ..entry(tam, AuditAction::AddToken, &token.name)
            };
            if !tam.store().add_token(&token, &hash, &audit)? {
                let detail = format!("there is a token {:?}; remove it first", token.name);
                return Err(ApiError::Conflict(detail));
            }
            let token = view(token);
            Ok((StatusCode::CREATED, Json(api::NewToken { token, secret })))
        })
        .await?
}

fn check(request: &api::TokenRequest, role: Role) -> Result<(), ApiError> {
    let printable = |c: char| !c.is_control() && !c.is_whitespace() && c != '/';
    if !(1..=64).contains(&request.name.len()) || !request.name.chars().all(printable) {
        let detail = "a token's name has 1 to 64 bytes, printable and without /";
        return Err(ApiError::Invalid(detail.into()));
    }
    match (role, request.domains.is_empty()) {
        (Role::Signer, true) => Err(ApiError::Invalid(
            "a signer's token is for one security domain at least".into(),
        )),
        (Role::Signer, false) | (_, true) => Ok(()),
        (_, false) => Err(ApiError::Invalid(format!(
            "a token of the role {role} is for everything; domains are for signers"
        ))),
    }
}

fn view(token: Token) -> api::Token {
    api::Token {
        name: token.name,
        role: token.role.to_string(),
        domains: token.domains,
        created_at: token.created_at.seconds(),
    }
}

async fn tokens<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
) -> Result<Json<api::Tokens>, ApiError> {
    shared
        .run(|tam| {
            let tokens = tam.store().tokens()?.into_iter();
            Ok(Json(api::Tokens {
                tokens: tokens.map(view).collect(),
            }))
        })
        .await?
}

async fn remove<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    shared
        .run(move |tam| {
            let audit = entry(tam, AuditAction::RemoveToken, &name);
            removed(tam.store().remove_token(&name, &audit)?, || {
                ApiError::NotFound(format!("there is no token {name:?}"))
            })
        })
        .await?
}
