//! `[store.transfer]`: how bytes travel to the store and back.

use jiff::civil;

use crate::config::checked::{BandwidthWindow, TransferConfig};
use crate::config::node::{Node, Table};
use crate::error::Code;

pub(super) const KEYS: &[&str] = &["memory", "parts_in_flight", "pieces_in_flight", "bandwidth"];
pub(super) const BANDWIDTH_KEYS: &[&str] = &["from", "until", "per_second"];

/// The smallest useful budget: two chunks, one to be read and one to be sent.
const MEMORY_BYTES_MIN: u64 = 16 << 20;

/// More parts at once than any store answers faster for.
const PARTS_IN_FLIGHT_MAX: u16 = 64;

/// More pieces at once than a share and a journal keep up with.
const PIECES_IN_FLIGHT_MAX: u16 = 256;

const SIZE_FORMS: &str = "write a whole number and a unit: `512KiB`, `64MiB` or `2GiB`";
pub(super) const TIME_FORMS: &str = "write hours and minutes, `07:00`";

/// Reads the section; a value with a fault keeps its default.
pub(super) fn read(store: &Table<'_>) -> TransferConfig {
    let mut transfer = TransferConfig::default();
    let table = store.optional("transfer").and_then(|node| node.table(KEYS));
    let Some(table) = table else {
        return transfer;
    };
    if let Some(node) = table.optional("memory") {
        let bytes = size(&node).and_then(|bytes| at_least(&node, bytes, MEMORY_BYTES_MIN));
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        transfer.memory_bytes = bytes.unwrap_or(transfer.memory_bytes);
    }
    if let Some(node) = table.optional("parts_in_flight") {
        let parts = in_flight(&node, PARTS_IN_FLIGHT_MAX).map(usize::from);
        transfer.parts_in_flight = parts.unwrap_or(transfer.parts_in_flight);
    }
    if let Some(node) = table.optional("pieces_in_flight") {
        let pieces = in_flight(&node, PIECES_IN_FLIGHT_MAX);
        transfer.pieces_in_flight = pieces.unwrap_or(transfer.pieces_in_flight);
    }
    if let Some(node) = table.optional("bandwidth") {
        let windows = node.items().unwrap_or_default();
        transfer.bandwidth = windows.iter().filter_map(window).collect();
    }
    transfer
}

fn in_flight(node: &Node<'_>, most: u16) -> Option<u16> {
    let wanted = u16::try_from(node.integer()?).ok();
    let wanted = wanted.filter(|wanted| (1..=most).contains(wanted));
    if wanted.is_none() {
        let hint = format!("write 1 to {most}");
        node.refuse(Code::ConfigValue, "so many cannot be sent at once", &hint);
    }
    wanted
}

fn window(node: &Node<'_>) -> Option<BandwidthWindow> {
    let table = node.table(BANDWIDTH_KEYS)?;
    let time = |key| {
        table
            .required(key, TIME_FORMS)
            .and_then(|node| time_of_day(&node))
    };
    let rate = table.required("per_second", SIZE_FORMS);
    let rate = rate.and_then(|node| size(&node).and_then(|bytes| at_least(&node, bytes, 1024)));
    Some(BandwidthWindow {
        from: time("from")?,
        until: time("until")?,
        bytes_per_second: rate?,
    })
}

/// An hour and a minute.
pub(super) fn time_of_day(node: &Node<'_>) -> Option<civil::Time> {
    let text = node.string()?;
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let two = |text: &str| text.len() == 2 && text.bytes().all(|it| it.is_ascii_digit());
        let is_time = two(hour) && two(minute);
        is_time.then(|| civil::Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok())?
    });
    if parsed.is_none() {
        let message = format!("`{text}` is not a time of day");
        node.refuse(Code::ConfigValue, message, TIME_FORMS);
    }
    parsed
}

fn at_least(node: &Node<'_>, bytes: u64, least: u64) -> Option<u64> {
    if bytes < least {
        let hint = format!("write at least {} KiB", least >> 10);
        node.refuse(Code::ConfigValue, "this is too little", &hint);
        return None;
    }
    Some(bytes)
}

/// A size in bytes.
pub(super) fn size(node: &Node<'_>) -> Option<u64> {
    let text = node.string()?;
    let bytes = size_bytes(text);
    if bytes.is_none() {
        let message = format!("`{text}` is not a size");
        node.refuse(Code::ConfigValue, message, SIZE_FORMS);
    }
    bytes
}

/// The bytes that `512KiB`, `64MiB`, `2GiB` or `1TiB` are; none for any other text.
#[must_use]
pub fn size_bytes(text: &str) -> Option<u64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    units.iter().find_map(|(unit, shift)| {
        let number: u32 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        u64::from(number).checked_mul(1 << shift)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_whole_number_and_a_unit() {
        assert_eq!(size_bytes("64MiB"), Some(64 << 20));
        assert_eq!(size_bytes("2 GiB"), Some(2 << 30));
        for text in ["", "64", "64MB", "-1MiB", "1.5GiB", "MiB", "9999999999TiB"] {
            assert_eq!(size_bytes(text), None, "{text}");
        }
    }
}
