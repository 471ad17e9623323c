//! The permissions file is read again while the broker runs.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};

use super::{Permissions, file};
use crate::BrokerError;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// What tells one state of a file from another: what it is, how long, and when it was changed.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    let changed = (found.ctime(), found.ctime_nsec());
    Some((found.dev(), found.ino(), found.size(), changed.0, changed.1))
}

impl Permissions {
    /// Reads the file again whenever it changes, and on SIGHUP. One that is wrong changes nothing.
    pub(crate) async fn follow(self: Arc<Self>) {
        let Some(path) = self.file.clone() else {
            return;
        };
        // Without signals the file is looked at all the same.
        let mut hangup = signal(SignalKind::hangup()).ok();
        // What was read at the start may have changed since.
        let mut seen = None;
        loop {
            let told = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            let told = tokio::select! {
                told = told => told.is_some(),
                () = tokio::time::sleep(LOOK) => false,
            };
            let now = stamp(&path);
            if !told && now == seen {
                continue;
            }
            seen = now;
            let this = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || this.reload()).await {
                Ok(Ok(false)) | Err(_) => {}
                Ok(Ok(true)) => {
                    tracing::info!(file = %path.display(), "the permissions were read again");
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "the permissions were not replaced; the old ones hold");
                }
            }
        }
    }

    /// Whether the rules are others now.
    fn reload(&self) -> Result<bool, BrokerError> {
        let Some(path) = &self.file else {
            return Ok(false);
        };
        let rules = Arc::new(file::read(path, self.owner)?);
        let mut current = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *current != rules;
        *current = rules;
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{peer::Peer, permissions::Action};

    #[test]
    fn a_broken_file_leaves_the_old_rules() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("permissions.json");
        let peer = Peer {
            user: 70001,
            groups: vec![],
        };
        let hello = "acme/hello".parse().unwrap();
        fs::write(&path, r#"{"rules": [{"users": [70001], "open": ["*"]}]}"#).unwrap();
        let permissions = Permissions::open(Some(&path)).unwrap();
        assert!(permissions.allow(&peer, Action::Open(&hello)));
        assert!(!permissions.reload().unwrap(), "nothing has changed");

        for broken in [
            "{",
            r#"{"rules": [{"users": ["no such user"], "open": ["*"]}]}"#,
        ] {
            fs::write(&path, broken).unwrap();
            permissions.reload().unwrap_err();
            assert!(permissions.allow(&peer, Action::Open(&hello)));
        }
        fs::remove_file(&path).unwrap();
        permissions.reload().unwrap_err();
        assert!(permissions.allow(&peer, Action::Open(&hello)));

        let before = stamp(&path);
        fs::write(&path, r#"{"rules": []}"#).unwrap();
        assert_ne!(stamp(&path), before);
        assert!(permissions.reload().unwrap());
        assert!(!permissions.allow(&peer, Action::Open(&hello)));
    }
}
