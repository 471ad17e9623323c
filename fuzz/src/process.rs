//! Hostile manifests of two signers, each with components of its own, on a device in memory.
//!
//! An input is an envelope, or a list of operations of which one is made: see [`operations`].

use std::sync::LazyLock;

use tamarack_cose::{
    SignatureAlgorithm,
    encrypt::{ContentAlgorithm, Encryption, Recipient, RecipientKey},
};
use tamarack_suit::{
    AuthenticatedEnvelope, Authority, CapabilityPolicy, ComponentId, Device, Envelope, Limits,
    ManifestRecord, MemoryDevice, Outcome, Processor, Report, Settings, TrustAnchor, TrustAnchors,
    WaitEvent,
};

use crate::{encrypt, insecure, operations, suit, watch::Watched};

/// What each signer may touch.
pub const PREFIXES: [(SignatureAlgorithm, &str); 2] = [
    (SignatureAlgorithm::Esp256, "acme"),
    (SignatureAlgorithm::Ed25519, "beta"),
];

/// Most calls of the device that change something, in one procedure.
const MOST_EFFECTS: usize = 100_000;

/// What was prepared once.
struct World {
    /// Who signs, and what each may touch.
    owners: [(Authority, ComponentId); 2],
    anchors: TrustAnchors,
    keys: Vec<RecipientKey>,
    device: MemoryDevice,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let crypto = insecure::provider();
    let id = |text: &str| -> ComponentId { text.parse().expect("an identifier") };
    let anchors = PREFIXES.map(|(algorithm, prefix)| {
        TrustAnchor::new(insecure::key(algorithm))
            .with_prefixes([id(prefix)])
            .with_dependencies(PREFIXES.map(|(_, prefix)| id(prefix)))
    });
    let mut device = suit::device();
    device.set_now(1_000_000);
    device.set_time_zone(3600);
    device.set_battery(100);
    device.authorize(0);
    device.set_events([WaitEvent::Power(1)]);
    device.keep_metadata();
    // Nobody's, and each one's.
    for component in ["gamma/x", "acme/a", "beta/a"] {
        device.put(&id(component), b"as it was");
    }
    let world = World {
        owners: PREFIXES
            .map(|(algorithm, prefix)| (Authority::Key(insecure::key(algorithm)), id(prefix))),
        anchors: TrustAnchors::new(&crypto, anchors),
        keys: vec![RecipientKey::wrapping(&crypto, encrypt::symmetric())],
        device,
    };
    let installed = operations::foundation();
    let mut device = world.device.clone();
    let outcome = processor(&world, Settings::default()).update_bytes(
        &mut device,
        &mut suit::Echo,
        &installed,
    );
    assert_eq!(outcome.result, Ok(()), "the foundation is installed");
    World { device, ..world }
});

fn processor(world: &World, settings: Settings) -> Processor<'_> {
    static CRYPTO: LazyLock<tamarack_cose::CryptoProvider> = LazyLock::new(insecure::provider);
    Processor::new(&CRYPTO, &world.anchors, &world.anchors)
        .with_settings(settings)
        .with_recipient_keys(&world.keys)
}

/// Information on content that is encrypted for the device.
pub fn encryption_info() -> Vec<u8> {
    let kek = encrypt::symmetric();
    let recipient = Recipient::wrapping(&kek).expect("a length of AES");
    let encryption = Encryption::new(ContentAlgorithm::A128Gcm, encrypt::PURPOSE);
    let (info, _) = encryption
        .detached(&insecure::provider(), &[recipient])
        .expect("encrypts");
    info
}

/// Runs the target.
pub fn run(data: &[u8]) {
    let made;
    // The first byte of an envelope is that of a map or of tag 107.
    let envelope = match data.first() {
        Some(0xa0..=0xbf | 0xd8) => data,
        _ => {
            made = operations::envelope(data);
            &made
        }
    };
    let limits = Limits {
        envelope_bytes: 32 * 1024,
        executed_commands: 256,
        payload_bytes: 4096,
        read_bytes: 64 * 1024,
        parameter_bytes: 64 * 1024,
        chunk_bytes: 64,
        ..Limits::default()
    };
    let strict = Settings {
        limits,
        capability_report: CapabilityPolicy::Always,
        ..Settings::default()
    };
    let lenient = Settings {
        limits,
        measurement: tamarack_suit::Measurement::ReadBack,
        ..Settings::compatible()
    };
    for settings in [strict, lenient] {
        process(envelope, settings);
    }
}

fn process(bytes: &[u8], settings: Settings) {
    let world = &*WORLD;
    let processor = processor(world, settings);
    let crypto = insecure::provider();
    let authentic = Envelope::decode_within(bytes, &settings.limits)
        .ok()
        .and_then(|envelope| envelope.authenticate(&crypto, &world.anchors).ok());
    let mut device = Watched::new(world.device.clone());
    let outcome = processor.update_bytes(&mut device, &mut suit::Echo, bytes);
    check_report(&outcome, authentic.as_ref());
    check_effects(&device, authentic.as_ref());
    if outcome.result.is_err() {
        return;
    }
    let envelope = authentic.expect("only what is authentic is installed");
    let mut device = device.inner;
    let records = device.manifests().expect("memory does not fail");
    for record in &records {
        check_record(record);
    }
    let latest = |record: &&ManifestRecord| record.digest == envelope.digest();
    assert!(
        records.iter().any(|record| latest(&record)),
        "installed, and no record of it"
    );
    for record in &records {
        let mut device = Watched::new(device.clone());
        let outcome = processor.invoke(&mut device, &mut suit::Echo, &record.id);
        check_report(&outcome, None);
        within(&device, &[]);
    }
    uninstall(&processor, &device, &records);
    // Where storage lost what was kept, the records still do.
    for record in &records {
        device.put(&record.id, b"lost");
    }
    let left = uninstall(&processor, &device, &records).expect("records alone are enough");
    for record in &records {
        for gone in record.components.iter().chain([&record.id]) {
            assert_eq!(left.content(gone), None, "{gone} is left over");
        }
    }
}

/// Uninstalls everything; the device, if all of it went.
fn uninstall(
    processor: &Processor<'_>,
    device: &MemoryDevice,
    records: &[ManifestRecord],
) -> Option<MemoryDevice> {
    let mut left = device.clone();
    let mut all = true;
    for record in records.iter().filter(|record| record.root) {
        if left
            .manifest(&record.id)
            .expect("memory does not fail")
            .is_none()
        {
            continue;
        }
        let mut device = Watched::new(left.clone());
        let outcome = processor.uninstall(&mut device, &mut suit::Echo, &record.id);
        check_report(&outcome, None);
        within(&device, &[]);
        match outcome.result {
            Ok(()) => left = device.inner,
            Err(_) => all = false,
        }
    }
    all.then_some(left)
}

/// A report is read as it was written, and fits its manifest.
fn check_report(outcome: &Outcome, envelope: Option<&AuthenticatedEnvelope<'_>>) {
    let report = &outcome.report;
    let bytes = report.encode();
    let again = Report::decode(&bytes).expect("what is written is read");
    assert_eq!(again.encode(), bytes);
    assert_eq!(report.result.is_success(), outcome.result.is_ok());
    if let Some(envelope) = envelope {
        assert_eq!(again.check_against(envelope).map(drop), Ok(()));
    }
}

/// Who signed has the right to everything that is recorded.
fn check_record(record: &ManifestRecord) {
    let touched = record.components.iter().chain([&record.id]);
    for id in touched {
        assert!(
            may(&record.signers, id),
            "{id} was installed by somebody else"
        );
    }
}

fn may(signers: &[Authority], id: &ComponentId) -> bool {
    let mut owners = WORLD.owners.iter();
    owners.any(|(owner, prefix)| signers.contains(owner) && id.starts_with(prefix))
}

/// Nothing is done on behalf of what is not authentic. Of what is, the components of its signers are touched
/// and, where it has dependencies, those of the signers of these.
fn check_effects(device: &Watched, envelope: Option<&AuthenticatedEnvelope<'_>>) {
    match envelope {
        None => assert_eq!(device.effects.len(), 0, "something was done for nobody"),
        Some(envelope) if envelope.manifest().common.dependencies.is_empty() => {
            // A dependency of the manifest before this one may go, whoever signed it.
            let swept = device.forgotten.len() > 0;
            within(device, if swept { &[] } else { envelope.signers() });
        }
        Some(_) => within(device, &[]),
    }
}

/// What was done concerns these signers' components; anybody's that has some, if none is given.
fn within(device: &Watched, signers: &[Authority]) {
    assert!(device.effects.len() < MOST_EFFECTS, "no bound on effects");
    let all = WORLD.owners.each_ref().map(|(owner, _)| *owner);
    let signers = if signers.is_empty() {
        &all[..]
    } else {
        signers
    };
    for id in &device.effects {
        assert!(may(signers, id), "{id} belongs to somebody else");
    }
    let nobodys: ComponentId = "gamma/x".parse().expect("an identifier");
    assert_eq!(device.inner.content(&nobodys), Some(&b"as it was"[..]));
}
