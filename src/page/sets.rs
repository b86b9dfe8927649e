//! Sets: the list, a page at a time, and one set in full. Start at [`SetsView::of`] and [`SetView::of`].

use maud::{Markup, html};

use super::shell::{Level, badge, in_address, page, second};
use crate::chain::{SetState, log_ends};
use crate::model::{GroupName, MemberName, ProofLevel, Set};
use crate::report::bytes::size;
use crate::report::sets::SetLine;
use crate::world::{Counts, Listed};

/// Some sets, the newest first.
#[derive(Clone, Debug)]
pub struct SetsView {
    group: GroupName,
    lines: Vec<SetLine>,
    counts: Counts,
    /// Where older ones begin; none where there are none.
    before: Option<u64>,
}

/// One set.
#[derive(Clone, Debug)]
pub struct SetView {
    group: GroupName,
    line: SetLine,
    set: Set,
}

impl SetsView {
    /// The view of a page of the catalog, which holds `full` sets where more may follow.
    #[must_use]
    pub fn of(group: &GroupName, sets: &[Listed], counts: Counts, full: usize) -> Self {
        let whole: Vec<Set> = sets.iter().map(|listed| listed.set.clone()).collect();
        let ends = log_ends(&whole, &[]);
        Self {
            group: group.clone(),
            lines: sets.iter().map(|it| SetLine::of(it, &ends)).collect(),
            counts,
            before: sets
                .last()
                .filter(|_| sets.len() == full)
                .map(|last| last.entry),
        }
    }

    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let main = html! {
            h1 { "Sets of " (self.group) }
            section {
                p.soft { (self.counts.sets) " sets with " (self.counts.pieces) " pieces in all, the newest first" }
                (self.table())
                @if let Some(before) = self.before {
                    p { a rel="next" href={ "/sets?before=" (before) } { "Older sets" } }
                }
            }
        };
        page(Some(&self.group), "Sets", &main)
    }

    fn table(&self) -> Markup {
        html! {
            div.scroll tabindex="0" { table {
                thead { tr {
                    th scope="col" { "Mark or stamp" } th scope="col" { "Kind" } th scope="col" { "State" }
                    th scope="col" { "Point" } th.number scope="col" { "Fulls" } th.number scope="col" { "Differentials" }
                    th.number scope="col" { "Logs" } th.number scope="col" { "Missing" } th.number scope="col" { "Size" }
                } }
                tbody { @for line in &self.lines { tr {
                    td { a.mono href={ "/set?name=" (in_address(&line.stamp)) } { (line.stamp) } }
                    td { (line.kind_word()) }
                    td { (state(line.state)) }
                    td { (point_word(line)) }
                    td.number { (line.fulls) } td.number { (line.differentials) } td.number { (line.logs) }
                    td.number { (line.missing) } td.number { (size(line.bytes)) }
                } } }
            } }
        }
    }
}

impl SetView {
    /// The view of a set of the catalog.
    #[must_use]
    pub fn of(group: &GroupName, listed: &Listed) -> Self {
        let ends = log_ends(std::slice::from_ref(&listed.set), &[]);
        Self {
            group: group.clone(),
            line: SetLine::of(listed, &ends),
            set: listed.set.clone(),
        }
    }

    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let line = &self.line;
        let main = html! {
            h1 { "Set " (line.stamp) }
            section {
                p { (state(line.state)) " " (line.kind_word()) ", planned " (second(self.set.made_at)) }
                p { @match line.is_point {
                    Some(true) => "The group can be brought back to this mark.",
                    Some(false) => "The group cannot be brought back to this mark.",
                    None => "It has no mark of its own.",
                } }
                ul.plain {
                    @for reason in line.in_the_way.iter().chain(&line.lacking) { li { (reason) } }
                    @for missing in &self.set.missing { li { (missing.member) " is missing: " (missing.reason) } }
                }
                p.soft { "Run " span.mono { (self.set.run) } }
            }
            section aria-labelledby="pieces" { h2 id="pieces" { "Pieces" } (self.table()) }
        };
        page(Some(&self.group), &line.stamp, &main)
    }

    /// A member with the way to its page; a companion has none.
    fn name(&self, name: &MemberName) -> Markup {
        if !self.set.members.contains(name) {
            return html! { (name) };
        }
        html! { a href={ "/member?name=" (in_address(&name.to_string())) } { (name) } }
    }

    fn table(&self) -> Markup {
        html! {
            div.scroll tabindex="0" { table {
                thead { tr {
                    th scope="col" { "Member" } th scope="col" { "Kind" } th.number scope="col" { "Size" }
                    th scope="col" { "Ended on its host" } th scope="col" { "Proof" } th scope="col" { "Objects" }
                } }
                tbody { @for piece in &self.set.pieces { tr {
                    td { (self.name(&piece.member)) }
                    td { (piece.kind.word()) }
                    td.number { (size(piece.size_bytes())) }
                    td { (piece.finished) }
                    td { (piece.proof.map_or("not told", ProofLevel::words)) }
                    td.mono { @for stripe in &piece.stripes { div { (stripe.key) } } }
                } } }
            } }
        }
    }
}

fn state(state: SetState) -> Markup {
    let level = match state {
        SetState::Complete | SetState::Planned | SetState::Running => Level::Good,
        SetState::Degraded => Level::Warn,
        SetState::Void => Level::Bad,
    };
    badge(level, state.word())
}

const fn point_word(line: &SetLine) -> &'static str {
    match line.is_point {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    }
}
