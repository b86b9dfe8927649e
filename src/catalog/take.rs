//! Entries of the group's log become rows. Start at [`take_in`].
//!
//! One more kind of fact takes three things: its arm in `Fact::of` (`rows`), what it changes in [`Taking::apply`], and, where
//! that needs a column, a new number in `schema`. A fact that makes a piece missing, or makes it count again, goes
//! through [`Taking::set_absent`]: every judgement that may hang on the piece is forgotten there, and made again by
//! `judge` when somebody asks. What a fact about a piece means for marks is written nowhere else.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::copies::{self, CopyPolicy};
use super::rows::{Fact, PieceRow, Proved, Row, SetRow};
use super::schema::{
    DAMAGED, GONE, LET_GO, REMOVED, UNMARKED, group_row, limited, parsed, text_of,
};
use crate::model::{Piece, PieceId, Set, SetId, Timestamp};
use crate::retention::{PiecesOf, PrunedSet};

/// Takes in what is not held yet, in one transaction.
pub(super) fn take_in(
    connection: &mut Connection,
    group: &str,
    policy: &CopyPolicy,
    rows: Vec<Row>,
) -> rusqlite::Result<()> {
    // At once for writing: another process may take in the same entries, and each must see what the other held.
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut taking = Taking::begin(&change, group, policy)?;
    for row in rows {
        if row.number > taking.entry {
            taking.entry = row.number;
            taking.digest = Some(row.digest);
            taking.apply(row)?;
        }
    }
    taking.end()?;
    change.commit()
}

/// Stamps only rise: marks must never be named below one that was used.
pub(super) fn raise_stamp(
    connection: &Connection,
    group: &str,
    stamp: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO held (group_name, stamp) VALUES (?1, ?2)
        ON CONFLICT (group_name) DO UPDATE SET stamp = MAX(COALESCE(stamp, excluded.stamp), excluded.stamp)";
    let mut raise = connection.prepare_cached(sql)?;
    raise.execute(params![group, stamp.millis()]).map(|_| ())
}

/// Forgets everything of a group but the stamps that were used.
pub(super) fn clear(connection: &mut Connection, group: &str) -> rusqlite::Result<()> {
    let change = connection.transaction()?;
    if let Some(group) = group_row(&change, group)? {
        let places =
            "DELETE FROM mark_place WHERE member_id IN (SELECT id FROM member WHERE group_id = ?1)";
        change.execute(places, [group])?;
        let copies = "DELETE FROM copy WHERE piece IN (SELECT id FROM piece WHERE group_id = ?1)";
        change.execute(copies, [group])?;
        for table in ["piece", "backup_set", "member", "kept"] {
            change.execute(&format!("DELETE FROM {table} WHERE group_id = ?1"), [group])?;
        }
        change.execute(
            "UPDATE held SET entry = 0, digest = NULL WHERE id = ?1",
            [group],
        )?;
    }
    change.commit()
}

/// One transaction's way through its entries.
struct Taking<'c> {
    change: &'c Connection,
    policy: &'c CopyPolicy,
    group: i64,
    members: HashMap<String, i64>,
    entry: i64,
    digest: Option<[u8; 32]>,
    stamp: Option<i64>,
}

impl<'c> Taking<'c> {
    fn begin(
        change: &'c Connection,
        group: &str,
        policy: &'c CopyPolicy,
    ) -> rusqlite::Result<Self> {
        let make = "INSERT INTO held (group_name) VALUES (?1) ON CONFLICT (group_name) DO NOTHING";
        change.execute(make, [group])?;
        let sql = "SELECT id, entry, digest, stamp FROM held WHERE group_name = ?1";
        change.query_row(sql, [group], |row| {
            Ok(Self {
                change,
                policy,
                group: row.get(0)?,
                members: HashMap::new(),
                entry: row.get(1)?,
                digest: row.get(2)?,
                stamp: row.get(3)?,
            })
        })
    }

    fn apply(&mut self, row: Row) -> rusqlite::Result<()> {
        match row.fact {
            Fact::Set(set) => self.set(&set),
            Fact::Proved(proved) => self.proved(&proved),
            Fact::Kept(fact) => self.kept(&fact),
            Fact::Pruned(sets) => sets.iter().try_for_each(|set| self.pruned(set)),
            Fact::Removed(sets) => sets.iter().try_for_each(|set| self.removed(set)),
            Fact::Nothing => Ok(()),
        }
    }

    fn end(self) -> rusqlite::Result<()> {
        let sql = "UPDATE held SET entry = ?2, digest = ?3, stamp = ?4 WHERE id = ?1";
        let values = params![self.group, self.entry, self.digest, self.stamp];
        self.change.execute(sql, values).map(|_| ())
    }

    fn set(&mut self, set: &SetRow) -> rusqlite::Result<()> {
        self.forget(set.id)?;
        self.stamp = self.stamp.max(Some(set.used.millis()));
        let row = self.set_row(set)?;
        let mut touched: BTreeMap<i64, [u8; 11]> = BTreeMap::new();
        let mut first = None;
        for piece in &set.pieces {
            let member = self.member(&piece.member)?;
            let number = self.piece(row, member, piece)?;
            first.get_or_insert(number);
            let begins = touched.entry(member).or_insert(piece.begins);
            *begins = piece.begins.min(*begins);
        }
        if let Some(first) = first {
            let sql = "UPDATE backup_set SET first_piece = ?2 WHERE id = ?1";
            self.change.prepare_cached(sql)?.execute([row, first])?;
        }
        for (member, begins) in touched {
            self.doubt(member, begins)?;
        }
        for (member, lsn) in &set.places {
            let member = self.member(member)?;
            let sql = "INSERT OR IGNORE INTO mark_place VALUES (?1, ?2, ?3)";
            let mut insert = self.change.prepare_cached(sql)?;
            insert.execute(params![member, lsn, row])?;
        }
        Ok(())
    }

    fn set_row(&self, set: &SetRow) -> rusqlite::Result<i64> {
        let sql = "INSERT INTO backup_set (group_id, entry, set_id, stamp, head, first_piece, pieces, standing)
            VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)";
        let mut insert = self.change.prepare_cached(sql)?;
        insert.insert(params![
            self.group,
            self.entry,
            set.id.0.into_bytes(),
            set.stamp,
            set.head,
            limited(set.pieces.len()),
            set.standing
        ])
    }

    fn piece(&self, set: i64, member: i64, piece: &PieceRow) -> rusqlite::Result<i64> {
        let sql = "INSERT INTO piece
            (group_id, set_row, member_id, kind, piece_id, backup, base, begins, ends, due_at, absent, lacking, content)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let mut insert = self.change.prepare_cached(sql)?;
        insert.insert(params![
            self.group,
            set,
            member,
            piece.kind,
            piece.id.0.into_bytes(),
            piece.backup,
            piece.base,
            piece.begins,
            piece.ends,
            piece.due_at,
            piece.absent,
            piece.lacking,
            piece.content
        ])
    }

    fn member(&mut self, name: &str) -> rusqlite::Result<i64> {
        if let Some(known) = self.members.get(name) {
            return Ok(*known);
        }
        let sql = "INSERT INTO member (group_id, name) VALUES (?1, ?2)
            ON CONFLICT (group_id, name) DO UPDATE SET name = name RETURNING id";
        let values = params![self.group, name];
        let row = self.change.query_row(sql, values, |row| row.get(0))?;
        self.members.insert(name.to_owned(), row);
        Ok(row)
    }

    /// A set that is published again stands where its last entry is.
    fn forget(&self, set: SetId) -> rusqlite::Result<()> {
        let Some(row) = self.place_of(set)? else {
            return Ok(());
        };
        let sql = "SELECT member_id, MIN(begins) FROM piece WHERE id >= ?1 AND id < ?2 GROUP BY member_id";
        let mut query = self.change.prepare(sql)?;
        let touched = query.query_map([row.first, row.first + row.pieces], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        for touched in touched.collect::<rusqlite::Result<Vec<(i64, [u8; 11])>>>()? {
            self.doubt(touched.0, touched.1)?;
        }
        let copies = "DELETE FROM copy WHERE piece >= ?1 AND piece < ?2";
        self.change
            .execute(copies, [row.first, row.first + row.pieces])?;
        let pieces = "DELETE FROM piece WHERE id >= ?1 AND id < ?2";
        self.change
            .execute(pieces, [row.first, row.first + row.pieces])?;
        self.change
            .execute("DELETE FROM mark_place WHERE set_row = ?1", [row.id])?;
        let sql = "DELETE FROM backup_set WHERE id = ?1";
        self.change.execute(sql, [row.id]).map(|_| ())
    }

    fn place_of(&self, set: SetId) -> rusqlite::Result<Option<Place>> {
        let sql =
            "SELECT id, first_piece, pieces FROM backup_set WHERE group_id = ?1 AND set_id = ?2";
        let mut query = self.change.prepare_cached(sql)?;
        let place = query.query_row(params![self.group, set.0.into_bytes()], |row| {
            Ok(Place {
                id: row.get(0)?,
                first: row.get(1)?,
                pieces: row.get(2)?,
            })
        });
        place.optional()
    }

    fn proved(&self, proved: &Proved) -> rusqlite::Result<()> {
        let Some(piece) = self.held(proved.set, proved.piece)? else {
            return Ok(());
        };
        let (row, copy) = (piece.row, proved.copy.as_ref());
        copies::note(self.change, row, copy, proved.is_whole, proved.at)?;
        let content: Piece = parsed(&piece.content)?;
        let known = copies::known(self.change, row, &content, self.policy, piece.delivered_at)?;
        let sql = "UPDATE piece SET proved_at = ?2, due_at = ?3, lacking = ?4 WHERE id = ?1";
        let mut update = self.change.prepare_cached(sql)?;
        update.execute([row, proved.at, known.due_at, known.lacking()])?;
        if known.lacking() != piece.lacking {
            self.doubt(piece.member, piece.begins)?;
        }
        self.set_absent(&piece, piece.absent & !DAMAGED | known.absent())
    }

    fn kept(&self, fact: &str) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO kept VALUES (?1, ?2, ?3)";
        let mut insert = self.change.prepare_cached(sql)?;
        insert
            .execute(params![self.group, self.entry, fact])
            .map(|_| ())
    }

    /// What was let go counts no more, and a set that has nothing left is in no answer.
    fn pruned(&self, pruned: &PrunedSet) -> rusqlite::Result<()> {
        let Some(place) = self.place_of(pruned.set)? else {
            return Ok(());
        };
        for piece in &pruned.pieces {
            if let Some(piece) = self.held(pruned.set, *piece)? {
                self.set_absent(&piece, piece.absent | LET_GO)?;
            }
        }
        if pruned.ends_mark {
            self.end_mark(&place)?;
        }
        let sql = "UPDATE backup_set SET standing = ?3 WHERE id = ?1 AND NOT EXISTS
            (SELECT 1 FROM piece WHERE id >= first_piece AND id < first_piece + backup_set.pieces AND absent < ?2)";
        let mut update = self.change.prepare_cached(sql)?;
        update.execute([place.id, LET_GO, GONE]).map(|_| ())
    }

    /// The set claims its mark no longer.
    fn end_mark(&self, place: &Place) -> rusqlite::Result<()> {
        let sql = "SELECT head FROM backup_set WHERE id = ?1";
        let head: String = self.change.query_row(sql, [place.id], |row| row.get(0))?;
        let mut head: Set = parsed(&head)?;
        head.mark = None;
        let sql = "UPDATE backup_set SET standing = ?2, verdict = NULL, head = ?3 WHERE id = ?1";
        let values = params![place.id, UNMARKED, text_of(&head)?];
        // Its places stay: a log that is kept for an older mark may hold this one too.
        self.change.execute(sql, values).map(|_| ())
    }

    fn removed(&self, removed: &PiecesOf) -> rusqlite::Result<()> {
        for piece in &removed.pieces {
            if let Some(piece) = self.held(removed.set, *piece)? {
                self.set_absent(&piece, piece.absent | LET_GO | REMOVED)?;
            }
        }
        Ok(())
    }

    /// A piece counts, or counts no more.
    fn set_absent(&self, piece: &HeldPiece, absent: i64) -> rusqlite::Result<()> {
        if absent == piece.absent {
            return Ok(());
        }
        let sql = "UPDATE piece SET absent = ?2 WHERE id = ?1";
        let mut update = self.change.prepare_cached(sql)?;
        update.execute([piece.row, absent])?;
        self.doubt(piece.member, piece.begins)
    }

    /// A piece of a set by its identity.
    fn held(&self, set: SetId, piece: PieceId) -> rusqlite::Result<Option<HeldPiece>> {
        let Some(place) = self.place_of(set)? else {
            return Ok(None);
        };
        let sql =
            "SELECT id, member_id, begins, absent, lacking, content, proved_at, due_at FROM piece
            WHERE id >= ?1 AND id < ?2 AND piece_id = ?3";
        let mut query = self.change.prepare_cached(sql)?;
        let to = place.first + place.pieces;
        let found = query.query_row(params![place.first, to, piece.0.into_bytes()], |row| {
            Ok(HeldPiece {
                row: row.get(0)?,
                member: row.get(1)?,
                begins: row.get(2)?,
                absent: row.get(3)?,
                lacking: row.get(4)?,
                content: row.get(5)?,
                delivered_at: match row.get::<_, Option<i64>>(6)? {
                    None => row.get(7)?,
                    // When it was delivered is forgotten with the first proof; copies without one come first.
                    Some(_) => i64::MIN,
                },
            })
        });
        found.optional()
    }

    /// Forgets what was judged of every mark that a piece of this member may be needed for: no way to a mark, and
    /// nothing that stands in it, begins behind the mark.
    fn doubt(&self, member: i64, begins: [u8; 11]) -> rusqlite::Result<()> {
        let sql = "UPDATE backup_set SET standing = 1, verdict = NULL WHERE standing > 1 AND id IN
            (SELECT set_row FROM mark_place WHERE member_id = ?1 AND lsn >= ?2)";
        let mut update = self.change.prepare_cached(sql)?;
        update.execute(params![member, begins]).map(|_| ())
    }
}

/// Where the rows of a set are.
struct Place {
    id: i64,
    first: i64,
    pieces: i64,
}

/// A piece that is held.
struct HeldPiece {
    row: i64,
    member: i64,
    begins: [u8; 11],
    absent: i64,
    lacking: i64,
    content: String,
    delivered_at: i64,
}
