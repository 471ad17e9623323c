//! The elements of envelopes, reports and records, each by itself: what is read is written, and reads the same.

use tamarack_cose::cbor::{Reader, Writer};
use tamarack_suit::{
    ComponentId, ComponentMetadata, ConciseSwidTag, Envelope, Limits, Manifest, ManifestRecord, Mud, Report,
    SuitDigest, Text, Version, WaitInfo, author,
    report::{CapabilityReport, Claims},
};

/// Runs the target.
pub fn run(data: &[u8]) {
    let limits = limits();
    if let Ok(envelope) = Envelope::decode_within(data, &limits) {
        let bytes = envelope.encode();
        let again = Envelope::decode_within(&bytes, &limits).expect("what is written is read");
        assert_eq!(again.encode(), bytes);
        assert_eq!(again.manifest_item(), envelope.manifest_item());
        assert_eq!(again.digest_bytes(), envelope.digest_bytes());
        assert_eq!(again.authentication_blocks(), envelope.authentication_blocks());
        assert_eq!(again.severed().len(), envelope.severed().len());
        assert_eq!(again.integrated().len(), envelope.integrated().len());
        manifest(&envelope.unverified_manifest());
    }
    // Offsets in nested sequences count in the encoding that was read, which need not be deterministic: the
    // manifests are compared by their encodings.
    manifest(&Manifest::decode(data, &limits));
    let text = |bytes: &[u8]| Text::decode(bytes, &limits).map(|text| text.encode());
    same(data, &text);
    same(data, &|bytes| ConciseSwidTag::decode(bytes, &limits).map(|tag| tag.encode()));
    same(data, &|bytes| Mud::decode(bytes, &limits).map(|mud| mud.encode()));
    same(data, &|bytes| WaitInfo::decode(bytes, &limits).map(|info| info.encode()));
    same(data, &|bytes| {
        ComponentMetadata::decode(bytes, &limits).map(|metadata| metadata.encode())
    });
    same(data, &|bytes| Report::decode(bytes).map(|report| report.encode()));
    // What is read from within something else has passed the strict door.
    if tamarack_cose::cbor::check(data, &tamarack_cose::cbor::Limits::default()).is_err() {
        return;
    }
    let item = |bytes: &[u8], read: &dyn Fn(&mut Reader<'_>, &mut Writer) -> Option<()>| {
        let mut w = Writer::new();
        read(&mut Reader::new(bytes), &mut w).map(|()| w.into_bytes())
    };
    let reads: [&dyn Fn(&mut Reader<'_>, &mut Writer) -> Option<()>; 6] = [
        &|reader, w| CapabilityReport::read(reader).ok().map(|value| value.write(w)),
        &|reader, w| Claims::read(reader, &limits).ok().map(|value| value.write(w)),
        &|reader, w| ManifestRecord::read(reader).ok().map(|value| value.write(w)),
        &|reader, w| ComponentId::read(reader, "id").ok().map(|value| value.write(w)),
        &|reader, w| SuitDigest::read(reader).ok().map(|value| value.write(w)),
        &|reader, w| Version::read(reader, "version").ok().map(|value| value.write(w)),
    ];
    for read in reads {
        same(data, &|bytes| item(bytes, read).ok_or(()));
    }
    if let Ok(text) = str::from_utf8(data) {
        let _ = author::json::Input::parse(text);
        if let Ok(id) = text.parse::<ComponentId>() {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}

/// Small enough that the fuzzer reaches them.
fn limits() -> Limits {
    Limits {
        envelope_bytes: 16 * 1024,
        envelope_members: 16,
        components: 8,
        entries: 16,
        manifest_commands: 64,
        ..Limits::default()
    }
}

fn manifest<E>(decoded: &Result<Manifest<'_>, E>) {
    let Ok(decoded) = decoded else { return };
    let bytes = decoded.encode();
    let again = Manifest::decode(&bytes, &limits()).expect("what is written is read");
    assert_eq!(again.encode(), bytes);
    assert_eq!(again.common.components, decoded.common.components);
    assert_eq!(again.common.dependencies, decoded.common.dependencies);
    assert_eq!(again.sequences().count(), decoded.sequences().count());
    for (one, other) in decoded.sequences().zip(again.sequences()) {
        assert_eq!(one.walk().count(), other.walk().count());
    }
}

/// `write` reads and writes; what it wrote it reads again, and writes the same.
fn same<E: std::fmt::Debug>(data: &[u8], write: &dyn Fn(&[u8]) -> Result<Vec<u8>, E>) {
    if let Ok(bytes) = write(data) {
        assert_eq!(write(&bytes).expect("what is written is read"), bytes);
    }
}
