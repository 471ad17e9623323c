use alloc::vec::Vec;
use core::mem::take;

use tamarack_cose::cbor::{DecodeError, Reader};

use super::{
    Explanation, Label,
    options::{Options, OptionsWriter, read_error_code},
};
use crate::{
    Challenge, CipherSuite, ErrorCode, FreshnessMechanism, Numbering, SuitCoseProfile, Token,
};

/// An agent could not do what a TAM's message asked (section 4.6, type 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Label 20; the token of the message that is answered, if that had one.
    pub token: Option<Token>,
    /// Labels 12 and 22.
    pub explanation: Option<Explanation>,
    /// Label 1; goes with code 5.
    pub supported_teep_cipher_suites: Vec<CipherSuite>,
    /// Label 21; goes with codes 3 and 7.
    pub supported_freshness_mechanisms: Vec<FreshnessMechanism>,
    /// Label 4; goes with code 8.
    pub supported_suit_cose_profiles: Vec<SuitCoseProfile>,
    /// Label 2; goes with code 7, for the TAM's Evidence to answer.
    pub challenge: Option<Challenge>,
    /// Label 3; goes with code 4.
    pub versions: Vec<u32>,
    /// Label 19; an encoded SUIT report for each manifest that was tried.
    pub suit_reports: Vec<Vec<u8>>,
    /// What failed.
    pub code: ErrorCode,
}

impl Error {
    /// An error with nothing but a code.
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        Self {
            token: None,
            explanation: None,
            supported_teep_cipher_suites: Vec::new(),
            supported_freshness_mechanisms: Vec::new(),
            supported_suit_cose_profiles: Vec::new(),
            challenge: None,
            versions: Vec::new(),
            suit_reports: Vec::new(),
            code,
        }
    }

    pub(super) const OPTIONS: &[Label] = &[
        Label::Token,
        Label::SupportedTeepCipherSuites,
        Label::SupportedFreshnessMechanisms,
        Label::SupportedSuitCoseProfiles,
        Label::Challenge,
        Label::Versions,
        Label::SuitReports,
        Label::ErrMsg,
        Label::ErrLang,
    ];

    pub(super) fn read(
        reader: &mut Reader<'_>,
        numbering: Numbering,
        options: &mut Options,
    ) -> Result<Self, DecodeError> {
        let code = read_error_code(reader, numbering)?;
        Ok(Self {
            token: options.token.take(),
            explanation: options.explanation(),
            supported_teep_cipher_suites: take(&mut options.cipher_suites),
            supported_freshness_mechanisms: take(&mut options.freshness),
            supported_suit_cose_profiles: take(&mut options.profiles),
            challenge: options.challenge.take(),
            versions: take(&mut options.versions),
            suit_reports: take(&mut options.suit_reports),
            code,
        })
    }

    pub(super) fn write_options(&self, options: &mut OptionsWriter) {
        options.put_token(self.token.as_ref());
        options.put_explanation(self.explanation.as_ref());
        options.put_some(
            Label::SupportedTeepCipherSuites,
            &self.supported_teep_cipher_suites,
            CipherSuite::write,
        );
        options.put_freshness(&self.supported_freshness_mechanisms);
        options.put_some(
            Label::SupportedSuitCoseProfiles,
            &self.supported_suit_cose_profiles,
            |profile, w| profile.write(w),
        );
        options.put_challenge(self.challenge.as_ref());
        options.put_versions(&self.versions);
        options.put_byte_strings(Label::SuitReports, &self.suit_reports);
    }
}
