use alloc::{string::String, vec::Vec};

use super::{CapabilityPolicy, Failure, Processor, capabilities::explains, failure::Failed};
use crate::{
    AuthenticatedEnvelope, Device, Error, SuitDigest,
    report::{Entry, Record, Reference, Report, ReportResult},
};

/// How a procedure ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "commit the device's transaction on success, roll it back on failure"]
pub struct Outcome {
    /// Success, or the first thing that went wrong.
    pub result: Result<(), Error>,
    /// The same for the manifest's author or a TAM.
    pub report: Report,
}

impl Outcome {
    /// The outcome for an envelope that was not even opened.
    pub(super) fn refused(
        processor: &Processor<'_>,
        device: &dyn Device,
        digest: SuitDigest,
        failure: Failure,
    ) -> Self {
        Self::unopened(processor, device, digest, Err(failure))
    }

    /// The outcome where no envelope was opened, and only a digest says what it is about.
    pub(super) fn unopened(
        processor: &Processor<'_>,
        device: &dyn Device,
        digest: SuitDigest,
        result: Result<(), Failure>,
    ) -> Self {
        let reference = Reference {
            uri: String::new(),
            digest,
        };
        Self::new(processor, device, reference, Vec::new(), result)
    }

    pub(super) fn of(
        processor: &Processor<'_>,
        device: &dyn Device,
        envelope: &AuthenticatedEnvelope<'_>,
        entries: Vec<Entry>,
        result: Result<(), Failure>,
    ) -> Self {
        let uri = envelope
            .manifest()
            .reference_uri
            .as_deref()
            .unwrap_or_default();
        let reference = Reference {
            uri: uri.into(),
            digest: envelope.digest(),
        };
        Self::new(processor, device, reference, entries, result)
    }

    // req: SUIT-REP-002, SUIT-REP-003, SUIT-REP-009, SUIT-AMB-028
    fn new(
        processor: &Processor<'_>,
        device: &dyn Device,
        reference: Reference,
        records: Vec<Entry>,
        result: Result<(), Failure>,
    ) -> Self {
        let capable = match (processor.settings.capability_report, &result) {
            (CapabilityPolicy::Always, _) => true,
            (CapabilityPolicy::Unsupported, Err(failure)) => explains(failure.error()),
            _ => false,
        };
        let (result, reported) = match result {
            Ok(()) => (Ok(()), ReportResult::Success),
            Err(failed) => {
                let Failed { error, record } = failed.into_parts();
                let reported = failure(&error, record);
                (Err(error), reported)
            }
        };
        Self {
            result,
            report: Report {
                reference,
                nonce: processor.nonce.map(<[u8]>::to_vec),
                records,
                result: reported,
                capability_report: capable.then(|| processor.capabilities(device)),
            },
        }
    }
}

fn failure(error: &Error, record: Record) -> ReportResult {
    ReportResult::Failure {
        code: error.code(),
        record,
        reason: error.reason(),
    }
}
