use rusqlite::{Connection, OptionalExtension, params};
use tamarack_suit::{ComponentId, SuitDigest};

use super::{audit, columns};
use crate::{
    AuditEntry, Deployment, Mode, Selector,
    catalog::{Catalog, ComponentImage, Domain, Manifest, ManifestId, ManifestKind},
    store::{Changed, NewManifest, StoreError},
};

pub(super) fn revisions(c: &Connection) -> Result<(u64, u64), StoreError> {
    c.prepare_cached("SELECT catalog, deployments FROM revisions")?
        .query_row([], |row| {
            Ok((
                columns::unsigned(row, "catalog"),
                columns::unsigned(row, "deployments"),
            ))
        })
        .map(|(catalog, deployments)| Ok((catalog?, deployments?)))?
}

fn touch(c: &Connection) -> Result<(), StoreError> {
    c.prepare_cached("UPDATE revisions SET catalog = catalog + 1")?
        .execute([])?;
    Ok(())
}

/// The catalog, unless it is still the `known` one.
pub(super) fn load_if_changed(
    c: &Connection,
    known: Option<&Catalog>,
) -> Result<Option<Catalog>, StoreError> {
    let (revision, _) = revisions(c)?;
    if known.is_some_and(|known| known.revision() == revision) {
        return Ok(None);
    }
    // One transaction, so that all tables are of one moment.
    let transaction = c.unchecked_transaction()?;
    let (revision, deployments_revision) = revisions(c)?;
    let catalog = Catalog::new(
        revision,
        deployments_revision,
        domains(c)?,
        manifests(c)?,
        deployments(c)?,
    );
    transaction.finish()?;
    Ok(Some(catalog))
}

fn domains(c: &Connection) -> Result<Vec<Domain>, StoreError> {
    let mut signers =
        c.prepare_cached("SELECT key FROM domain_signers WHERE domain = ?1 ORDER BY position")?;
    let mut statement =
        c.prepare_cached("SELECT name, prefix, anchor, retired_at FROM domains ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut domains = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get("name")?;
        let prefix: String = row.get("prefix")?;
        let anchor: Option<Vec<u8>> = row.get("anchor")?;
        let keys = signers.query_map([&name], |row| row.get::<_, Vec<u8>>(0))?;
        domains.push(Domain {
            prefix: columns::component(&prefix)?,
            signers: keys
                .map(|key| columns::key(&key?))
                .collect::<Result<_, _>>()?,
            anchor: anchor.map(|key| columns::key(&key)).transpose()?,
            retired: row.get::<_, Option<i64>>("retired_at")?.is_some(),
            name,
        });
    }
    Ok(domains)
}

fn manifests(c: &Connection) -> Result<Vec<Manifest>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT id, kind, domain, manifest_component, sequence_number, digest_algorithm, digest,
            vendor_ids, class_ids, signer, published_at, withdrawn_at,
            length(envelope) AS envelope_bytes
         FROM manifests ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut manifests = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get("id")?;
        let kind: String = row.get("kind")?;
        let manifest_component: String = row.get("manifest_component")?;
        let digest: Vec<u8> = row.get("digest")?;
        let signer: Vec<u8> = row.get("signer")?;
        manifests.push(Manifest {
            id: ManifestId(id),
            kind: match kind.as_str() {
                "domain" => ManifestKind::Domain,
                _ => ManifestKind::Component,
            },
            domain: row.get("domain")?,
            manifest_component: columns::component(&manifest_component)?,
            sequence_number: columns::unsigned(row, "sequence_number")?,
            digest: columns::digest(row.get("digest_algorithm")?, &digest)?,
            components: components(c, id)?,
            dependencies: dependencies(c, id)?,
            vendor_ids: columns::uuids(row, "vendor_ids")?,
            class_ids: columns::uuids(row, "class_ids")?,
            signer: columns::key(&signer)?,
            published_at: columns::timestamp(row, "published_at")?,
            envelope_bytes: columns::unsigned(row, "envelope_bytes")?,
            withdrawn: row.get::<_, Option<i64>>("withdrawn_at")?.is_some(),
        });
    }
    Ok(manifests)
}

fn components(c: &Connection, manifest: i64) -> Result<Vec<ComponentImage>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT component, digest_algorithm, digest FROM manifest_components
         WHERE manifest = ?1 ORDER BY position",
    )?;
    let mut rows = statement.query([manifest])?;
    let mut components: Vec<ComponentImage> = Vec::new();
    while let Some(row) = rows.next()? {
        let component: String = row.get("component")?;
        let digest: Option<Vec<u8>> = row.get("digest")?;
        let digest = match (row.get::<_, Option<i64>>("digest_algorithm")?, digest) {
            (Some(algorithm), Some(digest)) => Some(columns::digest(algorithm, &digest)?),
            _ => None,
        };
        let component = columns::component(&component)?;
        // Of several digests, each has a row.
        match components.last_mut() {
            Some(ComponentImage {
                component: last,
                digests,
            }) if *last == component => digests.extend(digest),
            _ => components.push(ComponentImage {
                component,
                digests: digest.into_iter().collect(),
            }),
        }
    }
    Ok(components)
}

fn dependencies(c: &Connection, manifest: i64) -> Result<Vec<SuitDigest>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT digest_algorithm, digest FROM manifest_dependencies
         WHERE manifest = ?1 ORDER BY position",
    )?;
    let mut rows = statement.query([manifest])?;
    let mut dependencies = Vec::new();
    while let Some(row) = rows.next()? {
        let digest: Vec<u8> = row.get("digest")?;
        dependencies.push(columns::digest(row.get("digest_algorithm")?, &digest)?);
    }
    Ok(dependencies)
}

fn deployments(c: &Connection) -> Result<Vec<Deployment>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT id, selector, component, mode, created_at FROM deployments ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut deployments = Vec::new();
    while let Some(row) = rows.next()? {
        let selector: String = row.get("selector")?;
        let component: String = row.get("component")?;
        let mode: String = row.get("mode")?;
        deployments.push(Deployment {
            id: row.get("id")?,
            selector: selector.parse().map_err(columns::corrupt)?,
            component: columns::component(&component)?,
            mode: mode.parse().map_err(columns::corrupt)?,
            created_at: columns::timestamp(row, "created_at")?,
        });
    }
    Ok(deployments)
}

pub(super) fn envelope(
    c: &Connection,
    manifest: ManifestId,
) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(
        c.prepare_cached("SELECT envelope FROM manifests WHERE id = ?1")?
            .query_row([manifest.0], |row| row.get(0))
            .optional()?,
    )
}

/// Changes the catalog, with an entry in the audit, if it is still the one of `revision`.
fn change(
    c: &Connection,
    revision: u64,
    entry: &AuditEntry,
    change: impl FnOnce() -> Result<(), StoreError>,
) -> Result<Changed, StoreError> {
    if revisions(c)?.0 != revision {
        return Ok(Changed::CatalogMoved);
    }
    change()?;
    touch(c)?;
    audit::append(c, entry)?;
    Ok(Changed::Yes)
}

pub(super) fn put_domain(
    c: &Connection,
    revision: u64,
    domain: &Domain,
    manifest: Option<&NewManifest>,
    entry: &AuditEntry,
) -> Result<Changed, StoreError> {
    change(c, revision, entry, || {
        c.prepare_cached(
            "INSERT INTO domains (name, prefix, anchor) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET prefix = excluded.prefix, anchor = excluded.anchor,
                retired_at = NULL",
        )?
        .execute(params![
            domain.name,
            domain.prefix.to_string(),
            domain
                .anchor
                .as_ref()
                .map(tamarack_cose::PublicKey::to_cose_key),
        ])?;
        c.prepare_cached("DELETE FROM domain_signers WHERE domain = ?1")?
            .execute([&domain.name])?;
        let mut insert = c.prepare_cached("INSERT INTO domain_signers VALUES (?1, ?2, ?3)")?;
        for (position, key) in domain.signers.iter().enumerate() {
            insert.execute(params![
                domain.name,
                columns::integer(position as u64),
                key.to_cose_key()
            ])?;
        }
        if let Some(manifest) = manifest {
            insert_manifest(c, manifest, entry)?;
        }
        Ok(())
    })
}

pub(super) fn remove_domain(
    c: &Connection,
    revision: u64,
    name: &str,
    entry: &AuditEntry,
) -> Result<Changed, StoreError> {
    change(c, revision, entry, || {
        c.prepare_cached("DELETE FROM manifests WHERE domain = ?1")?
            .execute([name])?;
        c.prepare_cached("DELETE FROM domains WHERE name = ?1")?
            .execute([name])?;
        Ok(())
    })
}

pub(super) fn publish(
    c: &Connection,
    revision: u64,
    manifest: &NewManifest,
    entry: &AuditEntry,
) -> Result<Changed, StoreError> {
    change(c, revision, entry, || insert_manifest(c, manifest, entry))
}

pub(super) fn withdraw(
    c: &Connection,
    revision: u64,
    manifest_component: &ComponentId,
    entry: &AuditEntry,
) -> Result<Changed, StoreError> {
    change(c, revision, entry, || {
        c.prepare_cached(
            "UPDATE manifests SET withdrawn_at = ?2
             WHERE manifest_component = ?1 AND withdrawn_at IS NULL",
        )?
        .execute(params![
            manifest_component.to_string(),
            columns::time(entry.at)
        ])?;
        Ok(())
    })
}

pub(super) fn republish(
    c: &Connection,
    revision: u64,
    manifest: ManifestId,
    entry: &AuditEntry,
) -> Result<Changed, StoreError> {
    change(c, revision, entry, || {
        c.prepare_cached(
            "UPDATE manifests SET withdrawn_at = NULL, published_at = ?2 WHERE id = ?1",
        )?
        .execute(params![manifest.0, columns::time(entry.at)])?;
        Ok(())
    })
}

pub(super) fn retire_domain(
    c: &Connection,
    revision: u64,
    name: &str,
    entry: &AuditEntry,
) -> Result<Changed, StoreError> {
    change(c, revision, entry, || {
        c.prepare_cached("UPDATE domains SET retired_at = ?2 WHERE name = ?1")?
            .execute(params![name, columns::time(entry.at)])?;
        Ok(())
    })
}

fn insert_manifest(
    c: &Connection,
    manifest: &NewManifest,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    c.prepare_cached(
        "INSERT INTO manifests (kind, domain, manifest_component, sequence_number,
            digest_algorithm, digest, signer, published_at, envelope, vendor_ids, class_ids)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        match manifest.kind {
            ManifestKind::Component => "component",
            ManifestKind::Domain => "domain",
        },
        manifest.domain,
        manifest.manifest_component.to_string(),
        columns::integer(manifest.sequence_number),
        manifest.digest.algorithm_id(),
        manifest.digest.bytes(),
        manifest.signer.to_cose_key(),
        columns::time(entry.at),
        manifest.envelope,
        manifest.vendor_ids.as_flattened(),
        manifest.class_ids.as_flattened(),
    ])?;
    let id = c.last_insert_rowid();
    let mut insert =
        c.prepare_cached("INSERT INTO manifest_components VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let rows = manifest.components.iter().flat_map(|image| {
        let digests = image.alternatives();
        digests.map(|digest| (image.component.to_string(), digest))
    });
    for (position, (component, digest)) in rows.enumerate() {
        insert.execute(params![
            id,
            columns::integer(position as u64),
            component,
            digest.map(SuitDigest::algorithm_id),
            digest.map(SuitDigest::bytes),
        ])?;
    }
    let mut insert =
        c.prepare_cached("INSERT INTO manifest_dependencies VALUES (?1, ?2, ?3, ?4)")?;
    for (position, digest) in manifest.dependencies.iter().enumerate() {
        let position = columns::integer(position as u64);
        insert.execute(params![id, position, digest.algorithm_id(), digest.bytes()])?;
    }
    Ok(())
}

pub(super) fn deploy(
    c: &Connection,
    selector: &Selector,
    component: &ComponentId,
    mode: Mode,
    entry: &AuditEntry,
) -> Result<i64, StoreError> {
    let id = c
        .prepare_cached(
            "INSERT INTO deployments (selector, component, mode, created_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (selector, component) DO UPDATE SET mode = excluded.mode
             RETURNING id",
        )?
        .query_row(
            params![
                selector.to_string(),
                component.to_string(),
                mode.to_string(),
                columns::time(entry.at)
            ],
            |row| row.get(0),
        )?;
    touch_deployments(c)?;
    audit::append(c, entry)?;
    Ok(id)
}

pub(super) fn undeploy(c: &Connection, id: i64, entry: &AuditEntry) -> Result<bool, StoreError> {
    let removed = c
        .prepare_cached("DELETE FROM deployments WHERE id = ?1")?
        .execute([id])?;
    if removed > 0 {
        touch_deployments(c)?;
        audit::append(c, entry)?;
    }
    Ok(removed > 0)
}

fn touch_deployments(c: &Connection) -> Result<(), StoreError> {
    c.prepare_cached("UPDATE revisions SET deployments = deployments + 1")?
        .execute([])?;
    touch(c)
}
