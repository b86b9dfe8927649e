//! Rows become sets and pieces again. Start at [`Shelf`]: one group's rows, asked on the catalog's thread.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};
use uuid::Uuid;

use super::copies::{CopyPolicy, Known, known};
use super::schema::{
    DAMAGED, LET_GO, REMOVED, UNMARKED, group_row, limited, parsed, signed, unsigned,
};
use crate::model::{MemberName, MissingMember, Piece, PieceCopy, PieceId, Set, SetId, Timestamp};
use crate::retention::PrunedSet;
use crate::world::{Counts, Due, DuePlace, Listed, LogFact, Owed, PieceProof};

/// The columns of a set, as [`SetRow::of`] takes them.
pub(super) const SET_COLUMNS: &str = "id, entry, head, first_piece, pieces, verdict";

/// One group's rows.
#[derive(Clone, Copy)]
pub(super) struct Shelf<'c> {
    pub(super) connection: &'c Connection,
    pub(super) group: i64,
    pub(super) policy: &'c CopyPolicy,
}

/// A set's row.
pub(super) struct SetRow {
    pub(super) id: i64,
    pub(super) entry: i64,
    /// The set without its pieces.
    pub(super) head: Set,
    first: i64,
    pub(super) pieces: i64,
    pub(super) verdict: Option<String>,
}

/// Which pieces of a set are wanted.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'w> {
    /// Those that count; the others are among the missing.
    Present,
    /// Those of the manifest that were not let go.
    All,
    /// These.
    Only(&'w BTreeSet<i64>),
}

impl SetRow {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            entry: row.get(1)?,
            head: parsed(row.get_ref(2)?.as_str()?)?,
            first: row.get(3)?,
            pieces: row.get(4)?,
            verdict: row.get(5)?,
        })
    }
}

impl<'c> Shelf<'c> {
    /// The group's rows; none where nothing of it is held.
    pub(super) fn of(
        connection: &'c Connection,
        group: &str,
        policy: &'c CopyPolicy,
    ) -> rusqlite::Result<Option<Self>> {
        let group = group_row(connection, group)?;
        Ok(group.map(|group| Self {
            connection,
            group,
            policy,
        }))
    }

    /// The copies of the piece in this row.
    pub(super) fn known(&self, row: i64, piece: &Piece) -> rusqlite::Result<Known> {
        known(self.connection, row, piece, self.policy, i64::MIN)
    }

    /// A piece that is told to whoever wants to read it: its stripes name the copies that are whole now.
    fn as_it_is_held(&self, row: i64, mut piece: Piece) -> rusqlite::Result<Piece> {
        let known = self.known(row, &piece)?;
        if self.policy.stores.is_empty() && !known.has_facts {
            return Ok(piece);
        }
        let whole = known.copies.whole();
        for stripe in &mut piece.stripes {
            stripe.copies.clone_from(&whole);
        }
        Ok(piece)
    }

    pub(super) fn set_rows(
        &self,
        rest: &str,
        values: impl Params,
    ) -> rusqlite::Result<Vec<SetRow>> {
        let sql = format!("SELECT {SET_COLUMNS} FROM backup_set WHERE {rest}");
        let mut query = self.connection.prepare_cached(&sql)?;
        let rows = query.query_map(values, SetRow::of)?;
        rows.collect()
    }

    /// A row with its pieces.
    pub(super) fn whole(&self, row: SetRow, wanted: Wanted<'_>) -> rusqlite::Result<Set> {
        let sql = "SELECT id, content, absent, proved_at FROM piece WHERE id >= ?1 AND id < ?2 ORDER BY id";
        let mut query = self.connection.prepare_cached(sql)?;
        let mut rows = query.query([row.first, row.first + row.pieces])?;
        let mut set = row.head;
        while let Some(row) = rows.next()? {
            let (id, absent): (i64, i64) = (row.get(0)?, row.get(2)?);
            let is_left_out = match wanted {
                Wanted::All => absent >= LET_GO,
                Wanted::Present => absent != 0,
                Wanted::Only(ids) => !ids.contains(&id),
            };
            // Nobody misses what was let go.
            let is_missed = matches!(wanted, Wanted::Present) && absent < LET_GO;
            if is_left_out && !is_missed {
                continue;
            }
            let piece: Piece = parsed(row.get_ref(1)?.as_str()?)?;
            if is_left_out {
                set.missing.push(missing(&piece, row.get(3)?));
            } else if matches!(wanted, Wanted::All) {
                set.pieces.push(piece);
            } else {
                set.pieces.push(self.as_it_is_held(id, piece)?);
            }
        }
        Ok(set)
    }

    pub(super) fn all(&self) -> rusqlite::Result<Vec<Set>> {
        let rows = self.set_rows(
            "group_id = ?1 AND standing >= 0 ORDER BY entry",
            [self.group],
        )?;
        let rows = rows.into_iter();
        rows.map(|row| self.whole(row, Wanted::Present)).collect()
    }

    pub(super) fn manifests(&self, after: u64, limit: usize) -> rusqlite::Result<Vec<Listed>> {
        let values = [self.group, signed(after), limited(limit)];
        let rest = "group_id = ?1 AND entry > ?2 AND standing >= 0 ORDER BY entry LIMIT ?3";
        let rows = self.set_rows(rest, values)?.into_iter();
        rows.map(|row| self.listed(row, Wanted::All)).collect()
    }

    pub(super) fn listed(&self, row: SetRow, wanted: Wanted<'_>) -> rusqlite::Result<Listed> {
        let verdict = row.verdict.as_deref().map(parsed).transpose()?;
        Ok(Listed {
            entry: unsigned(row.entry),
            verdict,
            set: self.whole(row, wanted)?,
        })
    }

    /// Sets that hold some of these pieces, with these alone, oldest first.
    pub(super) fn sets_of(&self, pieces: &BTreeSet<i64>) -> rusqlite::Result<Vec<Set>> {
        let sql = "SELECT set_row FROM piece WHERE id = ?1";
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = pieces
            .iter()
            .map(|piece| query.query_row([piece], |row| row.get(0)));
        let rows: BTreeSet<i64> = rows.collect::<rusqlite::Result<_>>()?;
        let mut sets = Vec::with_capacity(rows.len());
        for row in rows {
            for row in self.set_rows("id = ?1", [row])? {
                sets.push((row.entry, self.whole(row, Wanted::Only(pieces))?));
            }
        }
        sets.sort_by_key(|(entry, _)| *entry);
        Ok(sets.into_iter().map(|(_, set)| set).collect())
    }

    /// See `world::Catalog::recent`.
    pub(super) fn recent(&self, fulls: usize, whole: &[MemberName]) -> rusqlite::Result<Vec<Set>> {
        let whole: BTreeSet<String> = whole.iter().map(MemberName::to_string).collect();
        let mut pieces = BTreeSet::new();
        for (name, member) in self.members()? {
            let floor = match fulls.checked_sub(1) {
                Some(nth) if !whole.contains(&name) => self.full_before(member, &END, nth)?,
                _ => None,
            };
            pieces.extend(self.part(member, &floor.unwrap_or_default(), &END)?);
        }
        self.sets_of(&pieces)
    }

    fn members(&self) -> rusqlite::Result<BTreeMap<String, i64>> {
        let sql = "SELECT name, id FROM member WHERE group_id = ?1";
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = query.query_map([self.group], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    pub(super) fn member(&self, name: &str) -> rusqlite::Result<Option<i64>> {
        let sql = "SELECT id FROM member WHERE group_id = ?1 AND name = ?2";
        let mut query = self.connection.prepare_cached(sql)?;
        let row = query.query_row(params![self.group, name], |row| row.get(0));
        row.optional()
    }

    /// Where the member's `nth` newest full that ends before `mark` ends.
    pub(super) fn full_before(
        &self,
        member: i64,
        mark: &[u8; 11],
        nth: usize,
    ) -> rusqlite::Result<Option<[u8; 11]>> {
        let sql =
            "SELECT ends FROM piece WHERE member_id = ?1 AND ends < ?2 AND kind = 0 AND absent = 0
            ORDER BY ends DESC LIMIT 1 OFFSET ?3";
        let mut query = self.connection.prepare_cached(sql)?;
        let values = params![member, mark, limited(nth)];
        query.query_row(values, |row| row.get(0)).optional()
    }

    /// A part of a member's chain, as `Chain::path_in_part` wants it: what ends at `floor` or after it and begins at
    /// `mark` or before, the fulls that differentials among these build on, and every copy of any of them, since the
    /// chain counts one backup once.
    pub(super) fn part(
        &self,
        member: i64,
        floor: &[u8; 11],
        mark: &[u8; 11],
    ) -> rusqlite::Result<Vec<i64>> {
        let sql = "SELECT copy.id FROM piece AS part JOIN piece AS copy
                ON copy.backup = part.backup AND copy.member_id = part.member_id
            WHERE part.member_id = ?1 AND part.ends >= ?2 AND part.begins <= ?3 AND part.absent = 0
                AND copy.absent = 0
            UNION SELECT base.id FROM piece AS part JOIN piece AS base
                ON base.backup = part.base AND base.member_id = part.member_id
            WHERE part.member_id = ?1 AND part.ends >= ?2 AND part.begins <= ?3 AND part.absent = 0
                AND base.absent = 0 AND part.base IS NOT NULL";
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = query.query_map(params![member, floor, mark], |row| row.get(0))?;
        rows.collect()
    }

    pub(super) fn piece(&self, row: i64) -> rusqlite::Result<Piece> {
        let sql = "SELECT content FROM piece WHERE id = ?1";
        let mut query = self.connection.prepare_cached(sql)?;
        query.query_row([row], |row| parsed(row.get_ref(0)?.as_str()?))
    }

    pub(super) fn owed(&self, limit: usize) -> rusqlite::Result<Vec<Owed>> {
        let sql =
            "SELECT piece.id, content, set_id FROM piece JOIN backup_set ON backup_set.id = set_row
            WHERE piece.group_id = ?1 AND lacking > 0 AND absent = 0 ORDER BY piece.id LIMIT ?2";
        let mut query = self.connection.prepare_cached(sql)?;
        let mut rows = query.query([self.group, limited(limit)])?;
        let mut owed = Vec::new();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let piece: Piece = parsed(row.get_ref(1)?.as_str()?)?;
            owed.push(Owed {
                set: SetId(Uuid::from_bytes(row.get(2)?)),
                lacking: self.known(id, &piece)?.copies.lacking(),
                piece: self.as_it_is_held(id, piece)?,
            });
        }
        Ok(owed)
    }

    /// Every copy of those of these pieces that have facts of their own.
    pub(super) fn copies(
        &self,
        pieces: &HashSet<PieceId>,
    ) -> rusqlite::Result<HashMap<PieceId, Vec<PieceCopy>>> {
        let sql = "SELECT piece.id, piece_id, content FROM piece
            WHERE group_id = ?1 AND absent < 2 AND EXISTS (SELECT 1 FROM copy WHERE copy.piece = piece.id)";
        let mut query = self.connection.prepare_cached(sql)?;
        let mut rows = query.query([self.group])?;
        let mut found = HashMap::new();
        while let Some(row) = rows.next()? {
            let id = PieceId(Uuid::from_bytes(row.get(1)?));
            if pieces.contains(&id) {
                let piece: Piece = parsed(row.get_ref(2)?.as_str()?)?;
                found.insert(id, self.known(row.get(0)?, &piece)?.copies.all());
            }
        }
        Ok(found)
    }

    pub(super) fn counts(&self) -> rusqlite::Result<Counts> {
        let sql = "SELECT COUNT(CASE WHEN standing >= 0 THEN 1 END), COALESCE(SUM(pieces), 0) -
                (SELECT COUNT(*) FROM piece WHERE group_id = ?1 AND absent >= 2)
            FROM backup_set WHERE group_id = ?1";
        self.connection.query_row(sql, [self.group], |row| {
            Ok(Counts {
                sets: unsigned(row.get(0)?),
                pieces: unsigned(row.get(1)?),
            })
        })
    }

    pub(super) fn due(&self, after: Option<DuePlace>, limit: usize) -> rusqlite::Result<Vec<Due>> {
        let after = after.unwrap_or(DuePlace {
            proved_at: i64::MIN,
            number: 0,
        });
        let sql = "SELECT piece.id, due_at, absent, content, set_id FROM piece
            JOIN backup_set ON backup_set.id = set_row
            WHERE piece.group_id = ?1 AND (due_at, piece.id) > (?2, ?3) AND absent < 2 ORDER BY due_at, piece.id LIMIT ?4";
        let mut query = self.connection.prepare_cached(sql)?;
        let values = [self.group, after.proved_at, after.number, limited(limit)];
        let rows = query.query_map(values, |row| {
            let proved_at: i64 = row.get(1)?;
            let is_known = proved_at != i64::MIN;
            let piece: Piece = parsed(row.get_ref(3)?.as_str()?)?;
            Ok(Due {
                set: SetId(Uuid::from_bytes(row.get(4)?)),
                copies: self.known(row.get(0)?, &piece)?.copies.newest(),
                piece,
                last: is_known.then(|| Timestamp::from_millis(proved_at)),
                is_damaged: row.get::<_, i64>(2)? & DAMAGED != 0,
                place: DuePlace {
                    proved_at,
                    number: row.get(0)?,
                },
            })
        })?;
        rows.collect()
    }

    pub(super) fn damaged(&self) -> rusqlite::Result<Vec<Piece>> {
        // Few pieces ever are, and those have an index of their own.
        let sql = "SELECT content FROM piece WHERE group_id = ?1 AND absent <> 0 AND absent = ?2 ORDER BY id";
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = query.query_map([self.group, DAMAGED], |row| {
            parsed(row.get_ref(0)?.as_str()?)
        })?;
        rows.collect()
    }

    pub(super) fn proofs(&self) -> rusqlite::Result<Vec<PieceProof>> {
        let sql = "SELECT piece_id, proved_at, absent FROM piece
            WHERE group_id = ?1 AND proved_at IS NOT NULL AND absent < 2";
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = query.query_map([self.group], |row| {
            Ok(PieceProof {
                piece: PieceId(Uuid::from_bytes(row.get(0)?)),
                at: Timestamp::from_millis(row.get(1)?),
                is_whole: row.get::<_, i64>(2)? & DAMAGED == 0,
            })
        })?;
        rows.collect()
    }

    /// Pins and drills, in the log's order.
    pub(super) fn retention_facts(&self) -> rusqlite::Result<Vec<LogFact>> {
        let sql = "SELECT fact FROM kept WHERE group_id = ?1 ORDER BY entry";
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = query.query_map([self.group], |row| parsed(row.get_ref(0)?.as_str()?))?;
        rows.collect()
    }

    /// Whether all of this was let go.
    pub(super) fn is_let_go(&self, pruned: &PrunedSet) -> rusqlite::Result<bool> {
        let sql = "SELECT id, standing FROM backup_set WHERE group_id = ?1 AND set_id = ?2";
        let values = params![self.group, pruned.set.0.into_bytes()];
        let row = self
            .connection
            .query_row(sql, values, |row| Ok((row.get(0)?, row.get(1)?)));
        let Some((row, standing)) = row.optional()? else {
            return Ok(false);
        };
        let row: i64 = row;
        let standing: i64 = standing;
        let sql = "SELECT piece_id FROM piece WHERE id >= (SELECT first_piece FROM backup_set WHERE id = ?1)
            AND id < (SELECT first_piece + pieces FROM backup_set WHERE id = ?1) AND absent >= ?2";
        let mut query = self.connection.prepare_cached(sql)?;
        let gone = query.query_map([row, LET_GO], |row| row.get(0))?;
        let gone: BTreeSet<[u8; 16]> = gone.collect::<rusqlite::Result<_>>()?;
        let mut pieces = pruned.pieces.iter();
        let has_ended = !pruned.ends_mark || standing <= UNMARKED;
        Ok(has_ended && pieces.all(|piece| gone.contains(&piece.0.into_bytes())))
    }

    /// What was let go and may still stand, in the order of the sets.
    pub(super) fn unremoved(&self) -> rusqlite::Result<Vec<(SetId, Piece)>> {
        let sql =
            "SELECT set_id, content, piece.id FROM piece JOIN backup_set ON backup_set.id = set_row
            WHERE piece.group_id = ?1 AND absent >= 2 AND absent < ?2 ORDER BY piece.id";
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = query.query_map([self.group, REMOVED], |row| {
            let set = SetId(Uuid::from_bytes(row.get(0)?));
            let mut piece: Piece = parsed(row.get_ref(1)?.as_str()?)?;
            // Damaged copies are removed too, wherever they are.
            let all = self.known(row.get(2)?, &piece)?.copies.all();
            for stripe in &mut piece.stripes {
                stripe.copies.clone_from(&all);
            }
            Ok((set, piece))
        })?;
        rows.collect()
    }

    pub(super) fn entry_of(&self, set: SetId) -> rusqlite::Result<Option<u64>> {
        let sql = "SELECT entry FROM backup_set WHERE group_id = ?1 AND set_id = ?2";
        let values = params![self.group, set.0.into_bytes()];
        let entry = self.connection.query_row(sql, values, |row| row.get(0));
        Ok(entry.optional()?.map(unsigned))
    }
}

/// Past every LSN.
const END: [u8; 11] = [u8::MAX; 11];

/// A damaged piece is a missing one: no way of restoring goes through it, and the next run bridges the gap.
fn missing(piece: &Piece, found_at: Option<i64>) -> MissingMember {
    let word = piece.kind.word();
    MissingMember {
        member: piece.member.clone(),
        reason: match found_at.map(Timestamp::from_millis) {
            Some(at) => format!("its {word} was found damaged at {at}"),
            None => format!("its {word} is in no store of the configuration"),
        },
    }
}
