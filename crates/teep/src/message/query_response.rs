use alloc::vec::Vec;
use core::mem::take;

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};
use tamarack_suit::{ComponentId, report::Claims};

use super::{
    AttestationPayload, Label,
    options::{Options, OptionsWriter},
};
use crate::{Numbering, Token};

/// An agent's answer to a QueryRequest (section 4.3, type 2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryResponse {
    /// Label 20; the token of the QueryRequest, if that had one.
    pub token: Option<Token>,
    /// Label 6; absent means 0.
    pub selected_version: Option<u32>,
    /// Labels 13 and 7; present if attestation was asked for.
    pub attestation: Option<AttestationPayload>,
    /// Label 19; encoded SUIT reports.
    pub suit_reports: Vec<Vec<u8>>,
    /// Label 8; what is installed. `None` is absent, an empty list is nothing installed (AMB-13).
    pub tc_list: Option<Vec<Claims>>,
    /// Label 14; what is wanted and not installed.
    pub requested_tc_list: Vec<RequestedComponent>,
    /// Label 15; manifests, by their own component ids, that nothing on the device needs any more.
    pub unneeded_manifest_list: Vec<ComponentId>,
    /// Label 9; supported extensions. `None` is absent, an empty list is none (AMB-13).
    pub ext_list: Option<Vec<u32>>,
}

/// requested-tc-info: a component that the device wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedComponent {
    /// Label 16.
    pub component: ComponentId,
    /// Label 17; the lowest acceptable manifest sequence number, any if absent.
    pub sequence_number: Option<u64>,
    /// Label 18; whether the device has the binary already and needs the manifest only.
    pub have_binary: Option<bool>,
}

impl QueryResponse {
    pub(super) const OPTIONS: &[Label] = &[
        Label::Token,
        Label::SelectedVersion,
        Label::AttestationPayload,
        Label::AttestationPayloadFormat,
        Label::SuitReports,
        Label::TcList,
        Label::RequestedTcList,
        Label::UnneededManifestList,
        Label::ExtList,
    ];

    pub(super) fn read(options: &mut Options) -> Self {
        Self {
            token: options.token.take(),
            selected_version: options.selected_version,
            attestation: options.attestation.take(),
            suit_reports: take(&mut options.suit_reports),
            tc_list: options.tc_list.take(),
            requested_tc_list: take(&mut options.requested_tc_list),
            unneeded_manifest_list: take(&mut options.unneeded_manifest_list),
            ext_list: options.ext_list.take(),
        }
    }

    pub(super) fn write_options(&self, options: &mut OptionsWriter) {
        let numbering = options.numbering();
        options.put_token(self.token.as_ref());
        if let Some(version) = self.selected_version {
            options.put(Label::SelectedVersion, |w| {
                w.uint(u64::from(version));
            });
        }
        options.put_attestation(self.attestation.as_ref());
        options.put_byte_strings(Label::SuitReports, &self.suit_reports);
        options.put_list(Label::TcList, self.tc_list.as_deref(), Claims::write);
        options.put_some(
            Label::RequestedTcList,
            &self.requested_tc_list,
            |request, w| {
                request.write(numbering, w);
            },
        );
        options.put_some(
            Label::UnneededManifestList,
            &self.unneeded_manifest_list,
            ComponentId::write,
        );
        options.put_list(Label::ExtList, self.ext_list.as_deref(), |extension, w| {
            w.uint(u64::from(*extension));
        });
    }
}

impl RequestedComponent {
    /// A request for any version of `component`.
    #[must_use]
    pub fn any_version(component: ComponentId) -> Self {
        Self {
            component,
            sequence_number: None,
            have_binary: None,
        }
    }

    // req: TEEP-MSG-047
    pub(super) fn read(reader: &mut Reader<'_>, numbering: Numbering) -> Result<Self, DecodeError> {
        let rule = "requested-tc-info";
        let start = reader.position();
        let (mut component, mut sequence_number, mut have_binary) = (None, None, None);
        for _ in 0..reader.map(rule)? {
            let label = reader.uint("requested-tc-info / label")?;
            match Label::from_number(label, numbering) {
                Some(Label::ComponentId) => {
                    component = Some(ComponentId::read(reader, "component-id")?);
                }
                Some(Label::TcManifestSequenceNumber) => {
                    sequence_number = Some(reader.uint("tc-manifest-sequence-number")?);
                }
                Some(Label::HaveBinary) => have_binary = Some(reader.bool("have-binary")?),
                _ => reader.skip("requested-tc-info / value")?,
            }
        }
        let missing = |what| DecodeError::new(start, rule, Problem::Missing(what));
        let component = component.ok_or(missing("component-id"))?;
        if have_binary == Some(true) && sequence_number.is_none() {
            return Err(missing(
                "tc-manifest-sequence-number, which have-binary demands,",
            ));
        }
        Ok(Self {
            component,
            sequence_number,
            have_binary,
        })
    }

    fn write(&self, numbering: Numbering, writer: &mut Writer) {
        let optional = [self.sequence_number.is_some(), self.have_binary.is_some()];
        writer.map(1 + optional.into_iter().filter(|present| *present).count());
        writer.uint(Label::ComponentId.number(numbering));
        self.component.write(writer);
        if let Some(number) = self.sequence_number {
            writer
                .uint(Label::TcManifestSequenceNumber.number(numbering))
                .uint(number);
        }
        if let Some(have) = self.have_binary {
            writer.uint(Label::HaveBinary.number(numbering)).bool(have);
        }
    }
}
