//! `tamarack bench messages`: codec, COSE and SUIT, in this process, beside the bare primitives.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use clap::Args;
use serde::Serialize;
use tamarack_cose::{
    CryptoProvider, SecretKey, SignatureAlgorithm, aws_lc, cbor::Limits, rustcrypto,
};
use tamarack_suit::{ComponentId, Envelope, MemoryDevice, NoFetch, Processor, SingleAuthority};
use tamarack_teep::{
    Challenge, CipherSuite, DataItems, Encoding, Message, Protected, QueryRequest, SuitCoseProfile,
    protect,
};

use crate::{
    failure::Failure,
    manifest::{Applies, Draft},
    output::{Output, table},
};

/// TEEP messages and SUIT manifests in this process, without a network.
#[derive(Args)]
pub(crate) struct Messages {
    /// Milliseconds to spend on each figure.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    milliseconds: u64,
}

/// One figure beside its floor.
#[derive(Serialize)]
struct Figure {
    what: &'static str,
    provider: &'static str,
    microseconds: f64,
    /// What the bare primitives of the same operation take.
    floor: &'static str,
    floor_microseconds: f64,
    /// Measured over floor; 1 would be free.
    ratio: f64,
}

impl Messages {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        let time = Duration::from_millis(self.milliseconds);
        let mut figures = Vec::new();
        for crypto in [aws_lc::provider(), rustcrypto::provider()] {
            figures.extend(measure(&crypto, time)?);
        }
        output.result(&figures, || {
            let row = |figure: &Figure| {
                vec![
                    figure.what.into(),
                    figure.provider.into(),
                    format!("{:.2}", figure.microseconds),
                    figure.floor.into(),
                    format!("{:.2}", figure.floor_microseconds),
                    format!("{:.3}", figure.ratio),
                ]
            };
            let rows: Vec<_> = figures.iter().map(row).collect();
            table(&["WHAT", "PROVIDER", "µs", "FLOOR", "µs", "RATIO"], &rows)
        });
        Ok(())
    }
}

/// Microseconds that `work` takes: the fastest of several batches, since noise only ever adds.
pub(super) fn time<E: Into<Failure>>(
    budget: Duration,
    mut work: impl FnMut() -> Result<(), E>,
) -> Result<f64, Failure> {
    let once = Instant::now();
    work().map_err(Into::into)?;
    let batches = 10;
    let batch = budget / batches;
    let count = (batch.as_nanos() / once.elapsed().as_nanos().max(1)).clamp(1, 1_000_000);
    let mut best = f64::MAX;
    for _ in 0..batches {
        let started = Instant::now();
        for _ in 0..count {
            work().map_err(Into::into)?;
        }
        best = best.min(started.elapsed().as_secs_f64() * 1e6 / count as f64);
    }
    Ok(best)
}

pub(super) fn failure(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

fn measure(crypto: &CryptoProvider, budget: Duration) -> Result<Vec<Figure>, Failure> {
    let key = SecretKey::generate(crypto, SignatureAlgorithm::Esp256)?;
    let signer = crypto.signatures.signer(&key)?;
    let trusted = [*key.public_key()];
    let limits = Limits::default();

    let request = Message::QueryRequest(QueryRequest {
        challenge: Challenge::new(vec![7; 52]),
        supported_teep_cipher_suites: CipherSuite::ALGORITHMS.map(CipherSuite::sign1).to_vec(),
        supported_suit_cose_profiles: SuitCoseProfile::ALL.to_vec(),
        data_items: DataItems::ATTESTATION | DataItems::TRUSTED_COMPONENTS,
        ..QueryRequest::default()
    });
    let encoded = request.encode(Encoding::default());
    let message = protect(crypto, &*signer, &request, Encoding::default())?;
    let signature = signer.sign(&encoded)?;

    let payload = vec![42; 64 * 1024];
    let component: ComponentId = "bench/data".parse().map_err(failure)?;
    let draft = Draft {
        component,
        payload: payload.clone(),
        sequence_number: 1,
        applies: Applies::default(),
        dependencies: Vec::new(),
    };
    let envelope = draft.build(crypto)?.sign(crypto, &[&*signer])?;

    let sign = time(budget, || signer.sign(&encoded).map(drop))?;
    let verify = time(budget, || {
        crypto.signatures.verify(&trusted[0], &encoded, &signature)
    })?;
    // A payload is hashed when it is installed and again when it is validated.
    let hashes = time(budget, || {
        black_box(crypto.sha256(black_box(&payload)));
        black_box(crypto.sha256(black_box(&payload)));
        Ok::<_, Failure>(())
    })?;
    let encode = time(budget, || {
        black_box(black_box(&request).encode(Encoding::default()));
        Ok::<_, Failure>(())
    })?;
    let decode = time(budget, || {
        Message::decode(&encoded, &limits)
            .map(drop)
            .map_err(failure)
    })?;
    let protected = time(budget, || {
        protect(crypto, &*signer, &request, Encoding::default()).map(drop)
    })?;
    let opened = time(budget, || {
        let received = Protected::decode(&message, &limits).map_err(failure)?;
        received.verify(crypto, &trusted).map(drop).map_err(failure)
    })?;
    let authenticated = time(budget, || {
        let envelope = Envelope::decode(&envelope).map_err(failure)?;
        envelope
            .authenticate(crypto, &trusted)
            .map(drop)
            .map_err(failure)
    })?;
    let processed = time(budget, || {
        let mut device = MemoryDevice::default();
        let processor = Processor::new(crypto, &trusted, &SingleAuthority);
        let outcome = processor.update_bytes(&mut device, &mut NoFetch, &envelope);
        outcome.result.map_err(failure)
    })?;

    let figure = |what, microseconds, floor, floor_microseconds| Figure {
        what,
        provider: crypto.name,
        microseconds,
        floor,
        floor_microseconds,
        ratio: microseconds / floor_microseconds,
    };
    Ok(vec![
        figure("encode a QueryRequest", encode, "sign", sign),
        figure("decode a QueryRequest", decode, "verify", verify),
        figure("protect a QueryRequest", protected, "sign", sign),
        figure("open a QueryRequest", opened, "verify", verify),
        figure("authenticate a manifest", authenticated, "verify", verify),
        figure(
            "verify and install 64 KiB",
            processed,
            "verify, hash twice",
            verify + hashes,
        ),
    ])
}
