use std::collections::HashSet;

use rusqlite::{Connection, params};
use subtle::ConstantTimeEq;

use super::{audit, catalog, columns, devices};
use crate::{
    PendingUpdate, Timestamp, Ueid,
    catalog::ManifestId,
    store::{
        AcceptedResponse, FinishedUpdate, ManifestOutcome, NO_ANSWER, RecordedOutcome, StoreError,
    },
};

pub(super) fn accept_response(
    c: &Connection,
    response: &AcceptedResponse<'_>,
) -> Result<bool, StoreError> {
    let ueid = response.ueid.as_bytes();
    // The comparison is part of the statement, so that of two that use one challenge one wins.
    let used = c
        .prepare_cached(
            "UPDATE devices SET mark_issued_at = ?2, mark_salt = ?3, agent_key = ?4,
                agent_key_id = ?5, numbering = ?6, attested_at = coalesce(?7, attested_at), installed = coalesce(?8, installed)
             WHERE ueid = ?1 AND (mark_issued_at, mark_salt) < (?2, ?3)",
        )?
        .execute(params![
            ueid,
            columns::time(response.mark.issued_at),
            response.mark.salt,
            response.agent_key.to_cose_key(),
            response.agent_key_id.as_bytes(),
            columns::numbering_name(response.numbering),
            response.attested.then(|| columns::time(response.at)),
            response.installed.map(columns::installed_to_json).transpose()?,
        ])?;
    if used == 0 {
        return Ok(false);
    }
    if let Some(unanswered) = response.unanswered {
        // If an answer came meanwhile, that counts.
        let _is_unanswered = finish_update(c, unanswered)?;
    }
    if let Some(pending) = response.pending {
        put_pending(c, response.ueid, pending)?;
    }
    for entry in response.audit {
        audit::append(c, entry)?;
    }
    Ok(true)
}

fn put_pending(c: &Connection, ueid: &Ueid, pending: &PendingUpdate) -> Result<(), StoreError> {
    let install: Vec<i64> = pending.install.iter().map(|id| id.0).collect();
    let unlink: Vec<String> = pending.unlink.iter().map(ToString::to_string).collect();
    c.prepare_cached(
        "INSERT OR REPLACE INTO pending_updates
            (ueid, token_hash, issued_at, expires_at, install, unlink, is_part)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        ueid.as_bytes(),
        pending.token_hash,
        columns::time(pending.issued_at),
        columns::time(pending.expires_at),
        columns::to_json(&install)?,
        columns::to_json(&unlink)?,
        pending.is_part,
    ])?;
    Ok(())
}

pub(super) fn finish_update(
    c: &Connection,
    finished: &FinishedUpdate<'_>,
) -> Result<bool, StoreError> {
    let pending = devices::by_ueid(c, finished.ueid)?.and_then(|device| device.pending);
    let expected = pending
        .map(|pending| pending.token_hash)
        .unwrap_or_default();
    if !bool::from(expected.ct_eq(&finished.token_hash)) {
        return Ok(false);
    }
    c.prepare_cached("DELETE FROM pending_updates WHERE ueid = ?1")?
        .execute([finished.ueid.as_bytes()])?;
    for outcome in finished.outcomes {
        let revision = finished.deployments_revision;
        put_outcome(
            c,
            finished.ueid.as_bytes(),
            revision,
            finished.audit.at,
            outcome,
        )?;
    }
    audit::append(c, &finished.audit)?;
    Ok(true)
}

fn put_outcome(
    c: &Connection,
    ueid: &[u8],
    deployments_revision: u64,
    at: Timestamp,
    outcome: &ManifestOutcome,
) -> Result<(), StoreError> {
    let failed = outcome.failure.is_some();
    // What was removed with its domain has no outcome. Failures are counted in a row, and anew when the operator has changed the deployments.
    c.prepare_cached(
        "INSERT INTO outcomes
            (ueid, manifest, installed, failures, deployments_revision, reason, at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM manifests WHERE id = ?2)
         ON CONFLICT (ueid, manifest) DO UPDATE SET
            installed = excluded.installed,
            failures = CASE
                WHEN excluded.failures = 0 THEN 0
                WHEN deployments_revision = excluded.deployments_revision THEN failures + 1
                ELSE 1 END,
            deployments_revision = excluded.deployments_revision,
            reason = excluded.reason,
            at = excluded.at",
    )?
    .execute(params![
        ueid,
        outcome.manifest.0,
        !failed,
        i64::from(failed),
        columns::integer(deployments_revision),
        outcome.failure.as_deref().unwrap_or_default(),
        columns::time(at),
    ])?;
    Ok(())
}

pub(super) fn exhausted(
    c: &Connection,
    ueid: &Ueid,
    deployments_revision: u64,
    threshold: u32,
) -> Result<HashSet<ManifestId>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT manifest FROM outcomes
         WHERE ueid = ?1 AND deployments_revision = ?2 AND failures >= ?3",
    )?;
    let revision = columns::integer(deployments_revision);
    let ids = statement.query_map(params![ueid.as_bytes(), revision, threshold], |row| {
        row.get(0).map(ManifestId)
    })?;
    Ok(ids.collect::<Result<_, _>>()?)
}

pub(super) fn outcomes(c: &Connection, ueid: &Ueid) -> Result<Vec<RecordedOutcome>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT manifest, installed, failures, reason, at FROM outcomes WHERE ueid = ?1",
    )?;
    let mut rows = statement.query([ueid.as_bytes()])?;
    let mut outcomes = Vec::new();
    while let Some(row) = rows.next()? {
        outcomes.push(RecordedOutcome {
            manifest: ManifestId(row.get("manifest")?),
            installed: row.get("installed")?,
            failures: row.get("failures")?,
            reason: row.get("reason")?,
            at: columns::timestamp(row, "at")?,
        });
    }
    Ok(outcomes)
}

// req: TEEP-TOK-006
pub(super) fn discard_expired(c: &Connection, now: Timestamp) -> Result<usize, StoreError> {
    let (_, deployments_revision) = catalog::revisions(c)?;
    let mut statement = c.prepare_cached(
        "DELETE FROM pending_updates WHERE expires_at <= ?1 RETURNING ueid, install",
    )?;
    let expired = statement.query_map([columns::time(now)], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
    })?;
    let expired: Vec<_> = expired.collect::<Result<_, _>>()?;
    for (ueid, install) in &expired {
        for manifest in columns::from_json::<Vec<i64>>(install)? {
            let outcome = ManifestOutcome {
                manifest: ManifestId(manifest),
                failure: Some(NO_ANSWER.into()),
            };
            put_outcome(c, ueid, deployments_revision, now, &outcome)?;
        }
    }
    Ok(expired.len())
}
