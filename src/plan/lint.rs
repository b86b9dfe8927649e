//! What must be true of every plan, whoever made it. Start at [`lint`]; tests ask it of every plan, and the
//! executor may refuse a plan that it finds fault with.

use std::collections::BTreeSet;

use super::{BackUp, OnFailure, PlaceMark, Plan, Publish, Stage, StageName, Step};
use crate::model::{MarkName, PieceId};

/// SQL Server takes device names of at most this many characters (3057 else).
const DEVICE_CHARACTERS_MAX: usize = 259;

/// What is wrong with a plan, one line each; empty for a sound one.
#[must_use]
pub fn lint(plan: &Plan) -> Vec<String> {
    let mut faults = Vec::new();
    no_file_twice(plan, &mut faults);
    opens_after_proof(plan, &mut faults);
    publishes_all(plan, &mut faults);
    for step in steps(plan) {
        match step {
            Step::PlaceMark(step) => mark(step, &mut faults),
            Step::BackUp(step) => back_up(plan, step, &mut faults),
            _ => {}
        }
    }
    for stage in &plan.stages {
        let hosts: BTreeSet<_> = stage.lanes.iter().map(|lane| &lane.host).collect();
        if stage.lanes.is_empty() || stage.lanes.iter().any(|lane| lane.steps.is_empty()) {
            faults.push(format!("stage {:?} has an empty lane", stage.name));
        }
        // A host is asked for one thing at a time; only the way to the store carries many.
        let carries = stage.name == StageName::Deliver && stage.on_failure == OnFailure::Skip;
        if stage.fan_out.is_some_and(|it| it == 0 || !carries) {
            faults.push(format!("stage {:?} must not fan out so", stage.name));
        }
        if stage.fetch_ahead_bytes.is_some() && stage.fan_out.is_some() {
            faults.push(format!("stage {:?} must not fetch ahead so", stage.name));
        }
        if hosts.len() != stage.lanes.len() {
            faults.push(format!("stage {:?} has two lanes of one host", stage.name));
        }
    }
    faults
}

fn steps(plan: &Plan) -> impl Iterator<Item = &Step> {
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    lanes.flat_map(|lane| &lane.steps)
}

fn no_file_twice(plan: &Plan, faults: &mut Vec<String>) {
    let mut files = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for step in steps(plan) {
        if let Step::Adopt(step) = step {
            let taken = step.piece.stripes.iter();
            for stripe in taken.filter(|stripe| !keys.insert(&stripe.key)) {
                faults.push(format!("two steps write `{}`", stripe.key));
            }
        }
        let stripes = match step {
            Step::BackUp(step) => &step.stripes,
            Step::Fetch(step) => &step.source.stripes,
            _ => continue,
        };
        for stripe in stripes {
            if !files.insert(&stripe.agent_path) || !keys.insert(&stripe.key) {
                faults.push(format!("two steps write `{}`", stripe.agent_path.display()));
            }
        }
    }
}

/// A database that stands by is opened only after every member that does was proven to stand at the mark, and
/// where a proof that fails ends the round.
fn opens_after_proof(plan: &Plan, faults: &mut Vec<String>) {
    let first = |wanted: &dyn Fn(&Step) -> bool| {
        let has = |stage: &Stage| stage.lanes.iter().flat_map(|lane| &lane.steps).any(wanted);
        plan.stages.iter().position(has)
    };
    let Some(opening) = first(&|step| matches!(step, Step::RecoverDatabase(_))) else {
        return;
    };
    let before = plan.stages[..opening].iter();
    let halting = before.filter(|stage| stage.on_failure == OnFailure::Halt);
    let halting = halting.flat_map(|stage| &stage.lanes);
    let proven: BTreeSet<_> = halting
        .flat_map(|lane| lane.steps.iter().map(move |step| (&lane.host, step)))
        .filter_map(|(host, step)| match step {
            Step::ProveMark(step) => Some((host, &step.target)),
            _ => None,
        })
        .collect();
    let stand_by = plan.stages.iter().flat_map(|stage| &stage.lanes);
    let stand_by = stand_by.flat_map(|lane| lane.steps.iter().map(move |step| (&lane.host, step)));
    let ending = stand_by.filter_map(|(host, step)| match step {
        Step::RestoreLog(step) if step.standby.is_some() || step.recover => {
            Some((host, &step.target))
        }
        _ => None,
    });
    for (_, target) in ending.filter(|ended| !proven.contains(ended)) {
        faults.push(format!("`{target}` is opened without a proof"));
    }
}

fn publishes_all(plan: &Plan, faults: &mut Vec<String>) {
    let taken: BTreeSet<PieceId> = steps(plan)
        .filter_map(|step| match step {
            Step::BackUp(step) => Some(step.piece),
            Step::Adopt(step) => Some(step.piece.id),
            _ => None,
        })
        .collect();
    let published: Vec<&Publish> = steps(plan)
        .filter_map(|step| match step {
            Step::Publish(step) => Some(step),
            _ => None,
        })
        .collect();
    let listed: BTreeSet<PieceId> = published
        .iter()
        .flat_map(|step| step.pieces.iter().copied())
        .collect();
    for piece in taken.difference(&listed) {
        faults.push(format!("piece {piece} is taken and published nowhere"));
    }
    for step in published {
        let delivered = |id: &PieceId| {
            steps(plan).any(|step| match step {
                Step::Deliver(step) => step.piece == *id,
                Step::Adopt(step) => step.piece.id == *id,
                _ => false,
            })
        };
        if !step.pieces.iter().all(delivered) {
            faults.push("a piece is published and never delivered".to_owned());
        }
    }
}

fn mark(step: &PlaceMark, faults: &mut Vec<String>) {
    if step.local.is_empty() {
        faults.push("the mark begins in no member".to_owned());
    }
    if step.remote.iter().any(|leg| leg.databases.is_empty()) {
        faults.push("a leg of the mark has no member".to_owned());
    }
    if step
        .remote
        .iter()
        .any(|leg| leg.host.is_same_host(&step.management_host))
    {
        faults.push("a leg of the mark leads back to the management host".to_owned());
    }
}

fn back_up(plan: &Plan, step: &BackUp, faults: &mut Vec<String>) {
    for stripe in &step.stripes {
        if stripe.sql_path.encode_utf16().count() > DEVICE_CHARACTERS_MAX {
            faults.push(format!(
                "`{}` is longer than SQL Server takes",
                stripe.sql_path
            ));
        }
    }
    if step.stripes.is_empty() || step.stripes.len() > 64 {
        faults.push(format!(
            "piece {} has {} stripes",
            step.piece,
            step.stripes.len()
        ));
    }
    let placed = |mark: &MarkName| {
        steps(plan).any(|it| matches!(it, Step::PlaceMark(it) if it.mark == *mark))
    };
    if step
        .mark
        .as_ref()
        .is_some_and(|mark: &MarkName| !placed(mark))
    {
        faults.push(format!(
            "piece {} carries a mark that is never placed",
            step.piece
        ));
    }
}
