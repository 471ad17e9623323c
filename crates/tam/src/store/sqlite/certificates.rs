use rusqlite::{Connection, params};
use tamarack_cose::{
    cbor::{self, Limits, Reader, Writer},
    x509::{Revocation, TrustAnchor},
};

use super::{audit, columns};
use crate::{AuditEntry, Maker, Revoked, store::StoreError};

/// Bounds of what was checked before it was stored.
const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    depth: 8,
};

fn encode(revocation: &Revocation) -> Vec<u8> {
    Writer::build(|w| revocation.write(w))
}

fn decode(bytes: &[u8]) -> Result<Revocation, StoreError> {
    cbor::check(bytes, &LIMITS).map_err(columns::corrupt)?;
    Revocation::read(&mut Reader::new(bytes)).map_err(columns::corrupt)
}

pub(super) fn revocations(c: &Connection) -> Result<Vec<Revoked>, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT entry, reason, revoked_at FROM revocations ORDER BY entry")?;
    let mut rows = statement.query([])?;
    let mut revoked = Vec::new();
    while let Some(row) = rows.next()? {
        let entry: Vec<u8> = row.get("entry")?;
        revoked.push(Revoked {
            revocation: decode(&entry)?,
            reason: row.get("reason")?,
            at: columns::timestamp(row, "revoked_at")?,
        });
    }
    Ok(revoked)
}

pub(super) fn are_revoked(c: &Connection, any: &[Revocation]) -> Result<bool, StoreError> {
    let mut statement = c.prepare_cached("SELECT 1 FROM revocations WHERE entry = ?1")?;
    for revocation in any {
        if statement.exists([encode(revocation)])? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn revoke(
    c: &Connection,
    revocations: &[Revocation],
    reason: &str,
    entry: &AuditEntry,
) -> Result<usize, StoreError> {
    let mut new = 0;
    for revocation in revocations {
        let inserted = c
            .prepare_cached(
                "INSERT INTO revocations (entry, reason, revoked_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (entry) DO NOTHING",
            )?
            .execute(params![encode(revocation), reason, columns::time(entry.at)])?;
        if inserted == 0 {
            continue;
        }
        new += 1;
        // An agent with a revoked key must attest another one before anything that it signs counts.
        if let Revocation::Key(id) = revocation {
            c.prepare_cached(
                "UPDATE devices SET agent_key = NULL, agent_key_id = NULL WHERE agent_key_id = ?1",
            )?
            .execute([id.as_bytes()])?;
        }
        let subject = revocation.to_string();
        audit::append(
            c,
            &AuditEntry {
                subject,
                ..entry.clone()
            },
        )?;
    }
    Ok(new)
}

pub(super) fn reinstate(
    c: &Connection,
    revocation: &Revocation,
    entry: &AuditEntry,
) -> Result<bool, StoreError> {
    let removed = c
        .prepare_cached("DELETE FROM revocations WHERE entry = ?1")?
        .execute([encode(revocation)])?;
    if removed > 0 {
        audit::append(c, entry)?;
    }
    Ok(removed > 0)
}

pub(super) fn makers(c: &Connection) -> Result<Vec<Maker>, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT name, anchor, template FROM makers ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut makers = Vec::new();
    while let Some(row) = rows.next()? {
        let anchor: Vec<u8> = row.get("anchor")?;
        cbor::check(&anchor, &LIMITS).map_err(columns::corrupt)?;
        makers.push(Maker {
            name: row.get("name")?,
            anchor: TrustAnchor::read(&mut Reader::new(&anchor)).map_err(columns::corrupt)?,
            template: row.get("template")?,
        });
    }
    Ok(makers)
}

pub(super) fn put_maker(
    c: &Connection,
    maker: &Maker,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    c.prepare_cached(
        "INSERT INTO makers (name, anchor, template) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET anchor = excluded.anchor, template = excluded.template",
    )?
    .execute(params![
        maker.name,
        Writer::build(|w| maker.anchor.write(w)),
        maker.template
    ])?;
    audit::append(c, entry)
}

pub(super) fn remove_maker(
    c: &Connection,
    name: &str,
    entry: &AuditEntry,
) -> Result<bool, StoreError> {
    let removed = c
        .prepare_cached("DELETE FROM makers WHERE name = ?1")?
        .execute([name])?;
    if removed > 0 {
        audit::append(c, entry)?;
    }
    Ok(removed > 0)
}
