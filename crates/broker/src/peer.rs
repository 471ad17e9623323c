//! Which user is at the other end of the applications' socket, as the kernel says.

use std::{fs, sync::Arc};

use axum::{
    extract::{ConnectInfo, FromRequestParts, connect_info::Connected},
    http::request::Parts,
    serve::IncomingStream,
};
use tokio::net::UnixListener;

use crate::{BrokerError, applications::Failure};

/// The user of an application, when it connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its user id.
    pub(crate) user: u32,
    /// Its group, and where the system tells, its supplementary ones.
    pub(crate) groups: Vec<u32>,
}

/// What is known of a connection; nothing if the kernel does not say.
#[derive(Debug, Clone)]
pub(crate) struct Connection(Option<Arc<Peer>>);

impl Connected<IncomingStream<'_, UnixListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let found = stream.io().peer_cred();
        let peer = found.map(|found| {
            let (user, group) = (found.uid(), found.gid());
            let mut groups = vec![group];
            if let Some(process) = found.pid() {
                groups.extend(supplementary_groups(process, user).unwrap_or_default());
            }
            Arc::new(Peer { user, groups })
        });
        Self(peer.ok())
    }
}

/// The supplementary groups of a process that is still the user's. One that ended since it connected has none: less
/// is permitted then, not more. If its number went to another process, that is the same user's.
fn supplementary_groups(process: i32, user: u32) -> Option<Vec<u32>> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let numbers = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace()
            .map(|number| number.parse().ok())
            .collect::<Option<Vec<u32>>>()
    };
    // Real, effective, saved and that for files: all of them, as a program may run as somebody else for a while.
    let users = numbers("Uid:")?;
    let same = !users.is_empty() && users.iter().all(|found| *found == user);
    numbers("Groups:").filter(|_| same)
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let known = parts.extensions.get::<ConnectInfo<Connection>>();
        let peer = known.and_then(|connection| connection.0.0.as_deref());
        peer.cloned().ok_or_else(|| BrokerError::Unknown.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_its_groups_and_nobody_elses() {
        let process = i32::try_from(std::process::id()).unwrap();
        let user = nix::unistd::geteuid().as_raw();
        let groups = supplementary_groups(process, user).unwrap();
        let mut known: Vec<u32> = nix::unistd::getgroups()
            .unwrap()
            .iter()
            .map(|group| group.as_raw())
            .collect();
        known.sort_unstable();
        assert_eq!(groups, known);
        assert_eq!(supplementary_groups(process, user + 1), None);
        assert_eq!(supplementary_groups(-1, user), None);
    }
}
