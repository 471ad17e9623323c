use std::path::{Path, PathBuf};

use clap::{Args, value_parser};
use serde_json::json;
use tamarack_agent::{Quota, SecurityDomain};
use tamarack_cose::{CryptoProvider, aws_lc};
use tamarack_suit::{
    ComponentId, SequenceNumber, SuitDigest, Uuid,
    author::{ComponentBuilder, DependencyBuilder, ManifestBuilder},
};

use super::decode;
use crate::{
    failure::Failure,
    files,
    key_file::{read_public, read_secret},
    output::Output,
};

/// Make a manifest for a trusted application, for data, or for a security domain.
///
/// A trusted application or data:
///   tamarack manifest create --component acme/hello --payload hello.wasm --sequence-number 1
///     --vendor tamarack.example --class software-tee --key acme.pem --out hello.suit
///
/// A security domain, which gives a provider a part of the TEE:
///   tamarack manifest create --domain acme --prefix acme --owner acme-public.pem
///     --sequence-number 1 --key administrator.pem --out acme-domain.suit
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Create {
    /// The identifier of the component to install: segments joined by `/`, such as acme/hello.
    #[arg(
        long,
        value_name = "ID",
        required_unless_present = "domain",
        conflicts_with = "domain"
    )]
    component: Option<ComponentId>,
    /// The file with the component's content.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "domain",
        conflicts_with = "domain"
    )]
    payload: Option<PathBuf>,
    /// Have devices fetch the content from here instead of carrying it in the envelope.
    #[arg(long, value_name = "URI", conflicts_with = "domain")]
    uri: Option<String>,

    /// The name of the security domain to create.
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    /// The prefix of the component identifiers that the domain owns.
    #[arg(
        long,
        value_name = "ID",
        requires = "domain",
        required_if_eq("domain", "")
    )]
    prefix: Option<ComponentId>,
    /// A public key whose holder may sign for the domain. May be given several times.
    #[arg(long, value_name = "FILE", requires = "domain")]
    owner: Vec<PathBuf>,
    /// Bytes that the domain's components and their data may take.
    #[arg(long, value_name = "BYTES", requires = "domain")]
    quota_bytes: Option<u64>,
    /// Trusted applications that the domain may hold.
    #[arg(long, value_name = "COUNT", requires = "domain")]
    quota_applications: Option<u64>,
    /// Bytes of memory that a session may use.
    #[arg(long, value_name = "BYTES", requires = "domain")]
    quota_memory: Option<u64>,
    /// Fuel that a command may use, about one unit for each instruction.
    #[arg(long, value_name = "FUEL", requires = "domain")]
    quota_fuel: Option<u64>,

    /// The manifest's number; it must rise from release to release.
    #[arg(long, short = 'n', value_name = "NUMBER", value_parser = value_parser!(u64))]
    sequence_number: u64,
    /// The manifest's own identifier; the component's with `suit` after it by default.
    #[arg(long, value_name = "ID")]
    manifest_id: Option<ComponentId>,
    /// Only for devices of this vendor: a domain name, or a UUID.
    #[arg(long, value_name = "VENDOR")]
    vendor: Option<String>,
    /// Only for devices of this class: a name within the vendor's, or a UUID.
    #[arg(long, value_name = "CLASS", requires = "vendor")]
    class: Option<String>,
    /// A manifest that must be installed for this one to make sense. May be given several times.
    #[arg(long, value_name = "FILE")]
    depends_on: Vec<PathBuf>,
    /// Sign with this private key at once. Without it the envelope is for `tamarack manifest sign`.
    #[arg(long, short, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where the envelope goes.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

/// What a manifest installs.
pub(crate) enum Content {
    /// Carried in the envelope.
    Integrated(Vec<u8>),
    /// Fetched from a URI.
    Fetched { uri: String, payload: Vec<u8> },
}

/// Which devices a manifest is for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Applies {
    pub(crate) vendor: Option<Uuid>,
    pub(crate) class: Option<Uuid>,
}

/// A manifest of one component, to be signed.
pub(crate) struct Draft {
    pub(crate) component: ComponentId,
    pub(crate) content: Content,
    pub(crate) sequence_number: u64,
    pub(crate) manifest_id: Option<ComponentId>,
    pub(crate) applies: Applies,
    pub(crate) dependencies: Vec<DependencyBuilder>,
}

impl Draft {
    /// Builds the manifest.
    pub(crate) fn build(
        self,
        crypto: &CryptoProvider,
    ) -> Result<tamarack_suit::author::Draft, Failure> {
        let fault = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
        let manifest_id = match self.manifest_id {
            Some(id) => id,
            None => self
                .component
                .clone()
                .joined(b"suit")
                .map_err(|e| fault(&e))?,
        };
        let mut component = ComponentBuilder::new(self.component);
        if let Some(vendor) = self.applies.vendor {
            component = component.vendor(vendor);
        }
        if let Some(class) = self.applies.class {
            component = component.class(class);
        }
        component = match self.content {
            Content::Integrated(payload) => component.integrated(crypto, "#payload", payload),
            Content::Fetched { uri, payload } => {
                let digest = SuitDigest::sha256(crypto, &payload);
                component.uri(uri, digest, payload.len() as u64)
            }
        };
        let mut builder = ManifestBuilder::new(SequenceNumber(self.sequence_number))
            .manifest_id(manifest_id)
            .component(component);
        for dependency in self.dependencies {
            builder = builder.dependency(dependency);
        }
        builder.build().map_err(|error| fault(&error))
    }
}

impl Applies {
    /// Reads vendor and class as names or UUIDs.
    pub(crate) fn parse(vendor: Option<&str>, class: Option<&str>) -> Self {
        let uuid = |text: &str| text.parse::<Uuid>().ok();
        let vendor = vendor.map(|text| uuid(text).unwrap_or_else(|| Uuid::vendor(text)));
        let class = vendor
            .zip(class)
            .map(|(vendor, text)| uuid(text).unwrap_or_else(|| vendor.class(text)));
        Self { vendor, class }
    }
}

impl Create {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        let crypto = aws_lc::provider();
        let (component, content) = match &self.domain {
            Some(name) => self.domain_content(name, &crypto)?,
            None => self.component_content()?,
        };
        let dependency = |path: &PathBuf| dependency(path);
        let draft = Draft {
            component: component.clone(),
            content,
            sequence_number: self.sequence_number,
            manifest_id: self.manifest_id,
            applies: Applies::parse(self.vendor.as_deref(), self.class.as_deref()),
            dependencies: self
                .depends_on
                .iter()
                .map(dependency)
                .collect::<Result<_, _>>()?,
        }
        .build(&crypto)?;
        let (envelope, signed_by) = match &self.key {
            Some(path) => {
                let key = read_secret(path, &crypto)?;
                let signer = crypto.signatures.signer(&key)?;
                let id = key.public_key().key_id(&crypto).to_hex();
                (draft.sign(&crypto, &[&*signer])?, Some(id))
            }
            None => (draft.encode_unsigned(&crypto), None),
        };
        files::write(&self.out, &envelope)?;
        let manifest = draft.manifest().placement().to_string();
        let value = json!({
            "file": self.out,
            "manifest": manifest,
            "component": component.to_string(),
            "sequence_number": self.sequence_number,
            "digest": draft.digest(&crypto).to_string(),
            "signed_by": signed_by,
            "bytes": envelope.len(),
        });
        output.result(&value, || {
            let signed = match &signed_by {
                Some(id) => format!("signed by {id}"),
                None => "not signed yet".into(),
            };
            let number = self.sequence_number;
            format!(
                "{}: manifest {manifest}, number {number}, {signed}",
                self.out.display()
            )
        });
        Ok(())
    }

    fn component_content(&self) -> Result<(ComponentId, Content), Failure> {
        // clap lets nothing through without both.
        let (Some(component), Some(path)) = (&self.component, &self.payload) else {
            return Err(Failure::new(
                "--component and --payload, or --domain, are needed",
            ));
        };
        let payload = files::read(path)?;
        let content = match &self.uri {
            Some(uri) => Content::Fetched {
                uri: uri.clone(),
                payload,
            },
            None => Content::Integrated(payload),
        };
        Ok((component.clone(), content))
    }

    fn domain_content(
        &self,
        name: &str,
        crypto: &CryptoProvider,
    ) -> Result<(ComponentId, Content), Failure> {
        let component = SecurityDomain::component_id(name)
            .ok_or_else(|| Failure::new(format!("--domain {name:?}: a name has 1 to 64 bytes")))?;
        let prefix = self.prefix.clone().ok_or_else(|| {
            Failure::new("--prefix is needed: which component identifiers does the domain own?")
        })?;
        if self.owner.is_empty() {
            return Err(Failure::new(
                "--owner is needed: whose signatures count in the domain?",
            ));
        }
        let owners = self.owner.iter().map(|path| read_public(path, crypto));
        let default = Quota::default();
        let domain = SecurityDomain {
            prefix,
            owners: owners.collect::<Result<_, _>>()?,
            quota: Quota {
                bytes: self.quota_bytes.unwrap_or(default.bytes),
                applications: self.quota_applications.unwrap_or(default.applications),
                memory: self.quota_memory.unwrap_or(default.memory),
                fuel: self.quota_fuel.unwrap_or(default.fuel),
            },
        };
        let descriptor = domain.encode();
        // The device would refuse it; better to hear so here.
        SecurityDomain::decode(&descriptor).map_err(|error| Failure::new(error.to_string()))?;
        Ok((component, Content::Integrated(descriptor)))
    }
}

fn dependency(path: &Path) -> Result<DependencyBuilder, Failure> {
    let bytes = files::read(path)?;
    DependencyBuilder::of(&decode(path, &bytes)?).map_err(|error| Failure::file(path, error))
}
