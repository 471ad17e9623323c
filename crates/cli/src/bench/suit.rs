//! `tamarack bench suit`: manifests like the examples of the manifest draft, beside bare primitives.

use std::{hint::black_box, time::Duration};

use clap::Args;
use serde::Serialize;
use tamarack_cose::{
    CryptoProvider, DigestAlgorithm, DigestContext, DigestValue, Digests, PublicKey, SecretKey,
    SignatureAlgorithm, Signatures, Signer, aws_lc,
};
use tamarack_suit::{
    Action, Command, Common, ComponentId, Condition, Device, DeviceError, Fetch, Identity,
    IndexArgument, Manifest, ManifestRecord, Parameter, Parameters, Processor, ReportingPolicy,
    Section, Sequence, SequenceNumber, Severable, SingleAuthority, SuitDigest, Uuid, author::Draft,
};

use super::messages::{failure, time};
use crate::{
    failure::Failure,
    output::{Output, table},
};

/// SUIT manifests like the six examples of the manifest draft: decoded, authenticated and processed.
#[derive(Args)]
pub(crate) struct Suit {
    /// Milliseconds to spend on each figure.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    milliseconds: u64,
}

/// What one example takes.
#[derive(Serialize)]
struct Figure {
    example: u64,
    envelope_bytes: usize,
    /// With primitives that cost nothing: all that is no cryptography.
    own_microseconds: f64,
    /// With real ones.
    microseconds: f64,
    /// A bare signature verification, and the bare hash of what the example installs.
    floor_microseconds: f64,
    /// Measured over floor; 1 would be free.
    ratio: f64,
}

impl Suit {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        let budget = Duration::from_millis(self.milliseconds);
        let real = aws_lc::provider();
        let free = CryptoProvider {
            digests: &Free,
            signatures: &Free,
            ..real
        };
        let mut figures = Vec::new();
        for example in Example::all() {
            figures.push(example.measure(&real, &free, budget)?);
        }
        output.result(&figures, || {
            let row = |figure: &Figure| {
                vec![
                    figure.example.to_string(),
                    figure.envelope_bytes.to_string(),
                    format!("{:.2}", figure.own_microseconds),
                    format!("{:.2}", figure.microseconds),
                    format!("{:.2}", figure.floor_microseconds),
                    format!("{:.3}", figure.ratio),
                ]
            };
            let rows: Vec<_> = figures.iter().map(row).collect();
            table(
                &["EXAMPLE", "BYTES", "OWN µs", "µs", "FLOOR µs", "RATIO"],
                &rows,
            )
        });
        Ok(())
    }
}

/// How often each figure is taken; the least one counts.
const ROUNDS: u32 = 10;
/// Lengths of the two images of the draft; here they are zeros.
const FIRST: usize = 34_768;
const SECOND: usize = 76_834;
const URIS: [&str; 3] = [
    "http://example.com/file.bin",
    "http://example.com/file1.bin",
    "http://example.com/file2.bin",
];

/// A section and its commands.
type SectionCommands = (Section, Vec<Command<'static>>);

/// An example of the manifest draft: what it installs, and how.
struct Example {
    number: u64,
    components: &'static [u8],
    sections: fn(&Images) -> Vec<SectionCommands>,
    shared: fn(&Images) -> Vec<Command<'static>>,
    /// The lengths of what is hashed on the way.
    hashed: &'static [usize],
}

/// The parameters of the two images.
struct Images {
    first: [Parameter<'static>; 2],
    second: [Parameter<'static>; 2],
}

impl Images {
    fn new(crypto: &CryptoProvider) -> Self {
        let image = |length: usize| {
            let digest = SuitDigest::sha256(crypto, &vec![0; length]);
            [
                Parameter::ImageDigest(digest),
                Parameter::ImageSize(length as u64),
            ]
        };
        Self {
            first: image(FIRST),
            second: image(SECOND),
        }
    }

    /// The identifiers and the first image, as five of the examples begin.
    fn identified(&self) -> Vec<Command<'static>> {
        let mut parameters = identifiers().to_vec();
        parameters.extend(self.first.clone());
        vec![
            set(parameters),
            condition(Condition::VendorIdentifier),
            condition(Condition::ClassIdentifier),
        ]
    }
}

fn identifiers() -> [Parameter<'static>; 2] {
    let vendor = Uuid::vendor("arm.com");
    [
        Parameter::VendorId(vendor.into()),
        Parameter::ClassId(vendor.class("bench")),
    ]
}

fn set(parameters: impl IntoIterator<Item = Parameter<'static>>) -> Command<'static> {
    Command::OverrideParameters(Parameters::from_list(parameters))
}

fn uri(uri: &'static str) -> Command<'static> {
    set([Parameter::Uri(uri.into())])
}

fn condition(condition: Condition) -> Command<'static> {
    Command::Condition(condition, ReportingPolicy::ALL)
}

fn action(action: Action) -> Command<'static> {
    Command::Action(action, ReportingPolicy::ON_FAILURE)
}

fn index(index: u64) -> Command<'static> {
    Command::SetComponentIndex(IndexArgument::One(index))
}

fn fetch(from: &'static str) -> Vec<Command<'static>> {
    vec![uri(from), action(Action::Fetch), matches()]
}

fn copy(index: u64) -> Vec<Command<'static>> {
    vec![
        set([Parameter::SourceComponent(index)]),
        action(Action::Copy),
        matches(),
    ]
}

fn matches() -> Command<'static> {
    condition(Condition::ImageMatch)
}

/// Alternatives for slot 0 and slot 1.
fn by_slot(first: Command<'static>, second: Command<'static>) -> Command<'static> {
    let policy = ReportingPolicy::new(5).unwrap_or_default();
    let alternative = |slot, then| {
        let commands = [
            set([Parameter::ComponentSlot(slot)]),
            Command::Condition(Condition::ComponentSlot, policy),
            then,
        ];
        commands.into_iter().collect()
    };
    Command::TryEach {
        alternatives: vec![alternative(0, first), alternative(1, second)],
        or_nothing: false,
    }
}

fn sequence(parts: impl IntoIterator<Item = Vec<Command<'static>>>) -> Vec<Command<'static>> {
    parts.into_iter().flatten().collect()
}

impl Example {
    fn all() -> [Self; 6] {
        [
            Self {
                number: 0,
                components: &[0],
                shared: Images::identified,
                sections: |_| {
                    vec![
                        (Section::Validate, vec![matches()]),
                        (Section::Invoke, vec![action(Action::Invoke)]),
                    ]
                },
                hashed: &[FIRST],
            },
            Self {
                number: 1,
                components: &[0],
                shared: Images::identified,
                sections: |_| {
                    vec![
                        (Section::Validate, vec![matches()]),
                        (Section::Install, fetch(URIS[0])),
                    ]
                },
                hashed: &[FIRST],
            },
            Self {
                number: 2,
                components: &[0],
                shared: Images::identified,
                sections: |_| {
                    vec![
                        (Section::Validate, vec![matches()]),
                        (Section::Invoke, vec![action(Action::Invoke)]),
                        (Section::Install, fetch(URIS[0])),
                    ]
                },
                hashed: &[FIRST],
            },
            Self {
                number: 3,
                components: &[0],
                shared: |images| {
                    vec![
                        set(identifiers()),
                        by_slot(set(images.first.clone()), set(images.second.clone())),
                        condition(Condition::VendorIdentifier),
                        condition(Condition::ClassIdentifier),
                    ]
                },
                sections: |_| {
                    vec![
                        (Section::Validate, vec![matches()]),
                        (
                            Section::Install,
                            vec![
                                by_slot(uri(URIS[1]), uri(URIS[2])),
                                action(Action::Fetch),
                                matches(),
                            ],
                        ),
                    ]
                },
                hashed: &[SECOND],
            },
            Self {
                number: 4,
                components: &[0, 2, 1],
                shared: |images| sequence([vec![index(0)], images.identified()]),
                sections: |images| {
                    let [digest, _] = images.first.clone();
                    vec![
                        (Section::Validate, vec![index(0), matches()]),
                        (
                            Section::Load,
                            sequence([vec![index(2), set(images.first.clone())], copy(0)]),
                        ),
                        (Section::Invoke, vec![index(2), action(Action::Invoke)]),
                        (
                            Section::PayloadFetch,
                            sequence([vec![index(1), set([digest])], fetch(URIS[0])]),
                        ),
                        (Section::Install, sequence([vec![index(0)], copy(1)])),
                    ]
                },
                hashed: &[FIRST, FIRST],
            },
            Self {
                number: 5,
                components: &[0, 1],
                shared: |images| {
                    sequence([
                        vec![index(0)],
                        images.identified(),
                        vec![index(1), set(images.second.clone())],
                    ])
                },
                sections: |_| {
                    vec![
                        (
                            Section::Validate,
                            vec![index(0), matches(), index(1), matches()],
                        ),
                        (Section::Invoke, vec![index(0), action(Action::Invoke)]),
                        (
                            Section::Install,
                            sequence([
                                vec![index(0)],
                                fetch(URIS[1]),
                                vec![index(1)],
                                fetch(URIS[2]),
                            ]),
                        ),
                    ]
                },
                hashed: &[FIRST, SECOND],
            },
        ]
    }

    fn measure(
        &self,
        real: &CryptoProvider,
        free: &CryptoProvider,
        budget: Duration,
    ) -> Result<Figure, Failure> {
        let key = SecretKey::generate(real, SignatureAlgorithm::Esp256)?;
        let signer = real.signatures.signer(&key)?;
        let trusted = [*key.public_key()];
        let free_envelope = self.envelope(free, &*signer)?;
        let envelope = self.envelope(real, &*signer)?;
        let message = [0; 80];
        let signature = signer.sign(&message)?;
        let contents: Vec<_> = self.hashed.iter().map(|length| vec![0; *length]).collect();
        let mut figures = [f64::MAX; 3];
        // In turns, so that what else the machine does meets all of them.
        for _ in 0..ROUNDS {
            let budget = budget / ROUNDS;
            let own = self.time(free, &trusted, &free_envelope, budget)?;
            let all = self.time(real, &trusted, &envelope, budget)?;
            let floor = time(budget, || {
                for content in &contents {
                    black_box(real.sha256(black_box(content)));
                }
                real.signatures.verify(&trusted[0], &message, &signature)
            })?;
            for (least, figure) in figures.iter_mut().zip([own, all, floor]) {
                *least = least.min(figure);
            }
        }
        let [own_microseconds, microseconds, floor_microseconds] = figures;
        Ok(Figure {
            example: self.number,
            envelope_bytes: envelope.len(),
            own_microseconds,
            microseconds,
            floor_microseconds,
            ratio: microseconds / floor_microseconds,
        })
    }

    /// The signed envelope, with digests by `crypto`.
    fn envelope(&self, crypto: &CryptoProvider, signer: &dyn Signer) -> Result<Vec<u8>, Failure> {
        let images = Images::new(crypto);
        let id = |name: &u8| ComponentId::new([[*name]]).map_err(failure);
        let common = Common {
            components: self.components.iter().map(id).collect::<Result<_, _>>()?,
            shared_sequence: Some((self.shared)(&images).into_iter().collect()),
            ..Common::default()
        };
        let mut manifest = Manifest::new(SequenceNumber(self.number), common);
        for (section, commands) in (self.sections)(&images) {
            let commands: Sequence<'static> = commands.into_iter().collect();
            manifest.set_section(section, Severable::Inline(commands));
        }
        let mut draft = Draft::new(manifest);
        if self.number == 2 {
            draft = draft.sever(crypto, Section::Install);
        }
        Ok(draft.sign(crypto, &[signer])?)
    }

    fn time(
        &self,
        crypto: &CryptoProvider,
        trusted: &[PublicKey],
        envelope: &[u8],
        budget: Duration,
    ) -> Result<f64, Failure> {
        let mut device = Zeros::new(self)?;
        let mut server = Server(vec![0; SECOND]);
        let processor = Processor::new(crypto, trusted, &SingleAuthority);
        time(budget, || {
            device.reset();
            let outcome = processor.update_bytes(&mut device, &mut server, envelope);
            black_box(&outcome);
            outcome.result.map_err(failure)
        })
    }
}

/// Primitives that take no time: one digest for everything, and every signature is right.
struct Free;

impl Digests for Free {
    fn start(&self, _: DigestAlgorithm) -> Box<dyn DigestContext> {
        Box::new(Self)
    }
}

impl DigestContext for Free {
    fn update(&mut self, _: &[u8]) {}

    fn finish(self: Box<Self>) -> DigestValue {
        DigestValue::new(&[7; 32])
    }
}

impl Signatures for Free {
    fn verify(&self, _: &PublicKey, _: &[u8], _: &[u8]) -> Result<(), tamarack_cose::Error> {
        Ok(())
    }

    fn public_key(
        &self,
        _: SignatureAlgorithm,
        _: &[u8; 32],
    ) -> Result<PublicKey, tamarack_cose::Error> {
        Err(tamarack_cose::Error::Crypto("not measured"))
    }

    fn signer(&self, _: &SecretKey) -> Result<Box<dyn Signer>, tamarack_cose::Error> {
        Err(tamarack_cose::Error::Crypto("not measured"))
    }
}

/// Hands over as many zeros as the image at a URI has.
struct Server(Vec<u8>);

impl Fetch for Server {
    fn fetch(
        &mut self,
        uri: &str,
        _: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        let length = if uri == URIS[2] { SECOND } else { FIRST };
        sink(self.0.get(..length).unwrap_or_default())
    }
}

/// A device whose components hold zeros, which take no time to store.
struct Zeros {
    identity: Identity,
    lengths: Vec<(ComponentId, Option<u64>)>,
    /// Whether the first component is there before anything is installed.
    installed: bool,
}

impl Zeros {
    fn new(example: &Example) -> Result<Self, Failure> {
        let vendor = Uuid::vendor("arm.com");
        let id = |name: &u8| ComponentId::new([[*name]]).map_err(failure);
        let ids = example.components.iter().map(id);
        Ok(Self {
            identity: Identity {
                vendors: vec![vendor.into()],
                classes: vec![vendor.class("bench")],
                devices: Vec::new(),
            },
            lengths: ids
                .map(|id| Ok((id?, None)))
                .collect::<Result<_, Failure>>()?,
            installed: example.number == 0,
        })
    }

    fn reset(&mut self) {
        for (_, length) in &mut self.lengths {
            *length = self.installed.then_some(FIRST as u64);
        }
    }

    fn length_mut(&mut self, component: &ComponentId) -> Result<&mut Option<u64>, DeviceError> {
        let mut lengths = self.lengths.iter_mut();
        let found = lengths.find(|(id, _)| id == component);
        found
            .map(|(_, length)| length)
            .ok_or(DeviceError::Unsupported)
    }
}

impl Device for Zeros {
    fn identity(&self, _: &ComponentId) -> &Identity {
        &self.identity
    }

    fn supports(&self, _: &ComponentId) -> bool {
        true
    }

    fn length(&mut self, component: &ComponentId) -> Result<Option<u64>, DeviceError> {
        self.length_mut(component).map(|length| *length)
    }

    fn read_at(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, DeviceError> {
        let length = self.length(component)?.unwrap_or_default();
        let left = usize::try_from(length.saturating_sub(offset)).unwrap_or_default();
        // The buffer is zeros already.
        Ok(left.min(buffer.len()))
    }

    fn begin(&mut self, component: &ComponentId, _: Option<u64>) -> Result<(), DeviceError> {
        *self.length_mut(component)? = Some(0);
        Ok(())
    }

    fn append(&mut self, component: &ComponentId, chunk: &[u8]) -> Result<(), DeviceError> {
        let length = self.length_mut(component)?;
        *length = Some(length.unwrap_or_default() + chunk.len() as u64);
        Ok(())
    }

    fn finish(&mut self, _: &ComponentId) -> Result<(), DeviceError> {
        Ok(())
    }

    fn remove(&mut self, component: &ComponentId) -> Result<(), DeviceError> {
        *self.length_mut(component)? = None;
        Ok(())
    }

    fn slot(&mut self, _: &ComponentId) -> Option<u64> {
        Some(1)
    }

    fn manifest(&mut self, _: &ComponentId) -> Result<Option<ManifestRecord>, DeviceError> {
        Ok(None)
    }

    fn manifests(&mut self) -> Result<Vec<ManifestRecord>, DeviceError> {
        Ok(Vec::new())
    }

    fn record_manifest(
        &mut self,
        record: &ManifestRecord,
        envelope: &[u8],
    ) -> Result<(), DeviceError> {
        black_box((record, envelope));
        Ok(())
    }

    fn forget_manifest(&mut self, _: &ComponentId) -> Result<(), DeviceError> {
        Ok(())
    }
}
