//! How much of the TEE a security domain may use.

use alloc::vec::Vec;

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};

/// How much of the TEE a security domain may use, what its sub-domains may use included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of components, Personalization Data, kept manifests and objects together.
    pub bytes: u64,
    /// Trusted Applications.
    pub applications: u64,
    /// Bytes of linear memory of one session.
    pub memory: u64,
    /// Fuel of one command; about one unit for each WebAssembly instruction.
    pub fuel: u64,
    /// Objects and keys of all applications together, shared ones included.
    pub objects: u64,
    /// Sessions of all applications together that are open at a time.
    pub sessions: u64,
    /// Milliseconds that one command may take.
    pub time_ms: u64,
}

impl Default for Quota {
    /// 16 MiB of storage, 16 applications, 4 MiB of memory, a billion units of fuel, 1024 objects, 16 sessions,
    /// ten seconds.
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            applications: 16,
            memory: 4 << 20,
            fuel: 1_000_000_000,
            objects: 1024,
            sessions: 16,
            time_ms: 10_000,
        }
    }
}

impl Quota {
    /// The limits with their labels, in the order of the labels.
    fn labelled(&mut self) -> [(u64, &mut u64); 7] {
        [
            (1, &mut self.bytes),
            (2, &mut self.applications),
            (3, &mut self.memory),
            (4, &mut self.fuel),
            (5, &mut self.objects),
            (6, &mut self.sessions),
            (7, &mut self.time_ms),
        ]
    }

    /// What is left of it to a domain itself once `children`, the quotas of its sub-domains, are taken away.
    /// What a single session or command may use is not divided.
    pub(crate) fn without<'a>(mut self, children: impl Iterator<Item = &'a Self>) -> Self {
        for child in children {
            self.bytes = self.bytes.saturating_sub(child.bytes);
            self.applications = self.applications.saturating_sub(child.applications);
            self.objects = self.objects.saturating_sub(child.objects);
            self.sessions = self.sessions.saturating_sub(child.sessions);
        }
        self
    }

    /// What all domains of a tree share, with its unit: limits that sub-domains get a part of.
    pub(crate) fn divided(&self) -> [(&'static str, u64); 4] {
        [
            ("bytes", self.bytes),
            ("applications", self.applications),
            ("objects", self.objects),
            ("sessions", self.sessions),
        ]
    }

    /// What a single session or command may use, with its unit: limits that sub-domains have up to the same
    /// height.
    pub(crate) fn undivided(&self) -> [(&'static str, u64); 3] {
        [
            ("bytes of memory", self.memory),
            ("fuel", self.fuel),
            ("milliseconds", self.time_ms),
        ]
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "security-domain / quota";
        let mut quota = Self::default();
        for _ in 0..reader.map(rule)? {
            let unknown = reader.error(rule, Problem::Expected("label 1 to 7"));
            let label = reader.uint(rule)?;
            let limit = quota.labelled().into_iter().find(|(l, _)| *l == label);
            let (_, limit) = limit.ok_or(unknown)?;
            *limit = reader.uint(rule)?;
        }
        Ok(quota)
    }

    /// Labels 5 to 7 are left out where they say what is the default anyway: older TEEs refuse them.
    pub(super) fn write(mut self, w: &mut Writer) {
        let mut default = Self::default();
        let said: Vec<(u64, u64)> = self
            .labelled()
            .into_iter()
            .zip(default.labelled())
            .filter(|((label, limit), (_, default))| *label <= 4 || limit != default)
            .map(|((label, limit), _)| (label, *limit))
            .collect();
        w.map(said.len());
        for (label, limit) in said {
            w.uint(label).uint(limit);
        }
    }
}
