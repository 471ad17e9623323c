//! Who asks the admin API, and what for.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    admin::AppState, client::ClientAddress, error::ApiError, state::Shared, token::Presented,
};
use crate::{Actor, Clock, Role, Store, Token, api};

/// What a request is about. Roles are sets of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matter {
    /// To read anything.
    Read,
    /// To read of security domains and components, as far as these are the reader's.
    ReadCatalog,
    /// Devices, their makers, and what is revoked.
    Devices,
    /// To register and remove security domains, and to publish and withdraw in them.
    Catalog,
    /// What is where.
    Deployments,
    /// Who may do what.
    Tokens,
}

impl Matter {
    /// What a request to this path is about; what is not named here is the administrator's.
    fn of(method: &Method, path: &str) -> Self {
        let path = path.strip_prefix(api::PREFIX).unwrap_or(path);
        let collection = path.split('/').nth(1).unwrap_or_default();
        match (collection, method) {
            ("tokens", _) => Self::Tokens,
            ("domains" | "components", &Method::GET) => Self::ReadCatalog,
            (_, &Method::GET) => Self::Read,
            ("domains" | "components", _) => Self::Catalog,
            ("devices" | "makers" | "revocations", _) => Self::Devices,
            ("deployments", _) => Self::Deployments,
            _ => Self::Tokens,
        }
    }

    fn is_for(self, role: Role) -> bool {
        match role {
            Role::Operator => self != Self::Tokens,
            Role::DeviceAdministrator => {
                matches!(self, Self::Read | Self::ReadCatalog | Self::Devices)
            }
            Role::Auditor => matches!(self, Self::Read | Self::ReadCatalog),
            Role::Signer => matches!(self, Self::ReadCatalog | Self::Catalog),
        }
    }
}

/// Lets a request pass that has a token for what it asks. Who has none can't guess at will.
pub(super) async fn authenticate<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Extension(client): Extension<ClientAddress>,
    mut request: Request,
    next: Next,
) -> Response {
    let matter = Matter::of(request.method(), request.uri().path());
    let presented = bearer(&request).map(|token| shared.token.presented(token));
    let actor = match actor(&shared, client, matter, presented).await {
        Ok(actor) => actor,
        Err(refusal) => return refusal.into_response(),
    };
    request.extensions_mut().insert(actor);
    next.run(request).await
}

/// The token that came with a request.
fn bearer(request: &Request) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

async fn actor<S: Store + 'static, C: Clock + 'static>(
    shared: &Arc<Shared<S, C>>,
    client: ClientAddress,
    matter: Matter,
    presented: Option<Presented>,
) -> Result<Actor, ApiError> {
    if presented == Some(Presented::Administrators) {
        return Ok(Actor::administrator());
    }
    // Before the store is asked, which costs something.
    shared.admit(client)?;
    let Some(Presented::Other(hash)) = presented else {
        return Err(ApiError::Unauthorized);
    };
    let token = shared.run(move |tam| tam.store().token(&hash)).await??;
    let token = token.ok_or(ApiError::Unauthorized)?;
    if !matter.is_for(token.role) {
        return Err(forbidden(&token));
    }
    Ok(token.into())
}

fn forbidden(token: &Token) -> ApiError {
    ApiError::Forbidden(format!("this is not for who has the role {}", token.role))
}
