//! One connection for writing, and commits that are shared by writers that arrive together.

use std::sync::{
    Arc, Condvar, Mutex, OnceLock, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use rusqlite::Connection;

use super::lock;
use crate::store::StoreError;

/// Most writers that share a commit, so that none waits for ever while others keep coming.
const MAX_BATCH: usize = 64;

/// The connection for writing.
///
/// Each writer's change is a savepoint in the open transaction, so that it is undone alone if it fails.
/// No writer returns before the transaction with its change is committed and on disk; one of them
/// commits for all. Under load the sync to disk, which is what a commit costs, is thereby paid once for
/// many.
#[derive(Debug)]
pub(super) struct Writer {
    state: Mutex<State>,
    /// Writers that want to add their change to the open transaction.
    queued: AtomicUsize,
    /// A writer has added its change.
    added: Condvar,
    /// Held by the writer that commits.
    turn: Mutex<()>,
}

#[derive(Debug)]
struct State {
    connection: Connection,
    /// The open transaction.
    batch: Option<Arc<Batch>>,
    /// Changes in it.
    changes: usize,
}

/// A transaction that several writers share.
#[derive(Debug, Default)]
struct Batch {
    /// What became of the commit; the error as text, since each writer gets a copy.
    outcome: OnceLock<Result<(), String>>,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            state: Mutex::new(State {
                connection,
                batch: None,
                changes: 0,
            }),
            queued: AtomicUsize::new(0),
            added: Condvar::new(),
            turn: Mutex::new(()),
        }
    }

    /// Runs `change` in a transaction and returns once that is committed.
    pub(super) fn write<T>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (result, batch) = self.add(change)?;
        self.commit(&batch)?;
        result
    }

    /// Adds `change` to the open transaction.
    fn add<T>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<(Result<T, StoreError>, Arc<Batch>), StoreError> {
        self.queued.fetch_add(1, Ordering::SeqCst);
        let mut state = lock(&self.state);
        self.queued.fetch_sub(1, Ordering::SeqCst);
        let added = state.add(change);
        drop(state);
        self.added.notify_all();
        added
    }

    /// Commits the transaction `batch`, unless another of its writers has done it.
    fn commit(&self, batch: &Arc<Batch>) -> Result<(), StoreError> {
        let turn = lock(&self.turn);
        if batch.outcome.get().is_none() {
            let mut state = lock(&self.state);
            while self.queued.load(Ordering::SeqCst) > 0 && state.changes < MAX_BATCH {
                state = self
                    .added
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            state.commit();
        }
        drop(turn);
        match batch.outcome.get() {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(StoreError::NotCommitted(error.clone())),
            None => Err(StoreError::NotCommitted("the transaction was lost".into())),
        }
    }
}

impl State {
    fn add<T>(
        &mut self,
        change: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<(Result<T, StoreError>, Arc<Batch>), StoreError> {
        let batch = match &self.batch {
            Some(batch) => Arc::clone(batch),
            None => {
                self.connection.execute_batch("BEGIN IMMEDIATE")?;
                self.changes = 0;
                Arc::clone(self.batch.insert(Arc::default()))
            }
        };
        self.changes += 1;
        let result = self
            .connection
            .execute_batch("SAVEPOINT change")
            .map_err(StoreError::from)
            .and_then(|()| change(&self.connection));
        let end = match result {
            Ok(_) => "RELEASE change",
            Err(_) => "ROLLBACK TO change; RELEASE change",
        };
        let ended = self.connection.execute_batch(end);
        if self.connection.is_autocommit() {
            // An error such as a full disk has undone the whole transaction, not this change alone. It
            // ends here, so that no later change takes it for open.
            self.batch = None;
            let _ = batch
                .outcome
                .set(Err("another change in the transaction failed".into()));
        }
        Ok((result.and_then(|value| Ok(ended.map(|()| value)?)), batch))
    }

    fn commit(&mut self) {
        let Some(batch) = self.batch.take() else {
            return;
        };
        let committed = self
            .connection
            .execute_batch("COMMIT")
            .map_err(|e| e.to_string());
        if committed.is_err() && !self.connection.is_autocommit() {
            // Nothing more can be done about a rollback that fails: the next BEGIN will say so.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        // Each batch is taken once, so its outcome is set once.
        let _ = batch.outcome.set(committed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (n INTEGER NOT NULL UNIQUE) STRICT")
            .unwrap();
        Writer::new(connection)
    }

    fn insert(writer: &Writer, n: i64) -> Result<(), StoreError> {
        writer.write(|c| {
            c.execute("INSERT INTO t VALUES (?1)", [n])?;
            Ok(())
        })
    }

    #[test]
    fn a_change_that_fails_is_undone_alone() {
        let writer = writer();
        insert(&writer, 1).unwrap();
        let failed: Result<(), _> = writer.write(|c| {
            c.execute("INSERT INTO t VALUES (2)", [])?;
            c.execute("INSERT INTO t VALUES (1)", [])?;
            Ok(())
        });
        assert!(matches!(failed, Err(StoreError::Database(_))));
        insert(&writer, 3).unwrap();
        let state = lock(&writer.state);
        let sum: i64 = state
            .connection
            .query_row("SELECT sum(n) FROM t", [], |r| r.get(0))
            .unwrap();
        assert_eq!(sum, 4);
        assert!(state.connection.is_autocommit(), "nothing is left open");
    }

    #[test]
    fn writers_at_once_all_commit() {
        let writer = writer();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let writer = &writer;
                scope.spawn(move || (0..50).for_each(|n| insert(writer, thread * 50 + n).unwrap()));
            }
        });
        let state = lock(&writer.state);
        let count: i64 = state
            .connection
            .query_row("SELECT count(*) FROM t", [], |r| r.get(0))
            .unwrap();
        assert_eq!(count, 400);
    }
}
