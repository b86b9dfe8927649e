//! The configuration: one TOML file, read and checked into [`Config`] with all faults at once.
//!
//! Start at [`load`]; every other room takes [`checked::Config`]. The tree that the TOML parser gives is read
//! key by key (`node`), so that an unknown key, a wrong type and a bad value are all found in one go, each with
//! its line; `read/` has one file for each section. This room contacts no host and no store.

pub mod biztalk;
pub mod checked;
#[cfg(windows)]
pub mod dpapi;
pub mod jobs;
pub mod schedule;
pub mod secrets;
pub mod service;

mod address;
mod diff;
mod fault;
mod node;
mod read;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use biztalk::{BizTalkConfig, DriftRule, Engine};
pub use checked::{
    BandwidthWindow, CheckDepth, Config, Discovery, DrillCheckConfig, DrillConfig, DrillPoint,
    Encryption, HostConfig, KeepingConfig, LockConfig, LockMode, LogBackupPreference, LoginConfig,
    MarkLogKind, MemberConfig, PolicyConfig, ReadBack, RetentionConfig, SealConfig, ShareConfig,
    StoreConfig, TransferConfig,
};
pub use diff::diff;
pub use jobs::{DayWindow, Job, JobConfig, ScheduleConfig, TriggersConfig};
pub use read::size_bytes;
pub use schedule::{Schedule, next_runs};
pub use secrets::{OsSecrets, SecretPlace, SecretSource, SecretUse, exposure};
pub use service::{
    AlarmsConfig, MailConfig, MailTls, NotifyConfig, PageConfig, ServiceConfig, Wants,
    WebhookConfig, WebhookKind,
};

use crate::error::{Code, Error};

/// Reads and checks a configuration file. Paths in it that are not absolute begin at its own folder. All
/// faults come back at once, each with file, line, column, key and hint (SM0101 to SM0106).
pub fn load(path: &Path, secrets: &dyn SecretSource) -> Result<Config, Vec<Error>> {
    parse(&text_of(path)?, path, secrets)
}

/// The secrets that a configuration file names, in the order of its sections, each looked up as [`load`] does; and
/// what else is wrong with the file. Where it cannot be read at all there are only faults.
pub fn secrets_named(path: &Path, source: &dyn SecretSource) -> (Vec<SecretUse>, Vec<Error>) {
    match text_of(path) {
        Ok(text) => {
            let platform = read::Platform::here();
            let (config, uses) = read::config_and_secrets(&text, path, source, platform);
            let mut faults = config.err().unwrap_or_default();
            faults.retain(|fault| fault.code() != Code::SecretMissing);
            (uses, faults)
        }
        Err(faults) => (Vec::new(), faults),
    }
}

fn text_of(path: &Path) -> Result<String, Vec<Error>> {
    let bytes = std::fs::read(path).map_err(|error| {
        vec![
            Error::new(
                Code::ConfigUnreadable,
                "the configuration file cannot be read",
            )
            .at("file", path.display())
            .hint("name the file with `--config`, or write one with `stopmark init`")
            .source(error),
        ]
    })?;
    String::from_utf8(bytes).map_err(|_| {
        vec![
            Error::new(
                Code::ConfigUnreadable,
                "the configuration file is not UTF-8",
            )
            .at("file", path.display())
            .hint("save it as UTF-8; PowerShell's `>` writes UTF-16"),
        ]
    })
}

/// Checks a configuration's text; `file` is for messages and for paths that are not absolute.
pub fn parse(text: &str, file: &Path, secrets: &dyn SecretSource) -> Result<Config, Vec<Error>> {
    read::config(text, file, secrets, read::Platform::here())
}

/// The samples that `stopmark init` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// A group of listed members.
    Group,
    /// A BizTalk group, whose members BizTalk lists.
    BizTalk,
}

/// The text of a sample, ready to be filled in.
#[must_use]
pub const fn sample(kind: Sample) -> &'static str {
    match kind {
        Sample::Group => include_str!("../../config/example.toml"),
        Sample::BizTalk => include_str!("../../config/biztalk.toml"),
    }
}
