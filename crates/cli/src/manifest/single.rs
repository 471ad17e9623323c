//! A manifest of one component, as the demonstration and the benchmarks make them.

use tamarack_cose::CryptoProvider;
use tamarack_suit::{
    ComponentId, SequenceNumber,
    author::{ComponentBuilder, DependencyBuilder, ManifestBuilder},
};

use super::create::{Applies, own_identifier};
use crate::failure::Failure;

/// A manifest that carries the content of one component, to be signed.
pub(crate) struct Draft {
    pub(crate) component: ComponentId,
    pub(crate) payload: Vec<u8>,
    pub(crate) sequence_number: u64,
    pub(crate) applies: Applies,
    pub(crate) dependencies: Vec<DependencyBuilder>,
}

impl Draft {
    /// Builds the manifest.
    pub(crate) fn build(
        self,
        crypto: &CryptoProvider,
    ) -> Result<tamarack_suit::author::Draft, Failure> {
        let component = self
            .applies
            .to(ComponentBuilder::new(self.component.clone()));
        let builder = ManifestBuilder::new(SequenceNumber(self.sequence_number))
            .manifest_id(own_identifier(self.component)?)
            .component(component.integrated(crypto, "#payload", self.payload));
        let dependencies = self.dependencies.into_iter();
        let builder = dependencies.fold(builder, ManifestBuilder::dependency);
        builder
            .build()
            .map_err(|error| Failure::new(error.to_string()))
    }
}
