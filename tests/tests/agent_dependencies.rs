//! Dependencies that another TAM has: who is asked for them, in which order, and when it is of no use to ask.

use tamarack_cose::KeyId;
use tamarack_teep::{ErrorCode, QueryRequest, RequestedComponent};
use tamarack_tests::{
    Device, Person, Tam, crypto, error_of, id, release,
    release::Release,
    reports, success_of,
    wasm::{HELLO_1, HELLO_2},
};

const URIS: [&str; 3] = [
    "https://shop.example/tam",
    "https://vendor.example/tam",
    "https://bank.example/tam",
];

/// A device that trusts three TAMs and knows where they are.
struct World {
    device: Device,
    tams: [Tam; 3],
    admin: Person,
}

impl World {
    fn new() -> Self {
        let (tams, admin) = ([Tam::new(), Tam::new(), Tam::new()], Person::new());
        let device = Device::new(&tams.each_ref(), &[&admin]);
        for (tam, uri) in tams.iter().zip(URIS) {
            let key: KeyId = tam.key.public().key_id(&crypto());
            device.tee.reach(uri, &[key]).unwrap();
        }
        Self {
            device,
            tams,
            admin,
        }
    }

    fn library(&self) -> Vec<u8> {
        release::app("acme/library", 1, HELLO_1, &self.admin)
    }

    fn needing_library(&self) -> Release {
        Release::new("acme/app", 1).carrying(HELLO_2)
    }

    /// Whom the agent wants to talk to next.
    fn next(&mut self) -> Option<&'static str> {
        let next = self.device.agent.next_exchange().unwrap()?;
        assert_eq!(next.message, None);
        URIS.into_iter().find(|uri| *uri == next.tam_uri)
    }

    /// What a TAM is told is wanted.
    fn wanted(&mut self, tam: usize) -> Vec<RequestedComponent> {
        let request = QueryRequest {
            data_items: tamarack_teep::DataItems::TRUSTED_COMPONENTS,
            ..Tam::plain_query_with(Tam::token())
        };
        self.device
            .query(&self.tams[tam], request)
            .requested_tc_list
    }

    /// What a TAM sends is installed.
    fn installs(&mut self, tam: usize, envelope: &[u8]) {
        success_of(self.sends(tam, envelope));
    }

    /// What a TAM sends waits for something.
    fn waits(&mut self, tam: usize, envelope: &[u8]) -> String {
        let error = error_of(self.sends(tam, envelope));
        assert_eq!(error.code, ErrorCode::TEMPORARY_ERROR, "{error:?}");
        assert_eq!(reports(&error.suit_reports).len(), 1);
        error.explanation.unwrap().text
    }

    fn fails(&mut self, tam: usize, envelope: &[u8]) {
        let error = error_of(self.sends(tam, envelope));
        assert_eq!(error.code, ErrorCode::MANIFEST_PROCESSING_FAILED);
    }

    fn sends(&mut self, tam: usize, envelope: &[u8]) -> tamarack_teep::Message {
        self.device
            .exchange(&self.tams[tam], Tam::install(&[envelope]))
    }
}

fn manifest(component: &str) -> [RequestedComponent; 1] {
    [RequestedComponent::any_version(
        id(component).joined(b"suit").unwrap(),
    )]
}

// req: ARCH-002
#[test]
fn a_dependency_comes_from_the_tam_that_the_manifest_names() {
    let mut world = World::new();
    let library = world.library();
    let app = world.needing_library();
    let app = app.needing_from(&library, URIS[2]).by(&world.admin);
    assert_eq!(world.next(), None);
    let text = world.waits(0, &app);
    assert!(
        text.contains("acme/app/suit") && text.contains(URIS[2]),
        "{text}"
    );
    // Nobody is told before it is asked for.
    assert_eq!(world.wanted(2), []);
    assert_eq!(world.next(), Some(URIS[2]));
    assert_eq!(world.wanted(2), manifest("acme/library"));
    assert_eq!(world.wanted(1), []);
    world.installs(2, &library);
    // Back to whom the manifest came from, who sends it again.
    assert_eq!(world.next(), Some(URIS[0]));
    assert_eq!(world.wanted(2), []);
    world.installs(0, &app);
    assert_eq!(world.next(), None);
    assert_eq!(world.device.version("acme/app"), Some(1));
    assert_eq!(world.device.version("acme/library"), Some(1));
}

// req: ARCH-002
#[test]
fn a_dependency_that_nobody_names_is_asked_for_at_the_other_tams_in_turn() {
    let mut world = World::new();
    let library = world.library();
    let app = world.needing_library().needing(&library).by(&world.admin);
    world.waits(1, &app);
    assert_eq!(world.next(), Some(URIS[0]));
    assert_eq!(world.wanted(0), manifest("acme/library"));
    // That one has nothing, and the next is asked.
    assert_eq!(world.next(), Some(URIS[2]));
    world.installs(2, &library);
    assert_eq!(world.next(), Some(URIS[1]));
    world.installs(1, &app);
    assert_eq!(world.next(), None);
}

// req: ARCH-002
#[test]
fn dependencies_of_dependencies_are_had_in_the_same_way() {
    let mut world = World::new();
    let base = release::app("acme/base", 1, HELLO_1, &world.admin);
    let library = Release::new("acme/library", 1).carrying(HELLO_1);
    let library = library.needing_from(&base, URIS[2]).by(&world.admin);
    let app = world.needing_library();
    let app = app.needing_from(&library, URIS[1]).by(&world.admin);
    world.waits(0, &app);
    assert_eq!(world.next(), Some(URIS[1]));
    world.waits(1, &library);
    assert_eq!(world.next(), Some(URIS[2]));
    assert_eq!(world.wanted(2), manifest("acme/base"));
    world.installs(2, &base);
    assert_eq!(world.next(), Some(URIS[1]));
    assert_eq!(world.wanted(1), manifest("acme/library"));
    world.installs(1, &library);
    assert_eq!(world.next(), Some(URIS[0]));
    world.installs(0, &app);
    assert_eq!(world.next(), None);
}

#[test]
fn what_nobody_has_is_given_up() {
    let mut world = World::new();
    let library = world.library();
    let app = world.needing_library();
    let app = app.needing_from(&library, URIS[1]).by(&world.admin);
    world.waits(0, &app);
    assert_eq!(world.next(), Some(URIS[1]));
    // It has nothing, or could not be reached: nobody else was named.
    world.device.agent.process_error(URIS[1], "no route");
    assert_eq!(world.next(), None);
    assert_eq!(world.wanted(1), []);
    // Sent again right away, it fails for good, so that a TAM stops sending it.
    world.fails(0, &app);
    assert_eq!(world.next(), None);
}

#[test]
fn manifests_that_wait_for_each_other_end() {
    let mut world = World::new();
    let first = release::app("acme/first", 1, HELLO_1, &world.admin);
    let second = Release::new("acme/second", 1).carrying(HELLO_1);
    let second = second.needing_from(&first, URIS[0]).by(&world.admin);
    let first = Release::new("acme/first", 2).carrying(HELLO_1);
    let first = first.needing_from(&second, URIS[1]).by(&world.admin);
    world.waits(0, &first);
    assert_eq!(world.next(), Some(URIS[1]));
    world.waits(1, &second);
    assert_eq!(world.next(), Some(URIS[0]));
    // It waits still, and nobody is left to ask.
    world.waits(0, &first);
    assert_eq!(world.next(), None);
    world.fails(0, &first);
    assert_eq!(world.next(), None);
}

#[test]
fn only_trusted_tams_are_asked() {
    let mut world = World::new();
    let library = world.library();
    let evil = "https://evil.example/tam";
    let app = world.needing_library();
    let app = app.needing_from(&library, evil).by(&world.admin);
    // To the device, that is a place from which something is fetched.
    world.fails(0, &app);
    assert_eq!(world.next(), None);
    // A manifest that nobody vouches for sends the device nowhere.
    let stranger = Person::new();
    let app = world.needing_library();
    let app = app.needing_from(&library, URIS[1]).by(&stranger);
    world.fails(0, &app);
    assert_eq!(world.next(), None);
    // Nor does one that does what its signer may not.
    let owned = Person::new();
    let domain = release::domain("acme", 1, &owned, &world.admin);
    world.installs(0, &domain);
    let app = world.needing_library();
    let app = app.needing_from(&library, URIS[1]).by(&world.admin);
    world.fails(0, &app);
    assert_eq!(world.next(), None);
}

#[test]
fn waiting_is_bounded() {
    let mut world = World::new();
    for number in 0..20 {
        let library = release::app(&format!("l{number}"), 1, HELLO_1, &world.admin);
        let app = Release::new(&format!("a{number}"), 1).carrying(HELLO_1);
        let app = app.needing_from(&library, URIS[1]).by(&world.admin);
        // Of one TAM four at a time; the others may come again.
        world.waits(0, &app);
    }
    let asked = (0..20).map_while(|_| world.next()).count();
    assert_eq!(asked, 4);
    // Another TAM has places still.
    let library = release::app("l", 1, HELLO_1, &world.admin);
    let app = Release::new("a", 1).carrying(HELLO_1);
    world.waits(2, &app.needing_from(&library, URIS[1]).by(&world.admin));
    assert_eq!(world.next(), Some(URIS[1]));
}

#[test]
fn nobody_has_to_send_a_dependency_before_what_needs_it() {
    let mut world = World::new();
    let base = release::app("acme/base", 1, HELLO_1, &world.admin);
    let library = Release::new("acme/library", 1).carrying(HELLO_1);
    let library = library.needing(&base).by(&world.admin);
    let app = world.needing_library().needing(&library).by(&world.admin);
    let other = world.needing_library();
    let elsewhere = release::app("acme/elsewhere", 1, HELLO_1, &world.admin);
    let other = other.kept_at("acme/other/suit").needing(&elsewhere);
    let other = other.by(&world.admin);
    let update = Tam::install(&[&app, &library, &base]);
    let success = success_of(world.device.exchange(&world.tams[0], update));
    assert_eq!(reports(&success.suit_reports).len(), 3);
    assert_eq!(world.device.version("acme/app"), Some(1));
    assert_eq!(world.next(), None);
    // What is not in the Update either is looked for elsewhere.
    world.device.unlink(&world.tams[0], &["acme/app/suit"]);
    world.waits(0, &other);
    assert_eq!(world.next(), Some(URIS[1]));
}

#[test]
fn several_manifests_may_wait_for_what_one_tam_has() {
    let mut world = World::new();
    let libraries: Vec<_> = (0..3)
        .map(|number| release::app(&format!("l{number}"), 1, HELLO_1, &world.admin))
        .collect();
    let needing = |name: &str, library: &[u8]| {
        let app = Release::new(name, 1).carrying(HELLO_1);
        app.needing_from(library, URIS[1]).by(&world.admin)
    };
    let mut apps: Vec<_> = (0..3)
        .map(|number| needing(&format!("a{number}"), &libraries[number]))
        .collect();
    // Two that wait for the same.
    apps.push(needing("a3", &libraries[0]));
    let update = || Tam::install(&apps.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let error = error_of(world.device.exchange(&world.tams[0], update()));
    assert_eq!(error.code, ErrorCode::TEMPORARY_ERROR, "{error:?}");
    assert_eq!(world.next(), Some(URIS[1]));
    // One exchange is enough for all.
    let wanted = world.wanted(1);
    assert_eq!(wanted.len(), 3);
    for library in &libraries {
        world.installs(1, library);
    }
    assert_eq!(world.next(), Some(URIS[0]));
    success_of(world.device.exchange(&world.tams[0], update()));
    while world.next().is_some() {}
    assert_eq!(world.device.version("a3"), Some(1));
}

#[test]
fn nobody_is_asked_for_a_dependency_that_was_refused() {
    let mut world = World::new();
    // It came along, and its signer has no right to it.
    let (owner, stranger) = (Person::new(), Person::new());
    let domain = release::domain("acme", 1, &owner, &world.admin);
    world.installs(0, &domain);
    let library = release::app("acme/library", 1, HELLO_1, &stranger);
    let app = Release::new("acme/app", 1).carrying(HELLO_2);
    let app = app.bringing(&library).by(&owner);
    world.fails(0, &app);
    assert_eq!(world.next(), None);
}

/// Serves, at one URI, something else each time.
struct Alternating(u64);

impl tamarack_suit::Fetch for Alternating {
    fn fetch(
        &mut self,
        _: &str,
        _: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), tamarack_suit::DeviceError>,
    ) -> Result<(), tamarack_suit::DeviceError> {
        self.0 += 1;
        assert!(self.0 < 100, "it is tried for ever");
        sink(match self.0 % 2 {
            0 => b"even",
            _ => b"odd!",
        })
    }
}

impl tamarack_agent::Relay for Alternating {}

#[test]
fn a_manifest_that_lacks_something_else_each_time_ends() {
    use tamarack_suit::{
        Action, Command, Condition, IndexArgument, Parameter, Parameters, ReportingPolicy, Section,
        Sequence, SequenceNumber, SuitDigest,
        author::{ComponentBuilder, DependencyBuilder, ManifestBuilder},
    };
    let mut world = World::new();
    let there = ["acme/one", "acme/two"].map(|name| release::app(name, 1, HELLO_1, &world.admin));
    for envelope in &there {
        world.installs(0, envelope);
    }
    let set = |parameter| Command::OverrideParameters(Parameters::from_list([parameter]));
    let index = |index| Command::SetComponentIndex(IndexArgument::One(index));
    let test = |condition| Command::Condition(condition, ReportingPolicy::ALL);
    let digest = |bytes: &[u8]| Parameter::ImageDigest(SuitDigest::sha256(&crypto(), bytes));
    let way = |served: &[u8], dependency| -> Sequence<'static> {
        [
            index(0),
            set(digest(served)),
            test(Condition::ImageMatch),
            index(dependency),
            set(digest(b"of no manifest")),
            test(Condition::DependencyIntegrity),
        ]
        .into_iter()
        .collect()
    };
    let install: Sequence<'static> = [
        index(0),
        set(Parameter::Uri("https://evil.example/c".into())),
        Command::Action(Action::Fetch, ReportingPolicy::ALL),
        Command::TryEach {
            alternatives: vec![way(b"even", 1), way(b"odd!", 2)],
            or_nothing: false,
        },
    ]
    .into_iter()
    .collect();
    let mut builder = ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("acme/evil/suit"))
        .component(ComponentBuilder::new(id("acme/evil")));
    for envelope in &there {
        let envelope = tamarack_suit::Envelope::decode(envelope).unwrap();
        builder = builder.dependency(DependencyBuilder::of(&envelope).unwrap());
    }
    let draft = builder.section(Section::Install, install).build().unwrap();
    let envelope = draft.sign(&crypto(), &[world.admin.signer()]).unwrap();
    let tam = &world.tams[0];
    world.device.query(tam, Tam::query());
    let message = tam.sign(Tam::install(&[&envelope]));
    let mut server = Alternating(0);
    let answer = world
        .device
        .agent
        .process_teep_message(&message, &mut server);
    let error = error_of(world.device.open(&answer.unwrap().unwrap()));
    assert_eq!(error.code, ErrorCode::MANIFEST_PROCESSING_FAILED);
}
