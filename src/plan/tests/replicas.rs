//! Where logs of availability groups are taken, and what becomes of a plan when a member or the marks' host has moved.

use std::time::Duration;

use super::super::samples::{catalog, change_host, change_member, host, survey};
use super::*;
use crate::config::{Config, LogBackupPreference};
use crate::error::Code;
use crate::survey::{HostReport, MovedMember, Replica, Secondary, Seeding};

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
            log_used_percent: None,
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

/// A log that failed on the secondary replica of a host.
fn failed_on(name: &str, code: Code, sql_number: Option<i32>) -> StepFailure {
    StepFailure {
        deed: FailedDeed::BackUp {
            member: member(MEMBER),
            piece_kind: PieceKind::Log,
            on_secondary: Some(host(name)),
        },
        code: code.text().to_owned(),
        message: "the share cannot be written".to_owned(),
        sql_number,
    }
}

fn one(failure: &StepFailure) -> RoundResult {
    RoundResult {
        failures: vec![failure.clone()],
        ..RoundResult::default()
    }
}

#[test]
fn a_secondary_that_was_behind_is_passed_over_in_the_next_round() {
    let behind = failed_on("PAY3", Code::ReplicaBehind, None);
    assert!(wants_another_round(&asked(BackupKind::Log), &one(&behind)));
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
fn a_secondary_that_failed_is_passed_over_for_the_rest_of_the_run() {
    let cfg = preferring(LogBackupPreference::Secondary);
    let fit = with(vec![secondary("PAY3", true, 50)]);
    for (code, number) in [
        (Code::ShareUnwritable, Some(3201)),
        (Code::BackupFailed, Some(3059)),
        (Code::BackupFailed, Some(3062)),
        (Code::DiskFull, Some(3202)),
        (Code::BackupFailed, Some(9019)),
        (Code::ConnectionLost, None),
    ] {
        let failure = failed_on("PAY3", code, number);
        assert!(wants_another_round(&asked(BackupKind::Log), &one(&failure)));
        let (host, reason) = log_of(&cfg, &fit, &second_round(vec![failure.clone()])).expect("log");
        assert_eq!(host, "PAY1", "{code:?}");
        let told = "the one of `PAY3` failed: the share cannot be written (SM";
        assert!(
            reason.contains(told) && reason.contains(code.text()),
            "{reason}"
        );
        let number = number.map_or_else(String::new, |number| format!("error {number}"));
        assert!(reason.contains(&number), "{reason}");
        // The third round is planned for another reason, and remembers.
        let mut third = second_round(Vec::new());
        third.round = 3;
        third.previous = Some(RoundResult {
            failed_elsewhere: vec![failure],
            ..RoundResult::default()
        });
        assert_eq!(log_of(&cfg, &fit, &third).expect("a log").0, "PAY1");
    }
}

#[test]
fn a_broken_chain_is_no_failure_of_the_secondary() {
    let cfg = preferring(LogBackupPreference::Secondary);
    let fit = with(vec![secondary("PAY3", true, 50)]);
    let refused = failed_on("PAY3", Code::BackupFailed, Some(4214));
    assert!(wants_another_round(&asked(BackupKind::Log), &one(&refused)));
    let (plan, _) = planned_for(&cfg, &fit, &catalog(), &second_round(vec![refused]));
    let logs = steps(&plan).into_iter().filter_map(|step| match step {
        Step::BackUp(step) if step.member == member(MEMBER) => Some(step.host().to_string()),
        _ => None,
    });
    // The new full and its first log on the primary, the log with the mark where it belongs.
    assert_eq!(logs.collect::<Vec<_>>(), ["PAY1", "PAY1", "PAY3"]);
}

#[test]
fn where_the_primary_may_not_stand_in_another_secondary_does_and_none_is_asked_for_ever() {
    let cfg = preferring(LogBackupPreference::SecondaryOnly);
    let both = with(vec![
        secondary(r"PAY2\SQL", true, 60),
        secondary("PAY3", true, 50),
    ]);
    let failure = failed_on(r"PAY2\SQL", Code::ShareUnwritable, Some(3201));
    let again = second_round(vec![failure.clone()]);
    assert_eq!(log_of(&cfg, &both, &again).expect("a log").0, "PAY3");
    let twice = RoundResult {
        failures: vec![failure.clone()],
        failed_elsewhere: vec![failure],
        ..RoundResult::default()
    };
    assert!(!wants_another_round(&again, &twice));
}

/// A survey in which the only secondary replica is out of step, and the log is so full.
fn alone(log_used_percent: Option<u8>) -> Survey {
    let mut survey = with(vec![secondary("PAY3", false, 50)]);
    change_member(&mut survey, MEMBER, |facts| {
        let replica = facts.replica.as_mut().expect("it is in a group");
        replica.log_used_percent = log_used_percent;
    });
    survey
}

/// What a log run warns of about waits, with the codes.
fn waits(cfg: &Config, survey: &Survey) -> Vec<(String, String)> {
    let (plan, _) = planned_for(cfg, survey, &catalog(), &asked(BackupKind::Log));
    let codes = [Code::LogsPaused.text(), Code::PauseOver.text()];
    let told = plan.warnings.into_iter();
    let told = told.filter(|it| codes.contains(&it.code.as_str()));
    told.map(|it| (it.code, it.message)).collect()
}

#[test]
fn a_wait_for_a_secondary_says_how_long_it_has_lasted_and_when_it_ends() {
    let cfg = preferring(LogBackupPreference::SecondaryOnly);
    let told = waits(&cfg, &alone(Some(40)));
    insta::assert_snapshot!(format!("{} {}", told[0].0, told[0].1));
    assert_eq!(
        log_of(&cfg, &alone(Some(40)), &asked(BackupKind::Log)),
        None
    );
}

#[test]
fn a_log_that_fills_up_ends_the_wait_for_a_secondary() {
    let cfg = preferring(LogBackupPreference::SecondaryOnly);
    let full = alone(Some(70));
    let (host, reason) = log_of(&cfg, &full, &asked(BackupKind::Log)).expect("a log");
    assert_eq!(host, "PAY1");
    assert!(reason.contains("its log is 70 % full"), "{reason}");
    let told = waits(&cfg, &full);
    assert_eq!((told.len(), told[0].0.as_str()), (1, "SM0510"), "{told:?}");
}

#[test]
fn a_wait_for_a_secondary_ends_when_the_newest_log_is_too_old() {
    let mut cfg = preferring(LogBackupPreference::SecondaryOnly);
    cfg.policy.pause_max = Duration::from_secs(60);
    let (host, reason) =
        log_of(&cfg, &alone(None), &asked(BackupKind::Log)).expect("nobody knows how full it is");
    assert_eq!(host, "PAY1");
    assert!(reason.contains("the newest log of it"), "{reason}");
    // What this very run took does not begin the wait anew: its rounds do the same.
    let mut have = catalog();
    let mut own = have.sets[1].clone();
    own.run = asked(BackupKind::Log).run;
    own.made_at = now();
    have.sets.push(own);
    let (plan, _) = planned_for(&cfg, &alone(None), &have, &second_round(Vec::new()));
    assert!(taken(&plan, PieceKind::Log).contains(&MEMBER.to_owned()));
}

#[test]
fn a_secondary_that_fails_ends_no_wait_but_one_that_is_over() {
    let mut cfg = preferring(LogBackupPreference::SecondaryOnly);
    let fit = with(vec![secondary("PAY3", true, 50)]);
    let failure = failed_on("PAY3", Code::ShareUnwritable, Some(3201));
    let again = second_round(vec![failure]);
    assert_eq!(log_of(&cfg, &fit, &again).expect("a log").0, "PAY3");
    cfg.policy.pause_max = Duration::from_secs(60);
    // A new run asks the secondary first, however long that has failed.
    let first = log_of(&cfg, &fit, &asked(BackupKind::Log));
    assert_eq!(first.expect("a log").0, "PAY3");
    let (host, reason) = log_of(&cfg, &fit, &again).expect("a log");
    assert_eq!(host, "PAY1");
    assert!(reason.contains("`PAY3` failed"), "{reason}");
}

#[test]
fn nothing_waits_where_no_wait_is_wanted() {
    let mut cfg = preferring(LogBackupPreference::SecondaryOnly);
    cfg.policy.log_used_max = 0;
    let (host, reason) =
        log_of(&cfg, &alone(Some(1)), &asked(BackupKind::Log)).expect("a log at once");
    assert_eq!(host, "PAY1");
    assert!(reason.contains("lets nothing wait"), "{reason}");
    assert_eq!(waits(&cfg, &alone(Some(1))), []);
}

/// A survey in which the member is being seeded to another replica.
fn seeded(log_used_percent: u8) -> Survey {
    let mut survey = survey(Some(30));
    change_member(&mut survey, MEMBER, |facts| {
        facts.seeding = Some(Seeding {
            log_used_percent,
            keeps_log: false,
        });
    });
    survey
}

#[test]
fn a_seeding_is_waited_for_within_both_limits() {
    let log = asked(BackupKind::Log);
    let waiting = waits(&config(), &seeded(40));
    insta::assert_snapshot!(format!("{} {}", waiting[0].0, waiting[0].1));
    assert_eq!(log_of(&config(), &seeded(40), &log), None);
    let full = waits(&config(), &seeded(70));
    assert_eq!(full[0].0, "SM0510");
    assert!(full[0].1.contains("may break the seeding"), "{full:?}");
    assert!(log_of(&config(), &seeded(70), &log).is_some());
    let mut cfg = config();
    cfg.policy.pause_max = Duration::from_secs(60);
    let old = waits(&cfg, &seeded(40));
    assert_eq!(old[0].0, "SM0510");
    assert!(old[0].1.contains("the newest log of it"), "{old:?}");
    assert!(log_of(&cfg, &seeded(40), &log).is_some());
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
fn an_undecided_backup_holds_its_member_up_unless_another_replica_s_host_is_gone() {
    let undecided_on = |survey: &Survey, name: &str| {
        let mut log = asked(BackupKind::Log);
        log.undecided = vec![(member(MEMBER), host(name))];
        log_of(&config(), survey, &log)
    };
    let mut survey = with(vec![secondary("PAY3", true, 50)]);
    assert_eq!(undecided_on(&survey, "PAY1"), None, "its home");
    assert_eq!(
        undecided_on(&survey, "PAY3"),
        None,
        "it may still run there"
    );
    let silent = HostReport::Silent {
        code: Code::HostUnreachable.to_string(),
        message: "no route".to_owned(),
        hint: None,
        true_name: None,
    };
    survey.hosts.insert(host("PAY3"), silent);
    let log = undecided_on(&survey, "PAY3").expect("a log");
    assert_eq!(log.0, "PAY1");
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
