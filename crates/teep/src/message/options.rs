use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};
use tamarack_suit::ComponentId;

use super::{AttestationPayload, Explanation};
use crate::{Challenge, FreshnessMechanism, Numbering, Order, Token, numbering::Label, suites};

/// Walks an options map and remembers how it was written.
pub(super) struct OptionsReader {
    pub(super) numbering: Numbering,
    /// The labels came in ascending order.
    pub(super) sorted: bool,
    /// Options that mean nothing in the message.
    pub(super) unknown: usize,
}

/// What a message made of an option.
pub(super) enum Taken {
    Yes,
    /// The label has no place in this message.
    No,
}

impl OptionsReader {
    pub(super) fn new(numbering: Numbering) -> Self {
        Self {
            numbering,
            sorted: true,
            unknown: 0,
        }
    }

    /// Reads `{ * (uint => any) }`, handing each known label to `take`.
    // req: TEEP-MSG-002
    // req: TEEP-EXT-001
    // req: TEEP-EXT-002
    pub(super) fn read<'a>(
        &mut self,
        reader: &mut Reader<'a>,
        mut take: impl FnMut(Label, &mut Reader<'a>) -> Result<Taken, DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut last = None;
        for _ in 0..reader.map("teep-message / options")? {
            let number = reader.uint("teep-option / label")?;
            self.sorted &= last.is_none_or(|last| last < number);
            last = Some(number);
            let taken = match Label::from_number(number, self.numbering) {
                Some(label) => take(label, reader)?,
                None => Taken::No,
            };
            if let Taken::No = taken {
                self.unknown += 1;
                reader.skip("teep-option / value")?;
            }
        }
        Ok(())
    }
}

/// Collects options in the order of the CDDL.
pub(super) struct OptionsWriter {
    numbering: Numbering,
    entries: Vec<(u64, Vec<u8>)>,
}

impl OptionsWriter {
    pub(super) fn new(numbering: Numbering) -> Self {
        Self {
            numbering,
            entries: Vec::new(),
        }
    }

    pub(super) fn numbering(&self) -> Numbering {
        self.numbering
    }

    pub(super) fn put(&mut self, label: Label, write: impl FnOnce(&mut Writer)) {
        self.entries
            .push((label.number(self.numbering), Writer::build(write)));
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

    pub(super) fn finish(mut self, order: Order, writer: &mut Writer) {
        if order == Order::Deterministic {
            self.entries.sort_by_key(|(number, _)| *number);
        }
        writer.map(self.entries.len());
        for (number, value) in &self.entries {
            writer.uint(*number).raw(value);
        }
    }
}

pub(super) fn read_token(reader: &mut Reader<'_>) -> Result<Token, DecodeError> {
    let rule = "token";
    let error = reader.error(rule, Problem::OutOfBounds(Token::BOUNDS));
    Token::new(reader.bytes(rule)?.to_vec()).ok_or(error)
}

pub(super) fn read_challenge(reader: &mut Reader<'_>) -> Result<Challenge, DecodeError> {
    let rule = "challenge";
    let error = reader.error(rule, Problem::OutOfBounds(Challenge::BOUNDS));
    Challenge::new(reader.bytes(rule)?.to_vec()).ok_or(error)
}

/// A version or an extension number: `uint .size 4`.
pub(super) fn read_uint32(reader: &mut Reader<'_>, rule: &'static str) -> Result<u32, DecodeError> {
    let error = reader.error(rule, Problem::OutOfBounds("at most 4 bytes"));
    u32::try_from(reader.uint(rule)?).map_err(|_| error)
}

pub(super) fn read_versions(reader: &mut Reader<'_>) -> Result<Vec<u32>, DecodeError> {
    suites::read_list(reader, "versions", |r| read_uint32(r, "version"))
}

pub(super) fn read_freshness(
    reader: &mut Reader<'_>,
) -> Result<Vec<FreshnessMechanism>, DecodeError> {
    let rule = "supported-freshness-mechanisms";
    suites::read_list(reader, rule, |r| r.uint(rule).map(FreshnessMechanism))
}

// req: TEEP-MSG-007
pub(super) fn read_byte_strings(
    reader: &mut Reader<'_>,
    rule: &'static str,
) -> Result<Vec<Vec<u8>>, DecodeError> {
    suites::read_list(reader, rule, |r| Ok(r.bytes(rule)?.to_vec()))
}

/// unneeded-manifest-list: the manifests' own component ids.
// req: TEEP-MSG-048
pub(super) fn read_component_ids(reader: &mut Reader<'_>) -> Result<Vec<ComponentId>, DecodeError> {
    let rule = "unneeded-manifest-list";
    suites::read_list(reader, rule, |r| ComponentId::read(r, rule))
}

/// Text within a number of UTF-8 bytes.
pub(super) fn read_text(
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

/// Collects attestation-payload and its format, which stand apart in the map.
#[derive(Default)]
pub(super) struct AttestationParts {
    format: Option<String>,
    bytes: Option<Vec<u8>>,
}

impl AttestationParts {
    pub(super) fn take(
        &mut self,
        label: Label,
        reader: &mut Reader<'_>,
    ) -> Result<Taken, DecodeError> {
        match label {
            Label::AttestationPayload => {
                self.bytes = Some(reader.bytes("attestation-payload")?.to_vec());
            }
            Label::AttestationPayloadFormat => {
                self.format = Some(reader.text("attestation-payload-format")?.to_owned());
            }
            _ => return Ok(Taken::No),
        }
        Ok(Taken::Yes)
    }

    /// A format without a payload contradicts itself.
    // req: TEEP-VAL-005
    pub(super) fn finish(self) -> Result<Option<AttestationPayload>, DecodeError> {
        match (self.format, self.bytes) {
            (format, Some(bytes)) => Ok(Some(AttestationPayload { format, bytes })),
            (None, None) => Ok(None),
            (Some(_), None) => {
                let problem = Problem::Missing("attestation-payload, whose format is there,");
                Err(DecodeError::new(0, "teep-message / options", problem))
            }
        }
    }
}

/// Collects err-msg and err-lang.
#[derive(Default)]
pub(super) struct ExplanationParts {
    text: Option<String>,
    language: Option<String>,
}

impl ExplanationParts {
    pub(super) fn take(
        &mut self,
        label: Label,
        reader: &mut Reader<'_>,
    ) -> Result<Taken, DecodeError> {
        match label {
            Label::ErrMsg => {
                self.text = Some(read_text(reader, 128, "1 to 128 bytes", "err-msg")?);
            }
            Label::ErrLang => {
                self.language = Some(read_text(reader, 35, "1 to 35 bytes", "err-lang")?);
            }
            _ => return Ok(Taken::No),
        }
        Ok(Taken::Yes)
    }

    pub(super) fn finish(self) -> Option<Explanation> {
        Some(Explanation {
            text: self.text?,
            language: self.language,
        })
    }
}
