//! Restores, and the lint itself.

use super::super::samples::{Counter, asked, catalog, config, host, member, now, survey};
use super::super::*;
use super::{checked, planned, steps};
use crate::chain::points;
use crate::model::MarkName;

fn restore_asked() -> RestoreAsked {
    RestoreAsked {
        based_on: survey(None).id,
        host: host("PAY3"),
        data_folder: Some("/var/opt/mssql/drill/".to_owned()),
        renames: [(
            member("PAY1/Ledger"),
            "Ledger_drill".parse().expect("a database"),
        )]
        .into(),
        only: Vec::new(),
        replace: false,
        existing: Vec::new(),
    }
}

fn restored(asked: &RestoreAsked) -> crate::error::Result<Plan> {
    let have = catalog();
    let point = points(&have.sets, &[]).remove(0);
    plan_restore(&config(), &have, &point, asked, &mut Counter(0x4000), now())
}

#[test]
fn a_restore_of_two_members_to_a_mark() {
    let only = vec![member("PAY1/Ledger"), member(r"PAY2\SQL/O'Brien]")];
    let plan = restored(&RestoreAsked {
        only,
        ..restore_asked()
    })
    .expect("a plan");
    insta::assert_snapshot!(checked(plan).1);
}

#[test]
fn only_the_last_log_of_a_member_opens_it() {
    let plan = restored(&restore_asked()).expect("a plan");
    let opens: Vec<bool> = steps(&plan)
        .into_iter()
        .filter_map(|step| match step {
            Step::RestoreLog(step) => Some(step.recover),
            _ => None,
        })
        .collect();
    assert_eq!(opens, [true; 5]);
    let proofs = steps(&plan)
        .into_iter()
        .filter(|step| matches!(step, Step::ProveMark(_)))
        .count();
    assert_eq!(proofs, 5);
}

#[test]
fn a_restore_that_would_overwrite_is_refused() {
    let taken = "lEDGER_drill".parse().expect("a database");
    let exists = RestoreAsked {
        existing: vec![taken],
        ..restore_asked()
    };
    assert_eq!(
        restored(&exists).expect_err("it exists").code().text(),
        "SM0803"
    );
    assert!(
        restored(&RestoreAsked {
            replace: true,
            ..exists
        })
        .is_ok()
    );
    let mut same = restore_asked();
    same.renames.insert(
        member("PAY3/Archive"),
        "LEDGER_DRILL".parse().expect("a database"),
    );
    assert_eq!(
        restored(&same).expect_err("one name").code().text(),
        "SM0803"
    );
}

#[test]
fn a_restore_to_where_nothing_is_known_is_refused() {
    let no_host = RestoreAsked {
        host: host("ELSEWHERE"),
        ..restore_asked()
    };
    assert_eq!(
        restored(&no_host).expect_err("no share").code().text(),
        "SM0103"
    );
    let no_member = RestoreAsked {
        only: vec![member("X/Y")],
        ..restore_asked()
    };
    assert_eq!(
        restored(&no_member).expect_err("no member").code().text(),
        "SM0603"
    );
}

#[test]
fn the_lint_finds_what_it_is_there_for() {
    let sound = planned(&survey(Some(30)), &catalog(), &asked(BackupKind::Log)).0;
    let broken = |change: fn(&mut Step)| {
        let mut plan = sound.clone();
        let lanes = plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes);
        lanes.flat_map(|lane| &mut lane.steps).for_each(change);
        lint(&plan)
    };
    let found = [
        broken(|step| {
            if let Step::PlaceMark(step) = step {
                step.local.clear();
                step.remote[0].databases.clear();
            }
        }),
        broken(|step| {
            if let Step::Publish(step) = step {
                step.pieces.pop();
            }
        }),
        broken(|step| {
            if let Step::BackUp(step) = step {
                step.stripes[0].key = "one".to_owned();
            }
        }),
        broken(|step| {
            if let Step::BackUp(step) = step {
                step.stripes[0].sql_path = "x".repeat(260);
                step.mark = Some("SM_OTHER".parse::<MarkName>().expect("a mark"));
            }
        }),
    ];
    for faults in &found {
        assert!(!faults.is_empty(), "{found:?}");
    }
}
