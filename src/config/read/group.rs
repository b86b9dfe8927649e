//! `[group]`: who belongs to it, where its marks start, whose table carries them.

use super::hosts::Hosts;
use crate::config::checked::{Discovery, MarkLogKind, MemberConfig};
use crate::config::node::{Node, Table};
use crate::error::Code;
use crate::model::{GroupName, HostName, MarkPrefix, MemberName};

pub(super) const KEYS: &[&str] = &[
    "name",
    "kind",
    "management_host",
    "mark_prefix",
    "mark_log",
    "members",
    "discover",
];

pub(super) const MEMBER_KEYS: &[&str] = &["name", "stripes", "compression", "best_effort"];

/// Whether the group is one that BizTalk lists.
const KINDS: &[(&str, bool)] = &[("listed", false), ("biztalk", true)];

/// SQL Server takes at most this many devices for one backup.
const STRIPES_MAX: u16 = 64;

/// What `[group]` says.
pub(super) struct Group {
    pub(super) name: GroupName,
    pub(super) management_host: HostName,
    pub(super) mark_prefix: MarkPrefix,
    pub(super) mark_log: MarkLogKind,
    pub(super) discovery: Option<Discovery>,
    pub(super) members: Vec<MemberConfig>,
}

/// Reads the section; its hosts are then known.
pub(super) fn read(root: &Table<'_>, hosts: &Hosts<'_>) -> Option<Group> {
    let table = root
        .required("group", "write a section `[group]`")
        .and_then(|node| node.table(KEYS))?;
    let name = table
        .required("name", "name the group: `name = \"payments\"`")
        .and_then(|node| node.parsed("it is part of keys and file names"));
    let management_host = table
        .required("management_host", "name the host at which marks start")
        .and_then(|node| management_host(&node, hosts));
    let is_biztalk = match table.optional("kind") {
        Some(node) => node.choice(KINDS),
        None => Some(false),
    };
    let mark_prefix = match table.optional("mark_prefix") {
        Some(node) => {
            node.parsed("it begins every mark's name, as in `SM_2026_11_21_02_00_00_000`")
        }
        None if is_biztalk == Some(true) => "BTS".parse().ok(),
        None => "SM".parse().ok(),
    };
    let discovery = match table.optional("discover") {
        Some(node) => discovery(&node).map(Some),
        None if is_biztalk == Some(true) => usual_discovery().map(Some),
        None => Some(None),
    };
    let mark_log = match table.optional("mark_log") {
        Some(node) => mark_log(&node),
        None => Some(default_mark_log(discovery.as_ref())),
    };
    let is_discovered = table.optional("discover").is_some() || is_biztalk == Some(true);
    let members = members(&table, hosts, is_discovered);
    is_biztalk?;
    Some(Group {
        name: name?,
        management_host: management_host?,
        mark_prefix: mark_prefix?,
        mark_log: mark_log?,
        discovery: discovery?,
        members: members?,
    })
}

fn management_host(node: &Node<'_>, hosts: &Hosts<'_>) -> Option<HostName> {
    let name: HostName = node.parsed(r"write `HOST` or `HOST\INSTANCE`")?;
    let host = hosts.find(&name);
    if host.is_none() {
        refuse_unknown_host(node, &name, hosts);
    }
    host.map(|host| host.name.clone())
}

/// Where no host is configured at all, that is the fault, and it has been told.
fn refuse_unknown_host(node: &Node<'_>, name: &HostName, hosts: &Hosts<'_>) {
    if hosts.named.is_empty() {
        return;
    }
    let message = format!("host `{name}` is not configured");
    node.refuse(
        Code::ConfigValue,
        message,
        &format!("write a section `[hosts.'{name}']`"),
    );
}

fn mark_log(node: &Node<'_>) -> Option<MarkLogKind> {
    node.choice(&[
        ("stopmark", MarkLogKind::Stopmark),
        ("biztalk", MarkLogKind::BizTalk),
    ])
}

/// Databases that BizTalk lists have BizTalk's own table.
const fn default_mark_log(discovery: Option<&Option<Discovery>>) -> MarkLogKind {
    match discovery {
        Some(Some(Discovery::BizTalk { .. })) => MarkLogKind::BizTalk,
        Some(None) | None => MarkLogKind::Stopmark,
    }
}

fn discovery(node: &Node<'_>) -> Option<Discovery> {
    let hint = "write `discover = { biztalk = \"BizTalkMgmtDb\" }`";
    let table = node.table(&["biztalk"])?;
    let database = table.required("biztalk", hint)?.parsed(hint)?;
    Some(Discovery::BizTalk { database })
}

/// The management database's usual name.
fn usual_discovery() -> Option<Discovery> {
    let database = "BizTalkMgmtDb".parse().ok()?;
    Some(Discovery::BizTalk { database })
}

fn members(table: &Table<'_>, hosts: &Hosts<'_>, is_discovered: bool) -> Option<Vec<MemberConfig>> {
    let items = match table.optional("members") {
        Some(node) => node.items()?,
        None => Vec::new(),
    };
    if items.is_empty() && !is_discovered {
        let hint = r#"write `members = ['HOST\INSTANCE/DATABASE']` or `discover = { biztalk = "BizTalkMgmtDb" }`"#;
        table.refuse(Code::ConfigValue, "the group has no members", hint);
        return None;
    }
    let mut members: Vec<MemberConfig> = Vec::with_capacity(items.len());
    let mut is_whole = true;
    for item in &items {
        match member(item, hosts) {
            Some(member) if is_new(item, &member, &members) => members.push(member),
            _ => is_whole = false,
        }
    }
    refuse_members_without_share(&members, hosts);
    is_whole.then_some(members)
}

/// Two entries for one database would take each other's log. Names that differ only in case are one name to
/// most servers, so they are refused, too.
pub(super) fn is_new(node: &Node<'_>, member: &MemberConfig, others: &[MemberConfig]) -> bool {
    let folded = |name: &MemberName| name.database.as_str().to_lowercase();
    let twin = others.iter().find(|other| {
        other.name.host == member.name.host && folded(&other.name) == folded(&member.name)
    });
    if let Some(twin) = twin {
        let message = format!("`{}` is listed twice", twin.name);
        node.refuse(Code::ConfigDuplicate, message, "keep one of the two");
    }
    twin.is_none()
}

pub(super) fn member(node: &Node<'_>, hosts: &Hosts<'_>) -> Option<MemberConfig> {
    if !node.is_table() {
        return member_name(node, hosts).map(MemberConfig::of);
    }
    let table = node.table(MEMBER_KEYS)?;
    let name = table
        .required("name", r"write `name = 'HOST\INSTANCE/DATABASE'`")
        .and_then(|node| member_name(&node, hosts));
    let stripes = table
        .optional("stripes")
        .map_or(Some(1), |node| stripes(&node));
    let compression = table
        .optional("compression")
        .map_or(Some(None), |node| node.boolean().map(Some));
    let best_effort = table
        .optional("best_effort")
        .map_or(Some(false), |node| node.boolean());
    Some(MemberConfig {
        name: name?,
        stripes: stripes?,
        compression: compression?,
        best_effort: best_effort?,
    })
}

/// The member with its host spelled as its section spells it.
fn member_name(node: &Node<'_>, hosts: &Hosts<'_>) -> Option<MemberName> {
    let name: MemberName = node.parsed("the host's part is the key of its section")?;
    let host = hosts.find(&name.host);
    if host.is_none() {
        refuse_unknown_host(node, &name.host, hosts);
    }
    host.map(|host| MemberName::new(host.name.clone(), name.database))
}

fn stripes(node: &Node<'_>) -> Option<u16> {
    let number = node.integer()?;
    let stripes = u16::try_from(number)
        .ok()
        .filter(|stripes| (1..=STRIPES_MAX).contains(stripes));
    if stripes.is_none() {
        let message = format!("a piece cannot have {number} stripes");
        node.refuse(Code::ConfigValue, message, "write a number from 1 to 64");
    }
    stripes
}

pub(super) fn refuse_members_without_share(members: &[MemberConfig], hosts: &Hosts<'_>) {
    for host in hosts.named.iter().filter(|host| !host.has_share) {
        let first = members.iter().find(|member| member.name.host == host.name);
        if let Some(member) = first {
            let message = format!("`{}` is on a host without a share", member.name);
            let hint =
                r"write `share = { sql = '\\nas\b\SQL1', agent = '/mnt/b/SQL1' }` for the host";
            host.node.refuse(Code::ConfigValue, message, hint);
        }
    }
}
