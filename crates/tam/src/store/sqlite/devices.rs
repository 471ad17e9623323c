use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use tamarack_cose::KeyId;
use tamarack_rats::Endorsement;

use super::{audit, columns};
use crate::{
    AuditEntry, Device, PendingUpdate, TicketMark, Ueid,
    catalog::ManifestId,
    store::{Enrolled, StoreError},
};

/// Devices whose agents share a key are one TEE under several names; more than these are an attack.
const MAX_PER_KEY: u32 = 16;

const SELECT: &str = "SELECT d.ueid, endorsement, enrolled_at, agent_key, numbering, attested_at,
        mark_issued_at, mark_salt, installed,
        token_hash, issued_at, expires_at, install, unlink, is_part
    FROM devices d LEFT JOIN pending_updates p ON p.ueid = d.ueid ";

pub(super) fn enroll(
    c: &Connection,
    endorsement: &Endorsement,
    entry: &AuditEntry,
) -> Result<Enrolled, StoreError> {
    let known: Option<String> = c
        .prepare_cached("SELECT endorsement FROM devices WHERE ueid = ?1")?
        .query_row([&endorsement.ueid], |row| row.get(0))
        .optional()?;
    let enrolled = match known {
        None => Enrolled::New,
        Some(known) => {
            let known = Endorsement::from_json(&known).map_err(columns::corrupt)?;
            if known.attester != endorsement.attester {
                return Ok(Enrolled::OtherAttester);
            }
            Enrolled::Updated
        }
    };
    c.prepare_cached(
        // Challenges from before do not count: a device that was removed may have used them.
        "INSERT INTO devices (ueid, endorsement, enrolled_at, mark_issued_at) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (ueid) DO UPDATE SET endorsement = excluded.endorsement",
    )?
    .execute(params![
        endorsement.ueid,
        endorsement.to_json(),
        columns::time(entry.at)
    ])?;
    audit::append(c, entry)?;
    Ok(enrolled)
}

pub(super) fn remove(c: &Connection, ueid: &Ueid, entry: &AuditEntry) -> Result<bool, StoreError> {
    let removed = c
        .prepare_cached("DELETE FROM devices WHERE ueid = ?1")?
        .execute([ueid.as_bytes()])?;
    if removed > 0 {
        audit::append(c, entry)?;
    }
    Ok(removed > 0)
}

pub(super) fn by_ueid(c: &Connection, ueid: &Ueid) -> Result<Option<Device>, StoreError> {
    Ok(select(c, "WHERE d.ueid = ?1", params![ueid.as_bytes()])?.pop())
}

pub(super) fn page(
    c: &Connection,
    after: Option<&Ueid>,
    limit: u32,
) -> Result<Vec<Device>, StoreError> {
    // The empty string of bytes comes before every id.
    let after = after.map(Ueid::as_bytes).unwrap_or_default();
    select(
        c,
        "WHERE d.ueid > ?1 ORDER BY d.ueid LIMIT ?2",
        params![after, limit],
    )
}

pub(super) fn by_agent_key(c: &Connection, key: &KeyId) -> Result<Vec<Device>, StoreError> {
    let condition = "WHERE agent_key_id = ?1 ORDER BY attested_at DESC LIMIT ?2";
    select(c, condition, params![key.as_bytes(), MAX_PER_KEY])
}

pub(super) fn with_newest_updates(c: &Connection, limit: u32) -> Result<Vec<Device>, StoreError> {
    let condition = "WHERE d.ueid IN
        (SELECT ueid FROM pending_updates ORDER BY issued_at DESC LIMIT ?1)";
    select(c, condition, params![limit])
}

fn select(
    c: &Connection,
    condition: &str,
    parameters: &[&dyn ToSql],
) -> Result<Vec<Device>, StoreError> {
    let mut statement = c.prepare_cached(&format!("{SELECT}{condition}"))?;
    let mut rows = statement.query(parameters)?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        devices.push(device(row)?);
    }
    Ok(devices)
}

fn device(row: &Row<'_>) -> Result<Device, StoreError> {
    let endorsement: String = row.get("endorsement")?;
    let agent_key: Option<Vec<u8>> = row.get("agent_key")?;
    let numbering: Option<String> = row.get("numbering")?;
    let attested: Option<i64> = row.get("attested_at")?;
    let installed: String = row.get("installed")?;
    let pending: Option<Vec<u8>> = row.get("token_hash")?;
    Ok(Device {
        endorsement: Endorsement::from_json(&endorsement).map_err(columns::corrupt)?,
        enrolled_at: columns::timestamp(row, "enrolled_at")?,
        agent_key: agent_key.map(|key| columns::key(&key)).transpose()?,
        numbering: numbering
            .map(|name| columns::numbering(&name))
            .transpose()?,
        attested_at: attested
            .map(|_| columns::timestamp(row, "attested_at"))
            .transpose()?,
        mark: TicketMark {
            issued_at: columns::timestamp(row, "mark_issued_at")?,
            salt: columns::array(row, "mark_salt")?,
        },
        installed: columns::installed_from_json(&installed)?,
        pending: pending.map(|_| pending_update(row)).transpose()?,
    })
}

fn pending_update(row: &Row<'_>) -> Result<PendingUpdate, StoreError> {
    let install: String = row.get("install")?;
    let install: Vec<i64> = columns::from_json(&install)?;
    let unlink: String = row.get("unlink")?;
    let unlink: Vec<String> = columns::from_json(&unlink)?;
    Ok(PendingUpdate {
        token_hash: columns::array(row, "token_hash")?,
        issued_at: columns::timestamp(row, "issued_at")?,
        expires_at: columns::timestamp(row, "expires_at")?,
        install: install.into_iter().map(ManifestId).collect(),
        unlink: unlink
            .iter()
            .map(|id| columns::component(id))
            .collect::<Result<_, _>>()?,
        is_part: row.get("is_part")?,
    })
}
