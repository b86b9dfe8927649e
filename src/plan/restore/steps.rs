//! The steps of one member's way, stage by stage. Start at [`Making`].

use std::collections::BTreeSet;

use super::asked::RestoreAsked;
use super::files::Placed;
use super::settings::{keeps, put_back};
use super::way::{Stands, Way};
use crate::chain::Point;
use crate::config::{Config, MarkLogKind};
use crate::model::{HostName, Piece, PieceKind};
use crate::plan::keys::brought_back;
use crate::plan::retry::RetryRule;
use crate::plan::step::ClearStaging;
use crate::plan::{
    CatalogView, Fetch, Keeps, ProveMark, ProvenState, PutBack, RecoverDatabase, RestoreDatabase,
    RestoreLog, RestorePiece, Step, StopAt,
};

/// Steps, each with its host.
pub(super) type StepsOf = Vec<(HostName, Step)>;

/// What all steps are made from.
pub(super) struct Making<'a> {
    pub(super) cfg: &'a Config,
    pub(super) asked: &'a RestoreAsked,
    pub(super) point: &'a Point,
    pub(super) have: &'a CatalogView,
}

/// How a log leaves the database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaves {
    Restoring,
    StandingBy,
    Open,
}

/// How many hosts there are to be restored on.
pub(super) fn lanes(ways: &[Way<'_>]) -> u64 {
    let hosts: BTreeSet<&HostName> = ways.iter().map(|way| &way.host).collect();
    hosts.len() as u64
}

impl Making<'_> {
    /// Everything that leaves the member unopened.
    pub(super) fn to_mark(&self, way: &Way<'_>, placed: &Placed) -> Vec<Step> {
        let last = way.pieces.len().saturating_sub(1);
        let rest = way.rest();
        let steps = rest.filter(|(at, _)| *at < last || way.is_proven_shut);
        let steps = steps.map(|(at, piece)| {
            let leaves = if at == last {
                Leaves::StandingBy
            } else {
                Leaves::Restoring
            };
            self.restore(way, placed, (at, piece), leaves)
        });
        let steps: Vec<[Step; 3]> = steps.collect();
        let left = self.left_by_the_one_before(way);
        left.chain(steps.into_iter().flatten()).collect()
    }

    /// The removal of files that the restore which is gone on with may have left, of pieces that nobody fetches again.
    fn left_by_the_one_before<'s>(&'s self, way: &'s Way<'_>) -> impl Iterator<Item = Step> + 's {
        let rest = way.rest().count();
        let restored = way.pieces.len() - rest;
        let pieces = way.pieces[..restored].iter();
        pieces.map(move |piece| clear(&self.staged(way, piece)))
    }

    /// The proof of a member that stands by.
    pub(super) fn prove_shut(&self, way: &Way<'_>) -> Vec<Step> {
        let stands_by = way.is_proven_shut && way.stands != Stands::Open;
        self.prove(way, stands_by, ProvenState::Standby)
    }

    /// The log that opens a member which cannot stand by.
    pub(super) fn last_logs(&self, way: &Way<'_>, placed: &Placed) -> Vec<Step> {
        let last = way.pieces.len().saturating_sub(1);
        let own = |(at, _): &(usize, &Piece)| *at == last && !way.is_proven_shut;
        let last = way.rest().find(own);
        last.map_or_else(Vec::new, |last| {
            self.restore(way, placed, last, Leaves::Open).into()
        })
    }

    /// The proof of a member that its last log opened.
    pub(super) fn prove_opened_by_log(&self, way: &Way<'_>) -> Vec<Step> {
        self.prove(way, !way.is_proven_shut, ProvenState::Online)
    }

    /// The opening of a member that stands by, and the return of users that were sent away.
    pub(super) fn recover(&self, way: &Way<'_>) -> Vec<Step> {
        let lets_in = self.replaces(way);
        if !way.is_proven_shut && !lets_in {
            return Vec::new();
        }
        vec![Step::RecoverDatabase(RecoverDatabase {
            member: way.member.clone(),
            target: way.target.clone(),
            lets_in,
            keeps: keeps(self.asked, way),
            retry: Some(RetryRule::of(&self.cfg.policy)),
        })]
    }

    /// The proof of a member that was opened after all had been proven.
    pub(super) fn prove_recovered(&self, way: &Way<'_>) -> Vec<Step> {
        self.prove(way, way.is_proven_shut, ProvenState::Online)
    }

    /// What the member had on its host beside its data.
    pub(super) fn put_back(&self, way: &Way<'_>) -> Vec<Step> {
        let step = put_back(self.asked, way).map(|step| PutBack {
            retry: Some(RetryRule::of(&self.cfg.policy)),
            ..step
        });
        step.map(Step::PutBack).into_iter().collect()
    }

    fn prove(&self, way: &Way<'_>, is_due: bool, state: ProvenState) -> Vec<Step> {
        let later_marks = match self.cfg.mark_log {
            // Its rows are numbered: the newest needs no telling.
            MarkLogKind::Stopmark => None,
            MarkLogKind::BizTalk => self.have.later_marks.get(way.member),
        };
        let step = ProveMark {
            later_marks: later_marks.cloned().unwrap_or_default(),
            member: way.member.clone(),
            target: way.target.clone(),
            mark: self.point.mark.name.clone(),
            mark_log: self.cfg.mark_log,
            state,
        };
        is_due
            .then_some(Step::ProveMark(step))
            .into_iter()
            .collect()
    }

    /// Something is there that may be overwritten, or that an earlier restore left in pieces.
    fn replaces(&self, way: &Way<'_>) -> bool {
        let is_begun = super::way::is_begun(way, self.asked);
        way.there.is_some() && (self.asked.replace || is_begun)
    }

    fn restore(
        &self,
        way: &Way<'_>,
        placed: &Placed,
        (at, piece): (usize, &Piece),
        leaves: Leaves,
    ) -> [Step; 3] {
        let source = self.staged(way, piece);
        let fetch = Step::Fetch(Fetch {
            source: source.clone(),
            stored: piece.stripes.clone(),
        });
        let clear = clear(&source);
        let moves = placed.moves[at].clone();
        let retry = Some(RetryRule::of(&self.cfg.policy));
        let (member, target) = (way.member.clone(), way.target.clone());
        let restore = match piece.kind {
            PieceKind::Log => Step::RestoreLog(RestoreLog {
                member,
                target,
                source,
                stop: self.stop(way, piece),
                recover: leaves == Leaves::Open,
                standby: (leaves == Leaves::StandingBy).then(|| placed.undo.clone()),
                keeps: if leaves == Leaves::Open {
                    keeps(self.asked, way)
                } else {
                    Keeps::default()
                },
                moves,
                retry,
            }),
            kind @ (PieceKind::Full | PieceKind::Differential) => {
                Step::RestoreDatabase(RestoreDatabase {
                    member,
                    target,
                    source,
                    piece_kind: kind,
                    moves,
                    replace: kind == PieceKind::Full && self.replaces(way),
                    retry,
                })
            }
        };
        [fetch, restore, clear]
    }

    /// Every log may repeat the stop, and does: a log that reaches further than we know then stops all the same.
    /// Only minimally logged changes refuse it (4341), wherever the mark is; such a log is rolled through to its
    /// end, which is right where it ends before the mark, and the point's own log never holds any.
    fn stop(&self, way: &Way<'_>, piece: &Piece) -> StopAt {
        if piece.has_bulk_logged_data && piece.last_lsn <= way.mark_lsn {
            return StopAt::End;
        }
        StopAt::Mark {
            mark: self.point.mark.name.clone(),
            lsn: way.mark_lsn,
        }
    }

    fn staged(&self, way: &Way<'_>, piece: &Piece) -> RestorePiece {
        brought_back(way.share, &self.cfg.group, piece)
    }
}

fn clear(source: &RestorePiece) -> Step {
    let stripes = source.stripes.iter();
    Step::ClearStaging(ClearStaging {
        piece: source.piece,
        agent_paths: stripes.map(|stripe| stripe.agent_path.clone()).collect(),
    })
}
