//! `[drill]`: where drills are held, under which names, and what must be found.

use super::Surroundings;
use super::policy::{duration, section};
use crate::config::checked::{CheckDepth, DrillCheckConfig, DrillConfig, DrillPoint};
use crate::config::node::{Node, Table};
use crate::error::Code;
use crate::model::{DatabaseName, HostName};

pub(super) const KEYS: &[&str] = &[
    "hosts",
    "point",
    "prefix",
    "files_in",
    "check_database",
    "checks",
    "rto",
];
pub(super) const CHECK_KEYS: &[&str] = &["file", "value"];

const DEPTHS: &[(&str, CheckDepth)] = &[
    ("full", CheckDepth::Full),
    ("physical_only", CheckDepth::PhysicalOnly),
    ("off", CheckDepth::Off),
];

const POINTS: &[(&str, DrillPoint)] = &[
    ("newest", DrillPoint::Newest),
    ("random", DrillPoint::Random),
];

/// How drills are held; none where the section is absent. A value with a fault keeps its default.
pub(super) fn drill(root: &Table<'_>, around: &Surroundings<'_>) -> Option<DrillConfig> {
    let table = section(root, "drill", KEYS)?;
    let default = DrillConfig::default();
    let hosts = table.optional("hosts").and_then(|node| hosts(&node));
    let point = table.optional("point");
    let prefix = table.optional("prefix").and_then(|node| prefix(&node));
    let files_in = table.optional("files_in");
    let depth = table.optional("check_database");
    let checks = table.optional("checks");
    Some(DrillConfig {
        hosts: hosts.unwrap_or_default(),
        point: point
            .and_then(|node| node.choice(POINTS))
            .unwrap_or(default.point),
        prefix: prefix.unwrap_or(default.prefix),
        files_in: files_in.and_then(|node| node.filled().map(str::to_owned)),
        check_database: depth
            .and_then(|node| node.choice(DEPTHS))
            .unwrap_or(default.check_database),
        checks: checks
            .and_then(|node| checks_of(&node, around))
            .unwrap_or_default(),
        rto: table.optional("rto").and_then(|node| duration(&node)),
    })
}

fn hosts(node: &Node<'_>) -> Option<Vec<HostName>> {
    let items = node.items()?;
    let hosts = items.iter().filter_map(|item| {
        item.parsed("write the true name of a host that has a section `[hosts.'NAME']`")
    });
    Some(hosts.collect())
}

/// Without one, scratch databases would have the members' own names.
fn prefix(node: &Node<'_>) -> Option<String> {
    let text = node.filled()?;
    let is_name = text.parse::<DatabaseName>().is_ok() && text.chars().count() <= 40;
    if !is_name {
        let message = "no database's name can begin so";
        node.refuse(Code::ConfigValue, message, "write something like `drill_`");
    }
    is_name.then(|| text.to_owned())
}

fn checks_of(node: &Node<'_>, around: &Surroundings<'_>) -> Option<Vec<DrillCheckConfig>> {
    let items = node.items()?;
    let checks = items.iter().filter_map(|item| {
        let table = item.table(CHECK_KEYS)?;
        let file = table.required("file", "write `file = \"sum.sql\"`")?;
        let value = table.optional("value");
        Some(DrillCheckConfig {
            file: around.path(&file)?,
            value: value.and_then(|node| node.string().map(str::to_owned)),
        })
    });
    Some(checks.collect())
}
