//! Which copies of a piece are whole, as the catalog's rows say, and how many there should be.
//!
//! Start at [`CopyPolicy`] and [`known`]. A row of `copy` is a later fact about one copy; what a manifest says needs no
//! row, so that a group whose stores are well costs nothing here.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::schema::{DAMAGED, limited, parsed};
use crate::chain::Copies;
use crate::config::Config;
use crate::model::{Piece, PieceCopy, StoreName};

/// Which stores count, and how many of them must hold what a Point needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyPolicy {
    /// The stores, the one that leads first; none: every store that is named anywhere.
    pub stores: Vec<StoreName>,
    /// How many must hold a piece whole.
    pub wanted: usize,
}

impl CopyPolicy {
    /// What a configuration says.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            stores: config.store_names(),
            wanted: config.policy.copies,
        }
    }

    /// As one line, to be compared.
    fn text(&self) -> String {
        let stores: Vec<&str> = self.stores.iter().map(StoreName::as_str).collect();
        format!("{} of {}", self.wanted, stores.join(" "))
    }
}

/// A piece's copies, and when the one that was looked at longest ago was proven.
pub(super) struct Known {
    pub(super) copies: Copies,
    /// The oldest proof among the newest copies, in milliseconds; `at_delivery` for those that have none of their own.
    pub(super) due_at: i64,
    /// Something was found or made since delivery.
    pub(super) has_facts: bool,
}

impl Known {
    /// What `piece.absent` says of it.
    pub(super) fn absent(&self) -> i64 {
        if self.copies.whole().is_empty() {
            DAMAGED
        } else {
            0
        }
    }

    /// What `piece.lacking` says of it: how many stores have no whole copy.
    pub(super) fn lacking(&self) -> i64 {
        limited(self.copies.lacking().len())
    }
}

/// What is known of the copies of the piece in this row.
pub(super) fn known(
    connection: &Connection,
    row: i64,
    piece: &Piece,
    policy: &CopyPolicy,
    at_delivery: i64,
) -> rusqlite::Result<Known> {
    let mut copies = Copies::of(piece, &policy.stores);
    let sql = "SELECT copy, is_whole, proved_at FROM copy WHERE piece = ?1";
    let mut query = connection.prepare_cached(sql)?;
    let facts = query.query_map([row], |row| {
        let copy: String = row.get(0)?;
        Ok((copy_of(&copy)?, row.get(1)?, row.get(2)?))
    })?;
    let facts: Vec<(Option<PieceCopy>, bool, i64)> = facts.collect::<rusqlite::Result<_>>()?;
    for (copy, is_whole, _) in &facts {
        copies.note(copy.clone(), *is_whole);
    }
    let proven_at = |copy: &PieceCopy| {
        let is_its =
            |it: &&(Option<PieceCopy>, bool, i64)| it.0.as_ref().is_none_or(|named| named == copy);
        let own = facts.iter().find(|it| it.0.as_ref() == Some(copy));
        own.or_else(|| facts.iter().find(is_its))
            .map_or(at_delivery, |it| it.2)
    };
    let due_at = copies
        .newest()
        .iter()
        .map(|(copy, _)| proven_at(copy))
        .min();
    Ok(Known {
        due_at: due_at.unwrap_or(at_delivery),
        has_facts: !facts.is_empty(),
        copies,
    })
}

/// Writes down a later fact about a copy.
pub(super) fn note(
    connection: &Connection,
    row: i64,
    copy: Option<&PieceCopy>,
    is_whole: bool,
    at: i64,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO copy VALUES (?1, ?2, ?3, ?4)";
    // No copy has an empty name: it stands for the only one.
    let copy = copy.map_or_else(String::new, PieceCopy::to_string);
    let mut insert = connection.prepare_cached(sql)?;
    insert.execute(params![row, copy, is_whole, at]).map(|_| ())
}

fn copy_of(text: &str) -> rusqlite::Result<Option<PieceCopy>> {
    if text.is_empty() {
        return Ok(None);
    }
    parsed(&format!("\"{text}\"")).map(Some)
}

/// Counts every copy anew where the stores or the number wanted are not what they were; every mark is then judged
/// again.
pub(super) fn follow(connection: &mut Connection, policy: &CopyPolicy) -> rusqlite::Result<()> {
    let before = connection.query_row("SELECT text FROM policy", [], |row| row.get(0));
    let before: Option<String> = before.optional()?;
    if before.as_deref().unwrap_or(&CopyPolicy::default().text()) == policy.text() {
        return Ok(());
    }
    let change = connection.transaction()?;
    {
        let mut query = change.prepare("SELECT id, content, due_at FROM piece")?;
        let sql = "UPDATE piece SET absent = (absent & ~?2) | ?3, lacking = ?4 WHERE id = ?1";
        let mut update = change.prepare(sql)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let piece: Piece = parsed(row.get_ref(1)?.as_str()?)?;
            let known = known(&change, id, &piece, policy, row.get(2)?)?;
            update.execute([id, DAMAGED, known.absent(), known.lacking()])?;
        }
    }
    change.execute(
        "UPDATE backup_set SET standing = 1, verdict = NULL WHERE standing > 1",
        [],
    )?;
    change.execute("DELETE FROM policy", [])?;
    change.execute("INSERT INTO policy VALUES (?1)", [policy.text()])?;
    change.commit()
}
