//! Companions on the group's page: a line each, with the newest backup. Start at [`CompanionRow::of`].

use maud::{Markup, html};

use super::shell::{Level, badge, in_address, time};
use crate::model::{MemberName, Set, Timestamp};
use crate::report::bytes::size;
use crate::report::companions::{Role, newest};

/// A companion in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompanionRow {
    name: MemberName,
    /// The newest backup: its set's stamp, when that was planned, and its size in bytes.
    newest: Option<(String, Timestamp, u64)>,
}

impl CompanionRow {
    /// The line of a companion, from the newest sets, the oldest first.
    #[must_use]
    pub fn of(name: &MemberName, sets: &[Set]) -> Self {
        let newest = newest(sets, None);
        let own = newest.get(name);
        Self {
            name: name.clone(),
            newest: own.map(|it| (it.set.stamp(), it.set.made_at, it.piece.size_bytes())),
        }
    }
}

/// The companions of a group.
pub(super) fn table(rows: &[CompanionRow], now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" { table {
            thead { tr {
                th scope="col" { "Database" } th scope="col" { "Last full" } th.number scope="col" { "Size" }
                th scope="col" { "What it is for" }
            } }
            tbody { @for row in rows { tr {
                td { (row.name) }
                @if let Some((stamp, at, bytes)) = &row.newest {
                    td { a href={ "/set?name=" (in_address(stamp)) } { (time(*at, now)) } }
                    td.number { (size(*bytes)) }
                } @else {
                    td { (badge(Level::Warn, "none yet")) } td {}
                }
                td { (Role::of(&row.name).purpose()) }
            } } }
        } }
    }
}
