//! `tamarack tam`: run a TAM, or show its keys.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use tamarack_cose::{PublicKey, SignatureAlgorithm, aws_lc};
use tamarack_tam::{
    AttestationConfig, AttestationModel, HttpSettings, Listeners, Rate, ServeConfig, Settings,
    TamKeys, TlsFiles, serve_until, tam_identity,
};
use tamarack_teep::DataItems;
use tamarack_verifier::ClientConfig;
use tokio::net::TcpListener;

use crate::{
    block_on,
    encryption_keys::{EncryptionCurve, encode_encryption_keys},
    failure::Failure,
    files,
    key::{Algorithm, certificate},
    key_file::{KeyFile, KeyFormat},
    output::Output,
    signals::stop_requested,
    trace,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the TAM until stopped. The first start makes its keys, its database and the admin token.
    Serve(Box<Serve>),
    /// Print the public keys of the TAM, which devices are to trust.
    Keys(Keys),
    /// Print the endorsement of the TAM, for a Verifier that vouches for it to devices.
    Endorsement(KeyFolder),
    /// Make new keys beside the old ones: from the next start on the TAM signs with both.
    ///
    /// Have devices trust the new keys (`tamarack trust`), then retire the old ones.
    RotateKeys(KeyFolder),
    /// Sign with the newest keys only, from the next start on. Devices that trust the old ones alone are lost.
    RetireKeys(KeyFolder),
    /// Give the TAM certificates for one of its keys, which it sends from the next start on.
    Certify(CertifyKey),
}

#[derive(Args)]
pub(crate) struct KeyFolder {
    /// The folder of the TAM.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

#[derive(Args)]
pub(crate) struct CertifyKey {
    #[command(flatten)]
    folder: KeyFolder,
    /// Certificates in PEM: that of the key, then those of the authorities above it.
    chain: PathBuf,
}

impl KeyFolder {
    /// The folder with the keys, which must be there.
    fn keys_dir(&self) -> Result<PathBuf, Failure> {
        let keys = ServeConfig::new(&self.data).keys_dir();
        match keys.is_dir() {
            true => Ok(keys),
            false => Err(Failure::file(&self.data, "holds no TAM")
                .hint("`tamarack tam serve` makes its keys at the first start")),
        }
    }

    fn endorsement(&self) -> Result<(), Failure> {
        let identity = tam_identity(self.keys_dir()?);
        let identity = identity.map_err(|error| Failure::new(error.to_string()))?;
        let json = identity.endorsement().to_json();
        files::write("-".as_ref(), format!("{json}\n").as_bytes())
    }

    fn rotate(&self, output: Output) -> Result<(), Failure> {
        let made = TamKeys::rotate(&aws_lc::provider(), &self.keys_dir()?)
            .map_err(|error| Failure::new(error.to_string()))?;
        output.result(&json!({ "made": made }), || {
            "new keys are made; restart the TAM, and have devices trust them before the old ones are retired"
                .to_owned()
        });
        Ok(())
    }

    fn retire(&self, output: Output) -> Result<(), Failure> {
        let moved =
            TamKeys::retire(&self.keys_dir()?).map_err(|error| Failure::new(error.to_string()))?;
        output.result(&json!({ "retired": moved }), || match moved.len() {
            0 => "there is one key of each kind only".to_owned(),
            _ => "the old keys are retired; restart the TAM".to_owned(),
        });
        Ok(())
    }
}

impl CertifyKey {
    fn run(&self, output: Output) -> Result<(), Failure> {
        let chain = certificate::read(&self.chain)?;
        let file = TamKeys::certify(&aws_lc::provider(), &self.folder.keys_dir()?, &chain)
            .map_err(|error| Failure::new(error.to_string()))?;
        output.result(&json!({ "file": file }), || {
            "the certificates are in place; restart the TAM".to_owned()
        });
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Serve {
    /// The folder of the TAM: `keys/`, `tam.sqlite`, and `admin.token` for the admin API.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen: TEEP on /tam, the admin API on /api/v1. Port 0 takes one that is free.
    #[arg(long, value_name = "HOST:PORT")]
    listen: String,
    /// Where to listen for the admin API, which is then served there only.
    #[arg(long, value_name = "HOST:PORT")]
    admin_listen: Option<String>,
    /// Serve HTTPS with this certificate: a PEM file with the chain, the server's own first.
    ///
    /// The files are read again when they change, and on SIGHUP; connections that are open go on.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// A proxy in front of the TAM, an address or a network such as 10.0.0.0/8, which says in
    /// X-Forwarded-For where a request comes from. May be given several times.
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    trusted_proxy: Vec<ipnet::IpNet>,
    #[command(flatten)]
    attestation: Attestation,
    #[command(flatten)]
    bounds: Bounds,
    #[command(flatten)]
    trace: trace::Options,
}

/// Who attests devices, besides their endorsed attesters.
#[derive(Args)]
#[command(next_help_heading = "Attestation")]
struct Attestation {
    /// A Verifier to which the Evidence of devices goes, such as https://verifier.example. Without, the TAM
    /// appraises it by the endorsements of the devices.
    #[arg(long, value_name = "URL", requires = "verifier_key")]
    verifier: Option<String>,
    /// A PEM file with certificates of authorities that the Verifier's certificate may chain to, beside those
    /// of the system.
    #[arg(long, value_name = "FILE", requires = "verifier")]
    verifier_ca: Option<PathBuf>,
    /// A file with the public key of a Verifier whose Attestation Results count, those that agents present
    /// included. May be given several times.
    #[arg(long, value_name = "FILE")]
    verifier_key: Vec<PathBuf>,
    /// Hand each agent an Attestation Result of its own, from the Verifier, for others to see.
    #[arg(long, requires = "verifier")]
    results_for_agents: bool,
    /// Ask for Attestation Results that agents get from a Verifier, in the place of Evidence (Passport model).
    #[arg(long, requires = "verifier_key")]
    passport: bool,
    /// Take Evidence and results that hold no nonce but a time, if they are not older than this.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timestamps: Option<u64>,
    /// Ask agents for more than attestation and what is installed.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    ask: Vec<Asked>,
    /// The Verifier that vouches for this TAM, for agents that demand it. Give it what `tamarack tam
    /// endorsement` prints.
    #[arg(long, value_name = "URL")]
    own_verifier: Option<String>,
    /// A PEM file with certificates of authorities for --own-verifier, beside those of the system.
    #[arg(long, value_name = "FILE", requires = "own_verifier")]
    own_verifier_ca: Option<PathBuf>,
}

/// What a QueryRequest may ask for besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Asked {
    /// The extensions that the agent knows.
    Extensions,
    /// SUIT reports on what would start now.
    SuitReports,
}

impl Attestation {
    fn engine(&self) -> Settings {
        let mut settings = Settings {
            results_for_agents: self.results_for_agents,
            timestamp_window: self.timestamps.map(Duration::from_secs),
            ..Settings::default()
        };
        if self.passport {
            settings.attestation_model = AttestationModel::Passport;
        }
        for asked in &self.ask {
            settings.also_asked = settings.also_asked
                | match asked {
                    Asked::Extensions => DataItems::EXTENSIONS,
                    Asked::SuitReports => DataItems::SUIT_REPORTS,
                };
        }
        settings
    }

    fn config(self) -> Result<AttestationConfig, Failure> {
        let crypto = aws_lc::provider();
        let mut verifiers = Vec::new();
        for path in &self.verifier_key {
            verifiers.extend(KeyFile::read(path)?.publics(&crypto)?);
        }
        Ok(AttestationConfig {
            verifiers,
            remote: self.verifier.map(|url| ClientConfig {
                authorities: self.verifier_ca,
                ..ClientConfig::new(url)
            }),
            own: self.own_verifier.map(|url| ClientConfig {
                authorities: self.own_verifier_ca,
                ..ClientConfig::new(url)
            }),
        })
    }
}

/// What a server puts up with.
#[derive(Args)]
#[command(next_help_heading = "Bounds")]
struct Bounds {
    /// TEEP messages a second from one address (one /64 of IPv6), in the long run; 0 for any number.
    #[arg(long, value_name = "NUMBER", default_value_t = HttpSettings::default().rate_per_address.per_second)]
    rate_per_address: u32,
    /// TEEP messages at once from one address.
    #[arg(long, value_name = "NUMBER", default_value_t = HttpSettings::default().rate_per_address.burst)]
    burst_per_address: u32,
    /// TEEP messages a second from everywhere, in the long run; 0 for any number.
    #[arg(long, value_name = "NUMBER", default_value_t = HttpSettings::default().rate.per_second)]
    rate: u32,
    /// TEEP messages at once from everywhere.
    #[arg(long, value_name = "NUMBER", default_value_t = HttpSettings::default().rate.burst)]
    burst: u32,
    /// Connections; each needs a file descriptor.
    #[arg(long, value_name = "NUMBER", default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,
    /// Connections from one address.
    #[arg(long, value_name = "NUMBER", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    connections_per_address: u32,
}

impl Bounds {
    fn settings(&self) -> HttpSettings {
        HttpSettings {
            rate_per_address: Rate {
                per_second: self.rate_per_address,
                burst: self.burst_per_address,
            },
            rate: Rate {
                per_second: self.rate,
                burst: self.burst,
            },
            connections: self.connections as usize,
            connections_per_address: self.connections_per_address as usize,
            ..HttpSettings::default()
        }
    }
}

/// An address, or a network.
fn network(text: &str) -> Result<ipnet::IpNet, String> {
    let address = text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
    address
        .or_else(|_| text.parse())
        .map_err(|_| "expected an address, or a network such as 10.0.0.0/8".into())
}

/// Opens a socket that listens, and the address that it got.
async fn listen(option: &str, at: &str) -> Result<(TcpListener, std::net::SocketAddr), Failure> {
    let fault = |error: std::io::Error| Failure::new(format!("{option} {at}: {error}"));
    let listener = TcpListener::bind(at).await.map_err(|error| {
        fault(error)
            .hint("give an address of this machine and a port that is free, such as 127.0.0.1:8080")
    })?;
    let address = listener.local_addr().map_err(fault)?;
    Ok((listener, address))
}

#[derive(Args)]
pub(crate) struct Keys {
    #[command(flatten)]
    folder: KeyFolder,
    /// The format of the keys.
    #[arg(long, value_enum)]
    format: KeyFormat,
    /// Only the key of this algorithm. COSE_Key, which is binary, needs it.
    #[arg(long, value_enum, conflicts_with = "encryption")]
    algorithm: Option<Algorithm>,
    /// The keys to which devices encrypt Evidence and reports, in the place of those that sign.
    #[arg(long)]
    encryption: bool,
    /// Only the encryption key on this curve. COSE_Key, which is binary, needs it.
    #[arg(long, value_enum, requires = "encryption")]
    curve: Option<EncryptionCurve>,
    /// Where the keys go; standard output by default.
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Serve(command) => command.run(output),
            Self::Keys(command) => command.run(),
            Self::Endorsement(folder) => folder.endorsement(),
            Self::RotateKeys(folder) => folder.rotate(output),
            Self::RetireKeys(folder) => folder.retire(output),
            Self::Certify(command) => command.run(output),
        }
    }
}

impl Serve {
    fn run(self, output: Output) -> Result<(), Failure> {
        block_on(async {
            let (teep, address) = listen("--listen", &self.listen).await?;
            let mut admin_address = address;
            let mut admin = None;
            if let Some(at) = &self.admin_listen {
                let listener = listen("--admin-listen", at).await?;
                (admin, admin_address) = (Some(listener.0), listener.1);
            }
            let mut config = ServeConfig::new(&self.data);
            config.http = self.bounds.settings();
            config.trusted_proxies = self.trusted_proxy;
            config.engine = self.attestation.engine();
            config.attestation = self.attestation.config()?;
            config.tls = self
                .tls_certificate
                .zip(self.tls_key)
                .map(|(certificate, key)| TlsFiles { certificate, key });
            config.trace = self.trace.settings();
            let scheme = if config.tls.is_some() {
                "https"
            } else {
                "http"
            };
            let url = format!("{scheme}://{address}");
            let admin_url = format!("{scheme}://{admin_address}/api/v1");
            let value = json!({
                "tam": format!("{url}/tam"),
                "admin": admin_url,
                "token_file": config.admin_token(),
            });
            output.result(&value, || {
                format!(
                    "TAM on {url}/tam, admin API on {admin_url}, token in {}",
                    config.admin_token().display()
                )
            });
            let listeners = Listeners { teep, admin };
            serve_until(config, listeners, stop_requested())
                .await
                .map_err(|error| Failure::new(error.to_string()))
        })
    }
}

impl Keys {
    fn run(self) -> Result<(), Failure> {
        let keys = TamKeys::open_or_create(&aws_lc::provider(), self.folder.keys_dir()?)
            .map_err(|error| Failure::new(error.to_string()))?;
        if self.encryption {
            let encoded = encode_encryption_keys(keys.encryption_keys(), self.curve, self.format)?;
            return files::write(&self.out, &encoded);
        }
        let wanted = self.algorithm.map(SignatureAlgorithm::from);
        let selected: Vec<PublicKey> = keys
            .public_keys()
            .into_iter()
            .filter(|key| wanted.is_none_or(|wanted| key.algorithm() == wanted))
            .collect();
        let one = |key: &PublicKey| self.format.encode_public(key);
        let encoded = self.format.encode_several(&selected, "--algorithm", one)?;
        files::write(&self.out, &encoded)
    }
}
