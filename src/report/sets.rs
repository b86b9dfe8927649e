//! Sets and points told to people: the list, and one set in full.

use std::fmt::Write as _;

use comfy_table::{LineStyle, Table, TableStyle};
use serde::Serialize;

use super::bytes::size;
use super::prune::kept_words;
use crate::chain::{Break, LogEnds, SetState, Verdict, published, worded};
use crate::error::plain::plain;
use crate::model::{GroupName, MemberName, Piece, PieceKind, ProofLevel, Set, SetKind};
use crate::retention::Kept;
use crate::run::verdict::OpenSet;
use crate::world::Listed;

/// One line below the header, and none between rows: lists are long.
pub(super) const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// All sets of a group.
#[derive(Clone, Debug, Serialize)]
pub struct SetList {
    /// The group.
    pub group: GroupName,
    /// The sets, oldest first.
    pub sets: Vec<SetLine>,
    /// Sets of runs that have not ended.
    pub open: Vec<OpenSet>,
}

/// One set in a line.
#[derive(Clone, Debug, Serialize)]
pub struct SetLine {
    /// The mark's name, or the stamp.
    pub stamp: String,
    /// What it was taken for.
    pub kind: SetKind,
    /// Its pieces are of databases beside the group.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_of_companions: bool,
    /// How it stands.
    pub state: SetState,
    /// Whether the group can come back to its mark; none where it has none.
    pub is_point: Option<bool>,
    /// Members of best effort that the point is without, a line each.
    pub lacking: Vec<String>,
    /// The weakest proof among the pieces that a point needs; none where it is no point, or an older version wrote
    /// one of them and did not say.
    pub weakest_proof: Option<ProofLevel>,
    /// Why not, a line a member.
    pub in_the_way: Vec<String>,
    /// Pieces by kind.
    pub fulls: usize,
    /// Differentials.
    pub differentials: usize,
    /// Logs.
    pub logs: usize,
    /// Members that are missing.
    pub missing: usize,
    /// All pieces in bytes.
    pub bytes: u64,
    /// The rules that keep its point, empty where the next prune lets it go; none where nobody prunes or pins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Vec<Kept>>,
}

/// One set in full.
#[derive(Clone, Debug, Serialize)]
pub struct SetDetail {
    /// The line of the list.
    #[serde(flatten)]
    pub line: SetLine,
    /// The manifest's content.
    pub set: Set,
}

impl SetList {
    /// The list of these sets, oldest first, and of those that are still to come.
    #[must_use]
    pub fn of(group: &GroupName, sets: Vec<SetLine>, open: Vec<OpenSet>) -> Self {
        Self {
            group: group.clone(),
            sets,
            open,
        }
    }

    /// How many of them are points.
    #[must_use]
    pub fn points(&self) -> usize {
        self.sets
            .iter()
            .filter(|set| set.is_point == Some(true))
            .count()
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        if self.sets.is_empty() {
            return format!(
                "group `{}` has no set yet: run `stopmark backup full`\n",
                self.group
            );
        }
        let mut table = Table::new();
        table.load_style(STYLE);
        let mut header = vec![
            "mark or stamp",
            "kind",
            "state",
            "point",
            "full",
            "diff",
            "log",
            "missing",
            "size",
        ];
        let is_kept = self.sets.iter().any(|set| set.kept.is_some());
        header.extend(is_kept.then_some("kept by"));
        table.set_header(header);
        for set in &self.sets {
            let numbers = [set.fulls, set.differentials, set.logs, set.missing];
            let numbers = numbers.map(|number| {
                if number == 0 {
                    "-".to_owned()
                } else {
                    number.to_string()
                }
            });
            let mut row = vec![
                set.stamp.clone(),
                set.kind_word().to_owned(),
                set.state.to_string(),
                set.point_word().to_owned(),
            ];
            row.extend(numbers);
            row.push(size(set.bytes));
            row.extend(is_kept.then(|| set.kept_word()));
            table.add_row(row);
        }
        let mut text = format!("{table}\n");
        text.push_str(&self.notes());
        if self.points() == 0 {
            text.push_str("no point yet: `stopmark backup log` places a mark\n");
        }
        text
    }

    /// What the table has no room for: sets to come, points that lack a member, marks that are none.
    fn notes(&self) -> String {
        let mut text = String::new();
        for open in &self.open {
            let (stamp, run) = (&open.stamp, open.run);
            writeln!(text, "{stamp} is {}, by run {run}", open.state)
                .expect("a string takes everything");
        }
        for set in &self.sets {
            for lacking in &set.lacking {
                writeln!(text, "{}: a point without {lacking}", set.stamp)
                    .expect("a string takes everything");
            }
        }
        for set in self.sets.iter().filter(|set| set.is_point == Some(false)) {
            for reason in &set.in_the_way {
                writeln!(text, "{} is no point: {reason}", set.stamp)
                    .expect("a string takes everything");
            }
        }
        for set in &self.sets {
            if let Some(proof @ (ProofLevel::Size | ProofLevel::Sample)) = set.weakest_proof {
                writeln!(
                    text,
                    "{}: not every piece that it needs was read back whole; the weakest: {}",
                    set.stamp,
                    proof.words()
                )
                .expect("a string takes everything");
            }
        }
        text
    }
}

impl SetLine {
    /// A set of the catalog in a line.
    #[must_use]
    pub fn of(listed: &Listed, ends: &LogEnds) -> Self {
        let set = &listed.set;
        let count = |kind| set.pieces.iter().filter(|piece| piece.kind == kind).count();
        let none = || (Vec::new(), Vec::new());
        let (is_point, weakest_proof, (lacking, in_the_way)) = match (&listed.verdict, &set.mark) {
            (
                Some(Verdict::Point {
                    weakest_proof,
                    lacking,
                }),
                _,
            ) => (Some(true), *weakest_proof, (lines(lacking), Vec::new())),
            (Some(Verdict::NoPoint { breaks }), Some(mark)) => {
                let breaks = worded(mark, breaks, ends);
                (Some(false), None, (Vec::new(), lines(&breaks)))
            }
            _ => (None, None, none()),
        };
        Self {
            stamp: set.stamp(),
            kind: set.kind,
            is_of_companions: set.is_of_companions(),
            state: published(set, listed.verdict.as_ref(), ends),
            is_point,
            weakest_proof,
            lacking,
            in_the_way,
            fulls: count(PieceKind::Full),
            differentials: count(PieceKind::Differential),
            logs: count(PieceKind::Log),
            missing: set.missing.len(),
            bytes: set.pieces.iter().map(Piece::size_bytes).sum(),
            kept: None,
        }
    }

    /// With the rules that keep its point, where that was asked.
    #[must_use]
    pub fn keeping(mut self, kept: Option<&Vec<Kept>>) -> Self {
        self.kept = kept.cloned();
        self
    }

    /// What it was taken for, in a word.
    #[must_use]
    pub const fn kind_word(&self) -> &'static str {
        if self.is_of_companions {
            "companions"
        } else {
            kind_word(self.kind)
        }
    }

    fn kept_word(&self) -> String {
        match &self.kept {
            None => String::new(),
            Some(kept) if kept.is_empty() => "goes with the next prune".to_owned(),
            Some(kept) => kept_words(kept),
        }
    }

    const fn point_word(&self) -> &'static str {
        match self.is_point {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        }
    }
}

impl SetDetail {
    /// A set of the catalog in full.
    #[must_use]
    pub fn of(listed: Listed, ends: &LogEnds) -> Self {
        Self {
            line: SetLine::of(&listed, ends),
            set: listed.set,
        }
    }

    /// With the rules that keep its point, where that was asked.
    #[must_use]
    pub fn keeping(mut self, kept: Option<&Vec<Kept>>) -> Self {
        self.line = self.line.keeping(kept);
        self
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let point = match self.line.is_point {
            Some(true) => "the group can come back to its mark",
            Some(false) => "NO point",
            None => "no mark",
        };
        let mut text = format!(
            "{} ({}, {}): {point}\n",
            self.line.stamp,
            self.line.kind_word(),
            self.line.state
        );
        for lacking in &self.line.lacking {
            writeln!(text, "  without: {lacking}").expect("a string takes everything");
        }
        for reason in &self.line.in_the_way {
            writeln!(text, "  in the way: {reason}").expect("a string takes everything");
        }
        if self.line.kept.is_some() {
            writeln!(text, "  kept by: {}", self.line.kept_word())
                .expect("a string takes everything");
        }
        for missing in &self.set.missing {
            writeln!(text, "  missing: {}: {}", missing.member, missing.reason)
                .expect("a string takes everything");
        }
        writeln!(text, "{}", self.pieces()).expect("a string takes everything");
        for origin in &self.set.adopted {
            let (places, user) = (origin.places.join(", "), &origin.user);
            let whose = format!("{}/{}", origin.server, origin.database);
            writeln!(
                text,
                "  from {} ({} by {})",
                plain(&places),
                plain(&whose),
                plain(user)
            )
            .expect("a string takes everything");
        }
        writeln!(text, "set {}, run {}", self.set.id, self.set.run)
            .expect("a string takes everything");
        text
    }

    fn pieces(&self) -> Table {
        let mut table = Table::new();
        table.load_style(STYLE);
        table.set_header([
            "member",
            "piece",
            "first LSN",
            "last LSN",
            "mark LSN",
            "size",
            "root",
        ]);
        for piece in &self.set.pieces {
            let marks = self.set.mark.iter().flat_map(|mark| &mark.members);
            let carries = |lsn| piece.first_lsn <= lsn && lsn < piece.last_lsn;
            let mark = marks
                .filter(|mark| piece.kind == PieceKind::Log && carries(mark.lsn))
                .find(|mark| mark.member == piece.member);
            let root = piece.stripes.first().map(|stripe| stripe.root.to_string());
            table.add_row([
                piece.member.to_string(),
                piece.kind.word().to_owned(),
                piece.first_lsn.to_string(),
                piece.last_lsn.to_string(),
                mark.map_or_else(String::new, |mark| mark.lsn.to_string()),
                size(piece.size_bytes()),
                root.map_or_else(String::new, |root| format!("{}..", &root[..12])),
            ]);
        }
        table
    }
}

fn lines(breaks: &[(MemberName, Break)]) -> Vec<String> {
    let lines = breaks.iter();
    lines
        .map(|(member, reason)| format!("{member}: {reason}"))
        .collect()
}

const fn kind_word(kind: SetKind) -> &'static str {
    match kind {
        SetKind::Full => "full",
        SetKind::Differential => "differential",
        SetKind::Log => "log",
        SetKind::Salvage => "salvage",
        SetKind::Adopted => "adopted",
    }
}
