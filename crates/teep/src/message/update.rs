use alloc::vec::Vec;

use tamarack_cose::cbor::{DecodeError, Reader};
use tamarack_suit::ComponentId;

use super::{
    AttestationPayload, Explanation, Label,
    error::read_error_code,
    options::{
        AttestationParts, ExplanationParts, OptionsReader, OptionsWriter, Taken, read_byte_strings,
        read_component_ids, read_token,
    },
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
    pub(super) fn read(
        reader: &mut Reader<'_>,
        options: &mut OptionsReader,
    ) -> Result<Self, DecodeError> {
        let mut message = Self::default();
        let mut attestation = AttestationParts::default();
        let mut explanation = ExplanationParts::default();
        let numbering = options.numbering;
        options.read(reader, |label, r| {
            match label {
                Label::Token => message.token = Some(read_token(r)?),
                Label::UnneededManifestList => {
                    message.unneeded_manifest_list = read_component_ids(r)?;
                }
                Label::ManifestList => {
                    message.manifest_list = read_byte_strings(r, "manifest-list")?;
                }
                Label::ErrCode => message.error = Some(read_error_code(r, numbering)?),
                label => {
                    return match attestation.take(label, r)? {
                        Taken::Yes => Ok(Taken::Yes),
                        Taken::No => explanation.take(label, r),
                    };
                }
            }
            Ok(Taken::Yes)
        })?;
        message.attestation = attestation.finish()?;
        message.explanation = explanation.finish();
        Ok(message)
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
