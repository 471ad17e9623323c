use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};
use tamarack_suit::{ComponentId, Limits, report::Claims};

use super::{AttestationPayload, Explanation, RequestedComponent};
use crate::{
    Challenge, CipherSuite, Encoding, ErrorCode, FreshnessMechanism, Numbering, Order,
    SuitCoseProfile, Token,
    numbering::Label,
    suites::{read_list, read_list_or_none},
};

/// The options of a message as they were read. Empty lists and `None` are absent.
#[derive(Default)]
pub(super) struct Options {
    pub(super) token: Option<Token>,
    pub(super) challenge: Option<Challenge>,
    pub(super) versions: Vec<u32>,
    pub(super) selected_version: Option<u32>,
    pub(super) freshness: Vec<FreshnessMechanism>,
    pub(super) cipher_suites: Vec<CipherSuite>,
    pub(super) profiles: Vec<SuitCoseProfile>,
    pub(super) suit_reports: Vec<Vec<u8>>,
    pub(super) tc_list: Option<Vec<Claims>>,
    pub(super) requested_tc_list: Vec<RequestedComponent>,
    pub(super) unneeded_manifest_list: Vec<ComponentId>,
    pub(super) manifest_list: Vec<Vec<u8>>,
    pub(super) ext_list: Option<Vec<u32>>,
    pub(super) msg: Option<String>,
    pub(super) error: Option<ErrorCode>,
    pub(super) attestation: Option<AttestationPayload>,
    err_msg: Option<String>,
    err_lang: Option<String>,
    /// The labels came in ascending order.
    pub(super) sorted: bool,
    /// Options that mean nothing in the message.
    pub(super) unknown: usize,
}

impl Options {
    /// Reads `{ * (uint => any) }`. A label that is not among `meant` has no place in the message.
    ///
    /// One reader for all messages: each of its own would be most of the code of this crate.
    // req: TEEP-MSG-002
    // req: TEEP-EXT-001
    // req: TEEP-EXT-002
    pub(super) fn read(
        reader: &mut Reader<'_>,
        numbering: Numbering,
        meant: &[Label],
    ) -> Result<Self, DecodeError> {
        let mut options = Self {
            sorted: true,
            ..Self::default()
        };
        options.read_all(reader, numbering, meant)?;
        Ok(options)
    }

    fn read_all(
        &mut self,
        reader: &mut Reader<'_>,
        numbering: Numbering,
        meant: &[Label],
    ) -> Result<(), DecodeError> {
        let mut last = None;
        // These two stand apart in the map.
        let (mut attestation, mut format) = (None, None);
        for _ in 0..reader.map("teep-message / options")? {
            let number = reader.uint("teep-option / label")?;
            self.sorted &= last.is_none_or(|last| last < number);
            last = Some(number);
            match Label::from_number(number, numbering).filter(|label| meant.contains(label)) {
                Some(Label::AttestationPayload) => {
                    attestation = Some(reader.bytes("attestation-payload")?);
                }
                Some(Label::AttestationPayloadFormat) => {
                    format = Some(reader.text("attestation-payload-format")?);
                }
                Some(label) => self.read_value(label, reader, numbering)?,
                None => {
                    self.unknown += 1;
                    reader.skip("teep-option / value")?;
                }
            }
        }
        // A format without a payload contradicts itself.
        // req: TEEP-VAL-005
        if format.is_some() && attestation.is_none() {
            let problem = Problem::Missing("attestation-payload, whose format is there,");
            return Err(DecodeError::new(0, "teep-message / options", problem));
        }
        self.attestation = attestation.map(|bytes| AttestationPayload {
            format: format.map(ToOwned::to_owned),
            bytes: bytes.to_vec(),
        });
        Ok(())
    }

    fn read_value(
        &mut self,
        label: Label,
        r: &mut Reader<'_>,
        numbering: Numbering,
    ) -> Result<(), DecodeError> {
        match label {
            Label::SupportedTeepCipherSuites => {
                self.cipher_suites = read_cipher_suites(r)?;
            }
            Label::Challenge => self.challenge = Some(read_challenge(r)?),
            Label::Versions => {
                self.versions = read_list(r, "versions", |r| read_uint32(r, "version"))?;
            }
            Label::SupportedSuitCoseProfiles => self.profiles = read_profiles(r)?,
            Label::SelectedVersion => {
                self.selected_version = Some(read_uint32(r, "selected-version")?);
            }
            Label::TcList => {
                let limits = Limits::default();
                let list = read_list_or_none(r, "tc-list", |r| Claims::read(r, &limits))?;
                self.tc_list = Some(list);
            }
            Label::ExtList => {
                let list = read_list_or_none(r, "ext-list", |r| read_uint32(r, "ext-info"))?;
                self.ext_list = Some(list);
            }
            Label::ManifestList => self.manifest_list = read_byte_strings(r, "manifest-list")?,
            Label::Msg => self.msg = Some(read_text(r, 128, "1 to 128 bytes", "msg")?),
            Label::ErrMsg => self.err_msg = Some(read_text(r, 128, "1 to 128 bytes", "err-msg")?),
            Label::RequestedTcList => {
                self.requested_tc_list = read_list(r, "requested-tc-list", |r| {
                    RequestedComponent::read(r, numbering)
                })?;
            }
            // The manifests' own component ids.
            // req: TEEP-MSG-048
            Label::UnneededManifestList => {
                let rule = "unneeded-manifest-list";
                self.unneeded_manifest_list = read_list(r, rule, |r| ComponentId::read(r, rule))?;
            }
            Label::SuitReports => self.suit_reports = read_byte_strings(r, "suit-reports")?,
            Label::Token => self.token = Some(read_token(r)?),
            Label::SupportedFreshnessMechanisms => {
                let rule = "supported-freshness-mechanisms";
                self.freshness = read_list(r, rule, |r| r.uint(rule).map(FreshnessMechanism))?;
            }
            Label::ErrLang => {
                self.err_lang = Some(read_text(r, 35, "1 to 35 bytes", "err-lang")?);
            }
            Label::ErrCode => self.error = Some(read_error_code(r, numbering)?),
            // Read above, or inside of requested-tc-info only.
            Label::AttestationPayload
            | Label::AttestationPayloadFormat
            | Label::ComponentId
            | Label::TcManifestSequenceNumber
            | Label::HaveBinary => r.skip("teep-option / value")?,
        }
        Ok(())
    }

    /// err-msg and err-lang.
    pub(super) fn explanation(&mut self) -> Option<Explanation> {
        Some(Explanation {
            text: self.err_msg.take()?,
            language: self.err_lang.take(),
        })
    }
}

/// Collects options, which come in the order of the CDDL.
pub(super) struct OptionsWriter {
    encoding: Encoding,
    entries: Vec<(u64, Vec<u8>)>,
}

impl OptionsWriter {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            entries: Vec::new(),
        }
    }

    pub(super) fn numbering(&self) -> Numbering {
        self.encoding.numbering
    }

    pub(super) fn put(&mut self, label: Label, write: impl FnOnce(&mut Writer)) {
        self.insert(label, Writer::build(write));
    }

    fn insert(&mut self, label: Label, value: Vec<u8>) {
        let number = label.number(self.encoding.numbering);
        let place = match self.encoding.order {
            Order::Deterministic => self.entries.partition_point(|(other, _)| *other < number),
            Order::AsDefined => self.entries.len(),
        };
        self.entries.insert(place, (number, value));
    }

    pub(super) fn put_list<T>(
        &mut self,
        label: Label,
        items: Option<&[T]>,
        mut write: impl FnMut(&T, &mut Writer),
    ) {
        let Some(items) = items else { return };
        self.put(label, |w| {
            w.array(items.len());
            items.iter().for_each(|item| write(item, w));
        });
    }

    /// As [`put_list`](Self::put_list), for a list that is absent when it is empty.
    pub(super) fn put_some<T>(
        &mut self,
        label: Label,
        items: &[T],
        write: impl FnMut(&T, &mut Writer),
    ) {
        self.put_list(label, (!items.is_empty()).then_some(items), write);
    }

    pub(super) fn put_token(&mut self, token: Option<&Token>) {
        if let Some(token) = token {
            self.put(Label::Token, |w| {
                w.bytes(token.as_bytes());
            });
        }
    }

    pub(super) fn put_challenge(&mut self, challenge: Option<&Challenge>) {
        if let Some(challenge) = challenge {
            self.put(Label::Challenge, |w| {
                w.bytes(challenge.as_bytes());
            });
        }
    }

    pub(super) fn put_freshness(&mut self, mechanisms: &[FreshnessMechanism]) {
        self.put_some(
            Label::SupportedFreshnessMechanisms,
            mechanisms,
            |mechanism, w| {
                w.uint(mechanism.0);
            },
        );
    }

    pub(super) fn put_versions(&mut self, versions: &[u32]) {
        self.put_some(Label::Versions, versions, |version, w| {
            w.uint(u64::from(*version));
        });
    }

    pub(super) fn put_attestation(&mut self, payload: Option<&AttestationPayload>) {
        let Some(payload) = payload else { return };
        if let Some(format) = &payload.format {
            self.put(Label::AttestationPayloadFormat, |w| {
                w.text(format);
            });
        }
        self.put(Label::AttestationPayload, |w| {
            w.bytes(&payload.bytes);
        });
    }

    pub(super) fn put_byte_strings(&mut self, label: Label, items: &[Vec<u8>]) {
        self.put_some(label, items, |item, w| {
            w.bytes(item);
        });
    }

    pub(super) fn put_explanation(&mut self, explanation: Option<&Explanation>) {
        let Some(explanation) = explanation else {
            return;
        };
        self.put(Label::ErrMsg, |w| {
            w.text(&explanation.text);
        });
        if let Some(language) = &explanation.language {
            self.put(Label::ErrLang, |w| {
                w.text(language);
            });
        }
    }

    pub(super) fn finish(self, writer: &mut Writer) {
        writer.map(self.entries.len());
        for (number, value) in &self.entries {
            writer.uint(*number).raw(value);
        }
    }
}

fn read_token(reader: &mut Reader<'_>) -> Result<Token, DecodeError> {
    let rule = "token";
    let error = reader.error(rule, Problem::OutOfBounds(Token::BOUNDS));
    Token::new(reader.bytes(rule)?.to_vec()).ok_or(error)
}

fn read_challenge(reader: &mut Reader<'_>) -> Result<Challenge, DecodeError> {
    let rule = "challenge";
    let error = reader.error(rule, Problem::OutOfBounds(Challenge::BOUNDS));
    Challenge::new(reader.bytes(rule)?.to_vec()).ok_or(error)
}

/// A version or an extension number: `uint .size 4`.
fn read_uint32(reader: &mut Reader<'_>, rule: &'static str) -> Result<u32, DecodeError> {
    let error = reader.error(rule, Problem::OutOfBounds("at most 4 bytes"));
    u32::try_from(reader.uint(rule)?).map_err(|_| error)
}

// req: TEEP-MSG-007
fn read_byte_strings(
    reader: &mut Reader<'_>,
    rule: &'static str,
) -> Result<Vec<Vec<u8>>, DecodeError> {
    read_list(reader, rule, |r| Ok(r.bytes(rule)?.to_vec()))
}

/// Text within a number of UTF-8 bytes.
fn read_text(
    reader: &mut Reader<'_>,
    max: usize,
    bounds: &'static str,
    rule: &'static str,
) -> Result<String, DecodeError> {
    let error = reader.error(rule, Problem::OutOfBounds(bounds));
    let text = reader.text(rule)?;
    if (1..=max).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err(error)
    }
}

pub(super) fn read_cipher_suites(reader: &mut Reader<'_>) -> Result<Vec<CipherSuite>, DecodeError> {
    read_list(reader, "supported-teep-cipher-suites", CipherSuite::read)
}

pub(super) fn read_profiles(reader: &mut Reader<'_>) -> Result<Vec<SuitCoseProfile>, DecodeError> {
    let rule = "supported-suit-cose-profiles";
    read_list(reader, rule, SuitCoseProfile::read)
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
