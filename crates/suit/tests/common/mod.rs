//! What the tests of this crate share: keys, vectors, and devices.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test binary uses a part"
)]

mod recipient;
mod recorder;
pub mod sections;

pub use recipient::Recipient;
pub use recorder::{Effect, Recorder, Visible, begun};

use std::{collections::BTreeMap, path::PathBuf};

use tamarack_cose::{
    CryptoProvider, MacAlgorithm, MacKey, PublicKey, SecretKey, SignatureAlgorithm, Signer,
    SymmetricKey,
    cbor::{Problem, Writer},
    rustcrypto,
};
use tamarack_suit::{
    Action, Command, Common, ComponentId, Condition, DeviceError, Envelope, Error, Fetch, Identity,
    IndexArgument, Limits, Manifest, MemoryDevice, NoFetch, Outcome, Parameter, Parameters,
    ReportingPolicy, Section, Sequence, SequenceNumber, Severable, SuitDigest, TrustAnchor,
    TrustAnchors, Uuid,
    author::{ComponentBuilder, Draft, ManifestBuilder},
};

pub fn crypto() -> CryptoProvider {
    rustcrypto::provider()
}

/// The folder of the published vectors, or `None` with a loud note.
pub fn vectors() -> Option<PathBuf> {
    let folder = std::env::var_os("TAMARACK_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: the vectors folder {} does not exist",
        folder.display()
    );
    None
}

pub fn pem(folder: &std::path::Path, name: &str) -> PublicKey {
    let text = std::fs::read_to_string(folder.join("keys").join(name)).unwrap();
    match PublicKey::from_pem(&text) {
        Ok(key) => key,
        Err(_) => *SecretKey::from_pem(&crypto(), &text).unwrap().public_key(),
    }
}

/// A provider's signing key, from a seed.
pub struct Author {
    pub signer: Box<dyn Signer>,
    pub key: PublicKey,
}

pub fn author(seed: u8) -> Author {
    let crypto = crypto();
    let algorithm = match seed % 2 {
        0 => SignatureAlgorithm::Esp256,
        _ => SignatureAlgorithm::Ed25519,
    };
    let secret = SecretKey::from_bytes(&crypto, algorithm, &[seed.max(1); 32]).unwrap();
    Author {
        signer: crypto.signatures.signer(&secret).unwrap(),
        key: *secret.public_key(),
    }
}

/// A key of MACs, from a seed.
pub fn mac_key(seed: u8) -> MacKey {
    MacKey::new(MacAlgorithm::Hmac256, SymmetricKey::new([seed; 32])).unwrap()
}

pub fn anchors(keys: impl IntoIterator<Item = TrustAnchor>) -> TrustAnchors {
    TrustAnchors::new(&crypto(), keys)
}

/// The envelope of a draft, signed by the author that most tests trust.
pub fn signed(draft: &Draft) -> Vec<u8> {
    draft.sign(&crypto(), &[&*author(2).signer]).unwrap()
}

pub fn id(text: &str) -> ComponentId {
    text.parse().unwrap()
}

pub fn vendor() -> Uuid {
    Uuid::vendor("example.com")
}

pub fn class() -> Uuid {
    vendor().class("door")
}

pub fn identity() -> Identity {
    Identity {
        vendors: vec![vendor().into()],
        classes: vec![class()],
        devices: vec![Uuid([7; 16])],
    }
}

pub fn device() -> MemoryDevice {
    MemoryDevice::new(identity())
}

/// The device of the drafts' examples.
pub fn draft_device() -> MemoryDevice {
    let uuid = |text: &str| text.parse::<Uuid>().unwrap();
    MemoryDevice::new(Identity {
        vendors: vec![
            uuid("fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe").into(),
            uuid("c0ddd5f1-5243-5660-87db-4f5b0aa26c2f").into(),
        ],
        classes: vec![
            uuid("1492af14-2569-5e48-bf42-9b2d51f2ab45"),
            uuid("db42f709-3d8c-55ba-a8c5-265fc5820f4e"),
        ],
        devices: vec![],
    })
}

/// Payloads by URI, handed out in small chunks.
#[derive(Default)]
pub struct Server {
    pub files: BTreeMap<String, Vec<u8>>,
    pub requests: Vec<String>,
}

impl Server {
    pub fn with(uri: &str, content: &[u8]) -> Self {
        let mut server = Self::default();
        server.files.insert(uri.into(), content.to_vec());
        server
    }
}

impl Fetch for Server {
    fn fetch(
        &mut self,
        uri: &str,
        _: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        self.requests.push(uri.into());
        let content = self
            .files
            .get(uri)
            .ok_or(DeviceError::Unavailable(uri.into()))?;
        content.chunks(7).try_for_each(sink)
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files of the suit-draft examples lack their first 30 bytes: everything before the tail of the
/// manifest's digest. That follows from the manifest, which is there whole, and the signature vouches
/// for it.
pub fn restore(name: &str, rest: &[u8]) -> Vec<u8> {
    // The element after the wrapper: label 3 and a byte string with the digest that the tail fits.
    (0..rest.len())
        .filter(|at| rest[*at] == 3)
        .find_map(|at| {
            let mut reader = tamarack_cose::cbor::Reader::new(&rest[at + 1..]);
            let restored = restore_before(name, rest, reader.raw("manifest").ok()?);
            let envelope = Envelope::decode(&restored).ok()?;
            let matches = envelope
                .claimed_digest()
                .matches(&crypto(), envelope.manifest_item());
            (matches == Ok(true)).then(|| restored.clone())
        })
        .expect("a manifest")
}

fn restore_before(name: &str, rest: &[u8], manifest: &[u8]) -> Vec<u8> {
    let members = if name == "example2.2.cbor" { 4 } else { 2 };
    let (length, blocks) = if name.ends_with(".0.cbor") {
        (0x27, 0x81)
    } else {
        (0x73, 0x82)
    };
    let digest = [0x58, 0x24, 0x82, 0x2f, 0x58, 0x20];
    let mut envelope = vec![0xd8, 0x6b, 0xa0 | members, 0x02, 0x58, length, blocks];
    envelope.extend(digest);
    envelope.extend(&crypto().sha256(manifest)[..30 - envelope.len()]);
    envelope.extend(rest);
    envelope
}

/// Signs the content of a manifest's byte string, whatever it is.
pub fn sign_raw(author: &Author, manifest: &[u8]) -> Vec<u8> {
    sign_with_members(author, manifest, &[])
}

/// The same with further envelope members, each an encoded key and value.
pub fn sign_with_members(author: &Author, manifest: &[u8], members: &[Vec<u8>]) -> Vec<u8> {
    let item = byte_string(manifest);
    let digest = Writer::build(|w| {
        w.array(2).int(-16).bytes(&crypto().sha256(&item));
    });
    let key_id = author.key.key_id(&crypto());
    let block = tamarack_cose::sign1_detached(&*author.signer, &digest, Some(&key_id)).unwrap();
    let wrapper = Writer::build(|w| {
        w.array(2).bytes(&digest).bytes(&block);
    });
    Writer::build(|w| {
        w.tag(107).map(2 + members.len());
        w.int(2).bytes(&wrapper).int(3).raw(&item);
        for member in members {
            w.raw(member);
        }
    })
}

/// A manifest of one component `a/b` with these encoded sections: label and content.
pub fn raw_manifest(sections: &[(i64, &[u8])]) -> Vec<u8> {
    Writer::build(|w| {
        w.map(3 + sections.len())
            .int(1)
            .uint(1)
            .int(2)
            .uint(1)
            .int(3);
        w.bytes(&Writer::build(|w| {
            w.map(1).int(2).array(1).array(2).bytes(b"a").bytes(b"b");
        }));
        for (label, content) in sections {
            w.int(*label).bytes(content);
        }
    })
}

/// A manifest of components, sections, and a sequence number, signed.
pub fn sign_sections(
    author: &Author,
    components: &[&str],
    sections: Vec<(Section, Vec<Command<'static>>)>,
) -> Vec<u8> {
    let common = Common {
        components: components.iter().map(|text| id(text)).collect(),
        ..Common::default()
    };
    let mut manifest = Manifest::new(SequenceNumber(1), common);
    for (section, commands) in sections {
        manifest.set_section(section, Severable::Inline(commands.into_iter().collect()));
    }
    Draft::new(manifest)
        .sign(&crypto(), &[&*author.signer])
        .unwrap()
}

pub fn set(parameters: impl IntoIterator<Item = Parameter<'static>>) -> Command<'static> {
    Command::OverrideParameters(Parameters::from_list(parameters))
}

pub fn condition(condition: Condition) -> Command<'static> {
    Command::Condition(condition, ReportingPolicy::ALL)
}

pub fn action(action: Action) -> Command<'static> {
    Command::Action(action, ReportingPolicy::ALL)
}

pub fn index(index: u64) -> Command<'static> {
    Command::SetComponentIndex(IndexArgument::One(index))
}

pub fn sequence(commands: impl IntoIterator<Item = Command<'static>>) -> Sequence<'static> {
    commands.into_iter().collect()
}

pub fn try_each(
    alternatives: impl IntoIterator<Item = Vec<Command<'static>>>,
    or_nothing: bool,
) -> Command<'static> {
    Command::TryEach {
        alternatives: alternatives.into_iter().map(sequence).collect(),
        or_nothing,
    }
}

pub fn run(commands: impl IntoIterator<Item = Command<'static>>) -> Command<'static> {
    Command::RunSequence(sequence(commands))
}

pub fn content(bytes: &'static [u8]) -> Parameter<'static> {
    Parameter::Content(bytes.into())
}

pub fn digest_of(bytes: &[u8]) -> Parameter<'static> {
    Parameter::ImageDigest(SuitDigest::sha256(&crypto(), bytes))
}

pub fn uri(uri: &'static str) -> Parameter<'static> {
    Parameter::Uri(uri.into())
}

/// Processes an envelope signed by `author` in a transaction.
pub fn update(device: &mut MemoryDevice, author: &Author, envelope: &[u8]) -> Outcome {
    update_from(device, author, envelope, &mut NoFetch)
}

pub fn update_from(
    device: &mut MemoryDevice,
    author: &Author,
    envelope: &[u8],
    fetch: &mut dyn Fetch,
) -> Outcome {
    let recipient = Recipient::trusting([author.key]);
    in_transaction(device, |device| recipient.update(device, fetch, envelope))
}

pub fn in_transaction(
    device: &mut MemoryDevice,
    work: impl FnOnce(&mut MemoryDevice) -> Outcome,
) -> Outcome {
    device.attempt(work)
}

/// A Trusted Application of `author`, installed at `provider/app/ta`.
pub fn ta(author: &Author, number: u64, payload: &[u8]) -> Vec<u8> {
    ta_draft(number, payload)
        .sign(&crypto(), &[&*author.signer])
        .unwrap()
}

pub fn ta_draft(number: u64, payload: &[u8]) -> Draft {
    ManifestBuilder::new(SequenceNumber(number))
        .manifest_id(id("provider/app/suit"))
        .reference_uri("https://example.com/app.suit")
        .component(
            ComponentBuilder::new(id("provider/app/ta"))
                .vendor(vendor())
                .class(class())
                .integrated(&crypto(), "#ta", payload),
        )
        .build()
        .unwrap()
}

/// The envelope is refused, and the device is as it was, without any transaction.
pub fn refused_untouched(envelope: &[u8]) -> Error {
    let recipient = Recipient::trusting([author(2).key]);
    let mut device = Recorder::new(device());
    let (outcome, effects) = device.observe(&mut NoFetch, |device, fetch| {
        recipient.update(device, fetch, envelope)
    });
    assert_eq!(effects, [], "{:?}", outcome.result);
    assert!(!outcome.report.result.is_success());
    outcome.result.unwrap_err()
}

/// The install section of a manifest with this content, which is one.
pub fn install_decodes(content: &[u8]) -> Sequence<'static> {
    let manifest = raw_manifest(&[(20, content)]);
    let manifest = Manifest::decode(&manifest, &Limits::default()).unwrap();
    let section = manifest.into_owned();
    section
        .section(Section::Install)
        .and_then(Severable::content)
        .unwrap()
        .clone()
}

/// The envelope is refused as above, because it can't be decoded; what is wrong with it.
pub fn problem(envelope: &[u8]) -> Problem {
    match refused_untouched(envelope) {
        Error::Decode(error) => error.problem,
        other => panic!("{other}"),
    }
}

/// The examples of the manifest draft, by name: whole envelopes.
pub fn suit_draft() -> Option<Vec<(String, Vec<u8>)>> {
    let mut files: Vec<_> = vector_files("suit-draft", ".cbor")?
        .into_iter()
        .map(|(name, bytes)| {
            let whole = match bytes.starts_with(&[0xd8, 0x6b]) {
                true => bytes,
                false => restore(&name, &bytes),
            };
            (name, whole)
        })
        .collect();
    files.sort();
    assert_eq!(files.len(), 13);
    Some(files)
}

/// The files of a vectors folder with this ending.
pub fn vector_files(folder: &str, ending: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let folder = vectors()?.join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, path)
    });
    let mut files: Vec<_> = files
        .filter(|(name, _)| name.ends_with(ending))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    Some(files)
}

/// An untagged envelope of an encoded digest, authentication blocks, and the manifest's byte string.
pub fn envelope_of(digest: &[u8], blocks: &[Vec<u8>], manifest_item: &[u8]) -> Vec<u8> {
    let wrapper = Writer::build(|w| {
        w.array(1 + blocks.len()).bytes(digest);
        for block in blocks {
            w.bytes(block);
        }
    });
    Writer::build(|w| {
        w.map(2).int(2).bytes(&wrapper).int(3).raw(manifest_item);
    })
}

/// The byte string with this content.
pub fn byte_string(content: &[u8]) -> Vec<u8> {
    Writer::build(|w| {
        w.bytes(content);
    })
}

/// The array of algorithm and digest.
pub fn encoded_digest(digest: &SuitDigest) -> Vec<u8> {
    Writer::build(|w| {
        w.array(2).int(digest.algorithm_id()).bytes(digest.bytes());
    })
}
