//! `tamarack manifest run`: a folder as a device.

mod account;
mod advice;
mod place;
mod source;
mod witness;

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Args;
use tamarack_cose::{CryptoProvider, aws_lc, encrypt::RecipientKey};
use tamarack_suit::{
    CapabilityPolicy, ComponentId, Device, Envelope, Error, Identity, Manifest, Outcome, Processor,
    Settings, Uuid,
    directory::{DirectoryDevice, DirectoryError, OsFiles},
    explain,
};

use super::{
    trust::{FileWith, Trust, Trusted, anchors},
    typed,
};
use crate::{
    failure::Failure,
    files::{self, Target},
    key_file::{KeyFile, Kind},
    output::Output,
    progress::Progress,
};
use account::Account;
use source::Source;
use witness::Witness;

/// Carry out a manifest on a folder, as a device would.
///
///   tamarack manifest run lamp.suit --components device --key acme.pub.pem \
///       --vendor acme.example --class lamp
///   tamarack manifest run lamp.suit --components device --key acme.pub.pem=lamp \
///       --decrypt device.pem
///   tamarack manifest run --invoke lamp/app/suit --components device \
///       --key acme.pub.pem --vendor acme.example --class lamp
///   tamarack manifest run --uninstall lamp/app/suit --components device \
///       --vendor acme.example --class lamp
///
/// The components are files in the folder, which is made if need be: `lamp/app` is
/// `lamp+/app`. Everything happens at one instant or not at all, also if power
/// fails, and the folder remembers which manifests are installed, so that older
/// ones are refused.
///
/// The device is of no vendor and no class but those that are given, and trusts no
/// keys but those that are given. Removal asks no signer: whoever manages the
/// device decides about it, so --uninstall needs no --key. A manifest that others
/// depend on is released, and stays until they are gone. What a manifest asks of
/// its device is asked in each run: say again of what vendor and class it is.
///
/// Exit code 0 if it is done; 1 if the manifest was refused or failed, and the
/// folder is as it was; 2 for wrong usage; 3 if another process works on the
/// folder, so that it can be done later, or if the update is committed and the
/// next run on the folder completes it; 4 if it is done, and the report or what is
/// printed here could not be written.
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    mut_arg("key", |key| key.required(false).required_unless_present("uninstall"))
)]
pub(crate) struct Run {
    /// The envelope, `-` for standard input.
    #[arg(required_unless_present_any = ["invoke", "uninstall"])]
    file: Option<PathBuf>,
    /// The folder that is the device.
    #[arg(long, value_name = "DIR")]
    components: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// Start what the manifest that is installed at this identifier installed: it is checked and loaded, and
    /// what would be started is shown. Nothing is executed.
    #[arg(long, value_name = "ID", value_parser = typed::identifier, conflicts_with_all = ["file", "uninstall"])]
    invoke: Option<ComponentId>,
    /// Remove what the manifest that is installed at this identifier installed, whoever signed it; a manifest that others
    /// depend on stays.
    #[arg(long, value_name = "ID", value_parser = typed::identifier, conflicts_with = "file")]
    uninstall: Option<ComponentId>,

    /// The vendor of the device: a domain name, or a UUID. May be given several times.
    #[arg(long, value_name = "VENDOR", value_parser = typed::vendor, help_heading = "Device")]
    vendor: Vec<String>,
    /// The class of the device: a name within each vendor's, or a UUID. May be given several times.
    #[arg(long, value_name = "CLASS", value_parser = typed::class, help_heading = "Device")]
    class: Vec<String>,
    /// The device itself: a name within each vendor's, or a UUID. May be given several times.
    #[arg(long, value_name = "DEVICE", value_parser = typed::class, help_heading = "Device")]
    device_id: Vec<String>,
    /// The slot that a component is in. May be given several times.
    #[arg(long, value_name = "ID=NUMBER", value_parser = slot, help_heading = "Device")]
    slot: Vec<(ComponentId, u64)>,
    /// A key for encrypted payloads: a private P-256 or X25519 key, or a key of AES key wrap, and perhaps the
    /// id by which authors call it, as text or in hexadecimal after 0x. May be given several times.
    #[arg(long, value_name = "KEY[=KID]", help_heading = "Device")]
    decrypt: Vec<FileWith>,
    /// Accept what the published examples of the standards do, and their text does not allow: no condition
    /// after content that the signature or an authenticated cipher vouches for, dependencies processed
    /// without their integrity being asked for, and sections of dependencies that nobody processes. Signatures and digests
    /// are verified all the same.
    #[arg(long, help_heading = "Device")]
    compatible: bool,

    /// The file that stands for what is at a URI. May be given several times.
    #[arg(long, value_name = "URI=FILE", value_parser = fetched, help_heading = "Payloads")]
    fetch: Vec<(String, PathBuf)>,
    /// A folder with payloads, called as the last part of their URIs.
    #[arg(long, value_name = "DIR", help_heading = "Payloads")]
    payload_dir: Option<PathBuf>,
    /// Largest payload that is taken, in bytes.
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = Settings::default().limits.payload_bytes,
        help_heading = "Payloads"
    )]
    max_payload: u64,
    /// Ask no server; without this, http:// and https:// URIs are fetched.
    #[arg(long, help_heading = "Payloads")]
    offline: bool,

    /// Write the SUIT report here, `-` for standard output, in CBOR, also of a failure of the manifest; where the folder fails, there is
    /// none. `tamarack manifest show` shows it.
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    report: Option<PathBuf>,
    /// The nonce for the report, in hexadecimal.
    #[arg(long, value_name = "HEX", value_parser = nonce, requires = "report", help_heading = "Report")]
    nonce: Option<Nonce>,
    /// Have the report say what the device is capable of.
    #[arg(long, requires = "report", help_heading = "Report")]
    capabilities: bool,
}

/// Bytes from the command line.
#[derive(Debug, Clone)]
struct Nonce(Vec<u8>);

fn nonce(text: &str) -> Result<Nonce, String> {
    let bytes = base16ct::mixed::decode_vec(text);
    bytes
        .map(Nonce)
        .map_err(|_| "an even number of hexadecimal digits is expected".into())
}

fn slot(text: &str) -> Result<(ComponentId, u64), String> {
    let (id, number) = text.rsplit_once('=').ok_or("ID=NUMBER is expected")?;
    let number = number.parse().map_err(|_| "a slot is a number")?;
    Ok((typed::identifier(id)?, number))
}

fn fetched(text: &str) -> Result<(String, PathBuf), String> {
    match text.rsplit_once('=') {
        Some((uri, file)) if !uri.is_empty() && !file.is_empty() => Ok((uri.into(), file.into())),
        _ => Err("URI=FILE is expected".into()),
    }
}

/// What the device is asked to do.
enum Task<'a> {
    Update(&'a [u8]),
    Invoke(&'a ComponentId),
    Uninstall(&'a ComponentId),
}

impl Task<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Update(_) => "update",
            Self::Invoke(_) => "invoke",
            Self::Uninstall(_) => "uninstall",
        }
    }
}

impl Run {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        self.keep_apart()?;
        let crypto = aws_lc::provider();
        let trusted = self.trust.read(&crypto)?;
        let needed = match self.uninstall {
            Some(_) => 1,
            None => self.trust.needed(trusted.len())?,
        };
        let recipient_keys = self.recipient_keys(&crypto)?;
        let bytes = match &self.file {
            Some(path) => files::read(path)?,
            None => Vec::new(),
        };
        let task = match (&self.invoke, &self.uninstall) {
            (Some(id), _) => Task::Invoke(id),
            (None, Some(id)) => Task::Uninstall(id),
            (None, None) => Task::Update(&bytes),
        };
        let mut source = self.source()?;
        // Nothing runs that can't be reported.
        let report = self.report.as_deref().map(Target::replacing);
        let report = report.transpose()?;
        // That of an earlier run is none of this one, which may end without.
        if let Some(report) = &report {
            report.remove_old()?;
        }
        let mut device = self.device()?;
        let before = device.records().to_vec();
        let anchors = anchors(&trusted, needed, &crypto);
        let mut processor = Processor::new(&crypto, &anchors, &anchors)
            .with_settings(self.settings())
            .with_recipient_keys(&recipient_keys);
        if let Some(Nonce(nonce)) = &self.nonce {
            processor = processor.with_nonce(nonce);
        }
        let failed = |error| self.folder_failure(&error);
        let mut transaction = device.transaction().map_err(failed)?;
        let root = root(&task, &mut transaction, &crypto);
        let mut witness = Witness::of(&mut transaction, &crypto, Progress::new(output));
        let outcome = carry_out(&task, &processor, &mut witness, &mut source);
        let mut account = Account::of(&task, &outcome, root.as_ref(), &mut witness);
        // What was written is known now; the device below is needed again.
        account.fetched = source.fetched;
        if let (Task::Update(_), Ok(()), Some(root)) = (&task, &outcome.result, &root) {
            let digest = outcome.report.reference.digest;
            account.look_for_outdated(&mut transaction, root, &digest);
        }
        match &outcome.result {
            Ok(()) => transaction.commit().map_err(failed)?,
            // What is left of it is removed before the next transaction.
            Err(_) => drop(transaction),
        }
        account.look_at(&device, &before, root.as_ref(), &trusted, &crypto);
        if let Task::Uninstall(id) = &task {
            account.look_for_dependents(&device, id);
        }
        let subject = self.subject();
        if !report.as_ref().is_some_and(Target::is_standard) {
            account.tell(&subject, outcome.result.is_ok(), output);
        }
        // A report of success is one of what the folder has.
        let reported = report.map_or(Ok(()), |target| target.fill(&outcome.report.encode()));
        let failure = match &outcome.result {
            Ok(()) => {
                let untold = |failure: Failure| {
                    let hint = "all else is done; only what there is to say of it is missing";
                    failure.hint(hint).code(UNTOLD)
                };
                return reported.and_then(|()| output.arrived()).map_err(untold);
            }
            Err(Error::Decode(error)) if root.is_none() && self.file.is_some() => {
                super::place::failure(Path::new(&subject), &bytes, error)
            }
            Err(error) => advice::failure(&subject, error, &account, root.as_ref(), &trusted),
        };
        Err(match reported {
            Ok(()) => failure,
            Err(other) => failure.and(&other),
        })
    }

    fn keep_apart(&self) -> Result<(), Failure> {
        let keys = self.decrypt.iter().map(|key| &*key.path);
        let fetched = self.fetch.iter().map(|(_, path)| &**path);
        let file = self.file.as_deref();
        let inputs = self.trust.files().chain(keys).chain(fetched).chain(file);
        let report = self.report.as_deref();
        files::keep_apart(inputs, report.map(|path| ("--report", path)))
    }

    /// What errors are about.
    fn subject(&self) -> String {
        let installed = self.invoke.as_ref().or(self.uninstall.as_ref());
        match (&self.file, installed) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(id)) => id.to_string(),
            (None, None) => String::new(),
        }
    }

    fn settings(&self) -> Settings {
        let mut settings = match self.compatible {
            true => Settings::compatible(),
            false => Settings::default(),
        };
        if self.capabilities {
            settings.capability_report = CapabilityPolicy::Always;
        }
        let limits = &mut settings.limits;
        limits.payload_bytes = self.max_payload;
        // Each is hashed, copied and compared a few times.
        limits.read_bytes = limits.read_bytes.max(self.max_payload.saturating_mul(8));
        settings
    }

    fn identity(&self) -> Identity {
        let uuid = |text: &String| text.parse::<Uuid>().ok();
        let vendors: Vec<Uuid> = self
            .vendor
            .iter()
            .map(|text| uuid(text).unwrap_or_else(|| Uuid::vendor(text)))
            .collect();
        // A name means one thing for each vendor.
        let within = |text: &String| match uuid(text) {
            Some(uuid) => vec![uuid],
            None => vendors.iter().map(|vendor| vendor.class(text)).collect(),
        };
        Identity {
            classes: self.class.iter().flat_map(within).collect(),
            devices: self.device_id.iter().flat_map(within).collect(),
            vendors: vendors.into_iter().map(Into::into).collect(),
        }
    }

    fn device(&self) -> Result<DirectoryDevice<OsFiles>, Failure> {
        if self.components.exists() && !self.components.is_dir() {
            return Err(Failure::file(&self.components, "is no folder")
                .hint("--components is the folder that is the device"));
        }
        let named = self.class.iter().chain(&self.device_id);
        if let Some(name) = named
            .into_iter()
            .find(|name| name.parse::<Uuid>().is_err() && self.vendor.is_empty())
        {
            return Err(
                Failure::usage(format!("{name}: a name is one within a vendor's"))
                    .hint("give --vendor too, or the UUID in place of the name"),
            );
        }
        let mut device = DirectoryDevice::open(&self.components, self.identity())
            .map_err(|error| self.folder_failure(&error))?;
        if let Ok(since) = SystemTime::now().duration_since(UNIX_EPOCH) {
            device.set_now(since.as_secs());
        }
        for (id, slot) in &self.slot {
            device.set_slot(id, *slot);
        }
        Ok(device)
    }

    fn folder_failure(&self, error: &DirectoryError) -> Failure {
        let failure = Failure::file(&self.components, error);
        match error {
            DirectoryError::Busy => failure.code(LATER),
            DirectoryError::Incomplete(_) => failure.code(LATER).hint(
                "remove what is in the way; the next run on this folder completes the update",
            ),
            _ => failure,
        }
    }

    fn source(&self) -> Result<Source, Failure> {
        if let Some(folder) = self.payload_dir.as_ref().filter(|folder| !folder.is_dir()) {
            let problem = format!("--payload-dir {}: no such folder", folder.display());
            return Err(Failure::new(problem).hint("give the folder with the payloads"));
        }
        Ok(Source {
            files: self.fetch.clone(),
            folder: self.payload_dir.clone(),
            online: !self.offline,
            fetched: Vec::new(),
        })
    }

    fn recipient_keys(&self, crypto: &CryptoProvider) -> Result<Vec<RecipientKey>, Failure> {
        let keys = self.decrypt.iter().map(|with| {
            let file = KeyFile::read(&with.path)?;
            let key = match file.kind() {
                Kind::Symmetric => RecipientKey::wrapping(crypto, file.wrapping()?),
                _ => RecipientKey::agreement(crypto, file.decryption(crypto)?),
            };
            Ok(match with.key_id(&file)? {
                Some(named) => key.with_key_id(named),
                None => key,
            })
        });
        keys.collect()
    }
}

/// The exit code for what may succeed later, or be completed then.
const LATER: u8 = 3;
/// The exit code for what is done, and nobody was told.
const UNTOLD: u8 = 4;

fn carry_out(
    task: &Task<'_>,
    processor: &Processor<'_>,
    device: &mut dyn Device,
    source: &mut Source,
) -> Outcome {
    match task {
        Task::Update(bytes) => processor.update_bytes(device, source, bytes),
        Task::Invoke(id) => processor.invoke(device, source, id),
        Task::Uninstall(id) => processor.uninstall(device, source, id),
    }
}

/// The manifest that the task is about, to look things up in.
fn root(
    task: &Task<'_>,
    device: &mut dyn Device,
    crypto: &CryptoProvider,
) -> Option<Manifest<'static>> {
    match task {
        Task::Update(bytes) => {
            let envelope = Envelope::decode(bytes).ok()?;
            let manifest = explain::unverified(&envelope, Some(crypto)).ok()?;
            Some(manifest.into_owned())
        }
        Task::Invoke(id) | Task::Uninstall(id) => place::stored(device, id),
    }
}
