//! From the tree of the file to [`Config`]: one file for each section, and here what spans them.
//!
//! Start at [`config`]. A reader gives none where it added a fault; the last line below therefore holds a
//! whole Config exactly when there is no fault.

mod biztalk;
mod companions;
mod drill;
mod group;
mod hosts;
mod keeping;
mod policy;
mod retention;
mod schedule;
mod sealing;
mod secret;
mod service;
mod store;
mod transfer;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

pub use self::transfer::size_bytes;

use self::secret::Secrets;
use super::checked::Config;
use super::fault::{Fault, Faults, Place};
use super::node::{Node, Table};
use super::secrets::{SecretSource, SecretUse};
use crate::error::{Code, Error};

/// The only version of the file so far.
const FORMAT: i64 = 1;

const SECTIONS: &[&str] = &[
    "format",
    "group",
    "companions",
    "hosts",
    "store",
    "encryption",
    "schedule",
    "service",
    "page",
    "alarms",
    "notify",
    "policy",
    "retention",
    "drill",
    "biztalk",
    "paths",
];

/// What the agent runs on, as far as the file's meaning depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Platform {
    /// Windows, with the folder that it keeps for programs' data.
    Windows {
        /// `%ProgramData%`.
        program_data: PathBuf,
    },
    /// Linux and its like.
    Unix {
        /// Whether this build logs in with tickets of Kerberos.
        has_kerberos: bool,
    },
}

/// What every reader needs beside its table.
pub(super) struct Surroundings<'a> {
    /// The folder of the configuration file.
    folder: PathBuf,
    platform: Platform,
    secrets: Secrets<'a>,
}

impl Platform {
    /// Of this build.
    pub(super) fn here() -> Self {
        if cfg!(windows) {
            Self::Windows {
                program_data: super::secrets::program_data(),
            }
        } else {
            Self::Unix {
                has_kerberos: cfg!(feature = "kerberos"),
            }
        }
    }
}

impl Surroundings<'_> {
    /// A path of the file: one that is not absolute begins at the file's folder.
    fn path(&self, node: &Node<'_>) -> Option<PathBuf> {
        node.filled().map(|path| self.folder.join(path))
    }
}

/// Reads and checks the text of a configuration file.
pub(super) fn config(
    text: &str,
    file: &Path,
    secrets: &dyn SecretSource,
    platform: Platform,
) -> Result<Config, Vec<Error>> {
    config_and_secrets(text, file, secrets, platform).0
}

/// The same, with every secret that was looked up on the way.
pub(super) fn config_and_secrets(
    text: &str,
    file: &Path,
    secrets: &dyn SecretSource,
    platform: Platform,
) -> (Result<Config, Vec<Error>>, Vec<SecretUse>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let faults = Faults::default();
    let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
    let around = Surroundings {
        secrets: Secrets {
            source: secrets,
            folder: folder.clone(),
            uses: RefCell::default(),
        },
        folder,
        platform,
    };
    let (tree, errors) = DeTable::parse_recoverable(text);
    // The parser mends what it could not read with values of its own, so nothing is read from such a tree.
    let config = if errors.is_empty() {
        let root = Table::root(tree.get_ref(), &faults, SECTIONS);
        is_known_format(&root)
            .then(|| sections(&root, &around))
            .flatten()
    } else {
        for error in errors {
            faults.add(syntax(&error));
        }
        None
    };
    let config = match config {
        Some(config) if faults.is_empty() => Ok(config),
        None if faults.is_empty() => Err(vec![Error::new(
            Code::Bug,
            "the configuration was refused without a reason",
        )]),
        _ => Err(faults.into_errors(file, text)),
    };
    (config, around.secrets.uses.into_inner())
}

/// The parser's own words without the line that it quotes, which may hold a secret.
fn syntax(error: &toml::de::Error) -> Fault {
    let (code, hint) = if error.message().starts_with("duplicate key") {
        (Code::ConfigDuplicate, "keep one of the two")
    } else if error.message().contains("escape") {
        (
            Code::ConfigSyntax,
            "put a text with backslashes in single quotes",
        )
    } else {
        (
            Code::ConfigSyntax,
            "look at this line and the one before it; TOML is described at https://toml.io",
        )
    };
    Fault {
        code,
        message: error.message().to_owned(),
        place: Place {
            key: String::new(),
            span: error.span(),
        },
        hint: hint.to_owned(),
    }
}

/// A newer file is not read at all: its keys may mean something else.
fn is_known_format(root: &Table<'_>) -> bool {
    let Some(node) = root.required("format", "write `format = 1` as the first line") else {
        return true;
    };
    match node.integer() {
        Some(FORMAT) => true,
        Some(found) if found > FORMAT => {
            let message = format!("the file has format {found}, this version reads up to {FORMAT}");
            node.refuse(
                Code::ConfigValue,
                message,
                "use a newer version of Stopmark",
            );
            false
        }
        Some(_) => {
            node.refuse(
                Code::ConfigValue,
                "there is no such format",
                "write `format = 1`",
            );
            false
        }
        None => false,
    }
}

fn sections(root: &Table<'_>, around: &Surroundings<'_>) -> Option<Config> {
    let hosts = hosts::read(root, around);
    let group = group::read(root, &hosts);
    let companions = companions::companions(root, group.as_ref(), &hosts);
    let biztalk = biztalk::biztalk(root, group.as_ref(), &hosts);
    let stores = store::read(root, around);
    let sealing = sealing::read(root, around);
    let schedule = schedule::schedule(root);
    let service = service::service(root, around);
    let policy = policy::policy(root, stores.as_ref().map(|(_, further)| 1 + further.len()));
    let retention = retention::retention(root);
    let drill = drill::drill(root, around);
    schedule::drill_has_hosts(root, drill.as_ref());
    schedule::companions_are_named(root, &companions);
    let (state, logs) = policy::paths(root, around);
    let group = group?;
    let (store, further_stores) = stores?;
    Some(Config {
        group: group.name,
        management_host: group.management_host,
        mark_prefix: group.mark_prefix,
        mark_log: group.mark_log,
        discovery: group.discovery,
        biztalk,
        members: group.members,
        companions,
        hosts: hosts.whole,
        store,
        further_stores,
        sealing,
        schedule,
        service,
        policy,
        retention,
        drill,
        state,
        logs,
    })
}

/// Every key that the file may have, for the test that keeps the full sample full.
#[cfg(test)]
pub(super) fn all_keys() -> impl Iterator<Item = &'static str> {
    let sections = [
        SECTIONS,
        group::KEYS,
        group::MEMBER_KEYS,
        companions::KEYS,
        hosts::KEYS,
        hosts::SHARE_KEYS,
        store::KEYS,
        transfer::KEYS,
        keeping::KEYS,
        sealing::KEYS,
        transfer::BANDWIDTH_KEYS,
    ];
    let sections = sections.into_iter().chain([
        schedule::KEYS,
        schedule::JOB_KEYS,
        schedule::WINDOW_KEYS,
        service::KEYS,
        service::PAGE_KEYS,
        service::ALARMS_KEYS,
        service::NOTIFY_KEYS,
        service::MAIL_KEYS,
        service::WEBHOOK_KEYS,
        policy::POLICY_KEYS,
        policy::PATHS_KEYS,
        retention::KEYS,
        drill::KEYS,
        drill::CHECK_KEYS,
        biztalk::KEYS,
    ]);
    sections.flatten().copied()
}
