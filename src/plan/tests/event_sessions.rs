//! Where event sessions are made and dropped, and which of those that hear nothing a backup run tells of.

use super::super::samples::{catalog, change_host, change_member, host, survey};
use super::*;
use crate::survey::{EventSession, HostReport, Replica, Secondary};

const OTHER: &str = "PAY3";

/// A survey in which a member of `PAY1` has a replica on `PAY4`, which holds no member, and no host has a session.
fn with_a_replica() -> (Config, Survey) {
    let mut cfg = config();
    let mut spare = cfg.host(&host(OTHER)).expect("a host").clone();
    spare.name = host("PAY4");
    cfg.hosts.insert(host("PAY4"), spare.clone());
    spare.name = host("PAY5");
    cfg.hosts.insert(host("PAY5"), spare);
    let mut survey = survey(Some(30));
    change_member(&mut survey, "PAY1/Ledger", |facts| {
        facts.replica = Some(Replica {
            is_primary: true,
            replicas: [host("PAY1"), host("PAY4"), host("ELSEWHERE")].to_vec(),
            secondaries: vec![Secondary {
                host: host("PAY4"),
                is_synchronizing: true,
                backup_priority: 50,
            }],
            log_used_percent: None,
            seeding_failure: None,
            far_side: None,
            lacks_dtc: false,
        });
    });
    let spare = survey.hosts[&host(OTHER)].clone();
    for name in ["PAY4", "PAY5"] {
        survey.hosts.insert(host(name), spare.clone());
        change_host(&mut survey, name, |facts| {
            facts.true_name = host(name);
            facts.members.clear();
        });
    }
    everywhere(&mut survey, &EventSession::Absent { may_make: true });
    (cfg, survey)
}

fn everywhere(survey: &mut Survey, state: &EventSession) {
    for report in survey.hosts.values_mut() {
        if let HostReport::Facts(facts) = report {
            facts.event_session = state.clone();
        }
    }
}

fn prepared(cfg: &Config, survey: &Survey, asked: PrepareAsked) -> Plan {
    plan_prepare(cfg, survey, asked, &mut Counter(1), now())
}

/// The hosts whose sessions are made or dropped.
fn hosts_of(plan: &Plan) -> Vec<String> {
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    let with_one = lanes.filter(|lane| {
        let is_one = |step: &Step| {
            matches!(
                step,
                Step::EnsureEventSession(_) | Step::RemoveEventSession(_)
            )
        };
        lane.steps.iter().any(is_one)
    });
    with_one.map(|lane| lane.host.to_string()).collect()
}

#[test]
fn every_host_with_a_replica_gets_a_session() {
    let (cfg, survey) = with_a_replica();
    let plan = prepared(&cfg, &survey, PrepareAsked::Make);
    assert_eq!(hosts_of(&plan), ["PAY1", r"PAY2\SQL", "PAY3", "PAY4"]);
    assert_eq!(plan.warnings, []);
}

#[test]
fn a_right_that_is_missing_on_a_replicas_host_is_named() {
    let (cfg, mut survey) = with_a_replica();
    change_host(&mut survey, "PAY4", |facts| {
        facts.event_session = EventSession::Absent { may_make: false };
    });
    let plan = prepared(&cfg, &survey, PrepareAsked::Make);
    assert_eq!(hosts_of(&plan), ["PAY1", r"PAY2\SQL", "PAY3"]);
    let told = &plan.warnings[0].message;
    assert!(
        told.contains("`PAY4`") && told.contains("ALTER ANY EVENT SESSION"),
        "{told}"
    );
}

#[test]
fn a_replicas_host_that_is_silent_is_told_of() {
    let (cfg, mut survey) = with_a_replica();
    let silent = HostReport::Silent {
        code: "SM0201".to_owned(),
        message: "nobody answers".to_owned(),
        hint: None,
        true_name: None,
    };
    survey.hosts.insert(host("PAY4"), silent.clone());
    survey.hosts.insert(host("PAY5"), silent);
    let plan = prepared(&cfg, &survey, PrepareAsked::Make);
    let told: Vec<&str> = plan.warnings.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(
        told,
        ["the event session on host `PAY4` is left as it is: nobody answers"]
    );
}

#[test]
fn sessions_are_removed_wherever_they_are_found() {
    let (cfg, mut survey) = with_a_replica();
    // It lost its replica after its session had been made.
    change_host(&mut survey, "PAY5", |facts| {
        facts.event_session = EventSession::Running;
    });
    let plan = prepared(&cfg, &survey, PrepareAsked::Remove);
    assert_eq!(hosts_of(&plan), ["PAY5"]);
}

#[test]
fn a_session_that_was_made_and_hears_nothing_is_told_by_the_first_round() {
    let (cfg, mut survey) = with_a_replica();
    let told = |survey: &Survey, asked: &Asked| -> Vec<String> {
        let (plan, _) = planned_for(&cfg, survey, &catalog(), asked);
        let unheard = plan.warnings.into_iter().filter(|it| it.code == "SM0213");
        unheard.map(|it| it.message).collect()
    };
    let first = asked(BackupKind::Log);
    assert_eq!(told(&survey, &first), [] as [String; 0], "none was made");
    for (name, state) in [
        ("PAY4", EventSession::Stopped { may_make: false }),
        (OTHER, EventSession::Unreadable { why: "no".into() }),
        // No replica, no member: nobody listens there.
        ("PAY5", EventSession::Stopped { may_make: true }),
    ] {
        change_host(&mut survey, name, |facts| facts.event_session = state);
    }
    assert_eq!(
        told(&survey, &first),
        [
            "error 1475 and its kin are not heard on host `PAY3`: our event session cannot be read: no",
            "error 1475 and its kin are not heard on host `PAY4`: our event session does not run",
        ]
    );
    assert_eq!(told(&survey, &second_round(Vec::new())), [] as [String; 0]);
    assert_eq!(told(&survey, &asked(BackupKind::Full)).len(), 2);
}
