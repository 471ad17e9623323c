//! Commands that act on somebody else's components, or hide that they do.

use std::borrow::Cow;

use tamarack_cose::encrypt::{Curve, DecryptionKey, Recipient};
use tamarack_suit::{
    Action, Command, Condition, IndexArgument, Parameter, Parameters, ReportingPolicy, Section,
    Sequence, SuitDigest,
    author::{ComponentBuilder, PayloadEncryption},
    report::Reason,
};
use tamarack_tests::{crypto, id, release::Release, wasm::HELLO_1};

use crate::{
    Attempt, Expected,
    Expected::{Harmless, Refused},
    NO_RIGHT, attempt,
    world::{Tried, World, identified, manifest},
};

const NO_COMPONENT: Expected = Refused(Reason::ComponentUnsupported, "no component with index");

pub(crate) fn index(index: u64) -> Command<'static> {
    Command::SetComponentIndex(IndexArgument::One(index))
}

pub(crate) fn set(parameter: Parameter<'static>) -> Command<'static> {
    Command::OverrideParameters(Parameters::from_list([parameter]))
}

pub(crate) fn act(action: Action) -> Command<'static> {
    Command::Action(action, ReportingPolicy::ALL)
}

pub(crate) fn test(condition: Condition) -> Command<'static> {
    Command::Condition(condition, ReportingPolicy::ALL)
}

fn sequence(commands: Vec<Command<'static>>) -> Sequence<'static> {
    commands.into_iter().collect()
}

fn content(bytes: &'static [u8]) -> Parameter<'static> {
    Parameter::Content(Cow::Borrowed(bytes))
}

/// A manifest whose uninstall section is this, and that is removed again.
fn removed(world: &mut World, uninstall: Vec<Command<'static>>) -> Tried {
    let component = identified(&id("evil/gone")).integrated(&crypto(), "#payload", b"data");
    let draft = manifest(1)
        .manifest_id(id("evil/gone/suit"))
        .component(component);
    let draft = draft.section(Section::Uninstall, sequence(uninstall));
    world.signs(&draft.build().unwrap())?;
    world.unlink(&["evil/gone/suit"]);
    assert_eq!(world.providers.device.version("evil/gone"), None);
    Ok(())
}

pub(crate) const ATTEMPTS: &[Attempt] = &[
    attempt(
        "list a neighbour's component and leave it alone",
        NO_RIGHT,
        |world| world.commands(&["acme/vault"], vec![index(0), set(content(b"x"))]),
    ),
    attempt(
        "write to a neighbour's component in an alternative that fails",
        NO_RIGHT,
        |world| {
            let first = vec![
                index(1),
                set(content(b"x")),
                act(Action::Write),
                test(Condition::Abort),
            ];
            let alternatives = vec![sequence(first), sequence(vec![index(0)])];
            let try_each = Command::TryEach {
                alternatives,
                or_nothing: true,
            };
            world.commands(&["acme/vault"], vec![index(0), try_each])
        },
    ),
    attempt(
        "write to a neighbour's component in a sequence in a sequence",
        NO_RIGHT,
        |world| {
            let inner = sequence(vec![index(1), set(content(b"x")), act(Action::Write)]);
            let outer = sequence(vec![Command::RunSequence(inner)]);
            world.commands(&["acme/vault"], vec![index(0), Command::RunSequence(outer)])
        },
    ),
    attempt(
        "write to all components at once, a neighbour's among them",
        NO_RIGHT,
        |world| {
            let all = Command::SetComponentIndex(IndexArgument::All);
            world.commands(
                &["acme/vault"],
                vec![all, set(content(b"x")), act(Action::Write)],
            )
        },
    ),
    attempt(
        "copy a neighbour's Personalization Data into a component of its own",
        NO_RIGHT,
        |world| {
            let copy = vec![
                index(0),
                set(Parameter::SourceComponent(1)),
                act(Action::Copy),
            ];
            world.commands(&["acme/hello/greeting"], copy)
        },
    ),
    attempt(
        "swap a component of its own with a neighbour's",
        NO_RIGHT,
        |world| {
            let swap = vec![
                index(0),
                set(Parameter::SourceComponent(1)),
                act(Action::Swap),
            ];
            world.commands(&["acme/vault"], swap)
        },
    ),
    attempt(
        "unlink a neighbour's component while it installs",
        NO_RIGHT,
        |world| world.commands(&["acme/vault"], vec![index(1), act(Action::Unlink)]),
    ),
    attempt("start a neighbour's application", NO_RIGHT, |world| {
        world.commands(&["acme/vault"], vec![index(1), act(Action::Invoke)])
    }),
    attempt("copy a neighbour's kept manifest", NO_RIGHT, |world| {
        let copy = vec![
            index(0),
            set(Parameter::SourceComponent(1)),
            act(Action::Copy),
        ];
        world.commands(&["acme/hello/suit"], copy)
    }),
    attempt(
        "copy the descriptor of a neighbour's domain",
        NO_RIGHT,
        |world| {
            let copy = vec![
                index(0),
                set(Parameter::SourceComponent(1)),
                act(Action::Copy),
            ];
            world.commands(&["security-domain/acme"], copy)
        },
    ),
    attempt(
        "act on a component that the manifest does not list",
        NO_COMPONENT,
        |world| world.commands(&[], vec![index(7), set(content(b"x")), act(Action::Write)]),
    ),
    attempt(
        "act on no component, in an alternative that is never reached",
        NO_COMPONENT,
        |world| {
            let alternatives = vec![sequence(vec![index(0)]), sequence(vec![index(u64::MAX)])];
            let try_each = Command::TryEach {
                alternatives,
                or_nothing: false,
            };
            world.commands(&[], vec![try_each])
        },
    ),
    attempt(
        "copy from a component that the manifest does not list",
        NO_COMPONENT,
        |world| {
            let copy = vec![
                index(0),
                set(Parameter::SourceComponent(3)),
                act(Action::Copy),
            ];
            world.commands(&[], copy)
        },
    ),
    attempt(
        "set parameters of components that are not listed",
        NO_COMPONENT,
        |world| {
            let parameters = Parameters::from_list([content(b"x")]);
            world.commands(&[], vec![Command::OverrideMultiple(vec![(9, parameters)])])
        },
    ),
    attempt(
        "copy parameters of components that are not listed",
        NO_COMPONENT,
        |world| world.commands(&[], vec![Command::CopyParameters(vec![(9, vec![18])])]),
    ),
    attempt(
        "use a command that nobody knows",
        Refused(Reason::CommandUnsupported, "command -1 is not supported"),
        |world| {
            let argument = Cow::Borrowed(&[0xf6][..]);
            world.commands(
                &[],
                vec![Command::Other {
                    label: -1,
                    argument,
                }],
            )
        },
    ),
    attempt(
        "set a parameter that nobody knows",
        Refused(
            Reason::ParameterUnsupported,
            "parameter -1 is not supported",
        ),
        |world| {
            let value = Cow::Borrowed(&[0xf6][..]);
            world.commands(&[], vec![set(Parameter::Other { label: -1, value })])
        },
    ),
    attempt(
        "install for devices of another vendor",
        Refused(
            Reason::ConditionFailed,
            "condition vendor-identifier failed",
        ),
        |world| {
            let release = Release::new("evil/x", 1).for_vendor("other.example");
            let envelope = release.carrying(HELLO_1).by(&world.evil);
            world.send(&envelope)
        },
    ),
    attempt(
        "install without saying for which devices",
        Harmless,
        |world| {
            let component = ComponentBuilder::new(id("evil/anywhere"));
            let component = component.integrated(&crypto(), "#payload", HELLO_1);
            let draft = manifest(1)
                .manifest_id(id("evil/anywhere/suit"))
                .component(component);
            world.signs(&draft.build().unwrap())
        },
    ),
    attempt(
        "install what nothing vouches for",
        Refused(Reason::ConditionFailed, "was not verified"),
        |world| {
            world
                .providers
                .device
                .payloads
                .offer("http://evil/x", HELLO_1);
            let fetch = vec![
                set(Parameter::Uri("http://evil/x".into())),
                act(Action::Fetch),
            ];
            world.commands(&[], fetch)
        },
    ),
    attempt(
        "exchange the payload in the envelope after it was signed",
        Refused(Reason::ConditionFailed, "condition image-match failed"),
        |world| {
            let component = identified(&id("evil/x")).integrated(&crypto(), "#payload", b"data");
            let draft = manifest(1).component(component).build().unwrap();
            let draft = draft.with_integrated("#payload", &b"else"[..]);
            world.signs(&draft)
        },
    ),
    attempt(
        "send more than the manifest says",
        Refused(
            Reason::OperationFailed,
            "the payload is longer than 10 bytes",
        ),
        |world| {
            world
                .providers
                .device
                .payloads
                .offer("http://evil/x", HELLO_1);
            let release = Release::new("evil/x", 1).fetching_sized("http://evil/x", HELLO_1, 10);
            let envelope = release.by(&world.evil);
            world.send(&envelope)
        },
    ),
    attempt(
        "have the device decrypt what is encrypted to somebody else",
        Refused(Reason::OperationFailed, "encrypted for another recipient"),
        |world| {
            let crypto = crypto();
            let other = DecryptionKey::generate(&crypto, Curve::P256).unwrap();
            let to = [Recipient::agreement(other.public_key())];
            let encryption = PayloadEncryption::default();
            let (image, ciphertext) = encryption.encrypt(&crypto, None, &to, b"theirs").unwrap();
            let component = identified(&id("evil/x"));
            let component =
                component.encrypted_integrated("#x", ciphertext, id("evil/staged"), image);
            world.signs(&manifest(1).component(component).build().unwrap())
        },
    ),
    attempt("decrypt into a neighbour's component", NO_RIGHT, |world| {
        let crypto = crypto();
        let keys = world
            .providers
            .device
            .tee
            .platform()
            .encryption_keys()
            .to_vec();
        let to: Vec<_> = keys.iter().map(Recipient::agreement).collect();
        let encryption = PayloadEncryption::default();
        let (image, ciphertext) = encryption.encrypt(&crypto, None, &to, b"mine").unwrap();
        let component = identified(&id("evil/x"));
        let component =
            component.encrypted_integrated("#x", ciphertext, id("acme/hello/greeting"), image);
        world.signs(&manifest(1).component(component).build().unwrap())
    }),
    attempt(
        "name components of neighbours in the section that removes its own",
        NO_COMPONENT,
        |world| {
            removed(
                world,
                vec![index(0), act(Action::Unlink), index(5), act(Action::Unlink)],
            )
        },
    ),
    attempt(
        "stay installed by a section that removes nothing",
        Harmless,
        |world| removed(world, vec![index(0), test(Condition::Abort)]),
    ),
    attempt(
        "write to a component under the digest of a neighbour's, which would be taken for there already",
        Refused(Reason::ConditionFailed, "condition image-match failed"),
        |world| {
            let digest = SuitDigest::sha256(&crypto(), crate::world::GREETING);
            world.commands(
                &[],
                vec![
                    set(Parameter::ImageDigest(digest)),
                    set(content(b"guess")),
                    act(Action::Write),
                    test(Condition::ImageMatch),
                ],
            )
        },
    ),
];
