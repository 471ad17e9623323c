use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use tamarack_cose::{CryptoProvider, DigestAlgorithm, aws_lc};
use tamarack_suit::{
    ComponentId, LanguageText, SequenceNumber, Text, Uuid, Version,
    author::{
        ComponentBuilder, DependencyBuilder, Draft, ManifestBuilder, PayloadEncryption, json::Input,
    },
};

use super::{
    component::{Built, Ciphertext, Component, Components, Encrypted},
    decode,
    domain::SecurityDomainOptions,
    encryption::{Content, Exchange, Recipients},
    part::{Part, sever},
    refuse_too_long,
    sign::seal,
    software::Software,
    trust::{FileWith, Voucher},
    typed,
};
use crate::{
    failure::Failure,
    files::{self, Target},
    hss_file::state_path,
    output::Output,
};

/// Make a manifest for a trusted application, for firmware, for data, or for a security domain.
///
/// A trusted application or data, carried in the envelope:
///   tamarack manifest create --component acme/hello --payload hello.wasm \
///       --sequence-number 1 --vendor tamarack.example --class software-tee \
///       --key acme.pem --out hello.suit
///
/// Two components, one of them fetched by the devices:
///   tamarack manifest create -n 3 --vendor acme.example --class lamp \
///       --component acme/app --payload app.bin \
///       --uri https://acme.example/app.bin --component acme/config \
///       --payload config.json --version 1.4.0 --description 'Brighter.' \
///       --sever install,text --key acme.pem -o lamp.suit
///
/// From JSON, as in the examples of draft-ietf-suit-manifest:
///   tamarack manifest create --from example.json --payload-dir images \
///       --key acme.pem -o lamp.suit
///
/// A security domain, which gives a provider a part of the TEE:
///   tamarack manifest create --domain acme --prefix acme --owner acme.pub.pem \
///     --sequence-number 1 --key administrator.pem --out acme-domain.suit
///
/// A part of that domain for somebody else, which the domain's owner signs:
///   tamarack manifest create --domain acme/locks --prefix acme/locks \
///       --owner locks.pub.pem --quota-bytes 1000000 --sequence-number 1 \
///       --key acme.pem --out acme-locks-domain.suit
///
/// An envelope has 16 MiB at most, with all that it carries: with --uri, larger
/// payloads are fetched instead.
#[derive(Args)]
#[command(verbatim_doc_comment, disable_version_flag = true)]
pub(crate) struct Create {
    #[command(flatten)]
    components: Components,

    /// Read what to install from this JSON instead of from options, `-` for standard input.
    #[arg(long, value_name = "FILE", help_heading = "From JSON")]
    from: Option<PathBuf>,
    /// Where the files are that the JSON names; the folder of the JSON by default.
    #[arg(
        long,
        value_name = "DIR",
        requires = "from",
        conflicts_with_all = ["component", "domain"],
        help_heading = "From JSON"
    )]
    payload_dir: Option<PathBuf>,

    #[command(flatten)]
    security_domain: SecurityDomainOptions,

    /// The manifest's number; it must rise from release to release.
    #[arg(
        long,
        short = 'n',
        value_name = "NUMBER",
        required_unless_present = "from",
        conflicts_with = "from"
    )]
    sequence_number: Option<u64>,
    /// The manifest's own identifier; the first component's with `suit` after it by default.
    #[arg(long, value_name = "ID", value_parser = typed::identifier, conflicts_with = "from")]
    manifest_id: Option<ComponentId>,
    /// Only for devices of this vendor: a domain name, or a UUID.
    #[arg(long, value_name = "VENDOR", value_parser = typed::vendor, conflicts_with = "from")]
    vendor: Option<String>,
    /// Only for devices of this class: a name within the vendor's, or a UUID.
    #[arg(long, value_name = "CLASS", value_parser = typed::class, requires = "vendor", conflicts_with = "from")]
    class: Option<String>,
    /// Have the component with this identifier started by the invocation procedure.
    #[arg(long, value_name = "ID", conflicts_with_all = ["from", "domain"])]
    invoke: Option<ComponentId>,
    /// A manifest that must be installed for this one to make sense, and where a device gets it that does not have it:
    /// the URI of the envelope, or that of a TAM, which the device asks for it; `#name` carries it in the envelope under
    /// that key. May be given several times.
    #[arg(long, value_name = "FILE[=URI]", value_parser = Needed::parse, conflicts_with = "from")]
    depends_on: Vec<Needed>,
    /// The version of what is installed, such as 1.2.3 or 1.3-beta.1.
    #[arg(
        long = "version",
        value_name = "VERSION",
        value_parser = version,
        conflicts_with = "from"
    )]
    set_version: Option<Version>,
    /// Where the manifest can be had.
    #[arg(long, value_name = "URI", value_parser = typed::uri, conflicts_with = "from")]
    reference_uri: Option<String>,
    /// What the manifest is for, in words.
    #[arg(long, value_name = "TEXT", conflicts_with = "from")]
    description: Option<String>,
    /// The language of the description, as a language tag.
    #[arg(
        long,
        value_name = "TAG",
        requires = "description",
        conflicts_with = "from",
        default_value = "en"
    )]
    language: String,
    #[command(flatten)]
    software: Software,
    /// Move these sections, or `text` or `coswid`, out of the manifest into the envelope, where they can be dropped later.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    sever: Vec<Part>,
    /// Encrypt the payloads to this key: the public key of a device, P-256 or X25519, or a key of AES key wrap
    /// that it shares; perhaps with the id by which it knows the key, as text or in hexadecimal after 0x. May be
    /// given several times.
    #[arg(
        long,
        visible_alias = "recipient",
        value_name = "KEY[=KID]",
        conflicts_with_all = ["from", "domain"],
        help_heading = "Encryption"
    )]
    encrypt_to: Vec<FileWith>,
    /// How payloads are encrypted.
    #[arg(
        long,
        visible_alias = "algorithm",
        value_enum,
        default_value = "a128gcm",
        value_name = "ALGORITHM",
        requires = "encrypt_to",
        conflicts_with_all = ["from", "domain"],
        help_heading = "Encryption"
    )]
    encrypt_with: Content,
    /// How content keys get to devices with public keys.
    #[arg(
        long,
        value_enum,
        default_value = "ecdh-es",
        requires = "encrypt_to",
        conflicts_with_all = ["from", "domain"],
        help_heading = "Encryption"
    )]
    exchange: Exchange,
    /// How digests are made: of payloads, and of the manifest.
    #[arg(long, value_enum, default_value = "sha256", value_name = "ALGORITHM")]
    digest: Digest,
    /// Sign with this private key at once, or MAC with this shared one. Without it the envelope is for `tamarack manifest sign`.
    #[arg(long, short, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where the envelope goes, `-` for standard output.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl From<Digest> for DigestAlgorithm {
    fn from(digest: Digest) -> Self {
        match digest {
            Digest::Sha256 => Self::Sha256,
            Digest::Sha384 => Self::Sha384,
            Digest::Sha512 => Self::Sha512,
        }
    }
}

/// Which devices a manifest is for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Applies {
    pub(crate) vendor: Option<Uuid>,
    pub(crate) class: Option<Uuid>,
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

    /// Makes a component for these devices.
    pub(super) fn to(self, mut component: ComponentBuilder) -> ComponentBuilder {
        if let Some(vendor) = self.vendor {
            component = component.vendor(vendor);
        }
        if let Some(class) = self.class {
            component = component.class(class);
        }
        component
    }
}

/// The identifier that a manifest gets from its first component.
pub(super) fn own_identifier(first: ComponentId) -> Result<ComponentId, Failure> {
    first
        .joined(b"suit")
        .map_err(|error| Failure::new(error.to_string()))
}

/// Reads a version: numbers with dots, and perhaps `-alpha`, `-beta` or `-rc` with more numbers.
// req: SUIT-UPD-018, SUIT-UPD-019
fn version(text: &str) -> Result<Version, String> {
    const FORM: &str = "a version is 1 to 3 numbers, and perhaps -alpha, -beta or -rc with more numbers, as in 1.2.3 or 1.3-rc.1";
    let numbers = |text: &str| {
        text.split('.')
            .map(|part| part.parse::<u32>().map(i64::from))
            .collect::<Result<Vec<i64>, _>>()
            .map_err(|_| FORM)
    };
    let (release, rest) = match text.split_once('-') {
        Some((release, rest)) => (release, Some(rest)),
        None => (text, None),
    };
    let mut version = numbers(release)?;
    if version.len() > 3 {
        return Err(FORM.into());
    }
    if let Some(rest) = rest {
        let (class, more) = match rest.split_once('.') {
            Some((class, more)) => (class, Some(more)),
            None => (rest, None),
        };
        version.push(match class {
            "rc" => -1,
            "beta" => -2,
            "alpha" => -3,
            _ => return Err(FORM.into()),
        });
        if let Some(more) = more {
            version.extend(numbers(more)?);
        }
    }
    if version.len() > 16 {
        return Err(FORM.into());
    }
    Ok(Version(version))
}

impl Create {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        self.keep_apart()?;
        let crypto = aws_lc::provider();
        let (draft, ciphertexts) = match &self.from {
            Some(path) => (self.read_json(path, &crypto)?, Vec::new()),
            None => self.read_options(&crypto)?,
        };
        let mut draft = draft.with_digest_algorithm(self.digest.into());
        for part in &self.sever {
            draft = sever(draft, *part, &crypto)?;
        }
        let unsigned = draft.encode_unsigned(&crypto);
        // Before an HSS/LMS key spends a number.
        refuse_too_long(&unsigned)?;
        let mut target = Target::replacing(&self.out)?;
        let mut targets = Vec::new();
        for ciphertext in &ciphertexts {
            let mut target = Target::replacing(&ciphertext.path)?;
            target.put(&ciphertext.bytes)?;
            targets.push(target);
        }
        let mut verb = "";
        let (envelope, signed_by) = match &self.key {
            Some(path) => {
                let voucher = Voucher::read(path, &crypto)?;
                let envelope = seal(&draft, &voucher, &crypto)?;
                verb = voucher.verb();
                (envelope, Some(voucher.id(&crypto)))
            }
            None => (unsigned, None),
        };
        refuse_too_long(&envelope)?;
        target.put(&envelope)?;
        targets.push(target);
        let is_here = targets.iter().any(Target::is_standard);
        files::publish(targets)?;
        if is_here {
            return Ok(());
        }
        let made = draft.manifest();
        let manifest = made.placement().to_string();
        let components = made.common.components.iter().map(ToString::to_string);
        let components: Vec<String> = components.collect();
        let value = json!({
            "file": self.out,
            "manifest": manifest,
            "component": components.first(),
            "components": components,
            "sequence_number": made.sequence_number.0,
            "digest": draft.digest(&crypto).to_string(),
            "signed_by": signed_by,
            "bytes": envelope.len(),
            "ciphertexts": ciphertexts.iter().map(|ciphertext| &ciphertext.path).collect::<Vec<_>>(),
        });
        output.result(&value, || {
            let signed = match &signed_by {
                Some(id) => format!("{verb} by {id}"),
                None => "not signed yet".into(),
            };
            let number = made.sequence_number;
            let mut text = format!(
                "{}: manifest {manifest}, number {number}, {signed}",
                self.out.display()
            );
            for Ciphertext { path, bytes } in &ciphertexts {
                let length = bytes.len();
                text += &format!("\n{}: ciphertext, {length} bytes", path.display());
            }
            text
        });
        Ok(())
    }

    fn keep_apart(&self) -> Result<(), Failure> {
        let state = self.key.as_deref().map(state_path);
        let keys = self.encrypt_to.iter().map(|key| &*key.path);
        let needed = self.depends_on.iter().map(|needed| &*needed.path);
        let single = [&self.from, &self.key, &state].into_iter().flatten();
        let inputs = single
            .map(PathBuf::as_path)
            .chain(self.components.inputs())
            .chain(self.security_domain.files())
            .chain(self.software.files())
            .chain(needed)
            .chain(keys);
        let ciphertexts: Vec<PathBuf> = match self.encrypt_to.is_empty() {
            true => Vec::new(),
            false => self.components.outputs(&self.out).collect(),
        };
        let outputs = ciphertexts.iter().map(|path| ("--ciphertext", &**path));
        files::keep_apart(inputs, outputs.chain([("--out", &*self.out)]))
    }

    fn read_json(&self, path: &Path, crypto: &CryptoProvider) -> Result<Draft, Failure> {
        let fault = |error: &dyn std::fmt::Display| Failure::file(path, error);
        let input = Input::parse(&files::read_text(path)?).map_err(|error| {
            fault(&error).hint("the fields are those of the examples in draft-ietf-suit-manifest; docs/manifests.md lists them")
        })?;
        let folder = match &self.payload_dir {
            Some(folder) => folder.as_path(),
            None => path.parent().unwrap_or(Path::new(".")),
        };
        let mut payload = |name: &str| {
            let path = folder.join(name);
            let read = files::keep_apart([&*path], [("--out", &*self.out)])
                .and_then(|()| files::read(&path));
            read.map_err(|failure| failure.message().to_owned())
        };
        input
            .draft(crypto, &mut payload)
            .map_err(|error| fault(&error))
    }

    fn read_options(&self, crypto: &CryptoProvider) -> Result<(Draft, Vec<Ciphertext>), Failure> {
        let applies = Applies::parse(self.vendor.as_deref(), self.class.as_deref());
        let built = match self.security_domain.component(crypto)? {
            Some((id, descriptor)) => {
                let component = applies.to(ComponentBuilder::new(id.clone()));
                let component = component.integrated(crypto, "#payload", descriptor);
                Built {
                    components: vec![(id, component)],
                    ciphertexts: Vec::new(),
                }
            }
            None => {
                let encrypted = self.encrypted(crypto)?;
                let digest = self.digest.into();
                self.components
                    .build(applies, digest, encrypted.as_ref(), &self.out, crypto)?
            }
        };
        let Built {
            mut components,
            ciphertexts,
        } = built;
        if let Some(id) = &self.invoke {
            let position = components.iter().position(|(known, _)| known == id);
            let position = position.ok_or_else(|| {
                Failure::usage(format!("--invoke {id}: no --component has this identifier"))
            })?;
            let (id, component) = components.swap_remove(position);
            components.insert(position, (id, component.invoke(None)));
        }
        let manifest_id = match (&self.manifest_id, components.first()) {
            (Some(id), _) => id.clone(),
            (None, Some((first, _))) => own_identifier(first.clone())?,
            // clap lets nothing through without a component.
            (None, None) => return Err(Failure::new("--component is needed")),
        };
        if components.iter().any(|(id, _)| *id == manifest_id) {
            let problem = format!("--manifest-id {manifest_id}: a component has this identifier");
            return Err(Failure::usage(problem)
                .hint("by default, it is that of the first component with `suit` after it"));
        }
        let number = SequenceNumber(self.sequence_number.unwrap_or_default());
        let mut builder = ManifestBuilder::new(number).manifest_id(manifest_id);
        if let Some(version) = &self.set_version {
            builder = builder.version(version.0.clone());
        }
        if let Some(uri) = &self.reference_uri {
            builder = builder.reference_uri(uri.clone());
        }
        if let Some(description) = &self.description {
            const MANIFEST_DESCRIPTION: i64 = 1;
            let text = LanguageText {
                manifest: vec![(MANIFEST_DESCRIPTION, description.clone().into())],
                components: Vec::new(),
            };
            builder = builder.text(Text {
                languages: vec![(self.language.clone().into(), text)],
            });
        }
        builder = self.software.describe(builder, crypto)?;
        for (_, component) in components {
            builder = builder.component(component);
        }
        for needed in &self.depends_on {
            builder = builder.dependency(needed.dependency()?);
        }
        let draft = builder.build();
        let draft = draft.map_err(|error| Failure::new(error.to_string()))?;
        let made = draft.manifest();
        let needed = made.common.dependencies.iter();
        let mut needed = needed.filter_map(|needed| made.common.identifier(needed.index));
        let own = made.placement();
        if needed.any(|id| *id == own) {
            let problem = format!("--depends-on: {own} is the identifier of this manifest itself");
            return Err(Failure::usage(problem)
                .hint("--manifest-id gives it another one than that of what it needs"));
        }
        Ok((draft, ciphertexts))
    }

    /// To whom payloads are encrypted, if they are.
    fn encrypted(&self, crypto: &CryptoProvider) -> Result<Option<Encrypted>, Failure> {
        if self.encrypt_to.is_empty() {
            return Ok(None);
        }
        if self.components.0.iter().all(Component::is_encrypted) {
            let problem =
                "--encrypt-to: with --encryption-info, every payload has been encrypted before";
            return Err(Failure::usage(problem)
                .hint("leave out one of the two; `tamarack manifest encrypt` has --recipient"));
        }
        Ok(Some(Encrypted {
            recipients: Recipients::read(&self.encrypt_to, self.exchange, crypto)?,
            encryption: PayloadEncryption::new(self.encrypt_with.into())
                .with_digest_algorithm(self.digest.into()),
        }))
    }
}

/// A manifest that is needed, and perhaps where it is to be had.
#[derive(Debug, Clone)]
struct Needed {
    path: PathBuf,
    uri: Option<String>,
}

impl Needed {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text.split_once('=') {
            // A file may be called so.
            Some((path, uri)) if !Path::new(text).exists() => Self {
                path: path.into(),
                uri: Some(typed::uri(uri)?),
            },
            _ => Self {
                path: text.into(),
                uri: None,
            },
        })
    }

    fn dependency(&self) -> Result<DependencyBuilder, Failure> {
        let bytes = files::read(&self.path)?;
        let needed = DependencyBuilder::of(&decode(&self.path, &bytes)?)
            .map_err(|error| Failure::file(&self.path, error))?;
        Ok(match &self.uri {
            Some(key) if key.starts_with('#') => needed.integrated(key, bytes),
            Some(uri) => needed.uri(uri),
            None => needed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // req: SUIT-UPD-018, SUIT-UPD-019
    #[test]
    fn versions_are_read_as_they_are_shown() {
        for text in [
            "1",
            "1.2.3",
            "0.0.0",
            "1.2-rc",
            "1.2.3-beta.4",
            "2-alpha.1.2",
        ] {
            assert_eq!(version(text).unwrap().to_string(), text);
        }
        for text in [
            "", "1.", "1.2.3.4", "v1", "1.-2", "1-dev", "1-rc.x", "-rc", "1.2-rc-1",
        ] {
            assert!(version(text).is_err(), "{text}");
        }
    }
}
