//! Plans that try marks out: what is tried, under which names, and what is left out.

use super::*;
use crate::model::{HostName, Timestamp};
use crate::plan::samples::{change_host, survey};

fn host(name: &str) -> HostName {
    name.parse().expect("a host")
}

fn trial(survey: &Survey, commits: bool, newest_stamp: Option<Timestamp>) -> Plan {
    let asked = TrialAsked {
        commits,
        newest_stamp,
    };
    let plan = plan_link_trial(&config(), survey, asked, &mut Counter(0x6000), now());
    checked(plan).0
}

fn explained(survey: &Survey, name: &str) -> Plan {
    let names = &mut Counter(0x6000);
    let plan = plan_link_explain(&config(), survey, &host(name), None, names, now());
    checked(plan).0
}

fn probes(plan: &Plan) -> Vec<&ProbeMark> {
    let probes = steps(plan).into_iter().filter_map(|step| match step {
        Step::ProbeMark(step) => Some(step),
        _ => None,
    });
    probes.collect()
}

#[test]
fn every_host_behind_a_link_is_tried_by_itself_and_rolled_back() {
    let plan = trial(&survey(Some(100)), false, None);
    let probes = probes(&plan);
    let legs: Vec<usize> = probes
        .iter()
        .map(|probe| probe.place.remote.len())
        .collect();
    assert!(
        !probes.is_empty() && legs.iter().all(|legs| *legs == 1),
        "{legs:?}"
    );
    assert!(
        probes
            .iter()
            .all(|probe| !probe.commits && !probe.place.local.is_empty())
    );
    assert_eq!(plan.kind, RunKind::Check);
    assert!(
        plan.stages
            .iter()
            .all(|stage| stage.on_failure == OnFailure::Pass)
    );
}

#[test]
fn the_mark_that_is_committed_is_in_every_member_and_of_a_prefix_and_stamp_of_its_own() {
    let late = Timestamp::from_millis(now().millis() + 60_000);
    let plan = trial(&survey(Some(100)), true, Some(late));
    let probes = probes(&plan);
    let last = probes.last().expect("one is committed");
    assert!(last.commits);
    let behind: usize = probes
        .iter()
        .filter(|probe| !probe.commits)
        .map(|probe| probe.place.remote.len())
        .sum();
    assert_eq!(last.place.remote.len(), behind);
    let names: std::collections::BTreeSet<&str> = probes
        .iter()
        .map(|probe| probe.place.mark.as_str())
        .collect();
    assert_eq!(names.len(), probes.len());
    for probe in probes {
        assert!(probe.place.mark.as_str().starts_with("SMPROBE_"));
        assert!(probe.place.stamped_at > late);
    }
    let mut own = config();
    own.mark_prefix = "smprobe".parse().expect("a prefix");
    let asked = TrialAsked {
        commits: true,
        newest_stamp: None,
    };
    let names = &mut Counter(0x6000);
    let plan = plan_link_trial(&own, &survey(Some(100)), asked, names, now());
    let text = show(&plan);
    assert!(
        text.contains("SMTRIAL_") && !text.to_uppercase().contains("SMPROBE_"),
        "{text}"
    );
}

#[test]
fn nothing_is_tried_while_a_mark_is_open_or_the_management_host_is_silent() {
    let mut busy = survey(Some(100));
    change_host(&mut busy, "PAY1", |host| {
        host.open_marks
            .push("BTS_2026_11_21_02_00_00_007".to_owned());
    });
    let mut silent = survey(Some(100));
    silent.hosts.remove(&host("PAY1"));
    for (survey, code) in [(busy, "SM0404"), (silent, "SM0201")] {
        let plan = trial(&survey, true, None);
        assert_eq!(plan.stages, []);
        assert!(
            plan.warnings.iter().any(|it| it.code == code),
            "{:?}",
            plan.warnings
        );
    }
}

#[test]
fn a_watch_begins_before_its_mark_and_is_dropped_whatever_becomes_of_it() {
    let plan = explained(&survey(Some(100)), "PAY3");
    let kinds: Vec<bool> = steps(&plan)
        .iter()
        .map(|step| matches!(step, Step::WatchLink(_) | Step::RemoveEventSession(_)))
        .collect();
    assert_eq!(kinds, [true, false, false, true]);
    let steps = steps(&plan);
    let Undo::By(undo) = steps[0].undo() else {
        panic!("a watch can be taken back");
    };
    assert_eq!(*undo, *steps[3]);
    assert_eq!(plan.stages[3].on_failure, OnFailure::Pass);
    for nowhere in ["PAY1", "NOBODY"] {
        let plan = explained(&survey(Some(100)), nowhere);
        assert_eq!(
            (plan.stages.len(), plan.warnings.len()),
            (0, 1),
            "{nowhere}"
        );
    }
}
