use tamarack_cose::{CryptoProvider, Signer};
use tamarack_suit::{
    Envelope, Manifest, Report,
    author::{ComponentBuilder, ManifestBuilder},
};

use crate::device::observe;

/// What the other side does: whoever makes manifests, and whoever reads reports.
pub enum Job<'a> {
    Build(ManifestBuilder),
    Integrate(ComponentBuilder, &'a [u8]),
    EncodeManifest(&'a Manifest<'a>),
    EncodeEnvelope(&'a Envelope<'a>),
    ReadReport(&'a [u8]),
}

impl Job<'_> {
    pub fn run(self, crypto: &CryptoProvider, signers: &[&dyn Signer]) {
        match self {
            Self::Build(manifest) => {
                observe(manifest.build().map(|draft| draft.sign(crypto, signers)));
            }
            Self::Integrate(component, payload) => {
                observe(component.integrated(crypto, "#payload", payload));
            }
            Self::EncodeManifest(manifest) => observe(manifest.encode()),
            Self::EncodeEnvelope(envelope) => observe(envelope.encode()),
            Self::ReadReport(bytes) => observe(Report::decode(bytes)),
        }
    }
}
