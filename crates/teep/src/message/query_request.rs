use alloc::vec::Vec;
use core::mem::take;

use tamarack_cose::cbor::{DecodeError, Reader, Writer};

use super::{
    AttestationPayload, Label,
    options::{Options, OptionsWriter, read_cipher_suites, read_profiles},
};
use crate::{Challenge, CipherSuite, DataItems, FreshnessMechanism, SuitCoseProfile, Token};

/// A TAM asks an agent for its state (section 4.2, type 1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryRequest {
    /// Label 20; present exactly when attestation is not asked for.
    pub token: Option<Token>,
    /// Label 21; empty means absent, which means nonce only.
    pub supported_freshness_mechanisms: Vec<FreshnessMechanism>,
    /// Label 2; goes with a request for attestation.
    pub challenge: Option<Challenge>,
    /// Label 3; empty means absent, which means version 0.
    pub versions: Vec<u32>,
    /// Labels 13 and 7; the TAM's own attestation.
    pub attestation: Option<AttestationPayload>,
    /// Label 19; encoded SUIT reports of the TAM's boot.
    pub suit_reports: Vec<Vec<u8>>,
    /// Suites that the TAM supports; one or more.
    pub supported_teep_cipher_suites: Vec<CipherSuite>,
    /// SUIT COSE profiles that the TAM supports; one or more.
    pub supported_suit_cose_profiles: Vec<SuitCoseProfile>,
    /// What the TAM wants to know.
    pub data_items: DataItems,
}

impl QueryRequest {
    /// The offered versions, with the default filled in.
    // req: TEEP-MSG-025
    #[must_use]
    pub fn offered_versions(&self) -> &[u32] {
        if self.versions.is_empty() {
            &[crate::VERSION]
        } else {
            &self.versions
        }
    }

    /// The offered freshness mechanisms, with the default filled in.
    // req: TEEP-MSG-024
    #[must_use]
    pub fn offered_freshness(&self) -> &[FreshnessMechanism] {
        if self.supported_freshness_mechanisms.is_empty() {
            &[FreshnessMechanism::NONCE]
        } else {
            &self.supported_freshness_mechanisms
        }
    }

    pub(super) const OPTIONS: &[Label] = &[
        Label::Token,
        Label::SupportedFreshnessMechanisms,
        Label::Challenge,
        Label::Versions,
        Label::AttestationPayload,
        Label::AttestationPayloadFormat,
        Label::SuitReports,
    ];

    pub(super) fn read(
        reader: &mut Reader<'_>,
        options: &mut Options,
    ) -> Result<Self, DecodeError> {
        options.cipher_suites = read_cipher_suites(reader)?;
        options.profiles = read_profiles(reader)?;
        let data_items = DataItems(reader.uint("data-item-requested")?);
        Ok(Self {
            token: options.token.take(),
            supported_freshness_mechanisms: take(&mut options.freshness),
            challenge: options.challenge.take(),
            versions: take(&mut options.versions),
            attestation: options.attestation.take(),
            suit_reports: take(&mut options.suit_reports),
            supported_teep_cipher_suites: take(&mut options.cipher_suites),
            supported_suit_cose_profiles: take(&mut options.profiles),
            data_items,
        })
    }

    pub(super) fn write_options(&self, options: &mut OptionsWriter) {
        options.put_token(self.token.as_ref());
        options.put_freshness(&self.supported_freshness_mechanisms);
        options.put_challenge(self.challenge.as_ref());
        options.put_versions(&self.versions);
        options.put_attestation(self.attestation.as_ref());
        options.put_byte_strings(Label::SuitReports, &self.suit_reports);
    }

    pub(super) fn write_elements(&self, writer: &mut Writer) {
        writer.array(self.supported_teep_cipher_suites.len());
        self.supported_teep_cipher_suites
            .iter()
            .for_each(|suite| suite.write(writer));
        writer.array(self.supported_suit_cose_profiles.len());
        self.supported_suit_cose_profiles
            .iter()
            .for_each(|profile| profile.write(writer));
        writer.uint(self.data_items.0);
    }
}
