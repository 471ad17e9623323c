use alloc::vec::Vec;

use tamarack_cose::CryptoProvider;

use crate::{
    AuthenticatedEnvelope, ComponentId, SuitDigest,
    codec::{Command, IndexArgument, Manifest, Parameters, Sequence},
};

impl Manifest<'_> {
    /// The image digests that the manifest sets for the component at `index`, each once, in the order of its sequences,
    /// of which the shared one comes first. Of several, such as those of alternatives, a Recipient finds out which
    /// applies.
    #[must_use]
    pub fn image_digests(&self, index: u64) -> Vec<SuitDigest> {
        let mut digests = Vec::new();
        for digest in self
            .parameters_of(index)
            .into_iter()
            .filter_map(Parameters::image_digest)
        {
            if !digests.contains(digest) {
                digests.push(*digest);
            }
        }
        digests
    }

    /// The URIs that the manifest sets for the component at `index`.
    #[must_use]
    pub fn uris(&self, index: u64) -> Vec<&str> {
        self.parameters_of(index)
            .into_iter()
            .filter_map(Parameters::uri)
            .collect()
    }

    /// The parameters that any command sets for the component at `index`, in the order of the sequences.
    #[must_use]
    pub fn parameters_of(&self, index: u64) -> Vec<&Parameters<'_>> {
        let mut found = Vec::new();
        for sequence in self.sequences() {
            // Every sequence starts at the first component.
            collect(sequence, IndexArgument::One(0), index, &mut found);
        }
        found
    }
}

/// The parameters for the component at `index` that a sequence sets which starts with `selected`. A sequence within it
/// starts with what is selected there, and what it selects ends with it, as with the processor. They nest no deeper than
/// the limits say.
fn collect<'m>(
    sequence: &'m Sequence<'_>,
    mut selected: IndexArgument,
    index: u64,
    found: &mut Vec<&'m Parameters<'m>>,
) {
    for located in sequence.commands() {
        match &located.command {
            Command::SetComponentIndex(argument) => selected = argument.clone(),
            Command::SetParameters(parameters) | Command::OverrideParameters(parameters)
                if selected.covers(index) =>
            {
                found.push(parameters);
            }
            Command::OverrideMultiple(list) => {
                let of_index = list.iter().filter(|(other, _)| *other == index);
                found.extend(of_index.map(|(_, parameters)| parameters));
                // Which stays chosen, as with the processor.
                if let Some((last, _)) = list.last() {
                    selected = IndexArgument::One(*last);
                }
            }
            command => {
                for sequence in command.nested() {
                    collect(sequence, selected.clone(), index, found);
                }
            }
        }
    }
}

impl AuthenticatedEnvelope<'_> {
    /// The first component with an integrated payload that is not what the manifest promises: none of the digests that
    /// it sets for the component is the payload's.
    ///
    /// No signature covers integrated payloads; a Recipient compares them when it installs them. This is
    /// for those who pass envelopes on and do not want to pass on what every Recipient would refuse.
    #[must_use]
    pub fn spoiled_payload(&self, crypto: &CryptoProvider) -> Option<&ComponentId> {
        let manifest = self.manifest();
        let is_spoiled = |index: u64| {
            let digests = manifest.image_digests(index);
            let differs = |payload: &[u8]| {
                let mut digests = digests.iter();
                digests.all(|digest| digest.matches(crypto, payload) == Ok(false))
            };
            let uris = manifest.uris(index).into_iter();
            let mut payloads = uris.filter_map(|uri| self.integrated(uri));
            !digests.is_empty() && payloads.any(differs)
        };
        let mut components = (0..).zip(&manifest.common.components);
        components.find_map(|(index, component)| is_spoiled(index).then_some(component))
    }
}
