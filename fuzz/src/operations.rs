//! Envelopes from lists of operations: every byte decides something, and every list makes an envelope.

use std::{borrow::Cow, slice::Iter};

use tamarack_cose::SignatureAlgorithm::{Ed25519, Esp256};
use tamarack_suit::{
    Action, Command, Common, Comparison, ComponentId, ComponentMetadata, Condition, Dependency,
    FileType, IndexArgument, Manifest, Parameter, Parameters, ReportingPolicy, Section, Sequence,
    SequenceNumber, Severable, SuitDigest, Uuid, Version, VersionMatch, WaitEvent, WaitInfo,
    author::{ComponentBuilder, Draft, ManifestBuilder},
};

use crate::{insecure, process};

const CONDITIONS: [Condition; 14] = [
    Condition::ImageMatch,
    Condition::DependencyIntegrity,
    Condition::VendorIdentifier,
    Condition::ClassIdentifier,
    Condition::CheckContent,
    Condition::UseBefore,
    Condition::ComponentSlot,
    Condition::IsDependency,
    Condition::Abort,
    Condition::DeviceIdentifier,
    Condition::ImageNotMatch,
    Condition::MinimumBattery,
    Condition::UpdateAuthorized,
    Condition::Version,
];

const ACTIONS: [Action; 8] = [
    Action::Write,
    Action::Fetch,
    Action::Copy,
    Action::Swap,
    Action::ProcessDependency,
    Action::Unlink,
    Action::Invoke,
    Action::Wait,
];

/// Identifiers that are worth a collision: of both signers, of nobody, of manifests, prefixes of others.
const NAMES: [&str; 16] = [
    "acme/a",
    "acme/b",
    "acme/c/d",
    "acme",
    "acme/lock.suit",
    "acme/app.suit",
    "acme/a/suit",
    "beta/a",
    "beta/b",
    "beta",
    "beta/lock.suit",
    "beta/base.suit",
    "beta/base",
    "gamma/x",
    "acmee/a",
    "",
];

const URIS: [&str; 6] = ["#a", "#b", "#0", "#1", "https://example.com/a", "#none"];

/// What is installed before anything else: a manifest of the second signer.
pub fn foundation() -> Vec<u8> {
    let draft = ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("beta/base.suit"))
        .component(ComponentBuilder::new(id("beta/base")).content(&insecure::provider(), *b"base"))
        .build()
        .expect("a manifest");
    sign(&draft, 2)
}

/// The envelope that a list of operations makes.
pub fn envelope(operations: &[u8]) -> Vec<u8> {
    let mut input = Input(operations.iter());
    make(&mut input, 2)
}

struct Input<'d>(Iter<'d, u8>);

impl Input<'_> {
    /// The next byte; zeros at the end, so that every list ends.
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or_default()
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

fn id(text: &str) -> ComponentId {
    text.parse().expect("an identifier")
}

fn sign(draft: &Draft, who: u8) -> Vec<u8> {
    let signers = [Esp256, Ed25519].map(insecure::signer);
    let signers = match who % 4 {
        0 | 1 => vec![&*signers[0]],
        2 => vec![&*signers[1]],
        _ => vec![&*signers[0], &*signers[1]],
    };
    draft.sign(&insecure::provider(), &signers).expect("signs")
}

fn make(input: &mut Input<'_>, depth: usize) -> Vec<u8> {
    let components = (0..1 + input.below(4)).map(|_| id(input.pick(&NAMES)));
    let components: Vec<_> = components.collect();
    let mut dependencies = Vec::new();
    if depth > 0 {
        for at in 0..input.below(3) {
            // Beyond the components, or one of them.
            let beyond = components.len() + at;
            let (index, prefix) = match input.below(4) {
                0 => (at % components.len(), None),
                1 => (at % components.len(), Some(id(input.pick(&NAMES)))),
                _ => (beyond, Some(id(input.pick(&NAMES)))),
            };
            let index = index as u64;
            if dependencies.iter().all(|other: &Dependency| other.index != index) {
                dependencies.push(Dependency { index, prefix });
            }
        }
        dependencies.sort_by_key(|dependency| dependency.index);
    }
    let carried: Vec<_> = (0..dependencies.len()).map(|_| input.below(3)).collect();
    let shared = match input.below(3) {
        0 => None,
        _ => Some(sequence(input, 1, true)),
    };
    let common = Common {
        components,
        dependencies,
        shared_sequence: shared,
    };
    let mut manifest = Manifest::new(SequenceNumber(u64::from(input.byte() % 4)), common);
    if input.below(4) > 0 {
        manifest.component_id = Some(id(input.pick(&NAMES)));
    }
    if input.below(4) == 0 {
        manifest.set_version = Some(Version(vec![1, i64::from(input.byte())]));
    }
    let sections = input.byte();
    for (bit, section) in Section::ALL.into_iter().enumerate() {
        if sections & (1 << bit) != 0 {
            let sequence = sequence(input, 2, false);
            manifest.set_section(section, Severable::Inline(sequence));
        }
    }
    let (who, severed, payload) = (input.byte(), input.byte(), input.below(40));
    let crypto = insecure::provider();
    let mut draft = Draft::new(manifest)
        .with_integrated("#a", vec![b'a'; payload])
        .with_integrated("#b", *b"");
    for (at, carried) in carried.into_iter().enumerate() {
        let content = match carried {
            0 => make(input, depth - 1),
            1 => foundation(),
            _ => b"junk".to_vec(),
        };
        draft = draft.with_integrated(format!("#{at}"), content);
    }
    if severed % 4 == 0 {
        draft = draft.sever_large(&crypto);
    }
    sign(&draft, who)
}

fn sequence(input: &mut Input<'_>, depth: usize, shared: bool) -> Sequence<'static> {
    let count = 1 + input.below(8);
    let mut commands = Vec::new();
    // With several components, a sequence that does not begin like this is refused.
    if input.below(8) > 0 {
        commands.push(Command::SetComponentIndex(index(input)));
    }
    for _ in 0..count {
        commands.push(command(input, depth, shared));
        if input.is_empty() {
            break;
        }
    }
    commands.into_iter().collect()
}

fn index(input: &mut Input<'_>) -> IndexArgument {
    match input.below(8) {
        0 => IndexArgument::All,
        1 => IndexArgument::List((0..1 + input.below(3)).map(|_| input.byte() as u64 % 5).collect()),
        _ => IndexArgument::One(u64::from(input.byte() % 5)),
    }
}

fn policy(input: &mut Input<'_>) -> ReportingPolicy {
    ReportingPolicy::new(input.byte() % 16).unwrap_or_default()
}

fn command(input: &mut Input<'_>, depth: usize, shared: bool) -> Command<'static> {
    match input.below(20) {
        0..=4 => Command::Condition(input.pick(&CONDITIONS), policy(input)),
        5..=9 if !shared => Command::Action(input.pick(&ACTIONS), policy(input)),
        5..=11 => Command::OverrideParameters(parameters(input)),
        12 | 13 => Command::SetParameters(parameters(input)),
        14 => Command::SetComponentIndex(index(input)),
        15 if depth > 0 => Command::TryEach {
            alternatives: (0..1 + input.below(3))
                .map(|_| sequence(input, depth - 1, shared))
                .collect(),
            or_nothing: input.below(2) == 0,
        },
        16 if depth > 0 => Command::RunSequence(sequence(input, depth - 1, shared)),
        17 if !shared => {
            let list = (0..1 + input.below(3) as u64).map(|index| (index, parameters(input)));
            Command::OverrideMultiple(list.collect())
        }
        18 if !shared => {
            let labels = (0..1 + input.below(3)).map(|_| i64::from(input.byte() % 32));
            let labels = labels.collect();
            Command::CopyParameters(vec![(u64::from(input.byte() % 5), labels)])
        }
        19 if input.below(16) == 0 => Command::Other {
            label: -i64::from(input.byte()) - 1,
            argument: Cow::Borrowed(&[0xf6]),
        },
        _ => Command::Condition(Condition::ImageMatch, policy(input)),
    }
}

fn parameters(input: &mut Input<'_>) -> Parameters<'static> {
    let count = 1 + input.below(4);
    Parameters::from_list((0..count).map(|_| parameter(input)))
}

fn parameter(input: &mut Input<'_>) -> Parameter<'static> {
    let vendor = Uuid::vendor("example.com");
    match input.below(24) {
        0 | 1 => Parameter::ImageDigest(SuitDigest::sha256(&insecure::provider(), b"")),
        2 | 3 => Parameter::Content(vec![input.byte(); input.below(100)].into()),
        4..=6 => Parameter::Uri(input.pick(&URIS).into()),
        7 | 8 => Parameter::SourceComponent(u64::from(input.byte() % 5)),
        9 | 10 => Parameter::ImageSize(u64::from(input.byte() % 64)),
        11 => Parameter::VendorId(vendor.into()),
        12 => Parameter::ClassId(vendor.class("door lock")),
        13 => Parameter::StrictOrder(input.below(2) == 0),
        14 => Parameter::SoftFailure(input.below(2) == 0),
        15 => Parameter::EncryptionInfo(process::encryption_info().into()),
        16 => Parameter::UseBefore(u64::from(input.byte()) << 13),
        17 => Parameter::ComponentSlot(u64::from(input.byte())),
        18 => Parameter::InvokeArguments(vec![input.byte()].into()),
        19 => Parameter::MinimumBattery(u64::from(input.byte())),
        20 => Parameter::UpdatePriority(i64::from(input.byte()) - 128),
        21 => Parameter::Version(VersionMatch {
            comparison: Comparison::GreaterEqual,
            version: Version(vec![1, i64::from(input.byte())]),
        }),
        22 => {
            let event = match input.below(4) {
                0 => WaitEvent::Power(i64::from(input.byte() % 3)),
                1 => WaitEvent::Authorization(i64::from(input.byte()) - 128),
                2 => WaitEvent::Time(u64::from(input.byte()) << 13),
                _ => WaitEvent::TimeOfDay(u64::from(input.byte()) << 9),
            };
            let info = WaitInfo::new(vec![event]).expect("one event");
            Parameter::WaitInfo(info.encode().into())
        }
        _ => {
            let metadata = ComponentMetadata {
                file_type: Some(input.pick(&[
                    FileType::Regular,
                    FileType::Directory,
                    FileType::SymbolicLink,
                ])),
                ..ComponentMetadata::default()
            };
            Parameter::ComponentMetadata(metadata.encode().into())
        }
    }
}
