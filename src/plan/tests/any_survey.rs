//! Whatever a survey says, the plan is sound: properties over bent surveys.

use proptest::prelude::*;

use super::super::samples::{MEMBERS, asked, catalog, change_host, change_member, host, survey};
use super::super::*;
use super::{is_marked, planned, steps};
use crate::chain::samples::lsn;
use crate::model::PieceKind;
use crate::survey::{HostReport, MemberState, RecoveryModel, Survey};

/// One thing that may be wrong with a group.
#[derive(Clone, Copy, Debug)]
enum Bend {
    Silent(usize),
    Simple(usize),
    Offline(usize),
    ReadOnly(usize),
    Unprepared(usize),
    Moved(usize),
    Gone(usize),
    NoLinks,
    ForeignLinks,
    OpenMark,
}

const HOSTS: [&str; 3] = ["PAY1", r"PAY2\SQL", "PAY3"];

fn any_bend() -> impl Strategy<Value = Bend> {
    let (member, of_host) = (0..MEMBERS.len(), 0..HOSTS.len());
    prop_oneof![
        of_host.prop_map(Bend::Silent),
        member.clone().prop_map(Bend::Simple),
        member.clone().prop_map(Bend::Offline),
        member.clone().prop_map(Bend::ReadOnly),
        member.clone().prop_map(Bend::Unprepared),
        member.clone().prop_map(Bend::Moved),
        member.prop_map(Bend::Gone),
        Just(Bend::NoLinks),
        Just(Bend::ForeignLinks),
        Just(Bend::OpenMark),
    ]
}

fn bend(survey: &mut Survey, bend: Bend) {
    match bend {
        Bend::Simple(at) => change_member(survey, MEMBERS[at], |it| {
            it.recovery_model = RecoveryModel::Simple;
            it.last_log_backup_lsn = None;
        }),
        Bend::Offline(at) => {
            change_member(survey, MEMBERS[at], |it| it.state = MemberState::Unusable);
        }
        Bend::ReadOnly(at) => change_member(survey, MEMBERS[at], |it| it.is_read_only = true),
        Bend::Unprepared(at) => {
            change_member(survey, MEMBERS[at], |it| it.mark_log.has_table = false);
        }
        Bend::Moved(at) => {
            change_member(survey, MEMBERS[at], |it| {
                it.last_log_backup_lsn = Some(lsn(77));
            });
        }
        Bend::NoLinks => change_host(survey, "PAY1", |it| it.links.clear()),
        Bend::ForeignLinks => change_host(survey, "PAY1", |it| {
            for link in &mut it.links {
                link.provider_string = None;
                link.mappings.clear();
            }
        }),
        Bend::OpenMark => {
            change_host(survey, "PAY1", |it| it.open_marks.push("SM_OLD".to_owned()));
        }
        Bend::Gone(_) | Bend::Silent(_) => {}
    }
}

/// Bends that take facts away come last, since the others change facts.
fn bend_all(survey: &mut Survey, bends: &[Bend]) {
    for it in bends {
        bend(survey, *it);
    }
    for it in bends {
        if let Bend::Gone(at) = it {
            let name = super::super::samples::member(MEMBERS[*at]);
            change_host(survey, name.host.as_str(), |host| {
                host.members.remove(&name.database);
            });
        }
    }
    for it in bends {
        if let Bend::Silent(at) = it {
            let silent = HostReport::Silent {
                code: "SM0201".to_owned(),
                message: "no answer".to_owned(),
                hint: None,
                true_name: None,
            };
            survey.hosts.insert(host(HOSTS[*at]), silent);
        }
    }
}

fn is_against_a_mark(bend: Bend) -> bool {
    !matches!(bend, Bend::Moved(_) | Bend::NoLinks)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_is_sound_and_marks_all_or_none(
        bends in prop::collection::vec(any_bend(), 0..4),
        kind in prop_oneof![Just(BackupKind::Full), Just(BackupKind::Differential), Just(BackupKind::Log)],
        round in 1_u8..4,
    ) {
        let mut survey = survey(Some(30));
        // A later bend of a member that is gone would have nothing to change.
        let gone = |it: &Bend| matches!(it, Bend::Gone(_));
        let bends: Vec<Bend> = bends.iter().enumerate()
            .filter(|(at, it)| !gone(it) || bends[..*at].iter().all(|before| !gone(before)))
            .map(|(_, it)| *it)
            .collect();
        bend_all(&mut survey, &bends);
        let (plan, text) = planned(&survey, &catalog(), &Asked { round, ..asked(kind) });
        // Links that are not there cannot be foreign.
        let has_links = bends.iter().all(|it| !matches!(it, Bend::NoLinks));
        let stands_against = bends.iter().any(|it| {
            is_against_a_mark(*it) && (has_links || !matches!(it, Bend::ForeignLinks))
        });
        prop_assert_eq!(is_marked(&plan), kind == BackupKind::Log && !stands_against, "{}", text);
        if stands_against {
            prop_assert!(!plan.warnings.is_empty() || kind != BackupKind::Log, "{}", text);
        }
        for step in steps(&plan) {
            if let Step::PlaceMark(step) = step {
                let legs: usize = step.remote.iter().map(|leg| leg.databases.len()).sum();
                prop_assert_eq!(step.local.len() + legs, survey.members.len());
            }
            if let Step::BackUp(step) = step {
                let facts = survey.member(&step.member).expect("only what was surveyed is backed up");
                prop_assert_eq!(facts.state, MemberState::Online);
                let keeps_log = facts.recovery_model != RecoveryModel::Simple;
                prop_assert!(keeps_log || step.piece_kind != PieceKind::Log);
            }
        }
    }
}
