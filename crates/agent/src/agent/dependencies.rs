//! Dependencies that another TAM has (RFC 9397 section 4.3).
//!
//! A manifest that needs another one which is not there waits for it: the agent begins an exchange with a TAM that may have the
//! dependency, and asks it for that; then one with the TAM of the manifest again. A manifest says which TAM that is by its
//! URI, in the place where it would otherwise say where the dependency is fetched from. If it says nothing, the other TAMs of
//! the device are asked, one after the other.
//!
//! All of this is lost on a restart, and harmlessly so: a TAM sends a manifest that it wants to be there again.

use alloc::{borrow::ToOwned, collections::VecDeque, format, string::String, vec::Vec};

use tamarack_cose::KeyId;
use tamarack_suit::{ComponentId, DeviceError, Error, Fetch};

use super::{Agent, AgentError, Outbound, device::TeeDevice};
use crate::{
    platform::{Platform, StorageError, View},
    state::{KnownManifest, TamEndpoint},
};

/// Most manifests that wait at a time. A chain of dependencies is as long as its signers like.
const MAX_WAITING: usize = 8;

/// Most manifests of one TAM that do.
const MAX_OF_ONE: usize = 4;

/// Most TAMs that are asked for one dependency.
const MAX_TAMS: usize = 4;

/// Seconds for which nobody is asked again for a dependency.
const ONCE: u64 = 600;

/// Most dependencies of which it is remembered that somebody was asked.
const MAX_ASKED: usize = 64;

/// Gets payloads, and takes note where the URI is a TAM's: there is nothing to be fetched from a TAM.
pub(super) struct FetchOrAsk<'f> {
    fetch: &'f mut dyn Fetch,
    tams: &'f [TamEndpoint],
    /// The URIs of trusted TAMs that were named in the place of payloads.
    pub(super) named: VecDeque<String>,
}

impl<'f> FetchOrAsk<'f> {
    pub(super) fn new(fetch: &'f mut dyn Fetch, tams: &'f [TamEndpoint]) -> Self {
        Self {
            fetch,
            tams,
            named: VecDeque::new(),
        }
    }
}

impl Fetch for FetchOrAsk<'_> {
    fn fetch(
        &mut self,
        uri: &str,
        arguments: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        if !self.tams.iter().any(|tam| tam.uri() == uri) {
            return self.fetch.fetch(uri, arguments, sink);
        }
        if self.named.len() < MAX_TAMS && !self.named.iter().any(|named| named == uri) {
            self.named.push_back(uri.to_owned());
        }
        Err(DeviceError::Unavailable(format!("{uri}: a TAM has it")))
    }
}

/// What a manifest failed for want of.
pub(super) struct Lack {
    pub(super) dependency: ComponentId,
    /// The TAMs that have it, as the manifest says.
    named: VecDeque<String>,
}

impl Lack {
    /// What a procedure on `device` lacks that failed with `error`, and in which TAMs were `named` in the place of payloads.
    pub(super) fn of<P: Platform>(
        error: &Error,
        device: &TeeDevice<'_, P>,
        named: VecDeque<String>,
    ) -> Option<Self> {
        let dependency = match (error, device.writing()) {
            (_, Some(writing)) if !named.is_empty() => writing,
            // What is there and of no use is not had anywhere else either.
            (Error::Dependency { id, .. }, _) if device.is_absent(id) => id,
            _ => return None,
        };
        Some(Self {
            dependency: dependency.clone(),
            named,
        })
    }
}

/// The manifests that wait for others. Whose dependency has dependencies itself waits below that one.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    stack: Vec<Wait>,
    /// What somebody was asked for, and when, oldest first.
    asked: VecDeque<(ComponentId, u64)>,
}

/// A manifest that waits.
#[derive(Debug)]
struct Wait {
    /// The TAM that sent it.
    sender: KeyId,
    dependency: ComponentId,
    /// Who may have the dependency, and was not asked yet.
    left: VecDeque<String>,
    /// Who was asked.
    asked: Vec<String>,
    since: u64,
}

impl Waiting {
    /// A manifest of the TAM `sender` needs `dependency`, which the TAMs at `uris` may have; `false` if there is nobody to
    /// ask, or somebody was asked a moment ago. Where too many wait, it may be sent again later.
    fn wait(
        &mut self,
        sender: &KeyId,
        dependency: ComponentId,
        uris: VecDeque<String>,
        now: u64,
    ) -> bool {
        self.asked.retain(|(_, at)| *at <= now && now - *at < ONCE);
        self.stack
            .retain(|wait| wait.since <= now && now - wait.since < ONCE);
        let mut waiting = self.stack.iter();
        if waiting.any(|wait| wait.sender == *sender && wait.dependency == dependency) {
            return true;
        }
        if uris.is_empty() || self.asked.iter().any(|(asked, _)| *asked == dependency) {
            return false;
        }
        let of_sender = self.stack.iter().filter(|wait| wait.sender == *sender);
        if of_sender.count() >= MAX_OF_ONE || self.stack.len() >= MAX_WAITING {
            return true;
        }
        self.stack.push(Wait {
            sender: *sender,
            dependency,
            left: uris,
            asked: Vec::new(),
            since: now,
        });
        true
    }

    /// What a TAM at one of these URIs is asked for.
    fn wanted_from<'w>(&'w self, uris: &'w [&str]) -> impl Iterator<Item = &'w ComponentId> {
        let is_named = |uri: &String| uris.contains(&uri.as_str());
        // One that was asked for one of them is asked for all that it may have.
        let is_asked = self
            .stack
            .iter()
            .any(|wait| wait.asked.iter().any(is_named));
        let may_have = move |wait: &&Wait| {
            let mut named = wait.asked.iter().chain(&wait.left);
            is_asked && named.any(is_named)
        };
        let may_have = self.stack.iter().filter(may_have);
        may_have.map(|wait| &wait.dependency)
    }

    /// Whom to turn to next; `None` once nothing waits.
    fn next(
        &mut self,
        view: &dyn View,
        endpoints: &[TamEndpoint],
        now: u64,
    ) -> Result<Option<String>, StorageError> {
        while let Some(top) = self.stack.last_mut() {
            if KnownManifest::is_installed(view, &top.dependency)? {
                let mut ways = endpoints.iter();
                let way = ways.find(|way| way.keys().contains(&top.sender));
                self.stack.pop();
                if let Some(way) = way {
                    return Ok(Some(way.uri().to_owned()));
                }
            } else if let Some(uri) = top.left.pop_front() {
                top.asked.push(uri.clone());
                if self.asked.len() >= MAX_ASKED {
                    self.asked.pop_front();
                }
                self.asked.push_back((top.dependency.clone(), now));
                return Ok(Some(uri));
            } else {
                // Nobody had it.
                self.stack.pop();
            }
        }
        Ok(None)
    }
}

impl<P: Platform> Agent<P> {
    /// An exchange is over: another one that the agent wants to begin, for what is missing since.
    ///
    /// Call this until it returns `None`.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    // req: ARCH-002
    pub fn next_exchange(&mut self) -> Result<Option<Outbound>, AgentError> {
        if self.waiting.stack.is_empty() {
            return Ok(None);
        }
        let view = self.platform.storage().view()?;
        let endpoints = TamEndpoint::trusted(&*view)?;
        let next = self.waiting.next(&*view, &endpoints, self.platform.now())?;
        // The TAM asks first, and is told then what is wanted.
        Ok(next.map(|tam_uri| Outbound {
            tam_uri,
            message: None,
        }))
    }

    /// The dependencies that the TAM `tam` is asked for.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub(super) fn wanted_dependencies(
        &self,
        view: &dyn View,
        tam: &KeyId,
    ) -> Result<Vec<ComponentId>, StorageError> {
        if self.waiting.stack.is_empty() {
            return Ok(Vec::new());
        }
        let endpoints = TamEndpoint::trusted(view)?;
        let ways = endpoints.iter().filter(|way| way.keys().contains(tam));
        let uris: Vec<_> = ways.map(TamEndpoint::uri).collect();
        Ok(self.waiting.wanted_from(&uris).cloned().collect())
    }

    /// Whether a manifest of the TAM `sender` waits from now on for what it lacks.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub(super) fn wait_for_dependency(
        &mut self,
        sender: &KeyId,
        lack: Lack,
    ) -> Result<bool, StorageError> {
        let now = self.platform.now();
        let view = self.platform.storage().view()?;
        // It is there, and of no use: another one of its name would not be taken for it.
        if KnownManifest::is_installed(&*view, &lack.dependency)? {
            return Ok(false);
        }
        let endpoints = TamEndpoint::trusted(&*view)?;
        drop(view);
        let uris = match lack.named.is_empty() {
            false => lack.named,
            true => {
                let of_sender = |uri: &String| {
                    let mut ways = endpoints.iter().filter(|way| way.uri() == uri);
                    ways.any(|way| way.keys().contains(sender))
                };
                let others = self.tams.round(&endpoints, now).into_iter();
                let others = others.filter_map(|mut ways| ways.pop_front());
                others
                    .filter(|uri| !of_sender(uri))
                    .take(MAX_TAMS)
                    .collect()
            }
        };
        Ok(self.waiting.wait(sender, lack.dependency, uris, now))
    }
}
