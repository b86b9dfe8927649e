//! Points told to people: to which marks the group can come back now, what each would lose, and what holds newer
//! marks back.
//!
//! Start at [`Points::of`]. The catalog's judgement is told here and not made again; [`lost_now`] is the one
//! sentence that everybody wants first.

use std::fmt::Write as _;

use comfy_table::Table;
use serde::Serialize;

use super::bytes::{counted, span};
use super::prune::kept_words;
use super::sets::STYLE;
use crate::chain::{Break, LogEnds, Verdict, worded};
use crate::model::{GroupName, Mark, MemberName, ProofLevel, Timestamp};
use crate::retention::Kept;
use crate::world::Listed;

/// Marks that are held back and told in full; who waits for a hundred has one cause.
const HELD_BACK_SHOWN_MAX: usize = 3;

/// What a group can come back to.
#[derive(Clone, Debug, Serialize)]
pub struct Points {
    /// The group.
    pub group: GroupName,
    /// What would be lost if every host died now, in milliseconds; none where nothing can be restored.
    pub lost_now_ms: Option<i64>,
    /// How many points there are, those included that are not shown.
    pub count: u64,
    /// Marks newer than the newest point, newest first: each names the members that hold it back.
    pub held_back: Vec<HeldBack>,
    /// The newest points, newest first.
    pub points: Vec<PointLine>,
}

/// One mark that every member can be restored to.
#[derive(Clone, Debug, Serialize)]
pub struct PointLine {
    /// The mark.
    pub mark: String,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// What a restore to it would lose now, in milliseconds.
    pub lost_ms: i64,
    /// The weakest proof among the pieces that it needs; none where an older version did not say.
    pub weakest_proof: Option<ProofLevel>,
    /// Members of best effort that it is without, a line each.
    pub lacking: Vec<String>,
    /// The rules that keep it, empty where the next prune lets it go; none where nobody prunes or pins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Vec<Kept>>,
}

/// A mark that the group cannot come back to, or not yet.
#[derive(Clone, Debug, Serialize)]
pub struct HeldBack {
    /// The mark.
    pub mark: String,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// The members that stand in its way.
    pub members: Vec<Hindrance>,
}

/// One member that stands in a mark's way.
#[derive(Clone, Debug, Serialize)]
pub struct Hindrance {
    /// The member.
    pub member: MemberName,
    /// Why.
    pub reason: String,
    /// Its next log backup carries the mark: nobody needs to do anything.
    pub is_to_come: bool,
}

impl Points {
    /// The report on the newest marks of a group, newest first, as the catalog judged them; `count` is the number
    /// of all points. Marks older than the newest point that are none hold nothing back any more.
    #[must_use]
    pub fn of(
        group: &GroupName,
        count: u64,
        marks: &[Listed],
        ends: &LogEnds,
        now: Timestamp,
    ) -> Self {
        let (mut held_back, mut points) = (Vec::new(), Vec::new());
        let marked = marks
            .iter()
            .filter_map(|it| Some((it.set.mark.as_ref()?, it)));
        for (mark, listed) in marked {
            match &listed.verdict {
                Some(Verdict::Point {
                    weakest_proof,
                    lacking,
                }) => points.push(PointLine {
                    mark: mark.name.to_string(),
                    placed_at: mark.placed_at,
                    lost_ms: lost_ms(mark.placed_at, now),
                    weakest_proof: *weakest_proof,
                    lacking: reasons(lacking),
                    kept: None,
                }),
                Some(Verdict::NoPoint { breaks }) if points.is_empty() => {
                    held_back.push(HeldBack::of(mark, breaks, ends));
                }
                Some(Verdict::NoPoint { .. }) | None => {}
            }
        }
        Self {
            group: group.clone(),
            lost_now_ms: points.first().map(|point| point.lost_ms),
            count,
            held_back,
            points,
        }
    }

    /// With the rules that keep each point, where that was asked; `kept_of` knows a mark's.
    #[must_use]
    pub fn keeping(mut self, kept_of: impl Fn(&str) -> Option<Vec<Kept>>) -> Self {
        for point in &mut self.points {
            point.kept = kept_of(&point.mark);
        }
        self
    }

    /// Whether somebody should look: the newest mark is no point, and not for want of the next log alone.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        !self.held_back.is_empty()
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("group `{}`\n", self.group);
        let mut line = |words: String| {
            writeln!(text, "{words}").expect("a string takes everything");
        };
        match self.points.first() {
            Some(point) => line(format!("  {}", lost_now(&point.mark, point.lost_ms))),
            None => line(format!("  {NOTHING_RESTORABLE}")),
        }
        for held in self.held_back.iter().take(HELD_BACK_SHOWN_MAX) {
            held.lines()
                .for_each(|it| line(format!("  held back {it}")));
        }
        if let Some(more @ 1..) = self.held_back.len().checked_sub(HELD_BACK_SHOWN_MAX) {
            line(format!("  and {} behind it", counted(more, "mark")));
        }
        if self.points.is_empty() {
            return text;
        }
        line(String::new());
        line(self.table().to_string());
        for point in &self.points {
            for lacking in &point.lacking {
                line(format!("{}: a point without {lacking}", point.mark));
            }
        }
        let hidden = self.count.saturating_sub(self.points.len() as u64);
        if hidden > 0 {
            let older = counted(usize::try_from(hidden).unwrap_or(usize::MAX), "older point");
            line(format!("and {older}: `stopmark points --limit N`"));
        }
        text
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(STYLE);
        let mut header = vec!["point", "placed", "a restore now would lose", "proof"];
        let is_kept = self.points.iter().any(|point| point.kept.is_some());
        header.extend(is_kept.then_some("kept by"));
        table.set_header(header);
        for point in &self.points {
            let proof = point.weakest_proof.map_or("", ProofLevel::words);
            let mut row = vec![
                point.mark.clone(),
                point.placed_at.to_string(),
                span(point.lost_ms),
                proof.to_owned(),
            ];
            row.extend(is_kept.then(|| match point.kept.as_deref() {
                None => String::new(),
                Some([]) => "goes with the next prune".to_owned(),
                Some(kept) => kept_words(kept),
            }));
            table.add_row(row);
        }
        table
    }
}

impl HeldBack {
    /// A mark with what stands in its way.
    #[must_use]
    pub fn of(mark: &Mark, breaks: &[(MemberName, Break)], ends: &LogEnds) -> Self {
        let hindrance = |(member, found): (MemberName, Break)| Hindrance {
            member,
            is_to_come: found == Break::NotYet,
            reason: found.to_string(),
        };
        let breaks = worded(mark, breaks, ends).into_iter();
        Self {
            mark: mark.name.to_string(),
            placed_at: mark.placed_at,
            members: breaks.map(hindrance).collect(),
        }
    }

    /// A line a member, for lists.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let mark = &self.mark;
        let members = self.members.iter();
        members.map(move |it| format!("{mark}: {}: {}", it.member, it.reason))
    }
}

/// What is said where nothing can be restored.
pub const NOTHING_RESTORABLE: &str = "NO POINT: the group cannot be brought back to one moment";

/// The sentence that everybody wants first.
#[must_use]
pub fn lost_now(mark: &str, lost_ms: i64) -> String {
    let lost = span(lost_ms);
    format!("if every host died now: back to mark {mark}, {lost} lost")
}

/// What coming back to a mark would lose: the time since it was placed, in milliseconds.
#[must_use]
pub fn lost_ms(placed_at: Timestamp, now: Timestamp) -> i64 {
    now.millis().saturating_sub(placed_at.millis())
}

/// Members with why, a line each.
#[must_use]
pub fn reasons(breaks: &[(MemberName, Break)]) -> Vec<String> {
    let reasons = breaks.iter();
    reasons
        .map(|(member, why)| format!("{member}: {why}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RunId, Set, SetId, SetKind};

    fn now() -> Timestamp {
        Timestamp::from_millis(2_000_000_000_000)
    }

    fn listed(minutes_ago: i64, verdict: Verdict) -> Listed {
        let placed_at = now().plus_millis(-minutes_ago * 60_000);
        let mark = Mark {
            name: "BTS_2026_11_21_02_00_00_007".parse().expect("a mark"),
            placed_at,
            members: Vec::new(),
        };
        let set = Set {
            id: SetId(uuid::Uuid::nil()),
            group: group(),
            kind: SetKind::Log,
            run: RunId(uuid::Uuid::nil()),
            made_at: placed_at,
            mark: Some(mark),
            members: Vec::new(),
            best_effort: Vec::new(),
            pieces: Vec::new(),
            missing: Vec::new(),
            adopted: Vec::new(),
            companions: Vec::new(),
            settings: Vec::new(),
        };
        Listed {
            entry: 1,
            set,
            verdict: Some(verdict),
        }
    }

    fn point() -> Verdict {
        Verdict::Point {
            weakest_proof: Some(ProofLevel::Whole),
            lacking: Vec::new(),
        }
    }

    fn no_point() -> Verdict {
        let member = "SQL1/Ledger".parse().expect("a member");
        Verdict::NoPoint {
            breaks: vec![(member, Break::NoFull)],
        }
    }

    fn group() -> GroupName {
        "pay".parse().expect("a group")
    }

    #[test]
    fn what_would_be_lost_is_counted_from_the_newest_point() {
        let marks = [
            listed(2, no_point()),
            listed(7, point()),
            listed(9, no_point()),
            listed(20, point()),
        ];
        let points = Points::of(&group(), 5, &marks, &LogEnds::new(), now());
        assert_eq!(points.lost_now_ms, Some(7 * 60_000));
        assert_eq!(
            points.held_back.len(),
            1,
            "an older mark holds nothing back"
        );
        assert!(points.is_degraded());
        let text = points.text();
        assert!(text.contains("7 min 00 s lost"), "{text}");
        assert!(text.contains("SQL1/Ledger: no full backup"), "{text}");
        assert!(text.contains("and 3 older points"), "{text}");
    }

    #[test]
    fn without_a_point_that_is_said_and_who_is_in_the_way() {
        let marks = [listed(2, no_point())];
        let points = Points::of(&group(), 0, &marks, &LogEnds::new(), now());
        assert_eq!(points.lost_now_ms, None);
        assert!(points.text().contains(NOTHING_RESTORABLE));
        assert!(points.text().contains("SQL1/Ledger"));
    }
}
