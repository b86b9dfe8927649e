//! What each member can be restored to from the pieces that are held, and where its chain stops.
//!
//! Start at [`ChainReport::of`]. The chain's own rules decide; this file words them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::bytes::counted;
use crate::chain::{Chain, Link};
use crate::error::plain::plain;
use crate::model::{Lsn, MemberName, Piece, PieceId, PieceKind, ServerLocal};

/// One member's chain.
#[derive(Clone, Debug, Serialize)]
pub struct ChainReport {
    /// The member.
    pub member: MemberName,
    /// Fulls that are held.
    pub fulls: usize,
    /// Differentials.
    pub differentials: usize,
    /// Logs.
    pub logs: usize,
    /// The moments that it can be restored to, oldest first.
    pub restorable: Vec<Stretch>,
    /// Where its chain stops, by LSN.
    pub breaks: Vec<Stop>,
}

/// A stretch of moments: the end of a full or differential, and with logs any moment up to the last of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// When the full or differential ended, on its host's clock.
    pub from: ServerLocal,
    /// When the last log backup began; the same as `from` where there is no log.
    pub to: ServerLocal,
    /// Where the log stands at its beginning.
    pub from_lsn: Lsn,
    /// Where the log stands at its end.
    pub to_lsn: Lsn,
}

/// Pieces that nothing leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// Where the first of them begins.
    pub at: Lsn,
    /// How many wait behind it.
    pub pieces: usize,
}

impl ChainReport {
    /// The report on one member's pieces.
    #[must_use]
    pub fn of(member: &MemberName, pieces: &[&Piece]) -> Self {
        let count = |kind| pieces.iter().filter(|piece| piece.kind == kind).count();
        let chain = Chain::build(pieces.iter().copied());
        Self {
            member: member.clone(),
            fulls: count(PieceKind::Full),
            differentials: count(PieceKind::Differential),
            logs: count(PieceKind::Log),
            restorable: stretches(&chain),
            breaks: stops(&chain),
        }
    }

    /// The lines for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let counts = [
            counted(self.fulls, "full"),
            counted(self.differentials, "differential"),
            counted(self.logs, "log"),
        ];
        let mut line = |words: String| {
            writeln!(text, "{}", plain(&words)).expect("a string takes everything");
        };
        line(format!("{}: {}", self.member, counts.join(", ")));
        if self.restorable.is_empty() {
            line("  NOT RESTORABLE: no full leads anywhere".to_owned());
        }
        for it in &self.restorable {
            let lsns = format!("LSN {} to {}", it.from_lsn, it.to_lsn);
            if it.from_lsn == it.to_lsn {
                line(format!(
                    "  restorable to {} only (LSN {})",
                    it.from, it.from_lsn
                ));
            } else {
                line(format!(
                    "  restorable from {} to {} ({lsns})",
                    it.from, it.to
                ));
            }
        }
        for stop in &self.breaks {
            let (at, pieces) = (stop.at, counted(stop.pieces, "piece"));
            line(format!(
                "  break: nothing leads to LSN {at}; {pieces} behind it"
            ));
        }
        text
    }
}

fn stretches(chain: &Chain<'_>) -> Vec<Stretch> {
    let links = chain.links();
    let before: BTreeMap<PieceId, &Piece> = links
        .iter()
        .filter_map(|link| Some((link.log.id, link.before?)))
        .collect();
    let mut ends: BTreeMap<PieceId, &Piece> = BTreeMap::new();
    for link in links.iter().filter(|link| link.is_reached) {
        let base = base_of(link, &before);
        let end = ends.entry(base.id).or_insert(link.log);
        if link.log.last_lsn > end.last_lsn {
            *end = link.log;
        }
    }
    let bases = chain.bases().into_iter();
    let told = bases.filter_map(|(base, is_followed)| match ends.get(&base.id) {
        Some(end) => Some(stretch(base, end.started, end.last_lsn)),
        // A base whose logs are counted from an older one lies within that one's stretch.
        None if is_followed => None,
        None => Some(stretch(base, base.finished, base.last_lsn)),
    });
    told.collect()
}

fn base_of<'a>(link: &Link<'a>, before: &BTreeMap<PieceId, &'a Piece>) -> &'a Piece {
    let mut piece = link.log;
    while let Some(earlier) = before.get(&piece.id) {
        piece = earlier;
    }
    piece
}

fn stretch(base: &Piece, to: ServerLocal, to_lsn: Lsn) -> Stretch {
    Stretch {
        from: base.finished,
        to,
        from_lsn: base.last_lsn,
        to_lsn,
    }
}

fn stops(chain: &Chain<'_>) -> Vec<Stop> {
    let mut stops: Vec<Stop> = Vec::new();
    let mut stop_of: BTreeMap<PieceId, usize> = BTreeMap::new();
    for link in chain.links().iter().filter(|link| !link.is_reached) {
        let known = link
            .before
            .and_then(|piece| stop_of.get(&piece.id).copied());
        let nth = known.unwrap_or_else(|| {
            stops.push(Stop {
                at: link.log.first_lsn,
                pieces: 0,
            });
            stops.len() - 1
        });
        stops[nth].pieces += 1;
        stop_of.insert(link.log.id, nth);
    }
    stops.extend(chain.baseless().map(|piece| Stop {
        at: piece.first_lsn,
        pieces: 1,
    }));
    stops.sort_by_key(|stop| stop.at);
    stops
}
