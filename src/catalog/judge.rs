//! Which marks are Points: judged when somebody asks, and kept until a fact puts it in doubt.
//!
//! Start at [`Shelf::settle`]. The rules are `chain`'s alone: each member's chain is asked in the smallest part that
//! can answer for the whole of it, from the newest full that ends before the mark on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;

use rusqlite::{OptionalExtension as _, params};
use uuid::Uuid;

use super::read::{SetRow, Shelf, Wanted};
use super::schema::{
    NO_POINT, POINT, UNJUDGED, key_of, limited, lsn_of, parsed, signed, text_of, unsigned,
};
use crate::chain::{
    Break, Carrier, Chain, Judged, Path, Point, Verdict, carries, judge_by, weakest_proof,
};
use crate::model::{Lsn, MemberName, Piece, PieceId, ProofLevel, Set};
use crate::plan::CatalogView;
use crate::world::{Listed, Marked, PointNeeds, Standing};

/// Marks that are judged together, sharing the parts of chains.
const BATCH_MARKS: usize = 512;

/// Pieces that these may have together, more or less, so that sets of many members fit the memory too.
const BATCH_PIECES: i64 = 8192;

/// Marks that are judged together while no Point is known.
const FIRST_MARKS: usize = 16;

/// Batches that are judged before anybody else may ask the catalog.
const BATCHES_A_TURN: usize = 2;

/// Which full before a mark the parts begin at that are asked one after the other, before the whole chain is.
const NTH_FULLS: [usize; 3] = [0, 7, 63];

/// What a member's chain is asked for one mark.
struct Question {
    /// Of which of the sets that are judged together.
    set: usize,
    mark: Lsn,
    carrier: Carrier,
}

/// What the chains said.
#[derive(Default)]
struct Answers {
    paths: HashMap<(usize, MemberName), Result<Path, Break>>,
    /// Every piece of the paths, where its row is and how it was proven.
    pieces: HashMap<PieceId, (i64, Option<ProofLevel>)>,
    /// Those of them that too few stores hold.
    too_few: HashMap<PieceId, Break>,
}

impl Answers {
    /// Why a mark that can be restored is no Point yet: the first piece of each member's way that too few stores hold.
    fn lacks(&self, point: &Point) -> Vec<(MemberName, Break)> {
        let ways = point.paths.iter();
        let lack = |path: &Path| {
            path.pieces()
                .find_map(|piece| self.too_few.get(&piece).cloned())
        };
        ways.filter_map(|(member, path)| Some((member.clone(), lack(path)?)))
            .collect()
    }
}

impl Shelf<'_> {
    /// Whether the `wanted` newest Points are known, or every mark is judged where no number is given.
    pub(super) fn is_settled(&self, wanted: Option<usize>) -> rusqlite::Result<bool> {
        let floor = self.settled_to(wanted)?.unwrap_or(0);
        let sql = "SELECT EXISTS (SELECT 1 FROM backup_set WHERE group_id = ?1 AND standing = 1 AND entry > ?2)";
        let mut query = self.connection.prepare_cached(sql)?;
        query.query_row([self.group, floor], |row| Ok(!row.get::<_, bool>(0)?))
    }

    /// Judges towards that, a little at a time, so that others get their turn.
    pub(super) fn settle(&self, wanted: Option<usize>) -> rusqlite::Result<()> {
        for _ in 0..BATCHES_A_TURN {
            let floor = self.settled_to(wanted)?;
            let limit = match (wanted, floor) {
                (None, _) => BATCH_MARKS,
                (Some(_), None) => FIRST_MARKS,
                // Mostly the newest mark is a Point, and nothing before it needs to be judged.
                (Some(_), Some(_)) => 1,
            };
            let rest = "group_id = ?1 AND standing = 1 AND entry > ?2 ORDER BY entry DESC LIMIT ?3";
            let values = [self.group, floor.unwrap_or(0), limited(limit)];
            let rows = self.set_rows(rest, values)?;
            if rows.is_empty() {
                break;
            }
            self.judge(fitting(rows))?;
        }
        Ok(())
    }

    /// The entry down to which every mark must be judged; none where that is the first.
    fn settled_to(&self, wanted: Option<usize>) -> rusqlite::Result<Option<i64>> {
        let floor = wanted.map(|wanted| self.nth_point(wanted)).transpose()?;
        Ok(floor.flatten())
    }

    /// Judges what is not judged yet among these.
    pub(super) fn settle_page(&self, before: i64, limit: usize) -> rusqlite::Result<()> {
        let rest = "group_id = ?1 AND entry < ?2 AND standing >= 0 ORDER BY entry DESC LIMIT ?3";
        let sql = format!(
            "SELECT id FROM (SELECT id, standing FROM backup_set WHERE {rest}) WHERE standing = 1"
        );
        let mut query = self.connection.prepare_cached(&sql)?;
        let ids = query.query_map([self.group, before, limited(limit)], |row| row.get(0))?;
        let ids: Vec<i64> = ids.collect::<rusqlite::Result<_>>()?;
        for ids in ids.chunks(BATCH_MARKS) {
            let rows = ids.iter().map(|id| self.set_rows("id = ?1", [id]));
            let rows: Vec<Vec<SetRow>> = rows.collect::<rusqlite::Result<_>>()?;
            self.judge(rows.into_iter().flatten().collect())?;
        }
        Ok(())
    }

    /// The entry of the nth newest Point, from 1.
    fn nth_point(&self, nth: usize) -> rusqlite::Result<Option<i64>> {
        let sql = "SELECT entry FROM backup_set WHERE group_id = ?1 AND standing = ?2
            ORDER BY entry DESC LIMIT 1 OFFSET ?3";
        let mut query = self.connection.prepare_cached(sql)?;
        let values = [self.group, POINT, limited(nth.saturating_sub(1))];
        query.query_row(values, |row| row.get(0)).optional()
    }

    /// The newest Points; all that are newer than the last of them must be judged.
    pub(super) fn points(&self, limit: usize) -> rusqlite::Result<Vec<Marked>> {
        let sql = "SELECT head FROM backup_set WHERE group_id = ?1 AND standing = ?2
            ORDER BY entry DESC LIMIT ?3";
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = query.query_map([self.group, POINT, limited(limit)], |row| {
            parsed(row.get_ref(0)?.as_str()?)
        })?;
        let heads: Vec<Set> = rows.collect::<rusqlite::Result<_>>()?;
        Ok(heads.into_iter().filter_map(marked).collect())
    }

    /// What people want to know first; every mark must be judged.
    pub(super) fn standing(&self) -> rusqlite::Result<Standing> {
        let sql = "SELECT COUNT(*) FROM backup_set WHERE group_id = ?1 AND standing = ?2";
        let values = [self.group, POINT];
        let points: i64 = self.connection.query_row(sql, values, |row| row.get(0))?;
        let rest = "group_id = ?1 AND standing > 1 ORDER BY entry DESC LIMIT 1";
        let newest = self.set_rows(rest, [self.group])?.pop();
        let verdict = newest.as_ref().and_then(|row| row.verdict.as_deref());
        let verdict: Option<Verdict> = verdict.map(parsed).transpose()?;
        let held_back = match (newest, verdict) {
            (Some(row), Some(Verdict::NoPoint { breaks })) => marked(row.head).zip(Some(breaks)),
            _ => None,
        };
        Ok(Standing {
            newest_point: self.points(1)?.pop(),
            points: u64::try_from(points).unwrap_or(0),
            held_back,
        })
    }

    /// The Point at a mark, or the newest one, with what it needs.
    pub(super) fn point(&self, mark: Option<&str>) -> rusqlite::Result<Option<PointNeeds>> {
        let rows = if let Some(mark) = mark {
            let rest = "group_id = ?1 AND stamp = ?2 AND standing > 0 ORDER BY entry";
            self.set_rows(rest, params![self.group, mark])?
        } else {
            let rest = "group_id = ?1 AND standing = ?2 ORDER BY entry DESC LIMIT 1";
            self.set_rows(rest, [self.group, POINT])?
        };
        for row in rows {
            let sets = [self.whole(row, Wanted::Present)?];
            let (judged, answers) = self.judged(&sets)?;
            let Some(point) = judged.into_iter().flatten().find_map(|it| it.verdict.ok()) else {
                continue;
            };
            let pieces = point.paths.values().flat_map(Path::pieces);
            let rows = pieces.filter_map(|piece| answers.pieces.get(&piece).map(|(row, _)| *row));
            let sets = self.sets_of(&rows.collect())?;
            let have = CatalogView {
                later_marks: self.later_marks(&point, &sets)?,
                sets,
                ..CatalogView::default()
            };
            return Ok(Some(PointNeeds { point, have }));
        }
        Ok(None)
    }

    pub(super) fn page(&self, before: Option<u64>, limit: usize) -> rusqlite::Result<Vec<Listed>> {
        let before = before.map_or(i64::MAX, signed);
        self.settle_page(before, limit)?;
        let rest = "group_id = ?1 AND entry < ?2 AND standing >= 0 ORDER BY entry DESC LIMIT ?3";
        let rows = self.set_rows(rest, [self.group, before, limited(limit)])?;
        let rows = rows.into_iter();
        rows.map(|row| self.listed(row, Wanted::Present)).collect()
    }

    pub(super) fn find(&self, what: &str) -> rusqlite::Result<Option<Listed>> {
        let id = what.parse::<Uuid>().unwrap_or_default().into_bytes();
        let sql = "SELECT MIN(entry) FROM backup_set
            WHERE group_id = ?1 AND (stamp = ?2 OR set_id = ?3) AND standing >= 0";
        let values = params![self.group, what, id];
        let entry: Option<i64> = self.connection.query_row(sql, values, |row| row.get(0))?;
        let Some(entry) = entry else { return Ok(None) };
        Ok(self.page(Some(unsigned(entry + 1)), 1)?.pop())
    }

    /// Judges these sets' marks and keeps it.
    fn judge(&self, rows: Vec<SetRow>) -> rusqlite::Result<()> {
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let sets = rows.into_iter().map(|row| self.whole(row, Wanted::Present));
        let sets: Vec<Set> = sets.collect::<rusqlite::Result<_>>()?;
        let (judged, answers) = self.judged(&sets)?;
        let sql =
            "UPDATE backup_set SET standing = ?2, verdict = ?3 WHERE id = ?1 AND standing = ?4";
        let mut update = self.connection.prepare_cached(sql)?;
        for (id, judged) in ids.iter().zip(judged) {
            let Some(judged) = judged else { continue };
            let lacks = judged.verdict.as_ref().map(|point| answers.lacks(point));
            let (standing, verdict) = match judged.verdict {
                Ok(_) if lacks.as_ref().is_ok_and(|breaks| !breaks.is_empty()) => {
                    let breaks = lacks.unwrap_or_default();
                    (NO_POINT, Verdict::NoPoint { breaks })
                }
                Ok(point) => {
                    let proof_of = |piece| answers.pieces.get(&piece).and_then(|(_, proof)| *proof);
                    let weakest_proof = weakest_proof(&point, proof_of);
                    let lacking = point.lacking;
                    let verdict = Verdict::Point {
                        weakest_proof,
                        lacking,
                    };
                    (POINT, verdict)
                }
                Err(breaks) => (NO_POINT, Verdict::NoPoint { breaks }),
            };
            update.execute(params![id, standing, text_of(&verdict)?, UNJUDGED])?;
        }
        Ok(())
    }

    fn judged(&self, sets: &[Set]) -> rusqlite::Result<(Vec<Option<Judged>>, Answers)> {
        let mut questions: BTreeMap<MemberName, Vec<Question>> = BTreeMap::new();
        for (at, set) in sets.iter().enumerate() {
            // Asked once to hear what is asked, and once more below to give the answers.
            let asked = judge_by(set, &[], |member, carrier| {
                let question = Question {
                    set: at,
                    mark: carrier.mark,
                    carrier,
                };
                questions.entry(member.clone()).or_default().push(question);
                Ok::<_, Infallible>(Err(Break::MarkMissing))
            });
            let Ok(_) = asked;
        }
        let mut answers = Answers::default();
        for (member, questions) in questions {
            self.answer(&member, questions, &mut answers)?;
        }
        let judged = sets.iter().enumerate().map(|(at, set)| {
            let judged = judge_by(set, &[], |member, _| {
                let found = answers.paths.get(&(at, member.clone())).cloned();
                Ok::<_, Infallible>(found.unwrap_or(Err(Break::MarkMissing)))
            });
            let Ok(judged) = judged;
            judged
        });
        Ok((judged.collect(), answers))
    }

    /// Asks one member's chain; questions whose marks follow the same full share a part of it.
    fn answer(
        &self,
        name: &MemberName,
        questions: Vec<Question>,
        answers: &mut Answers,
    ) -> rusqlite::Result<()> {
        let Some(member) = self.member(&name.to_string())? else {
            return Ok(());
        };
        let mut by_full: BTreeMap<Option<[u8; 11]>, Vec<Question>> = BTreeMap::new();
        for question in questions {
            let full = self.full_before(member, &key_of(question.mark), 0)?;
            by_full.entry(full).or_default().push(question);
        }
        for (full, mut open) in by_full {
            let Some(first) = open.iter().map(|it| it.mark).min() else {
                continue;
            };
            if full.is_none() {
                // No full can lead to these, so the logs that they stand in say all that there is to say.
                self.ask(name, (member, first), None, &mut open, answers)?;
            }
            for nth in NTH_FULLS {
                let floor = self.full_before(member, &key_of(first), nth)?;
                if let (false, Some(floor)) = (open.is_empty(), floor) {
                    self.ask(name, (member, first), Some(floor), &mut open, answers)?;
                }
            }
            if !open.is_empty() {
                self.ask(name, (member, Lsn::ZERO), None, &mut open, answers)?;
            }
        }
        Ok(())
    }

    /// Asks a part of the chain, or, with no floor to stand on, takes what is found for the whole of it. Answered
    /// questions are taken out.
    fn ask(
        &self,
        name: &MemberName,
        (member, from): (i64, Lsn),
        floor: Option<[u8; 11]>,
        open: &mut Vec<Question>,
        answers: &mut Answers,
    ) -> rusqlite::Result<()> {
        let last = open.iter().map(|it| it.mark).max().unwrap_or(Lsn::ZERO);
        let rows = self.part(member, &floor.unwrap_or(key_of(from)), &key_of(last))?;
        let pieces = rows.iter().map(|row| self.piece(*row));
        let pieces: Vec<Piece> = pieces.collect::<rusqlite::Result<_>>()?;
        let chain = Chain::build(&pieces);
        let floor = floor.map(lsn_of);
        let mut used: BTreeSet<PieceId> = BTreeSet::new();
        open.retain(|question| {
            let accepts = |log: &Piece| carries(log, question.carrier);
            let found = match floor {
                Some(floor) => chain.path_in_part(floor, question.mark, accepts),
                None => Some(chain.path_through(question.mark, accepts)),
            };
            let Some(found) = found else { return true };
            used.extend(found.iter().flat_map(Path::pieces));
            answers.paths.insert((question.set, name.clone()), found);
            false
        });
        let rows = rows.into_iter().zip(&pieces);
        for (row, piece) in rows.filter(|(_, piece)| used.contains(&piece.id)) {
            answers.pieces.insert(piece.id, (row, piece.proof));
            if self.policy.wanted > 0 {
                let copies = self.known(row, piece)?.copies;
                let too_few = copies.too_few(piece, self.policy.wanted);
                answers.too_few.extend(too_few.map(|few| (piece.id, few)));
            }
        }
        Ok(())
    }
}

/// As many of these sets as may be held in full at the same time, one at least.
fn fitting(mut rows: Vec<SetRow>) -> Vec<SetRow> {
    let mut pieces = 0;
    let mut fits = |row: &SetRow| {
        pieces += row.pieces;
        pieces <= BATCH_PIECES
    };
    let count = rows.iter().take_while(|row| fits(row)).count();
    rows.truncate(count.max(1));
    rows
}

fn marked(head: Set) -> Option<Marked> {
    Some(Marked {
        set: head.id,
        mark: head.mark?,
    })
}
