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

/// Why nothing may be told by its age: this machine's clock is far ahead of a host's, or nobody can say that it is not. The
/// hosts are asked; for those that do not answer the newest mark speaks, if it was stamped far later than they wrote its logs.
pub(super) fn clocks_apart(view: &PruneView<'_>, now: Timestamp) -> Option<Error> {
    let newest = view.verdict.points.iter().rfind(|it| it.is_offered)?;
    shown_apart(view, now)
        .or_else(|| newest_mark_apart(view, newest, now))
        .or_else(|| nobody_says(view, newest, now))
}

fn shown_apart(view: &PruneView<'_>, now: Timestamp) -> Option<Error> {
    let (host, shown) = view.clocks.iter().min_by_key(|(_, shown)| *shown)?;
    (shown.plus_millis(APART_MAX_MS) < now).then(|| {
        apart("the clock of this machine is far ahead of a host's, so nothing is let go")
            .at("host", host)
            .at("its clock", shown)
            .at("clock of this machine", now)
            .hint("put the clock right that is wrong, then prune again")
    })
}

/// Where it is this machine's clock that was put right since the mark, its time is before the mark.
fn newest_mark_apart(view: &PruneView<'_>, newest: &PointVerdict, now: Timestamp) -> Option<Error> {
    let (host, written) = written_first(view, newest)?;
    let latest = newest.placed_at.plus_millis(-APART_MAX_MS);
    (latest.civil_utc() > written && now >= newest.placed_at).then(|| {
        apart("the clock of this machine was far ahead of a host's at the newest mark, so nothing is let go")
            .at("mark", &newest.mark)
            .at("placed, by this machine", newest.placed_at)
            .at("host, which does not answer now", host)
            .at("its log written, by its clock", format!("{written}Z"))
            .hint(
                "put the clock right that is wrong, then see that the host answers or take a new mark with `stopmark backup \
                 log`, and prune again",
            )
    })
}

/// A mark says what the time was, and nothing of a clock that jumped since.
fn nobody_says(view: &PruneView<'_>, newest: &PointVerdict, now: Timestamp) -> Option<Error> {
    let is_old = newest.placed_at.plus_millis(APART_MAX_MS) < now;
    (view.clocks.is_empty() && is_old).then(|| {
        apart("no host says what the time is, and the newest mark is old, so nothing is let go")
            .at("mark", &newest.mark)
            .at("clock of this machine", now)
            .hint("a clock that ran ahead would make everything look old: see that a host of the configuration answers")
    })
}

/// Which silent host wrote the last of its pieces of the mark's set before all others, and when.
fn written_first<'a>(
    view: &PruneView<'a>,
    point: &PointVerdict,
) -> Option<(&'a HostName, jiff::civil::DateTime)> {
    let set = view.sets.iter().find(|set| set.id == point.set)?;
    let answers = |host: &HostName| view.clocks.iter().any(|(it, _)| it.is_same_host(host));
    let mut written = BTreeMap::new();
    for piece in set.pieces.iter().filter(|it| !answers(&it.member.host)) {
        let at = piece.finished.civil_utc();
        let newest = written.entry(&piece.member.host).or_insert(at);
        *newest = at.max(*newest);
    }
    written.into_iter().min_by_key(|(_, at)| *at)
}

fn apart(message: &str) -> Error {
    Error::new(Code::ClocksApart, message)
}
