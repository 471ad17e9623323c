//! The local API: JSON over HTTP on a Unix socket.

mod failure;
mod sessions;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{State, rejection::JsonRejection},
    routing::{get, post},
};
use tamarack_client::api::{Component, ComponentRequest, Components, Outcome, Tee, Tees};
use tamarack_suit::{ComponentId, Uuid};

use crate::{
    BrokerError,
    broker::{Broker, Done},
    peer::Peer,
    permissions::Action,
    places::Place,
};

pub(crate) use failure::Failure;

pub(crate) fn router(broker: Arc<Broker>) -> Router {
    Router::new()
        .route("/v1/components", get(list))
        .route("/v1/tees", get(tees))
        .route("/v1/request", post(request))
        .route("/v1/unrequest", post(unrequest))
        .route("/v1/policy-check", post(policy_check))
        .merge(sessions::router())
        .with_state(broker)
}

type Answer<T> = Result<Json<T>, Failure>;
type Body<T> = Result<Json<T>, JsonRejection>;

/// The component that a text names, if the user may do this with it.
fn permitted(
    broker: &Broker,
    peer: &Peer,
    text: &str,
    action: impl for<'a> FnOnce(&'a ComponentId) -> Action<'a>,
) -> Result<ComponentId, Failure> {
    let component = text
        .parse()
        .map_err(|error| Failure::bad_request(format!("component {text:?}: {error}")))?;
    broker.permissions.check(peer, action(&component))?;
    Ok(component)
}

async fn list(State(broker): State<Arc<Broker>>, peer: Peer, _place: Place) -> Answer<Components> {
    broker.permissions.check(&peer, Action::ListAny)?;
    let mut components = Vec::new();
    let mut unreachable = Vec::new();
    let mut last = None;
    for tee in broker.tees.iter() {
        let mut listed = match tee.list().await {
            Ok(listed) => listed,
            Err(error) => {
                unreachable.push(error.to_string());
                last = Some(error);
                continue;
            }
        };
        let name = name_of(&broker, tee).await?;
        listed.retain(|found| {
            let action = Action::List(&found.component);
            broker.permissions.allow(&peer, action)
        });
        components.extend(listed.into_iter().map(|installed| Component {
            component: installed.component.to_string(),
            kind: installed.kind.name().to_owned(),
            domain: installed.domain,
            manifest: installed.manifest.to_string(),
            sequence_number: installed.sequence_number,
            size: installed.size,
            digest: installed.digest,
            tee: name.clone(),
        }));
    }
    match last {
        Some(error) if unreachable.len() == broker.tees.len() => Err(error.into()),
        _ => Ok(Json(Components {
            components,
            unreachable,
        })),
    }
}

/// What a TEE is called, where there are several.
async fn name_of(broker: &Broker, tee: &crate::tees::Tee) -> Result<Option<String>, BrokerError> {
    match broker.tees.len() {
        0 | 1 => Ok(None),
        _ => Ok(Some(tee.describe().await?.name)),
    }
}

async fn tees(State(broker): State<Arc<Broker>>, peer: Peer, _place: Place) -> Answer<Tees> {
    broker.permissions.check(&peer, Action::Describe)?;
    let uuids = |ids: &[[u8; 16]]| ids.iter().map(|id| Uuid(*id).to_string()).collect();
    let (mut tees, mut unreachable) = (Vec::new(), Vec::new());
    for tee in broker.tees.iter() {
        match tee.describe().await {
            Ok(found) => tees.push(Tee {
                vendors: uuids(&found.vendors),
                classes: uuids(&found.classes),
                name: found.name,
                platform: found.platform,
                version: found.version,
                capabilities: found.capabilities,
                tam_uris: found.tam_uris,
            }),
            Err(error) => unreachable.push(error.to_string()),
        }
    }
    Ok(Json(Tees { tees, unreachable }))
}

/// What an application wishes that may cause exchanges for it, and the component in it.
fn wish(
    broker: &Broker,
    peer: &Peer,
    body: Body<ComponentRequest>,
    action: impl for<'a> FnOnce(&'a ComponentId) -> Action<'a>,
) -> Result<(ComponentId, ComponentRequest), Failure> {
    let Json(wish) = body?;
    let component = permitted(broker, peer, &wish.component, action)?;
    broker.spend()?;
    Ok((component, wish))
}

async fn request(
    State(broker): State<Arc<Broker>>,
    peer: Peer,
    _place: Place,
    body: Body<ComponentRequest>,
) -> Answer<Outcome> {
    let (component, wish) = wish(&broker, &peer, body, |id| Action::Request(id))?;
    let tee = wish.tee.unwrap_or_default();
    let done = broker.request(&component, wish.tam_uri.as_deref(), &tee);
    outcome(&broker, &peer, done.await?, &component).await
}

async fn unrequest(
    State(broker): State<Arc<Broker>>,
    peer: Peer,
    _place: Place,
    body: Body<ComponentRequest>,
) -> Answer<Outcome> {
    let (component, wish) = wish(&broker, &peer, body, |id| Action::Unrequest(id))?;
    let tee = wish.tee.unwrap_or_default();
    let done = broker.unrequest(&component, wish.tam_uri.as_deref(), &tee);
    outcome(&broker, &peer, done.await?, &component).await
}

async fn outcome(
    broker: &Broker,
    peer: &Peer,
    done: Done<'_>,
    component: &ComponentId,
) -> Answer<Outcome> {
    let installed = done.tee.holds(component).await?;
    // They may be about components that are no business of whoever asked for this one.
    let may_see = broker.permissions.allow(peer, Action::CheckPolicy);
    Ok(Json(Outcome {
        exchanges: done.ran.exchanges,
        refusals: match may_see {
            true => done.ran.refusals,
            false => Vec::new(),
        },
        tee: name_of(broker, done.tee).await?,
        installed: Some(installed),
    }))
}

async fn policy_check(
    State(broker): State<Arc<Broker>>,
    peer: Peer,
    _place: Place,
) -> Answer<Outcome> {
    broker.permissions.check(&peer, Action::CheckPolicy)?;
    broker.spend()?;
    let ran = broker.check_policy().await?;
    Ok(Json(Outcome {
        exchanges: ran.exchanges,
        refusals: ran.refusals,
        tee: None,
        installed: None,
    }))
}
