//! Golden plans: what each situation leads to, as `--dry-run` prints it.

mod adopts;
mod any_survey;
mod astray;
mod backups;
mod biztalk;
mod companions;
mod drills;
mod event_sessions;
mod forgotten;
mod link_doctor;
mod links;
mod probe_marks;
mod prunes;
mod replicas;
mod restores;
mod rounds;

use super::samples::{Counter, asked, config, member, now};
use super::*;
use crate::config::Config;
use crate::model::PieceKind;
use crate::survey::Survey;

/// Plans, requires that the plan is sound and survives JSON, and gives its text.
fn planned(survey: &Survey, have: &CatalogView, asked: &Asked) -> (Plan, String) {
    planned_for(&config(), survey, have, asked)
}

fn planned_for(cfg: &Config, survey: &Survey, have: &CatalogView, asked: &Asked) -> (Plan, String) {
    let plan = plan_backup(cfg, survey, have, asked, &mut Counter(0x1000), now());
    checked(plan)
}

fn checked(plan: Plan) -> (Plan, String) {
    assert_eq!(lint(&plan), Vec::<String>::new(), "{}", show(&plan));
    let json = serde_json::to_string(&plan).expect("a wire type");
    assert_eq!(
        serde_json::from_str::<Plan>(&json).expect("its own text"),
        plan
    );
    assert!(!json.contains("hunter2"), "a secret stands in the plan");
    let text = show(&plan);
    (plan, text)
}

fn steps(plan: &Plan) -> Vec<&Step> {
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    lanes.flat_map(|lane| &lane.steps).collect()
}

fn is_marked(plan: &Plan) -> bool {
    steps(plan)
        .iter()
        .any(|step| matches!(step, Step::PlaceMark(_)))
}

fn taken(plan: &Plan, kind: PieceKind) -> Vec<String> {
    let taken = steps(plan).into_iter().filter_map(|step| match step {
        Step::BackUp(step) if step.piece_kind == kind => Some(step.member.to_string()),
        _ => None,
    });
    taken.collect()
}

fn failed(member_name: &str, kind: PieceKind, number: i32) -> StepFailure {
    StepFailure {
        deed: FailedDeed::BackUp {
            member: member(member_name),
            piece_kind: kind,
            on_secondary: None,
        },
        code: "SM0501".to_owned(),
        message: "a backup statement failed".to_owned(),
        sql_number: Some(number),
    }
}

fn mark_failed(code: &str, number: Option<i32>) -> StepFailure {
    StepFailure {
        deed: FailedDeed::Mark { places: Vec::new() },
        code: code.to_owned(),
        message: "the marked transaction failed".to_owned(),
        sql_number: number,
    }
}

fn second_round(failures: Vec<StepFailure>) -> Asked {
    Asked {
        round: 2,
        previous: Some(RoundResult {
            failures,
            ..RoundResult::default()
        }),
        ..asked(BackupKind::Log)
    }
}
