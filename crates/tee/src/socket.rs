//! The socket of the link, and who is let in.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, lchown},
        net::{UnixListener, UnixStream},
    },
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use nix::sys::stat::{Mode, umask};

use crate::{
    TeeError,
    hardening::{Peers, credentials},
};

/// Refused connections are logged no more often. Whoever is refused can try again at once.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Where a TEE is reached: a Unix socket that serves the processes of certain users only.
#[derive(Debug)]
pub struct LinkSocket {
    listener: UnixListener,
    peers: Peers,
    refusals: Mutex<Refusals>,
}

impl LinkSocket {
    /// Opens the socket `path`, for its owner and group (mode 0660). Where a broker's user is among the `peers`, the group
    /// is that user's, if this process may set it.
    ///
    /// A socket that a TEE left behind is replaced; one that still answers is not. Whoever connects waits until the TEE
    /// [serves](crate::serve).
    ///
    /// To be called before threads are started: files that they make meanwhile have another mode than usual.
    ///
    /// # Errors
    ///
    /// If the socket can't be opened.
    pub fn bind(path: &Path, peers: Peers) -> Result<Self, TeeError> {
        let listener = listen(path).map_err(|source| TeeError::Listen {
            path: path.to_owned(),
            source,
        })?;
        if let Some(group) = peers.group()
            && let Err(error) = lchown(path, None, Some(group.as_raw()))
        {
            let path = path.display();
            tracing::warn!(%error, %path, %group, "the socket can't be given to the broker's group");
        }
        Ok(Self {
            listener,
            peers,
            refusals: Mutex::default(),
        })
    }

    /// Waits for the next connection; `None` if it was one that is refused.
    pub(crate) fn accept(&self) -> io::Result<Option<UnixStream>> {
        let (stream, _) = self.listener.accept()?;
        let peer = credentials(&stream)?;
        if self.peers.accept(peer.uid()) {
            return Ok(Some(stream));
        }
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unsaid) = refusals.say(Instant::now()) {
            let (uid, pid, served) = (peer.uid(), peer.pid(), &self.peers);
            tracing::warn!(
                uid,
                pid,
                unsaid,
                "a connection was refused, only {served} may connect: see --broker-user"
            );
        }
        Ok(None)
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let left_behind = fs::metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && UnixStream::connect(path).is_err();
    if left_behind {
        fs::remove_file(path)?;
    }
    // It has its mode from the start. To set it later by name would be to set it on whatever has that name then.
    let before = umask(Mode::from_bits_truncate(0o117));
    let listener = UnixListener::bind(path);
    umask(before);
    listener
}

/// Connections that were refused, and when that was last said.
#[derive(Debug, Default)]
struct Refusals {
    said: Option<Instant>,
    unsaid: u64,
}

impl Refusals {
    /// Counts one more. If it is time to say so: how many were not mentioned since the last time.
    fn say(&mut self, now: Instant) -> Option<u64> {
        if let Some(said) = self.said
            && now.saturating_duration_since(said) < BETWEEN_LINES
        {
            self.unsaid = self.unsaid.saturating_add(1);
            return None;
        }
        self.said = Some(now);
        Some(core::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_does_not_flood_the_log() {
        let start = Instant::now();
        let mut refusals = Refusals::default();
        assert_eq!(refusals.say(start), Some(0));
        for _ in 0..1000 {
            assert_eq!(refusals.say(start + BETWEEN_LINES / 2), None);
        }
        assert_eq!(refusals.say(start + BETWEEN_LINES), Some(1000));
        assert_eq!(refusals.say(start + BETWEEN_LINES), None);
        assert_eq!(refusals.say(start + 2 * BETWEEN_LINES), Some(1));
    }
}
