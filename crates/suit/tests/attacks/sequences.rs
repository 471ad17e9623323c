//! Command sequences that ask for what is not there, or never end.

use tamarack_cose::cbor::Writer;
use tamarack_suit::{
    Action, Command, Condition, IndexArgument, Parameter, Parameters, Section, Severable,
};

use crate::{common::*, fixture::Attack};

/// An install sequence for `a/b` that writes first, so that a late refusal would show.
fn install(commands: Vec<Command<'static>>) -> Vec<u8> {
    install_for(&["a/b"], commands)
}

fn install_for(components: &[&str], commands: Vec<Command<'static>>) -> Vec<u8> {
    let mut all = vec![index(0), set([content(b"x")]), action(Action::Write)];
    all.extend(commands);
    sign_sections(&author(2), components, vec![(Section::Install, all)])
}

fn encoded(content: &[u8]) -> Vec<u8> {
    sign_raw(&author(2), &raw_manifest(&[(20, content)]))
}

fn custom(label: i64) -> Command<'static> {
    Command::Other {
        label,
        argument: vec![0xf6].into(),
    }
}

/// A command that is not implemented, where it is never reached.
fn unreached(command: Command<'static>) -> Vec<u8> {
    let size = || set([Parameter::ImageSize(1)]);
    install(vec![try_each([vec![size()], vec![size(), command]], true)])
}

fn shared(commands: Vec<Command<'static>>) -> Vec<u8> {
    let common = Writer::build(|w| {
        w.map(2).int(2).array(1).array(1).bytes(b"a");
        w.int(4).bytes(&sequence(commands).encode());
    });
    let manifest = Writer::build(|w| {
        w.map(3).int(1).uint(1).int(2).uint(1).int(3).bytes(&common);
    });
    sign_raw(&author(2), &manifest)
}

pub fn attacks() -> Vec<Attack> {
    let index_error = "ComponentIndex";
    let list = |list: &[u64]| Command::SetComponentIndex(IndexArgument::List(list.to_vec()));
    let one = |parameter| Parameters::from_list([parameter]);
    vec![
        Attack::new(
            "index-out-of-range",
            "refers to components that the manifest does not list, to reach beyond a table",
            "Every index is checked before anything runs, also where it would never be reached.",
        )
        .refused("set-component-index", install(vec![index(1)]), index_error)
        .refused("largest-index", install(vec![index(u64::MAX)]), index_error)
        .refused("list", install(vec![list(&[0, 255])]), index_error)
        .refused("source-component", install(vec![set([Parameter::SourceComponent(4)]), action(Action::Copy)]), index_error)
        .refused("source-component-set", install(vec![Command::SetParameters(one(Parameter::SourceComponent(4)))]), index_error)
        .refused("override-multiple", install(vec![Command::OverrideMultiple(vec![(7, one(content(b"x")))])]), index_error)
        .refused(
            "source-in-override-multiple",
            install(vec![Command::OverrideMultiple(vec![(0, one(Parameter::SourceComponent(1)))])]),
            index_error,
        )
        .refused("copy-params", install(vec![Command::CopyParameters(vec![(3, vec![18])])]), index_error)
        .refused("within-try-each", install(vec![try_each([vec![index(9)]], true)]), index_error)
        .refused("within-run-sequence", install(vec![run([run([index(9)])])]), index_error)
        .refused("shared", shared(vec![index(1)]), index_error)
        .refused("dependency-with-a-gap", {
            let common = Writer::build(|w| {
                w.map(2).int(1).map(1).uint(5).map(1).int(1).array(1).bytes(b"d");
                w.int(2).array(1).array(1).bytes(b"a");
            });
            let manifest = Writer::build(|w| {
                w.map(3).int(1).uint(1).int(2).uint(1).int(3).bytes(&common);
            });
            sign_raw(&author(2), &manifest)
        }, "Decode(Expected)"),
        Attack::new(
            "not-a-component-index",
            "gives set-component-index false, a negative number, nothing, or a list of anything else",
            "The argument is an unsigned integer, a list of them with at least one, or true.",
        )
        .refused("false", encoded(&[0x82, 12, 0xf4]), "Decode(Expected)")
        .refused("negative", encoded(&[0x82, 12, 0x20]), "Decode(Expected)")
        .refused("empty-list", encoded(&[0x82, 12, 0x80]), "Decode(OutOfBounds)")
        .refused("negative-in-list", encoded(&[0x82, 12, 0x81, 0x20]), "Decode(Expected)")
        .refused("true-in-list", encoded(&[0x82, 12, 0x81, 0xf5]), "Decode(Expected)")
        .refused("null", encoded(&[0x82, 12, 0xf6]), "Decode(Expected)"),
        Attack::new(
            "no-component-index",
            "leaves the component index to chance in a manifest of several components",
            "Each of its sequences begins with set-component-index, or the manifest is refused.",
        )
        .refused("install", sign_sections(&author(2), &["a", "b"], vec![(
            Section::Install,
            vec![set([content(b"x")]), index(1), action(Action::Write)],
        )]), "Invalid")
        .refused("a-section-that-does-not-run", sign_sections(&author(2), &["a", "b"], vec![
            (Section::Install, vec![index(0), set([content(b"x")]), action(Action::Write)]),
            (Section::Invoke, vec![action(Action::Invoke)]),
        ]), "Invalid"),
        Attack::new(
            "malformed-sequence",
            "writes sequences of an odd count, of nothing, without their wrapper, or as maps",
            "A sequence is a wrapped array of pairs, at least one.",
        )
        .refused("odd", encoded(&[0x83, 14, 15, 14]), "Decode(Expected)")
        .refused("empty", encoded(&[0x80]), "Decode(Expected)")
        .refused("map", encoded(&[0xa1, 14, 15]), "Decode(Expected)")
        .refused("not-wrapped", {
            let mut manifest = raw_manifest(&[]);
            manifest[0] += 1;
            manifest.extend([20, 0x82, 14, 15]);
            sign_raw(&author(2), &manifest)
        }, "Decode(Expected)")
        .refused("nested-not-wrapped", encoded(&[0x82, 15, 0x82, 0x82, 14, 0, 0xf6]), "Decode(Expected)")
        .refused("run-sequence-empty", encoded(&[0x82, 0x18, 32, 0x41, 0x80]), "Decode(Expected)")
        .refused("try-each-of-nothing", encoded(&[0x82, 15, 0x80]), "Decode(OutOfBounds)")
        .refused("try-each-of-nil", encoded(&[0x82, 15, 0x81, 0xf6]), "Decode(Expected)")
        .refused("try-each-nil-first", encoded(&[0x82, 15, 0x82, 0xf6, 0x43, 0x82, 14, 15]), "Decode(Expected)")
        .refused("no-parameters", encoded(&[0x82, 20, 0xa0]), "Decode(OutOfBounds)"),
        Attack::new(
            "reporting-policy",
            "asks for reports with bits that do not exist, or in another type",
            "The policy is a number from 0 to 15.",
        )
        .refused("sixteen", encoded(&[0x82, 14, 16]), "Decode(OutOfBounds)")
        .refused("two-to-the-32", encoded(&[0x82, 14, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0]), "Decode(OutOfBounds)")
        .refused("negative", encoded(&[0x82, 14, 0x20]), "Decode(Expected)")
        .refused("null", encoded(&[0x82, 14, 0xf6]), "Decode(Expected)")
        .refused("of-a-directive", encoded(&[0x82, 21, 0x18, 0x1f]), "Decode(OutOfBounds)"),
        Attack::new(
            "hidden-unsupported-command",
            "hides commands and parameters that are not implemented in alternatives that are never tried",
            "The whole manifest is looked through first; it is refused before the first write.",
        )
        .refused("custom-in-try-each", unreached(custom(-300)), "CommandUnsupported")
        .refused("unregistered-in-try-each", unreached(custom(99)), "CommandUnsupported")
        .refused("in-run-sequence", install(vec![run([run([custom(-300)])])]), "CommandUnsupported")
        .refused("parameter", unreached(set([Parameter::Other { label: -300, value: vec![0xf5].into() }])), "ParameterUnsupported")
        .refused("unregistered-parameter", unreached(set([Parameter::Other { label: 77, value: vec![1].into() }])), "ParameterUnsupported")
        .refused("in-another-section", sign_sections(&author(2), &["a/b"], vec![
            (Section::Install, vec![set([content(b"x")]), action(Action::Write)]),
            (Section::Uninstall, vec![custom(-300)]),
        ]), "CommandUnsupported"),
        Attack::new(
            "directive-in-shared-sequence",
            "puts what changes things into the shared sequence, which runs before every section",
            "There it is refused, at every depth.",
        )
        .refused("fetch", shared(vec![action(Action::Fetch)]), "Decode(Expected)")
        .refused("write-within-run-sequence", shared(vec![run([action(Action::Write)])]), "Decode(Expected)")
        .refused("invoke-within-try-each", shared(vec![try_each([vec![action(Action::Invoke)]], true)]), "Decode(Expected)")
        .refused("process-dependency", shared(vec![action(Action::ProcessDependency)]), "Decode(Expected)")
        .refused("custom", shared(vec![custom(-300)]), "Decode(Expected)"),
        Attack::new(
            "command-bomb",
            "multiplies commands by components, lists and nesting, to keep the processor busy for ever",
            "The commands of a manifest are bounded when it is decoded, and those that run when they run.",
        )
        .refused("many-commands", install(vec![set([Parameter::ImageSize(1)]); 1100]), "Decode(OutOfBounds)")
        .refused("many-components", {
            let names: Vec<String> = (0..32).map(|n| format!("c{n}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut commands = vec![Command::SetComponentIndex(IndexArgument::All)];
            commands.extend(vec![set([Parameter::ImageSize(1)]); 200]);
            sign_sections(&author(2), &names, vec![(Section::Install, commands)])
        }, "LimitExceeded")
        .refused("long-list", sign_sections(&author(2), &["a", "b"], vec![(
            Section::Install,
            vec![list(&vec![0; 10_000]), set([Parameter::ImageSize(1)])],
        )]), "Decode(OutOfBounds)")
        .refused("multiplied", {
            let many = |inner: Vec<Command<'static>>| {
                vec![list(&[0; 64]), run(inner)]
            };
            let inner = many(many(many(vec![set([Parameter::ImageSize(1)])])));
            sign_sections(&author(2), &["a", "b"], vec![(Section::Install, inner)])
        }, "LimitExceeded"),
        Attack::new(
            "soft-failure-at-the-top",
            "switches failures off for a whole section",
            "Soft failure belongs to nested sequences; set anywhere else it ends the procedure.",
        )
        .refused("override", install(vec![
            set([Parameter::SoftFailure(true)]),
            condition(Condition::Abort),
        ]), "Invalid")
        .refused("set", install(vec![
            Command::SetParameters(one(Parameter::SoftFailure(true))),
            condition(Condition::Abort),
        ]), "Invalid")
        .refused("override-multiple", install(vec![
            Command::OverrideMultiple(vec![(0, one(Parameter::SoftFailure(true)))]),
            condition(Condition::Abort),
        ]), "Invalid"),
        Attack::new(
            "failure-that-is-hidden",
            "hides a failing directive, or a failing check of a nested sequence, in alternatives",
            "A directive that fails ends the procedure; soft failure is not handed down to nested sequences.",
        )
        .refused("directive", install(vec![try_each([vec![action(Action::Fetch)]], true)]), "ActionFailed(fetch, ParameterMissing)")
        .refused("nested", install(vec![try_each([vec![run([condition(Condition::Abort)])]], true)]), "ConditionFailed(abort)")
        .refused("switched-off", install(vec![try_each(
            [vec![set([Parameter::SoftFailure(false)]), condition(Condition::Abort)]],
            true,
        )]), "ConditionFailed(abort)")
        .refused("switched-off-by-override-multiple", install(vec![try_each(
            [vec![
                Command::OverrideMultiple(vec![(0, one(Parameter::SoftFailure(false)))]),
                condition(Condition::Abort),
            ]],
            true,
        )]), "ConditionFailed(abort)"),
        Attack::new(
            "severed-install",
            "exchanges, removes or adds the install section of an envelope whose signature does not cover it",
            "A severed section needs its digest in the signed manifest; where there is none, it has no effect.",
        )
        .refused("swapped", severed(Some(&evil())), "SeveredDigest")
        .refused("removed", severed(None), "SeveredMissing")
        .refused("malformed", severed(Some(&[0x80])), "SeveredDigest")
        .accepted("added", {
            let member = Writer::build(|w| {
                w.int(15).bytes(&evil());
            });
            let install = sequence([
                set([content(b"good"), digest_of(b"good")]),
                action(Action::Write),
                condition(Condition::ImageMatch),
            ]);
            sign_with_members(&author(2), &raw_manifest(&[(20, &install.encode())]), &[member])
        })
        .refused("section-that-may-not-be-severed", {
            let mut manifest = raw_manifest(&[]);
            manifest[0] += 1;
            manifest.push(7);
            manifest.extend(encoded_digest(&tamarack_suit::SuitDigest::sha256(&crypto(), b"x")));
            sign_raw(&author(2), &manifest)
        }, "Decode(Expected)"),
    ]
}

fn evil() -> Vec<u8> {
    sequence([set([content(b"evil")]), action(Action::Write)]).encode()
}

/// A manifest whose install section was severed, with another one in its place.
fn severed(member: Option<&[u8]>) -> Vec<u8> {
    let draft = ta_draft(1, b"payload").sever(&crypto(), Section::Install);
    let manifest = draft.manifest();
    assert!(
        manifest
            .section(Section::Install)
            .is_some_and(|s| Severable::digest(s).is_some())
    );
    let members: Vec<_> = member
        .map(|content| {
            Writer::build(|w| {
                w.int(20).bytes(content);
            })
        })
        .into_iter()
        .collect();
    sign_with_members(&author(2), &manifest.encode(), &members)
}
