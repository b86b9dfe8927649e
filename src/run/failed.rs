//! Which steps of a round are left out because another one failed.
//!
//! Start at [`Failed::because_of`]. A member whose step failed is left alone for the rest of the round. Files are
//! brought home each for itself: a log is as good as ever where the differential before it is damaged, and none of ours
//! may stay behind because of another.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::events::StepPlace;
use crate::model::{MemberName, PieceId};
use crate::plan::{Plan, Step};

/// What failed in a round so far.
pub(super) struct Failed {
    /// Members of pieces, so that a step about a piece is known to be about its member.
    members: HashMap<PieceId, MemberName>,
    places: Mutex<Places>,
}

/// Where the first step failed.
#[derive(Default)]
struct Places {
    by_member: HashMap<MemberName, StepPlace>,
    /// Pieces that were not brought home, or not cleared away.
    by_piece: HashMap<PieceId, StepPlace>,
}

impl Failed {
    /// Nothing yet in a round of this plan.
    pub(super) fn nothing_of(plan: &Plan) -> Self {
        let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
        let members = lanes
            .flat_map(|lane| &lane.steps)
            .filter_map(|step| Some((step.piece()?, step.member()?.clone())));
        Self {
            members: members.collect(),
            places: Mutex::default(),
        }
    }

    /// The member that the step is about.
    pub(super) fn member_of<'s>(&'s self, step: &'s Step) -> Option<&'s MemberName> {
        step.member().or_else(|| self.members.get(&step.piece()?))
    }

    /// Remembers a step that failed; whether it is about a member or a file, so that others go on.
    pub(super) fn add(&self, step: &Step, place: StepPlace) -> bool {
        let mut places = self.places();
        match (file_of(step), self.member_of(step)) {
            (Some(piece), _) => places.by_piece.entry(piece).or_insert(place),
            (None, Some(member)) => places.by_member.entry(member.clone()).or_insert(place),
            (None, None) => return false,
        };
        true
    }

    /// The failed step for which this one is left out.
    pub(super) fn because_of(&self, step: &Step) -> Option<StepPlace> {
        let member = self.member_of(step);
        let places = self.places();
        let of_member = member.and_then(|member| places.by_member.get(member));
        let of_files = || {
            if let Some(piece) = file_of(step) {
                return places.by_piece.get(&piece);
            }
            // What is not about files at all, a restore over the member for one, needs all of them to be safe.
            let own = places.by_piece.iter();
            let own =
                own.filter(|(piece, _)| member.is_some() && self.members.get(piece) == member);
            own.map(|(_, place)| place).min()
        };
        of_member.or_else(of_files).copied()
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The piece whose files the step brings home or clears away, and which is all that it is about.
fn file_of(step: &Step) -> Option<PieceId> {
    match step {
        Step::Deliver(step) => Some(step.piece),
        Step::Adopt(step) => Some(step.piece.id),
        Step::ClearStaging(step) => Some(step.piece),
        _ => None,
    }
}
