//! Using up what neighbours need, or keeping the device busy.

use tamarack_agent::Quota;
use tamarack_suit::{
    Command, Condition, IndexArgument, Parameter, Section, SequenceNumber, SuitDigest,
    author::{ComponentBuilder, ManifestBuilder},
    report::Reason,
};
use tamarack_tests::{Person, crypto, id, open_session, release, wasm::HELLO_1};

use crate::{
    Attempt,
    Expected::{Harmless, Refused},
    attempt,
    commands::{index, set, test},
    failed,
    world::{identified, manifest, part},
};

fn tiny() -> Quota {
    Quota {
        bytes: 0,
        applications: 0,
        objects: 0,
        sessions: 0,
        ..part()
    }
}

pub(crate) const ATTEMPTS: &[Attempt] = &[
    attempt("store more than its quota", failed("over quota"), |world| {
        let envelope = release::app("evil/big", 1, &[7; (1 << 20) + 1], &world.evil);
        world.send(&envelope)
    }),
    attempt(
        "store more than its quota, bit by bit",
        failed("over quota"),
        |world| {
            for part in 0..3 {
                let name = format!("evil/part/{part}");
                let envelope = release::app(&name, 1, &[7; 300_000], &world.evil);
                world.send(&envelope)?;
            }
            let envelope = release::app("evil/part/3", 1, &[7; 300_000], &world.evil);
            let tried = world.send(&envelope);
            let manifests = [0, 1, 2].map(|part| format!("evil/part/{part}/suit"));
            let manifests: Vec<&str> = manifests.iter().map(String::as_str).collect();
            world.unlink(&manifests);
            tried
        },
    ),
    attempt(
        "store more than its quota in a sub-domain with a large one",
        failed("over quota"),
        |world| world.sub_domain("evil/large", |domain| domain.quota.bytes = u64::MAX),
    ),
    attempt(
        "install more applications than its quota",
        failed("5 of 4 applications for evil"),
        |world| {
            for name in ["evil/a", "evil/b", "evil/c", "evil/d"] {
                let envelope = release::app(name, 1, HELLO_1, &world.evil);
                world.send(&envelope)?;
            }
            world.installs("evil/e")
        },
    ),
    attempt("hold all sessions of the device", Harmless, |world| {
        let tee = &world.providers.device.tee;
        let mut held = Vec::new();
        while let Ok(session) = open_session(tee, "evil/a") {
            held.push(session);
            assert!(held.len() <= 64);
        }
        open_session(tee, "acme/vault").unwrap();
        held.into_iter().for_each(|session| {
            let _ = tee.applications().close(session);
        });
        Ok(())
    }),
    attempt(
        "install an application that needs more memory than its sub-domain has",
        failed("memory"),
        |world| {
            world.unlink(&["evil/d/suit"]);
            world.sub_domain("evil/narrow", |domain| {
                domain.quota = Quota {
                    memory: 1 << 16,
                    ..part()
                };
            })?;
            let envelope = release::app("evil/narrow/hello", 1, HELLO_1, &world.evil);
            world.send(&envelope)
        },
    ),
    attempt(
        "install an application that is none",
        failed("not a valid WebAssembly module"),
        |world| {
            let envelope = release::app("evil/a", 2, b"\0asm and nothing else", &world.evil);
            world.send(&envelope)
        },
    ),
    attempt(
        "list more components than a manifest can have",
        Refused(Reason::CborParse, "SUIT_Components: out of bounds"),
        |world| {
            let mut builder = manifest(1).component(identified(&id("evil/x")));
            for at in 0..31 {
                builder = builder.component(ComponentBuilder::new(id(&format!("evil/x{at}"))));
            }
            let draft = builder.build().unwrap();
            let mut raw = draft.manifest().clone();
            raw.common.components.push(id("evil/one-more"));
            world.signs(&tamarack_suit::author::Draft::new(raw))
        },
    ),
    attempt(
        "give more commands than a manifest can have",
        Refused(Reason::CborParse, "the limit on commands"),
        |world| {
            let draft = manifest(1)
                .component(identified(&id("evil/x")))
                .build()
                .unwrap();
            let mut raw = draft.manifest().clone();
            raw.common.shared_sequence = Some((0..2000).map(|_| index(0)).collect());
            world.signs(&tamarack_suit::author::Draft::new(raw))
        },
    ),
    attempt(
        "give few commands that run each other on all components for ever",
        failed("the limit on executed commands"),
        |world| {
            let all = || Command::SetComponentIndex(IndexArgument::All);
            let mut commands = vec![all(), set(Parameter::ComponentSlot(1))];
            for _ in 0..3 {
                commands = vec![all(), Command::RunSequence(commands.into_iter().collect())];
            }
            let names: Vec<String> = (0..31).map(|at| format!("evil/x{at}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            world.commands(&names, commands)
        },
    ),
    attempt(
        "nest sequences deeper than there can be",
        Refused(Reason::CborParse, "nested too deeply"),
        |world| {
            let draft = manifest(1)
                .component(identified(&id("evil/x")))
                .build()
                .unwrap();
            let mut raw = draft.manifest().clone();
            let mut commands = vec![index(0)];
            for _ in 0..30 {
                commands = vec![Command::RunSequence(commands.into_iter().collect())];
            }
            raw.common.shared_sequence = Some(commands.into_iter().collect());
            world.signs(&tamarack_suit::author::Draft::new(raw))
        },
    ),
    attempt(
        "have a manifest of many kilobytes kept",
        failed("too long to be kept"),
        |world| {
            let builder = manifest(1).component(identified(&id("evil/x")).integrated(
                &crypto(),
                "#payload",
                HELLO_1,
            ));
            let builder = builder.reference_uri(format!("http://evil/{}", "x".repeat(300_000)));
            world.signs(&builder.build().unwrap())
        },
    ),
    attempt(
        "fill the report with hundreds of failures",
        Harmless,
        |world| {
            let digest = Parameter::ImageDigest(SuitDigest::sha256(&crypto(), b"x"));
            let fail = vec![
                set(Parameter::SoftFailure(true)),
                set(digest),
                test(Condition::ImageMatch),
            ];
            let fail = || Command::RunSequence(fail.clone().into_iter().collect());
            let component = identified(&id("evil/x")).integrated(&crypto(), "#payload", b"data");
            let builder = manifest(1).component(component);
            let commands = (0..200).map(|_| fail()).collect();
            let draft = builder.section(Section::CandidateVerification, commands);
            world.signs(&draft.build().unwrap())?;
            assert!(world.heard().next().unwrap().len() < 10_000);
            Ok(())
        },
    ),
    attempt(
        "have a text of its own stand in a refusal, that looks like the device's",
        Refused(
            Reason::ConditionFailed,
            "0x1b5b324a0d0a61636d65/0xe280ae78: condition image-match failed",
        ),
        |world| {
            let name = id("evil/0x1b5b324a0d0a61636d65/%e2%80%aex");
            let builder = ManifestBuilder::new(SequenceNumber(1)).manifest_id(name);
            let component = identified(&id("evil/y")).integrated(&crypto(), "#payload", b"data");
            let draft = builder.component(component).build().unwrap();
            let tried = world.signs(&draft.with_integrated("#payload", &b"else"[..]));
            let text = &tried.as_ref().unwrap_err().text;
            let plain = |c: char| c == ' ' || c.is_ascii_graphic() || c == '…';
            assert!(text.chars().all(plain), "{text:?}");
            tried
        },
    ),
    attempt(
        "make more sub-domains than there can be",
        failed("the limit of 32 sub-domains in evil"),
        |world| {
            let owner = Person::new();
            let subs: Vec<_> = (0..33)
                .map(|at| {
                    let name = format!("evil/sub{at}");
                    release::domain_with(&name, 1, &name, &[&owner], tiny(), &world.evil)
                })
                .collect();
            world.send_all(&subs)
        },
    ),
    attempt(
        "install more components than a domain can have",
        failed("limit of 256 components"),
        |world| {
            // A manifest brings 29 of them.
            for at in 0..10 {
                let name = format!("evil/small/{at}");
                let mut release = release::Release::new(&name, 1).carrying(b"x");
                for further in 0..28 {
                    release = release.and_carrying(&format!("{name}/{further}"), b"x");
                }
                let envelope = release.by(&world.evil);
                world.send(&envelope)?;
            }
            Ok(())
        },
    ),
    attempt(
        "have more manifests remembered than a domain can have, so that the device has no place for others",
        failed("the limit on manifests"),
        |world| {
            world.remember_removed("evil/small/0/suit", 256);
            world.installs_id_as(&id("evil/one-more"), "evil/one-more/suit")
        },
    ),
];
