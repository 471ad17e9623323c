//! Dependencies in the hands of a signer who may touch little, and wants what is another's.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "a test that meets the unexpected fails"
)]

#[path = "../common/mod.rs"]
mod common;
mod world;

use common::*;
use tamarack_suit::{
    Action, Command, Condition, Device, Error, NoFetch, Parameter, Processor, Section, TrustAnchor,
    Why,
};
use world::*;

/// What takes, starts, removes and overwrites what is the victim's when it is uninstalled.
fn thief(world: &World) -> Vec<u8> {
    let components = ["victim/secret", "victim/factory", "evil/loot", "victim/app"];
    let commands = [
        vec![
            index(2),
            set([Parameter::SourceComponent(0)]),
            action(Action::Copy),
            index(1),
            action(Action::Unlink),
        ],
        vec![index(3), action(Action::Invoke)],
    ]
    .concat();
    let sections = vec![(Section::Uninstall, commands)];
    world.evil(manifest(1, "evil/dep", &components, &[], sections))
}

// req: SUIT-ACL-005, SUIT-DEP-035
#[test]
fn what_nobody_admitted_takes_no_part_in_an_uninstall() {
    let mut world = World::with_victim(&[]);
    let before = world.of_victim();
    let thief = thief(&world);
    assert!(matches!(
        world.update(&thief),
        Err(Error::ComponentUnauthorized(_))
    ));
    let harmless = world.evil(manifest(1, "evil/dep", &["evil/x"], &[], vec![]));
    // Installed without a check of its integrity, it would not be recorded.
    let unchecked = [bring(1, &harmless), vec![condition(Condition::ImageMatch)]].concat();
    let root = |install: Vec<Command<'static>>| {
        let sections = vec![
            (Section::Install, install),
            (Section::Uninstall, brought(1, &thief)),
        ];
        let dependencies = [(1, Some("evil/dep"))];
        world.evil(manifest(
            1,
            "evil/suit",
            &["evil/y"],
            &dependencies,
            sections,
        ))
    };
    let (unchecked, checked) = (root(unchecked), root(brought(1, &harmless)));
    assert_eq!(
        world.update(&unchecked),
        Err(Error::Unverified(id("evil/dep")))
    );
    // Nor is another one put in its place on the way out.
    assert_eq!(world.update(&checked), Ok(()));
    assert!(matches!(
        world.uninstall("evil/suit"),
        Err(Error::ActionFailed {
            why: Why::InUse,
            ..
        })
    ));
    assert_eq!(world.of_victim(), before);
    assert_eq!(world.content("evil/loot"), None);
    assert!(world.device.invoked().is_empty());
    // Whoever manages the device gets rid of it in the next release.
    let release = world.evil(manifest(2, "evil/suit", &["evil/y"], &[], vec![]));
    assert_eq!(world.update(&release), Ok(()));
    assert_eq!(world.uninstall("evil/suit"), Ok(()));
    assert_eq!(world.of_victim(), before);
    assert!(world.names().iter().all(|name| name.starts_with("victim/")));
}

// req: SUIT-DEP-002, SUIT-ACL-005
#[test]
fn what_was_installed_under_one_prefix_is_not_removed_under_another() {
    let (evil, victim) = (author(2), author(4));
    let anchors = anchors([
        TrustAnchor::new(evil.key).with_prefixes([id("config")]),
        TrustAnchor::new(victim.key).with_prefixes([id("victim")]),
    ]);
    let mut world = World {
        anchors,
        ..World::new(&[])
    };
    world.device.put(&id("victim/config"), b"provisioned");
    let removal = vec![index(0), action(Action::Unlink)];
    let sections = vec![(Section::Uninstall, removal)];
    let library = world.evil(manifest(1, "config/d", &["config"], &[], sections));
    let root = |dependencies: &[(u64, Option<&str>)]| {
        let sections = vec![
            (Section::Install, brought(1, &library)),
            (
                Section::Uninstall,
                [
                    vec![index(0), set([manifest_digest(&library)])],
                    check_and_process(),
                ]
                .concat(),
            ),
        ];
        manifest(1, "config/suit", &["config/d"], dependencies, sections)
    };
    // The same dependency twice, once under each.
    let twice = world.evil(root(&[(0, Some("victim")), (1, Some("config/d"))]));
    assert!(matches!(world.update(&twice), Err(Error::Invalid(_))));
    assert_eq!(world.content("victim/config"), Some(&b"provisioned"[..]));
}

// req: SUIT-ACL-004, SUIT-ACL-005
#[test]
fn to_depend_on_a_manifest_is_no_right_to_what_else_its_place_holds() {
    let mut world = World::with_victim(&["victim"]);
    let before = world.of_victim();
    for (component, commands) in [
        ("victim/app", vec![action(Action::Invoke)]),
        (
            "victim/secret",
            vec![set([bytes(b"SECRET")]), condition(Condition::CheckContent)],
        ),
        (
            "victim/secret",
            vec![set([bytes(b"secret")]), condition(Condition::CheckContent)],
        ),
        // Not even what no manifest has.
        (
            "victim/factory",
            vec![set([bytes(b"evil")]), action(Action::Write)],
        ),
        (
            "victim/factory",
            vec![
                index(0),
                set([Parameter::SourceComponent(1)]),
                action(Action::Copy),
            ],
        ),
    ] {
        let commands = [vec![index(1)], commands].concat();
        let dependencies = [(1, Some(component))];
        let root = manifest(
            1,
            "evil/suit",
            &["evil/y"],
            &dependencies,
            install(commands),
        );
        let root = world.evil(root);
        assert_eq!(world.update(&root), Err(Error::InUse(id(component))));
    }
    // A manifest that is there is a manifest, and not a component.
    let library = install(write(0, b"library"));
    let library = manifest(1, "victim/lib", &["victim/libx"], &[], library);
    let library = signed_by(&world.victim, library);
    let dependencies = [(1, Some("victim/lib"))];
    for commands in [
        vec![action(Action::Invoke)],
        vec![set([Parameter::SourceComponent(0)]), action(Action::Swap)],
        vec![
            index(0),
            set([Parameter::SourceComponent(1)]),
            action(Action::Copy),
        ],
    ] {
        let commands = [brought(1, &library), commands].concat();
        let root = manifest(
            1,
            "evil/suit",
            &["evil/y"],
            &dependencies,
            install(commands),
        );
        let root = world.evil(root);
        refused_for_a_dependency(&mut world, &root);
    }
    assert_eq!(world.of_victim(), before);
    assert!(world.device.invoked().is_empty());
    // What was installed is not overwritten by who only starts something.
    let overwrite = [
        vec![index(1), set([manifest_digest(&library)])],
        check_and_process(),
        vec![set([bytes(b"junk")]), action(Action::Write)],
    ]
    .concat();
    let sections = vec![
        (Section::Install, brought(1, &library)),
        (Section::Load, overwrite),
    ];
    let root = world.evil(manifest(
        1,
        "evil/suit",
        &["evil/y"],
        &dependencies,
        sections,
    ));
    assert_eq!(world.update(&root), Ok(()));
    assert_eq!(
        world.invoke("evil/suit"),
        Err(Error::ActionFailed {
            action: Action::Write,
            why: Why::InUse
        })
    );
    assert_eq!(world.invoke("victim/lib"), Ok(()));
}

// req: SUIT-DEP-002, SUIT-ACL-005
#[test]
fn a_prefix_takes_the_rights_of_who_sets_it() {
    let administrator = author(6);
    let evil = author(2);
    let anchors = anchors([
        TrustAnchor::new(evil.key)
            .with_prefixes([id("evil")])
            .with_dependencies([id("shared")]),
        TrustAnchor::new(administrator.key),
    ]);
    let mut world = World {
        anchors,
        ..World::new(&[])
    };
    world.device.put(&id("victim/config"), b"provisioned");
    let defaults = install(write(0, b"defaults"));
    let library = manifest(1, "shared/lib", &["config"], &[], defaults);
    let library = signed_by(&administrator, library);
    let root = |scope| {
        let dependencies = [(0, Some(scope))];
        let install = install(brought(0, &library));
        manifest(1, "evil/suit", &["shared/lib"], &dependencies, install)
    };
    let foreign = world.evil(root("victim"));
    assert_eq!(
        world.update(&foreign),
        Err(Error::ComponentUnauthorized(id("victim/config")))
    );
    assert_eq!(world.content("victim/config"), Some(&b"provisioned"[..]));
    let own = world.evil(root("evil"));
    assert_eq!(world.update(&own), Ok(()));
    assert_eq!(world.content("evil/config"), Some(&b"defaults"[..]));
}

// req: SUIT-DEP-002, SUIT-DEP-032
#[test]
fn what_is_installed_keeps_its_identifiers() {
    let (evil, victim) = (author(2), author(4));
    let anchors = anchors([
        TrustAnchor::new(evil.key)
            .with_prefixes([id("evil"), id("victim/x")])
            .with_dependencies([id("victim")]),
        TrustAnchor::new(victim.key).with_prefixes([id("victim")]),
    ]);
    let mut world = World {
        anchors,
        ..World::new(&[])
    };
    let app = install(write(0, b"app"));
    let app = manifest(1, "victim/suit", &["victim/app"], &[], app);
    let app = signed_by(&world.victim, app);
    assert_eq!(world.update(&app), Ok(()));
    let commands = [vec![set([manifest_digest(&app)])], check_and_process()].concat();
    let dependencies = [(0, Some("victim/x"))];
    let root = manifest(
        1,
        "evil/suit",
        &["victim/suit"],
        &dependencies,
        install(commands),
    );
    let root = world.evil(root);
    refused_for_a_dependency(&mut world, &root);
    let record = world.device.manifest(&id("victim/suit")).unwrap().unwrap();
    assert_eq!(record.components, [id("victim/app")]);
}

// req: SUIT-DEP-002
#[test]
fn a_dependency_has_one_prefix() {
    let mut world = World::new(&[]);
    let library = world.evil(manifest(
        1,
        "evil/d",
        &["x"],
        &[],
        install(write(0, b"library")),
    ));
    let anchors = anchors([TrustAnchor::new(world.evil.key)]);
    world.anchors = anchors;
    let within = |place: &str, prefix, commands: Vec<Command<'static>>| {
        let dependencies = [(0, Some(prefix))];
        manifest(1, place, &["evil/d"], &dependencies, install(commands))
    };
    let left = |place: &str| within(place, "left", brought(0, &library));
    let right = |place: &str| within(place, "right", brought(0, &library));
    // By two dependents in one update.
    let here = [vec![set([manifest_digest(&library)])], check_and_process()].concat();
    let other = world.evil(within("evil/a", "right", here));
    let commands = [brought(0, &library), brought(1, &other)].concat();
    let dependencies = [(0, Some("left")), (1, Some("evil/a"))];
    let root = manifest(1, "evil/r", &["evil/d"], &dependencies, install(commands));
    let root = world.evil(root);
    refused_for_a_dependency(&mut world, &root);
    // And by one after the other.
    let (one, two) = (world.evil(left("evil/one")), world.evil(right("evil/two")));
    assert_eq!(world.update(&one), Ok(()));
    assert!(world.update(&two).is_err());
    assert_eq!(world.content("left/x"), Some(&b"library"[..]));
    assert_eq!(world.content("right/x"), None);
    assert_eq!(world.uninstall("evil/one"), Ok(()));
    assert_eq!(world.names(), [""; 0]);
    assert_eq!(world.update(&two), Ok(()));
}

// req: SUIT-MAN-003, SUIT-DEP-013
#[test]
fn an_older_release_is_not_brought_along_at_another_place() {
    let mut world = World::new(&["victim"]);
    let release = |number, component: &str, content: &[u8]| {
        let install = install(write(0, content));
        manifest(number, "victim/suit", &[component], &[], install)
    };
    let old = signed_by(&world.victim, release(1, "victim/legacy", b"vulnerable"));
    let current = signed_by(&world.victim, release(2, "victim/app", b"two"));
    let next = signed_by(&world.victim, release(3, "victim/app", b"three"));
    assert_eq!(world.update(&current), Ok(()));
    // Nor is the current one, which would keep the next from being installed.
    for envelope in [&old, &current] {
        let dependencies = [(1, Some("victim/other"))];
        let install = install(brought(1, envelope));
        let root = manifest(1, "evil/suit", &["evil/y"], &dependencies, install);
        let root = world.evil(root);
        assert!(world.update(&root).is_err());
    }
    assert_eq!(world.content("victim/legacy"), None);
    assert_eq!(world.update(&next), Ok(()));
}

// req: SUIT-DEP-029
#[test]
fn what_ran_is_what_is_recorded() {
    let mut world = World::new(&["victim"]);
    let release = |number, content: &[u8]| {
        let install = install(write(0, content));
        manifest(number, "victim/suit", &["victim/app"], &[], install)
    };
    let old = signed_by(&world.victim, release(1, b"old"));
    let new = signed_by(&world.victim, release(9, b"new"));
    let commands = [
        brought(1, &old),
        bring(1, &new),
        vec![condition(Condition::DependencyIntegrity)],
    ]
    .concat();
    let dependencies = [(1, Some("victim/suit"))];
    let root = manifest(
        1,
        "evil/suit",
        &["evil/y"],
        &dependencies,
        install(commands),
    );
    let root = world.evil(root);
    assert_eq!(
        world.update(&root),
        Err(Error::ActionFailed {
            action: Action::Write,
            why: Why::InUse
        })
    );
    assert_eq!(world.names(), [""; 0]);
}

// req: SUIT-DEP-027, SUIT-DEP-029
#[test]
fn what_one_manifest_verified_another_verifies_too() {
    let mut world = World::new(&[]);
    let library = manifest(1, "evil/d", &["evil/x"], &[], install(write(0, b"x")));
    let library = world.evil(library);
    // Pins another manifest at the same place, and does not check that it is there.
    let pinned = vec![
        set([Parameter::ImageDigest(tamarack_suit::SuitDigest::sha256(
            &crypto(),
            b"another",
        ))]),
        action(Action::ProcessDependency),
    ];
    let other = manifest(1, "evil/a", &[], &[(0, Some("evil/d"))], install(pinned));
    let other = world.evil(other);
    let commands = [brought(0, &library), brought(1, &other)].concat();
    let dependencies = [(0, Some("evil/d")), (1, Some("evil/a"))];
    let root = manifest(1, "evil/r", &[], &dependencies, install(commands));
    let root = world.evil(root);
    refused_for_a_dependency(&mut world, &root);
}

// req: SUIT-PROC-007
#[test]
fn an_uninstall_leaves_nothing_unverified() {
    let mut world = World::new(&[]);
    let fetch = vec![
        set([uri("https://factory"), digest_of(b"factory")]),
        action(Action::Fetch),
    ];
    let sections = vec![
        (Section::Install, write(0, b"good")),
        (Section::Uninstall, fetch),
    ];
    let root = world.evil(manifest(1, "evil/suit", &["evil/x"], &[], sections));
    assert_eq!(world.update(&root), Ok(()));
    let result = world.run(|processor, device| {
        let mut server = Server::with("https://factory", b"from the network");
        processor.uninstall(device, &mut server, &id("evil/suit"))
    });
    assert_eq!(result, Err(Error::Unverified(id("evil/x"))));
    assert_eq!(world.content("evil/x"), Some(&b"good"[..]));
}

#[test]
fn manifests_that_need_one_another_are_refused() {
    let mut world = World::new(&[]);
    let part = |place: &str, component: &str, other: &str| {
        world.evil(manifest(
            1,
            place,
            &[component],
            &[(1, Some(other))],
            vec![],
        ))
    };
    let (one, two) = (
        part("evil/a", "evil/ax", "evil/b"),
        part("evil/b", "evil/bx", "evil/a"),
    );
    let commands = [
        bring(0, &one),
        bring(1, &two),
        vec![index(0), condition(Condition::DependencyIntegrity)],
        vec![index(1), condition(Condition::DependencyIntegrity)],
    ]
    .concat();
    let dependencies = [(0, Some("evil/a")), (1, Some("evil/b"))];
    let siblings = manifest(1, "evil/suit", &[], &dependencies, install(commands));
    let siblings = world.evil(siblings);
    refused_for_a_dependency(&mut world, &siblings);
    assert_eq!(world.names(), [""; 0]);
    // One that names its own dependent, at whatever index.
    for (components, at) in [(vec![], 0), (vec!["evil/d1x"], 1)] {
        let inner = install(vec![action(Action::ProcessDependency)]);
        let inner = manifest(1, "evil/d2", &[], &[(0, Some("evil/d1"))], inner);
        let inner = world.evil(inner);
        let outer = install(brought(at, &inner));
        let outer = manifest(1, "evil/d1", &components, &[(at, Some("evil/d2"))], outer);
        let outer = world.evil(outer);
        let root = install(brought(0, &outer));
        let root = manifest(1, "evil/suit", &[], &[(0, Some("evil/d1"))], root);
        let root = world.evil(root);
        refused_for_a_dependency(&mut world, &root);
    }
}

// req: SUIT-DEP-031, SUIT-DEP-035
#[test]
fn nothing_stays_that_nobody_has() {
    let mut world = World::new(&[]);
    let library = install(write(0, b"library"));
    let library = world.evil(manifest(1, "evil/lib", &["evil/libx"], &[], library));
    let named = || vec![index(1), set([manifest_digest(&library)])];
    let unlink_own = || vec![index(0), action(Action::Unlink)];
    // However a dependency without an uninstall section is let go of.
    for uninstall in [
        None,
        Some([unlink_own(), vec![index(1), action(Action::Unlink)]].concat()),
        Some([vec![index(1), action(Action::Unlink)], unlink_own()].concat()),
        Some([unlink_own(), named(), check_and_process()].concat()),
        Some(vec![
            Command::SetComponentIndex(tamarack_suit::IndexArgument::All),
            action(Action::Unlink),
        ]),
    ] {
        let mut sections = install([write(0, b"y"), brought(1, &library)].concat());
        sections.extend(uninstall.map(|commands| (Section::Uninstall, commands)));
        let dependencies = [(1, Some("evil/lib"))];
        let root = world.evil(manifest(
            1,
            "evil/suit",
            &["evil/y"],
            &dependencies,
            sections,
        ));
        assert_eq!(world.update(&root), Ok(()));
        assert_eq!(
            world.names(),
            ["evil/lib", "evil/libx", "evil/suit", "evil/y"]
        );
        assert_eq!(world.uninstall("evil/suit"), Ok(()));
        assert_eq!(world.names(), [""; 0]);
    }
    // A release that has a component no more.
    let both = [write(0, b"x"), write(1, b"y")].concat();
    let both = manifest(1, "evil/suit", &["evil/x", "evil/y"], &[], install(both));
    let one = manifest(2, "evil/suit", &["evil/x"], &[], install(write(0, b"2")));
    let (both, one) = (world.evil(both), world.evil(one));
    assert_eq!(world.update(&both), Ok(()));
    assert_eq!(world.update(&one), Ok(()));
    assert_eq!(world.names(), ["evil/suit", "evil/x"]);
}

// req: SUIT-REP-006, SUIT-REP-017
#[test]
fn a_failure_far_down_says_the_way_from_the_root() {
    let world = World::new(&[]);
    let last = install(vec![condition(Condition::Abort)]);
    let last = world.evil(manifest(1, "evil/c", &["evil/cx"], &[], last));
    let middle = install(brought(2, &last));
    let components = ["evil/bx", "evil/by"];
    let middle = manifest(1, "evil/b", &components, &[(2, Some("evil/c"))], middle);
    let middle = world.evil(middle);
    // A command that nobody knows is found before the first one runs, in its own place.
    let unknown = Command::Other {
        label: -300,
        argument: b"\x00".as_slice().into(),
    };
    let strange = install(vec![unknown]);
    let strange = world.evil(manifest(1, "evil/b", &["evil/bx"], &[], strange));
    let crypto = crypto();
    for (dependency, path, section, offset) in [
        (&middle, vec![1, 2], Section::Install, 1),
        (&strange, vec![1], Section::Install, 1),
    ] {
        let root = install(brought(1, dependency));
        let root = manifest(1, "evil/suit", &["evil/y"], &[(1, Some("evil/b"))], root);
        let root = world.evil(root);
        let processor = Processor::new(&crypto, &world.anchors, &world.anchors);
        let outcome = processor.update_bytes(&mut device(), &mut NoFetch, &root);
        let tamarack_suit::report::ReportResult::Failure { record, .. } = outcome.report.result
        else {
            panic!("it succeeded");
        };
        assert_eq!(record.manifest_id, path);
        assert_eq!(record.section, section.label());
        assert_eq!(record.offset, offset);
    }
}
