//! `[policy]` and `[paths]`: sections that may be absent, since every key has a default.

use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;

use super::{Platform, Surroundings, transfer};
use crate::config::checked::{LogBackupPreference, PolicyConfig, ReadBack};
use crate::config::node::{Node, Table};
use crate::error::Code;

pub(super) const POLICY_KEYS: &[&str] = &[
    "read_back",
    "sample_over",
    "copies",
    "copy_budget",
    "staging_max",
    "statement_silence_max",
    "mark_timeout",
    "connect_timeout",
    "lease_ttl",
    "retry_times",
    "retry_first_wait",
    "retry_wait_max",
    "busy_wait_max",
    "cures_max",
    "cures_within",
    "quarantine",
    "log_used_max",
    "pause_max",
    "log_backup_preference",
    "replica_wait",
];
pub(super) const PATHS_KEYS: &[&str] = &["state", "logs"];

const READ_BACK: &[(&str, ReadBack)] = &[
    ("whole", ReadBack::Whole),
    ("sample", ReadBack::Sample),
    ("size", ReadBack::Size),
];

const LOG_BACKUP_PREFERENCE: &[(&str, LogBackupPreference)] = &[
    ("primary", LogBackupPreference::Primary),
    ("secondary", LogBackupPreference::Secondary),
    ("secondary_only", LogBackupPreference::SecondaryOnly),
];

/// Longer than any wait that makes sense, shorter than any sum that could overflow.
const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// More than any count here needs.
const COUNT_MAX: u8 = 100;

pub(super) fn section<'a>(root: &Table<'a>, name: &str, keys: &[&str]) -> Option<Table<'a>> {
    root.optional(name).and_then(|node| node.table(keys))
}

/// How runs are done; a value with a fault keeps its default. `stores` is how many there are, where that is known.
pub(super) fn policy(root: &Table<'_>, stores: Option<usize>) -> PolicyConfig {
    let default = PolicyConfig {
        // Who names a second store wants to outlive the first: a piece in one of them is not yet safe.
        copies: stores.unwrap_or(1),
        ..PolicyConfig::default()
    };
    let Some(table) = section(root, "policy", POLICY_KEYS) else {
        return default;
    };
    let wait = |key, default| {
        table
            .optional(key)
            .and_then(|node| duration(&node))
            .unwrap_or(default)
    };
    let count = |key, default| {
        table
            .optional(key)
            .and_then(|node| small(&node))
            .unwrap_or(default)
    };
    PolicyConfig {
        read_back: table
            .optional("read_back")
            .and_then(|node| node.choice(READ_BACK))
            .unwrap_or(default.read_back),
        sample_over_bytes: table
            .optional("sample_over")
            .and_then(|node| transfer::size(&node))
            .unwrap_or(default.sample_over_bytes),
        copies: table
            .optional("copies")
            .and_then(|node| copies(&node, stores))
            .unwrap_or(default.copies),
        copy_budget_bytes: table
            .optional("copy_budget")
            .and_then(|node| transfer::size(&node))
            .unwrap_or(default.copy_budget_bytes),
        staging_max_bytes: table
            .optional("staging_max")
            .and_then(|node| transfer::size(&node))
            .unwrap_or(default.staging_max_bytes),
        statement_silence_max: wait("statement_silence_max", default.statement_silence_max),
        mark_timeout: wait("mark_timeout", default.mark_timeout),
        connect_timeout: wait("connect_timeout", default.connect_timeout),
        lease_ttl: wait("lease_ttl", default.lease_ttl),
        retry_times: count("retry_times", default.retry_times),
        retry_first_wait: wait("retry_first_wait", default.retry_first_wait),
        retry_wait_max: wait("retry_wait_max", default.retry_wait_max),
        busy_wait_max: wait("busy_wait_max", default.busy_wait_max),
        cures_max: count("cures_max", default.cures_max),
        cures_within: count("cures_within", default.cures_within),
        quarantine: wait("quarantine", default.quarantine),
        log_used_max: count("log_used_max", default.log_used_max),
        pause_max: wait("pause_max", default.pause_max),
        log_backup_preference: table
            .optional("log_backup_preference")
            .and_then(|node| node.choice(LOG_BACKUP_PREFERENCE))
            .unwrap_or(default.log_backup_preference),
        replica_wait: wait("replica_wait", default.replica_wait),
    }
}

/// 1 to the number of stores; any number where nobody knows how many there are.
fn copies(node: &Node<'_>, stores: Option<usize>) -> Option<usize> {
    let wanted = node.integer()?;
    let most = stores.unwrap_or(usize::MAX);
    let found = usize::try_from(wanted)
        .ok()
        .filter(|count| (1..=most).contains(count));
    if found.is_none() {
        let message = format!("there cannot be {wanted} copies");
        node.refuse(
            Code::ConfigValue,
            message,
            "write 1 to the number of stores",
        );
    }
    found
}

/// A count of things that nobody wants many of.
pub(super) fn small(node: &Node<'_>) -> Option<u8> {
    let number = node.integer()?;
    let small = u8::try_from(number).ok().filter(|it| *it <= COUNT_MAX);
    if small.is_none() {
        let message = format!("{number} is not a count that can be used");
        node.refuse(Code::ConfigValue, message, "write a number from 0 to 100");
    }
    small
}

/// A wait that is longer than none.
pub(super) fn duration(node: &Node<'_>) -> Option<Duration> {
    let text = node.string()?;
    let wait = text
        .parse::<SignedDuration>()
        .ok()
        .and_then(|wait| Duration::try_from(wait).ok())
        .filter(|wait| !wait.is_zero() && *wait <= DURATION_MAX);
    if wait.is_none() {
        let message = format!("`{text}` is not a duration that can be used");
        node.refuse(
            Code::ConfigValue,
            message,
            "write `30s`, `10m` or `2h`, at most 168 hours",
        );
    }
    wait
}

/// The folders of state and logs.
pub(super) fn paths(root: &Table<'_>, around: &Surroundings<'_>) -> (PathBuf, PathBuf) {
    let (state, logs) = match &around.platform {
        Platform::Windows { program_data } => {
            let own = program_data.join("Stopmark");
            (own.join("state"), own.join("logs"))
        }
        Platform::Unix { .. } => ("/var/lib/stopmark".into(), "/var/log/stopmark".into()),
    };
    let Some(table) = section(root, "paths", PATHS_KEYS) else {
        return (state, logs);
    };
    let path = |key, default| {
        table
            .optional(key)
            .and_then(|node| around.path(&node))
            .unwrap_or(default)
    };
    (path("state", state), path("logs", logs))
}
