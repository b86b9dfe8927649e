//! `[hosts."HOST\INSTANCE"]`: how each host is reached and where its backups go.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Platform, Surroundings};
use crate::config::address;
use crate::config::checked::{Encryption, HostConfig, LoginConfig, ShareConfig};
use crate::config::node::{Node, Table};
use crate::error::Code;
use crate::model::HostName;

pub(super) const KEYS: &[&str] = &[
    "address",
    "login",
    "encryption",
    "trust_ca",
    "trust_any_certificate",
    "share",
    "foreign",
    "link_address",
    "link_login",
];

pub(super) const SHARE_KEYS: &[&str] = &["sql", "agent"];

const LOGIN_FORMS: &str =
    r#"write `{ user = "NAME", password = { env = "NAME" } }` or `"integrated"`"#;

/// The hosts of the file.
pub(super) struct Hosts<'a> {
    /// Those without fault.
    pub(super) whole: BTreeMap<HostName, HostConfig>,
    /// Every host that has a name, so that a fault in a host does not make its members faulty too.
    pub(super) named: Vec<NamedHost<'a>>,
}

/// A host that the file names, with or without fault.
pub(super) struct NamedHost<'a> {
    pub(super) name: HostName,
    pub(super) node: Node<'a>,
    pub(super) has_share: bool,
}

/// A fault that has been told.
struct Told;

impl Hosts<'_> {
    /// The host as the file spells it, however the asker does.
    pub(super) fn find(&self, name: &HostName) -> Option<&NamedHost<'_>> {
        self.named.iter().find(|host| host.name.is_same_host(name))
    }
}

/// Reads all hosts.
pub(super) fn read<'a>(root: &Table<'a>, around: &Surroundings<'_>) -> Hosts<'a> {
    let mut hosts = Hosts {
        whole: BTreeMap::new(),
        named: Vec::new(),
    };
    let hint = r"write a section `[hosts.'HOST\INSTANCE']` for each host";
    let section = root.required("hosts", hint);
    let entries = section.as_ref().and_then(Node::entries);
    if let (Some(node), Some([])) = (&section, entries.as_deref()) {
        node.refuse(Code::ConfigValue, "no host is configured", hint);
    }
    for (key, node) in entries.unwrap_or_default() {
        let name: HostName = match key.parse() {
            Ok(name) => name,
            Err(error) => {
                let hint = "the key is what `SELECT SERVERPROPERTY('ServerName')` gives";
                node.refuse(Code::ConfigValue, error.to_string(), hint);
                continue;
            }
        };
        if let Some(twin) = hosts.find(&name) {
            let message = format!("`{name}` and `{}` are one host", twin.name);
            node.refuse(
                Code::ConfigDuplicate,
                message,
                "SQL Server compares host names without case",
            );
            continue;
        }
        let host = host(&name, &node, around);
        let has_share = node
            .entries()
            .unwrap_or_default()
            .iter()
            .any(|(key, _)| *key == "share");
        hosts.named.push(NamedHost {
            name: name.clone(),
            node,
            has_share,
        });
        hosts.whole.extend(host.map(|host| (name, host)));
    }
    hosts
}

fn host(name: &HostName, node: &Node<'_>, around: &Surroundings<'_>) -> Option<HostConfig> {
    let table = node.table(KEYS)?;
    // Every key is read before the first fault ends this host, so that all of its faults are told.
    let address = table
        .optional("address")
        .map_or_else(|| own_name(name, node), |node| address_of(&node));
    let login = table
        .required("login", LOGIN_FORMS)
        .and_then(|node| login(&node, around));
    let encryption = table
        .optional("encryption")
        .map_or(Some(Encryption::Required), |node| encryption(&node));
    let any = table
        .optional("trust_any_certificate")
        .map_or(Some(false), |node| node.boolean());
    let trust_ca = optional(&table, "trust_ca", |node| around.path(node));
    let share = optional(&table, "share", |node| share(node, &around.platform));
    let foreign = optional(&table, "foreign", |node| shares(node, &around.platform));
    let link_address = optional(&table, "link_address", address_of);
    let link_login = optional(&table, "link_login", |node| link_login(node, around));
    if any == Some(true) && table.optional("trust_ca").is_some() {
        let message = "`trust_ca` and `trust_any_certificate` exclude each other";
        table.refuse(Code::ConfigValue, message, "keep `trust_ca`");
        return None;
    }
    Some(HostConfig {
        name: name.clone(),
        address: address?,
        login: login?,
        encryption: encryption?,
        trust_ca: trust_ca.ok()?,
        trust_any_certificate: any?,
        share: share.ok()?,
        foreign: foreign.ok()?.unwrap_or_default(),
        link_address: link_address.ok()?,
        link_login: link_login.ok()?,
    })
}

/// The value of a key that may be absent.
fn optional<'a, T>(
    table: &Table<'a>,
    key: &str,
    read: impl FnOnce(&Node<'a>) -> Option<T>,
) -> Result<Option<T>, Told> {
    let value = table.optional(key).map(|node| read(&node).ok_or(Told));
    value.transpose()
}

/// A host's true name is also its address, unless the file says another.
fn own_name(name: &HostName, node: &Node<'_>) -> Option<String> {
    if address::check(name.as_str()).is_ok() {
        return Some(name.to_string());
    }
    node.refuse(
        Code::ConfigValue,
        "the host's name is no address, so `address` is missing",
        r"write `address` as `host`, `host,port` or `host\instance`",
    );
    None
}

fn address_of(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    match address::check(text) {
        Ok(()) => Some(text.trim().to_owned()),
        Err(why) => {
            node.refuse(Code::ConfigValue, why.message, why.hint);
            None
        }
    }
}

fn encryption(node: &Node<'_>) -> Option<Encryption> {
    node.choice(&[
        ("required", Encryption::Required),
        ("strict", Encryption::Strict),
        ("login-only", Encryption::LoginOnly),
    ])
}

fn login(node: &Node<'_>, around: &Surroundings<'_>) -> Option<LoginConfig> {
    match node.as_string() {
        Some("integrated") => integrated(node, &around.platform),
        // The text is not repeated: it may be a password.
        Some(_) => {
            node.refuse(Code::ConfigValue, "this is not a login", LOGIN_FORMS);
            None
        }
        None => sql_login(node, around),
    }
}

fn integrated(node: &Node<'_>, platform: &Platform) -> Option<LoginConfig> {
    match platform {
        Platform::Windows { .. } | Platform::Unix { has_kerberos: true } => {
            Some(LoginConfig::Integrated)
        }
        Platform::Unix {
            has_kerberos: false,
        } => {
            let message = "`login = \"integrated\"` needs Windows, or a build that knows Kerberos";
            let hint = "use a SQL Server login, or build with `--features kerberos` \
                        (docs/rights.md says what it needs)";
            node.refuse(Code::ConfigValue, message, hint);
            None
        }
    }
}

fn link_login(node: &Node<'_>, around: &Surroundings<'_>) -> Option<LoginConfig> {
    if node.as_string() == Some("integrated") {
        let message = "a link's login is a SQL Server login";
        node.refuse(
            Code::ConfigValue,
            message,
            "leave `link_login` out to pass the agent's own identity on",
        );
        return None;
    }
    login(node, around)
}

fn sql_login(node: &Node<'_>, around: &Surroundings<'_>) -> Option<LoginConfig> {
    let table = node.table(&["user", "password"])?;
    let user = table
        .required("user", LOGIN_FORMS)
        .and_then(|node| node.filled());
    let password = table
        .required("password", LOGIN_FORMS)
        .and_then(|node| around.secrets.read(&node));
    Some(LoginConfig::Sql {
        user: user?.to_owned(),
        password: password?,
    })
}

fn share(node: &Node<'_>, platform: &Platform) -> Option<ShareConfig> {
    let hint =
        "`sql` is the folder as SQL Server names it, `agent` the same folder as this machine does";
    let table = node.table(SHARE_KEYS)?;
    let sql = table
        .required("sql", hint)
        .and_then(|node| sql_folder(&node));
    let agent = table
        .required("agent", hint)
        .and_then(|node| agent_folder(&node, platform));
    Some(ShareConfig {
        sql: sql?,
        agent: agent?,
    })
}

/// Folders that others write to; every fault of every one is told.
fn shares(node: &Node<'_>, platform: &Platform) -> Option<Vec<ShareConfig>> {
    let folders: Vec<_> = node
        .items()?
        .iter()
        .map(|item| share(item, platform))
        .collect();
    folders.into_iter().collect()
}

fn sql_folder(node: &Node<'_>) -> Option<String> {
    let text = node.filled()?;
    if !is_windows_path(text) && !text.starts_with('/') {
        let hint = r"write `'\\server\share\folder'`, `'D:\folder'` or `/folder`";
        node.refuse(Code::ConfigValue, "the path is not absolute", hint);
        return None;
    }
    Some(text.to_owned())
}

fn agent_folder(node: &Node<'_>, platform: &Platform) -> Option<PathBuf> {
    let text = node.filled()?;
    let (is_absolute, hint) = match platform {
        Platform::Windows { .. } => (
            is_windows_path(text),
            r"write `'\\server\share\folder'` or `'D:\folder'`",
        ),
        Platform::Unix { .. } => (
            text.starts_with('/'),
            "mount the share on this machine and write where, `/mnt/..`",
        ),
    };
    if !is_absolute {
        node.refuse(
            Code::ConfigValue,
            "this is not an absolute path on this machine",
            hint,
        );
        return None;
    }
    Some(PathBuf::from(text))
}

fn is_windows_path(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.starts_with(r"\\")
        || matches!(bytes, [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic())
}
