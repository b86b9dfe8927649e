//! Stories: what a record tells, without the names and times that change; and the golden ones.
//!
//! Start at [`story`]. One line a step, in the order of places, so lanes that ran side by side read the same
//! every time.

use std::collections::BTreeMap;

use stopmark::plan::Step;
use stopmark::run::events::Outcome;
use stopmark::run::record::{Record, StepState};

use crate::saga_kinds::{Kind, Scene};
use crate::strike::{Strike, Target, When};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_that_fails_leaves_the_logs_to_be_taken_without_it() {
    insta::assert_snapshot!(struck(Kind::Log, Target::First("place_mark"), When::Before).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_whose_answer_was_lost_is_looked_for_and_confirmed() {
    insta::assert_snapshot!(struck(Kind::Log, Target::First("place_mark"), When::After).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_piece_that_comes_late_comes_in_a_set_of_its_own() {
    insta::assert_snapshot!(struck(Kind::Log, Target::UploadOf("/sql1-"), When::Before).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_chain_is_mended_and_marked_in_one_run() {
    insta::assert_snapshot!(struck(Kind::LogWithNewChain, Target::Nth(0), When::Before).await);
}

/// The story of a run of which this effect fails (the 0th is none), then of the run after it.
async fn struck(kind: Kind, target: Target, when: When) -> String {
    let scene = Scene::set().await;
    Kind::Links.act(&scene, &scene.world).await.expect("links");
    kind.arrange(&scene).await;
    let strike = Strike::at(target, when);
    let first = kind.act(&scene, &strike.world(&scene.world)).await;
    let first = first.expect("a record");
    let second = Kind::Log.act(&scene, &scene.world).await.expect("a record");
    let points = scene.points().await.len();
    let (first, second) = (story(&first), story(&second));
    format!("{first}\n\nthe next run\n{second}\n\n{points} points")
}

/// A record as a story without names that change: one line a step, in the order of places.
pub(crate) fn story(record: &Record) -> String {
    let mut lines = Vec::new();
    let mut marks: BTreeMap<String, String> = BTreeMap::new();
    for (number, round) in (1..).zip(&record.rounds) {
        lines.push(format!("round {number}, {:?}", round.plan.kind));
        lines.extend(
            round
                .plan
                .warnings
                .iter()
                .map(|it| format!("  warning {}: {}", it.code, it.message)),
        );
        for (place, state) in &round.steps {
            let step = round.step(*place).expect("a step of the plan");
            if let Step::PlaceMark(step) = step {
                marks.insert(step.mark.to_string(), format!("<mark {number}>"));
            }
            let stage = round.plan.stages[usize::from(place.stage)].name;
            for failure in round.retried.get(place).into_iter().flatten() {
                let (act, failed) = (act_of(step), failure.line());
                lines.push(format!("  {stage:?}: {act}: failed, {failed}; tried again"));
            }
            lines.push(format!(
                "  {stage:?}: {}: {}",
                act_of(step),
                state_of(state)
            ));
        }
    }
    lines.push(format!(
        "ended {:?}",
        record.ended.map(|(verdict, _)| verdict)
    ));
    let text = lines.join("\n");
    marks
        .iter()
        .fold(text, |text, (mark, word)| text.replace(mark, word))
}

pub(crate) fn act_of(step: &Step) -> String {
    match step {
        Step::EnsureLink(step) => format!("ensure link {}", step.link),
        Step::RemoveLink(step) => format!("remove link {}", step.link),
        Step::TestLink(step) => format!("test link {}", step.link),
        Step::PrepareMember(step) => format!("prepare {}", step.member),
        Step::RemovePrepared(step) => format!("remove what was prepared in {}", step.member),
        Step::EnsureEventSession(step) => format!("ensure event session {}", step.name),
        Step::RemoveEventSession(step) => format!("remove event session {}", step.name),
        Step::BackUp(step) => {
            format!(
                "{} of {} ({})",
                step.piece_kind.word(),
                step.member,
                step.reason
            )
        }
        Step::PlaceMark(step) => format!("place {}", step.mark),
        Step::ConfirmMark(step) => format!("confirm {}", step.mark),
        Step::Deliver(step) => format!("deliver {} of {}", step.piece_kind.word(), step.member),
        Step::Publish(step) => format!(
            "publish {:?} of {} pieces",
            step.set_kind,
            step.pieces.len()
        ),
        Step::Adopt(step) => format!("adopt {} of {}", step.piece.kind.word(), step.piece.member),
        Step::ClearStaging(_) => "clear".to_owned(),
        Step::Fetch(_) => "fetch".to_owned(),
        Step::RestoreDatabase(step) => {
            format!("restore {} of {}", step.piece_kind.word(), step.target)
        }
        Step::RestoreLog(step) => format!("restore log of {}", step.target),
        Step::LeaveGroup(step) => format!("take {} out of its group", step.target),
        Step::RecoverDatabase(step) => format!("recover {}", step.target),
        Step::ProveMark(step) => format!("prove {}", step.target),
        Step::PutBack(step) => format!("put back {}", step.target),
        Step::TrialBackup(_) => "trial backup".to_owned(),
        Step::RemoveTrial(_) => "remove a trial".to_owned(),
        Step::ProbeStore(_) => "probe the store".to_owned(),
        Step::RemoveProbe(_) => "remove a probe".to_owned(),
        Step::CopyPiece(step) => format!("copy {} to {}", step.member, step.to),
        Step::ProveCopy(step) => format!("prove {} in {}", step.member, step.copy),
        Step::MirrorLog(step) => format!("mirror the log to {}", step.to),
        Step::Prune(_) => "let go".to_owned(),
        Step::RemovePiece(step) => format!("remove {} of {}", step.piece_kind.word(), step.member),
        Step::NoteRemoved(_) => "note what is gone".to_owned(),
        Step::SweepUploads(_) => "sweep uploads".to_owned(),
        Step::SweepStaging(_) => "sweep a share".to_owned(),
        Step::TrimMarkLog(step) => format!("trim marks of {}", step.member),
        Step::CheckDatabase(step) => format!("check {}", step.target),
        Step::RunCheck(step) => format!("ask {}", step.name),
        Step::DropScratch(step) => format!("drop {}", step.target),
        Step::Certify(step) => format!("certify {}", step.mark),
        Step::Release(step) => format!("release {}", step.member),
        Step::WriteHistory(_) => "write the history".to_owned(),
        Step::TrimHistory(_) => "trim the history".to_owned(),
        Step::ProbeMark(step) => format!("try {}", step.place.mark),
        Step::WatchLink(step) => format!("watch {}", step.program),
        Step::ReadWatch(_) => "read what was watched".to_owned(),
    }
}

fn state_of(state: &StepState) -> String {
    match state {
        StepState::Started => "begun".to_owned(),
        StepState::Ended(Outcome::Published { .. }) => "published".to_owned(),
        StepState::Ended(_) => "done".to_owned(),
        StepState::Failed(failure) => format!("failed, {}", failure.line()),
        StepState::Skipped(_) => "skipped".to_owned(),
        StepState::Vanished => "had not happened".to_owned(),
    }
}
