//! Strict Order, and the rehearsal that comes before the performance.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use tamarack_suit::{
    Action, Command, Condition, Error, IndexArgument, MemoryDevice, NoFetch, Outcome, Parameter,
    Parameters, Section, Settings,
    report::{Entry, ReportResult},
};

use common::*;

fn strict(strict: bool) -> Command<'static> {
    set([Parameter::StrictOrder(strict)])
}

fn source(index: u64) -> Command<'static> {
    set([Parameter::SourceComponent(index)])
}

/// Runs install commands over three components, of which the second and third have content.
fn install(commands: Vec<Command<'static>>) -> (MemoryDevice, Outcome) {
    let author = author(2);
    let mut device = device();
    device.put(&id("p/b"), b"content of b");
    device.put(&id("p/c"), b"content of c");
    let mut all = vec![index(0)];
    all.extend(commands);
    let envelope = sign_sections(
        &author,
        &["p/a", "p/b", "p/c"],
        vec![(Section::Install, all)],
    );
    let outcome = update(&mut device, &author, &envelope);
    (device, outcome)
}

fn checked_copy(from: u64, bytes: &'static [u8]) -> Vec<Command<'static>> {
    vec![
        set([Parameter::SourceComponent(from), digest_of(bytes)]),
        action(Action::Copy),
        condition(Condition::ImageMatch),
    ]
}

fn invalid(outcome: &Outcome) -> &'static str {
    match outcome.result {
        Err(Error::Invalid(what)) => what,
        ref other => panic!("{other:?}"),
    }
}

// req: SUIT-PAR-016, SUIT-PAR-017, SUIT-PAR-018
#[test]
fn commands_run_in_order_whatever_strict_order_says() {
    let mut commands = vec![strict(false)];
    commands.extend(checked_copy(1, b"content of b"));
    commands.push(strict(true));
    let (device, outcome) = install(commands);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.content(&id("p/a")), Some(&b"content of b"[..]));
}

// req: SUIT-PAR-019
#[test]
fn a_component_is_not_changed_and_read_out_of_order() {
    let chain = |order: Vec<Command<'static>>| {
        let mut commands = order;
        commands.extend(checked_copy(1, b"content of b"));
        commands.push(index(2));
        commands.extend(checked_copy(0, b"content of b"));
        install(commands)
    };
    // In order, a copy of a copy is fine.
    assert_eq!(chain(vec![]).1.result, Ok(()));
    // Out of order it is a race.
    let (device, outcome) = chain(vec![strict(false)]);
    assert!(invalid(&outcome).contains("strict-order"));
    assert_eq!(device.content(&id("p/a")), None);
    assert_eq!(device.content(&id("p/c")), Some(&b"content of c"[..]));
    // Once order is strict again, it is fine again.
    let mut commands = vec![strict(false)];
    commands.extend(checked_copy(1, b"content of b"));
    commands.push(strict(true));
    commands.push(index(2));
    commands.extend(checked_copy(0, b"content of b"));
    assert_eq!(install(commands).1.result, Ok(()));
}

// req: SUIT-PAR-020
#[test]
fn a_sequence_that_runs_out_of_order_chooses_its_component_first_and_only_once() {
    let body = || checked_copy(1, b"content of b");
    let with = |before: Vec<Command<'static>>, after: Vec<Command<'static>>| {
        let inner = before.into_iter().chain(body()).chain(after);
        install(vec![strict(false), run(inner), strict(true)]).1
    };
    assert_eq!(with(vec![index(0)], vec![]).result, Ok(()));
    assert!(invalid(&with(vec![], vec![])).contains("does not begin"));
    assert!(invalid(&with(vec![index(0)], vec![index(2)])).contains("component index"));
    // Not even deeper inside.
    let deeper = run([set([Parameter::ImageSize(12)]), index(2)]);
    assert!(invalid(&with(vec![index(0)], vec![deeper])).contains("component index"));
    // Within the sequence, order is strict: a copy of what was just copied is no race.
    let chain = [index(0)]
        .into_iter()
        .chain(body())
        .chain([source(0), condition(Condition::ImageMatch)]);
    assert_eq!(install(vec![strict(false), run(chain)]).1.result, Ok(()));
}

// req: SUIT-PAR-019
#[test]
fn sequences_that_run_out_of_order_do_not_change_what_others_read() {
    let written = || {
        let mut commands = vec![index(1), set([content(b"new"), digest_of(b"new")])];
        commands.extend([action(Action::Write), condition(Condition::ImageMatch)]);
        run(commands)
    };
    let copied = |from| run([index(0), source(from), action(Action::Copy)]);
    let match_new = [set([digest_of(b"new")]), condition(Condition::ImageMatch)];
    for (order, from, holds) in [(true, 1, true), (false, 2, true), (false, 1, false)] {
        let mut commands = vec![strict(order), written(), copied(from), strict(true)];
        let digest = match from {
            1 => match_new.to_vec(),
            _ => vec![
                set([digest_of(b"content of c")]),
                condition(Condition::ImageMatch),
            ],
        };
        commands.extend(digest);
        let (_, outcome) = install(commands);
        match holds {
            true => assert_eq!(outcome.result, Ok(()), "{order} {from}"),
            false => assert!(invalid(&outcome).contains("strict-order")),
        }
    }
}

// req: SUIT-PAR-020
#[test]
fn alternatives_may_choose_components_out_of_order() {
    let alternative = vec![
        index(1),
        set([content(b"new"), digest_of(b"new")]),
        action(Action::Write),
        condition(Condition::ImageMatch),
        index(2),
    ];
    let commands = vec![strict(false), try_each([alternative], false), strict(true)];
    assert_eq!(install(commands).1.result, Ok(()));
}

// req: SUIT-DEP-017, SUIT-PAR-015
#[test]
fn what_is_set_for_a_sequence_is_set_once_unless_it_is_overridden() {
    let soft = |soft| Parameters::from_list([Parameter::SoftFailure(soft)]);
    let abort = || condition(Condition::Abort);
    for (commands, goes_on) in [
        (
            vec![
                Command::OverrideParameters(soft(true)),
                Command::SetParameters(soft(false)),
                abort(),
            ],
            true,
        ),
        (
            vec![
                Command::SetParameters(soft(true)),
                Command::OverrideParameters(soft(false)),
                abort(),
            ],
            false,
        ),
        (vec![Command::SetParameters(soft(true)), abort()], true),
    ] {
        let outcome = install(vec![run(commands)]).1;
        assert_eq!(outcome.result.is_ok(), goes_on, "{:?}", outcome.result);
    }
    // Strict order too.
    let strictly = |strict| Parameters::from_list([Parameter::StrictOrder(strict)]);
    let mut commands = vec![
        Command::SetParameters(strictly(false)),
        Command::SetParameters(strictly(true)),
    ];
    commands.extend(checked_copy(1, b"content of b"));
    commands.push(index(2));
    commands.extend(checked_copy(0, b"content of b"));
    assert!(invalid(&install(commands).1).contains("strict-order"));
}

// req: SUIT-COM-012, SUIT-UPD-031
#[test]
fn a_sequence_may_choose_its_component_by_its_parameters() {
    let author = author(2);
    let set_by_index = Command::OverrideMultiple(vec![(
        1,
        Parameters::from_list([content(b"new"), digest_of(b"new")]),
    )]);
    let with = |first: Command<'static>| {
        let commands = vec![
            first,
            action(Action::Write),
            condition(Condition::ImageMatch),
        ];
        let envelope = sign_sections(&author, &["p/a", "p/b"], vec![(Section::Install, commands)]);
        let mut device = device();
        let outcome = update(&mut device, &author, &envelope);
        (outcome, device)
    };
    let (outcome, device) = with(set_by_index);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.content(&id("p/b")), Some(&b"new"[..]));
    let (outcome, _) = with(set([content(b"new"), digest_of(b"new")]));
    assert!(invalid(&outcome).contains("does not begin"));
}

// req: SUIT-PAR-021
#[test]
fn a_sequence_for_each_of_several_components_has_its_component_set_for_it() {
    let each = |inner: Vec<Command<'static>>| {
        install(vec![
            strict(false),
            Command::SetComponentIndex(IndexArgument::List(vec![0, 2])),
            run(inner),
        ])
    };
    let (device, outcome) = each(checked_copy(1, b"content of b"));
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.content(&id("p/a")), Some(&b"content of b"[..]));
    assert_eq!(device.content(&id("p/c")), Some(&b"content of b"[..]));
    let mut choosing = vec![index(0)];
    choosing.extend(checked_copy(1, b"content of b"));
    assert!(invalid(&each(choosing).1).contains("for each of several"));
}

/// The update fails without a payload having been asked for.
fn fails_before_fetch(mut commands: Vec<Command<'static>>, device: &mut MemoryDevice) -> Error {
    let author = author(2);
    commands.splice(
        0..0,
        [
            set([uri("http://example.com/a"), digest_of(b"payload")]),
            action(Action::Fetch),
            condition(Condition::ImageMatch),
        ],
    );
    let envelope = sign_sections(&author, &["p/a"], vec![(Section::Install, commands)]);
    let mut server = Server::with("http://example.com/a", b"payload");
    let outcome = update_from(device, &author, &envelope, &mut server);
    assert_eq!(
        server.requests,
        Vec::<String>::new(),
        "{:?}",
        outcome.result
    );
    outcome.result.unwrap_err()
}

// req: SUIT-COM-010
#[test]
fn what_can_be_known_to_fail_fails_before_the_first_effect() {
    let vendor = Parameter::VendorId(tamarack_suit::Uuid([9; 16]).into());
    let late: [Vec<Command<'static>>; 5] = [
        vec![set([vendor]), condition(Condition::VendorIdentifier)],
        vec![condition(Condition::Abort)],
        vec![
            set([Parameter::UseBefore(10)]),
            condition(Condition::UseBefore),
        ],
        vec![set([Parameter::SourceComponent(0)]), action(Action::Copy)],
        vec![action(Action::Write)],
    ];
    for commands in late {
        let mut device = device();
        device.set_now(20);
        fails_before_fetch(commands, &mut device);
        assert_eq!(device.components().count(), 0);
    }
}

#[test]
fn a_rehearsal_refuses_nothing_that_would_succeed() {
    let author = author(2);
    // The first alternative fails only on content that is not there before the fetch, after which it would
    // fail hard: no rehearsal may follow it to there.
    let alternatives = try_each(
        [
            vec![
                set([digest_of(b"something else")]),
                condition(Condition::ImageMatch),
                set([Parameter::SoftFailure(false)]),
                condition(Condition::Abort),
            ],
            vec![
                set([digest_of(b"payload")]),
                condition(Condition::ImageMatch),
            ],
        ],
        false,
    );
    let commands = vec![
        set([uri("http://example.com/a")]),
        action(Action::Fetch),
        alternatives,
    ];
    let envelope = sign_sections(&author, &["p/a"], vec![(Section::Install, commands)]);
    let mut server = Server::with("http://example.com/a", b"payload");
    let mut device = device();
    let outcome = update_from(&mut device, &author, &envelope, &mut server);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.content(&id("p/a")), Some(&b"payload"[..]));
}

/// Runs install commands over one component.
fn install_on(device: &mut Recorder, commands: Vec<Command<'static>>) -> (Outcome, Vec<Effect>) {
    let author = author(2);
    let envelope = sign_sections(&author, &["p/a"], vec![(Section::Install, commands)]);
    let recipient = Recipient::trusting([author.key]);
    device.observe(&mut NoFetch, |device, fetch| {
        recipient.update(device, fetch, &envelope)
    })
}

/// A device whose battery is charged by the time that a wait for power is over.
// req: SUIT-UPD-014, SUIT-UPD-020
#[test]
fn what_comes_after_a_wait_is_tested_when_it_is_over() {
    use tamarack_suit::{WaitEvent, WaitInfo};
    let power = WaitEvent::Power(1);
    let info = WaitInfo::new(vec![power.clone()]).unwrap().encode();
    let commands = vec![
        set([
            Parameter::WaitInfo(info.into()),
            Parameter::MinimumBattery(100),
            content(b"new"),
            digest_of(b"new"),
        ]),
        action(Action::Wait),
        condition(Condition::MinimumBattery),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ];
    let mut device = Recorder::new(device());
    device.inner.set_battery(1);
    device.inner.set_events([power]);
    device.charges_to = Some(100);
    let (outcome, _) = install_on(&mut device, commands);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.inner.content(&id("p/a")), Some(&b"new"[..]));
}

/// A manifest that wants a battery of 3 mWh, and the report of an update on a device whose battery holds `energy`,
/// and more each time that it is asked.
fn update_on_battery(energy: u64, gains: u64) -> Outcome {
    let commands = vec![
        set([
            Parameter::MinimumBattery(3),
            Parameter::UseBefore(30),
            content(b"new"),
            digest_of(b"new"),
        ]),
        condition(Condition::UseBefore),
        condition(Condition::MinimumBattery),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ];
    let mut device = Recorder::new(device());
    device.inner.set_now(20);
    device.inner.set_battery(energy);
    device.gains = gains;
    let (outcome, effects) = install_on(&mut device, commands);
    assert_eq!(outcome.result.is_ok(), !effects.is_empty());
    outcome
}

/// What a report says that conditions have measured, its digests excepted.
fn measured(outcome: &Outcome) -> Vec<Parameter<'static>> {
    let claims = outcome
        .report
        .records
        .iter()
        .filter_map(|entry| match entry {
            Entry::Claims(claims) => Some(&claims.properties),
            Entry::Record(_) => None,
        });
    let all = claims.flat_map(|properties| properties.iter().cloned());
    all.filter(|parameter| {
        !matches!(
            parameter,
            Parameter::ImageDigest(_) | Parameter::ImageSize(_)
        )
    })
    .collect()
}

// req: SUIT-REP-007, SUIT-REP-012
#[test]
fn a_rehearsal_that_fails_reports_what_it_measured_once() {
    let outcome = update_on_battery(2, 0);
    assert_eq!(measured(&outcome), [Parameter::UseBefore(20)]);
    let ReportResult::Failure { record, .. } = &outcome.report.result else {
        panic!("{outcome:?}");
    };
    let battery: Vec<_> = record.properties.iter().cloned().collect();
    assert_eq!(battery, [Parameter::MinimumBattery(2)]);
}

#[test]
fn the_verdict_of_the_first_rehearsal_stands() {
    // 2 is too little, and 3, which there is when it is rehearsed again for the report, would be enough.
    let outcome = update_on_battery(2, 1);
    let Err(Error::ConditionFailed { condition, .. }) = outcome.result else {
        panic!("{outcome:?}");
    };
    assert_eq!(condition, Condition::MinimumBattery);
}

#[test]
fn what_a_rehearsal_read_in_excess_is_not_forgotten_when_it_is_held_again() {
    let author = author(2);
    let content = [7; 6000];
    let check = |at| {
        vec![
            index(at),
            set([digest_of(&content)]),
            condition(Condition::ImageMatch),
        ]
    };
    let commands = [check(0), check(1)].concat();
    let envelope = sign_sections(
        &author,
        &["p/a", "p/b"],
        vec![(Section::Validate, commands)],
    );
    let mut device = device();
    device.put(&id("p/a"), &content);
    device.put(&id("p/b"), &content);
    let mut settings = Settings::default();
    settings.limits.read_bytes = 10_000;
    let outcome = Recipient::trusting([author.key])
        .with_settings(settings)
        .update(&mut device, &mut NoFetch, &envelope);
    assert!(
        matches!(outcome.result, Err(Error::LimitExceeded(_))),
        "{outcome:?}"
    );
}

#[test]
fn a_manifest_without_components_names_the_one_that_is_missing() {
    let author = author(2);
    let envelope = sign_sections(
        &author,
        &[],
        vec![(Section::Install, vec![action(Action::Fetch)])],
    );
    let outcome = update(&mut device(), &author, &envelope);
    assert_eq!(outcome.result, Err(Error::ComponentIndex(0)));
}
