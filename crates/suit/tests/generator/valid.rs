//! Manifests that make sense, with what they must lead to.

use std::{collections::BTreeMap, sync::LazyLock};

use proptest::{collection::vec, option, prelude::*};
use tamarack_cose::DigestAlgorithm;
use tamarack_suit::{
    Action, Command, Common, ComponentId, Condition, Dependency, Envelope, IndexArgument,
    LanguageText, Manifest, Parameter, Parameters, ReportingPolicy, Section, SequenceNumber,
    Severable, SuitDigest, Text, Version, author::Draft,
};

use crate::common::*;

static AUTHORS: LazyLock<[Author; 2]> = LazyLock::new(|| [author(2), author(3)]);

/// A manifest to be made.
#[derive(Debug, Clone)]
pub struct Plan {
    prefix: &'static str,
    number: u64,
    pieces: Vec<Piece>,
    dependency: Option<Box<Bring>>,
    signers: Signers,
    /// The section that stores content.
    stores_in: Section,
    severed: Vec<Section>,
    text: Words,
    set_version: bool,
    reference_uri: bool,
    uninstall: Uninstall,
    policy: u8,
    checks_device: bool,
}

/// A dependency, and how it gets there.
#[derive(Debug, Clone)]
struct Bring {
    plan: Plan,
    integrated: bool,
}

#[derive(Debug, Clone, Copy)]
enum Signers {
    First,
    Second,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Words {
    None,
    Inline,
    Severed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Uninstall {
    ByProcessor,
    OneByOne,
    AsList,
    Nested,
}

/// A component, its content, and the way there.
#[derive(Debug, Clone)]
struct Piece {
    content: Vec<u8>,
    source: Source,
    around: Around,
    setting: Setting,
    sized: bool,
    algorithm: DigestAlgorithm,
    compares_content: bool,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Written,
    Integrated,
    Fetched,
    /// From the component before it; the first one is written.
    Copied,
}

/// What a piece's commands are nested in.
#[derive(Debug, Clone, Copy)]
enum Around {
    Nothing,
    Run,
    FirstAlternative,
    SecondAlternative,
    UnlessThere,
    Deep,
}

/// By what its parameters are set.
#[derive(Debug, Clone, Copy)]
enum Setting {
    Override,
    SetIfUnset,
    Multiple,
    Shared,
}

/// What a plan leads to.
pub struct Built {
    pub envelope: Vec<u8>,
    /// What the network serves.
    pub served: Vec<(String, Vec<u8>)>,
    /// What components hold in the end.
    pub expected: Vec<(ComponentId, Vec<u8>)>,
    /// Where the manifest, and the one it depends on, are kept.
    pub placements: Vec<ComponentId>,
}

fn piece() -> impl Strategy<Value = Piece> {
    use prop::sample::select;
    (
        vec(any::<u8>(), 0..40),
        select(vec![
            Source::Written,
            Source::Integrated,
            Source::Fetched,
            Source::Copied,
        ]),
        select(vec![
            Around::Nothing,
            Around::Run,
            Around::FirstAlternative,
            Around::SecondAlternative,
            Around::UnlessThere,
            Around::Deep,
        ]),
        select(vec![
            Setting::Override,
            Setting::SetIfUnset,
            Setting::Multiple,
            Setting::Shared,
        ]),
        any::<bool>(),
        select(vec![
            DigestAlgorithm::Sha256,
            DigestAlgorithm::Sha384,
            DigestAlgorithm::Sha512,
        ]),
        any::<bool>(),
    )
        .prop_map(
            |(content, source, around, setting, sized, algorithm, compares_content)| Piece {
                content,
                source,
                around,
                setting,
                sized,
                algorithm,
                compares_content,
            },
        )
}

fn plan_for(prefix: &'static str, most: usize) -> impl Strategy<Value = Plan> {
    use prop::sample::select;
    let layout = (
        select(vec![Section::PayloadFetch, Section::Install]),
        vec(
            select(vec![
                Section::DependencyResolution,
                Section::PayloadFetch,
                Section::Install,
            ]),
            0..3,
        ),
        select(vec![Words::None, Words::Inline, Words::Severed]),
        select(vec![
            Uninstall::ByProcessor,
            Uninstall::OneByOne,
            Uninstall::AsList,
            Uninstall::Nested,
        ]),
    );
    let rest = (
        any::<bool>(),
        any::<bool>(),
        0..16_u8,
        any::<bool>(),
        select(vec![Signers::First, Signers::Second, Signers::Both]),
    );
    (0..u64::from(u32::MAX), vec(piece(), 1..=most), layout, rest).prop_map(
        move |(number, mut pieces, layout, rest)| {
            for at in 0..pieces.len() {
                match (pieces[at].source, at) {
                    (Source::Copied, 0) => pieces[at].source = Source::Written,
                    (Source::Copied, at) => pieces[at].content = pieces[at - 1].content.clone(),
                    _ => {}
                }
            }
            Plan {
                prefix,
                number,
                pieces,
                dependency: None,
                stores_in: layout.0,
                severed: layout.1,
                text: layout.2,
                uninstall: layout.3,
                set_version: rest.0,
                reference_uri: rest.1,
                policy: rest.2,
                checks_device: rest.3,
                signers: rest.4,
            }
        },
    )
}

/// A manifest of one to four components, perhaps with a dependency.
pub fn plan() -> impl Strategy<Value = Plan> {
    let dependency = option::weighted(0.4, (plan_for("dep", 2), any::<bool>()));
    (plan_for("mine", 4), dependency).prop_map(|(mut plan, dependency)| {
        plan.dependency = dependency.map(|(mut inner, integrated)| {
            // Whoever is trusted for the dependent is for the dependency, too.
            inner.signers = plan.signers;
            // A manifest that has an uninstall section, for its dependency's sake, has to remove its own.
            if inner.uninstall != Uninstall::ByProcessor && plan.uninstall == Uninstall::ByProcessor
            {
                plan.uninstall = Uninstall::OneByOne;
            }
            Box::new(Bring {
                plan: inner,
                integrated,
            })
        });
        plan
    })
}

impl Plan {
    pub fn signers(&self) -> impl Iterator<Item = &'static Author> {
        let range = match self.signers {
            Signers::First => 0..1,
            Signers::Second => 1..2,
            Signers::Both => 0..2,
        };
        AUTHORS[range].iter()
    }

    pub fn build(&self) -> Built {
        let (manifest, integrated) = self.manifest();
        let crypto = crypto();
        let mut draft = integrated
            .iter()
            .fold(Draft::new(manifest), |draft, (key, payload)| {
                draft.with_integrated(key.clone(), payload.clone())
            });
        for section in &self.severed {
            draft = draft.sever(&crypto, *section);
        }
        if self.text == Words::Severed {
            draft = draft.sever_text(&crypto);
        }
        let signers: Vec<_> = self.signers().map(|author| &*author.signer).collect();
        let mut built = Built {
            envelope: draft.sign(&crypto, &signers).unwrap(),
            served: self.served(),
            expected: self.expected(),
            placements: vec![self.placement()],
        };
        if let Some(bring) = &self.dependency {
            let inner = bring.plan.build();
            built.served.extend(inner.served);
            if !bring.integrated {
                built.served.push((self.dependency_uri(), inner.envelope));
            }
            built.expected.extend(inner.expected);
            built.placements.extend(inner.placements);
        }
        built
    }

    /// The manifest, with nothing severed, and its integrated payloads.
    pub fn manifest(&self) -> (Manifest<'static>, Vec<(String, Vec<u8>)>) {
        let mut integrated: Vec<_> = self
            .pieces
            .iter()
            .enumerate()
            .filter(|(_, piece)| matches!(piece.source, Source::Integrated))
            .map(|(at, piece)| (self.uri(at), piece.content.clone()))
            .collect();
        let mut sections: BTreeMap<Section, Vec<Command<'static>>> = BTreeMap::new();
        let mut shared = self.shared();
        if let Some(bring) = &self.dependency {
            let inner = bring.plan.build();
            shared.extend(self.resolve(&inner.envelope, &mut sections));
            if bring.integrated {
                integrated.push((self.dependency_uri(), inner.envelope));
            }
        }
        let stores = sections.entry(self.stores_in).or_default();
        stores.extend((0..self.pieces.len()).flat_map(|at| self.store(at)));
        let validates = sections.entry(Section::Validate).or_default();
        for at in 0..self.pieces.len() {
            let mut wanted = vec![Parameter::ImageDigest(self.digest(at))];
            wanted.extend(self.size(at));
            validates.extend([
                index(at as u64),
                set(wanted),
                self.check(Condition::ImageMatch),
            ]);
        }
        if self.uninstall != Uninstall::ByProcessor {
            let removes = sections.entry(Section::Uninstall).or_default();
            removes.extend(self.removes());
        }
        let common = Common {
            components: (0..self.pieces.len())
                .map(|at| self.component(at))
                .collect(),
            dependencies: self
                .dependency
                .iter()
                .map(|bring| Dependency {
                    index: self.pieces.len() as u64,
                    prefix: Some(bring.plan.placement()),
                })
                .collect(),
            shared_sequence: (!shared.is_empty()).then(|| sequence(shared)),
        };
        let mut manifest = Manifest::new(SequenceNumber(self.number), common);
        manifest.component_id = Some(self.placement());
        manifest.reference_uri = self
            .reference_uri
            .then(|| "https://example.com/manifest".into());
        manifest.set_version = self.set_version.then(|| Version(vec![1, 2, -2, 3]));
        manifest.text = (self.text != Words::None).then(|| Severable::Inline(self.words().into()));
        for (section, commands) in sections {
            manifest.set_section(section, Severable::Inline(sequence(commands)));
        }
        // As a Recipient reads it: that also fixes the offsets of nested commands.
        let encoded = manifest.encode();
        let manifest = Manifest::decode(&encoded, &tamarack_suit::Limits::default()).unwrap();
        (manifest.into_owned(), integrated)
    }

    fn placement(&self) -> ComponentId {
        id(&format!("{}/suit", self.prefix))
    }

    fn component(&self, at: usize) -> ComponentId {
        id(&format!("{}/c{at}", self.prefix))
    }

    fn uri(&self, at: usize) -> String {
        match self.pieces[at].source {
            Source::Integrated => format!("#{at}"),
            _ => format!("coap://{}/{at}", self.prefix),
        }
    }

    fn dependency_uri(&self) -> String {
        format!("coap://{}/dependency", self.prefix)
    }

    fn served(&self) -> Vec<(String, Vec<u8>)> {
        let fetched = |at: &usize| matches!(self.pieces[*at].source, Source::Fetched);
        (0..self.pieces.len())
            .filter(fetched)
            .map(|at| (self.uri(at), self.pieces[at].content.clone()))
            .collect()
    }

    fn expected(&self) -> Vec<(ComponentId, Vec<u8>)> {
        (0..self.pieces.len())
            .map(|at| (self.component(at), self.pieces[at].content.clone()))
            .collect()
    }

    fn digest(&self, at: usize) -> SuitDigest {
        let piece = &self.pieces[at];
        let mut context = crypto().digests.start(piece.algorithm);
        context.update(&piece.content);
        SuitDigest::new(piece.algorithm, context.finish().as_ref()).unwrap()
    }

    fn size(&self, at: usize) -> Option<Parameter<'static>> {
        let piece = &self.pieces[at];
        piece
            .sized
            .then_some(Parameter::ImageSize(piece.content.len() as u64))
    }

    fn check(&self, condition: Condition) -> Command<'static> {
        Command::Condition(condition, ReportingPolicy::new(self.policy).unwrap())
    }

    /// The shared sequence: what the device must be, and what is set there.
    fn shared(&self) -> Vec<Command<'static>> {
        let mut commands = Vec::new();
        if self.checks_device {
            commands.extend([
                index(0),
                set([
                    Parameter::VendorId(vendor().into()),
                    Parameter::ClassId(class()),
                ]),
                self.check(Condition::VendorIdentifier),
                self.check(Condition::ClassIdentifier),
            ]);
        }
        for (at, piece) in self.pieces.iter().enumerate() {
            if let Setting::Shared = piece.setting {
                commands.extend([
                    index(at as u64),
                    set([Parameter::ImageDigest(self.digest(at))]),
                ]);
            }
        }
        commands
    }

    /// Fetches the dependency and has each of its sections run; returns what the shared sequence sets.
    fn resolve(
        &self,
        envelope: &[u8],
        sections: &mut BTreeMap<Section, Vec<Command<'static>>>,
    ) -> Vec<Command<'static>> {
        let at = self.pieces.len() as u64;
        let decoded = Envelope::decode(envelope).unwrap();
        let resolution = sections.entry(Section::DependencyResolution).or_default();
        resolution.extend([
            index(at),
            set([Parameter::Uri(self.dependency_uri().into())]),
            action(Action::Fetch),
            self.check(Condition::DependencyIntegrity),
        ]);
        for (section, _) in decoded.unverified_manifest().unwrap().sections() {
            sections.entry(section).or_default().extend([
                index(at),
                self.check(Condition::DependencyIntegrity),
                action(Action::ProcessDependency),
            ]);
        }
        vec![
            index(at),
            set([Parameter::ImageDigest(decoded.claimed_digest())]),
        ]
    }

    /// Stores the content of one component and verifies it.
    fn store(&self, at: usize) -> Vec<Command<'static>> {
        let piece = &self.pieces[at];
        let mut parameters = vec![Parameter::ImageDigest(self.digest(at))];
        parameters.extend(self.size(at));
        let act = match piece.source {
            Source::Written => {
                parameters.push(Parameter::Content(piece.content.clone().into()));
                Action::Write
            }
            Source::Integrated | Source::Fetched => {
                parameters.push(Parameter::Uri(self.uri(at).into()));
                Action::Fetch
            }
            Source::Copied => {
                parameters.push(Parameter::SourceComponent(at as u64 - 1));
                Action::Copy
            }
        };
        let parameters = Parameters::from_list(parameters);
        let target = index(at as u64);
        let setting = match piece.setting {
            Setting::Override | Setting::Shared => Command::OverrideParameters(parameters),
            Setting::SetIfUnset => Command::SetParameters(parameters),
            Setting::Multiple => Command::OverrideMultiple(vec![(at as u64, parameters)]),
        };
        let check = match (piece.source, piece.compares_content) {
            (Source::Written, true) => Condition::CheckContent,
            _ => Condition::ImageMatch,
        };
        let stores = vec![action(act), self.check(check)];
        let abort = || vec![self.check(Condition::Abort)];
        let nested = match piece.around {
            Around::Nothing => stores,
            Around::Run => vec![run(stores)],
            Around::FirstAlternative => vec![try_each([stores, abort()], false)],
            Around::SecondAlternative => vec![try_each([abort(), stores], false)],
            Around::UnlessThere => {
                let there = vec![self.check(Condition::ImageMatch)];
                vec![try_each([there, stores], false)]
            }
            Around::Deep => {
                let soft = run([set([Parameter::SoftFailure(true)]), abort().remove(0)]);
                vec![run([soft, try_each([abort(), vec![run(stores)]], true)])]
            }
        };
        [vec![target, setting], nested].concat()
    }

    fn removes(&self) -> Vec<Command<'static>> {
        let count = self.pieces.len() as u64;
        match self.uninstall {
            Uninstall::AsList => vec![
                Command::SetComponentIndex(IndexArgument::List((0..count).rev().collect())),
                action(Action::Unlink),
            ],
            Uninstall::Nested => vec![
                Command::SetComponentIndex(IndexArgument::List((0..count).collect())),
                run([action(Action::Unlink)]),
            ],
            _ => (0..count)
                .flat_map(|at| [index(at), action(Action::Unlink)])
                .collect(),
        }
    }

    fn words(&self) -> Vec<u8> {
        Text {
            languages: vec![
                ("en".into(), LanguageText::default()),
                (
                    "en-GB".into(),
                    LanguageText {
                        manifest: vec![(1, "A manifest".into())],
                        components: vec![(self.component(0), vec![(6, "1".into())])],
                    },
                ),
            ],
        }
        .encode()
    }
}
