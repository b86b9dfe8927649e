//! Which backup follows which: the backups of files, put into lineages by the rules of `chain/`.
//!
//! Start at [`follow`]. Backups belong together by family GUID, over names, servers and forks. Only whole
//! ones lead anywhere; those that are damaged or lack a stripe are told where they are missed.
//!
//! This file never links by itself: it makes pieces of backups and asks [`Chain`].

use std::collections::{BTreeMap, BTreeSet};

use mtf::BackupSet;
use uuid::Uuid;

use super::backup::join;
use super::piece::{kind_of, piece};
use super::{Backup, Contest, ContestKind, Examined, Gap, Lineage, Span};
use crate::chain::{Break, Chain, Link};
use crate::model::{Lsn, MemberName, Piece, PieceId, PieceKind};

/// The lineages of these files, by database name.
#[must_use]
pub fn follow(examined: &[Examined]) -> Vec<Lineage> {
    let mut families: BTreeMap<(Uuid, String), Vec<Backup>> = BTreeMap::new();
    for backup in join(examined) {
        let set = &backup.identity;
        // Without a family only name and host are left to go by.
        let name = if set.family_guid.is_nil() {
            format!("{}/{}", set.server_name, set.database_name)
        } else {
            String::new()
        };
        let family = families.entry((set.family_guid, name));
        family.or_default().push(backup);
    }
    let mut lineages: Vec<Lineage> = families
        .into_iter()
        .map(|((family_guid, _), backups)| lineage(family_guid, backups))
        .collect();
    lineages.sort_by(|one, other| {
        let key = |it: &Lineage| (it.databases.clone(), it.servers.clone(), it.family_guid);
        key(one).cmp(&key(other))
    });
    lineages
}

fn lineage(family_guid: Uuid, mut backups: Vec<Backup>) -> Lineage {
    backups.sort_by_key(|backup| {
        let set = &backup.identity;
        let place = (set.first_lsn, set.last_lsn, set.finished, set.set_guid);
        (kind_of(set.kind).is_none(), place)
    });
    let contests = contests(&backups);
    let pieces = pieces(&backups, &contests);
    let chain = Chain::build(pieces.iter().map(|(_, piece)| piece));
    let numbers = Numbers(pieces.iter().map(|(at, piece)| (piece.id, *at)).collect());
    let links = chain.links();
    let names = |of: fn(&Backup) -> &String| newest_first(&backups, of);
    Lineage {
        family_guid,
        databases: names(|backup| &backup.identity.database_name),
        servers: names(|backup| &backup.identity.server_name),
        spans: spans(&chain, &links, &numbers),
        gaps: gaps(&chain, &links, &numbers, &backups),
        contests,
        backups,
    }
}

fn newest_first(backups: &[Backup], of: fn(&Backup) -> &String) -> Vec<String> {
    let mut ordered: Vec<&Backup> = backups.iter().collect();
    ordered.sort_by_key(|backup| std::cmp::Reverse(backup.identity.started));
    let mut seen = BTreeSet::new();
    let names = ordered.into_iter().map(of);
    names.filter(|name| seen.insert(*name)).cloned().collect()
}

/// From a piece to its backup's place.
struct Numbers(BTreeMap<PieceId, usize>);

impl Numbers {
    fn of(&self, piece: &Piece) -> usize {
        self.0[&piece.id]
    }
}

/// What may stand in the chain: whole backups, of contesting ones the first.
fn pieces(backups: &[Backup], contests: &[Contest]) -> Vec<(usize, Piece)> {
    let member: MemberName = "-/-".parse().expect("a host and a database");
    let is_loser = |at: usize| {
        contests
            .iter()
            .any(|contest| contest.backups.iter().skip(1).any(|loser| *loser == at))
    };
    let usable = backups.iter().enumerate();
    usable
        .filter(|(at, backup)| backup.is_whole() && !is_loser(*at))
        .filter_map(|(at, backup)| {
            let id = PieceId(Uuid::from_u128(at as u128));
            Some((at, piece(&backup.identity, id, member.clone(), Vec::new())?))
        })
        .collect()
}

/// Backups of which at most one can be right. A whole one is preferred, then the one that was done first.
fn contests(backups: &[Backup]) -> Vec<Contest> {
    let mut identities: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
    let mut places: BTreeMap<(Lsn, Lsn, Uuid), Vec<usize>> = BTreeMap::new();
    for (at, backup) in backups.iter().enumerate() {
        let set = &backup.identity;
        identities.entry(set.set_guid).or_default().push(at);
        let is_log = kind_of(set.kind) == Some(PieceKind::Log);
        if is_log && set.first_lsn < set.last_lsn {
            let place = (set.first_lsn, set.last_lsn, set.recovery_fork_guid);
            places.entry(place).or_default().push(at);
        }
    }
    let identities = identities
        .into_iter()
        .filter(|(guid, _)| !guid.is_nil())
        .map(|(_, claims)| (ContestKind::Identity, claims));
    let places = places
        .into_values()
        .map(|claims| (ContestKind::Place, claims));
    let claims = identities.chain(places).filter_map(|(kind, mut claims)| {
        claims.sort_by_key(|&at| (!backups[at].is_whole(), at));
        if kind == ContestKind::Place {
            // Those of one identity are contested already.
            let mut seen = BTreeSet::new();
            claims.retain(|&at| seen.insert(backups[at].identity.set_guid));
        }
        (claims.len() > 1).then_some(Contest {
            kind,
            backups: claims,
        })
    });
    claims.collect()
}

/// From each base to each end of the log that its logs lead to.
fn spans(chain: &Chain<'_>, links: &[Link<'_>], numbers: &Numbers) -> Vec<Span> {
    let before: BTreeMap<PieceId, &Link<'_>> =
        links.iter().map(|link| (link.log.id, link)).collect();
    let reached = || links.iter().filter(|link| link.is_reached);
    let led_on: BTreeSet<PieceId> = reached()
        .filter_map(|link| link.before.map(|piece| piece.id))
        .collect();
    let ends = reached().filter(|link| {
        !led_on.contains(&link.log.id) && !reached().any(|other| outlasts(other.log, link.log))
    });
    let mut spans: Vec<Span> = ends
        .map(|end| {
            let mut logs = vec![end.log];
            let mut base = end.before;
            while let Some(link) = base.and_then(|piece| before.get(&piece.id)) {
                logs.push(link.log);
                base = link.before;
            }
            logs.reverse();
            span(chain, base.unwrap_or(end.log), &logs, numbers)
        })
        .collect();
    let lone = chain.bases().into_iter().filter(|(_, followed)| !followed);
    spans.extend(lone.map(|(base, _)| span(chain, base, &[], numbers)));
    spans.sort_by_key(|span| (span.from, span.to, span.base));
    spans
}

/// Whether another log holds everything up to the end of this one, so that this end is none of its own.
fn outlasts(other: &Piece, log: &Piece) -> bool {
    let holds = other.first_lsn <= log.last_lsn && log.last_lsn < other.last_lsn;
    holds && other.id != log.id && other.last_fork_guid == log.last_fork_guid
}

fn span(chain: &Chain<'_>, base: &Piece, logs: &[&Piece], numbers: &Numbers) -> Span {
    let shortest = logs.last().and_then(|log| chain.path_to_end(log.id));
    let way: Vec<usize> = if let Some(path) = shortest {
        path.pieces().map(|id| numbers.0[&id]).collect()
    } else {
        let full = chain.full_of(base).filter(|full| full.id != base.id);
        let all = full.into_iter().chain([base]).chain(logs.iter().copied());
        all.map(|piece| numbers.of(piece)).collect()
    };
    Span {
        base: numbers.of(base),
        logs: logs.iter().map(|log| numbers.of(log)).collect(),
        way,
        from: base.last_lsn,
        to: logs.last().map_or(base.last_lsn, |log| log.last_lsn),
    }
}

/// Where nothing leads on: stretches of logs that no full reaches, and differentials without their full.
fn gaps(chain: &Chain<'_>, links: &[Link<'_>], numbers: &Numbers, backups: &[Backup]) -> Vec<Gap> {
    let reached = links.iter().filter(|link| link.is_reached);
    let bases = chain.bases();
    let stands: Vec<&Piece> = bases
        .iter()
        .map(|(base, _)| *base)
        .chain(reached.map(|link| link.log))
        .collect();
    let mut gaps: Vec<Gap> = Vec::new();
    let mut gap_of: BTreeMap<PieceId, usize> = BTreeMap::new();
    for link in links.iter().filter(|link| !link.is_reached) {
        let before = link.before.and_then(|piece| gap_of.get(&piece.id));
        let at = before.copied().unwrap_or_else(|| {
            gaps.push(gap(reason(&stands, link.log), link.log, backups));
            gaps.len() - 1
        });
        gaps[at].unreached.push(numbers.of(link.log));
        gap_of.insert(link.log.id, at);
    }
    for piece in chain.baseless() {
        // One missing full is one break, however many differentials and logs it takes along.
        let full_of = |at: usize| base_of(&backups[at].identity);
        let at = numbers.of(piece);
        let known = gaps.iter_mut().find(|gap| {
            let first = gap.unreached.first().map(|&first| full_of(first));
            gap.reason == Break::NoFull && first == Some(full_of(at))
        });
        match known {
            Some(gap) => gap.unreached.push(at),
            None => gaps.push(Gap {
                unreached: vec![at],
                ..gap(Break::NoFull, piece, backups)
            }),
        }
    }
    for gap in &mut gaps {
        gap.unreached.sort_unstable();
    }
    gaps.sort_by_key(|gap| gap.unreached.first().copied());
    gaps
}

/// The backup set GUID of the full that this backup names as what it builds on.
#[must_use]
pub fn base_of(set: &BackupSet) -> Option<Uuid> {
    set.differential_base_guid.or(set.base_full_guid)
}

fn gap(reason: Break, first: &Piece, backups: &[Backup]) -> Gap {
    Gap {
        spoiled: spoiled(backups, &reason, first),
        reason,
        unreached: Vec::new(),
    }
}

/// Why nothing leads to this log, the first of its stretch; `stands` is everything that can be reached.
fn reason(stands: &[&Piece], log: &Piece) -> Break {
    let highest = |is_it: &dyn Fn(&Piece) -> bool| {
        let found = stands.iter().filter(|piece| is_it(piece));
        found.max_by_key(|piece| piece.last_lsn).copied()
    };
    let is_own = |piece: &Piece| piece.last_fork_guid == log.first_fork_guid;
    let before = highest(&|piece| is_own(piece) && piece.last_lsn < log.first_lsn);
    let other_fork = highest(&|piece| !is_own(piece) && piece.last_lsn < log.last_lsn);
    match (before, other_fork) {
        (Some(before), _) => Break::LogLost {
            reached: before.last_lsn,
            next: log.first_lsn,
        },
        (None, Some(other)) => Break::Forked {
            ours: other.last_fork_guid,
            now: log.first_fork_guid,
        },
        (None, None) => Break::NoFull,
    }
}

/// Backups that are not whole and would have led to this piece.
fn spoiled(backups: &[Backup], reason: &Break, piece: &Piece) -> Vec<usize> {
    let serves = |backup: &Backup| {
        let set = &backup.identity;
        match (reason, kind_of(set.kind)) {
            (Break::LogLost { reached, next }, Some(_)) => {
                set.last_lsn > *reached && set.first_lsn < *next
            }
            (Break::NoFull, Some(PieceKind::Full)) => match piece.differential_base {
                Some(base) => base.backup_set_guid == set.set_guid,
                None => set.first_lsn < piece.last_lsn,
            },
            _ => false,
        }
    };
    let broken = backups.iter().enumerate();
    broken
        .filter(|(_, backup)| !backup.is_whole() && serves(backup))
        .map(|(at, _)| at)
        .collect()
}
