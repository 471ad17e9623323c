use alloc::vec::Vec;

use tamarack_cose::cbor::{DecodeError, Problem, Reader};

use super::{
    Explanation, Label,
    options::{
        ExplanationParts, OptionsReader, OptionsWriter, Taken, read_byte_strings, read_challenge,
        read_freshness, read_token, read_versions,
    },
};
use crate::{
    Challenge, CipherSuite, ErrorCode, FreshnessMechanism, Numbering, SuitCoseProfile, Token,
    suites::read_list,
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

    pub(super) fn read(
        reader: &mut Reader<'_>,
        options: &mut OptionsReader,
    ) -> Result<Self, DecodeError> {
        let mut message = Self::new(ErrorCode::PERMANENT_ERROR);
        let mut explanation = ExplanationParts::default();
        options.read(reader, |label, r| {
            match label {
                Label::Token => message.token = Some(read_token(r)?),
                Label::SupportedTeepCipherSuites => {
                    message.supported_teep_cipher_suites =
                        read_list(r, "supported-teep-cipher-suites", CipherSuite::read)?;
                }
                Label::SupportedFreshnessMechanisms => {
                    message.supported_freshness_mechanisms = read_freshness(r)?;
                }
                Label::SupportedSuitCoseProfiles => {
                    message.supported_suit_cose_profiles =
                        read_list(r, "supported-suit-cose-profiles", SuitCoseProfile::read)?;
                }
                Label::Challenge => message.challenge = Some(read_challenge(r)?),
                Label::Versions => message.versions = read_versions(r)?,
                Label::SuitReports => {
                    message.suit_reports = read_byte_strings(r, "suit-reports")?;
                }
                label => return explanation.take(label, r),
            }
            Ok(Taken::Yes)
        })?;
        message.explanation = explanation.finish();
        message.code = read_error_code(reader, options.numbering)?;
        Ok(message)
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

/// Any code but 0 is accepted; unknown ones are for the receiver to treat as an unknown error.
// req: TEEP-MSG-062
// req: TEEP-ERR-002
pub(super) fn read_error_code(
    reader: &mut Reader<'_>,
    numbering: Numbering,
) -> Result<ErrorCode, DecodeError> {
    let error = reader.error("err-code", Problem::OutOfBounds("1 or more"));
    match reader.uint("err-code")? {
        0 => Err(error),
        number => Ok(ErrorCode::from_number(number, numbering)),
    }
}
