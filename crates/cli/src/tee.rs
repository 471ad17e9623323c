//! `tamarack tee`: run a TEE, or prepare one.

mod compact;
mod hardening;
mod platform;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use tamarack_agent::{
    AnchorEntry,
    platform::StorageError,
    state::{Anchor, AnchorRole},
};
use tamarack_cose::{CryptoProvider, KeyId, rustcrypto};
use tamarack_rats::RollbackDetection;
use tamarack_tee::{
    LinkSocket, Tee, TeeError, endorsement,
    hardening::{Broker, Hardening, Peers, Report, private_folder},
    platform::{Device, DeviceOptions, TeePlatform},
};

use platform::PlatformChoice;

use crate::{
    encryption_keys::{EncryptionCurve, encode_encryption_keys, read_encryption_keys},
    failure::Failure,
    files,
    key::{Algorithm, certificate},
    key_file::KeyFormat,
    output::{Output, table},
    trust::{read_anchors, read_description},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the TEE until stopped. The first start makes its keys.
    Serve(Serve),
    /// Print the endorsement of the device, for `tamarack admin enroll`.
    Endorsement(EndorsementOf),
    /// Print the public keys to which others encrypt what is for this TEE only, such as Personalization Data.
    Keys(KeysOf),
    /// Trust keys, or no longer: of TAMs, and of those who sign security domains and whatever no domain owns.
    ///
    /// This is the part of the device's maker; the TEE must not be running.
    Trust(Trust),
    /// Give the device certificates for one of its keys: the attester's, or one that signs TEEP messages.
    ///
    /// This too is the part of the device's maker. They count from the next start on.
    Certify(Certify),
    /// Make the storage as small as what it holds. Nothing that is stored changes; the TEE must not be running.
    Compact(compact::Compact),
}

#[derive(Args)]
pub(crate) struct Certify {
    #[command(flatten)]
    folder: Folder,
    /// Certificates in PEM: that of the key, then those of the authorities above it.
    chain: PathBuf,
}

impl Certify {
    fn run(&self, output: Output) -> Result<(), Failure> {
        let chain = certificate::read(&self.chain)?;
        let device = self.folder.device(&rustcrypto::provider())?;
        device
            .certify(&chain)
            .map_err(|error| Failure::new(error.to_string()))?;
        output.result(&json!({ "certificates": chain.len() }), || {
            "the certificates are in place".to_owned()
        });
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Folder {
    /// The folder of the TEE: its keys and its sealed storage.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The algorithms with which TEEP messages can be signed, the preferred one first; one key is made for
    /// each. Counts at the first start only.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "esp256")]
    algorithm: Vec<Algorithm>,
    #[command(flatten)]
    platform: PlatformChoice,
}

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    folder: Folder,
    /// The socket for the broker.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// What the TEE is called, where there are several; the name of its platform by default.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The user that the broker runs as, by name or number. Other users than this one, the TEE's own and root are refused
    /// at the socket.
    #[arg(long, value_name = "USER", value_parser = broker)]
    broker_user: Option<Broker>,
    /// How the process is confined before it serves. What is on, and what this machine lacks, is printed at start.
    #[arg(long, value_enum, default_value = "best-effort")]
    hardening: Level,
}

/// How much hardening there has to be.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    /// As far as the kernel and the rights of the process allow.
    BestEffort,
    /// All of it; where something is missing, the TEE does not start.
    Required,
    /// None, so that a debugger can be attached: keys are within reach of every process of this user.
    Off,
}

#[derive(Args)]
pub(crate) struct EndorsementOf {
    #[command(flatten)]
    folder: Folder,
    /// A fact about the device, for selecting it in deployments. May be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
}

#[derive(Args)]
pub(crate) struct KeysOf {
    #[command(flatten)]
    folder: Folder,
    /// The format of the keys.
    #[arg(long, value_enum)]
    format: KeyFormat,
    /// Only the key on this curve. COSE_Key, which is binary, needs it.
    #[arg(long, value_enum)]
    curve: Option<EncryptionCurve>,
    /// Where the keys go; standard output by default.
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

#[derive(Args)]
pub(crate) struct Trust {
    #[command(flatten)]
    folder: Folder,
    /// The public key of a TAM, or the certificate of the TAM or its authority, and the URI of its TEEP endpoint, such as tam.pub.pem=https://tam.example/tam.
    ///
    /// May be given several times: the TAMs are asked in the order in which they were added. Keys with the same
    /// URI are keys of one TAM, and several URIs for one key are ways to the same TAM. Without a URI, the device
    /// asks the TAM that its broker names.
    #[arg(long, value_name = "FILE[=URI]", num_args = 1.., value_parser = tam_key)]
    tam_key: Vec<TamKey>,
    /// The key to which Evidence and reports for the TAMs of --tam-key are encrypted, from `tamarack tam keys
    /// --encryption`; one for each curve at most.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "tam_key")]
    tam_encryption_key: Vec<PathBuf>,
    /// The public key of a Verifier. With one, TAMs have to be attested: they are served once it vouches for
    /// them. May be given several times.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    verifier_key: Vec<PathBuf>,
    /// The public key of a device administrator, or the certificate of one or of an authority. May be given several times.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    signer_key: Vec<PathBuf>,
    /// Trust everybody that this description names: see `tamarack trust create --help`. What it revokes is
    /// revoked.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// Trust the key with this id no longer, in any role. What it signed before stays.
    #[arg(long, value_name = "KEY ID")]
    revoke: Vec<String>,
}

/// A TAM's public key, and perhaps where the TAM is.
#[derive(Clone)]
struct TamKey {
    file: PathBuf,
    uri: Option<String>,
}

/// Reads `FILE` or `FILE=URI`.
fn tam_key(text: &str) -> Result<TamKey, String> {
    let split = ["=https://", "=http://"]
        .iter()
        .filter_map(|scheme| text.find(scheme))
        .min();
    let (file, uri) = match split {
        Some(at) => (text.get(..at), text.get(at + 1..).map(str::to_owned)),
        None => (Some(text), None),
    };
    match file {
        Some(file) if !file.is_empty() => Ok(TamKey {
            file: file.into(),
            uri,
        }),
        _ => Err("expected FILE or FILE=URI".into()),
    }
}

/// Finds a user by name or number.
fn broker(text: &str) -> Result<Broker, String> {
    match Broker::find(text) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err("there is no such user".into()),
        Err(error) => Err(format!(
            "the users of this machine can't be looked up: {error}"
        )),
    }
}

/// Reads `name=value`.
fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".into()),
    }
}

impl Folder {
    fn device(&self, crypto: &CryptoProvider) -> Result<Device, Failure> {
        let mut options = DeviceOptions::default();
        options.teep_algorithms = self
            .algorithm
            .iter()
            .map(|chosen| (*chosen).into())
            .collect();
        // One that is not there yet is made private, once it is clear that there can be a device in it.
        if self.data.exists() {
            private_folder(&self.data).map_err(|error| Failure::new(error.to_string()))?;
        }
        self.platform.open(&self.data, crypto, &options)
    }

    fn tee(&self) -> Result<Tee, Failure> {
        let crypto = rustcrypto::provider();
        self.tee_on(self.device(&crypto)?, crypto)
    }

    fn tee_on(&self, device: Device, crypto: CryptoProvider) -> Result<Tee, Failure> {
        Tee::open(&self.data, Arc::new(device), crypto).map_err(|error| explain(&error, &self.data))
    }
}

fn explain(error: &TeeError, dir: &Path) -> Failure {
    let failure = Failure::file(dir, error);
    match error {
        TeeError::Storage(StorageError::RolledBack) => failure.hint(
            "the folder was replaced by an older copy; a TEE does not start on one. \
             Prepare the device anew with an empty folder",
        ),
        TeeError::Storage(StorageError::Corrupt(_)) => failure.hint(
            "something changed the file of the storage, or the disk lost a part of it. Nothing older is put in its place: \
             prepare the device anew with an empty folder",
        ),
        TeeError::Storage(StorageError::Full) => failure.hint("make room on the disk, and try again"),
        TeeError::Storage(StorageError::Failed(_)) => {
            failure.hint("if `tamarack tee serve` runs on this folder, stop it first")
        }
        _ => failure,
    }
}

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        // The TEE itself says what is missing, and may be told to go without.
        if !matches!(self, Self::Serve(_)) {
            let _ = Hardening::begin();
        }
        match self {
            Self::Serve(command) => command.run(output),
            Self::Endorsement(command) => command.run(output),
            Self::Keys(command) => command.run(),
            Self::Trust(command) => command.run(output),
            Self::Certify(command) => command.run(output),
            Self::Compact(command) => command.run(output),
        }
    }
}

impl Serve {
    fn run(self, output: Output) -> Result<(), Failure> {
        // Before the first key is read.
        let hardening = (self.hardening != Level::Off).then(Hardening::begin);
        let crypto = rustcrypto::provider();
        let device = self.folder.device(&crypto)?;
        let peers = match self.broker_user {
            Some(broker) => Peers::own().and(broker),
            None => Peers::own(),
        };
        let socket = LinkSocket::bind(&self.socket, peers)
            .map_err(|error| Failure::new(error.to_string()))?;
        // Before anything is read that others may have written.
        let report = match hardening {
            Some(begun) => begun.confine(&self.folder.data, &device.needs()),
            None => Report::unprotected(),
        };
        self.judge(&report)?;
        let tee = self.folder.tee_on(device, crypto)?;
        if !tee
            .has_tam_anchor()
            .map_err(|error| explain(&error, &self.folder.data))?
        {
            tracing::warn!(
                "no TAM is trusted: nobody can install anything; see `tamarack tee trust`"
            );
        }
        let platform = tee.platform().name();
        let (rollback, noticed) = match tee.platform().counter().rollback_detection() {
            RollbackDetection::Hardware => ("hardware", "a counter in hardware notices"),
            RollbackDetection::Nothing => ("nothing", "nothing notices"),
        };
        let name = self.name.as_deref().unwrap_or(platform);
        let path = self.socket.display().to_string();
        let value = json!({
            "platform": platform,
            "rollback_detection": rollback,
            "name": name,
            "socket": path,
            "peers": peers.uids(),
            "hardening": hardening::json(&report),
        });
        output.result(&value, || {
            format!(
                "TEE on the {platform} platform, serving on {path} for {peers}\n\
                 rollback: {noticed} if its whole folder is put back to an older copy\n{}",
                hardening::text(&report)
            )
        });
        tamarack_tee::serve(Arc::new(tee), name, &socket)
    }

    /// Refuses what was not to be missing, and says the rest in the log.
    fn judge(&self, report: &Report) -> Result<(), Failure> {
        let missing = hardening::problems(report);
        match self.hardening {
            _ if report.is_complete() => {}
            Level::BestEffort => {
                tracing::warn!("the process is not protected by all means: {missing}");
            }
            Level::Off => tracing::warn!(
                "HARDENING IS OFF: every process of this user can read the keys of the TEE; for debugging only"
            ),
            Level::Required => {
                let failure = Failure::new(format!("--hardening required: {missing}"));
                return Err(failure.hint("the documentation, hardening.md, says what each takes"));
            }
        }
        Ok(())
    }
}

impl EndorsementOf {
    fn run(self, output: Output) -> Result<(), Failure> {
        let device = self.folder.device(&rustcrypto::provider())?;
        let mut endorsement = endorsement(&device);
        endorsement.labels.extend(self.label);
        // JSON either way: it is a file for another command.
        let json = endorsement.to_json();
        files::write("-".as_ref(), format!("{json}\n").as_bytes())?;
        let _ = output;
        Ok(())
    }
}

impl KeysOf {
    fn run(self) -> Result<(), Failure> {
        let device = self.folder.device(&rustcrypto::provider())?;
        let keys = device.encryption_keys();
        files::write(
            &self.out,
            &encode_encryption_keys(keys, self.curve, self.format)?,
        )
    }
}

impl Trust {
    fn run(self, output: Output) -> Result<(), Failure> {
        let crypto = rustcrypto::provider();
        let anchors = |paths: &[PathBuf], role| {
            let mut anchors = Vec::new();
            for path in paths {
                let name = path.display().to_string();
                let found = read_anchors(path, role, &crypto)?.into_iter();
                anchors.extend(
                    found.map(|anchor| Anchor::of(AnchorEntry::new(anchor, &name), &crypto)),
                );
            }
            Ok::<_, Failure>(anchors)
        };
        let mut added = Vec::new();
        let mut reached = Vec::new();
        for key in &self.tam_key {
            let of_tam = anchors(std::slice::from_ref(&key.file), AnchorRole::Tam)?;
            if let Some(uri) = &key.uri {
                let keys: Vec<KeyId> = of_tam.iter().map(|anchor| anchor.key_id).collect();
                reached.push((uri, keys));
            }
            added.extend(of_tam);
        }
        let tams: Vec<KeyId> = added.iter().map(|anchor: &Anchor| anchor.key_id).collect();
        let mut encryption = Vec::new();
        for path in &self.tam_encryption_key {
            encryption.extend(read_encryption_keys(path, &crypto)?);
        }
        added.extend(anchors(&self.verifier_key, AnchorRole::Verifier)?);
        added.extend(anchors(&self.signer_key, AnchorRole::Signer)?);
        let mut revoked = Vec::new();
        if let Some(path) = &self.anchors {
            let set = read_description(path, &crypto)?;
            let entries = set.anchors.into_iter();
            added.extend(entries.map(|entry| Anchor::of(entry, &crypto)));
            revoked = set.revocations;
        }
        let tee = self.folder.tee()?;
        let fault = |error: TeeError| explain(&error, &self.folder.data);
        if !revoked.is_empty() {
            tee.revoke(revoked).map_err(fault)?;
        }
        tee.trust(&added).map_err(fault)?;
        if !encryption.is_empty() {
            for tam in &tams {
                tee.encrypt_to(tam, &encryption).map_err(fault)?;
            }
        }
        for (uri, keys) in reached {
            tee.reach(uri, &keys)
                .map_err(|error| Failure::new(format!("--tam-key: {error}")))?;
        }
        for text in &self.revoke {
            let id = KeyId::from_hex(text).ok_or_else(|| {
                Failure::new(format!(
                    "--revoke {text}: not a key id of 64 hexadecimal digits"
                ))
            })?;
            if !tee.distrust(&id).map_err(fault)? {
                return Err(Failure::new(format!(
                    "--revoke {text}: no such key is trusted"
                )));
            }
        }
        let role = |anchor: &Anchor| anchor.role().name();
        let anchors = tee.anchors().map_err(fault)?;
        let endpoints = tee.tam_endpoints().map_err(fault)?;
        let uris = |anchor: &Anchor| {
            let of_key = endpoints.iter().filter(|endpoint| {
                anchor.role() == AnchorRole::Tam && endpoint.keys().contains(&anchor.key_id)
            });
            of_key
                .map(|endpoint| endpoint.uri().to_owned())
                .collect::<Vec<_>>()
        };
        let list: Vec<_> = anchors
            .iter()
            .map(|anchor| {
                json!({
                    "role": role(anchor),
                    "algorithm": anchor.public_key().algorithm().name(),
                    "key_id": anchor.key_id.to_hex(),
                    "certificate": anchor.entry.anchor.as_certificate().map(|own| own.name().to_string()),
                    "set": anchor.origin.as_ref().map(ToString::to_string),
                    "from": anchor.entry.name,
                    "uris": uris(anchor),
                })
            })
            .collect();
        output.result(&json!({ "anchors": list }), || {
            if anchors.is_empty() {
                return "nobody is trusted".into();
            }
            let row = |anchor: &Anchor| {
                vec![
                    role(anchor).to_owned(),
                    anchor.public_key().algorithm().name().to_owned(),
                    anchor.key_id.to_hex(),
                    anchor.entry.name.clone(),
                    uris(anchor).join(" "),
                ]
            };
            let rows: Vec<_> = anchors.iter().map(row).collect();
            table(&["ROLE", "ALGORITHM", "KEY ID", "FROM", "URI"], &rows)
        });
        Ok(())
    }
}
