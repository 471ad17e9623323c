//! Everybody in the demo: the TAM, the TEE, the broker, the people with keys, and Mallory.

use std::path::{Path, PathBuf};

use tamarack_cose::{
    CryptoProvider, SecretKey, SignatureAlgorithm, Signer, aws_lc, encrypt::Recipient,
};
use tamarack_suit::{
    ComponentId, SequenceNumber, Uuid,
    author::{ComponentBuilder, DependencyBuilder, ManifestBuilder, PayloadEncryption},
};

use super::mallory::Mallory;
use crate::{
    admin::AdminApi,
    app::LocalApi,
    encryption_keys::read_encryption_keys,
    failure::Failure,
    files,
    key_file::{self, KeyFormat},
    manifest::{Applies, Draft},
    processes::{self, Process, path_text},
};

/// The vendor and class of the software TEE.
const VENDOR: &str = "tamarack.example";
const CLASS: &str = "software-tee";

/// The world of the demo. Dropping it ends the processes.
pub(super) struct World {
    pub(super) crypto: CryptoProvider,
    pub(super) admin: AdminApi,
    pub(super) app: LocalApi,
    pub(super) mallory: Mallory,
    /// Who made the device: signs security domains.
    pub(super) administrator: SecretKey,
    /// A provider of trusted applications.
    pub(super) acme: SecretKey,
    /// Another provider on the same device.
    pub(super) globex: SecretKey,
    /// The device's id, once it is enrolled.
    pub(super) ueid: String,
    /// The manifest of the application that is installed.
    pub(super) installed: Vec<u8>,
    /// The Update that personalised the application, as Mallory recorded it.
    pub(super) recorded: Option<Vec<u8>>,
    /// The first manifest that was installed.
    pub(super) first: Vec<u8>,
    folder: PathBuf,
    tam: Process,
    tee: Process,
    broker: Process,
}

impl World {
    /// Makes keys and starts the processes; also returns what to say about it.
    pub(super) async fn start(folder: &Path) -> Result<(Self, String), Failure> {
        let crypto = aws_lc::provider();
        let keys = folder.join("keys");
        std::fs::create_dir_all(&keys).map_err(|error| Failure::file(&keys, error))?;
        let key = |name: &str, algorithm| -> Result<SecretKey, Failure> {
            let key = SecretKey::generate(&crypto, algorithm)?;
            let pem = KeyFormat::Pem.encode_secret(&key)?;
            files::write_secret(&keys.join(format!("{name}.pem")), &pem)?;
            let public = KeyFormat::Pem.encode_public(key.public_key())?;
            files::write(&keys.join(format!("{name}.pub.pem")), &public)?;
            Ok(key)
        };
        let administrator = key("administrator", SignatureAlgorithm::Esp256)?;
        let acme = key("acme", SignatureAlgorithm::Ed25519)?;
        let globex = key("globex", SignatureAlgorithm::Esp256)?;

        let tam_dir = folder.join("tam");
        let (tam, tam_url) = Process::start_tam(folder, &tam_dir).await?;
        let token = files::read_text(&tam_dir.join("admin.token"))?;
        let admin = AdminApi::new(&tam_url, token.trim(), None)?;
        let mallory = Mallory::start(&format!("{tam_url}/tam")).await?;

        // The device's maker decides whom the TEE trusts, before it ships.
        let tam_key = keys.join("tam.pub.pem");
        let tam_dir_text = path_text(&tam_dir)?;
        let format = ["--format", "pem", "--algorithm", "esp256"];
        let mut show_keys = vec!["tam", "keys", "--data", tam_dir_text];
        show_keys.extend(format);
        files::write(&tam_key, &processes::run(&show_keys).await?)?;
        let tee_dir = folder.join("tee");
        let administrator_key = keys.join("administrator.pub.pem");
        processes::run(&[
            "tee",
            "trust",
            "--data",
            path_text(&tee_dir)?,
            "--tam-key",
            path_text(&tam_key)?,
            "--signer-key",
            path_text(&administrator_key)?,
        ])
        .await?;

        let show_keys = [
            "tee",
            "keys",
            "--data",
            path_text(&tee_dir)?,
            "--format",
            "pem",
        ];
        let tee_keys = processes::run(&show_keys).await?;
        files::write(&folder.join("tee.enc.pem"), &tee_keys)?;

        let tee_socket = folder.join("tee.sock");
        let arguments = [
            "tee",
            "serve",
            "--data",
            path_text(&tee_dir)?,
            "--socket",
            path_text(&tee_socket)?,
        ];
        let mut tee = Process::start("tee", folder, &arguments)?;
        tee.wait_until(|| tee_socket.exists().then_some(())).await?;

        let app_socket = folder.join("app.sock");
        let arguments = [
            "broker",
            "serve",
            "--tee",
            path_text(&tee_socket)?,
            "--tam",
            mallory.uri(),
            "--socket",
            path_text(&app_socket)?,
        ];
        let mut broker = Process::start("broker", folder, &arguments)?;
        broker
            .wait_until(|| app_socket.exists().then_some(()))
            .await?;
        let app = LocalApi::new(&app_socket);

        let detail = format!(
            "A TAM (process {}), a TEE ({}) and a broker ({}) run on loopback.",
            tam.id(),
            tee.id(),
            broker.id()
        );
        let world = Self {
            crypto,
            admin,
            app,
            mallory,
            administrator,
            acme,
            globex,
            ueid: String::new(),
            installed: Vec::new(),
            recorded: None,
            first: Vec::new(),
            folder: folder.to_owned(),
            tam,
            tee,
            broker,
        };
        Ok((world, detail))
    }

    /// Ends the processes and waits until they are gone.
    pub(super) async fn stop(self) {
        self.broker.stop().await;
        self.tee.stop().await;
        self.tam.stop().await;
    }

    /// The endorsement that the device's maker gives.
    pub(super) async fn endorsement(&self) -> Result<String, Failure> {
        let tee_dir = self.folder.join("tee");
        let arguments = [
            "tee",
            "endorsement",
            "--data",
            path_text(&tee_dir)?,
            "--label",
            "site=demo",
        ];
        let json = processes::run(&arguments).await?;
        self.keep("endorsement.json", &json)?;
        String::from_utf8(json).map_err(|_| Failure::new("the endorsement is no text"))
    }

    /// Makes and signs a manifest, and keeps it in the folder.
    pub(super) fn manifest(
        &self,
        name: &str,
        component: &str,
        payload: &[u8],
        number: u64,
        signer: &SecretKey,
        dependencies: Vec<DependencyBuilder>,
    ) -> Result<Vec<u8>, Failure> {
        let component: ComponentId = component
            .parse()
            .map_err(|error| Failure::new(format!("{component}: {error}")))?;
        let draft = Draft {
            component,
            payload: payload.to_vec(),
            sequence_number: number,
            applies: Applies::parse(Some(VENDOR), Some(CLASS)),
            dependencies,
        };
        let signer = self.crypto.signatures.signer(signer)?;
        let envelope = draft.build(&self.crypto)?.sign(&self.crypto, &[&*signer])?;
        self.keep(&format!("{name}.suit"), &envelope)?;
        Ok(envelope)
    }

    /// Makes and signs a manifest with a payload that only the device can read: encrypted to a key in the TEE.
    pub(super) fn personal(
        &self,
        name: &str,
        component: &str,
        payload: &[u8],
        number: u64,
        signer: &SecretKey,
        dependencies: Vec<DependencyBuilder>,
    ) -> Result<Vec<u8>, Failure> {
        let keys = read_encryption_keys(&self.folder.join("tee.enc.pem"), &self.crypto)?;
        let recipients: Vec<_> = keys.iter().map(Recipient::agreement).collect();
        let fault = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
        let id: ComponentId = component.parse().map_err(|error| fault(&error))?;
        let encryption = PayloadEncryption::default();
        let (image, ciphertext) =
            encryption.encrypt(&self.crypto, Some(&id), &recipients, payload)?;
        let vendor = Uuid::vendor(VENDOR);
        let content = ComponentBuilder::new(id.clone())
            .vendor(vendor)
            .class(vendor.class(CLASS))
            .encrypted_content(ciphertext, image);
        let mut builder = ManifestBuilder::new(SequenceNumber(number))
            .manifest_id(id.joined(b"suit").map_err(|error| fault(&error))?)
            .component(content);
        for dependency in dependencies {
            builder = builder.dependency(dependency);
        }
        let signer = self.crypto.signatures.signer(signer)?;
        let draft = builder.build().map_err(|error| fault(&error))?;
        let envelope = draft.sign(&self.crypto, &[&*signer])?;
        self.keep(&format!("{name}.suit"), &envelope)?;
        Ok(envelope)
    }

    /// The TAM's own signing key, which only a thief would read.
    pub(super) fn stolen_tam_key(&self) -> Result<Box<dyn Signer>, Failure> {
        let path = self.folder.join("tam/keys/esp256.pem");
        let key = key_file::read_secret(&path, &self.crypto)?;
        Ok(self.crypto.signatures.signer(&key)?)
    }

    /// The components in the TEE, by identifier, with their digests.
    pub(super) fn components(&self) -> Result<Vec<(String, String)>, Failure> {
        let list = self.app.list()?.components;
        Ok(list
            .into_iter()
            .map(|component| (component.component, component.digest))
            .collect())
    }

    /// Writes a file into the folder of the demo.
    pub(super) fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        files::write(&self.folder.join(name), bytes)
    }
}
