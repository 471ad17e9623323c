//! Manifests of any commands in any order: most of them make no sense.

use proptest::{collection::vec, option, prelude::*};
use tamarack_suit::{
    Action, Command, Common, Condition, IndexArgument, Manifest, Parameter, Parameters,
    ReportingPolicy, Section, Sequence, SequenceNumber, Severable, Uuid,
};

use crate::common::*;

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

/// Any manifest of three components, one of them somebody else's; with everything that is decoded, if `all`.
pub fn manifest(all: bool) -> impl Strategy<Value = Manifest<'static>> {
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
