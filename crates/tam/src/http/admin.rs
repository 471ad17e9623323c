//! The admin API: JSON over the operations of the TAM.

use std::{collections::HashMap, str::FromStr, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    middleware,
    routing::{delete, get, post},
};
use serde::de::DeserializeOwned;
use tamarack_rats::Endorsement;
use tamarack_suit::{ComponentId, Limits};

use super::{access, body::read_body, contact::contact, error::ApiError, state::Shared, views};
use crate::{AuditAction, AuditEntry, Clock, Enrolled, Mode, Selector, Store, Tam, Ueid, api};

/// Most entries of a page, and how many there are if the client does not say.
const PAGE: (u32, u32) = (1000, 100);

/// The query of a page; what is wrong with it is said in JSON like everything else.
pub(super) type PageQuery = Result<Query<HashMap<String, String>>, QueryRejection>;

pub(super) type AppState<S, C> = State<Arc<Shared<S, C>>>;

pub(super) fn router<S: Store + 'static, C: Clock + 'static>(
    shared: &Arc<Shared<S, C>>,
) -> Router<Arc<Shared<S, C>>> {
    let authenticated =
        middleware::from_fn_with_state(Arc::clone(shared), access::authenticate::<S, C>);
    let api = Router::new()
        .route("/devices", post(enroll).get(devices))
        .route("/devices/{ueid}", get(device).delete(remove_device))
        .route("/devices/{ueid}/contact", post(contact_device))
        .route("/deployments", post(deploy).get(deployments))
        .route("/deployments/{id}", delete(undeploy))
        .route("/audit", get(audit))
        .merge(super::catalog::routes())
        .merge(super::certificates::routes())
        .merge(super::tokens::routes())
        .route_layer(authenticated)
        .method_not_allowed_fallback(super::error::method_not_allowed)
        .fallback(super::error::not_found);
    Router::new().nest(api::PREFIX, api).merge(health_router())
}

/// Whether the TAM is well, which nobody needs a token to ask.
pub(super) fn health_router<S: Store + 'static, C: Clock + 'static>() -> Router<Arc<Shared<S, C>>> {
    Router::new().route("/healthz", get(health))
}

async fn health<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
) -> Result<Json<api::Health>, ApiError> {
    shared.run(|tam| tam.store().check()).await??;
    Ok(Json(api::Health {
        status: "ok".into(),
    }))
}

// ---- devices ----

async fn enroll<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    body: Body,
) -> Result<(StatusCode, Json<api::Device>), ApiError> {
    let text = text_body(&shared, body).await?;
    let endorsement =
        Endorsement::from_json(&text).map_err(|error| ApiError::Invalid(error.to_string()))?;
    let ueid = Ueid::new(endorsement.ueid.clone());
    let ueid = ueid.map_err(|error| ApiError::Invalid(error.to_string()))?;
    shared
        .run(move |tam| {
            let attester = endorsement.attester.key_id(tam.crypto());
            let entry = AuditEntry {
                detail: format!("attester {attester}"),
                device: Some(ueid.clone()),
                ..entry(tam, AuditAction::Enroll, "")
            };
            let status = match tam.store().enroll(&endorsement, &entry)? {
                Enrolled::New => StatusCode::CREATED,
                Enrolled::Updated => StatusCode::OK,
                Enrolled::OtherAttester => {
                    let detail =
                        format!("device {ueid} is enrolled with another attester; remove it first");
                    return Err(ApiError::Conflict(detail));
                }
            };
            let found = tam.store().device(&ueid)?.ok_or_else(|| no_device(&ueid))?;
            Ok((status, Json(views::device(&found, tam.crypto()))))
        })
        .await?
}

async fn devices<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    query: PageQuery,
) -> Result<Json<api::Devices>, ApiError> {
    let (after, limit) = page(query)?;
    let after = after.as_deref().map(parse_ueid).transpose()?;
    shared
        .run(move |tam| {
            let found = tam.store().devices(after.as_ref(), limit)?;
            let devices: Vec<_> = found
                .iter()
                .map(|found| views::device(found, tam.crypto()))
                .collect();
            let next = devices.last().map(|device| device.ueid.clone());
            let next = next.filter(|_| devices.len() == limit as usize);
            Ok(Json(api::Devices { devices, next }))
        })
        .await?
}

async fn device<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Path(ueid): Path<String>,
) -> Result<Json<api::DeviceDetails>, ApiError> {
    let ueid = parse_ueid(&ueid)?;
    shared
        .run(move |tam| {
            let found = tam.store().device(&ueid)?.ok_or_else(|| no_device(&ueid))?;
            let outcomes = tam.store().outcomes(&ueid)?;
            let catalog = tam.store().catalog()?;
            let left_out = tam.left_out(&found, &outcomes, &catalog)?;
            Ok(Json(views::device_details(
                &found,
                &outcomes,
                &left_out,
                &catalog,
                tam.crypto(),
            )))
        })
        .await?
}

async fn contact_device<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Path(ueid): Path<String>,
    body: Body,
) -> Result<Json<api::Contacted>, ApiError> {
    let ueid = parse_ueid(&ueid)?;
    let request: api::Contact = json_body(&shared, body).await?;
    let known = ueid.clone();
    let found = shared.run(move |tam| tam.store().device(&known)).await??;
    if found.is_none() {
        return Err(no_device(&ueid));
    }
    let answers = contact(&shared, &request.uri).await?;
    Ok(Json(api::Contacted { answers }))
}

async fn remove_device<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Path(ueid): Path<String>,
) -> Result<StatusCode, ApiError> {
    let ueid = parse_ueid(&ueid)?;
    shared
        .run(move |tam| {
            let device = Some(ueid.clone());
            let entry = AuditEntry {
                device,
                ..entry(tam, AuditAction::RemoveDevice, "")
            };
            let found = tam.store().remove_device(&ueid, &entry)?;
            removed(found, || no_device(&ueid))
        })
        .await?
}

// ---- deployments ----

async fn deploy<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    body: Body,
) -> Result<(StatusCode, Json<api::Deployment>), ApiError> {
    let request: api::DeploymentRequest = json_body(&shared, body).await?;
    let invalid = |error: &dyn std::fmt::Display| ApiError::Invalid(error.to_string());
    let selector: Selector = request.selector.parse().map_err(|error| invalid(&error))?;
    let mode: Mode = request.mode.parse().map_err(|error| invalid(&error))?;
    let component = parse_component("component", &request.component)?;
    if component.is_empty() {
        return Err(ApiError::Invalid("component is empty".into()));
    }
    shared
        .run(move |tam| {
            let subject = component.to_string();
            let entry = AuditEntry {
                detail: format!("{mode} on {selector}"),
                ..entry(tam, AuditAction::Deploy, &subject)
            };
            let known = tam.store().catalog()?;
            let id = tam.store().deploy(&selector, &component, mode, &entry)?;
            let new = known
                .deployments()
                .iter()
                .all(|deployment| deployment.id != id);
            let catalog = tam.store().catalog()?;
            let mut deployments = catalog.deployments().iter();
            let made = deployments.find(|deployment| deployment.id == id);
            let made = made.ok_or_else(|| no_deployment(id))?;
            Ok((created(new), Json(views::deployment(made))))
        })
        .await?
}

async fn deployments<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
) -> Result<Json<api::Deployments>, ApiError> {
    shared
        .run(|tam| {
            let catalog = tam.store().catalog()?;
            let deployments = catalog
                .deployments()
                .iter()
                .map(views::deployment)
                .collect();
            Ok(Json(api::Deployments { deployments }))
        })
        .await?
}

async fn undeploy<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id: i64 = parse_number("the deployment", &id)?;
    shared
        .run(move |tam| {
            let entry = entry(tam, AuditAction::Undeploy, &id.to_string());
            let found = tam.store().undeploy(id, &entry)?;
            removed(found, || no_deployment(id))
        })
        .await?
}

// ---- audit ----

async fn audit<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    query: PageQuery,
) -> Result<Json<api::AuditPage>, ApiError> {
    let (after, limit) = page(query)?;
    let after = after.map_or(Ok(0), |after| parse_number("after", &after))?;
    shared
        .run(move |tam| {
            let records = tam.store().audit(after, limit)?;
            let records: Vec<_> = records.into_iter().map(views::audit_record).collect();
            let next = records.last().map(|record| record.id);
            let next = next.filter(|_| records.len() == limit as usize);
            Ok(Json(api::AuditPage { records, next }))
        })
        .await?
}

// ---- common ----

pub(super) fn entry<S: Store, C: Clock>(
    tam: &Tam<S, C>,
    action: AuditAction,
    subject: &str,
) -> AuditEntry {
    AuditEntry {
        at: tam.clock().now(),
        action,
        device: None,
        subject: subject.to_owned(),
        detail: String::new(),
    }
}

/// The status of what is there now, by whether it was not before.
pub(super) fn created(new: bool) -> StatusCode {
    if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    }
}

/// The status of what is not there any more, if it was there before.
pub(super) fn removed(
    found: bool,
    missing: impl FnOnce() -> ApiError,
) -> Result<StatusCode, ApiError> {
    if found {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(missing())
    }
}

/// `after` as it came, and `limit` within its bounds.
fn page(query: PageQuery) -> Result<(Option<String>, u32), ApiError> {
    let Query(mut query) = query.map_err(|error| ApiError::Malformed(error.body_text()))?;
    let limit = match query.remove("limit") {
        Some(limit) => parse_number("limit", &limit)?,
        None => PAGE.1,
    };
    Ok((query.remove("after"), limit.clamp(1, PAGE.0)))
}

fn parse_number<T: FromStr>(what: &str, text: &str) -> Result<T, ApiError> {
    text.parse()
        .map_err(|_| ApiError::Malformed(format!("{what} is not a number: {text:?}")))
}

pub(super) fn limits<S, C>(shared: &Shared<S, C>) -> Limits {
    Limits {
        envelope_bytes: shared.settings.envelope_bytes,
        ..Limits::default()
    }
}

fn parse_ueid(text: &str) -> Result<Ueid, ApiError> {
    text.parse()
        .map_err(|error| ApiError::Malformed(format!("{text:?}: {error}")))
}

pub(super) fn parse_component(member: &str, text: &str) -> Result<ComponentId, ApiError> {
    text.parse()
        .map_err(|error| ApiError::Invalid(format!("{member} {text:?}: {error}")))
}

fn no_device(ueid: &Ueid) -> ApiError {
    ApiError::NotFound(format!("device {ueid} is not enrolled"))
}

fn no_deployment(id: i64) -> ApiError {
    ApiError::NotFound(format!("there is no deployment {id}"))
}

async fn text_body<S, C>(shared: &Shared<S, C>, body: Body) -> Result<String, ApiError> {
    // Base64 of an envelope is a third longer than the envelope.
    let limit = shared.settings.envelope_bytes.saturating_mul(3) / 2;
    let body = read_body(shared, body, limit).await?;
    let text = String::from_utf8(body.bytes);
    text.map_err(|_| ApiError::Malformed("the body is not UTF-8".into()))
}

pub(super) async fn json_body<S, C, T: DeserializeOwned>(
    shared: &Shared<S, C>,
    body: Body,
) -> Result<T, ApiError> {
    let text = text_body(shared, body).await?;
    serde_json::from_str(&text).map_err(|error| ApiError::Malformed(format!("the body: {error}")))
}
