//! `[retention]`: what is kept. Without the section everything is.
//!
//! Start at [`retention`]. Spans of days are days of 24 hours: a rule that counts back from a moment knows no
//! calendar; those that do name their time zone.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::policy::section;
use crate::config::checked::RetentionConfig;
use crate::config::node::{Node, Table};
use crate::error::Code;

pub(super) const KEYS: &[&str] = &[
    "keep_last",
    "keep_for",
    "daily",
    "weekly",
    "monthly",
    "yearly",
    "drilled",
    "time_zone",
    "staging_for",
];

/// Longer than anything that is kept by count or age.
const SPAN_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// The least time that a file may lie on a share before it counts as forgotten.
const STAGING_MIN: Duration = Duration::from_secs(24 * 60 * 60);

/// What is kept; a value with a fault keeps its default.
pub(super) fn retention(root: &Table<'_>) -> Option<RetentionConfig> {
    let table = section(root, "retention", KEYS)?;
    let default = RetentionConfig::default();
    let count = |key, default| {
        let node = table.optional(key);
        node.and_then(|node| count(&node)).unwrap_or(default)
    };
    let lasting = |key, default| {
        let node = table.optional(key);
        node.and_then(|node| span(&node)).unwrap_or(default)
    };
    let zone = table.optional("time_zone").and_then(|node| zone(&node));
    let staging_for = lasting("staging_for", default.staging_for);
    if let Some(node) = table
        .optional("staging_for")
        .filter(|_| staging_for < STAGING_MIN)
    {
        let message = "a file that a run of today wrote must not count as forgotten";
        node.refuse(Code::ConfigValue, message, "write `1d` or more");
    }
    Some(RetentionConfig {
        keep_last: count("keep_last", default.keep_last),
        keep_for: lasting("keep_for", default.keep_for),
        daily: count("daily", default.daily),
        weekly: count("weekly", default.weekly),
        monthly: count("monthly", default.monthly),
        yearly: count("yearly", default.yearly),
        drilled: count("drilled", default.drilled),
        zone: zone.unwrap_or(default.zone),
        staging_for,
    })
}

fn count(node: &Node<'_>) -> Option<u32> {
    let number = node.integer()?;
    let count = u32::try_from(number).ok();
    if count.is_none() {
        let message = format!("`{number}` is not a number of points");
        node.refuse(Code::ConfigValue, message, "write 0 or more");
    }
    count
}

/// A span with units up to weeks; zero is allowed, and keeps nothing.
pub(super) fn span(node: &Node<'_>) -> Option<Duration> {
    let text = node.string()?;
    let span = text
        .parse::<Span>()
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .ok()
        .and_then(|span: SignedDuration| Duration::try_from(span).ok())
        .filter(|span| *span <= SPAN_MAX);
    if span.is_none() {
        let message = format!("`{text}` is not a span that can be used");
        node.refuse(
            Code::ConfigValue,
            message,
            "write `36h`, `14d` or `8w`; months and years differ in length, so count days",
        );
    }
    span
}

/// A time zone by its name.
pub(super) fn zone(node: &Node<'_>) -> Option<TimeZone> {
    let name = node.filled()?;
    let zone = TimeZone::get(name);
    zone.map_err(|error| {
        node.refuse(
            Code::ConfigValue,
            error.to_string(),
            "write a name of the IANA database: `UTC`, `Europe/Zurich`",
        );
    })
    .ok()
}
