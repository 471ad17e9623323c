use rusqlite::{Connection, params};

use super::columns;
use crate::{AuditEntry, AuditRecord, Ueid, store::StoreError};

pub(super) fn append(c: &Connection, entry: &AuditEntry) -> Result<(), StoreError> {
    c.prepare_cached(
        "INSERT INTO audit (at, action, ueid, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        columns::time(entry.at),
        entry.action.name(),
        entry.device.as_ref().map(Ueid::as_bytes),
        entry.subject,
        entry.detail,
    ])?;
    Ok(())
}

pub(super) fn page(c: &Connection, after: i64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT id, at, action, ueid, subject, detail FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, limit])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let ueid: Option<Vec<u8>> = row.get("ueid")?;
        records.push(AuditRecord {
            id: row.get("id")?,
            at: columns::timestamp(row, "at")?,
            action: row.get("action")?,
            device: ueid.map(columns::ueid).transpose()?,
            subject: row.get("subject")?,
            detail: row.get("detail")?,
        });
    }
    Ok(records)
}
