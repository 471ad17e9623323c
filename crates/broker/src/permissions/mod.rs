//! Which user may do what with which component.
//!
//! Root and the user whom the broker runs as may do everything: both could reach the TEE without it. Everybody else
//! may do what a rule of the permissions file allows, and nothing where there is no file.

mod file;
mod follow;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Instant,
};

use tamarack_client::api::Denial;
use tamarack_suit::ComponentId;

use crate::{BrokerError, budget::Budget, peer::Peer};

pub(crate) use file::group_number;

/// Denials that are logged in a minute: nobody fills the disk with them.
const LOGGED_PER_MINUTE: u32 = 60;

/// What needs permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action<'a> {
    /// See that a component is installed, and as what.
    List(&'a ComponentId),
    /// Open sessions with a Trusted Application.
    Open(&'a ComponentId),
    /// Ask for a component.
    Request(&'a ComponentId),
    /// Say that a component is no longer needed.
    Unrequest(&'a ComponentId),
    /// Have the TEEs ask their TAMs for changes.
    CheckPolicy,
    /// Learn which TEEs there are: whoever may do anything needs that.
    Describe,
    /// See whether anything is installed: whoever may list any component.
    ListAny,
}

/// The rules in force.
pub(crate) struct Permissions {
    file: Option<PathBuf>,
    rules: RwLock<Arc<Vec<Rule>>>,
    /// Whom the broker runs as.
    owner: u32,
    log: Budget,
}

/// What some users may do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    everybody: bool,
    users: Vec<u32>,
    groups: Vec<u32>,
    list: Vec<Pattern>,
    open: Vec<Pattern>,
    request: Vec<Pattern>,
    unrequest: Vec<Pattern>,
    check_policy: bool,
}

/// Which components.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// This one.
    Exactly(ComponentId),
    /// All whose identifiers go on from this one.
    Below(ComponentId),
}

impl Permissions {
    /// The rules in a file, or none without one.
    ///
    /// # Errors
    ///
    /// If the file can't be read, others could write it, or it holds anything but rules.
    pub(crate) fn open(file: Option<&Path>) -> Result<Self, BrokerError> {
        let owner = nix::unistd::geteuid().as_raw();
        let rules = match file {
            Some(path) => file::read(path, owner)?,
            None => Vec::new(),
        };
        Ok(Self {
            file: file.map(Path::to_owned),
            rules: RwLock::new(Arc::new(rules)),
            owner,
            log: Budget::new(LOGGED_PER_MINUTE),
        })
    }

    /// Whether a user may do something.
    pub(crate) fn allow(&self, peer: &Peer, action: Action<'_>) -> bool {
        peer.user == 0
            || peer.user == self.owner
            || self.rules().iter().any(|rule| rule.allows(peer, action))
    }

    /// The same, with what to answer and a line in the log if not.
    ///
    /// # Errors
    ///
    /// [`BrokerError::Denied`], which says who may not do what by which rules.
    pub(crate) fn check(&self, peer: &Peer, action: Action<'_>) -> Result<(), BrokerError> {
        if self.allow(peer, action) {
            return Ok(());
        }
        let component = action.component().map(ToString::to_string);
        let denial = Denial {
            user: peer.user,
            action: action.name().to_owned(),
            component,
            rules: self.file.as_ref().map(|file| file.display().to_string()),
        };
        self.log(&denial);
        Err(BrokerError::Denied(Box::new(denial)))
    }

    /// Writes down that somebody was turned away.
    pub(crate) fn log(&self, denial: &Denial) {
        if self.log.spend(Instant::now()).is_ok() {
            let Denial {
                user,
                action,
                component,
                ..
            } = denial;
            tracing::warn!(user, action, component, "an application was denied");
        }
    }

    fn rules(&self) -> Arc<Vec<Rule>> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Action<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::List(_) | Self::ListAny => "list",
            Self::Open(_) => "open",
            Self::Request(_) => "request",
            Self::Unrequest(_) => "unrequest",
            Self::CheckPolicy => "check_policy",
            Self::Describe => "describe",
        }
    }

    fn component(&self) -> Option<&ComponentId> {
        match self {
            Self::List(component)
            | Self::Open(component)
            | Self::Request(component)
            | Self::Unrequest(component) => Some(component),
            Self::CheckPolicy | Self::Describe | Self::ListAny => None,
        }
    }
}

impl Rule {
    fn allows(&self, peer: &Peer, action: Action<'_>) -> bool {
        let is_for = self.everybody
            || self.users.contains(&peer.user)
            || self.groups.iter().any(|group| peer.groups.contains(group));
        let any = |patterns: &[Pattern], component: &ComponentId| {
            patterns.iter().any(|pattern| pattern.matches(component))
        };
        is_for
            && match action {
                Action::List(component) => any(&self.list, component),
                Action::Open(component) => any(&self.open, component),
                Action::Request(component) => any(&self.request, component),
                Action::Unrequest(component) => any(&self.unrequest, component),
                Action::CheckPolicy => self.check_policy,
                Action::ListAny => !self.list.is_empty(),
                // A rule that allows nothing is refused where rules are read.
                Action::Describe => true,
            }
    }
}

impl Pattern {
    fn matches(&self, component: &ComponentId) -> bool {
        match self {
            Self::Exactly(wanted) => component == wanted,
            Self::Below(prefix) => component.starts_with(prefix) && component != prefix,
        }
    }
}
