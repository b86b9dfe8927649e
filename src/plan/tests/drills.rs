//! Drills: scratch names, what refuses one, and what is done whatever fails.

use std::collections::BTreeMap;

use super::super::samples::{Counter, catalog, config, host, member, now, survey, target, there};
use super::super::*;
use super::{checked, steps};
use crate::chain::points;
use crate::config::{CheckDepth, Config, DrillConfig};
use crate::error::Error;
use crate::model::RunId;
use crate::survey::TargetState;

/// The configuration with two hosts more, and this section.
fn configured(drill: DrillConfig) -> Config {
    let mut cfg = config();
    for name in ["DRILL1", "DRILL2"] {
        let mut spare = cfg.hosts[&host("PAY3")].clone();
        spare.name = host(name);
        cfg.hosts.insert(spare.name.clone(), spare);
    }
    cfg.drill = Some(drill);
    cfg
}

fn asked_of(place: RestorePlace) -> RestoreAsked {
    let names = ["DRILL1", "DRILL2", "PAY3"];
    let targets = names.map(|name| (host(name), target(name)));
    RestoreAsked {
        targets: BTreeMap::from(targets),
        ..RestoreAsked::to(place, RunId(uuid::Uuid::from_u128(0x40)), survey(None).id)
    }
}

fn check(text: &str) -> DrillCheck {
    DrillCheck {
        name: "sum.sql".to_owned(),
        text: text.to_owned(),
        value: Some("600".to_owned()),
    }
}

fn drilled(
    drill: DrillConfig,
    asked: RestoreAsked,
    checks: &[DrillCheck],
) -> std::result::Result<Plan, Vec<Error>> {
    let have = catalog();
    let point = points(&have.sets, &[]).remove(0);
    let cfg = configured(drill);
    plan_drill(
        &cfg,
        &have,
        &point,
        asked,
        checks,
        &mut Counter(0x5000),
        now(),
    )
}

fn refused(place: RestorePlace, checks: &[DrillCheck]) -> Vec<&'static str> {
    let errors = drilled(DrillConfig::default(), asked_of(place), checks);
    let errors = errors.expect_err("something stands in the way");
    errors.iter().map(|error| error.code().text()).collect()
}

fn one(name: &str) -> RestorePlace {
    RestorePlace::OneHost(host(name))
}

#[test]
fn a_check_that_reads_through_a_link_is_planned_with_a_warning() {
    let drill = |text: &str| {
        let planned = drilled(
            DrillConfig::default(),
            asked_of(one("DRILL1")),
            &[check(text)],
        );
        let warnings = planned.expect("a plan").warnings;
        let told = warnings
            .iter()
            .filter(|it| it.message.contains("check `sum.sql`"));
        told.map(|it| (it.code.clone(), it.message.clone()))
            .collect::<Vec<_>>()
    };
    let far = drill("SELECT SUM(a) FROM {Ledger}.dbo.T JOIN PAY2.Accounts..T ON 1 = 1");
    assert_eq!(far.len(), 1);
    assert_eq!(far[0].0, "SM0808");
    assert!(
        far[0].1.contains("`PAY2.Accounts..T`") && far[0].1.contains("7313"),
        "{far:?}"
    );
    assert_eq!(drill("SELECT SUM(a) FROM {Ledger}.dbo.T"), []);
}

#[test]
fn a_drill_of_five_members_on_one_host() {
    let drill = DrillConfig {
        files_in: Some("/drill".to_owned()),
        rto: Some(std::time::Duration::from_secs(3600)),
        ..DrillConfig::default()
    };
    let checks = [check(
        "SELECT SUM(amount) FROM {Ledger}.dbo.T, {PAY1/Config}.dbo.T",
    )];
    let plan = drilled(drill, asked_of(one("DRILL1")), &checks).expect("a plan");
    insta::assert_snapshot!(checked(plan).1);
}

#[test]
fn removal_and_certificate_wait_for_nobody() {
    let plan = drilled(DrillConfig::default(), asked_of(one("DRILL1")), &[]).expect("a plan");
    let names = plan
        .stages
        .iter()
        .map(|stage| (stage.name, stage.on_failure));
    let last: Vec<_> = names.rev().take(2).collect();
    let pass = OnFailure::Pass;
    assert_eq!(last, [(StageName::Certify, pass), (StageName::Drop, pass)]);
    let drops = steps(&plan)
        .into_iter()
        .filter(|step| matches!(step, Step::DropScratch(_)));
    assert!(
        drops
            .clone()
            .all(|step| step.member().is_none() && step.piece().is_none())
    );
    assert_eq!(drops.count(), 5);
    let replaces = |step: &&Step| matches!(step, Step::RestoreDatabase(step) if step.replace);
    assert!(
        !steps(&plan).iter().any(replaces),
        "nothing is ever overwritten"
    );
}

#[test]
fn pages_only_or_nothing_is_looked_through_as_configured() {
    let count = |check_database| {
        let drill = DrillConfig {
            check_database,
            ..DrillConfig::default()
        };
        let plan = drilled(drill, asked_of(one("DRILL1")), &[]).expect("a plan");
        let pages = steps(&plan).into_iter().filter_map(|step| match step {
            Step::CheckDatabase(step) => Some(step.physical_only),
            _ => None,
        });
        pages.collect::<Vec<bool>>()
    };
    assert_eq!(count(CheckDepth::Full), [false; 5]);
    assert_eq!(count(CheckDepth::PhysicalOnly), [true; 5]);
    assert_eq!(count(CheckDepth::Off), [false; 0]);
}

#[test]
fn a_host_of_the_group_is_no_drill_host_under_any_name() {
    assert_eq!(refused(one("PAY3"), &[]), ["SM0807"]);
    let mut asked = asked_of(one("DRILL1"));
    let facts = asked.targets.get_mut(&host("DRILL1")).expect("a target");
    facts.true_name = host(r"pay2\SQL");
    let errors = drilled(DrillConfig::default(), asked, &[]).expect_err("an alias");
    assert_eq!(errors[0].code().text(), "SM0807");
}

#[test]
fn scratch_names_that_are_taken_and_checks_over_two_hosts_are_refused() {
    let mut asked = asked_of(one("DRILL1"));
    let facts = asked.targets.get_mut(&host("DRILL1")).expect("a target");
    facts
        .databases
        .push(there("DRILL_ledger", TargetState::Online));
    let errors = drilled(DrillConfig::default(), asked, &[]).expect_err("it is somebody's");
    assert_eq!(errors[0].code().text(), "SM0803");

    let map = [
        ("PAY1", "DRILL1"),
        (r"PAY2\SQL", "DRILL2"),
        ("PAY3", "DRILL1"),
    ];
    let map = map.map(|(from, to)| (host(from), host(to)));
    let place = RestorePlace::Mapped(BTreeMap::from(map));
    assert_eq!(
        refused(place, &[check("SELECT 1 FROM {Ledger}.x, {Orders}.y")]),
        ["SM0808"]
    );
}

#[test]
fn members_of_one_name_on_one_drill_host_are_told_apart() {
    let mut have = catalog();
    let (old, new) = (member("PAY3/Archive"), member("PAY3/Ledger"));
    for set in &mut have.sets {
        for name in set.members.iter_mut().filter(|name| **name == old) {
            *name = new.clone();
        }
        for piece in set.pieces.iter_mut().filter(|piece| piece.member == old) {
            piece.member = new.clone();
        }
        let marks = set.mark.iter_mut().flat_map(|mark| &mut mark.members);
        for placed in marks.filter(|placed| placed.member == old) {
            placed.member = new.clone();
        }
    }
    let point = points(&have.sets, &[]).remove(0);
    let cfg = configured(DrillConfig::default());
    let names = &mut Counter(0x5000);
    let plan = plan_drill(
        &cfg,
        &have,
        &point,
        asked_of(one("DRILL1")),
        &[],
        names,
        now(),
    );
    let plan = plan.expect("a plan");
    let targets: Vec<&str> = steps(&plan)
        .into_iter()
        .filter_map(|step| match step {
            Step::DropScratch(step) if step.of.database.as_str() == "Ledger" => {
                Some(step.target.as_str())
            }
            _ => None,
        })
        .collect();
    assert_eq!(targets.len(), 2);
    assert!(
        targets
            .iter()
            .all(|name| name.ends_with("_Ledger") && name.starts_with("drill_pay"))
    );
}
