//! Restores, and the lint itself.

use super::super::samples::{
    Counter, asked, catalog, config, host, member, now, survey, target, there,
};
use super::super::*;
use super::{checked, planned, steps};
use crate::chain::points;
use crate::config::{Config, MarkLogKind};
use crate::error::Error;
use crate::model::{DatabaseSettings, HostName, MarkName, MemberSettings, RunId};
use crate::survey::{LastRestored, TargetFacts, TargetState, Volume};

/// All members to one host, under their own names but for one.
fn restore_asked() -> RestoreAsked {
    let place = RestorePlace::OneHost(host("PAY3"));
    RestoreAsked {
        files: RestoreFiles::InFolder("/var/opt/mssql/drill/".to_owned()),
        renames: [(
            member("PAY1/Ledger"),
            "Ledger_drill".parse().expect("a database"),
        )]
        .into(),
        targets: targets(&["PAY3"]),
        ..RestoreAsked::to(place, RunId(uuid::Uuid::from_u128(0x40)), survey(None).id)
    }
}

fn targets(names: &[&str]) -> std::collections::BTreeMap<HostName, TargetFacts> {
    let targets = names.iter().map(|name| (host(name), target(name)));
    targets.collect()
}

/// Every member over itself.
fn in_place() -> RestoreAsked {
    let mut targets = targets(&["PAY1", r"PAY2\SQL", "PAY3"]);
    for (name, facts) in &mut targets {
        let own = super::super::samples::MEMBERS.map(member);
        let own = own.into_iter().filter(|member| member.host == *name);
        facts.databases = own
            .map(|member| there(member.database.as_str(), TargetState::Online))
            .collect();
    }
    RestoreAsked {
        place: RestorePlace::OwnHosts,
        files: RestoreFiles::AsTheyWere,
        renames: std::collections::BTreeMap::new(),
        replace: true,
        targets,
        ..restore_asked()
    }
}

fn restored_of(have: &CatalogView, asked: &RestoreAsked) -> std::result::Result<Plan, Vec<Error>> {
    let point = points(&have.sets, &[]).remove(0);
    plan_restore(&config(), have, &point, asked, &mut Counter(0x4000), now())
}

fn restored(asked: &RestoreAsked) -> std::result::Result<Plan, Vec<Error>> {
    restored_of(&catalog(), asked)
}

/// The codes of everything that stands in the way.
fn refused(asked: &RestoreAsked) -> Vec<&'static str> {
    let errors = restored(asked).expect_err("something stands in the way");
    errors.iter().map(|error| error.code().text()).collect()
}

fn change_target(asked: &mut RestoreAsked, name: &str, change: impl FnOnce(&mut TargetFacts)) {
    change(asked.targets.get_mut(&host(name)).expect("a target"));
}

#[test]
fn a_restore_of_two_members_to_a_mark() {
    let only = vec![member("PAY1/Ledger"), member(r"PAY2\SQL/O'Brien]")];
    let plan = restored(&RestoreAsked {
        only,
        accepts_inconsistency: true,
        ..restore_asked()
    })
    .expect("a plan");
    insta::assert_snapshot!(checked(plan).1);
}

#[test]
fn a_restore_of_the_group_over_itself() {
    insta::assert_snapshot!(checked(restored(&in_place()).expect("a plan")).1);
}

#[test]
fn a_restore_to_a_newer_version_opens_by_the_last_log_when_all_have_come_that_far() {
    let mut newer = restore_asked();
    newer.files = RestoreFiles::Defaults;
    change_target(&mut newer, "PAY3", |facts| {
        facts.version = "17.0.1000.1".to_owned();
    });
    insta::assert_snapshot!(checked(restored(&newer).expect("a plan")).1);
}

#[test]
fn marks_behind_its_own_are_named_to_the_proof_where_the_mark_log_has_no_order() {
    let ledger = member("PAY1/Ledger");
    let later = vec!["SM_2026_11_21_02_00_00_000".parse().expect("a mark")];
    let have = CatalogView {
        later_marks: [(ledger.clone(), later)].into(),
        ..catalog()
    };
    for (mark_log, told) in [(MarkLogKind::Stopmark, 0), (MarkLogKind::BizTalk, 1)] {
        let config = Config {
            mark_log,
            ..config()
        };
        let point = points(&have.sets, &[]).remove(0);
        let asked = restore_asked();
        let plan = plan_restore(&config, &have, &point, &asked, &mut Counter(0x4000), now());
        let plan = plan.expect("a plan");
        let proofs = steps(&plan).into_iter().filter_map(|step| match step {
            Step::ProveMark(step) => Some(step),
            _ => None,
        });
        for proof in proofs {
            let expected = if proof.member == ledger { told } else { 0 };
            assert_eq!(proof.later_marks.len(), expected, "{}", proof.member);
        }
    }
}

#[test]
fn nothing_is_opened_before_every_member_is_proven() {
    let mapped = [
        ("PAY1", "PAY3"),
        (r"PAY2\SQL", "PAY1"),
        ("PAY3", r"PAY2\SQL"),
    ];
    let mapped = mapped.map(|(from, to)| (host(from), host(to)));
    let asked = RestoreAsked {
        place: RestorePlace::Mapped(mapped.into()),
        targets: targets(&["PAY1", r"PAY2\SQL", "PAY3"]),
        ..restore_asked()
    };
    let plan = restored(&asked).expect("a plan");
    let names: Vec<(StageName, OnFailure, usize)> = plan
        .stages
        .iter()
        .map(|stage| (stage.name, stage.on_failure, stage.lanes.len()))
        .collect();
    assert_eq!(
        names,
        [
            (StageName::Restore, OnFailure::Halt, 3),
            (StageName::Prove, OnFailure::Halt, 3),
            (StageName::Recover, OnFailure::Skip, 3),
            (StageName::Prove, OnFailure::Skip, 3),
        ]
    );
    let opened = steps(&plan).into_iter().filter(|step| match step {
        Step::RestoreLog(step) => step.recover,
        _ => false,
    });
    assert_eq!(opened.count(), 0);
    let mut unproven = plan;
    unproven.stages.remove(1);
    assert_eq!(lint(&unproven).len(), 5, "the lint sees what is not proven");
}

#[test]
fn every_member_goes_to_the_host_that_was_named_for_its_own() {
    let one = RestoreAsked {
        place: RestorePlace::Mapped([(host("PAY1"), host("PAY3"))].into()),
        ..restore_asked()
    };
    assert_eq!(
        refused(&one),
        ["SM0107"; 2],
        "two hosts are left, each told once"
    );
    let slip = RestoreAsked {
        place: RestorePlace::Mapped([(host("PAY9"), host("PAY3"))].into()),
        ..restore_asked()
    };
    assert!(refused(&slip).contains(&"SM0107"));
}

#[test]
fn a_log_with_minimally_logged_changes_is_rolled_through_to_its_end() {
    let mut have = catalog();
    // A log before the one with the mark, and that one begins where it ends.
    let mut first = have.sets[1].clone();
    first.id = crate::model::SetId(uuid::Uuid::from_u128(0xa9));
    first.mark = None;
    for (piece, later) in first.pieces.iter_mut().zip(&mut have.sets[1].pieces) {
        piece.id = crate::model::PieceId(uuid::Uuid::from_u128(piece.id.0.as_u128() + 0x1000));
        piece.backup_set_guid = piece.id.0;
        piece.last_lsn = crate::chain::samples::lsn(22);
        later.first_lsn = piece.last_lsn;
        piece.has_bulk_logged_data = true;
    }
    have.sets.insert(1, first);
    let plan = restored_of(&have, &restore_asked()).expect("a plan");
    let stops: Vec<bool> = steps(&plan)
        .into_iter()
        .filter_map(|step| match step {
            Step::RestoreLog(step) => Some(step.stop == StopAt::End),
            _ => None,
        })
        .collect();
    assert_eq!(stops, [true, false].repeat(5));
}

#[test]
fn a_restore_that_would_overwrite_is_refused() {
    let mut exists = restore_asked();
    change_target(&mut exists, "PAY3", |facts| {
        facts.databases = vec![there("lEDGER_drill", TargetState::Online)];
    });
    assert_eq!(refused(&exists), ["SM0803"]);
    exists.replace = true;
    assert!(restored(&exists).is_ok());
    let mut same = restore_asked();
    same.renames.insert(
        member("PAY3/Archive"),
        "LEDGER_DRILL".parse().expect("a database"),
    );
    assert!(refused(&same).contains(&"SM0803"));
}

#[test]
fn a_member_in_use_is_overwritten_only_by_a_restore_in_place() {
    let mut over = restore_asked();
    change_target(&mut over, "PAY3", |facts| {
        facts.databases = vec![there("Archive", TargetState::Online)];
    });
    over.replace = true;
    assert_eq!(refused(&over), ["SM0803"]);
    assert!(restored(&in_place()).is_ok());
}

#[test]
fn everything_that_a_host_cannot_take_is_told_at_once() {
    let mut unfit = restore_asked();
    unfit.files = RestoreFiles::AsTheyWere;
    unfit.replace = true;
    change_target(&mut unfit, "PAY3", |facts| {
        facts.version = "15.0.4000.1".to_owned();
        facts.volumes = vec![Volume {
            root: r"d:\".to_owned(),
            free_bytes: 1000,
        }];
        let mut in_group = there("Orders", TargetState::Online);
        in_group.availability_group = Some("ag]1".to_owned());
        let mut other = there("Other", TargetState::Online);
        other.files[0].physical_name = r"d:\DATA\config.mdf".to_owned();
        facts.databases = vec![in_group, other];
    });
    let mut codes = refused(&unfit);
    codes.sort_unstable();
    let wanted = [
        "SM0803", "SM0804", "SM0805", "SM0805", "SM0805", "SM0805", "SM0805", "SM0805",
    ];
    assert_eq!(
        codes, wanted,
        "a file, the room, the group, and the version five times"
    );
}

/// A catalog whose full of one member says what it had beside its data.
fn telling() -> CatalogView {
    let mut have = catalog();
    let settings = DatabaseSettings {
        owner: Some("app".to_owned()),
        is_cdc_enabled: true,
        is_published: true,
        encryptor: Some("C0FFEE".to_owned()),
        server_collation: "Latin1_General_BIN".to_owned(),
        server_edition: "Enterprise Edition (64-bit)".to_owned(),
        ..DatabaseSettings::default()
    };
    let member = member("PAY1/Ledger");
    have.sets[0].settings = vec![MemberSettings { member, settings }];
    have
}

fn kept_and_put_back(plan: &Plan) -> (Vec<Keeps>, usize) {
    let steps = steps(plan).into_iter();
    let keeps = steps.filter_map(|step| match step {
        Step::RecoverDatabase(step) if !step.keeps.is_nothing() => Some(step.keeps),
        _ => None,
    });
    let keeps = keeps.collect();
    let is_put_back = |stage: &&Stage| stage.name == StageName::PutBack;
    let stage = plan.stages.iter().rev().find(is_put_back);
    let lanes = stage.into_iter().flat_map(|stage| &stage.lanes);
    (keeps, lanes.flat_map(|lane| &lane.steps).count())
}

#[test]
fn a_host_without_the_certificate_of_an_encrypted_member_is_refused_before_anything_is_touched() {
    let mut asked = restore_asked();
    let errors = restored_of(&telling(), &asked).expect_err("it has no certificate");
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(told.len() == 1 && told[0].contains("SM0805"), "{told:?}");
    let context = errors[0].context();
    assert!(
        context.iter().any(|(_, value)| value == "C0FFEE"),
        "{context:?}"
    );
    change_target(&mut asked, "PAY3", |facts| facts.keys = None);
    let unseen = restored_of(&telling(), &asked).expect("a plan");
    assert!(
        unseen
            .warnings
            .iter()
            .any(|it| it.message.contains("is not known")),
        "{:?}",
        unseen.warnings
    );
}

#[test]
fn what_a_member_had_beside_its_data_is_compared_with_the_target_kept_and_put_back() {
    let mut asked = restore_asked();
    change_target(&mut asked, "PAY3", |facts| {
        facts.keys = Some(vec!["C0FFEE".to_owned()]);
        facts.edition = "Standard Edition (64-bit)".to_owned();
    });
    let plan = restored_of(&telling(), &asked).expect("a plan");
    let told: Vec<&str> = plan.warnings.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains("collation") && told[1].contains("Standard"),
        "{told:?}"
    );
    let elsewhere = Keeps {
        cdc: true,
        replication: false,
    };
    assert_eq!(kept_and_put_back(&plan), (vec![elsewhere], 1));
    let mut over_itself = in_place();
    for facts in over_itself.targets.values_mut() {
        facts.keys = Some(vec!["C0FFEE".to_owned()]);
    }
    let plan = restored_of(&telling(), &over_itself).expect("a plan");
    let whole = Keeps {
        cdc: true,
        replication: true,
    };
    assert_eq!(kept_and_put_back(&plan), (vec![whole], 1));
    let unasked = RestoreAsked {
        puts_back: false,
        ..over_itself
    };
    let plan = restored_of(&telling(), &unasked).expect("a plan");
    assert_eq!(kept_and_put_back(&plan), (Vec::new(), 0));
}

#[test]
fn a_group_too_large_for_the_shares_is_overwritten_with_a_warning() {
    let mut cfg = config();
    cfg.policy.staging_max_bytes = 1;
    let have = catalog();
    let point = points(&have.sets, &[]).remove(0);
    let plan = plan_restore(
        &cfg,
        &have,
        &point,
        &in_place(),
        &mut Counter(0x4000),
        now(),
    );
    let warnings = plan.expect("a plan").warnings;
    assert!(
        warnings.iter().any(|it| it.code == "SM0804"),
        "{warnings:?}"
    );
}

#[test]
fn some_members_without_the_others_are_restored_only_on_request() {
    let some = RestoreAsked {
        only: vec![member("PAY1/Ledger")],
        ..restore_asked()
    };
    assert_eq!(refused(&some), ["SM0806"]);
}

#[test]
fn a_restore_to_where_nothing_is_known_is_refused() {
    let no_host = RestoreAsked {
        place: RestorePlace::OneHost(host("ELSEWHERE")),
        ..restore_asked()
    };
    assert_eq!(refused(&no_host), ["SM0103"], "told once");
    let silent = RestoreAsked {
        targets: std::collections::BTreeMap::new(),
        ..restore_asked()
    };
    assert_eq!(refused(&silent), ["SM0805"]);
    let no_member = RestoreAsked {
        only: vec![member("X/Y")],
        ..restore_asked()
    };
    assert!(refused(&no_member).contains(&"SM0603"));
}

#[test]
fn a_restore_goes_on_where_the_host_says_that_it_stopped() {
    let have = catalog();
    let point = points(&have.sets, &[]).remove(0);
    let mut asked = restore_asked();
    asked.begun = ["Config", "Orders", "Archive"]
        .map(|name| (host("PAY3"), name.parse().expect("a database")))
        .into();
    let path = |name: &str| &point.paths[&member(name)];
    let left = |name: &str, state, piece, stop: bool| {
        let mut database = there(name, state);
        database.files[0].redo_start_lsn = Some(crate::chain::samples::lsn(20));
        database.restored = Some(LastRestored {
            piece: Some(piece),
            last_lsn: crate::chain::samples::lsn(20),
            stop_at_mark: stop.then(|| point.mark.name.to_string()),
        });
        database
    };
    let (orders, archive) = (path(r"PAY2\SQL/Orders"), path("PAY3/Archive"));
    let config = path("PAY1/Config");
    change_target(&mut asked, "PAY3", |facts| {
        facts.databases = vec![
            left("Config", TargetState::Restoring, config.full, false),
            left("Orders", TargetState::Standby, orders.logs[0], true),
            left("Archive", TargetState::Online, archive.logs[0], true),
        ];
    });
    let plan = restored(&asked).expect("a plan");
    let of = |name: &str| -> Vec<&'static str> {
        let name = member(name);
        let own = steps(&plan)
            .into_iter()
            .filter(|step| step.member() == Some(&name));
        own.map(|step| match step {
            Step::RestoreDatabase(_) => "full",
            Step::RestoreLog(_) => "log",
            Step::RecoverDatabase(_) => "open",
            Step::ProveMark(_) => "prove",
            _ => "other",
        })
        .collect()
    };
    assert_eq!(of("PAY1/Ledger"), ["full", "log", "prove", "open", "prove"]);
    assert_eq!(of("PAY1/Config"), ["log", "prove", "open", "prove"]);
    assert_eq!(of(r"PAY2\SQL/Orders"), ["prove", "open", "prove"]);
    assert_eq!(of("PAY3/Archive"), ["open", "prove"], "users are let in");
    // What nobody began is somebody else's.
    asked.begun.clear();
    assert_eq!(refused(&asked), ["SM0803"; 3]);
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
