//! `[biztalk]`: how a group is kept whose databases BizTalk lists. Start at [`biztalk`].

use std::collections::BTreeMap;
use std::time::Duration;

use super::group::Group;
use super::hosts::Hosts;
use super::policy::section;
use super::retention::span;
use crate::config::biztalk::{BizTalkConfig, DriftRule, Engine};
use crate::config::node::{Node, Table};
use crate::error::Code;
use crate::model::HostName;

pub(super) const KEYS: &[&str] = &[
    "engine",
    "log_shipping",
    "keep_for",
    "full_after_partial",
    "drift",
    "servers",
];

const ENGINES: &[(&str, Engine)] = &[
    ("stopmark", Engine::Stopmark),
    ("microsoft", Engine::Microsoft),
];

const DRIFT_RULES: &[(&str, DriftRule)] = &[
    ("join", DriftRule::Join),
    ("follow", DriftRule::Follow),
    ("hold", DriftRule::Hold),
];

/// A destination that is behind by a weekend still finds its files.
const KEEP_MIN: Duration = Duration::from_secs(24 * 60 * 60);

/// How the group is kept; a value with a fault keeps its default.
pub(super) fn biztalk(root: &Table<'_>, group: Option<&Group>, hosts: &Hosts<'_>) -> BizTalkConfig {
    let table = section(root, "biztalk", KEYS);
    let is_listed = group.is_some_and(|group| group.discovery.is_none());
    if let Some(table) = table.as_ref().filter(|_| is_listed) {
        let hint = "write `kind = \"biztalk\"` in `[group]`, or take the section away";
        table.refuse(Code::ConfigValue, "the group is no BizTalk group", hint);
    }
    let config = table.map_or_else(BizTalkConfig::default, |table| values(&table, hosts));
    if let Some(group) = group.filter(|group| group.discovery.is_some() && config.log_shipping) {
        refuse_stripes(root, group);
    }
    config
}

fn values(table: &Table<'_>, hosts: &Hosts<'_>) -> BizTalkConfig {
    let default = BizTalkConfig::default();
    let flag = |key, default| {
        let node = table.optional(key);
        node.and_then(|node| node.boolean()).unwrap_or(default)
    };
    let engine = table.optional("engine");
    let drift = table.optional("drift");
    let keep_for = table.optional("keep_for");
    let servers = table.optional("servers");
    BizTalkConfig {
        engine: engine
            .and_then(|node| node.choice(ENGINES))
            .unwrap_or(default.engine),
        log_shipping: flag("log_shipping", default.log_shipping),
        keep_for: keep_for
            .and_then(|node| kept(&node))
            .unwrap_or(default.keep_for),
        full_after_partial: flag("full_after_partial", default.full_after_partial),
        drift: drift
            .and_then(|node| node.choice(DRIFT_RULES))
            .unwrap_or(default.drift),
        servers: servers
            .and_then(|node| names(&node, hosts))
            .unwrap_or_default(),
    }
}

fn kept(node: &Node<'_>) -> Option<Duration> {
    let kept = span(node)?;
    if kept < KEEP_MIN {
        let message = "a destination that was away for a night must still find its files";
        node.refuse(Code::ConfigValue, message, "write `1d` or more");
        return None;
    }
    Some(kept)
}

fn names(node: &Node<'_>, hosts: &Hosts<'_>) -> Option<BTreeMap<String, HostName>> {
    let hint = r"write `servers = { 'NAME IN THE LIST' = 'HOST\INSTANCE' }`";
    let entries = node.entries()?;
    let named = entries.into_iter().filter_map(|(name, node)| {
        let meant: HostName = node.parsed(hint)?;
        let host = hosts.find(&meant);
        if host.is_none() {
            let message = format!("host `{meant}` is not configured");
            let hint = format!("write a section `[hosts.'{meant}']`");
            node.refuse(Code::ConfigValue, message, &hint);
        }
        Some((name.to_owned(), host?.name.clone()))
    });
    Some(named.collect())
}

/// A row of `adm_BackupHistory` names one file, and a destination restores from that one.
fn refuse_stripes(root: &Table<'_>, group: &Group) {
    for member in group.members.iter().filter(|member| member.stripes > 1) {
        let message = format!(
            "`{}` has {} stripes, and a row of `adm_BackupHistory` names one file",
            member.name, member.stripes
        );
        let hint = "write `stripes = 1`, or `log_shipping = false` in `[biztalk]`";
        root.refuse(Code::ConfigValue, message, hint);
    }
}
