use alloc::vec::Vec;
use core::mem::take;

use tamarack_suit::ComponentId;

use super::{
    AttestationPayload, Explanation, Label,
    options::{Options, OptionsWriter},
};
use crate::{ErrorCode, Token};

/// A TAM tells an agent what to change, or what was wrong (section 4.4, type 3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Update {
    /// Label 20; repeated in the Success or Error that answers.
    pub token: Option<Token>,
    /// Label 15; manifests to unlink, by their own component ids.
    pub unneeded_manifest_list: Vec<ComponentId>,
    /// Label 10; encoded SUIT envelopes, unaltered from their signers.
    pub manifest_list: Vec<Vec<u8>>,
    /// Labels 13 and 7; an Attestation Result for the agent.
    pub attestation: Option<AttestationPayload>,
    /// Label 23; what was wrong with the QueryResponse.
    pub error: Option<ErrorCode>,
    /// Labels 12 and 22.
    pub explanation: Option<Explanation>,
}

impl Update {
    pub(super) const OPTIONS: &[Label] = &[
        Label::Token,
        Label::UnneededManifestList,
        Label::ManifestList,
        Label::AttestationPayload,
        Label::AttestationPayloadFormat,
        Label::ErrCode,
        Label::ErrMsg,
        Label::ErrLang,
    ];

    pub(super) fn read(options: &mut Options) -> Self {
        Self {
            token: options.token.take(),
            unneeded_manifest_list: take(&mut options.unneeded_manifest_list),
            manifest_list: take(&mut options.manifest_list),
            attestation: options.attestation.take(),
            error: options.error,
            explanation: options.explanation(),
        }
    }

    pub(super) fn write_options(&self, options: &mut OptionsWriter) {
        let numbering = options.numbering();
        options.put_token(self.token.as_ref());
        options.put_some(
            Label::UnneededManifestList,
            &self.unneeded_manifest_list,
            ComponentId::write,
        );
        options.put_byte_strings(Label::ManifestList, &self.manifest_list);
        options.put_attestation(self.attestation.as_ref());
        if let Some(code) = self.error {
            options.put(Label::ErrCode, |w| {
                w.uint(code.number(numbering));
            });
        }
        options.put_explanation(self.explanation.as_ref());
    }
}
