//! `[companions]`: the databases beside the group that are backed up and never marked. Start at [`companions`].

use super::group::{self, Group};
use super::hosts::Hosts;
use super::policy::section;
use crate::config::checked::MemberConfig;
use crate::config::node::{Node, Table};
use crate::error::Code;

pub(super) const KEYS: &[&str] = &["databases"];

/// SQL Server makes it anew at every start, and backs it up never.
const TEMPORARY: &str = "tempdb";

/// What the section names; a companion with a fault is left out.
pub(super) fn companions(
    root: &Table<'_>,
    group: Option<&Group>,
    hosts: &Hosts<'_>,
) -> Vec<MemberConfig> {
    let hint = "write `databases = ['HOST/master', 'HOST/msdb']`";
    let items = section(root, "companions", KEYS)
        .and_then(|table| table.required("databases", hint))
        .and_then(|node| node.items());
    let members = group.map_or(&[][..], |group| group.members.as_slice());
    let mut companions: Vec<MemberConfig> = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(companion) = companion(&item, hosts) else {
            continue;
        };
        let known = [members, &companions].concat();
        if group::is_new(&item, &companion, &known) {
            companions.push(companion);
        }
    }
    group::refuse_members_without_share(&companions, hosts);
    companions
}

fn companion(item: &Node<'_>, hosts: &Hosts<'_>) -> Option<MemberConfig> {
    let companion = group::member(item, hosts)?;
    let database = companion.name.database.as_str();
    if database.eq_ignore_ascii_case(TEMPORARY) {
        let message = format!("`{database}` cannot be backed up");
        item.refuse(Code::ConfigValue, message, "leave it out");
        return None;
    }
    if companion.best_effort {
        let message = "a companion has no `best_effort`: no run waits for one";
        item.refuse(Code::ConfigValue, message, "leave the key out");
        return None;
    }
    Some(companion)
}
