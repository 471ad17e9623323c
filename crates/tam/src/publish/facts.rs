//! From an authenticated envelope to what the catalog keeps of it.

use tamarack_suit::{
    AuthenticatedEnvelope, Command, ComponentId, IndexArgument, Manifest, Parameters, SuitDigest,
};

use super::PublishError;
use crate::{
    NewManifest,
    catalog::{ComponentImage, ManifestKind},
};

/// The components that the manifest itself installs, with their indices; dependencies are not among them.
pub(super) fn own_components<'m>(manifest: &'m Manifest<'_>) -> Vec<(u64, &'m ComponentId)> {
    let components = (0..).zip(&manifest.common.components);
    components
        .filter(|(index, _)| manifest.common.dependency(*index).is_none())
        .collect()
}

/// What the catalog keeps.
pub(super) fn new_manifest(
    authentic: &AuthenticatedEnvelope<'_>,
    kind: ManifestKind,
    domain: &str,
    envelope: &[u8],
) -> Result<NewManifest, PublishError> {
    let manifest = authentic.manifest();
    let number = manifest.sequence_number.0;
    if i64::try_from(number).is_err() {
        return Err(PublishError::SequenceNumber(number));
    }
    let images = own_components(manifest)
        .into_iter()
        .map(|(index, component)| ComponentImage {
            component: component.clone(),
            digest: image_digest(manifest, index),
        });
    let dependencies = manifest.common.dependencies.iter();
    let dependencies = dependencies.filter_map(|found| image_digest(manifest, found.index));
    Ok(NewManifest {
        kind,
        domain: domain.to_owned(),
        manifest_component: manifest.placement(),
        sequence_number: number,
        digest: authentic.digest(),
        components: images.collect(),
        dependencies: dependencies.collect(),
        // Authentication names one signer at least; without, nothing would have been authentic.
        signer: *authentic.signers().first().ok_or(PublishError::Empty)?,
        envelope: envelope.to_vec(),
    })
}

/// The image digest that the manifest sets for a component: the first in its sequences, of which the
/// shared one comes first. Which of several alternatives applies is for the device to find out.
fn image_digest(manifest: &Manifest<'_>, index: u64) -> Option<SuitDigest> {
    manifest.sequences().find_map(|sequence| {
        // Every sequence starts at the first component.
        let mut selected = IndexArgument::One(0);
        sequence.walk().find_map(|located| match &located.command {
            Command::SetComponentIndex(argument) => {
                selected = argument.clone();
                None
            }
            Command::SetParameters(parameters) | Command::OverrideParameters(parameters) => {
                parameters
                    .image_digest()
                    .filter(|_| covers(&selected, index))
            }
            Command::OverrideMultiple(list) => {
                let of_index = list.iter().find(|(found, _)| *found == index);
                of_index
                    .and_then(|(_, parameters): &(u64, Parameters<'_>)| parameters.image_digest())
            }
            _ => None,
        })
    })
}

fn covers(selected: &IndexArgument, index: u64) -> bool {
    match selected {
        IndexArgument::One(one) => *one == index,
        IndexArgument::All => true,
        IndexArgument::List(list) => list.contains(&index),
    }
}
