//! The first round of each kind of run, in each situation.

use uuid::Uuid;

use super::super::samples::{
    asked, catalog, change_host, change_member, config, foreign, host, member, survey,
};
use super::super::*;
use super::{is_marked, planned, planned_for, steps, taken};
use crate::chain::samples::lsn;
use crate::config::{Discovery, MarkLogKind};
use crate::model::PieceKind;
use crate::survey::{BackupRow, HostReport, RecoveryModel, Survey};

#[test]
fn the_first_run_ever() {
    let mut survey = survey(None);
    change_host(&mut survey, "PAY1", |host| host.links.clear());
    let (_, text) = planned(&survey, &CatalogView::default(), &asked(BackupKind::Log));
    insta::assert_snapshot!(text);
}

#[test]
fn an_ordinary_log_run() {
    let (_, text) = planned(&survey(Some(30)), &catalog(), &asked(BackupKind::Log));
    insta::assert_snapshot!(text);
}

#[test]
fn an_ordinary_full_run() {
    let (_, text) = planned(&survey(Some(30)), &catalog(), &asked(BackupKind::Full));
    insta::assert_snapshot!(text);
}

#[test]
fn a_chain_broken_by_a_flip_to_simple_and_back() {
    let mut survey = survey(Some(30));
    change_member(&mut survey, "PAY1/Ledger", |facts| {
        facts.last_log_backup_lsn = None;
    });
    let (_, text) = planned(&survey, &catalog(), &asked(BackupKind::Log));
    insta::assert_snapshot!(text);
}

#[test]
fn a_member_in_simple_gets_no_log_and_the_group_no_mark() {
    let mut survey = survey(Some(30));
    change_member(&mut survey, "PAY3/Archive", |facts| {
        facts.recovery_model = RecoveryModel::Simple;
        facts.last_log_backup_lsn = None;
    });
    let (_, text) = planned(&survey, &catalog(), &asked(BackupKind::Log));
    insta::assert_snapshot!(text);
}

#[test]
fn a_foreign_log_backup() {
    let mut survey = survey(Some(30));
    change_member(&mut survey, r"PAY2\SQL/Orders", |facts| {
        facts.last_log_backup_lsn = Some(lsn(40));
        facts.history = vec![foreign(PieceKind::Log, 30, 40)];
    });
    let (_, text) = planned(&survey, &catalog(), &asked(BackupKind::Log));
    insta::assert_snapshot!(text);
}

#[test]
fn a_new_chain_for_a_member_that_met_1475() {
    let asked = Asked {
        new_chain: vec![member("PAY3/Archive")],
        ..asked(BackupKind::Full)
    };
    let (_, text) = planned(&survey(Some(30)), &catalog(), &asked);
    insta::assert_snapshot!(text);
}

#[test]
fn a_host_that_is_silent() {
    let mut survey = survey(Some(30));
    let silent = HostReport::Silent {
        code: "SM0201".to_owned(),
        message: "connection refused, address `pay3.example,1433`".to_owned(),
        hint: Some("check that SQL Server runs there".to_owned()),
        true_name: None,
    };
    survey.hosts.insert(host("PAY3"), silent);
    let (plan, text) = planned(&survey, &catalog(), &asked(BackupKind::Log));
    assert!(!is_marked(&plan), "a mark needs every member");
    assert_eq!(
        taken(&plan, PieceKind::Log).len(),
        4,
        "the other chains go on"
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_link_of_ours_that_is_wrong_is_mended() {
    let mut survey = survey(Some(30));
    change_host(&mut survey, "PAY1", |host| {
        host.links[0].is_rpc_out = false;
        host.links[0].data_source = Some("tcp:elsewhere,1433".to_owned());
        host.links[0].mappings[0].local_login = None;
    });
    let (plan, text) = planned(&survey, &catalog(), &asked(BackupKind::Log));
    assert!(is_marked(&plan));
    insta::assert_snapshot!(text);
}

#[test]
fn a_foreign_link_that_is_wrong_is_left_alone_and_there_is_no_mark() {
    let mut survey = survey(Some(30));
    change_host(&mut survey, "PAY1", |host| {
        host.links[1].provider_string = None;
        host.links[1].is_rpc_out = false;
    });
    let (plan, text) = planned(&survey, &catalog(), &asked(BackupKind::Log));
    assert!(!is_marked(&plan));
    insta::assert_snapshot!(text);
}

#[test]
fn a_foreign_link_that_will_do_is_used_as_it_is() {
    let mut survey = survey(Some(30));
    change_host(&mut survey, "PAY1", |host| {
        host.links[1].provider_string = None;
        host.links[1].product = "SQL Server".to_owned();
    });
    let (plan, _) = planned(&survey, &catalog(), &asked(BackupKind::Log));
    assert!(is_marked(&plan));
    assert!(
        !plan
            .stages
            .iter()
            .any(|stage| stage.name == StageName::Links)
    );
}

#[test]
fn a_differential_whose_base_is_foreign_becomes_a_full() {
    let mut survey = survey(Some(30));
    change_member(&mut survey, r"PAY2\SQL/Orders", |facts| {
        facts.history = vec![foreign(PieceKind::Full, 31, 33)];
    });
    let (_, text) = planned(&survey, &catalog(), &asked(BackupKind::Differential));
    insta::assert_snapshot!(text);
}

#[test]
fn a_group_on_the_management_host_alone_needs_no_links() {
    let mut cfg = config();
    cfg.members.retain(|it| it.name.host.as_str() == "PAY1");
    let mut survey = survey(Some(30));
    survey.members.retain(|it| it.host.as_str() == "PAY1");
    change_host(&mut survey, "PAY1", |host| host.links.clear());
    let (plan, text) = planned_for(&cfg, &survey, &catalog(), &asked(BackupKind::Log));
    assert!(is_marked(&plan));
    insta::assert_snapshot!(text);
}

#[test]
fn a_biztalk_group_marks_under_the_lock_of_its_backup_job() {
    let mut cfg = config();
    cfg.mark_log = MarkLogKind::BizTalk;
    let database = "Config".parse().expect("a database");
    cfg.discovery = Some(Discovery::BizTalk { database });
    let (plan, _) = planned_for(&cfg, &survey(Some(30)), &catalog(), &asked(BackupKind::Log));
    let mark = steps(&plan).into_iter().find_map(|step| match step {
        Step::PlaceMark(step) => Some(step.clone()),
        _ => None,
    });
    let (database, lock) = mark.expect("a mark").app_lock.expect("a lock");
    assert_eq!(
        (database.as_str(), lock.as_str()),
        ("Config", "BTS_BackupJob_Lock")
    );
}

#[test]
fn a_mark_needs_a_member_on_the_management_host() {
    let mut cfg = config();
    cfg.management_host = host("PAY3");
    let mut survey = survey(Some(30));
    survey.members.retain(|it| it.host.as_str() == "PAY1");
    let (plan, text) = planned_for(&cfg, &survey, &catalog(), &asked(BackupKind::Log));
    assert!(!is_marked(&plan));
    assert!(
        text.contains("no member is on the management host"),
        "{text}"
    );
}

#[test]
fn whatever_stands_against_a_mark_is_told_and_the_logs_are_taken() {
    type Change = fn(&mut Survey);
    let cases: [(&str, Change); 6] = [
        ("SM0403", |it| {
            change_member(it, "PAY1/Ledger", |m| m.mark_log.has_table = false);
        }),
        ("SM0403", |it| {
            change_member(it, "PAY3/Archive", |m| {
                m.mark_log.has_remote_procedure = false;
            });
        }),
        ("SM0205", |it| {
            change_member(it, "PAY3/Archive", |m| m.is_read_only = true);
        }),
        ("SM0404", |it| {
            change_host(it, "PAY2\\SQL", |h| h.open_marks.push("SM_1".to_owned()));
        }),
        ("SM0204", |it| {
            change_host(it, "PAY3", |host| {
                host.members.clear();
            });
        }),
        ("SM0204", |it| {
            it.unresolved.push(crate::survey::UnresolvedMember {
                server: "LOST".to_owned(),
                database: "Db".parse().expect("a database"),
            });
        }),
    ];
    for (code, change) in cases {
        let mut survey = survey(Some(30));
        change(&mut survey);
        let (plan, text) = planned(&survey, &catalog(), &asked(BackupKind::Log));
        assert!(!is_marked(&plan), "{code}: {text}");
        assert!(
            plan.warnings.iter().any(|warning| warning.code == code),
            "{code}: {text}"
        );
        assert!(taken(&plan, PieceKind::Log).len() >= 4, "{code}: {text}");
    }
}

#[test]
fn the_management_host_needs_no_remote_procedure() {
    let mut survey = survey(Some(30));
    change_member(&mut survey, "PAY1/Ledger", |it| {
        it.mark_log.has_remote_procedure = false;
    });
    let (plan, _) = planned(&survey, &catalog(), &asked(BackupKind::Log));
    assert!(is_marked(&plan));
}

#[test]
fn a_group_without_members_has_nothing_to_do() {
    let mut survey = survey(None);
    survey.members.clear();
    let (plan, text) = planned(&survey, &catalog(), &asked(BackupKind::Log));
    assert!(plan.stages.is_empty());
    assert!(text.contains("the group has no members"), "{text}");
}

#[test]
fn a_member_that_is_another_database_than_at_its_last_backup_is_told() {
    let (have, name) = (catalog(), member("PAY3/Archive"));
    let ours = have.pieces(&name).next().expect("a piece").backup_set_guid;
    let told = |before: u128| {
        let mut survey = survey(Some(30));
        change_member(&mut survey, "PAY3/Archive", |facts| {
            facts.database_guid = Some(Uuid::from_u128(2));
            facts.history = vec![BackupRow {
                backup_set_guid: ours,
                database_guid: Some(Uuid::from_u128(before)),
                ..foreign(PieceKind::Full, 10, 20)
            }];
        });
        let (plan, _) = planned(&survey, &catalog(), &asked(BackupKind::Full));
        let mut warnings = plan.warnings.iter();
        warnings.any(|it| it.code == "SM0607" && it.message.contains("PAY3/Archive"))
    };
    assert!(told(1), "its GUID has changed");
    assert!(!told(2), "it is the same");
}
