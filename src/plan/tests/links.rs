//! Links, preparation, salvage.

use super::super::samples::{
    Counter, asked, catalog, change_host, change_member, config, link, now, survey,
};
use super::super::*;
use super::{checked, planned, steps};
use crate::model::{PieceId, SetKind};
use crate::survey::Survey;

fn links_planned(survey: &Survey, asked: &LinksAsked) -> (Plan, String) {
    checked(plan_links(
        &config(),
        survey,
        asked,
        &mut Counter(0x1000),
        now(),
    ))
}

#[test]
fn links_are_planned_by_the_version_of_the_management_host() {
    let mut texts = String::new();
    for version in ["13.0.5026.0", "15.0.2000.5", "17.0.700.9"] {
        let mut survey = survey(Some(30));
        change_host(&mut survey, "PAY1", |host| {
            host.links.clear();
            host.version = version.to_owned();
        });
        let text = links_planned(&survey, &LinksAsked::default()).1;
        texts += &["--- ", version, "\n", &text].concat();
    }
    insta::assert_snapshot!(texts);
}

#[test]
fn a_foreign_link_is_taken_over_only_by_name() {
    let mut survey = survey(Some(30));
    change_host(&mut survey, "PAY1", |host| {
        host.links[1] = crate::survey::LinkFacts {
            is_promotion: false,
            ..link("PAY3")
        };
        host.links[1].provider_string = Some("Encrypt=no".to_owned());
    });
    let left = links_planned(&survey, &LinksAsked::default()).0;
    assert_eq!(left.warnings[0].code, "SM0304");
    let asked = LinksAsked {
        take_over: vec!["PAY3".to_owned()],
    };
    let (taken, text) = links_planned(&survey, &asked);
    assert_eq!(taken.warnings, Vec::new());
    insta::assert_snapshot!(text);
}

#[test]
fn a_link_that_is_well_is_only_tested() {
    let (plan, _) = links_planned(&survey(Some(30)), &LinksAsked::default());
    let steps = steps(&plan);
    assert_eq!(steps.len(), 2);
    assert!(steps.iter().all(|step| matches!(step, Step::TestLink(_))));
}

#[test]
fn the_catalogs_old_name_of_the_provider_is_not_a_fault() {
    let mut survey = survey(Some(30));
    change_host(&mut survey, "PAY1", |host| {
        host.links[0].provider = "SQLNCLI".to_owned();
    });
    let (plan, _) = links_planned(&survey, &LinksAsked::default());
    assert!(
        steps(&plan)
            .iter()
            .all(|step| matches!(step, Step::TestLink(_)))
    );
}

#[test]
fn members_are_prepared_where_something_is_missing() {
    let mut survey = survey(Some(30));
    for name in ["PAY1/Ledger", "PAY3/Archive"] {
        change_member(&mut survey, name, |facts| {
            facts.mark_log.has_procedure = false;
        });
    }
    change_member(&mut survey, "PAY1/Config", |facts| {
        facts.is_read_only = true;
    });
    let make = plan_prepare(
        &config(),
        &survey,
        PrepareAsked::Make,
        &mut Counter(0),
        now(),
    );
    let remove = plan_prepare(
        &config(),
        &survey,
        PrepareAsked::Remove,
        &mut Counter(0),
        now(),
    );
    insta::assert_snapshot!(format!("{}---\n{}", checked(make).1, checked(remove).1));
}

#[test]
fn what_an_interrupted_round_took_is_brought_away_by_its_own_steps() {
    let before = planned(&survey(Some(30)), &catalog(), &asked(BackupKind::Log)).0;
    let pieces: Vec<PieceId> = steps(&before)
        .into_iter()
        .filter_map(|step| match step {
            Step::BackUp(step) => Some(step.piece),
            _ => None,
        })
        .collect();
    let unfinished = UnfinishedRound {
        plan: before.clone(),
        taken: pieces[..3].to_vec(),
        delivered: pieces[..1].to_vec(),
        is_mark_confirmed: true,
        is_published: false,
        uncleared: Vec::new(),
        owes_history: false,
    };
    let plan = salvage(&unfinished).expect("pieces to bring away");
    insta::assert_snapshot!(show(&plan));
    let nothing = UnfinishedRound {
        taken: Vec::new(),
        ..unfinished
    };
    assert_eq!(salvage(&nothing), None);
}

#[test]
fn what_came_too_late_for_its_set_comes_in_a_set_of_its_own() {
    let before = planned(&survey(Some(30)), &catalog(), &asked(BackupKind::Log)).0;
    let own = steps(&before).into_iter().find_map(|step| match step {
        Step::Publish(step) => Some(step.clone()),
        _ => None,
    });
    let own = own.expect("a set");
    let late = UnfinishedRound {
        plan: before,
        taken: own.pieces[..1].to_vec(),
        delivered: Vec::new(),
        is_mark_confirmed: true,
        is_published: true,
        uncleared: own.pieces[1..2].to_vec(),
        owes_history: false,
    };
    let plan = salvage(&late).expect("a piece to bring away");
    let published = steps(&plan).into_iter().find_map(|step| match step {
        Step::Publish(step) => Some(step.clone()),
        _ => None,
    });
    let published = published.expect("a set");
    assert_ne!(published.set, own.set, "a manifest never changes");
    assert_eq!(
        (published.set_kind, &published.mark),
        (SetKind::Salvage, &None)
    );
    assert_eq!(published.pieces, late.taken);
    let cleared = steps(&plan)
        .into_iter()
        .filter(|step| matches!(step, Step::ClearStaging(_)));
    assert_eq!(
        cleared.count(),
        2,
        "the late piece, and what was left before"
    );
    let only_files = UnfinishedRound {
        taken: Vec::new(),
        ..late
    };
    let plan = salvage(&only_files).expect("a file to clear");
    let names: Vec<StageName> = plan.stages.iter().map(|stage| stage.name).collect();
    assert_eq!(names, [StageName::Clear], "a set is published once");
}

fn salvage(round: &UnfinishedRound) -> Option<Plan> {
    let mut names = Counter(0x2fff);
    plan_salvage(
        std::slice::from_ref(round),
        &round.plan.group,
        &mut names,
        2,
        now(),
    )
}
