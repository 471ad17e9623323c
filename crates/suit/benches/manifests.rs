//! SUIT manifests: decoding, authenticating and installing, beside the bare signature and hash.
//!
//! `cargo bench -p tamarack-suit`

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark, made by macros"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use tamarack_cose::{SecretKey, SignatureAlgorithm, aws_lc};
use tamarack_suit::{
    Envelope, MemoryDevice, NoFetch, Processor, SequenceNumber, SingleAuthority,
    author::{ComponentBuilder, ManifestBuilder},
};

fn manifests(c: &mut Criterion) {
    let crypto = aws_lc::provider();
    let key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap();
    let signer = crypto.signatures.signer(&key).unwrap();
    let trusted = [*key.public_key()];
    let payload = vec![42; 64 * 1024];
    let component = ComponentBuilder::new("bench/data".parse().unwrap());
    let envelope = ManifestBuilder::new(SequenceNumber(1))
        .component(component.integrated(&crypto, "#payload", payload.clone()))
        .build()
        .unwrap()
        .sign(&crypto, &[&*signer])
        .unwrap();
    let message = [7; 64];
    let signature = signer.sign(&message).unwrap();

    let mut group = c.benchmark_group("manifest with 64 KiB");
    group.bench_function("decode", |b| {
        b.iter(|| Envelope::decode(&envelope).unwrap());
    });
    group.bench_function("authenticate", |b| {
        let decoded = Envelope::decode(&envelope).unwrap();
        b.iter(|| decoded.authenticate(&crypto, &trusted).unwrap());
    });
    group.bench_function("verify and install", |b| {
        let processor = Processor::new(&crypto, &trusted, &SingleAuthority);
        b.iter(|| {
            let mut device = MemoryDevice::default();
            processor
                .update_bytes(&mut device, &mut NoFetch, &envelope)
                .result
                .unwrap();
        });
    });
    group.bench_function("bare verification", |b| {
        b.iter(|| {
            crypto
                .signatures
                .verify(&trusted[0], &message, &signature)
                .unwrap();
        });
    });
    group.bench_function("bare hash", |b| b.iter(|| crypto.sha256(&payload)));
    group.finish();
}

criterion_group!(benches, manifests);
criterion_main!(benches);
