//! What is reported of commands, and of what is found before any of them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::{sections::*, *};
use tamarack_suit::{
    Action, Command, Condition, IndexArgument, Parameter, Parameters, Section,
    report::{Reason, ReportResult},
};

// req: SUIT-PROC-014, SUIT-PROC-012
#[test]
fn a_command_that_fails_is_reported_with_a_reason_and_a_code() {
    let failing = [
        (
            vec![condition(Condition::Abort)],
            Reason::ConditionFailed,
            15,
        ),
        (
            vec![condition(Condition::ImageMatch)],
            Reason::ConditionFailed,
            15,
        ),
        (
            vec![condition(Condition::VendorIdentifier)],
            Reason::ConditionFailed,
            15,
        ),
        (
            vec![condition(Condition::UseBefore)],
            Reason::ConditionFailed,
            15,
        ),
        (vec![action(Action::Fetch)], Reason::OperationFailed, 16),
        (vec![action(Action::Write)], Reason::OperationFailed, 16),
        (vec![action(Action::Copy)], Reason::OperationFailed, 16),
        (vec![action(Action::Swap)], Reason::OperationFailed, 16),
    ];
    for (mut commands, expected, number) in failing {
        // What follows is not executed.
        commands.extend(write(b"too late"));
        let (outcome, effects, _) = install(&["x"], commands);
        assert_eq!(effects, []);
        let ReportResult::Failure {
            code,
            reason,
            record,
        } = outcome.report.result
        else {
            panic!("no failure");
        };
        assert_eq!((reason, code), (expected, number));
        assert_eq!((record.section, record.offset), (20, 1));
    }
}

// req: SUIT-SEQ-011, SUIT-COM-017, SUIT-REP-006
#[test]
fn several_components_are_reported_one_by_one() {
    let commands = |argument| {
        vec![
            index(0),
            Command::SetComponentIndex(argument),
            set([content(b"x"), digest_of(b"x")]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ]
    };
    let claimed = |argument| {
        let (outcome, effects, _) = install(&["x", "y", "z"], commands(argument));
        assert_eq!(outcome.result, Ok(()));
        let claims: Vec<_> = outcome
            .report
            .claims()
            .map(|claims| claims.component.to_string())
            .collect();
        (claims, begun(&effects))
    };
    let (claims, order) = claimed(IndexArgument::All);
    assert_eq!(
        (claims, order),
        (
            vec!["x".into(), "y".into(), "z".into()],
            vec!["x".into(), "y".into(), "z".into()]
        )
    );
    let (claims, order) = claimed(IndexArgument::List(vec![2, 0]));
    assert_eq!(claims.len(), 2);
    assert_eq!(order, ["z", "x"], "in the order of the list");
    // Failures, too: a record for each component, in the order of the list.
    let failing = vec![
        index(0),
        Command::SetComponentIndex(IndexArgument::List(vec![2, 1, 0])),
        try_each([vec![condition(Condition::Abort)]], true),
    ];
    let (outcome, ..) = install(&["x", "y", "z"], failing);
    let indices: Vec<_> = outcome
        .report
        .records()
        .map(|record| record.component_index)
        .collect();
    assert_eq!(indices, [2, 1, 0]);
    // And the one that ends the procedure: the component at which it failed.
    for (argument, failed) in [
        (IndexArgument::All, 1),
        (IndexArgument::List(vec![2, 1, 0]), 1),
    ] {
        let failing = vec![
            index(0),
            set([content(b"x"), digest_of(b"x")]),
            index(1),
            set([content(b"x"), digest_of(b"another")]),
            index(2),
            set([content(b"x"), digest_of(b"x")]),
            Command::SetComponentIndex(argument),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ];
        let (outcome, ..) = install(&["x", "y", "z"], failing);
        let ReportResult::Failure { record, .. } = outcome.report.result else {
            panic!("{:?}", outcome.result);
        };
        assert_eq!(record.component_index, failed);
    }
}

// req: SUIT-REP-005, SUIT-REP-006
#[test]
fn what_is_found_beforehand_is_reported_where_it_stands() {
    let unknown = || Command::Other {
        label: -300,
        argument: vec![0xf6].into(),
    };
    let wrong = |failed: Command<'static>| {
        vec![
            index(2),
            run([
                Command::SetComponentIndex(IndexArgument::List(vec![1, 0])),
                try_each([vec![condition(Condition::Abort)], vec![failed]], false),
            ]),
        ]
    };
    for failed in [unknown(), set([Parameter::MinimumBattery(1)])] {
        for (commands, component) in [
            (vec![index(2), failed.clone()], 2),
            (wrong(failed.clone()), 1),
            (
                vec![
                    index(1),
                    run([index(2), set([content(b"x")])]),
                    failed.clone(),
                ],
                1,
            ),
            (
                vec![
                    Command::OverrideMultiple(vec![
                        (0, Parameters::from_list([content(b"x")])),
                        (2, Parameters::from_list([content(b"x")])),
                    ]),
                    failed.clone(),
                ],
                2,
            ),
            (
                vec![
                    index(1),
                    Command::SetComponentIndex(IndexArgument::All),
                    failed,
                ],
                0,
            ),
        ] {
            let (outcome, effects) = process(
                &mut Recorder::new(device()),
                &["x", "y", "z"],
                vec![(Section::Install, commands)],
            );
            assert_eq!(effects, []);
            let ReportResult::Failure { record, .. } = outcome.report.result else {
                panic!("{:?}", outcome.result);
            };
            assert_eq!(record.section, 20);
            assert_eq!(record.component_index, component, "{:?}", outcome.result);
        }
    }
}
