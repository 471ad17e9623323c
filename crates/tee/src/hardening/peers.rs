//! Who may talk to the TEE.

use core::fmt;
use std::os::unix::net::UnixStream;

use nix::{
    errno::Errno,
    sys::socket::{UnixCredentials, getsockopt, sockopt::PeerCredentials},
    unistd::{Gid, Uid, User, geteuid},
};

/// The user that a broker runs as, where it is not the TEE's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broker {
    /// The user's number.
    pub uid: u32,
    /// The number of the user's group, if the user is known to this machine.
    pub gid: Option<u32>,
}

impl Broker {
    /// The user of this name or number; `None` if there is no user of that name.
    ///
    /// # Errors
    ///
    /// If the users of this machine can't be looked up.
    pub fn find(text: &str) -> std::io::Result<Option<Self>> {
        let known = |user: User| Self {
            uid: user.uid.as_raw(),
            gid: Some(user.gid.as_raw()),
        };
        let user = match text.parse::<u32>() {
            // A number needs no name.
            Ok(uid) => {
                let user = User::from_uid(Uid::from_raw(uid))?;
                return Ok(Some(user.map_or(Self { uid, gid: None }, known)));
            }
            Err(_) => User::from_name(text)?,
        };
        Ok(user.map(known))
    }
}

/// The users whose processes may talk to the TEE: the one that it runs as, root, and perhaps a broker's.
///
/// A process counts as its user when it connects. What it hands the connection to later is its own affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peers {
    own: u32,
    broker: Option<Broker>,
}

impl Peers {
    /// The user that this process runs as, and root.
    #[must_use]
    pub fn own() -> Self {
        Self {
            own: geteuid().as_raw(),
            broker: None,
        }
    }

    /// The same, and this one.
    #[must_use]
    pub fn and(self, broker: Broker) -> Self {
        Self {
            broker: Some(broker),
            ..self
        }
    }

    /// Whether processes of this user may talk to the TEE.
    #[must_use]
    pub fn accept(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own || self.broker.is_some_and(|broker| broker.uid == uid)
    }

    /// The group that the socket has to have for the broker to reach it.
    pub(crate) fn group(&self) -> Option<Gid> {
        self.broker?.gid.map(Gid::from_raw)
    }

    /// Their numbers, each once.
    #[must_use]
    pub fn uids(&self) -> Vec<u32> {
        let broker = self.broker.map(|broker| broker.uid);
        let mut all: Vec<u32> = [0, self.own].into_iter().chain(broker).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl fmt::Display for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uids: Vec<String> = self.uids().iter().map(u32::to_string).collect();
        let user = if uids.len() == 1 { "user" } else { "users" };
        write!(f, "{user} {}", uids.join(", "))
    }
}

/// Who connected: process and user, as the kernel saw them at that time.
pub(crate) fn credentials(stream: &UnixStream) -> Result<UnixCredentials, Errno> {
    getsockopt(stream, PeerCredentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_not_accepted() {
        let peers = Peers {
            own: 1000,
            broker: None,
        };
        assert!(peers.accept(0) && peers.accept(1000));
        assert!(!peers.accept(1001) && !peers.accept(u32::MAX));
        let peers = peers.and(Broker {
            uid: 1001,
            gid: None,
        });
        assert!(peers.accept(0) && peers.accept(1000) && peers.accept(1001));
        assert!(!peers.accept(1002));
        assert_eq!(peers.to_string(), "users 0, 1000, 1001");
    }

    #[test]
    fn brokers_are_found_by_name_and_by_number() {
        let root = Broker {
            uid: 0,
            gid: Some(0),
        };
        assert_eq!(Broker::find("root").unwrap(), Some(root));
        assert_eq!(Broker::find("0").unwrap(), Some(root));
        assert_eq!(Broker::find("no such user").unwrap(), None);
        let unknown = Broker::find("3999999999").unwrap().unwrap();
        assert_eq!((unknown.uid, unknown.gid), (3_999_999_999, None));
    }

    #[test]
    fn the_kernel_says_who_connected() {
        let (one, _other) = UnixStream::pair().unwrap();
        let found = credentials(&one).unwrap();
        assert_eq!(found.uid(), geteuid().as_raw());
        assert_eq!(found.pid(), i32::try_from(std::process::id()).unwrap());
    }
}
