//! What a Recipient lacks for a manifest, before it is sent.

use alloc::vec::Vec;
use core::fmt;

use tamarack_cose::{
    cbor::DecodeError,
    encrypt::{Encrypted, RecipientInfo},
};

use super::{CapabilityList, CapabilityReport};
use crate::{
    ComponentId, Limits,
    codec::{Command, Envelope, LanguageText, Manifest, Parameter, Text},
    profile::algorithm_ids,
};

/// Something that a manifest needs and a Recipient does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lack {
    /// A component.
    Component(ComponentId),
    /// A label, or the number of an algorithm, of one registry.
    Label(CapabilityList, i64),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(id) => write!(f, "component {id}"),
            Self::Label(list, label) => write!(f, "{label} of {}", list.name()),
        }
    }
}

impl CapabilityReport {
    /// What the Recipient that made this report lacks for the manifest in `envelope`: for authors, before
    /// they ship it. Empty if nothing is known to be missing.
    ///
    /// Components, commands, parameters and algorithms are always looked at, those of digests, of
    /// authentication and of encryption. Other elements are looked at if the report lists what there is of
    /// them. Of several recipients of a content key one must be of an algorithm that the report names;
    /// whether the key is this Recipient's, it does not say. Dependencies are envelopes of their own.
    ///
    /// # Errors
    ///
    /// If the manifest, or something severed from it, does not decode.
    // req: SUIT-UPD-002, SUIT-MTI-007, SUIT-ENC-026, SUIT-REP-016
    pub fn lacks(&self, envelope: &Envelope<'_>) -> Result<Vec<Lack>, DecodeError> {
        let manifest = envelope.unverified_manifest()?;
        let mut search = Search {
            report: self,
            lacks: Vec::new(),
        };
        search.algorithm(envelope.claimed_digest().algorithm_id());
        for block in envelope.authentication_blocks() {
            for algorithm in algorithm_ids(block).into_iter().flatten() {
                search.algorithm(algorithm);
            }
        }
        search.label(CapabilityList::Envelope, 2);
        search.label(CapabilityList::Envelope, 3);
        search.manifest(&manifest, &envelope.limits);
        for severed in envelope.severed() {
            search.label(CapabilityList::Envelope, severed.label);
            if severed.section().is_some() {
                let sequence = manifest.decode_severed(severed.item(), &envelope.limits)?;
                for located in sequence.walk() {
                    search.command(&located.command);
                }
            }
        }
        Ok(search.lacks)
    }
}

struct Search<'r> {
    report: &'r CapabilityReport,
    lacks: Vec<Lack>,
}

impl Search<'_> {
    fn add(&mut self, lack: Lack) {
        if !self.lacks.contains(&lack) {
            self.lacks.push(lack);
        }
    }

    /// A list that the report leaves out says nothing.
    fn label(&mut self, list: CapabilityList, label: i64) {
        let supported = self.report.list(list);
        if !supported.is_empty() && !supported.contains(&label) {
            self.add(Lack::Label(list, label));
        }
    }

    fn algorithm(&mut self, id: i64) {
        self.label(CapabilityList::Algorithms, id);
    }

    fn manifest(&mut self, manifest: &Manifest<'_>, limits: &Limits) {
        for id in &manifest.common.components {
            if !self.report.components.iter().any(|c| c.covers(id)) {
                self.add(Lack::Component(id.clone()));
            }
        }
        for label in manifest.labels() {
            self.label(CapabilityList::Manifest, label);
        }
        for label in manifest.common.labels() {
            self.label(CapabilityList::Common, label);
        }
        if manifest
            .common
            .dependencies
            .iter()
            .any(|d| d.prefix.is_some())
        {
            self.label(CapabilityList::Dependency, 1);
        }
        for digest in manifest.severed_digests() {
            self.algorithm(digest.algorithm_id());
        }
        if let Some(text) = manifest.text.as_ref().and_then(|text| text.content())
            && let Ok(text) = Text::decode(text, limits)
        {
            for (_, text) in &text.languages {
                self.text(text);
            }
        }
        for sequence in manifest.sequences() {
            for located in sequence.walk() {
                self.command(&located.command);
            }
        }
    }

    fn text(&mut self, text: &LanguageText<'_>) {
        for (label, _) in &text.manifest {
            self.label(CapabilityList::Text, *label);
        }
        for (label, _) in text.components.iter().flat_map(|(_, texts)| texts) {
            self.label(CapabilityList::ComponentText, *label);
        }
    }

    fn command(&mut self, command: &Command<'_>) {
        self.label(CapabilityList::Commands, command.label());
        for parameter in command.parameters() {
            self.parameter(parameter);
        }
    }

    fn parameter(&mut self, parameter: &Parameter<'_>) {
        self.label(CapabilityList::Parameters, parameter.label());
        match parameter {
            Parameter::ImageDigest(digest) => self.algorithm(digest.algorithm_id()),
            Parameter::EncryptionInfo(info) => self.encryption(info),
            _ => {}
        }
    }

    fn encryption(&mut self, info: &[u8]) {
        let encrypted = match Encrypted::decode_encrypt(info) {
            Ok(encrypted) => encrypted,
            Err(tamarack_cose::Error::AlgorithmUnsupported(id)) => return self.algorithm(id),
            Err(_) => return,
        };
        self.algorithm(encrypted.algorithm().cose_id());
        let supported = self.report.list(CapabilityList::Algorithms);
        let exchanges = || {
            let recipients = encrypted.recipients().unwrap_or_default().iter();
            recipients.filter_map(RecipientInfo::algorithm)
        };
        if !exchanges().any(|algorithm| supported.contains(&algorithm.cose_id())) {
            exchanges().for_each(|algorithm| self.algorithm(algorithm.cose_id()));
        }
    }
}
