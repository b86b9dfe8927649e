//! The timeline: marks and pieces of each member along the hours, as a picture and as words for who cannot see it.
//!
//! Start at [`Timeline::of`]. Times are those at which the agent planned; hosts' own clocks are not compared.

use maud::{Markup, html};

use crate::chain::Verdict;
use crate::model::{MemberName, PieceKind, Timestamp};
use crate::world::Listed;

/// The picture's width and the room for names, in its own units.
const WIDTH: i64 = 1000;
const NAMES: i64 = 190;
/// The height of a lane.
const LANE: i64 = 26;
/// Room above the lanes.
const TOP: i64 = 8;
/// Room below, for the hours.
const FOOT: i64 = 24;
/// The least room at the edges.
const MINUTE_MS: i64 = 60_000;
/// Characters of a name that have room.
const NAME_CHARACTERS: usize = 26;

/// Marks and pieces of some hours.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    from: Timestamp,
    until: Timestamp,
    lanes: Vec<Lane>,
    marks: Vec<MarkAt>,
}

#[derive(Clone, Debug, PartialEq)]
struct Lane {
    member: MemberName,
    pieces: Vec<(Timestamp, PieceKind)>,
}

#[derive(Clone, Debug, PartialEq)]
struct MarkAt {
    at: Timestamp,
    name: String,
    is_point: bool,
}

impl Timeline {
    /// The timeline of these members in these sets, up to now; none where there is nothing to show.
    #[must_use]
    pub fn of(members: &[MemberName], recent: &[Listed], now: Timestamp) -> Option<Self> {
        let from = recent.iter().map(|listed| listed.set.made_at).min()?;
        let lane = |member: &MemberName| {
            let of_member = |listed: &Listed| -> Vec<(Timestamp, PieceKind)> {
                let pieces = listed.set.pieces.iter();
                let own = pieces.filter(|piece| piece.member == *member);
                own.map(|piece| (listed.set.made_at, piece.kind)).collect()
            };
            Lane {
                member: member.clone(),
                pieces: recent.iter().flat_map(of_member).collect(),
            }
        };
        let mark = |listed: &Listed| {
            let mark = listed.set.mark.as_ref()?;
            Some(MarkAt {
                at: mark.placed_at,
                name: mark.name.to_string(),
                is_point: matches!(listed.verdict, Some(Verdict::Point { .. })),
            })
        };
        // Some room before the first, so that it does not stand on the edge.
        let room = ((now.millis() - from.millis()) / 30).max(MINUTE_MS);
        Some(Self {
            from: from.plus_millis(-room),
            until: now.max(from.plus_millis(MINUTE_MS)),
            lanes: members.iter().map(lane).collect(),
            marks: recent.iter().filter_map(mark).collect(),
        })
    }

    /// What the picture shows, in a sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let points = self.marks.iter().filter(|mark| mark.is_point).count();
        let count = |kind: PieceKind| {
            let pieces = self.lanes.iter().flat_map(|lane| &lane.pieces);
            pieces.filter(|(_, it)| *it == kind).count()
        };
        format!(
            "From {} to {}: {} marks, {points} of them points; {} fulls, {} differentials and {} logs of {} members",
            self.from,
            self.until,
            self.marks.len(),
            count(PieceKind::Full),
            count(PieceKind::Differential),
            count(PieceKind::Log),
            self.lanes.len()
        )
    }

    /// The picture.
    #[must_use]
    pub fn svg(&self) -> Markup {
        let rows = i64::try_from(self.lanes.len()).unwrap_or(0);
        let bottom = TOP + rows * LANE;
        let height = bottom + FOOT;
        html! {
            div.scroll tabindex="0" {
                svg.timeline viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-label=(self.words()) {
                    @for (row, lane) in (0..).zip(&self.lanes) { (self.lane(row, lane)) }
                    @for mark in &self.marks { (self.mark(mark, bottom)) }
                    @for (x, words) in self.hours() {
                        text x=(x) y=(bottom + 16) text-anchor="middle" { (words) }
                    }
                }
            }
            ul.legend {
                li { span.key.full {} "full" } li { span.key.diff {} "differential" }
                li { span.key.log {} "log" } li { span.key.point {} "mark that is a point" }
                li { span.key.not {} "mark that is none" } li { "times in UTC" }
            }
        }
    }

    fn lane(&self, row: i64, lane: &Lane) -> Markup {
        let middle = TOP + row * LANE + LANE / 2;
        html! {
            text x="0" y=(middle + 4) { title { (lane.member) } (shortened(&lane.member)) }
            line.lane x1=(NAMES) x2=(WIDTH) y1=(middle) y2=(middle) {}
            @for (at, kind) in &lane.pieces {
                @let (half, tall) = size_of(*kind);
                rect class=(kind.word()) x=(self.x(*at) - half) y=(middle - tall) width=(2 * half)
                    height=(2 * tall) rx="1" {}
            }
        }
    }

    fn mark(&self, mark: &MarkAt, bottom: i64) -> Markup {
        let (x, class) = (
            self.x(mark.at),
            if mark.is_point { "mark" } else { "mark not" },
        );
        html! {
            line class=(class) x1=(x) x2=(x) y1=(TOP) y2=(bottom) { title { (mark.name) } }
        }
    }

    fn x(&self, at: Timestamp) -> i64 {
        let all = (self.until.millis() - self.from.millis()).max(1);
        let room = WIDTH - NAMES - 12;
        NAMES + 6 + (at.millis() - self.from.millis()).clamp(0, all) * room / all
    }

    /// A few full hours or days along the foot.
    fn hours(&self) -> Vec<(i64, String)> {
        const DAY_MINUTES: i64 = 24 * 60;
        let all = self.until.millis() - self.from.millis();
        let steps = [1, 5, 15, 60, 180, 360, 720, 1440, 4320, 10_080, 43_200];
        let step = steps.into_iter().find(|step| all / (step * MINUTE_MS) <= 8);
        let step_minutes = step.unwrap_or(365 * DAY_MINUTES);
        let step = step_minutes * MINUTE_MS;
        let first = (self.from.millis() / step + 1) * step;
        let is_hours = step_minutes < DAY_MINUTES;
        let format = if is_hours { "%H:%M" } else { "%d %b" };
        let times = std::iter::successors(Some(first), |at| Some(at + step));
        let times = times.take_while(|at| *at < self.until.millis());
        times
            .map(Timestamp::from_millis)
            .map(|at| (self.x(at), at.civil_utc().strftime(format).to_string()))
            .collect()
    }
}

/// Half the width and half the height of a piece in the picture.
const fn size_of(kind: PieceKind) -> (i64, i64) {
    match kind {
        PieceKind::Full => (5, 9),
        PieceKind::Differential => (4, 7),
        PieceKind::Log => (2, 4),
    }
}

fn shortened(member: &MemberName) -> String {
    let name = member.to_string();
    if name.chars().count() <= NAME_CHARACTERS {
        return name;
    }
    let kept: String = name.chars().take(NAME_CHARACTERS - 1).collect();
    format!("{kept}…")
}
