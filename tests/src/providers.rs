use tamarack_agent::{
    platform::Platform,
    state::{DomainRecord, Record},
};

use crate::{Device, Person, Tam, release, wasm::COUNT};

/// A device with the security domains `acme` and `globex`, and everybody who has a say there.
pub struct Providers {
    /// The device.
    pub device: Device,
    /// The TAM that it trusts.
    pub tam: Tam,
    /// Its administrator, who signs what makes security domains.
    pub admin: Person,
    /// Owns the domain `acme`.
    pub acme: Person,
    /// Owns the domain `globex`.
    pub globex: Person,
}

impl Default for Providers {
    fn default() -> Self {
        let (tam, admin, acme, globex) = (Tam::new(), Person::new(), Person::new(), Person::new());
        let mut device = Device::new(&[&tam], &[&admin]);
        let domains = [
            release::domain("acme", 1, &acme, &admin),
            release::domain("globex", 1, &globex, &admin),
        ];
        device.install(&tam, &[&domains[0], &domains[1]]);
        Self {
            device,
            tam,
            admin,
            acme,
            globex,
        }
    }
}

impl Providers {
    /// A new device, on which both domains are and nothing else.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Installs a manifest, which must succeed.
    #[track_caller]
    pub fn install(&mut self, envelope: &[u8]) {
        self.device.install(&self.tam, &[envelope]);
    }

    /// Sends a manifest, which must fail and change nothing; the reason.
    #[track_caller]
    pub fn refuses(&mut self, envelope: &[u8]) -> String {
        let error = self.device.refused(&self.tam, Tam::install(&[envelope]));
        error.explanation.unwrap().text
    }

    /// Unlinks a manifest, which must fail and change nothing; the reason.
    #[track_caller]
    pub fn refuses_unlink(&mut self, manifest: &str) -> String {
        let error = self.device.refused(&self.tam, Tam::unlink(&[manifest]));
        error.explanation.unwrap().text
    }

    /// What the TEE keeps of a security domain.
    #[must_use]
    pub fn domain(&self, name: &str) -> Option<DomainRecord> {
        let view = self.device.tee.storage().view().unwrap();
        DomainRecord::load(&*view, name.as_bytes()).unwrap()
    }

    /// How often this `vault` signed.
    #[must_use]
    pub fn count(&self, vault: &str) -> u64 {
        u64::from_be_bytes(self.device.output(vault, COUNT, b"").try_into().unwrap())
    }
}
