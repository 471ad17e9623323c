//! SUIT envelopes: decoding, authentication, processing, reports.

use tamarack_suit::{
    DependencyIntegrity, Device, DeviceError, Envelope, Fetch, Identity, Limits, Measurement,
    MemoryDevice, Processor, Report, Settings, SingleAuthority, Uuid, WrittenContent, explain,
};

use crate::insecure;

/// Runs the target.
pub fn run(data: &[u8]) {
    let crypto = insecure::provider();
    let limits = limits();
    if let Ok(envelope) = Envelope::decode_within(data, &limits) {
        let bytes = envelope.encode();
        let again = Envelope::decode_within(&bytes, &limits).expect("what is written is read");
        assert_eq!(again.claimed_digest(), envelope.claimed_digest());
        let _ = explain::describe(&envelope, Some(&crypto)).to_string();
        let nobody = envelope.clone().authenticate(&crypto, &[]);
        assert!(nobody.is_err(), "authenticated without a trusted key");
    }
    for settings in settings(limits) {
        process(data, settings);
    }
    if let Ok(report) = Report::decode(data) {
        check(&report);
    }
}

/// Updates a device, then invokes and uninstalls what the update left.
fn process(data: &[u8], settings: Settings) {
    let crypto = insecure::provider();
    let keys = insecure::keys();
    let mut device = device();
    let processor = Processor::new(&crypto, &keys, &SingleAuthority).with_settings(settings);
    let outcome = processor.update_bytes(&mut device, &mut Echo, data);
    check(&outcome.report);
    if outcome.result.is_err() {
        return;
    }
    let installed = device.manifests().expect("memory does not fail");
    assert!(!installed.is_empty(), "an update that left nothing");
    for record in installed {
        check(&processor.invoke(&mut device, &mut Echo, &record.id).report);
        check(
            &processor
                .uninstall(&mut device, &mut Echo, &record.id)
                .report,
        );
    }
}

/// A report is read as it was written, but for the order of parameters, which does not count.
fn check(report: &Report) {
    let bytes = report.encode();
    let again = Report::decode(&bytes).expect("what is written is read");
    assert_eq!(again.encode(), bytes);
    assert_eq!(again.reference, report.reference);
    assert_eq!(again.nonce, report.nonce);
    assert_eq!(again.records.len(), report.records.len());
    assert_eq!(again.result.is_success(), report.result.is_success());
}

/// Small enough that the fuzzer reaches them, and no input takes long.
fn limits() -> Limits {
    Limits {
        envelope_bytes: 16 * 1024,
        executed_commands: 256,
        payload_bytes: 4096,
        chunk_bytes: 64,
        ..Limits::default()
    }
}

/// The strict side of every choice, and the other.
fn settings(limits: Limits) -> [Settings; 2] {
    let strict = Settings {
        limits,
        ..Settings::default()
    };
    let lenient = Settings {
        measurement: Measurement::ReadBack,
        dependency_integrity: DependencyIntegrity::Implied,
        written_content: WrittenContent::CoveredBySignature,
        ..strict
    };
    [strict, lenient]
}

/// A device of the vendor and class that the seeds name.
pub fn device() -> MemoryDevice {
    let vendor = Uuid::vendor("example.com");
    MemoryDevice::new(Identity {
        vendors: vec![vendor.into()],
        classes: vec![vendor.class("door lock")],
        devices: Vec::new(),
    })
}

/// A network whose every resource is its own name.
pub struct Echo;

impl Fetch for Echo {
    fn fetch(
        &mut self,
        uri: &str,
        _: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        uri.as_bytes().chunks(7).try_for_each(sink)
    }
}
