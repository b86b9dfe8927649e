//! Histories for tests: two members whose fulls, differentials, logs and marks follow from a few words.
//!
//! Start at [`Past::of`]. Log positions are small numbers; every act moves them on, as transactions do.

use std::collections::BTreeSet;
use std::fmt;

use uuid::Uuid;

use crate::chain::samples::{differential, lsn, piece};
use crate::config::RetentionConfig;
use crate::model::{
    Mark, MarkName, MemberMark, MemberName, Piece, PieceId, PieceKind, ProofLevel, RunId, Set,
    SetId, SetKind, Timestamp,
};
use crate::retention::{History, Pin, Verdict, verdict};

pub(super) const HOUR_MS: i64 = 3_600_000;

/// One act of the past.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Full,
    Differential,
    /// A mark and the logs of all members.
    Marked,
    /// Logs without a mark.
    Unmarked,
    /// A log of one member that nobody holds.
    Lost(usize),
}

struct Position {
    name: MemberName,
    /// Where its log stands.
    at: u32,
    /// Where the next log backup begins; none before the first full.
    log_from: Option<u32>,
    base: Option<Piece>,
}

/// What was published until now.
pub(super) struct Past {
    pub(super) sets: Vec<Set>,
    pub(super) damaged: BTreeSet<PieceId>,
    pub(super) short: BTreeSet<PieceId>,
    pub(super) proven: BTreeSet<PieceId>,
    pub(super) pins: Vec<Pin>,
    pub(super) drilled: BTreeSet<MarkName>,
    pub(super) now: Timestamp,
    members: Vec<Position>,
    next_id: u128,
}

/// One line a set: a failed case must be readable.
impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for set in &self.sets {
            let mark = set.mark.as_ref().map_or("", |mark| mark.name.as_str());
            write!(f, "\n{} {:?} {mark}", set.made_at, set.kind)?;
            for piece in &set.pieces {
                let (first, last) = (piece.first_lsn, piece.last_lsn);
                let damaged = if self.damaged.contains(&piece.id) {
                    "!"
                } else {
                    ""
                };
                let id = piece.id.0.as_u128();
                write!(
                    f,
                    " {id}{damaged}:{}:{first}-{last}:{:?}",
                    piece.kind.word(),
                    piece.proof
                )?;
            }
        }
        let marks: Vec<_> = self.pins.iter().map(|pin| &pin.mark).collect();
        write!(
            f,
            "\npins {marks:?}, drilled {:?}, now {}",
            self.drilled, self.now
        )
    }
}

impl Past {
    /// The past of these acts, each so many hours after the one before; pieces are proven whole.
    pub(super) fn of(acts: &[(Act, u32)]) -> Self {
        let member = |name: &str| Position {
            name: name.parse().expect("a member"),
            at: 10,
            log_from: None,
            base: None,
        };
        let mut past = Self {
            sets: Vec::new(),
            damaged: BTreeSet::new(),
            short: BTreeSet::new(),
            proven: BTreeSet::new(),
            pins: Vec::new(),
            drilled: BTreeSet::new(),
            // 2026-01-01, a Thursday.
            now: Timestamp::from_millis(1_767_225_600_000),
            members: vec![member("PAY1/Ledger"), member("PAY2/Accounts")],
            next_id: 1,
        };
        for (act, hours) in acts {
            past.now = past.now.plus_millis(i64::from(*hours) * HOUR_MS);
            past.act(*act);
        }
        past
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Full => self.publish(SetKind::Full, |member, id| Some(full(member, id))),
            Act::Differential => self.publish(SetKind::Differential, differential_of),
            Act::Marked => self.publish(SetKind::Log, log),
            Act::Unmarked => self.publish(SetKind::Salvage, log),
            Act::Lost(member) => {
                let member = &mut self.members[member % 2];
                member.at += 2;
                member.log_from = member.log_from.map(|_| member.at);
            }
        }
    }

    fn publish(&mut self, kind: SetKind, take: fn(&mut Position, u128) -> Option<Piece>) {
        let marks = self.members.iter().map(|member| MemberMark {
            member: member.name.clone(),
            lsn: lsn(member.at + 1),
            fork_guid: None,
        });
        let name = format!("SM_{}", self.now.file_stamp());
        let mark = (kind == SetKind::Log).then(|| Mark {
            name: name.parse().expect("a mark"),
            placed_at: self.now,
            members: marks.collect(),
        });
        let mut pieces = Vec::new();
        for member in &mut self.members {
            self.next_id += 1;
            pieces.extend(take(member, self.next_id).map(|piece| Piece {
                member: member.name.clone(),
                proof: Some(ProofLevel::Whole),
                ..piece
            }));
        }
        self.next_id += 1;
        self.sets.push(Set {
            id: SetId(Uuid::from_u128(self.next_id)),
            group: "payments".parse().expect("a group"),
            kind,
            run: RunId(Uuid::from_u128(self.next_id)),
            made_at: self.now,
            mark,
            members: self.members.iter().map(|it| it.name.clone()).collect(),
            pieces,
            missing: Vec::new(),
            adopted: Vec::new(),
            companions: Vec::new(),
            settings: Vec::new(),
            best_effort: Vec::new(),
        });
    }

    pub(super) fn history(&self) -> History<'_> {
        History {
            sets: &self.sets,
            damaged: &self.damaged,
            short: &self.short,
            proven: &self.proven,
            pins: &self.pins,
            drilled: &self.drilled,
        }
    }

    pub(super) fn judged(&self, policy: &RetentionConfig) -> Verdict {
        verdict(&self.history(), Some(policy), self.now)
    }

    /// Where each member's next log backup begins.
    pub(super) fn next_logs(&self) -> Vec<(MemberName, Option<u32>)> {
        let members = self.members.iter();
        members.map(|it| (it.name.clone(), it.log_from)).collect()
    }

    /// The mark of the nth set that has one, from 0.
    pub(super) fn mark(&self, nth: usize) -> Option<MarkName> {
        let mut marks = self.sets.iter().filter_map(|set| set.mark.as_ref());
        marks.nth(nth).map(|mark| mark.name.clone())
    }

    pub(super) fn pin(&mut self, mark: MarkName, until: Option<Timestamp>) {
        self.pins.push(Pin {
            mark,
            reason: "the auditors asked".to_owned(),
            by: "ada".to_owned(),
            until,
        });
    }
}

fn full(member: &mut Position, id: u128) -> Piece {
    let first = member.at + 1;
    member.at += 3;
    member.log_from.get_or_insert(first);
    let full = piece(id, PieceKind::Full, first, first + 1);
    member.base = Some(full.clone());
    full
}

fn differential_of(member: &mut Position, id: u128) -> Option<Piece> {
    let base = member.base.as_ref()?;
    member.at += 3;
    Some(differential(id, base, member.at - 2, member.at - 1))
}

fn log(member: &mut Position, id: u128) -> Option<Piece> {
    let first = member.log_from?;
    member.at += 3;
    member.log_from = Some(member.at);
    Some(piece(id, PieceKind::Log, first, member.at))
}
