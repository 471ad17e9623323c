//! The part of the admin API about certificates: what is revoked, and whose certificates make devices known.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::StatusCode,
    routing::{delete, post},
};
use base16ct::{lower::encode_string, mixed};
use tamarack_cose::{
    CryptoProvider, KeyId,
    cbor::{self, Limits, Reader, Writer},
    x509::{Certificate, Purpose, Revocation, RevocationList, TrustAnchor},
};

use super::{
    admin::{AppState, created, entry, json_body, removed},
    error::ApiError,
    state::Shared,
};
use crate::{AuditAction, AuditEntry, Clock, Maker, Revoked, Store, StoreError, Ueid, api};

pub(super) fn routes<S: Store + 'static, C: Clock + 'static>() -> Router<Arc<Shared<S, C>>> {
    Router::new()
        .route("/revocations", post(revoke).get(revocations))
        .route("/revocations/{id}", delete(reinstate))
        .route("/makers", post(put_maker).get(makers))
        .route("/makers/{name}", delete(remove_maker))
}

fn invalid(what: &str, error: impl std::fmt::Display) -> ApiError {
    ApiError::Invalid(format!("{what}: {error}"))
}

// ---- revocations ----

async fn revoke<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    body: Body,
) -> Result<(StatusCode, Json<api::Revocations>), ApiError> {
    let request: api::RevocationRequest = json_body(&shared, body).await?;
    shared
        .run(move |tam| {
            let revocations = requested(tam.crypto(), &request)?;
            if revocations.is_empty() {
                return Err(ApiError::Invalid(
                    "nothing is named that is to be revoked".into(),
                ));
            }
            let audit = AuditEntry {
                detail: request.reason.clone(),
                ..entry(tam, AuditAction::Revoke, "")
            };
            let new = tam.store().revoke(&revocations, &request.reason, &audit)?;
            // A revocation list may have very many.
            let requested: BTreeSet<_> = revocations.iter().collect();
            let all = tam.store().revocations()?.into_iter();
            let named = all.filter(|revoked| requested.contains(&revoked.revocation));
            Ok((created(new > 0), Json(list(named))))
        })
        .await?
}

fn requested(
    crypto: &CryptoProvider,
    request: &api::RevocationRequest,
) -> Result<Vec<Revocation>, ApiError> {
    let mut revocations = Vec::new();
    for text in &request.key_ids {
        let id = KeyId::from_hex(text);
        let id = id.ok_or_else(|| invalid(text, "not a key id of 64 hexadecimal digits"))?;
        revocations.push(Revocation::Key(id));
    }
    let read = |text: &str, what| Certificate::list_from_pem(text).map_err(|e| invalid(what, e));
    for text in &request.certificates {
        revocations.extend(read(text, "certificates")?.iter().map(Revocation::of));
    }
    let issuers = match &request.issuer {
        Some(text) => read(text, "issuer")?,
        None => Vec::new(),
    };
    for text in &request.lists {
        let issuer = issuers.first();
        let issuer = issuer.ok_or_else(|| invalid("lists", "the issuer is missing"))?;
        for der in RevocationList::pem_to_der(text).map_err(|e| invalid("lists", e))? {
            let list = RevocationList::from_der(crypto, &der, issuer)
                .map_err(|error| invalid("lists", error))?;
            revocations.extend_from_slice(list.revoked());
        }
    }
    Ok(revocations)
}

fn list(revoked: impl Iterator<Item = Revoked>) -> api::Revocations {
    let view = |revoked: Revoked| api::Revocation {
        id: id_of(&revoked.revocation),
        revoked: revoked.revocation.to_string(),
        reason: revoked.reason,
        at: revoked.at.seconds(),
    };
    api::Revocations {
        revocations: revoked.map(view).collect(),
    }
}

/// A key's id names the revocation of the key; a certificate's is named by its encoding.
fn id_of(revocation: &Revocation) -> String {
    match revocation {
        Revocation::Key(id) => id.to_hex(),
        Revocation::Certificate { .. } => encode_string(&Writer::build(|w| revocation.write(w))),
    }
}

fn revocation_of(id: &str) -> Option<Revocation> {
    if let Some(key) = KeyId::from_hex(id) {
        return Some(Revocation::Key(key));
    }
    let bytes = mixed::decode_vec(id).ok()?;
    let limits = Limits {
        bytes: 64 * 1024,
        depth: 4,
    };
    cbor::check(&bytes, &limits).ok()?;
    Revocation::read(&mut Reader::new(&bytes)).ok()
}

async fn revocations<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
) -> Result<Json<api::Revocations>, ApiError> {
    shared
        .run(|tam| Ok(Json(list(tam.store().revocations()?.into_iter()))))
        .await?
}

async fn reinstate<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let missing = || ApiError::NotFound("no such revocation".into());
    let revocation = revocation_of(&id).ok_or_else(missing)?;
    shared
        .run(move |tam| {
            let audit = entry(tam, AuditAction::Reinstate, &revocation.to_string());
            removed(tam.store().reinstate(&revocation, &audit)?, missing)
        })
        .await?
}

// ---- makers ----

async fn put_maker<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    body: Body,
) -> Result<(StatusCode, Json<api::Maker>), ApiError> {
    let request: api::MakerRequest = json_body(&shared, body).await?;
    shared
        .run(move |tam| {
            let maker = requested_maker(request)?;
            let known = tam.store().makers()?;
            let new = known.iter().all(|other| other.name != maker.name);
            let audit = AuditEntry {
                detail: format!(
                    "authority {}",
                    maker.anchor.public_key().key_id(tam.crypto())
                ),
                ..entry(tam, AuditAction::AddMaker, &maker.name)
            };
            tam.store().put_maker(&maker, &audit)?;
            Ok((created(new), Json(maker_view(&maker, tam.crypto())?)))
        })
        .await?
}

fn requested_maker(request: api::MakerRequest) -> Result<Maker, ApiError> {
    let list = Certificate::list_from_pem(&request.certificate);
    let list = list.map_err(|error| invalid("certificate", error))?;
    let [certificate] = list.as_slice() else {
        return Err(invalid("certificate", "more than one; one is expected"));
    };
    if !certificate.is_authority() {
        let text = format!("{} is none of an authority", certificate.name());
        return Err(invalid("certificate", text));
    }
    let key = *certificate.key();
    let maker = Maker {
        name: request.name,
        anchor: TrustAnchor::certificate(Purpose::Tee, certificate.clone()),
        template: request.template.to_string(),
    };
    // With any id and any key, to see whether the rest is in order.
    let device = Ueid::new(vec![1; 17]).map_err(|error| invalid("template", error))?;
    maker
        .endorse(&device, &key)
        .map_err(|error| invalid("template", error))?;
    Ok(maker)
}

fn maker_view(maker: &Maker, crypto: &CryptoProvider) -> Result<api::Maker, ApiError> {
    let certificate = maker.anchor.as_certificate();
    let template = serde_json::from_str(&maker.template)
        .map_err(|error| ApiError::internal(&StoreError::Corrupt(error.to_string())))?;
    Ok(api::Maker {
        name: maker.name.clone(),
        authority: certificate.map_or_else(String::new, |own| own.name().to_string()),
        key_id: maker.anchor.public_key().key_id(crypto).to_hex(),
        not_after: certificate.map(Certificate::not_after),
        template,
    })
}

async fn makers<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
) -> Result<Json<api::Makers>, ApiError> {
    shared
        .run(|tam| {
            let makers = tam.store().makers()?;
            let views = makers.iter().map(|maker| maker_view(maker, tam.crypto()));
            Ok(Json(api::Makers {
                makers: views.collect::<Result<_, _>>()?,
            }))
        })
        .await?
}

async fn remove_maker<S: Store + 'static, C: Clock + 'static>(
    State(shared): AppState<S, C>,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    shared
        .run(move |tam| {
            let audit = entry(tam, AuditAction::RemoveMaker, &name);
            removed(tam.store().remove_maker(&name, &audit)?, || {
                ApiError::NotFound(format!("no maker is called {name:?}"))
            })
        })
        .await?
}
