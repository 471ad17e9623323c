//! Components on the command line: each `--component` starts one, and what follows it belongs to it.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, error::ErrorKind,
    value_parser,
};
use tamarack_cose::{CryptoProvider, DigestAlgorithm};
use tamarack_suit::{
    ComponentId, SuitDigest,
    author::{ComponentBuilder, EncryptedImage, PayloadEncryption},
};

use super::{create::Applies, encryption::Recipients, typed};
use crate::{failure::Failure, files};

/// A component, as far as the command line describes it.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) id: ComponentId,
    payload: Option<PathBuf>,
    uri: Option<String>,
    slot: Option<u64>,
    ciphertext: Option<PathBuf>,
    encryption_info: Option<PathBuf>,
}

/// A ciphertext that devices fetch, and the file where it is put for them.
pub(super) struct Ciphertext {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

/// What a manifest is made of.
pub(super) struct Built {
    pub(super) components: Vec<(ComponentId, ComponentBuilder)>,
    /// What the envelope does not carry.
    pub(super) ciphertexts: Vec<Ciphertext>,
}

/// To whom the payloads are encrypted, and how.
pub(super) struct Encrypted {
    pub(super) recipients: Recipients,
    pub(super) encryption: PayloadEncryption,
}

/// The components in the order in which they were given.
#[derive(Debug, Default)]
pub(super) struct Components(pub(super) Vec<Component>);

impl Components {
    /// The files that are read.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Path> {
        let files = self.0.iter().flat_map(Component::inputs).flatten();
        files.map(PathBuf::as_path)
    }

    /// The files with ciphertexts that are written beside the envelope, if payloads are encrypted.
    pub(super) fn outputs(&self, envelope: &Path) -> impl Iterator<Item = PathBuf> {
        let place = |component: &Component| component.place_of_ciphertext(envelope);
        self.0.iter().filter_map(place)
    }

    /// Reads the payloads and makes the components; those with one identifier are one, with a slot each.
    pub(super) fn build(
        &self,
        applies: Applies,
        algorithm: DigestAlgorithm,
        encrypted: Option<&Encrypted>,
        envelope: &Path,
        crypto: &CryptoProvider,
    ) -> Result<Built, Failure> {
        let mut built: Vec<(ComponentId, ComponentBuilder)> = Vec::new();
        let mut ciphertexts = Vec::new();
        for (position, component) in self.0.iter().enumerate() {
            let measure = Measure { algorithm, crypto };
            let (image, ciphertext) = component.image(position, measure, encrypted)?;
            let place = component.place_of_ciphertext(envelope);
            ciphertexts.extend(
                ciphertext
                    .zip(place)
                    .map(|(bytes, path)| Ciphertext { path, bytes }),
            );
            let at = built.iter().position(|(id, _)| *id == component.id);
            match at {
                Some(at) => {
                    self.refuse_slots_in_common(&component.id)?;
                    let (id, first) = built.swap_remove(at);
                    built.insert(at, (id, first.or(image)));
                }
                None => built.push((component.id.clone(), applies.to(image))),
            }
        }
        Ok(Built {
            components: built,
            ciphertexts,
        })
    }

    fn refuse_slots_in_common(&self, id: &ComponentId) -> Result<(), Failure> {
        let same = self.0.iter().filter(|component| component.id == *id);
        let mut slots: Vec<Option<u64>> = same.map(|component| component.slot).collect();
        let count = slots.len();
        slots.sort_unstable();
        slots.dedup();
        if slots.len() < count || slots.contains(&None) {
            return Err(
                Failure::usage(format!("--component {id} is there twice")).hint(
                    "images for different slots of one component are told apart by --slot after each",
                ),
            );
        }
        Ok(())
    }
}

impl Component {
    /// Whether the payload has been encrypted before.
    pub(super) fn is_encrypted(&self) -> bool {
        self.encryption_info.is_some()
    }

    fn inputs(&self) -> [Option<&PathBuf>; 3] {
        let info = self.encryption_info.as_ref();
        // What was encrypted before.
        let ciphertext = info.and(self.ciphertext.as_ref());
        [self.payload.as_ref(), info, ciphertext]
    }

    fn is_fetched(&self) -> bool {
        self.uri.as_ref().is_some_and(|uri| !uri.starts_with('#'))
    }

    /// Where the ciphertext goes if the payload is encrypted now and fetched: by default, beside the envelope and under
    /// its name, so that each release has its own.
    fn place_of_ciphertext(&self, envelope: &Path) -> Option<PathBuf> {
        if !self.is_fetched() || self.encryption_info.is_some() {
            return None;
        }
        self.ciphertext.clone().or_else(|| {
            let mut name = match files::is_standard(envelope) {
                true => OsString::new(),
                false => {
                    let mut stem = envelope.file_stem()?.to_owned();
                    stem.push(".");
                    stem
                }
            };
            name.push(self.payload.as_ref()?.file_name()?);
            name.push(".enc");
            Some(envelope.with_file_name(name))
        })
    }

    /// The component and, if it is encrypted now, the ciphertext that devices fetch.
    fn image(
        &self,
        position: usize,
        measure: Measure<'_>,
        encrypted: Option<&Encrypted>,
    ) -> Result<(ComponentBuilder, Option<Vec<u8>>), Failure> {
        let mut image = ComponentBuilder::new(self.id.clone());
        if let Some(slot) = self.slot {
            image = image.slot(slot);
        }
        let path = self.payload.as_ref().ok_or_else(|| {
            Failure::usage(format!("--component {}: --payload is missing", self.id))
                .hint("give the file with the component's content after it; with --uri, it is measured and not carried")
        })?;
        let uri = self.uri.clone().unwrap_or_else(|| match position {
            0 => "#payload".into(),
            position => format!("#payload-{}", position + 1),
        });
        let is_carried = uri.starts_with('#');
        let staging = self.id.clone().joined(STAGING);
        let staging = staging.map_err(|error| Failure::new(error.to_string()));
        self.refuse_ciphertext(encrypted)?;
        if let Some(info) = &self.encryption_info {
            // It has been encrypted before.
            let ciphertext = self.ciphertext.as_ref().ok_or_else(|| {
                Failure::usage(format!("--component {}: --ciphertext is missing", self.id))
                    .hint("with --encryption-info, the payload has been encrypted before; give the file with the ciphertext")
            })?;
            let said = |ciphertext| {
                let plaintext = measure.file(path)?;
                EncryptedImage::new(files::read(info)?, plaintext, Some(ciphertext))
                    .map_err(|error| Failure::file(info, error))
            };
            let image = match is_carried {
                true => {
                    let ciphertext = files::read(ciphertext)?;
                    let said = said(measure.bytes(&ciphertext))?;
                    image.encrypted_integrated(uri, ciphertext, staging?, said)
                }
                false => image.encrypted_uri(uri, staging?, said(measure.file(ciphertext)?)?),
            };
            return Ok((image, None));
        }
        if let Some(to) = encrypted {
            let recipients = to.recipients.all()?;
            let payload = files::read(path)?;
            let (said, ciphertext) =
                to.encryption
                    .encrypt(measure.crypto, Some(&self.id), &recipients, &payload)?;
            return Ok(match is_carried {
                true => {
                    let image = image.encrypted_integrated(uri, ciphertext, staging?, said);
                    (image, None)
                }
                false => (image.encrypted_uri(uri, staging?, said), Some(ciphertext)),
            });
        }
        let image = match is_carried {
            true => {
                let payload = files::read(path)?;
                let (digest, length) = measure.bytes(&payload);
                image
                    .integrated(measure.crypto, uri, payload)
                    .image(digest, length)
            }
            false => {
                let (digest, length) = measure.file(path)?;
                image.uri(uri, digest, length)
            }
        };
        Ok((image, None))
    }

    /// Refuses a place for a ciphertext where there is none.
    fn refuse_ciphertext(&self, encrypted: Option<&Encrypted>) -> Result<(), Failure> {
        let id = &self.id;
        if self.ciphertext.is_none() || self.encryption_info.is_some() {
            return Ok(());
        }
        if encrypted.is_none() {
            return Err(Failure::usage(format!(
                "--component {id}: --ciphertext is for what is encrypted"
            ))
            .hint("give --encrypt-to, or --encryption-info for what was encrypted before"));
        }
        if !self.is_fetched() {
            return Err(Failure::usage(format!(
                "--component {id}: --ciphertext is for what devices fetch from --uri"
            ))
            .hint("give the --uri; without it, the envelope carries the ciphertext"));
        }
        Ok(())
    }
}

/// How content is measured.
#[derive(Clone, Copy)]
struct Measure<'c> {
    algorithm: DigestAlgorithm,
    crypto: &'c CryptoProvider,
}

impl Measure<'_> {
    /// The digest and length of bytes at hand.
    fn bytes(&self, bytes: &[u8]) -> (SuitDigest, u64) {
        let digest = SuitDigest::of(self.crypto, self.algorithm, bytes);
        (digest, bytes.len() as u64)
    }

    /// The digest and length of a file, of any size.
    fn file(&self, path: &Path) -> Result<(SuitDigest, u64), Failure> {
        let mut context = self.crypto.digests.start(self.algorithm);
        let length = files::each_chunk(path, |chunk| context.update(chunk))?;
        let digest = SuitDigest::new(self.algorithm, context.finish().as_ref());
        let digest = digest.ok_or_else(|| Failure::new("the digest has another length"))?;
        Ok((digest, length))
    }
}

/// The last segment of the component in which a ciphertext waits to be decrypted.
const STAGING: &[u8] = b"encrypted";

const COMPONENT: &str = "component";
const PAYLOAD: &str = "payload";
const URI: &str = "uri";
const SLOT: &str = "slot";
const CIPHERTEXT: &str = "ciphertext";
const ENCRYPTION_INFO: &str = "encryption-info";

impl Args for Components {
    fn augment_args(command: Command) -> Command {
        let arg = |name: &'static str, value: &'static str| {
            Arg::new(name)
                .long(name)
                .value_name(value)
                .action(ArgAction::Append)
                .conflicts_with_all(["domain", "from"])
                .help_heading("Components")
        };
        let of_component = |name, value| arg(name, value).requires(COMPONENT);
        command
            .arg(
                arg(COMPONENT, "ID")
                    .value_parser(typed::identifier)
                    .required_unless_present_any(["domain", "from"])
                    .help("A component to install: segments joined by `/`, such as acme/hello. What follows, up to the next --component, is about this one"),
            )
            .arg(
                of_component(PAYLOAD, "FILE")
                    .value_parser(value_parser!(PathBuf))
                    .required_unless_present_any(["domain", "from"])
                    .help("The file with the component's content, which the envelope carries"),
            )
            .arg(
                of_component(URI, "URI")
                    .value_parser(typed::uri)
                    .help("Have devices fetch the content from here instead; `#name` carries it in the envelope under that key"),
            )
            .arg(
                of_component(SLOT, "NUMBER")
                    .value_parser(value_parser!(u64))
                    .help("The slot that this content is for; repeat --component with the same ID for the other slots"),
            )
            .arg(
                of_component(CIPHERTEXT, "FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help("Where the ciphertext goes that devices fetch from --uri; by default beside the envelope, such as lamp-2.app.bin.enc. With --encryption-info, where it is"),
            )
            .arg(
                of_component(ENCRYPTION_INFO, "FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help("The payload has been encrypted with `tamarack manifest encrypt`, which wrote this; --ciphertext is the other file it wrote"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Components {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let components = placed::<ComponentId>(matches, COMPONENT).into_iter();
        let mut components: Vec<(usize, Component)> = components
            .map(|(at, id)| {
                let component = Component {
                    id,
                    payload: None,
                    uri: None,
                    slot: None,
                    ciphertext: None,
                    encryption_info: None,
                };
                (at, component)
            })
            .collect();
        place(matches, PAYLOAD, &mut components, |c| &mut c.payload)?;
        place(matches, URI, &mut components, |c| &mut c.uri)?;
        place(matches, SLOT, &mut components, |c| &mut c.slot)?;
        place(matches, CIPHERTEXT, &mut components, |c| &mut c.ciphertext)?;
        place(matches, ENCRYPTION_INFO, &mut components, |c| {
            &mut c.encryption_info
        })?;
        Ok(Self(components.into_iter().map(|(_, c)| c).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The values of an option with their places on the command line.
fn placed<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> Vec<(usize, T)> {
    let places = matches.indices_of(name).into_iter().flatten();
    let values = matches.get_many::<T>(name).into_iter().flatten().cloned();
    places.zip(values).collect()
}

/// Gives each value of an option to the component before it. An option before the first component is that
/// one's.
fn place<T: Clone + Send + Sync + 'static>(
    matches: &ArgMatches,
    name: &str,
    components: &mut [(usize, Component)],
    field: impl Fn(&mut Component) -> &mut Option<T>,
) -> Result<(), Error> {
    for (at, value) in placed::<T>(matches, name) {
        let before = components.iter().rposition(|(start, _)| *start < at);
        let Some((_, component)) = components.get_mut(before.unwrap_or(0)) else {
            continue;
        };
        let id = component.id.to_string();
        if field(component).replace(value).is_some() {
            let text = format!("--{name} is there twice for --component {id}\n");
            return Err(Error::raw(ErrorKind::ArgumentConflict, text));
        }
    }
    Ok(())
}
