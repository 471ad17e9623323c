use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::cell::RefCell;
use std::thread_local;

use super::{
    APPLICATION, StreamedInput,
    clock::Clock,
    keys::{self, Key},
    services::Service,
};
use crate::{
    ResultCode,
    interface::{self, Client, STORAGE_PRIVATE, STORAGE_SHARED},
};

thread_local! {
    static TEE: RefCell<Tee> = RefCell::default();
}

/// Uses this thread's TEE. No code of a TA runs meanwhile.
pub(super) fn with<R>(use_it: impl FnOnce(&mut Tee) -> R) -> R {
    TEE.with_borrow_mut(use_it)
}

/// The state of a TEE.
pub(super) struct Tee {
    stored: BTreeMap<Address, Value>,
    pub(super) personalization: BTreeMap<(String, String), Vec<u8>>,
    /// The domain and the name of each object that may be shared.
    pub(super) shared: BTreeSet<(String, String)>,
    pub(super) services: BTreeMap<String, Service>,
    /// The calls that are running; each was made by the one before.
    pub(super) calls: Vec<Call>,
    /// The application that the test is.
    pub(super) outside: String,
    pub(super) client: Client,
    pub(super) cancel_after: Option<u32>,
    /// What the next command does.
    pub(super) after_commit: AfterCommit,
    pub(super) log: Vec<String>,
    pub(super) clock: Clock,
    pub(super) attester: Key,
    /// The secret that applications' secrets derive from.
    pub(super) root: [u8; 32],
    pub(super) device: [u8; 16],
}

impl Default for Tee {
    fn default() -> Self {
        Self {
            stored: BTreeMap::new(),
            personalization: BTreeMap::new(),
            shared: BTreeSet::new(),
            services: BTreeMap::new(),
            calls: Vec::new(),
            outside: APPLICATION.into(),
            client: Client::Unknown,
            cancel_after: None,
            after_commit: AfterCommit::GoesOn,
            log: Vec::new(),
            clock: Clock::default(),
            attester: Key::attester(),
            root: keys::random(),
            device: keys::random(),
        }
    }
}

/// What a command does once it has committed early.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum AfterCommit {
    #[default]
    GoesOn,
    /// Somebody ends it.
    Ends,
}

/// A call into a TA: a transaction.
pub(super) struct Call {
    pub(super) application: String,
    pub(super) client: Client,
    pub(super) input: StreamedInput,
    /// What it wrote as output.
    pub(super) output: Vec<u8>,
    pub(super) after_commit: AfterCommit,
    /// Whether all of it is kept or nothing.
    one_step: bool,
    changes: BTreeMap<Address, Option<Value>>,
}

impl Call {
    pub(super) fn new(application: &str, client: Client, input: StreamedInput) -> Self {
        Self {
            application: application.into(),
            client,
            input,
            output: Vec::new(),
            after_commit: AfterCommit::GoesOn,
            one_step: false,
            changes: BTreeMap::new(),
        }
    }

    pub(super) fn migration(application: &str) -> Self {
        Self {
            one_step: true,
            ..Self::new(application, Client::Unknown, StreamedInput::default())
        }
    }
}

/// Where something is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    /// The application, or the security domain for what is shared.
    owner: String,
    kind: Kind,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Private,
    Shared,
    Key,
    Time,
}

/// What is stored.
#[derive(Clone)]
pub(super) enum Value {
    Object(Vec<u8>),
    Key(Key),
    /// The persistent time that was set, and the time of day at which it was.
    Time {
        set: u64,
        at: u64,
    },
}

/// `name`, if it may be one.
pub(super) fn checked(name: &str) -> Result<&str, ResultCode> {
    match interface::is_valid_name(name) {
        true => Ok(name),
        false => Err(ResultCode::BAD_PARAMETERS),
    }
}

impl Tee {
    /// Whose call it is.
    pub(super) fn application(&self) -> &str {
        match self.calls.last() {
            Some(call) => &call.application,
            None => &self.outside,
        }
    }

    /// The security domain of whose call it is.
    pub(super) fn domain(&self) -> &str {
        domain_of(self.application())
    }

    /// The address of an object.
    pub(super) fn object(&self, storage: u32, name: &str) -> Result<Address, ResultCode> {
        let name = checked(name)?.into();
        let (owner, kind) = self.storage(storage)?;
        if kind == Kind::Shared && !self.shared.contains(&(owner.clone(), String::clone(&name))) {
            return Err(ResultCode::ACCESS_DENIED);
        }
        // A TA of the same domain waits for this one, perhaps with changes that it holds back.
        let mut waiting = self.calls.iter().rev().skip(1);
        if kind == Kind::Shared && waiting.any(|call| domain_of(&call.application) == owner) {
            return Err(ResultCode::BUSY);
        }
        Ok(Address { owner, kind, name })
    }

    fn storage(&self, storage: u32) -> Result<(String, Kind), ResultCode> {
        match storage {
            STORAGE_PRIVATE => Ok((self.application().into(), Kind::Private)),
            STORAGE_SHARED => Ok((self.domain().into(), Kind::Shared)),
            _ => Err(ResultCode::BAD_PARAMETERS),
        }
    }

    /// The address of a key.
    pub(super) fn key(&self, name: &str) -> Result<Address, ResultCode> {
        Ok(Address {
            owner: self.application().into(),
            kind: Kind::Key,
            name: checked(name)?.into(),
        })
    }

    /// The address of the persistent time.
    pub(super) fn persistent_time(&self) -> Address {
        Address {
            owner: self.application().into(),
            kind: Kind::Time,
            name: String::new(),
        }
    }

    pub(super) fn get(&self, address: &Address) -> Option<&Value> {
        let changed = self.calls.last().and_then(|call| call.changes.get(address));
        match changed {
            Some(value) => value.as_ref(),
            None => self.stored.get(address),
        }
    }

    /// Puts a value there, or takes away what is there.
    pub(super) fn set(&mut self, address: Address, value: Option<Value>) {
        match (self.calls.last_mut(), value) {
            (Some(call), value) => drop(call.changes.insert(address, value)),
            (None, Some(value)) => drop(self.stored.insert(address, value)),
            (None, None) => drop(self.stored.remove(&address)),
        }
    }

    /// The names of the objects in a storage.
    pub(super) fn object_names(&self, storage: u32) -> Result<Vec<u8>, ResultCode> {
        let (owner, kind) = self.storage(storage)?;
        Ok(self.names(&owner, kind))
    }

    pub(super) fn key_names(&self) -> Vec<u8> {
        self.names(self.application(), Kind::Key)
    }

    fn names(&self, owner: &str, kind: Kind) -> Vec<u8> {
        let changes = self.calls.last().map(|call| &call.changes);
        let changed = changes.into_iter().flat_map(BTreeMap::keys);
        let names: BTreeSet<&str> = (self.stored.keys().chain(changed))
            .filter(|address| address.owner == owner && address.kind == kind)
            .filter(|address| self.get(address).is_some())
            .map(|address| address.name.as_str())
            .collect();
        interface::encode_names(names)
    }

    /// Keeps what the running call changed so far.
    pub(super) fn commit_early(&mut self) -> Result<AfterCommit, ResultCode> {
        let (changes, after_commit) = match self.calls.last_mut() {
            Some(call) if call.one_step => return Err(ResultCode::BAD_STATE),
            Some(call) => (core::mem::take(&mut call.changes), call.after_commit),
            // What the test itself changes is kept at once.
            None => return Ok(AfterCommit::GoesOn),
        };
        self.keep(changes);
        Ok(after_commit)
    }

    /// Keeps what a call changed that ended.
    pub(super) fn commit(&mut self, call: Call) {
        self.keep(call.changes);
    }

    fn keep(&mut self, changes: BTreeMap<Address, Option<Value>>) {
        for (address, value) in changes {
            match value {
                Some(value) => drop(self.stored.insert(address, value)),
                None => drop(self.stored.remove(&address)),
            }
        }
    }
}

/// The security domain of an application: the first segment of its name.
pub(super) fn domain_of(application: &str) -> &str {
    application.split('/').next().unwrap_or_default()
}
