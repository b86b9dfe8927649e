//! Members: a line each on the group's page, and a page each.
//!
//! Start at [`MemberRow::of`] and [`MemberView::of`]. What is told comes from the newest sets: a member whose last
//! full is older than they are is told without it.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::shell::{Level, badge, in_address, page, time};
use super::timeline::Timeline;
use crate::config::Config;
use crate::model::{GroupName, HostName, MemberName, Piece, PieceKind, ProofLevel, Timestamp};
use crate::report::bytes::size;
use crate::survey::{HostRoom, LogRoom};
use crate::world::{Listed, Standing};

/// One member in a line.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberRow {
    member: MemberName,
    /// What stands in the way of the newest mark; none: nothing does.
    trouble: Option<String>,
    newest: [(PieceKind, Option<Timestamp>); 3],
    /// All pieces of it in the newest sets, in bytes.
    bytes: u64,
}

/// One member in full.
#[derive(Clone, Debug)]
pub struct MemberView {
    group: GroupName,
    row: MemberRow,
    pieces: Vec<PieceLine>,
    timeline: Option<Timeline>,
    /// How full its log is, where its host was asked.
    log: Option<LogRoom>,
    now: Timestamp,
}

#[derive(Clone, Debug)]
struct PieceLine {
    stamp: String,
    made_at: Timestamp,
    kind: PieceKind,
    bytes: u64,
    stripes: usize,
    proof: Option<ProofLevel>,
    lsns: String,
}

impl MemberRow {
    /// The line of a member, from the newest sets, the newest first.
    #[must_use]
    pub fn of(member: &MemberName, recent: &[Listed], standing: &Standing) -> Self {
        let newest = |kind: PieceKind| {
            let mut pieces = pieces_of(member, recent);
            let found = pieces.find(|(_, piece)| piece.kind == kind);
            (kind, found.map(|(listed, _)| listed.set.made_at))
        };
        let held_back = standing.held_back.iter().flat_map(|(_, breaks)| breaks);
        let mut trouble = held_back.filter(|(it, _)| it == member);
        Self {
            member: member.clone(),
            trouble: trouble.next().map(|(_, why)| why.to_string()),
            newest: [
                newest(PieceKind::Full),
                newest(PieceKind::Differential),
                newest(PieceKind::Log),
            ],
            bytes: pieces_of(member, recent)
                .map(|(_, piece)| piece.size_bytes())
                .sum(),
        }
    }

    fn state(&self) -> Markup {
        let has_full = self.newest.iter().any(|(_, at)| at.is_some());
        match &self.trouble {
            Some(trouble) => html! { (badge(Level::Bad, "held back")) " " (trouble) },
            None if has_full => badge(Level::Good, "in order"),
            None => badge(Level::Warn, "nothing lately"),
        }
    }
}

/// Pieces of a member, those of the newest sets first.
fn pieces_of<'a>(
    member: &'a MemberName,
    recent: &'a [Listed],
) -> impl Iterator<Item = (&'a Listed, &'a Piece)> {
    let of_set = |listed: &'a Listed| listed.set.pieces.iter().map(move |it| (listed, it));
    recent
        .iter()
        .flat_map(of_set)
        .filter(move |(_, piece)| piece.member == *member)
}

/// The members of a group.
pub(super) fn table(members: &[MemberRow], now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" { table {
            thead { tr {
                th scope="col" { "Member" } th scope="col" { "State" } th scope="col" { "Last full" }
                th scope="col" { "Last differential" } th scope="col" { "Last log" }
            } }
            tbody { @for row in members { tr {
                td { a href={ "/member?name=" (in_address(&row.member.to_string())) } { (row.member) } }
                td { (row.state()) }
                @for (_, at) in &row.newest { td { (moment(*at, now)) } }
            } } }
        } }
    }
}

fn log_line(log: &LogRoom) -> Markup {
    let percent = log.used_percent();
    html! {
        p { "Its log uses " (size(log.used_bytes)) " of the " (size(log.most_bytes)) " that it can have"
            @if log.reuse_wait != "NOTHING" { ", held by " span.mono { (log.reuse_wait) } } }
        progress max="100" value=(percent) aria-label="How full the log is" { (percent) " %" }
    }
}

fn moment(at: Option<Timestamp>, now: Timestamp) -> Markup {
    at.map_or_else(|| html! { span.soft { "none lately" } }, |at| time(at, now))
}

impl MemberView {
    /// The member of this name; none where neither the configuration nor a recent set knows it.
    #[must_use]
    pub fn of(
        config: &Config,
        name: &str,
        recent: &[Listed],
        standing: &Standing,
        now: Timestamp,
    ) -> Option<Self> {
        let configured = config.members.iter().map(|member| &member.name);
        let in_sets = recent.iter().flat_map(|listed| &listed.set.members);
        let mut known = configured.chain(in_sets);
        let member = known.find(|member| member.to_string() == name)?;
        let pieces = pieces_of(member, recent).map(|(listed, piece)| PieceLine {
            stamp: listed.set.stamp(),
            made_at: listed.set.made_at,
            kind: piece.kind,
            bytes: piece.size_bytes(),
            stripes: piece.stripes.len(),
            proof: piece.proof,
            lsns: format!("{} to {}", piece.first_lsn, piece.last_lsn),
        });
        Some(Self {
            group: config.group.clone(),
            row: MemberRow::of(member, recent, standing),
            pieces: pieces.collect(),
            timeline: Timeline::of(std::slice::from_ref(member), recent, now),
            log: None,
            now,
        })
    }

    /// With what the hosts had left when they were last asked.
    #[must_use]
    pub fn with_room(mut self, rooms: &BTreeMap<HostName, HostRoom>) -> Self {
        let member = &self.row.member;
        let mut hosts = rooms.iter();
        let own = hosts.find(|(host, _)| host.is_same_host(&member.host));
        self.log = own.and_then(|(_, room)| room.logs.get(&member.database).cloned());
        self
    }

    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let main = html! {
            h1 { "Member " (self.row.member) }
            section {
                p { (self.row.state()) }
                p.soft { (self.pieces.len()) " pieces in the newest sets, " (size(self.row.bytes)) " in the store" }
                @if let Some(log) = &self.log { (log_line(log)) }
            }
            @if let Some(timeline) = &self.timeline {
                section aria-labelledby="marks" { h2 id="marks" { "Marks and pieces" } (timeline.svg()) }
            }
            section aria-labelledby="pieces" { h2 id="pieces" { "Pieces" } (self.table()) }
        };
        page(Some(&self.group), &self.row.member.to_string(), &main)
    }

    fn table(&self) -> Markup {
        html! {
            div.scroll tabindex="0" { table {
                thead { tr {
                    th scope="col" { "Set" } th scope="col" { "Taken" } th scope="col" { "Kind" }
                    th.number scope="col" { "Size" } th.number scope="col" { "Stripes" }
                    th scope="col" { "Proof" } th scope="col" { "LSNs" }
                } }
                tbody { @for piece in &self.pieces { tr {
                    td { a.mono href={ "/set?name=" (piece.stamp) } { (piece.stamp) } }
                    td { (time(piece.made_at, self.now)) }
                    td { (piece.kind.word()) }
                    td.number { (size(piece.bytes)) }
                    td.number { (piece.stripes) }
                    td { (piece.proof.map_or("not told", ProofLevel::words)) }
                    td.mono { (piece.lsns) }
                } } }
            } }
        }
    }
}
