//! SUIT reports (draft-ietf-suit-report): what became of a manifest.

mod capability;
#[cfg(feature = "author")]
mod lack;
mod protected;
mod reason;
mod record;
mod replay;

pub use capability::{CapabilityList, CapabilityReport, ComponentCapability};
#[cfg(feature = "author")]
pub use lack::Lack;
pub use protected::{OpenedReport, REPORT_PURPOSE, ReportPayload};
pub use reason::Reason;
pub use record::{Claims, Record};
pub use replay::{Inconsistency, Measurements};

use alloc::{string::String, vec::Vec};

use tamarack_cose::cbor::{self, DecodeError, Problem, Reader, Type, Writer};

use crate::{Limits, SuitDigest, codec::several};

mod label {
    pub(super) const NONCE: i64 = 2;
    pub(super) const RECORDS: i64 = 3;
    pub(super) const RESULT: i64 = 4;
    pub(super) const RESULT_CODE: i64 = 5;
    pub(super) const RESULT_RECORD: i64 = 6;
    pub(super) const RESULT_REASON: i64 = 7;
    pub(super) const CAPABILITY_REPORT: i64 = 8;
    pub(super) const REFERENCE: i64 = 99;
}

/// What became of one root manifest and its dependencies (`SUIT_Report`).
///
/// Not protected by itself: it travels inside something that is signed and confidential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// 99: which manifest this is about.
    pub reference: Reference,
    /// 2: makes the report fresh, where nothing around it does.
    pub nonce: Option<Vec<u8>>,
    /// 3: what happened on the way, and what the system is now.
    pub records: Vec<Entry>,
    /// 4: how it ended.
    pub result: ReportResult,
    /// 8: what the Recipient is capable of.
    pub capability_report: Option<CapabilityReport>,
}

/// Names a manifest (`SUIT_Reference`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The manifest's reference URI, or an empty text if it has none.
    pub uri: String,
    /// The digest in the manifest's authentication wrapper. For bytes that are no envelope, the SHA-256
    /// of these bytes.
    pub digest: SuitDigest,
}

/// One element of the report's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// What a command found.
    Record(Record),
    /// What a component is.
    Claims(Claims),
}

/// How it ended (label 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportResult {
    /// `true`.
    Success,
    /// It failed, or stopped short.
    Failure {
        /// 5: a number for debugging; only the implementation that made it knows its meaning.
        code: i64,
        /// 6: where.
        record: Record,
        /// 7: why.
        reason: Reason,
    },
}

impl ReportResult {
    /// Whether the manifest was processed to its end.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Success)
    }

    fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        const RULE: &str = "suit-report-result";
        let start = reader.clone();
        if reader.peek() == Type::Bool {
            return match reader.bool(RULE)? {
                true => Ok(Self::Success),
                false => Err(start.error(RULE, Problem::Expected("true or a map"))),
            };
        }
        let (mut code, mut record, mut reason) = (None, None, None);
        for _ in 0..reader.map(RULE)? {
            match reader.int(RULE)? {
                label::RESULT_CODE => code = Some(reader.int("suit-report-result-code")?),
                label::RESULT_RECORD => record = Some(Record::read(reader, limits)?),
                label::RESULT_REASON => {
                    reason = Some(Reason::from_number(
                        reader.int("suit-report-result-reason")?,
                    ));
                }
                _ => reader.skip(RULE)?,
            }
        }
        let missing = |what| start.error(RULE, Problem::Missing(what));
        Ok(Self::Failure {
            code: code.ok_or_else(|| missing("suit-report-result-code (5)"))?,
            record: record.ok_or_else(|| missing("suit-report-result-record (6)"))?,
            reason: reason.ok_or_else(|| missing("suit-report-result-reason (7)"))?,
        })
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::Success => {
                w.bool(true);
            }
            Self::Failure {
                code,
                record,
                reason,
            } => {
                w.map(3)
                    .int(label::RESULT_CODE)
                    .int(*code)
                    .int(label::RESULT_RECORD);
                record.write(w);
                w.int(label::RESULT_REASON).int(reason.number());
            }
        }
    }
}

impl Report {
    /// The records among the entries.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter_map(|entry| match entry {
            Entry::Record(record) => Some(record),
            Entry::Claims(_) => None,
        })
    }

    /// The claims among the entries.
    pub fn claims(&self) -> impl Iterator<Item = &Claims> {
        self.records.iter().filter_map(|entry| match entry {
            Entry::Claims(claims) => Some(claims),
            Entry::Record(_) => None,
        })
    }

    /// Decodes a report with the default [`Limits`].
    ///
    /// # Errors
    ///
    /// As [`decode_within`](Self::decode_within).
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_within(bytes, &Limits::default())
    }

    /// Decodes a report, of at most 1 MiB and with as many records and claims as the limits allow. Members that are not
    /// known are ignored.
    ///
    /// # Errors
    ///
    /// If the bytes do not pass the strict door or are no report.
    // req: SUIT-REP-001, SUIT-REP-013, SUIT-AMB-029
    pub fn decode_within(bytes: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_Report";
        cbor::check(bytes, &cbor::Limits::default())?;
        let mut reader = Reader::new(bytes);
        let (mut reference, mut nonce, mut records, mut result) = (None, None, None, None);
        let mut capability_report = None;
        for _ in 0..reader.map(RULE)? {
            match reader.int(RULE)? {
                label::REFERENCE => reference = Some(Reference::read(&mut reader)?),
                label::NONCE => nonce = Some(reader.bytes("suit-report-nonce")?.to_vec()),
                label::RECORDS => records = Some(entries(&mut reader, limits)?),
                label::RESULT => result = Some(ReportResult::read(&mut reader, limits)?),
                label::CAPABILITY_REPORT => {
                    capability_report = Some(CapabilityReport::read(&mut reader)?);
                }
                _ => reader.skip(RULE)?,
            }
        }
        let missing = |what| reader.error(RULE, Problem::Missing(what));
        Ok(Self {
            reference: reference.ok_or_else(|| missing("suit-reference (99)"))?,
            nonce,
            records: records.ok_or_else(|| missing("suit-report-records (3)"))?,
            result: result.ok_or_else(|| missing("suit-report-result (4)"))?,
            capability_report,
        })
    }

    /// Encodes the report deterministically.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            let members = 3
                + usize::from(self.nonce.is_some())
                + usize::from(self.capability_report.is_some());
            w.map(members);
            if let Some(nonce) = &self.nonce {
                w.int(label::NONCE).bytes(nonce);
            }
            w.int(label::RECORDS).array(self.records.len());
            for entry in &self.records {
                match entry {
                    Entry::Record(record) => record.write(w),
                    Entry::Claims(claims) => claims.write(w),
                }
            }
            w.int(label::RESULT);
            self.result.write(w);
            if let Some(capabilities) = &self.capability_report {
                w.int(label::CAPABILITY_REPORT);
                capabilities.write(w);
            }
            self.reference.write(w.int(label::REFERENCE));
        })
    }
}

impl Reference {
    /// Reads the array.
    ///
    /// # Errors
    ///
    /// If the next item is none of a URI and a digest.
    // req: SUIT-REP-002
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array_of(2, "an array of URI and digest", "SUIT_Reference")?;
        Ok(Self {
            uri: reader.text("suit-report-manifest-uri")?.into(),
            digest: SuitDigest::read(reader)?,
        })
    }

    /// Writes the array.
    pub fn write(&self, w: &mut Writer) {
        w.array(2).text(&self.uri);
        self.digest.write(w);
    }
}

fn entries(reader: &mut Reader<'_>, limits: &Limits) -> Result<Vec<Entry>, DecodeError> {
    const RULE: &str = "suit-report-records";
    let count = reader.array(RULE)?;
    if count > limits.records {
        let problem = Problem::OutOfBounds("the limit on records");
        return Err(reader.error(RULE, problem));
    }
    several(count, || {
        Ok(match reader.peek() {
            Type::Map => Entry::Claims(Claims::read(reader, limits)?),
            _ => Entry::Record(Record::read(reader, limits)?),
        })
    })
}
