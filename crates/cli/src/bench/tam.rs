//! `tamarack bench tam`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tamarack_cose::{CryptoProvider, SecretKey, SignatureAlgorithm, aws_lc};
use tamarack_suit::{ComponentId, SuitDigest};
use tamarack_tam::{ServeConfig, TamKeys};
use tokio::task::JoinSet;

use super::sessions::{Device, Ending, held};
use crate::{
    admin::{AdminApi, jwk},
    block_on,
    failure::Failure,
    files, http,
    manifest::{Applies, Draft},
    output::Output,
    processes::Process,
};

/// Full TEEP sessions against a TAM that runs as a process of its own on this machine.
///
/// Starts a TAM as a process of its own with a fresh database, and drives it with devices that live in this
/// process: connect, QueryRequest, Evidence and QueryResponse, and with `--updates` an Update and its
/// Success. The floor is what the TAM's bare signatures and verifications take on one core, measured in the
/// same run; the ratio is sessions per second over what that floor would allow on all cores.
#[derive(Args)]
pub(crate) struct Tam {
    /// Sessions to run.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sessions: u32,
    /// Devices, and sessions at a time.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    devices: u32,
    /// Have every session end in an Update.
    #[arg(long)]
    updates: bool,
}

#[derive(Serialize)]
struct Figures {
    sessions: u32,
    devices: u32,
    updates: bool,
    cores: usize,
    sessions_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Signatures and verifications of one session at the TAM, on one core.
    signature_floor_us: f64,
    /// Sessions per second that the floor would allow on all cores.
    floor_sessions_per_second: f64,
    /// Measured over floor.
    ratio: f64,
}

impl Tam {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        let figures = block_on(self.measure(output))?;
        output.result(&figures, || {
            format!(
                "{:.0} sessions/s with {} devices on {} cores (p50 {:.1} ms, p99 {:.1} ms)\n\
                 signature floor: {:.0} µs a session, {:.0} sessions/s\n\
                 ratio: {:.2}",
                figures.sessions_per_second,
                figures.devices,
                figures.cores,
                figures.p50_ms,
                figures.p99_ms,
                figures.signature_floor_us,
                figures.floor_sessions_per_second,
                figures.ratio
            )
        });
        Ok(())
    }

    async fn measure(&self, output: Output) -> Result<Figures, Failure> {
        let crypto = aws_lc::provider();
        let folder = tempfile::tempdir()
            .map_err(|error| Failure::new(format!("cannot make a temporary folder: {error}")))?;
        let bench = Bench::start(folder.path(), crypto, self).await?;
        let floor = signature_floor(&crypto, self.updates)?;
        let (took, mut times) = bench.drive(self, output).await?;
        bench.tam.stop().await;
        times.sort_unstable();
        let percentile = |percent: usize| {
            let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let rate = f64::from(self.sessions) / took.as_secs_f64();
        let floor_rate = cores as f64 / floor.as_secs_f64();
        Ok(Figures {
            sessions: self.sessions,
            devices: self.devices,
            updates: self.updates,
            cores,
            sessions_per_second: rate,
            p50_ms: percentile(50),
            p99_ms: percentile(99),
            signature_floor_us: floor.as_secs_f64() * 1e6,
            floor_sessions_per_second: floor_rate,
            ratio: rate / floor_rate,
        })
    }
}

struct Bench {
    tam: Process,
    devices: Vec<Arc<Device>>,
    held: Arc<Vec<tamarack_suit::report::Claims>>,
}

impl Bench {
    async fn start(
        folder: &std::path::Path,
        crypto: CryptoProvider,
        settings: &Tam,
    ) -> Result<Self, Failure> {
        let (tam, url) = Process::start_tam(folder, &folder.join("tam")).await?;
        let config = ServeConfig::new(folder.join("tam"));
        let token = files::read_text(&config.admin_token())?;
        let admin = AdminApi::new(&url, token.trim(), None)?;
        let keys = TamKeys::open_or_create(&crypto, config.keys_dir())
            .map_err(|error| Failure::new(error.to_string()))?
            .public_keys();
        let client = http::client(None)?;
        let mut devices = Vec::new();
        for number in 0..settings.devices {
            let uri = format!("{url}/tam");
            let device = Device::new(crypto, number, keys.clone(), client.clone(), uri)?;
            admin.enroll(device.endorsement().to_json()).await?;
            devices.push(Arc::new(device));
        }
        let held = deploy(&admin, &crypto, settings.updates).await?;
        Ok(Self {
            tam,
            devices,
            held: Arc::new(held),
        })
    }

    /// Runs the sessions, as many at a time as there are devices.
    async fn drive(
        &self,
        settings: &Tam,
        output: Output,
    ) -> Result<(Duration, Vec<Duration>), Failure> {
        let target = match output.is_json() {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let bar = ProgressBar::with_draw_target(Some(u64::from(settings.sessions)), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} sessions, {eta} left")
        {
            bar.set_style(style);
        }
        let expected = if settings.updates {
            Ending::Updated
        } else {
            Ending::NothingToDo
        };
        let share = settings.sessions.div_ceil(settings.devices);
        let started = Instant::now();
        let mut workers = JoinSet::new();
        let mut left = settings.sessions;
        for device in &self.devices {
            let mine = share.min(left);
            left -= mine;
            let (device, held, bar) = (Arc::clone(device), Arc::clone(&self.held), bar.clone());
            workers.spawn(async move {
                let mut times = Vec::new();
                for _ in 0..mine {
                    let begun = Instant::now();
                    let ending = device.session(&held).await?;
                    if ending != expected {
                        let text = format!("a session ended with {ending:?}, not {expected:?}");
                        return Err(Failure::new(text));
                    }
                    times.push(begun.elapsed());
                    bar.inc(1);
                }
                Ok(times)
            });
        }
        let mut times = Vec::new();
        while let Some(done) = workers.join_next().await {
            let done = done.map_err(|error| Failure::new(format!("a device failed: {error}")))?;
            times.extend(done?);
        }
        bar.finish_and_clear();
        Ok((started.elapsed(), times))
    }
}

/// Publishes one component for all; returns what devices say they hold, so that there is an Update or not.
async fn deploy(
    admin: &AdminApi,
    crypto: &CryptoProvider,
    updates: bool,
) -> Result<Vec<tamarack_suit::report::Claims>, Failure> {
    let signer = SecretKey::generate(crypto, SignatureAlgorithm::Esp256)?;
    let request = tamarack_tam::api::DomainRequest {
        name: "bench".into(),
        prefix: "bench".into(),
        signers: vec![jwk(signer.public_key())],
        anchor: None,
        manifest: None,
    };
    admin.put_domain(&request).await?;
    let payload = vec![7; 1024];
    let component: ComponentId = "bench/data"
        .parse()
        .map_err(|error| Failure::new(format!("bench/data: {error}")))?;
    let draft = Draft {
        component: component.clone(),
        payload: payload.clone(),
        sequence_number: 1,
        applies: Applies::default(),
        dependencies: Vec::new(),
    };
    let handle = crypto.signatures.signer(&signer)?;
    admin
        .publish(draft.build(crypto)?.sign(crypto, &[&*handle])?)
        .await?;
    admin.deploy("bench/data", "all", "required").await?;
    let digest = SuitDigest::sha256(crypto, &payload);
    Ok(if updates {
        Vec::new()
    } else {
        vec![held(component, digest)]
    })
}

/// What the TAM's bare signatures of one session take on one core.
///
/// A QueryRequest has an ESP256 and an Ed25519 signature; a QueryResponse brings two ESP256 signatures to
/// verify, its own and its Evidence's; an Update has one, its Success another.
fn signature_floor(crypto: &CryptoProvider, updates: bool) -> Result<Duration, Failure> {
    const ROUNDS: u32 = 300;
    let esp256 = SecretKey::generate(crypto, SignatureAlgorithm::Esp256)?;
    let ed25519 = SecretKey::generate(crypto, SignatureAlgorithm::Ed25519)?;
    let esp256_signer = crypto.signatures.signer(&esp256)?;
    let ed25519_signer = crypto.signatures.signer(&ed25519)?;
    let message = [7; 256];
    let signature = esp256_signer.sign(&message)?;
    let verify = || {
        crypto
            .signatures
            .verify(esp256.public_key(), &message, &signature)
    };
    let started = Instant::now();
    for _ in 0..ROUNDS {
        esp256_signer.sign(&message)?;
        ed25519_signer.sign(&message)?;
        verify()?;
        verify()?;
        if updates {
            esp256_signer.sign(&message)?;
            verify()?;
        }
    }
    Ok(started.elapsed() / ROUNDS)
}
