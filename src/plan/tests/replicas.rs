//! Where logs of availability groups are taken, and what becomes of a plan when a member or the marks' host has moved.

use super::super::samples::{catalog, change_host, change_member, host, survey};
use super::*;
use crate::config::{Config, LogBackupPreference};
use crate::error::Code;
use crate::survey::{MovedMember, Replica, Secondary};

const MEMBER: &str = "PAY1/Ledger";

fn preferring(preference: LogBackupPreference) -> Config {
    let mut cfg = config();
    cfg.policy.log_backup_preference = preference;
    cfg
}

fn secondary(name: &str, is_synchronizing: bool, backup_priority: u8) -> Secondary {
    Secondary {
        host: host(name),
        is_synchronizing,
        backup_priority,
    }
}

/// A survey in which the member has these secondary replicas.
fn with(secondaries: Vec<Secondary>) -> Survey {
    let mut survey = survey(Some(30));
    change_member(&mut survey, MEMBER, |facts| {
        facts.replica = Some(Replica {
            is_primary: true,
            replicas: secondaries.iter().map(|it| it.host.clone()).collect(),
            secondaries,
            seeding_failure: None,
            far_side: None,
            lacks_dtc: false,
        });
    });
    survey
}

/// The host that takes the member's log, and why.
fn log_of(cfg: &Config, survey: &Survey, asked: &Asked) -> Option<(String, String)> {
    let (plan, _) = planned_for(cfg, survey, &catalog(), asked);
    let log = steps(&plan).into_iter().find_map(|step| match step {
        Step::BackUp(step) if step.member == member(MEMBER) => Some(step.clone()),
        _ => None,
    })?;
    assert_eq!(log.replica_wait_ms.is_some(), log.taken_on.is_some());
    Some((log.host().to_string(), log.reason))
}

#[test]
fn the_fit_secondary_of_the_highest_priority_takes_the_log() {
    let cfg = preferring(LogBackupPreference::Secondary);
    let both = with(vec![
        secondary(r"PAY2\SQL", true, 50),
        secondary("PAY3", true, 60),
    ]);
    let (host, reason) = log_of(&cfg, &both, &asked(BackupKind::Log)).expect("a log");
    assert_eq!(host, "PAY3");
    assert!(
        reason.ends_with("on the secondary replica of `PAY3`, priority 60"),
        "{reason}"
    );
    let unfit = with(vec![
        secondary(r"PAY2\SQL", true, 0),
        secondary("PAY3", false, 60),
        secondary("ELSEWHERE", true, 90),
    ]);
    let (host, reason) = log_of(&cfg, &unfit, &asked(BackupKind::Log)).expect("a log");
    assert_eq!(host, "PAY1");
    assert!(reason.contains("no secondary one is in step"), "{reason}");
}

#[test]
fn the_primary_takes_the_log_unless_it_is_said_otherwise() {
    let fit = with(vec![secondary("PAY3", true, 50)]);
    let (host, reason) = log_of(&config(), &fit, &asked(BackupKind::Log)).expect("a log");
    assert_eq!((host.as_str(), reason.as_str()), ("PAY1", "scheduled"));
}

#[test]
fn no_log_is_taken_where_only_a_secondary_may_and_none_is_fit() {
    let cfg = preferring(LogBackupPreference::SecondaryOnly);
    let unfit = with(vec![secondary("PAY3", false, 50)]);
    assert_eq!(log_of(&cfg, &unfit, &asked(BackupKind::Log)), None);
    let (plan, text) = planned_for(&cfg, &unfit, &catalog(), &asked(BackupKind::Log));
    assert!(is_marked(&plan), "the others' marks go on:\n{text}");
    assert!(text.contains("SM0507"), "{text}");
}

#[test]
fn a_secondary_that_was_behind_is_passed_over_in_the_next_round() {
    let behind = StepFailure {
        code: Code::ReplicaBehind.text().to_owned(),
        sql_number: None,
        ..failed(MEMBER, PieceKind::Log, 0)
    };
    let result = RoundResult {
        failures: vec![behind.clone()],
        ..RoundResult::default()
    };
    assert!(wants_another_round(&asked(BackupKind::Log), &result));
    let fit = with(vec![secondary("PAY3", true, 50)]);
    let again = second_round(vec![behind]);
    let cfg = preferring(LogBackupPreference::Secondary);
    let (host, reason) = log_of(&cfg, &fit, &again).expect("a log");
    assert_eq!(host, "PAY1");
    assert!(reason.contains("was behind"), "{reason}");
    // Where the primary may not stand in, the secondary is asked again.
    let cfg = preferring(LogBackupPreference::SecondaryOnly);
    let (host, _) = log_of(&cfg, &fit, &again).expect("a log");
    assert_eq!(host, "PAY3");
}

#[test]
fn a_member_that_moved_keeps_its_name_and_is_backed_up_where_it_is() {
    let mut survey = survey(Some(30));
    let listed = member("PAY3/Archive");
    let now = member(r"PAY2\SQL/Archive");
    let facts = survey.member(&listed).expect("its facts").clone();
    change_host(&mut survey, r"PAY2\SQL", |host| {
        host.members.insert(now.database.clone(), facts);
    });
    survey.moved = vec![MovedMember { listed, now }];
    let (_, text) = planned(&survey, &catalog(), &asked(BackupKind::Log));
    insta::assert_snapshot!(text);
}

#[test]
fn links_lead_from_and_to_every_host_that_marks_may_begin_on() {
    let survey = with(vec![secondary("PAY3", true, 50)]);
    let plan = plan_links(
        &config(),
        &survey,
        &LinksAsked::default(),
        &mut Counter(1),
        now(),
    );
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    let links: Vec<(String, Vec<String>)> = lanes
        .map(|lane| {
            let tested = lane.steps.iter().filter_map(|step| match step {
                Step::TestLink(step) => Some(step.target.to_string()),
                _ => None,
            });
            (lane.host.to_string(), tested.collect())
        })
        .collect();
    let from = |host: &str, to: [&str; 2]| (host.to_owned(), to.map(str::to_owned).to_vec());
    assert_eq!(
        links,
        [
            from("PAY1", [r"PAY2\SQL", "PAY3"]),
            from("PAY3", ["PAY1", r"PAY2\SQL"])
        ]
    );
}

#[test]
fn a_member_that_two_hosts_claim_is_left_alone() {
    let mut survey = survey(Some(30));
    let (listed, now) = (member("PAY3/Archive"), member(r"PAY2\SQL/Archive"));
    survey.contested = vec![MovedMember { listed, now }];
    let (plan, text) = planned(&survey, &catalog(), &asked(BackupKind::Log));
    assert!(!is_marked(&plan) && text.contains("SM0215"), "{text}");
    let logs = taken(&plan, PieceKind::Log);
    assert_eq!(logs.len(), 4, "the others' chains go on: {logs:?}");
    assert!(!logs.contains(&"PAY3/Archive".to_owned()));
}
