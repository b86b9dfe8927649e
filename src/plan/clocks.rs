//! Whether the clock that the rules of a prune go by can be right: where it is ahead, everything looks old.
//!
//! Start at [`clocks_apart`]. Hosts have clocks of their own; nobody's is believed more than another's, and where two of
//! them are far apart a person must say which one is wrong.

use std::collections::BTreeMap;

use super::PruneView;
use crate::error::{Code, Error};
use crate::model::{HostName, Timestamp};
use crate::retention::PointVerdict;

/// How far apart two clocks may be; hosts whose offset nobody knows are within it.
const APART_MAX_MS: i64 = 24 * 60 * 60 * 1_000;

/// Why nothing may be told by its age: this machine's clock is far ahead of a host's. The hosts are asked; where none answers,
/// the newest mark says it, if it was stamped far later than a host wrote its log.
pub(super) fn clocks_apart(view: &PruneView<'_>, now: Timestamp) -> Option<Error> {
    if view.clocks.is_empty() {
        return newest_mark_apart(view, now);
    }
    let (host, shown) = view.clocks.iter().min_by_key(|(_, shown)| *shown)?;
    (shown.plus_millis(APART_MAX_MS) < now).then(|| {
        apart()
            .at("host", host)
            .at("its clock", shown)
            .at("clock of this machine", now)
            .hint("put the clock right that is wrong, then prune again")
    })
}

/// Where it is this machine's clock that was put right since the mark, its time is before the mark.
fn newest_mark_apart(view: &PruneView<'_>, now: Timestamp) -> Option<Error> {
    let newest = view.verdict.points.iter().rfind(|it| it.is_offered)?;
    let (host, written) = written_first(view, newest)?;
    let latest = newest.placed_at.plus_millis(-APART_MAX_MS);
    (latest.civil_utc() > written && now >= newest.placed_at).then(|| {
        apart()
            .at("mark", &newest.mark)
            .at("placed, by this machine", newest.placed_at)
            .at("host", host)
            .at("its log written, by its clock", format!("{written}Z"))
            .hint("put the clock right that is wrong, take a new mark with `stopmark backup log`, then prune again")
    })
}

/// Which host wrote the last of its pieces of the mark's set before all others, and when.
fn written_first<'a>(
    view: &PruneView<'a>,
    point: &PointVerdict,
) -> Option<(&'a HostName, jiff::civil::DateTime)> {
    let set = view.sets.iter().find(|set| set.id == point.set)?;
    let mut written = BTreeMap::new();
    for piece in &set.pieces {
        let at = piece.finished.civil_utc();
        let newest = written.entry(&piece.member.host).or_insert(at);
        *newest = at.max(*newest);
    }
    written.into_iter().min_by_key(|(_, at)| *at)
}

fn apart() -> Error {
    Error::new(
        Code::ClocksApart,
        "the clock of this machine is far ahead of a host's, so nothing is let go",
    )
}
