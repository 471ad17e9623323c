//! The admin API: security domains, and what is published in them.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64ct::{Base64, Encoding};
use tamarack_cose::PublicKey;

use super::{
    admin::{AppState, PageQuery, created, json_body, limits, parse_component},
    body::read_body,
    error::ApiError,
    state::Shared,
    views,
};
use crate::{
    Actor, Clock, Registration, Removal, Store, api,
    catalog::{Domain, ManifestKind},
    publish_as, register_domain_as, remove_domain, withdraw,
};

pub(super) fn routes<S: Store + 'static, C: Clock + 'static>() -> Router<Arc<Shared<S, C>>> {
    Router::new()
        .route("/domains", post(put_domain).get(domains))
        .route("/domains/{name}", get(domain).delete(delete_domain))
        .route(
            "/components",
            post(publish_component)
                .get(components)
                .delete(withdraw_component),
        )
}

// ---- domains ----

async fn put_domain<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Extension(actor): Extension<Actor>,
    body: Body,
) -> Result<(StatusCode, Json<api::Domain>), ApiError> {
    let request: api::DomainRequest = json_body(&shared, body).await?;
    let limits = limits(&shared);
    let registration = registration(request)?;
    shared
        .run(move |tam| {
            let new = register_domain_as(tam, &limits, &registration, &actor)?;
            let catalog = tam.store().catalog()?;
            let found = catalog.domain(&registration.name);
            let found = found.ok_or_else(|| no_domain(&registration.name))?;
            Ok((
                created(new),
                Json(views::domain(found, &catalog, tam.crypto())),
            ))
        })
        .await?
}

fn registration(request: api::DomainRequest) -> Result<Registration, ApiError> {
    let key = |member: &str, jwk: &serde_json::Value| {
        PublicKey::from_jwk(&jwk.to_string())
            .map_err(|error| ApiError::Invalid(format!("{member}: {error}")))
    };
    let signers = request
        .signers
        .iter()
        .map(|jwk| key("signers", jwk))
        .collect::<Result<_, _>>()?;
    let anchor = request
        .anchor
        .as_ref()
        .map(|jwk| key("anchor", jwk))
        .transpose()?;
    let manifest = request.manifest.map(|text| {
        Base64::decode_vec(&text)
            .map_err(|error| ApiError::Invalid(format!("manifest is not base64: {error}")))
    });
    Ok(Registration {
        prefix: parse_component("prefix", &request.prefix)?,
        name: request.name,
        signers,
        anchor,
        manifest: manifest.transpose()?,
    })
}

/// Whether the security domain is one that the actor gets to see: its own, and the parts of these.
fn may_see(actor: &Actor, name: &str) -> bool {
    let mut around = Some(name);
    while let Some(name) = around {
        if actor.may_publish_in(name) {
            return true;
        }
        around = Domain::parent_of(name);
    }
    false
}

async fn domains<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<api::Domains>, ApiError> {
    shared
        .run(move |tam| {
            let catalog = tam.store().catalog()?;
            let domains = catalog.domains().iter();
            let domains = domains.filter(|domain| may_see(&actor, &domain.name));
            let domains = domains.map(|found| views::domain(found, &catalog, tam.crypto()));
            Ok(Json(api::Domains {
                domains: domains.collect(),
            }))
        })
        .await?
}

async fn domain<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
) -> Result<Json<api::Domain>, ApiError> {
    shared
        .run(move |tam| {
            let catalog = tam.store().catalog()?;
            let found = catalog.domain(&name).filter(|_| may_see(&actor, &name));
            let found = found.ok_or_else(|| no_domain(&name))?;
            Ok(Json(views::domain(found, &catalog, tam.crypto())))
        })
        .await?
}

async fn delete_domain<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    shared
        .run(move |tam| {
            Ok(match remove_domain(tam, &name, &actor)? {
                Removal::Done => StatusCode::NO_CONTENT.into_response(),
                Removal::UnderWay { devices } => {
                    let removal = api::Removal { name, devices };
                    (StatusCode::ACCEPTED, Json(removal)).into_response()
                }
            })
        })
        .await?
}

// ---- components ----

async fn publish_component<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Extension(actor): Extension<Actor>,
    body: Body,
) -> Result<(StatusCode, Json<api::Component>), ApiError> {
    let limits = limits(&shared);
    let body = read_body(&shared, body, shared.settings.envelope_bytes).await?;
    shared
        .run(move |tam| {
            let done = publish_as(tam, &limits, &body.bytes, &actor)?;
            let catalog = tam.store().catalog()?;
            let published = catalog
                .releases(&done.manifest_component)
                .find(|release| release.sequence_number == done.sequence_number);
            let gone = || ApiError::NotFound("the component was removed meanwhile".into());
            let view = views::component(published.ok_or_else(gone)?, &catalog, tam.crypto());
            Ok((created(done.new), Json(view)))
        })
        .await?
}

async fn withdraw_component<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Extension(actor): Extension<Actor>,
    query: PageQuery,
) -> Result<StatusCode, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::Malformed(error.body_text()))?;
    let manifest = query.get("manifest");
    let manifest = manifest.ok_or_else(|| ApiError::Malformed("manifest is missing".into()))?;
    let manifest = parse_component("manifest", manifest)?;
    shared
        .run(move |tam| {
            withdraw(tam, &manifest, &actor)?;
            Ok(StatusCode::NO_CONTENT)
        })
        .await?
}

async fn components<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<api::Components>, ApiError> {
    shared
        .run(move |tam| {
            let catalog = tam.store().catalog()?;
            let manifests = catalog.manifests().iter();
            let published = manifests.filter(|manifest| {
                manifest.kind == ManifestKind::Component && may_see(&actor, &manifest.domain)
            });
            let views = published.map(|found| views::component(found, &catalog, tam.crypto()));
            Ok(Json(api::Components {
                components: views.collect(),
            }))
        })
        .await?
}

pub(super) fn no_domain(name: &str) -> ApiError {
    ApiError::NotFound(format!("there is no security domain {name:?}"))
}
