use alloc::vec::Vec;

use tamarack_cose::CryptoProvider;

use crate::{
    AuthenticatedEnvelope, ComponentId, SuitDigest,
    codec::{Command, IndexArgument, Manifest, Parameters},
};

impl Manifest<'_> {
    /// The image digest that the manifest sets for the component at `index`: the first in its sequences, of
    /// which the shared one comes first. Which of several alternatives applies, a Recipient finds out.
    #[must_use]
    pub fn image_digest(&self, index: u64) -> Option<SuitDigest> {
        self.parameters_of(index)
            .into_iter()
            .find_map(Parameters::image_digest)
            .copied()
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
            let mut selected = IndexArgument::One(0);
            for located in sequence.walk() {
                match &located.command {
                    Command::SetComponentIndex(argument) => selected = argument.clone(),
                    Command::SetParameters(parameters)
                    | Command::OverrideParameters(parameters)
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
                    _ => {}
                }
            }
        }
        found
    }
}

impl IndexArgument {
    /// Whether commands under this index apply to the component at `index`.
    #[must_use]
    pub fn covers(&self, index: u64) -> bool {
        match self {
            Self::One(one) => *one == index,
            Self::All => true,
            Self::List(list) => list.contains(&index),
        }
    }
}

impl AuthenticatedEnvelope<'_> {
    /// The first component whose integrated payload is not what the manifest promises.
    ///
    /// No signature covers integrated payloads; a Recipient compares them when it installs them. This is
    /// for those who pass envelopes on and do not want to pass on what every Recipient would refuse.
    #[must_use]
    pub fn spoiled_payload(&self, crypto: &CryptoProvider) -> Option<&ComponentId> {
        let manifest = self.manifest();
        (0..)
            .zip(&manifest.common.components)
            .find_map(|(index, component)| {
                let digest = manifest.image_digest(index)?;
                let payloads = manifest
                    .uris(index)
                    .into_iter()
                    .filter_map(|uri| self.integrated(uri));
                let mut spoiled =
                    payloads.filter(|payload| digest.matches(crypto, payload) == Ok(false));
                spoiled.next().map(|_| component)
            })
    }
}
