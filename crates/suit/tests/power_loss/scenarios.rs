//! The manifests whose processing is interrupted.

use std::sync::OnceLock;

use tamarack_cose::PublicKey;
use tamarack_suit::{
    Action, Command, Common, ComponentId, Condition, Device, DeviceError, Envelope, Fetch, Limits,
    Manifest, NoFetch, Outcome, Parameter, Processor, Section, SequenceNumber, Settings, Severable,
    SingleAuthority,
    author::{ComponentBuilder, DependencyBuilder, Draft, ManifestBuilder},
    directory::DirectoryDevice,
};

use crate::{
    common::*,
    storage::{Storage, Survival},
};

/// Something that is done to a device, from a known state.
pub struct Scenario {
    pub name: &'static str,
    pub before: Storage,
    pub act: Act,
    pub end: End,
    /// What components are in the end.
    pub after: Vec<(&'static str, Option<Vec<u8>>)>,
}

pub enum Act {
    Update(Vec<u8>),
    Uninstall(ComponentId),
}

/// How the act ends if nothing comes between, and when it is done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It succeeds, each time.
    Succeeds,
    /// It succeeds, and there is nothing to be done the second time.
    SucceedsOnce,
    /// It fails, and changes nothing.
    Fails,
}

/// Payloads are what their address says, some times over.
pub struct Addresses;

impl Fetch for Addresses {
    fn fetch(
        &mut self,
        uri: &str,
        _: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        payload(uri).chunks(100).try_for_each(sink)
    }
}

pub fn payload(uri: &str) -> Vec<u8> {
    uri.as_bytes().repeat(10)
}

/// Does it, on whatever device.
pub fn perform(act: &Act, device: &mut dyn Device) -> Outcome {
    static KEY: OnceLock<PublicKey> = OnceLock::new();
    let crypto = crypto();
    let trusted = [*KEY.get_or_init(|| signer().key)];
    let limits = Limits {
        chunk_bytes: 128,
        ..Limits::default()
    };
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority).with_settings(Settings {
        limits,
        ..Settings::default()
    });
    match act {
        Act::Update(envelope) => processor.update_bytes(device, &mut Addresses, envelope),
        Act::Uninstall(id) => processor.uninstall(device, &mut NoFetch, id),
    }
}

fn signer() -> Author {
    author(3)
}

/// A device on which these manifests are installed, and nothing is under way.
fn installed(envelopes: &[&[u8]]) -> Storage {
    let storage = Storage::default();
    for envelope in envelopes {
        let mut device = DirectoryDevice::on(storage.clone(), identity()).unwrap();
        device.set_slot(&id("slots/a"), 1);
        let mut transaction = device.transaction().unwrap();
        let act = Act::Update(envelope.to_vec());
        assert_eq!(perform(&act, &mut transaction).result, Ok(()));
        transaction.commit().unwrap();
    }
    storage.reboot(Survival::Everything);
    storage
}

fn sign(draft: Draft) -> Vec<u8> {
    draft.sign(&crypto(), &[&*signer().signer]).unwrap()
}

/// Components that are fetched from addresses.
fn fetched(number: u64, components: &[(&str, &'static str)]) -> ManifestBuilder {
    let builder = ManifestBuilder::new(SequenceNumber(number)).manifest_id(id("acme/suit"));
    components.iter().fold(builder, |builder, (name, uri)| {
        let content = payload(uri);
        let digest = tamarack_suit::SuitDigest::sha256(&crypto(), &content);
        builder.component(
            ComponentBuilder::new(id(name))
                .vendor(vendor())
                .class(class())
                .uri(*uri, digest, content.len() as u64),
        )
    })
}

fn build(builder: ManifestBuilder) -> Vec<u8> {
    sign(builder.build().unwrap())
}

/// A manifest put together by hand: the shared sequence, and sections.
fn by_hand(
    number: u64,
    components: &[&str],
    shared: Vec<Command<'static>>,
    sections: Vec<(Section, Vec<Command<'static>>)>,
) -> Manifest<'static> {
    let common = Common {
        components: components.iter().map(|name| id(name)).collect(),
        shared_sequence: (!shared.is_empty()).then(|| sequence(shared)),
        ..Common::default()
    };
    let mut manifest = Manifest::new(SequenceNumber(number), common);
    manifest.component_id = Some(id("acme/suit"));
    for (section, commands) in sections {
        manifest.set_section(section, Severable::Inline(sequence(commands)));
    }
    manifest
}

fn matches() -> Command<'static> {
    condition(Condition::ImageMatch)
}

fn digest(uri: &str) -> Parameter<'static> {
    digest_of(&payload(uri))
}

/// A Trusted Application with its code in the envelope, and a manifest that depends on it.
fn application(number: u64, code: &'static [u8]) -> Vec<u8> {
    sign(ta_draft(number, code))
}

fn dependent(number: u64, application: &[u8]) -> Vec<u8> {
    let dependency = DependencyBuilder::of(&Envelope::decode(application).unwrap()).unwrap();
    build(
        ManifestBuilder::new(SequenceNumber(number))
            .manifest_id(id("provider/config/suit"))
            .component(
                ComponentBuilder::new(id("provider/config/json"))
                    .content(&crypto(), format!("{{\"release\": {number}}}")),
            )
            .dependency(dependency.integrated("#ta.suit", application)),
    )
}

pub fn all() -> Vec<Scenario> {
    let mut all = vec![
        fresh_install(),
        fetched_update(),
        several_components(),
        a_component_within_another(),
        copy(),
        swap(),
        slots(),
        content_in_the_manifest(),
        soft_failure(),
        severed_install(),
        bad_digest(),
        the_same_again(),
        one_of_three_goes(),
        uninstall_section(),
    ];
    all.extend(dependencies());
    all
}

fn fresh_install() -> Scenario {
    Scenario {
        name: "fresh install of an integrated payload",
        before: Storage::default(),
        act: Act::Update(application(1, b"code")),
        end: End::Succeeds,
        after: vec![("provider/app/ta", Some(b"code".to_vec()))],
    }
}

fn fetched_update() -> Scenario {
    Scenario {
        name: "update that is fetched",
        before: installed(&[&build(fetched(1, &[("acme/app", "one")]))]),
        act: Act::Update(build(fetched(2, &[("acme/app", "second")]))),
        end: End::Succeeds,
        after: vec![("acme/app", Some(payload("second")))],
    }
}

fn several_components() -> Scenario {
    let old = fetched(1, &[("acme/app", "one"), ("acme/data", "data")]);
    let new = [
        ("acme/app", "two"),
        ("acme/data", "more"),
        ("Other/Place", "new"),
    ];
    Scenario {
        name: "several components, one of them new",
        before: installed(&[&build(old)]),
        act: Act::Update(build(fetched(2, &new))),
        end: End::Succeeds,
        after: vec![
            ("acme/app", Some(payload("two"))),
            ("acme/data", Some(payload("more"))),
            ("Other/Place", Some(payload("new"))),
        ],
    }
}

fn a_component_within_another() -> Scenario {
    let new = [
        ("acme", "one"),
        ("acme/app", "two"),
        ("acme/app/x/y/z", "three"),
    ];
    Scenario {
        name: "components with one identifier within the other",
        before: installed(&[&build(fetched(1, &[("acme/app", "old")]))]),
        act: Act::Update(build(fetched(2, &new))),
        end: End::Succeeds,
        after: vec![
            ("acme", Some(payload("one"))),
            ("acme/app", Some(payload("two"))),
            ("acme/app/x/y/z", Some(payload("three"))),
        ],
    }
}

fn copy() -> Scenario {
    let parameters = |uri: &str| set([Parameter::SourceComponent(0), digest(uri)]);
    let manifest = by_hand(
        2,
        &["acme/app", "acme/backup"],
        vec![index(1), parameters("one")],
        vec![
            (
                Section::Install,
                vec![index(1), action(Action::Copy), matches()],
            ),
            (Section::Validate, vec![index(1), matches()]),
        ],
    );
    Scenario {
        name: "copy",
        before: installed(&[&build(fetched(1, &[("acme/app", "one")]))]),
        act: Act::Update(sign(Draft::new(manifest))),
        end: End::Succeeds,
        after: vec![
            ("acme/app", Some(payload("one"))),
            ("acme/backup", Some(payload("one"))),
        ],
    }
}

/// The manifest can be applied again because it looks before it swaps.
fn swap() -> Scenario {
    let swap = vec![
        set([Parameter::SourceComponent(1)]),
        action(Action::Swap),
        matches(),
    ];
    let manifest = by_hand(
        2,
        &["acme/app", "acme/previous"],
        vec![
            index(0),
            set([digest("second")]),
            index(1),
            set([digest("one")]),
        ],
        vec![
            (
                Section::Install,
                vec![
                    index(0),
                    try_each([vec![matches()], swap], false),
                    index(1),
                    matches(),
                ],
            ),
            (
                Section::Validate,
                vec![index(0), matches(), index(1), matches()],
            ),
        ],
    );
    let old = fetched(1, &[("acme/app", "one"), ("acme/previous", "second")]);
    Scenario {
        name: "swap",
        before: installed(&[&build(old)]),
        act: Act::Update(sign(Draft::new(manifest))),
        end: End::Succeeds,
        after: vec![
            ("acme/app", Some(payload("second"))),
            ("acme/previous", Some(payload("one"))),
        ],
    }
}

fn slots() -> Scenario {
    let alternative = |slot, address: &'static str| {
        vec![
            set([Parameter::ComponentSlot(slot)]),
            condition(Condition::ComponentSlot),
            set([digest(address), uri(address)]),
        ]
    };
    let envelope = |number, a, b| {
        sign(Draft::new(by_hand(
            number,
            &["slots/a"],
            vec![try_each([alternative(0, a), alternative(1, b)], false)],
            vec![
                (Section::Install, vec![action(Action::Fetch), matches()]),
                (Section::Validate, vec![matches()]),
            ],
        )))
    };
    Scenario {
        name: "try-each over slots",
        before: installed(&[&envelope(1, "for-a", "for-b")]),
        act: Act::Update(envelope(2, "new-for-a", "new-for-b")),
        end: End::Succeeds,
        after: vec![("slots/a", Some(payload("new-for-b")))],
    }
}

fn content_in_the_manifest() -> Scenario {
    let envelope = |number, content: &'static [u8]| {
        build(
            ManifestBuilder::new(SequenceNumber(number))
                .manifest_id(id("acme/suit"))
                .component(ComponentBuilder::new(id("acme/key")).content(&crypto(), content)),
        )
    };
    Scenario {
        name: "content in the manifest",
        before: installed(&[&envelope(1, b"old")]),
        act: Act::Update(envelope(7, b"new key")),
        end: End::Succeeds,
        after: vec![("acme/key", Some(b"new key".to_vec()))],
    }
}

/// What a sequence wrote before it failed softly is written again.
fn soft_failure() -> Scenario {
    let attempt = run([
        set([Parameter::SoftFailure(true), content(b"first attempt")]),
        action(Action::Write),
        matches(),
    ]);
    let manifest = by_hand(
        2,
        &["acme/app"],
        vec![set([digest("second"), uri("second")])],
        vec![
            (
                Section::Install,
                vec![attempt, action(Action::Fetch), matches()],
            ),
            (Section::Validate, vec![matches()]),
        ],
    );
    Scenario {
        name: "run-sequence that fails softly",
        before: installed(&[&build(fetched(1, &[("acme/app", "one")]))]),
        act: Act::Update(sign(Draft::new(manifest))),
        end: End::Succeeds,
        after: vec![("acme/app", Some(payload("second")))],
    }
}

fn severed_install() -> Scenario {
    let draft = fetched(2, &[("acme/app", "second")]).build().unwrap();
    Scenario {
        name: "severed install section",
        before: installed(&[&build(fetched(1, &[("acme/app", "one")]))]),
        act: Act::Update(sign(draft.sever(&crypto(), Section::Install))),
        end: End::Succeeds,
        after: vec![("acme/app", Some(payload("second")))],
    }
}

/// The first component is fine; of the second, something else arrives than was promised.
fn bad_digest() -> Scenario {
    let wrong = tamarack_suit::SuitDigest::sha256(&crypto(), b"something else");
    let new = fetched(2, &[("acme/app", "second")])
        .component(ComponentBuilder::new(id("acme/data")).uri("data", wrong, 40));
    let old = fetched(1, &[("acme/app", "one"), ("acme/data", "old-data")]);
    Scenario {
        name: "update with a wrong digest",
        before: installed(&[&build(old)]),
        act: Act::Update(build(new)),
        end: End::Fails,
        after: vec![
            ("acme/app", Some(payload("one"))),
            ("acme/data", Some(payload("old-data"))),
        ],
    }
}

fn the_same_again() -> Scenario {
    let envelope = build(fetched(1, &[("acme/app", "one"), ("acme/data", "data")]));
    Scenario {
        name: "the same manifest again",
        before: installed(&[&envelope]),
        act: Act::Update(envelope),
        end: End::Succeeds,
        after: vec![
            ("acme/app", Some(payload("one"))),
            ("acme/data", Some(payload("data"))),
        ],
    }
}

fn one_of_three_goes() -> Scenario {
    let old = [("acme/a", "a"), ("acme/b", "b"), ("acme/far/away/c", "c")];
    let fetch = |at, address: &'static str| {
        [
            index(at),
            set([digest(address), uri(address)]),
            action(Action::Fetch),
            matches(),
        ]
    };
    let mut install = vec![index(2), action(Action::Unlink)];
    install.extend(fetch(0, "new-a"));
    install.extend(fetch(1, "new-b"));
    let manifest = by_hand(
        2,
        &["acme/a", "acme/b", "acme/far/away/c"],
        vec![],
        vec![
            (Section::Install, install),
            (
                Section::Validate,
                vec![index(0), matches(), index(1), matches()],
            ),
        ],
    );
    Scenario {
        name: "two of three components change and one goes",
        before: installed(&[&build(fetched(1, &old))]),
        act: Act::Update(sign(Draft::new(manifest))),
        end: End::Succeeds,
        after: vec![
            ("acme/a", Some(payload("new-a"))),
            ("acme/b", Some(payload("new-b"))),
            ("acme/far/away/c", None),
        ],
    }
}

fn uninstall_section() -> Scenario {
    let install = |at, address: &'static str| {
        [
            index(at),
            set([digest(address), uri(address)]),
            action(Action::Fetch),
            matches(),
        ]
    };
    // The second component stays.
    let manifest = by_hand(
        1,
        &["acme/app", "acme/data"],
        vec![],
        vec![
            (
                Section::Install,
                install(0, "app")
                    .into_iter()
                    .chain(install(1, "data"))
                    .collect(),
            ),
            (
                Section::Validate,
                vec![index(0), matches(), index(1), matches()],
            ),
            (Section::Uninstall, vec![index(0), action(Action::Unlink)]),
        ],
    );
    Scenario {
        name: "uninstall section that unlinks",
        before: installed(&[&sign(Draft::new(manifest))]),
        act: Act::Uninstall(id("acme/suit")),
        end: End::SucceedsOnce,
        after: vec![("acme/app", None), ("acme/data", Some(payload("data")))],
    }
}

// req: SUIT-DEP-031
fn dependencies() -> Vec<Scenario> {
    let (one, two) = (application(1, b"code"), application(2, b"new code"));
    let code = |code: &[u8]| ("provider/app/ta", Some(code.to_vec()));
    let config = |number: u64| {
        let content = format!("{{\"release\": {number}}}");
        ("provider/config/json", Some(content.into_bytes()))
    };
    let neither = vec![("provider/app/ta", None), ("provider/config/json", None)];
    let uninstall = |name: &str| Act::Uninstall(id(name));
    vec![
        Scenario {
            name: "install with a dependency",
            before: Storage::default(),
            act: Act::Update(dependent(1, &one)),
            end: End::Succeeds,
            after: vec![code(b"code"), config(1)],
        },
        Scenario {
            name: "update with a newer dependency",
            before: installed(&[&dependent(1, &one)]),
            act: Act::Update(dependent(2, &two)),
            end: End::Succeeds,
            after: vec![code(b"new code"), config(2)],
        },
        Scenario {
            name: "uninstall of the only dependent",
            before: installed(&[&dependent(1, &one)]),
            act: uninstall("provider/config/suit"),
            end: End::SucceedsOnce,
            after: neither,
        },
        Scenario {
            name: "uninstall of a dependent whose dependency stays",
            before: installed(&[&one, &dependent(1, &one)]),
            act: uninstall("provider/config/suit"),
            end: End::SucceedsOnce,
            after: vec![code(b"code"), ("provider/config/json", None)],
        },
        Scenario {
            name: "uninstall of what somebody depends on",
            before: installed(&[&one, &dependent(1, &one)]),
            act: uninstall("provider/app/suit"),
            end: End::Succeeds,
            after: vec![code(b"code"), config(1)],
        },
    ]
}
