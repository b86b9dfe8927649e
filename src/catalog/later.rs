//! The marks that stand behind a Point's own in the pieces that it is restored from. Start at [`Shelf::later_marks`].
//!
//! Most Points have none: their logs are taken right after the mark. Where a log failed, the next one of that member holds
//! several marks, and a restore that did not stop would bring the later ones with it. A mark that nobody published, since
//! it was void or its agent died, is not known here.

use std::collections::BTreeMap;

use rusqlite::params;

use super::read::Shelf;
use super::schema::key_of;
use crate::chain::{Path, Point};
use crate::model::{MarkName, MemberName, Piece, Set};

/// A restore that goes too far passes the nearest mark of its fork first; the others are for the marks of further forks,
/// which may lie among them.
const LATER_MARKS_MAX: u32 = 256;

impl Shelf<'_> {
    /// For each member the marks from behind the Point's to the end of its way's last log, the nearest first; at most
    /// [`LATER_MARKS_MAX`]. Members without any are left out.
    pub(super) fn later_marks(
        &self,
        point: &Point,
        sets: &[Set],
    ) -> rusqlite::Result<BTreeMap<MemberName, Vec<MarkName>>> {
        let mut later = BTreeMap::new();
        for place in &point.mark.members {
            let path = point.paths.get(&place.member);
            let Some(last) = path.and_then(|path| last_piece(path, sets)) else {
                continue;
            };
            let sql = "SELECT s.stamp FROM mark_place AS p
                JOIN member AS m ON m.id = p.member_id JOIN backup_set AS s ON s.id = p.set_row
                WHERE m.group_id = ?1 AND m.name = ?2 AND p.lsn > ?3 AND p.lsn <= ?4
                ORDER BY p.lsn LIMIT ?5";
            let values = params![
                self.group,
                place.member.to_string(),
                key_of(place.lsn),
                key_of(last.last_lsn),
                LATER_MARKS_MAX
            ];
            let mut ask = self.connection.prepare_cached(sql)?;
            let stamps = ask.query_map(values, |row| row.get(0))?;
            let stamps: Vec<String> = stamps.collect::<rusqlite::Result<_>>()?;
            let marks: Vec<MarkName> = stamps.iter().filter_map(|it| it.parse().ok()).collect();
            if !marks.is_empty() {
                later.insert(place.member.clone(), marks);
            }
        }
        Ok(later)
    }
}

fn last_piece<'a>(path: &Path, sets: &'a [Set]) -> Option<&'a Piece> {
    let last = path.logs.last()?;
    let mut pieces = sets.iter().flat_map(|set| &set.pieces);
    pieces.find(|piece| piece.id == *last)
}
