//! TEEP messages: encoding, decoding, protecting and opening, each beside the bare signature.
//!
//! `cargo bench -p tamarack-teep`

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark, made by macros"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use tamarack_cose::{SecretKey, SignatureAlgorithm, aws_lc, cbor::Limits};
use tamarack_teep::{
    Challenge, CipherSuite, DataItems, Encoding, Message, Protected, QueryRequest, SuitCoseProfile,
    protect,
};

fn messages(c: &mut Criterion) {
    let crypto = aws_lc::provider();
    let key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap();
    let signer = crypto.signatures.signer(&key).unwrap();
    let request = Message::QueryRequest(QueryRequest {
        challenge: Challenge::new(vec![7; 52]),
        supported_teep_cipher_suites: CipherSuite::ALGORITHMS.map(CipherSuite::sign1).to_vec(),
        supported_suit_cose_profiles: SuitCoseProfile::ALL.to_vec(),
        data_items: DataItems::ATTESTATION | DataItems::TRUSTED_COMPONENTS,
        ..QueryRequest::default()
    });
    let encoded = request.encode(Encoding::default());
    let message = protect(&crypto, &*signer, &request, Encoding::default()).unwrap();
    let signature = signer.sign(&encoded).unwrap();
    let trusted = [*key.public_key()];
    let limits = Limits::default();

    let mut group = c.benchmark_group("QueryRequest");
    group.bench_function("encode", |b| b.iter(|| request.encode(Encoding::default())));
    group.bench_function("decode", |b| {
        b.iter(|| Message::decode(&encoded, &limits).unwrap());
    });
    group.bench_function("protect", |b| {
        b.iter(|| protect(&crypto, &*signer, &request, Encoding::default()).unwrap());
    });
    group.bench_function("bare signature", |b| {
        b.iter(|| signer.sign(&encoded).unwrap());
    });
    group.bench_function("open", |b| {
        b.iter(|| {
            let received = Protected::decode(&message, &limits).unwrap();
            received.verify(&crypto, &trusted).unwrap()
        });
    });
    group.bench_function("bare verification", |b| {
        b.iter(|| {
            crypto
                .signatures
                .verify(&trusted[0], &encoded, &signature)
                .unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, messages);
criterion_main!(benches);
