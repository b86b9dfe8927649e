//! The certificate of a drill, from the run's own record: nothing is in it that no step said.
//!
//! Start at [`certificate_of`]. A pure question about a record; `deeds/drill.rs` writes the answer down.

use std::collections::BTreeMap;

use super::events::{Failure, StepPlace};
use super::record::{Record, Round, StepState};
use crate::model::{
    CERTIFICATE_FORMAT, Certificate, DrilledCheck, DrilledMember, DrilledPhase, DrilledPiece,
    HostName, Lapse, MemberName, Piece, PieceId, Soundness, Timestamp,
};
use crate::plan::{Certify, DropScratch, StageName, Step, stage_word};
use crate::world::PointNeeds;

/// One step of the drill's round, with its place.
type Placed<'a> = (StepPlace, StageName, &'a Step);

/// The certificate of the drill that `record` holds, as it stands when its `Certify` step is carried out. `needs` is the
/// Point as the catalog still holds it; without it pieces have no times.
#[must_use]
pub fn certificate_of(
    record: &Record,
    step: &Certify,
    needs: Option<&PointNeeds>,
    now: Timestamp,
) -> Option<Certificate> {
    let round = record.rounds.first()?;
    let look = Look {
        round,
        steps: steps(round),
        pieces: pieces(needs),
    };
    let members: Vec<DrilledMember> = look
        .scratch()
        .map(|(host, scratch)| look.member(host, scratch, needs))
        .collect();
    let all_stand = !members.is_empty() && members.iter().all(|member| member.is_at_mark);
    let is_kept = |stage: StageName| !matches!(stage, StageName::Drop | StageName::Certify);
    Some(Certificate {
        format: CERTIFICATE_FORMAT,
        stopmark: env!("CARGO_PKG_VERSION").to_owned(),
        run: record.run,
        group: step.group.clone(),
        mark: step.mark.clone(),
        placed_at: step.placed_at,
        began_at: record.began_at,
        proven_at: all_stand.then(|| look.proven_at()).flatten(),
        written_at: now,
        passed: all_stand && look.all_ended(is_kept),
        rto_target_ms: step.rto_target_ms,
        checks: look.checks(),
        phases: look.phases(),
        is_clean: look.all_ended(|stage| stage == StageName::Drop) || is_tidied(record),
        was_cut_short: look.was_cut_short(),
        members,
    })
}

/// Whether a later start removed what the drill had left.
fn is_tidied(record: &Record) -> bool {
    let mut left = record.untidied().into_iter();
    record.rounds.len() > 1 && left.all(|(_, step)| matches!(step, Step::Certify(_)))
}

/// What is looked at.
struct Look<'a> {
    round: &'a Round,
    steps: Vec<Placed<'a>>,
    pieces: BTreeMap<PieceId, &'a Piece>,
}

fn steps(round: &Round) -> Vec<Placed<'_>> {
    let places = round.places(1).filter_map(|place| {
        let stage = round.plan.stages.get(usize::from(place.stage))?;
        Some((place, stage.name, round.step(place)?))
    });
    places.collect()
}

fn pieces(needs: Option<&PointNeeds>) -> BTreeMap<PieceId, &Piece> {
    let sets = needs.into_iter().flat_map(|needs| &needs.have.sets);
    let pieces = sets.flat_map(|set| &set.pieces);
    pieces.map(|piece| (piece.id, piece)).collect()
}

impl<'a> Look<'a> {
    fn is_ended(&self, place: StepPlace) -> bool {
        matches!(self.round.steps.get(&place), Some(StepState::Ended(_)))
    }

    fn failure(&self, place: StepPlace) -> Option<&'a Failure> {
        match self.round.steps.get(&place) {
            Some(StepState::Failed(failure)) => Some(failure),
            _ => None,
        }
    }

    fn all_ended(&self, is_wanted: impl Fn(StageName) -> bool) -> bool {
        let mut wanted = self.steps.iter().filter(|(_, stage, _)| is_wanted(*stage));
        wanted.all(|(place, ..)| self.is_ended(*place))
    }

    /// Whether the drill never came to the end of its clean-up: a kill, or somebody who stopped it. Its removals stand
    /// for themselves, so each of them ends or fails unless the whole run was broken off.
    fn was_cut_short(&self) -> bool {
        let mut removals = self.steps.iter().filter(|it| it.1 == StageName::Drop);
        removals.any(|(place, ..)| {
            let state = self.round.steps.get(place);
            !matches!(state, Some(StepState::Ended(_) | StepState::Failed(_)))
        })
    }

    /// The scratch databases, each with its host, in the order of the members.
    fn scratch(&self) -> impl Iterator<Item = (&'a HostName, &'a DropScratch)> {
        let found = self
            .steps
            .iter()
            .copied()
            .filter_map(|(place, _, step)| match step {
                Step::DropScratch(step) => Some((&self.round.lane(place)?.host, step)),
                _ => None,
            });
        let found: BTreeMap<&MemberName, _> = found.map(|it| (&it.1.of, it)).collect();
        found.into_values()
    }

    /// When the last proof of all came.
    fn proven_at(&self) -> Option<Timestamp> {
        let proofs = self
            .steps
            .iter()
            .filter(|(_, _, step)| matches!(step, Step::ProveMark(_)));
        let ends = proofs.filter_map(|(place, ..)| self.lapse(*place));
        ends.map(|lapse| lapse.to).max()
    }

    fn lapse(&self, place: StepPlace) -> Option<Lapse> {
        let (from, to) = *self.round.times.get(&place)?;
        Some(Lapse { from, to: to? })
    }

    fn member(
        &self,
        host: &HostName,
        scratch: &DropScratch,
        needs: Option<&PointNeeds>,
    ) -> DrilledMember {
        let member = &scratch.of;
        let own = || self.steps.iter().filter(|it| self.is_about(it.2, member));
        let proofs = own().filter(|(_, _, step)| matches!(step, Step::ProveMark(_)));
        let proof = proofs.map(|(place, ..)| *place).max();
        let marks = needs
            .into_iter()
            .flat_map(|needs| &needs.point.mark.members);
        let faults = own().filter_map(|(place, ..)| self.failure(*place));
        DrilledMember {
            member: member.clone(),
            host: host.clone(),
            database: scratch.target.clone(),
            mark_lsn: marks
                .filter(|placed| placed.member == *member)
                .map(|placed| placed.lsn)
                .next(),
            pieces: self.member_pieces(scratch),
            is_at_mark: proof.is_some_and(|place| self.is_ended(place)),
            soundness: self.soundness(member),
            faults: faults.map(told).collect(),
        }
    }

    fn is_about(&self, step: &Step, member: &MemberName) -> bool {
        let of_piece = || {
            let piece = self.pieces.get(&step.piece()?)?;
            Some(&piece.member)
        };
        step.member().or_else(of_piece) == Some(member)
    }

    fn member_pieces(&self, scratch: &DropScratch) -> Vec<DrilledPiece> {
        let found = scratch.pieces.iter().filter_map(|id| {
            let piece = self.pieces.get(id)?;
            let when = |is_wanted: fn(&Step) -> bool| {
                let mut steps = self.steps.iter();
                let found = steps.find(|(place, _, step)| {
                    step.piece() == Some(*id) && is_wanted(step) && self.is_ended(*place)
                });
                found.and_then(|(place, ..)| self.lapse(*place))
            };
            let stripes = piece.stripes.iter();
            Some(DrilledPiece {
                piece: *id,
                piece_kind: piece.kind,
                size_bytes: stripes.map(|stripe| stripe.plain().size_bytes).sum(),
                started: piece.started,
                finished: piece.finished,
                fetched: when(|step| matches!(step, Step::Fetch(_))),
                restored: when(|step| {
                    matches!(step, Step::RestoreDatabase(_) | Step::RestoreLog(_))
                }),
            })
        });
        found.collect()
    }

    fn soundness(&self, member: &MemberName) -> Soundness {
        let asked = self.steps.iter().find_map(|(place, _, step)| match step {
            Step::CheckDatabase(step) if step.member == *member => Some((*place, step)),
            _ => None,
        });
        match asked.map(|(place, step)| (self.round.steps.get(&place), step.physical_only)) {
            Some((Some(StepState::Ended(_)), true)) => Soundness::PagesSound,
            Some((Some(StepState::Ended(_)), false)) => Soundness::Sound,
            Some((Some(StepState::Failed(_)), _)) => Soundness::Unsound,
            Some(_) | None => Soundness::NotAsked,
        }
    }

    fn checks(&self) -> Vec<DrilledCheck> {
        let checks = self.steps.iter().filter_map(|(place, _, step)| match step {
            Step::RunCheck(step) => Some((*place, step)),
            _ => None,
        });
        checks
            .map(|(place, step)| {
                let passed = self.is_ended(place);
                let not_run = || "it was not run".to_owned();
                DrilledCheck {
                    name: step.name.clone(),
                    wanted: step.wanted(),
                    passed,
                    fault: (!passed).then(|| self.failure(place).map_or_else(not_run, told)),
                }
            })
            .collect()
    }

    fn phases(&self) -> Vec<DrilledPhase> {
        let mut phases: BTreeMap<u16, (StageName, Lapse)> = BTreeMap::new();
        for (place, stage, _) in &self.steps {
            let Some(lapse) = self.lapse(*place) else {
                continue;
            };
            let (_, whole) = phases.entry(place.stage).or_insert((*stage, lapse));
            whole.from = whole.from.min(lapse.from);
            whole.to = whole.to.max(lapse.to);
        }
        let phase = |(stage, lapse): (StageName, Lapse)| DrilledPhase {
            name: stage_word(stage).to_owned(),
            lapse,
        };
        phases.into_values().map(phase).collect()
    }
}

/// A failure in a line, with SQL Server's words where it had any.
fn told(failure: &Failure) -> String {
    let found = failure.context.iter().filter(|(what, _)| what == "found");
    let found = found.map(|(_, value)| format!(", found {value}"));
    let found = found.collect::<Vec<_>>().concat();
    match (failure.sql_number, &failure.sql_text) {
        (Some(number), Some(text)) => format!("{} (error {number}: {text}){found}", failure.line()),
        _ => format!("{}{found}", failure.line()),
    }
}
