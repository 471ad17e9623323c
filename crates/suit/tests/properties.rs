//! Properties that hold for any input.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use std::sync::LazyLock;

use common::*;
use proptest::{collection::vec, option, prelude::*};
use tamarack_suit::{
    Access, Action, Command, Common, ComponentId, Condition, Device, Envelope, IndexArgument,
    Limits, Manifest, NoFetch, Parameter, Parameters, Processor, ReportingPolicy, Section,
    Sequence, SequenceNumber, Severable, SuitDigest, Uuid, author::Draft, explain::describe,
    report::Report,
};

static AUTHOR: LazyLock<Author> = LazyLock::new(|| author(3));

fn parameter() -> impl Strategy<Value = Parameter<'static>> {
    prop_oneof![
        Just(Parameter::VendorId(vendor().into())),
        any::<[u8; 16]>().prop_map(|id| Parameter::ClassId(Uuid(id))),
        vec(any::<u8>(), 0..6).prop_map(|data| digest_of(&data)),
        any::<u64>().prop_map(Parameter::UseBefore),
        (0..3_u64).prop_map(Parameter::ComponentSlot),
        any::<bool>().prop_map(Parameter::StrictOrder),
        any::<bool>().prop_map(Parameter::SoftFailure),
        (0..6_u64).prop_map(Parameter::ImageSize),
        vec(any::<u8>(), 0..6).prop_map(|data| Parameter::Content(data.into())),
        prop_oneof![Just("#a"), Just("#b"), Just("coap://x")].prop_map(uri),
        (0..4_u64).prop_map(Parameter::SourceComponent),
        vec(any::<u8>(), 0..6).prop_map(|data| Parameter::InvokeArguments(data.into())),
    ]
}

fn rare_parameter() -> impl Strategy<Value = Parameter<'static>> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(|id| Parameter::DeviceId(Uuid(id))),
        vec(any::<u8>(), 0..6).prop_map(|data| Parameter::FetchArguments(data.into())),
        any::<u64>().prop_map(Parameter::MinimumBattery),
        any::<i64>().prop_map(Parameter::UpdatePriority),
        (i64::MIN..-256).prop_map(|label| Parameter::Other {
            label,
            value: vec![0xf5].into()
        }),
        (31..i64::MAX).prop_map(|label| Parameter::Other {
            label,
            value: vec![0x61, b'x'].into()
        }),
    ]
}

fn parameters(all: bool) -> impl Strategy<Value = Parameters<'static>> {
    let one = if all {
        prop_oneof![parameter(), rare_parameter()].boxed()
    } else {
        parameter().boxed()
    };
    vec(one, 1..5).prop_map(Parameters::from_list)
}

fn command(all: bool) -> impl Strategy<Value = Command<'static>> {
    use Condition as C;
    let policy = (0..16_u8).prop_map(|bits| ReportingPolicy::new(bits).unwrap());
    let conditions = prop_oneof![
        Just(C::VendorIdentifier),
        Just(C::ClassIdentifier),
        Just(C::ImageMatch),
        Just(C::UseBefore),
        Just(C::ComponentSlot),
        Just(C::CheckContent),
        Just(C::DependencyIntegrity),
        Just(C::IsDependency),
        Just(C::Abort),
        Just(C::ImageNotMatch),
    ];
    let actions = prop_oneof![
        Just(Action::ProcessDependency),
        Just(Action::Write),
        Just(Action::Fetch),
        Just(Action::Copy),
        Just(Action::Invoke),
        Just(Action::Swap),
        Just(Action::Unlink),
    ];
    let indices = prop_oneof![
        (0..3_u64).prop_map(IndexArgument::One),
        Just(IndexArgument::All),
        vec(0..3_u64, 1..4).prop_map(IndexArgument::List),
    ];
    let leaf = prop_oneof![
        3 => (conditions, policy.clone()).prop_map(|(c, p)| Command::Condition(c, p)),
        3 => (actions, policy).prop_map(|(a, p)| Command::Action(a, p)),
        2 => indices.prop_map(Command::SetComponentIndex),
        3 => parameters(all).prop_map(Command::OverrideParameters),
        1 => parameters(all).prop_map(Command::SetParameters),
        1 => vec((0..3_u64, vec(1..30_i64, 1..3)), 1..2).prop_map(Command::CopyParameters),
        1 => vec((0..3_u64, parameters(all)), 1..2).prop_map(Command::OverrideMultiple),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let sequence = vec(inner, 1..4).prop_map(|commands| commands.into_iter().collect());
        prop_oneof![
            (vec(sequence.clone(), 1..3), any::<bool>()).prop_map(|(alternatives, or_nothing)| {
                Command::TryEach {
                    alternatives,
                    or_nothing,
                }
            }),
            sequence.prop_map(Command::RunSequence),
        ]
    })
}

fn sequence(all: bool) -> impl Strategy<Value = Sequence<'static>> {
    vec(command(all), 1..8).prop_map(|commands| {
        let start = Command::SetComponentIndex(IndexArgument::One(0));
        std::iter::once(start).chain(commands).collect()
    })
}

fn manifest(all: bool) -> impl Strategy<Value = Manifest<'static>> {
    let section = || option::of(sequence(all));
    (
        any::<u64>(),
        option::of("[a-z]{0,9}"),
        any::<bool>(),
        vec(section(), 8),
    )
        .prop_map(|(number, reference, placed, sections)| {
            let common = Common {
                components: vec![id("mine/a"), id("mine/b"), id("theirs/c")],
                ..Common::default()
            };
            let mut manifest = Manifest::new(SequenceNumber(number), common);
            manifest.reference_uri = reference.map(Into::into);
            manifest.component_id = placed.then(|| id("mine/manifest"));
            for (name, sequence) in Section::ALL.into_iter().zip(sections) {
                if let Some(sequence) = sequence {
                    manifest.set_section(name, Severable::Inline(sequence));
                }
            }
            manifest
        })
}

/// A device that remembers every identifier whose content somebody tried to change.
struct Watched {
    inner: tamarack_suit::MemoryDevice,
    touched: Vec<ComponentId>,
}

impl Device for Watched {
    fn identity(&self, component: &ComponentId) -> &tamarack_suit::Identity {
        self.inner.identity(component)
    }
    fn supports(&self, component: &ComponentId) -> bool {
        self.inner.supports(component)
    }
    fn length(
        &mut self,
        component: &ComponentId,
    ) -> Result<Option<u64>, tamarack_suit::DeviceError> {
        self.inner.length(component)
    }
    fn read_at(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, tamarack_suit::DeviceError> {
        // Short reads are legal.
        let most = buffer.len().min(3);
        self.inner.read_at(component, offset, &mut buffer[..most])
    }
    fn begin(
        &mut self,
        component: &ComponentId,
        length: Option<u64>,
    ) -> Result<(), tamarack_suit::DeviceError> {
        self.touched.push(component.clone());
        self.inner.begin(component, length)
    }
    fn append(
        &mut self,
        component: &ComponentId,
        chunk: &[u8],
    ) -> Result<(), tamarack_suit::DeviceError> {
        self.inner.append(component, chunk)
    }
    fn finish(&mut self, component: &ComponentId) -> Result<(), tamarack_suit::DeviceError> {
        self.inner.finish(component)
    }
    fn remove(&mut self, component: &ComponentId) -> Result<(), tamarack_suit::DeviceError> {
        self.touched.push(component.clone());
        self.inner.remove(component)
    }
    fn swap(
        &mut self,
        one: &ComponentId,
        other: &ComponentId,
    ) -> Result<(), tamarack_suit::DeviceError> {
        self.touched.extend([one.clone(), other.clone()]);
        self.inner.swap(one, other)
    }
    fn invoke(
        &mut self,
        component: &ComponentId,
        arguments: Option<&[u8]>,
    ) -> Result<(), tamarack_suit::DeviceError> {
        self.touched.push(component.clone());
        self.inner.invoke(component, arguments)
    }
    fn manifest(
        &mut self,
        id: &ComponentId,
    ) -> Result<Option<tamarack_suit::ManifestRecord>, tamarack_suit::DeviceError> {
        self.inner.manifest(id)
    }
    fn manifests(
        &mut self,
    ) -> Result<Vec<tamarack_suit::ManifestRecord>, tamarack_suit::DeviceError> {
        self.inner.manifests()
    }
    fn record_manifest(
        &mut self,
        record: &tamarack_suit::ManifestRecord,
        envelope: &[u8],
    ) -> Result<(), tamarack_suit::DeviceError> {
        self.touched.push(record.id.clone());
        self.inner.record_manifest(record, envelope)
    }
    fn forget_manifest(&mut self, id: &ComponentId) -> Result<(), tamarack_suit::DeviceError> {
        self.inner.forget_manifest(id)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // req: SUIT-FMT-001, SUIT-FMT-002
    #[test]
    fn manifests_round_trip(manifest in manifest(true)) {
        let encoded = manifest.encode();
        let decoded = Manifest::decode(&encoded, &Limits::default()).unwrap();
        prop_assert_eq!(decoded.encode(), encoded.clone());
        prop_assert_eq!(decoded.clone().into_owned(), decoded.clone());
        let again = decoded.encode();
        let again = Manifest::decode(&again, &Limits::default()).unwrap();
        prop_assert_eq!(&again, &decoded);
        // Every offset is that of the command's label.
        for (_, sequence) in decoded.sections() {
            let sequence = sequence.content().unwrap();
            let encoded = sequence.encode();
            for located in sequence.walk() {
                let at = usize::try_from(located.offset).unwrap();
                let mut reader = tamarack_cose::cbor::Reader::new(&encoded[at..]);
                prop_assert_eq!(reader.int("label").unwrap(), located.command.label());
            }
        }
    }

    // No panic, no end without a report, nothing touched beyond what the signer may, and nothing at all
    // if it names something that it may not.
    #[test]
    fn any_manifest_is_processed_or_refused(manifest in manifest(false), rights in any::<bool>()) {
        let crypto = crypto();
        let trusted = [AUTHOR.key];
        let allowed = |_: &[tamarack_suit::Authority], _: Access, component: &ComponentId| {
            rights || component.starts_with(&id("mine"))
        };
        let processor = Processor::new(&crypto, &trusted, &allowed);
        let envelope = Draft::new(manifest)
            .with_integrated("#a", b"aaa".as_slice())
            .sign(&crypto, &[&*AUTHOR.signer])
            .unwrap();
        let mut device = Watched { inner: device(), touched: vec![] };
        device.inner.put(&id("mine/b"), b"bb");
        device.inner.put(&id("unrelated"), b"u");
        let mut server = Server::with("coap://x", b"xxxx");
        let outcome = processor.update_bytes(&mut device, &mut server, &envelope);
        prop_assert_eq!(outcome.result.is_ok(), outcome.report.result.is_success());
        let bytes = outcome.report.encode();
        prop_assert_eq!(Report::decode(&bytes).unwrap(), outcome.report);
        if !rights {
            prop_assert!(outcome.result.is_err());
            prop_assert!(device.touched.is_empty());
        }
        let declared = ["mine/a", "mine/b", "theirs/c", "mine/manifest", "mine/a/suit"].map(id);
        prop_assert!(device.touched.iter().all(|component| declared.contains(component)));
        prop_assert_eq!(device.inner.content(&id("unrelated")), Some(&b"u"[..]));
        if outcome.result.is_ok() {
            for place in ["mine/manifest", "mine/a/suit"] {
                let _ = processor.invoke(&mut device, &mut NoFetch, &id(place));
                let _ = processor.uninstall(&mut device, &mut NoFetch, &id(place));
            }
        }
    }

    #[test]
    fn decoders_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(envelope) = Envelope::decode(&bytes) {
            let _ = describe(&envelope, Some(&crypto())).to_string();
        }
        let _ = Manifest::decode(&bytes, &Limits::default());
        let _ = Report::decode(&bytes);
        let _ = tamarack_suit::Text::decode(&bytes, &Limits::default());
    }

    #[test]
    fn decoders_of_almost_good_input_never_panic(
        manifest in manifest(true), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = manifest.encode();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(decoded) = Manifest::decode(&bytes, &Limits::default()) {
            let encoded = decoded.encode();
            prop_assert_eq!(Manifest::decode(&encoded, &Limits::default()).unwrap().encode(), encoded);
        }
        // Under a good signature too.
        let envelope = sign_raw(&AUTHOR, &bytes);
        let decoded = Envelope::decode(&envelope).unwrap();
        let _ = describe(&decoded, None).to_string();
        prop_assert_eq!(decoded.encode(), envelope.clone());
        let _ = update(&mut device(), &AUTHOR, &envelope);
    }

    #[test]
    fn digests_compare(one in vec(any::<u8>(), 0..40), other in vec(any::<u8>(), 0..40)) {
        let digest = |data: &[u8]| SuitDigest::sha256(&crypto(), data);
        prop_assert_eq!(digest(&one) == digest(&other), one == other);
        prop_assert!(digest(&one).matches(&crypto(), &one).unwrap());
    }
}
