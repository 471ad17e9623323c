//! A home for TAs under test: real services, over a real store.

use std::{
    cell::RefCell,
    io,
    sync::{Arc, Once, Weak},
    time::Duration,
};

use tamarack_agent::{
    Quota,
    link::ComponentKind,
    platform::{Namespace, Storage},
    state::{ComponentRecord, Record},
};
use tamarack_cose::rustcrypto;
use tamarack_suit::{ComponentId, SuitDigest};
use tamarack_ta::{ResultCode, interface::Client};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::{
    runtime::{Allowance, Cancellation, Input, Session, TaModule, Watch},
    services::{Application, Surroundings, TaServices},
};

/// A TEE with one application installed: `acme/ta` in the domain `acme`.
pub(super) struct Home {
    _folder: TempDir,
    pub(super) around: Arc<Surroundings>,
    pub(super) application: Application,
    pub(super) client: Client,
}

impl Home {
    pub(super) fn new() -> Self {
        let (folder, around) = Surroundings::in_a_folder();
        let this = Self {
            _folder: folder,
            around: Arc::new(around),
            application: Application {
                record: component("acme/ta", ComponentKind::Application, b"code"),
                sequence_number: 7,
                quota: Quota {
                    bytes: 64 << 20,
                    objects: 1000,
                    ..Quota::default()
                },
                shared_objects: vec!["shared".into()],
            },
            client: Client::Unknown,
        };
        this.install(&this.application.record, b"code");
        this
    }

    fn install(&self, record: &ComponentRecord, content: &[u8]) {
        let mut transaction = self.around.store.begin().unwrap();
        record.save(&mut *transaction).unwrap();
        let space = Namespace::domain("acme");
        let name = record.component.to_cbor();
        transaction.put(&space, &name, content).unwrap();
        transaction.commit().unwrap();
    }

    pub(super) fn personalize(&self, name: &str, data: &[u8]) {
        let record = component(&format!("acme/ta/{name}"), ComponentKind::Data, data);
        self.install(&record, data);
    }

    /// Takes the application away.
    pub(super) fn uninstall(&self) {
        let mut transaction = self.around.store.begin().unwrap();
        let id = self.application.record.component.to_cbor();
        ComponentRecord::delete(&mut *transaction, &id).unwrap();
        transaction.commit().unwrap();
    }

    pub(super) fn services(&self) -> TaServices {
        TaServices::new(
            self.around.clone(),
            Weak::<crate::services::Nowhere>::new(),
            self.application.clone(),
            self.client.clone(),
            &[],
        )
    }

    /// A private object, as it is stored.
    pub(super) fn object(&self, name: &str) -> Option<Vec<u8>> {
        let space = Namespace::application("acme", &self.application.record.component);
        let view = self.around.store.view().unwrap();
        view.get(&space, format!("o{name}").as_bytes()).unwrap()
    }

    pub(super) fn open(&self, module: &TaModule) -> Result<Session, ResultCode> {
        module.open_session(self.services(), b"", &mut plenty())
    }
}

fn component(id: &str, kind: ComponentKind, content: &[u8]) -> ComponentRecord {
    let component: ComponentId = id.parse().unwrap();
    ComponentRecord {
        manifest: component.clone(),
        component,
        kind,
        domain: "acme".into(),
        digest: SuitDigest::sha256(&rustcrypto::provider(), content),
        size: content.len() as u64,
    }
}

/// So much fuel, and more time than any test needs.
fn allowance(fuel: u64) -> Allowance {
    let watch = Watch::new(Duration::from_secs(600), Cancellation::default());
    Allowance::new(fuel, watch)
}

/// More than any test needs.
pub(super) fn plenty() -> Allowance {
    allowance(1_000_000_000)
}

/// So little that an endless loop ends soon.
pub(super) fn little() -> Allowance {
    allowance(1_000_000)
}

/// Invokes with a [`little`] allowance.
pub(super) fn invoke(
    session: &mut Session,
    command: u32,
    input: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
    session.invoke(command, Input::Whole(input), &mut little())
}

thread_local! {
    /// What this thread logs, while somebody wants to know.
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Where this thread's log goes.
struct ThreadLog;

impl io::Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.as_mut().map(|log| log.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What was logged while `run` ran, on this thread.
pub(super) fn logged(run: impl FnOnce()) -> String {
    // One for all threads: subscribers of single threads miss what other threads saw first.
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_ansi(false);
        subscriber.with_writer(|| ThreadLog).init();
    });
    LOG.set(Some(Vec::new()));
    run();
    String::from_utf8(LOG.take().unwrap()).unwrap()
}
