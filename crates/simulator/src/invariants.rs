//! What holds whatever the adversary does.

use std::fmt;

use tamarack_agent::{
    SecurityDomain,
    platform::{Namespace, Platform},
    state::{KnownManifest, Record, Request, RequestKind, SeenUpdates},
};
use tamarack_suit::SuitDigest;
use tamarack_tam::Store;

use crate::{
    DEVICES, TAMS, World,
    people::{COMPONENTS, DOMAINS, release_component},
};

/// A rule of the system as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invariant {
    /// What is installed was made by an authorised signer and published at a TAM that the device trusts,
    /// whose operator deployed it for that device at some time.
    Authorised,
    /// The sequence number of a component never goes down on a device, not even over its removal.
    NoDowngrade,
    /// Each challenge gets each device one Update at most.
    SingleUse,
    /// Once messages flow again, TAMs believe of devices what is so, and that is what is wished.
    Convergence,
    /// Once messages flow again, everybody falls silent after a bounded number of exchanges.
    Quiescence,
    /// What a party remembers is bounded.
    BoundedMemory,
    /// No message makes a party fail.
    Failure,
    /// No message makes a party panic.
    Panic,
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was found.
    pub text: String,
}

impl Invariant {
    pub(crate) fn violated(self, text: impl Into<String>) -> Violation {
        Violation {
            invariant: self,
            text: text.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.text)
    }
}

/// Records that every device has: the administrator's anchor, the TAMs' and a spare one, the list of Updates seen.
const FIXED_RECORDS: usize = 3 + TAMS;

impl World {
    /// Checks what is to hold at any time, of each device that changed.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn check(&mut self) -> Result<(), Violation> {
        for number in 0..DEVICES {
            let commits = self.devices[number].tee.commits();
            if commits != self.devices[number].checked {
                self.devices[number].checked = commits;
                self.check_installed(number)?;
                self.check_memory(number)?;
            }
        }
        Ok(())
    }

    fn check_installed(&mut self, device: usize) -> Result<(), Violation> {
        for found in self.installed(device) {
            let name = found.component.to_string();
            let highest = self.devices[device]
                .highest
                .entry(name.clone())
                .or_default();
            if found.sequence_number < *highest {
                return Err(Invariant::NoDowngrade.violated(format!(
                    "device {device} went from {highest} to {} of {name}",
                    found.sequence_number
                )));
            }
            *highest = found.sequence_number;
            let number = usize::try_from(found.sequence_number).unwrap_or(usize::MAX);
            if !self.is_authorised(device, &name, number, &found.digest) {
                return Err(Invariant::Authorised.violated(format!(
                    "device {device} holds release {number} of {name} ({})",
                    found.digest
                )));
            }
        }
        Ok(())
    }

    fn is_authorised(&self, device: usize, name: &str, number: usize, digest: &str) -> bool {
        let trusted = (0..TAMS).filter(|tam| self.devices[device].trusts[*tam]);
        trusted.into_iter().any(|tam| {
            let server = &self.tams[tam];
            let domain = SecurityDomain::component_id(DOMAINS[tam]).unwrap();
            if domain.to_string() == name {
                let descriptor = self.people.crypto.sha256(&self.people.descriptors[tam]);
                let used = server.deployed[device].iter().any(|deployed| *deployed);
                return used && digest == base16(&descriptor);
            }
            (0..COMPONENTS.len()).any(|component| {
                release_component(tam, component).to_string() == name
                    && (1..=server.published[component]).contains(&number)
                    && server.deployed[device][component]
                    && {
                        let release = &self.people.releases[tam][component][number - 1];
                        digest == base16(release.digest.bytes())
                    }
            })
        })
    }

    fn check_memory(&self, device: usize) -> Result<(), Violation> {
        let too_much = |text: String| Err(Invariant::BoundedMemory.violated(text));
        let view = self.devices[device].tee.storage().view().unwrap();
        // Each manifest, the domains' too, has one record, what it installed another, a wish a third.
        let most = FIXED_RECORDS + TAMS * (3 * COMPONENTS.len() + 3);
        let records = view.names(&Namespace::agent(), b"").unwrap().len();
        if records > most {
            return too_much(format!("device {device} keeps {records} records"));
        }
        let wishes = Request::all(&*view).unwrap().len();
        if wishes > Request::MAX {
            return too_much(format!("device {device} keeps {wishes} wishes"));
        }
        let seen = view
            .length(&Namespace::agent(), &[SeenUpdates::PREFIX])
            .unwrap();
        if seen.unwrap_or_default() > (SeenUpdates::MAX as u64 + 1) * 34 {
            return too_much(format!(
                "device {device} remembers Updates in {seen:?} bytes"
            ));
        }
        for tam in self.tams.iter().map(crate::world::Server::tam) {
            let ueid = &self.people.devices[device].ueid;
            let outcomes = tam.store().outcomes(ueid).unwrap().len();
            let manifests = tam.store().catalog().unwrap().manifests().len();
            if outcomes > manifests {
                return too_much(format!(
                    "a TAM keeps {outcomes} outcomes for {manifests} manifests"
                ));
            }
        }
        Ok(())
    }

    /// The release of a component that a device holds; 0 if none.
    pub(crate) fn held(&self, device: usize, tam: usize, component: usize) -> usize {
        let name = release_component(tam, component);
        let installed = self.installed(device);
        let found = installed.iter().find(|found| found.component == name);
        found.map_or(0, |found| usize::try_from(found.sequence_number).unwrap())
    }

    /// Whether an application on a device waits for a component.
    pub(crate) fn wishes(&self, device: usize, tam: usize, component: usize) -> bool {
        let view = self.devices[device].tee.storage().view().unwrap();
        let key = release_component(tam, component).to_cbor();
        let request = Request::load(&*view, &key).unwrap();
        request.is_some_and(|request| request.kind == RequestKind::Wanted)
    }

    /// The digest of a release; `None` of release 0.
    #[must_use]
    pub fn digest(&self, tam: usize, component: usize, release: usize) -> Option<SuitDigest> {
        let releases = &self.people.releases[tam][component];
        release.checked_sub(1).map(|at| releases[at].digest)
    }

    /// The sequence number that a device remembers of a manifest, installed or not; 0 if none.
    #[must_use]
    pub fn remembered(&self, device: usize, tam: usize, component: usize) -> u64 {
        let view = self.devices[device].tee.storage().view().unwrap();
        let key = crate::people::release_manifest(tam, component).to_cbor();
        let known = KnownManifest::load(&*view, &key).unwrap();
        known.map_or(0, |known| known.record.sequence_number.0)
    }
}

fn base16(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
