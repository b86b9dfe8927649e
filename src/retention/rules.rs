//! The rules, each a pure question about the times of Points. Start at [`kept_by_time`].
//!
//! Days, weeks, months and years are counted where they have a Point, so a group that rests loses nothing. Age is
//! counted back from the newest Point, or from now where that is earlier: neither a clock that ran ahead nor a group
//! that rests makes anything old.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Kept, Period};
use crate::config::RetentionConfig;
use crate::model::Timestamp;

/// What keeps each of these Points, whose marks were placed at these times, oldest first.
pub(super) fn kept_by_time(
    times: &[Timestamp],
    policy: &RetentionConfig,
    now: Timestamp,
) -> Vec<Vec<Kept>> {
    let mut kept = vec![Vec::new(); times.len()];
    last(policy.keep_last, &mut kept);
    young(times, policy.keep_for, now, &mut kept);
    let calendar = [
        (Period::Day, policy.daily),
        (Period::Week, policy.weekly),
        (Period::Month, policy.monthly),
        (Period::Year, policy.yearly),
    ];
    for (period, of) in calendar {
        newest_of_each(times, (period, of), policy, &mut kept);
    }
    kept
}

fn last(of: u32, kept: &mut [Vec<Kept>]) {
    for (rules, nth) in kept.iter_mut().rev().zip(1..=of) {
        rules.push(Kept::Last { nth, of });
    }
}

fn young(times: &[Timestamp], keep_for: Duration, now: Timestamp, kept: &mut [Vec<Kept>]) {
    let Some(newest) = times.last() else {
        return;
    };
    let oldest = since(*newest, keep_for, now);
    for (at, rules) in times.iter().zip(kept) {
        if !keep_for.is_zero() && *at >= oldest {
            let until = at.plus_millis(millis(keep_for));
            rules.push(Kept::Young { until });
        }
    }
}

/// What is not older than this is young.
pub(super) fn since(newest: Timestamp, keep_for: Duration, now: Timestamp) -> Timestamp {
    now.min(newest).plus_millis(-millis(keep_for))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn newest_of_each(
    times: &[Timestamp],
    (period, of): (Period, u32),
    policy: &RetentionConfig,
    kept: &mut [Vec<Kept>],
) {
    let mut seen = BTreeSet::new();
    for (at, rules) in times.iter().zip(kept).rev() {
        let nth = u32::try_from(seen.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        if nth > of {
            return;
        }
        let name = period.of(*at, &policy.zone);
        if seen.insert(name.clone()) {
            rules.push(Kept::Calendar {
                period,
                name,
                nth,
                of,
            });
        }
    }
}
