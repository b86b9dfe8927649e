//! How a run ended, and what it left. Pure questions about records.

use std::collections::BTreeSet;

use super::events::{Outcome, Verdict};
use super::record::{Record, Round, StepState};
use super::round_result::voided;
use crate::chain::SetState;
use crate::error::Code;
use crate::model::{HostName, MemberName, PieceId, RunId, SetId, SetKind, Timestamp};
use crate::plan::{Plan, ProvenState, RunCures, RunKind, Step, Undo, UnfinishedRound, Warning};

/// Warnings that make a run less than well, in whichever round they were: what waits on the shares is in no store, be this
/// run's own pieces or not, and somebody must hear of a wait that was broken off, though its log is taken.
const SHOUTED: [Code; 4] = [
    Code::ShareBacklog,
    Code::BackupsOwed,
    Code::PauseOver,
    Code::MarkHeldBack,
];

/// How long after the first vain look for a file the last one must be: a share that restarts is away for minutes, and a
/// run looks twice within seconds.
pub(super) const LOOKS_APART_MS: i64 = 5 * 60 * 1_000;

/// How a run ended, by its last round that was not a salvage.
#[must_use]
pub fn verdict_of(record: &Record) -> Verdict {
    let last = record
        .rounds
        .iter()
        .rfind(|round| !matches!(round.plan.kind, RunKind::Salvage | RunKind::Copy));
    let Some(last) = last else {
        return Verdict::Failed;
    };
    // Where nothing is backed up, a warning says what could not be planned at all.
    let left_out = !is_backup(last.plan.kind)
        && last.plan.kind != RunKind::Drill
        && !last.plan.warnings.is_empty();
    let mut warnings = record.rounds.iter().flat_map(|round| &round.plan.warnings);
    let is_shouted_about = warnings.any(|it| SHOUTED.iter().any(|code| it.code == code.text()));
    let is_quarantined = |warning: &Warning| warning.code == Code::Quarantined.text();
    let is_whole = voided(last).is_empty()
        && !last.plan.warnings.iter().any(is_quarantined)
        && !last.failures().any(|(step, _)| counts(&last.plan, step))
        && covers_its_members(&last.plan)
        && !left_out
        && !is_shouted_about
        && !owes_copies(record);
    let did_something = last.outcomes().next().is_some() || !has_steps(&last.plan);
    let has = |is_wanted: fn(&Outcome) -> bool| record.outcomes().any(is_wanted);
    // A set without a single piece is no backup, though it is in the group's log.
    let published = has(|outcome| matches!(outcome, Outcome::Published { .. }))
        && has(|outcome| matches!(outcome, Outcome::Delivered { .. }));
    let wants_publication = steps(&last.plan).any(|step| matches!(step, Step::Publish(_)));
    if last.plan.kind == RunKind::Restore && !is_whole && is_restored(last) {
        return Verdict::Degraded;
    }
    match (is_whole, did_something, published || !wants_publication) {
        (true, true, true) => Verdict::Done,
        (false, true, true)
            if (wants_publication && last.plan.kind != RunKind::Restore)
                || last.plan.kind == RunKind::Prune
                || (has_steps(&last.plan) && left_out) =>
        {
            Verdict::Degraded
        }
        _ => Verdict::Failed,
    }
}

/// Whether every member of a restore was proven to be open at the mark: what failed then is only what follows.
fn is_restored(round: &Round) -> bool {
    let proofs = steps(&round.plan).filter(
        |step| matches!(step, Step::ProveMark(proof) if proof.state == ProvenState::Online),
    );
    let proven: Vec<&Step> = round.ended().map(|(step, _)| step).collect();
    let mut proofs = proofs.peekable();
    proofs.peek().is_some() && proofs.all(|proof| proven.contains(&proof))
}

/// A copy could not be made or the group's log not be copied: the next run tries again, and somebody should look.
fn owes_copies(record: &Record) -> bool {
    let copies = |round: &&Round| round.plan.kind == RunKind::Copy;
    let mut rounds = record.rounds.iter().filter(copies);
    rounds.any(|round| round.failures().next().is_some() || !round.plan.warnings.is_empty())
}

/// Whether the failure of a step makes the run worse: that of a member of best effort does not.
fn counts(plan: &Plan, step: &Step) -> bool {
    let of_piece = |step: &Step| {
        let piece = step.piece()?;
        steps(plan).find_map(|it| it.member().filter(|_| it.piece() == Some(piece)))
    };
    let member = step.member().or_else(|| of_piece(step));
    !member.is_some_and(|member| best_effort(plan).contains(member))
}

/// The members that the plan's set is whole without.
fn best_effort(plan: &Plan) -> &[MemberName] {
    let publish = steps(plan).find_map(|step| match step {
        Step::Publish(publish) => Some(publish.best_effort.as_slice()),
        _ => None,
    });
    publish.unwrap_or_default()
}

fn steps(plan: &Plan) -> impl Iterator<Item = &Step> {
    plan.stages
        .iter()
        .flat_map(|stage| &stage.lanes)
        .flat_map(|lane| &lane.steps)
}

fn has_steps(plan: &Plan) -> bool {
    steps(plan).next().is_some()
}

/// A backup of a group is whole only when every member is in it; a set of logs also needs its mark, whether
/// a log run took it or a new chain on request.
fn covers_its_members(plan: &Plan) -> bool {
    if !is_backup(plan.kind) {
        return true;
    }
    let publish = steps(plan).find_map(|step| match step {
        Step::Publish(publish) => Some(publish),
        _ => None,
    });
    let Some(publish) = publish else {
        return false;
    };
    let taken: BTreeSet<&MemberName> = steps(plan)
        .filter_map(|step| match step {
            Step::BackUp(step) => Some(&step.member),
            _ => None,
        })
        .collect();
    let has_mark = publish.set_kind != SetKind::Log || publish.mark.is_some();
    let is_covered = |member| taken.contains(member) || publish.best_effort.contains(member);
    has_mark && publish.members.iter().all(is_covered)
}

const fn is_backup(kind: RunKind) -> bool {
    matches!(kind, RunKind::Full | RunKind::Differential | RunKind::Log)
}

/// What a run tried about broken chains, and whom it released.
#[must_use]
pub fn cures(record: &Record) -> RunCures {
    let rounds = record.rounds.iter();
    let begun = rounds.flat_map(|round| round.steps.keys().filter_map(|at| round.step(*at)));
    let mut cures = RunCures {
        at: record.began_at,
        cured: Vec::new(),
        released: Vec::new(),
    };
    for step in begun {
        match step {
            Step::BackUp(step) if step.is_cure && !cures.cured.contains(&step.member) => {
                cures.cured.push(step.member.clone());
            }
            Step::Release(step) => cures.released.push(step.member.clone()),
            _ => {}
        }
    }
    cures
}

/// A set that a run which has not ended is to publish.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct OpenSet {
    /// The mark's name, or the stamp.
    pub stamp: String,
    /// Planned, running, or void where its round ended without publishing it.
    pub state: SetState,
    /// Its run.
    pub run: RunId,
}

/// The sets of a run that are in no group's log: those of its rounds that published nothing. A run that has ended
/// will publish none of them any more.
#[must_use]
pub fn open_sets(record: &Record) -> Vec<OpenSet> {
    let rounds = record.rounds.iter();
    let backups = rounds.filter(|round| round.plan.kind != RunKind::Salvage);
    let open = backups.filter_map(|round| {
        let publish = steps(&round.plan).find_map(|step| match step {
            Step::Publish(publish) => Some(publish),
            _ => None,
        })?;
        let is_out = record
            .rounds
            .iter()
            .any(|round| publishes(round, publish.set));
        let stamp = publish.mark.as_ref().map(ToString::to_string);
        (!is_out).then(|| OpenSet {
            stamp: stamp.unwrap_or_else(|| publish.made_at.file_stamp()),
            state: match (record.ended, round.steps.is_empty()) {
                (Some(_), _) => SetState::Void,
                (None, true) => SetState::Planned,
                (None, false) => SetState::Running,
            },
            run: record.run,
        })
    });
    open.collect()
}

impl Record {
    /// The rounds that took something which is in no published set and can still be, and those that left
    /// files on the share.
    #[must_use]
    pub fn unfinished_rounds(&self) -> Vec<UnfinishedRound> {
        let unfinished = self
            .rounds
            .iter()
            .filter(|round| !matches!(round.plan.kind, RunKind::Salvage | RunKind::Copy));
        unfinished
            .filter_map(|round| self.unfinished_round(round))
            .collect()
    }

    /// Whether something that was taken can still be brought home, or may have been taken for all that is known. Files on
    /// the share alone keep no run open.
    #[must_use]
    pub fn is_owing(&self) -> bool {
        let unfinished = self.unfinished_rounds();
        let is_taken = unfinished.iter().any(|round| !round.taken.is_empty());
        is_taken || !self.untidied().is_empty() || self.unresolved().next().is_some()
    }

    /// The removals of what trials and drills made or may have made, each with its host, that have not been done,
    /// and the certificate that a drill owes. A trial that failed, or of which no end is known, may have left half of
    /// what it was to make.
    #[must_use]
    pub fn untidied(&self) -> Vec<(HostName, Step)> {
        let is_removed = |removal: &Step| -> bool {
            let done = |(step, _): (&Step, &Outcome)| step == removal;
            self.rounds.iter().any(|round| round.ended().any(done))
        };
        let trials = self
            .rounds
            .iter()
            .filter(|round| round.plan.kind == RunKind::Check);
        let scratch = self.rounds.iter().flat_map(scratch_of);
        let scratch = scratch.filter(|(_, removal)| !is_removed(removal));
        let begun = trials.flat_map(|round| round.steps.keys().map(move |place| (round, *place)));
        let left = begun.filter_map(|(round, place)| match round.step(place)?.undo() {
            Undo::By(removal) if !is_removed(&removal) => {
                Some((round.lane(place)?.host.clone(), *removal))
            }
            Undo::By(_) | Undo::Nothing | Undo::Never(_) => None,
        });
        let certificate = self.rounds.iter().filter_map(certificate_of);
        let certificate = certificate.filter(|(_, step)| !is_removed(step));
        left.chain(scratch).chain(certificate).collect()
    }

    fn unfinished_round(&self, round: &Round) -> Option<UnfinishedRound> {
        let own = steps(&round.plan).find_map(|step| match step {
            Step::Publish(publish) => Some(publish.set),
            _ => None,
        })?;
        let backed_up = round.outcomes().filter_map(|outcome| match outcome {
            Outcome::BackedUp(facts) => Some(facts.piece),
            _ => None,
        });
        let (home, taken): (Vec<_>, Vec<_>) = backed_up.partition(|piece| self.is_home(*piece));
        let taken = taken
            .into_iter()
            .filter(|piece| !self.is_beyond_help(*piece));
        let adopted = self.adopted(round).filter(|piece| !self.is_home(*piece));
        let taken: Vec<PieceId> = taken.chain(adopted).collect();
        let uncleared: Vec<PieceId> = home
            .into_iter()
            .chain(self.broken_off(round))
            .filter(|piece| is_to_be_cleared(round, *piece) && !self.is_cleared(*piece))
            .collect();
        let owes_history = self.owes_history(round);
        let is_mark_confirmed = round
            .outcomes()
            .any(|outcome| matches!(outcome, Outcome::MarkConfirmed { .. }));
        let delivered = taken
            .iter()
            .copied()
            .filter(|piece| self.delivered(*piece).is_some())
            .collect();
        let is_left = !taken.is_empty() || !uncleared.is_empty() || owes_history;
        is_left.then(|| UnfinishedRound {
            plan: round.plan.clone(),
            taken,
            delivered,
            is_mark_confirmed,
            is_published: self.rounds.iter().any(|round| publishes(round, own)),
            uncleared,
            owes_history,
        })
    }

    /// Whether the round took something that BizTalk's history was to be told of, and no round told it. What was tried
    /// twice is left: the next run sees that the history is behind, and mends that by fulls.
    fn owes_history(&self, round: &Round) -> bool {
        let told = |it: &Step| matches!(it, Step::WriteHistory(_));
        let Some(own) = steps(&round.plan).find(|it| told(it)) else {
            return false;
        };
        let tries = self.rounds.iter().flat_map(|round| &round.steps);
        let tries = tries.filter(|(place, state)| {
            let step = self.rounds[usize::from(place.round) - 1].step(**place);
            step == Some(own) && !matches!(state, StepState::Skipped(_))
        });
        let states: Vec<&StepState> = tries.map(|(_, state)| state).collect();
        let is_told = states.iter().any(|it| matches!(it, StepState::Ended(_)));
        let mut outcomes = round.outcomes();
        let has_taken = outcomes.any(|outcome| matches!(outcome, Outcome::BackedUp(_)));
        has_taken && !is_told && states.len() < 2
    }

    /// Foreign backups whose adoption began: what is in the store is published, what may be there in part is
    /// sent again. One that failed is left to whoever asked for it; its files are where they were.
    fn adopted<'a>(&'a self, round: &'a Round) -> impl Iterator<Item = PieceId> + 'a {
        let begun =
            round
                .steps
                .iter()
                .filter_map(|(place, state)| match (round.step(*place)?, state) {
                    (Step::Adopt(step), StepState::Ended(_) | StepState::Vanished) => {
                        Some(step.piece.id)
                    }
                    _ => None,
                });
        begun.filter(|piece| {
            let mut states = self.states_of(*piece);
            !states.any(|(_, state)| matches!(state, StepState::Failed(_)))
        })
    }

    /// Whether a published set holds the piece: one that was published no earlier than it was delivered, and whose entry is
    /// not that of an earlier try.
    fn is_home(&self, piece: PieceId) -> bool {
        let delivers = |round: &Round| {
            round.outcomes().any(
                |outcome| matches!(outcome, Outcome::Delivered { piece: it, .. } if *it == piece),
            )
        };
        let rounds = self.rounds.iter();
        rounds.skip_while(|round| !delivers(round)).any(|round| {
            steps(&round.plan).any(|step| match step {
                Step::Publish(step) => {
                    step.pieces.contains(&piece) && holds(round, step.set, piece)
                }
                _ => false,
            })
        })
    }

    /// Backups that began and that no host knows of, and those that SQL Server refused: both may have left half of a
    /// file. One that failed without an answer, be it in an earlier try, may have been taken after all, and its file is
    /// left alone.
    fn broken_off<'a>(&'a self, round: &'a Round) -> impl Iterator<Item = PieceId> + 'a {
        let steps = round.steps.iter();
        steps.filter_map(|(place, state)| match (round.step(*place)?, state) {
            (Step::BackUp(step), StepState::Vanished) => Some(step.piece),
            (Step::BackUp(step), StepState::Failed(failure)) => {
                let is_refused = failure.sql_number.is_some() && !self.has_lost_answer(step.piece);
                is_refused.then_some(step.piece)
            }
            _ => None,
        })
    }

    fn is_cleared(&self, piece: PieceId) -> bool {
        self.states_of(piece).any(|(step, state)| {
            matches!(step, Step::ClearStaging(_)) && matches!(state, StepState::Ended(_))
        })
    }

    /// Whether deliveries of this piece failed in a way that no further try mends: its file is not what was
    /// asked for, or is gone, which a share that was away for a while looks like too, so it is looked for
    /// again after [`LOOKS_APART_MS`]. The chain then shows the gap, and the next run begins a new one.
    fn is_beyond_help(&self, piece: PieceId) -> bool {
        let failed_as = |code: Code| self.failed_deliveries(piece, code);
        let looks = failed_as(Code::ShareUnseen).zip(failed_as(Code::ShareUnseen).skip(1));
        // A clock that was put back in between has not gone on meanwhile.
        let passed_ms = looks.map(|(one, next)| (next.millis() - one.millis()).max(0));
        let is_gone = passed_ms.sum::<i64>() >= LOOKS_APART_MS;
        is_gone || failed_as(Code::MediaUnsound).next().is_some()
    }

    /// When deliveries of this piece failed so, in the order of the journal.
    fn failed_deliveries(&self, piece: PieceId, code: Code) -> impl Iterator<Item = Timestamp> {
        let steps = self
            .rounds
            .iter()
            .flat_map(|round| round.steps.iter().map(move |it| (round, it)));
        steps.filter_map(move |(round, (place, state))| {
            let is_it = matches!(round.step(*place)?, Step::Deliver(it) if it.piece == piece)
                && matches!(state, StepState::Failed(it) if it.code == code.text());
            is_it.then(|| round.times.get(place)?.1).flatten()
        })
    }

    /// Every step about this piece, with what became of it.
    fn states_of(&self, piece: PieceId) -> impl Iterator<Item = (&Step, &StepState)> {
        let places = self
            .rounds
            .iter()
            .flat_map(|round| round.steps.iter().map(move |it| (round, it)));
        places
            .filter_map(|(round, (place, state))| Some((round.step(*place)?, state)))
            .filter(move |(step, _)| step.piece() == Some(piece))
    }
}

/// Whether the round's plan removes the piece's files; those that log shipping reads stay.
fn is_to_be_cleared(round: &Round, piece: PieceId) -> bool {
    steps(&round.plan).any(|it| matches!(it, Step::ClearStaging(it) if it.piece == piece))
}

/// The removals of scratch databases that a drill began to make, and of the files that it began to bring.
fn scratch_of(round: &Round) -> Vec<(HostName, Step)> {
    if round.plan.kind != RunKind::Drill {
        return Vec::new();
    }
    let has_begun = |is_it: &dyn Fn(&Step) -> bool| {
        let mut begun = round.steps.iter();
        begun.any(|(place, state)| {
            !matches!(state, StepState::Skipped(_)) && round.step(*place).is_some_and(is_it)
        })
    };
    let lanes = round.plan.stages.iter().flat_map(|stage| &stage.lanes);
    let placed = lanes.flat_map(|lane| lane.steps.iter().map(move |step| (&lane.host, step)));
    let left = placed.filter(|(_, step)| match step {
        Step::DropScratch(drop) => has_begun(&|step| match step {
            Step::RestoreDatabase(step) => step.member == drop.of && step.target == drop.target,
            _ => false,
        }),
        Step::SweepStaging(_) => has_begun(&|step| matches!(step, Step::Fetch(_))),
        _ => false,
    });
    left.map(|(host, step)| (host.clone(), step.clone()))
        .collect()
}

/// The certificate of a drill that had begun: one that was cut short is told of too.
fn certificate_of(round: &Round) -> Option<(HostName, Step)> {
    if round.plan.kind != RunKind::Drill || round.steps.is_empty() {
        return None;
    }
    let mut lanes = round.plan.stages.iter().flat_map(|stage| &stage.lanes);
    lanes.find_map(|lane| {
        let mut steps = lane.steps.iter();
        let step = steps.find(|step| matches!(step, Step::Certify(_)))?;
        Some((lane.host.clone(), step.clone()))
    })
}

/// Whether the round published this set with the piece in it.
fn holds(round: &Round, wanted: SetId, piece: PieceId) -> bool {
    round.outcomes().any(|outcome| {
        matches!(outcome, Outcome::Published { set, lacks, .. } if *set == wanted && !lacks.contains(&piece))
    })
}

fn publishes(round: &Round, wanted: SetId) -> bool {
    round
        .outcomes()
        .any(|outcome| matches!(outcome, Outcome::Published { set, .. } if *set == wanted))
}

#[cfg(test)]
mod tests;
