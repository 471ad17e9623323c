use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{audit, columns};
use crate::{AuditEntry, Token, store::StoreError};

pub(super) fn add(
    c: &Connection,
    token: &Token,
    hash: &[u8; 32],
    entry: &AuditEntry,
) -> Result<bool, StoreError> {
    let added = c
        .prepare_cached(
            "INSERT INTO tokens (name, hash, role, created_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name) DO NOTHING",
        )?
        .execute(params![
            token.name,
            hash,
            token.role.to_string(),
            columns::time(token.created_at)
        ])?;
    if added == 0 {
        return Ok(false);
    }
    let mut insert = c.prepare_cached("INSERT INTO token_domains VALUES (?1, ?2)")?;
    for domain in &token.domains {
        insert.execute([&token.name, domain])?;
    }
    audit::append(c, entry)?;
    Ok(true)
}

pub(super) fn all(c: &Connection) -> Result<Vec<Token>, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT name, role, created_at FROM tokens ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut tokens = Vec::new();
    while let Some(row) = rows.next()? {
        tokens.push(read(c, row)?);
    }
    Ok(tokens)
}

pub(super) fn by_hash(c: &Connection, hash: &[u8; 32]) -> Result<Option<Token>, StoreError> {
    c.prepare_cached("SELECT name, role, created_at FROM tokens WHERE hash = ?1")?
        .query_row([hash], |row| Ok(read(c, row)))
        .optional()?
        .transpose()
}

fn read(c: &Connection, row: &Row<'_>) -> Result<Token, StoreError> {
    let (name, role): (String, String) = (row.get("name")?, row.get("role")?);
    let mut domains =
        c.prepare_cached("SELECT domain FROM token_domains WHERE token = ?1 ORDER BY domain")?;
    let domains = domains.query_map([&name], |row| row.get(0))?;
    Ok(Token {
        domains: domains.collect::<Result<_, _>>()?,
        role: role.parse().map_err(columns::corrupt)?,
        created_at: columns::timestamp(row, "created_at")?,
        name,
    })
}

pub(super) fn remove(c: &Connection, name: &str, entry: &AuditEntry) -> Result<bool, StoreError> {
    let removed = c
        .prepare_cached("DELETE FROM tokens WHERE name = ?1")?
        .execute([name])?;
    if removed > 0 {
        audit::append(c, entry)?;
    }
    Ok(removed > 0)
}
