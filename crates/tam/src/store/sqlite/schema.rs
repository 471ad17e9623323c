//! The schema and how a database gets there.

use rusqlite::{Connection, TransactionBehavior};

use crate::store::StoreError;

/// Each step leads from one schema version to the next; a step that was released never changes.
const MIGRATIONS: [&str; 5] = [
    include_str!("../../../migrations/0001_initial.sql"),
    include_str!("../../../migrations/0002_identifiers.sql"),
    include_str!("../../../migrations/0003_partial_updates.sql"),
    include_str!("../../../migrations/0004_certificates.sql"),
    include_str!("../../../migrations/0005_domains.sql"),
];

/// Brings the database to the newest version.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    // Taken before the version is read, so that two processes that start together do it once.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let done = match usize::try_from(found) {
        Ok(done) if found <= known => done,
        _ => return Err(StoreError::TooNew { found, known }),
    };
    for step in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_is_migrating_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection
            .execute("UPDATE revisions SET catalog = 7", [])
            .unwrap();
        migrate(&mut connection).unwrap();
        let revision: i64 = connection
            .query_row("SELECT catalog FROM revisions", [], |r| r.get(0))
            .unwrap();
        assert_eq!(revision, 7);
    }

    #[test]
    fn what_is_published_before_identifiers_are_kept_suits_every_device() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        connection
            .execute_batch(
                "INSERT INTO domains VALUES ('acme', 'acme', NULL);
                 INSERT INTO manifests VALUES
                    (1, 'component', 'acme', 'acme/suit', 1, -16, x'00', x'00', 0, x'00');",
            )
            .unwrap();
        migrate(&mut connection).unwrap();
        let lengths: (i64, i64) = connection
            .query_row(
                "SELECT length(vendor_ids), length(class_ids) FROM manifests",
                [],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .unwrap();
        assert_eq!(lengths, (0, 0));
    }

    #[test]
    fn a_later_release_is_not_touched() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&mut connection).unwrap_err();
        assert!(matches!(error, StoreError::TooNew { found: 99, .. }));
    }
}
