//! What a BizTalk group gets beside its backups: rows, fulls on wish, a decoder that stands still.

use super::super::samples::{MEMBERS, asked, catalog, change_member, config, host, member, survey};
use super::super::*;
use super::{is_marked, planned_for, steps, taken};
use crate::config::{Config, Discovery, Engine, MarkLogKind};
use crate::model::PieceKind;
use crate::survey::{
    BackupJobFacts, BizTalkFacts, Change, Drift, HistoryRowFacts, ListedDatabase, Survey,
};

fn group() -> Config {
    let mut cfg = config();
    cfg.mark_log = MarkLogKind::BizTalk;
    let database = "Config".parse().expect("a database");
    cfg.discovery = Some(Discovery::BizTalk { database });
    cfg
}

/// All members are listed, and the history names the newest log of each.
fn listed() -> Survey {
    let mut survey = survey(Some(30));
    let rows = MEMBERS.map(|name| ListedDatabase {
        server: member(name).host.to_string(),
        database: member(name).database,
        member: Some(member(name)),
    });
    let newest = MEMBERS
        .iter()
        .zip(0x200_u32..)
        .map(|(name, id)| HistoryRowFacts {
            server: member(name).host.to_string(),
            database: member(name).database.to_string(),
            kind: PieceKind::Log,
            file: format!("a_{id}_1of1.bak"),
            folder: r"\\nas\bts".to_owned(),
        });
    survey.biztalk = Some(BizTalkFacts {
        listed: rows.to_vec(),
        newest_full_set: 1,
        newest_rows: newest.collect(),
        ..BizTalkFacts::default()
    });
    survey
}

fn facts(survey: &mut Survey) -> &mut BizTalkFacts {
    survey.biztalk.as_mut().expect("a BizTalk group")
}

fn log_run(cfg: &Config, survey: &Survey) -> (Plan, String) {
    planned_for(cfg, survey, &catalog(), &asked(BackupKind::Log))
}

fn history(plan: &Plan) -> Option<WriteHistory> {
    let mut steps = steps(plan).into_iter();
    steps.find_map(|step| match step {
        Step::WriteHistory(step) => Some(step.clone()),
        _ => None,
    })
}

#[test]
fn an_ordinary_log_run_of_a_biztalk_group() {
    let mut survey = listed();
    change_member(&mut survey, "PAY3/Archive", |facts| {
        facts.mark_log.blocks_tracking = true;
    });
    let (plan, text) = log_run(&group(), &survey);
    assert!(taken(&plan, PieceKind::Full).is_empty());
    let mark = steps(&plan).into_iter().find_map(|step| match step {
        Step::PlaceMark(step) => step.tracking.clone(),
        _ => None,
    });
    assert_eq!(mark.expect("the decoder").link.as_deref(), Some("PAY3"));
    insta::assert_snapshot!(text);
}

#[test]
fn every_reason_for_fulls_makes_whole_sets_of_all_members() {
    type Reason = (&'static str, fn(&mut Survey));
    let reasons: [Reason; 5] = [
        ("ForceFull", |it| facts(it).force_full = true),
        ("no complete set of fulls", |it| {
            facts(it).newest_full_set = 0;
        }),
        ("is not whole", |it| facts(it).newest_partial_set = 7),
        ("does not name the newest backup", |it| {
            facts(it).newest_rows.truncate(3);
        }),
        ("begins anew", |it| {
            it.drift.push(Drift {
                member: member("PAY1/Ledger"),
                change: Change::Joined,
                is_followed: true,
            });
        }),
    ];
    for (told, change) in reasons {
        let mut survey = listed();
        change(&mut survey);
        let (plan, text) = log_run(&group(), &survey);
        assert!(text.contains(told), "{told}: {text}");
        assert_eq!(taken(&plan, PieceKind::Full).len(), MEMBERS.len(), "{told}");
        let history = history(&plan).expect("rows");
        let sets: Vec<_> = history.sets.iter().map(|set| set.rows.len()).collect();
        assert_eq!(sets, [5, 5, 5], "{told}");
        assert!(history.sets.iter().all(|set| set.is_whole), "{told}");
        assert_eq!(history.answers.is_empty(), told != "ForceFull");
    }
}

#[test]
fn a_chain_that_is_mended_for_one_member_makes_no_whole_set() {
    let mut survey = listed();
    change_member(&mut survey, "PAY1/Ledger", |facts| {
        facts.last_log_backup_lsn = None;
    });
    let (plan, _) = log_run(&group(), &survey);
    // The cheapest cure is a differential, of which the history knows nothing.
    assert_eq!(taken(&plan, PieceKind::Differential), ["PAY1/Ledger"]);
    let history = history(&plan).expect("rows");
    assert!(history.sets.iter().all(|set| !set.is_whole), "{history:?}");
}

#[test]
fn without_log_shipping_files_go_and_no_row_is_written() {
    let mut cfg = group();
    cfg.biztalk.log_shipping = false;
    let (plan, _) = log_run(&cfg, &listed());
    assert_eq!(history(&plan), None);
    let mut clears = steps(&plan).into_iter();
    assert!(clears.any(|step| matches!(step, Step::ClearStaging(_))));
}

#[test]
fn what_the_management_database_lacks_keeps_microsofts_engine_from_marks_and_ours_only_from_rows() {
    let mut survey = listed();
    facts(&mut survey).missing = vec!["sp_GetNextBackupSetId".to_owned()];
    facts(&mut survey).jobs = vec![BackupJobFacts {
        name: "Backup BizTalk Server (Config)".to_owned(),
        is_enabled: true,
        commands: Vec::new(),
    }];
    let (plan, text) = log_run(&group(), &survey);
    assert!(is_marked(&plan) && history(&plan).is_none());
    for code in ["SM0231", "SM0232"] {
        assert!(text.contains(code), "{code}: {text}");
    }
    let mut cfg = group();
    cfg.biztalk.engine = Engine::Microsoft;
    let (plan, text) = log_run(&cfg, &survey);
    assert!(!is_marked(&plan), "{text}");
}

#[test]
fn microsofts_procedures_write_to_the_files_that_they_name() {
    let mut cfg = group();
    cfg.biztalk.engine = Engine::Microsoft;
    let (plan, text) = log_run(&cfg, &listed());
    let told = r"PAY2_SQL_Orders_Log_SM_2026_11_21_02_00_00_000.bak";
    assert!(text.contains(told), "{text}");
    let long = "d".repeat(110);
    let own = cfg.hosts.get_mut(&host("PAY3")).expect("a host");
    own.share.as_mut().expect("a share").sql = format!(r"\\nas\backup\{long}");
    let (refused, text) = log_run(&cfg, &listed());
    assert!(is_marked(&plan) && !is_marked(&refused), "{text}");
    assert!(text.contains("more than 128 characters"), "{text}");
}
