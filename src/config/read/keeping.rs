//! `[store.keeping]`: how the store is to keep each object.
//!
//! Start at [`read`]. What a kind of store cannot do for single objects is refused here, before anything is sent
//! there without the lock that somebody counts on.

use super::store::Scheme;
use crate::config::checked::{KeepingConfig, LockConfig, LockMode};
use crate::config::node::{Node, Table};
use crate::error::Code;

pub(super) const KEYS: &[&str] = &["storage_class", "lock", "lock_days", "legal_hold"];

const MODES: &[(&str, LockMode)] = &[
    ("governance", LockMode::Governance),
    ("compliance", LockMode::Compliance),
];
const DAYS: &str = "write for how many days each object is locked, 1 to 36500";

/// Ten times ten years, as Amazon has it.
const DAYS_MAX: i64 = 36_500;

/// Reads the section; a value with a fault keeps its default.
pub(super) fn read(store: &Table<'_>, scheme: Option<Scheme>) -> KeepingConfig {
    let table = store.optional("keeping").and_then(|node| node.table(KEYS));
    let Some(table) = table else {
        return KeepingConfig::default();
    };
    let class = table.optional("storage_class");
    let storage_class = class.and_then(|node| storage_class(&node, scheme));
    let hold = table.optional("legal_hold");
    let hold = hold.filter(|node| locks_objects(node, scheme));
    KeepingConfig {
        storage_class,
        lock: lock(&table, scheme),
        legal_hold: hold.and_then(|node| node.boolean()).unwrap_or(false),
    }
}

fn storage_class(node: &Node<'_>, scheme: Option<Scheme>) -> Option<String> {
    let text = node.filled()?;
    let is_word = text
        .bytes()
        .all(|it| it.is_ascii_alphanumeric() || it == b'_');
    if scheme == Some(Scheme::Folder) {
        let hint = "leave it out: only object stores have classes";
        node.refuse(Code::ConfigValue, "a folder has no storage classes", hint);
    } else if !is_word {
        let hint =
            "write one of the store's own words, such as `STANDARD_IA`, `Cool` or `NEARLINE`";
        node.refuse(Code::ConfigValue, "this is no storage class", hint);
    }
    Some(text.to_owned())
}

fn lock(table: &Table<'_>, scheme: Option<Scheme>) -> Option<LockConfig> {
    let Some(mode) = table.optional("lock") else {
        if let Some(node) = table.optional("lock_days") {
            node.refuse(
                Code::ConfigValue,
                "`lock_days` stands without `lock`",
                "write `lock` too, or leave both out",
            );
        }
        return None;
    };
    let is_possible = locks_objects(&mode, scheme);
    let days = table
        .required("lock_days", DAYS)
        .and_then(|node| days(&node));
    Some(LockConfig {
        mode: mode.choice(MODES)?,
        days: days.filter(|_| is_possible)?,
    })
}

fn days(node: &Node<'_>) -> Option<u16> {
    let days = node.integer()?;
    let found = u16::try_from(days).ok();
    let found = found.filter(|_| (1..=DAYS_MAX).contains(&days));
    if found.is_none() {
        node.refuse(
            Code::ConfigValue,
            "objects cannot be locked for so long",
            DAYS,
        );
    }
    found
}

/// Whether single objects can be locked there; refused where not.
fn locks_objects(node: &Node<'_>, scheme: Option<Scheme>) -> bool {
    let cure = match scheme {
        None | Some(Scheme::S3) => return true,
        Some(Scheme::Folder) => "a folder is protected by its rights; lock objects in S3",
        Some(Scheme::Azure) => {
            "set a time-based policy or a legal hold on the container; what it holds is respected"
        }
        Some(Scheme::Google) => "set a retention policy on the bucket; what it holds is respected",
    };
    let message = "this kind of store locks no single objects";
    node.refuse(Code::ConfigValue, message, cure);
    false
}
