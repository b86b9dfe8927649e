//! Whether a restore may go where it is to go: everything that stands in its way, found before anything is
//! touched. Start at [`check`].

use std::collections::BTreeMap;

use super::asked::{RestoreAsked, RestoreFiles, RestorePlace};
use super::files::Placed;
use super::groups::grouped;
use super::settings::lacks;
use super::way::{Stands, Way, is_begun, is_express, major};
use crate::chain::Point;
use crate::config::Config;
use crate::error::{Code, Error};
use crate::model::{DatabaseFileKind, HostName, MemberName};
use crate::plan::Warning;
use crate::survey::{TargetDatabase, TargetState};

/// Databases that no restore of a group's may touch.
const SYSTEM: [&str; 4] = ["master", "model", "msdb", "tempdb"];

/// The most data that a database of an Express edition may hold, in bytes.
const EXPRESS_BYTES_MAX: u64 = 10 << 30;

/// Something that a person should know of a restore before it begins.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) error: Error,
    /// The restore is not begun; else it is only told.
    pub(super) refuses: bool,
}

impl Finding {
    pub(super) const fn refusal(error: Error) -> Self {
        Self {
            error,
            refuses: true,
        }
    }

    pub(super) const fn told(error: Error) -> Self {
        Self {
            error,
            refuses: false,
        }
    }

    /// The finding as a line of the plan.
    pub(super) fn into_warning(self) -> Warning {
        let places = self.error.context().iter();
        let places = places.map(|(what, value)| format!(", {what} `{value}`"));
        Warning {
            code: self.error.code().text().to_owned(),
            message: format!("{}{}", self.error.message(), places.collect::<String>()),
            hint: self.error.hint_text().map(str::to_owned),
        }
    }
}

/// What is known before the restore begins, all of it.
pub(super) fn check(
    cfg: &Config,
    point: &Point,
    asked: &RestoreAsked,
    ways: &[Way<'_>],
    placed: &[Placed],
) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(partial(point, asked, ways));
    found.extend(one_name_twice(ways));
    for way in ways {
        found.extend(grouped(asked, way));
        found.extend(taken(cfg, asked, way));
        found.extend(unfit(asked, way));
        found.extend(lacks(way));
        found.extend(cannot_stand_by(asked, way));
    }
    found.extend(one_file_twice(ways, placed));
    found.extend(files_of_others(ways, placed));
    found.extend(room(ways, placed));
    found.extend(too_large_for_the_shares(cfg, ways));
    found
}

/// A group is consistent only as a whole.
fn partial(point: &Point, asked: &RestoreAsked, ways: &[Way<'_>]) -> Option<Finding> {
    let left: Vec<String> = point
        .paths
        .keys()
        .filter(|member| !ways.iter().any(|way| way.member == *member))
        .map(MemberName::to_string)
        .collect();
    if left.is_empty() || asked.accepts_inconsistency {
        return None;
    }
    let message =
        "only some members would come back: transactions that span the others would be half there";
    Some(Finding::refusal(
        Error::new(Code::InconsistentRestore, message)
            .at("left behind", left.join(", "))
            .hint("leave `--member` out, or say `--accept-inconsistent`"),
    ))
}

/// No two members may become one.
fn one_name_twice(ways: &[Way<'_>]) -> Vec<Finding> {
    let mut seen: BTreeMap<(&HostName, String), &MemberName> = BTreeMap::new();
    let mut found = Vec::new();
    for way in ways {
        let (target, member) = (&way.target, way.member);
        let key = (&way.host, target.as_str().to_lowercase());
        if let Some(other) = seen.insert(key, member) {
            let message = format!("`{other}` and `{member}` would both become database `{target}`");
            found.push(Finding::refusal(
                Error::new(Code::TargetExists, message)
                    .at("host", &way.host)
                    .hint("restore them to two hosts: `--map OLDHOST=NEWHOST`"),
            ));
        }
    }
    found
}

/// What is there under that name already.
fn taken(cfg: &Config, asked: &RestoreAsked, way: &Way<'_>) -> Option<Finding> {
    let target = &way.target;
    let at = |error: Error| {
        let error = error.at("host", &way.host).at("member", way.member);
        Some(Finding::refusal(error))
    };
    if SYSTEM.contains(&target.as_str().to_lowercase().as_str()) {
        let message = format!("`{target}` is a system database");
        return at(Error::new(Code::TargetExists, message).hint("restore under other names"));
    }
    let there = way.there?;
    let goes_on =
        is_begun(way, asked) && (there.state != TargetState::Online || way.stands == Stands::Open);
    if goes_on {
        return None;
    }
    if !asked.replace {
        let message = format!("database `{target}` exists and would be overwritten");
        let hint = "restore under other names with `--prefix`, or say `--yes-overwrite` with the group's name";
        return at(Error::new(Code::TargetExists, message).hint(hint));
    }
    let is_member = is_member(cfg, way);
    if is_member && asked.place != RestorePlace::OwnHosts {
        let message = format!("database `{target}` is a member of the group, in use there");
        let hint = "to restore over the group itself say `--in-place`; else take another host or `--prefix`";
        return at(Error::new(Code::TargetExists, message).hint(hint));
    }
    None
}

/// Whether the database that is there is a member of the group, be it this one or another.
fn is_member(cfg: &Config, way: &Way<'_>) -> bool {
    let letters = way.target.as_str().to_lowercase();
    let is_it = |member: &MemberName| {
        member.host.is_same_host(&way.host) && member.database.as_str().to_lowercase() == letters
    };
    way.is_over_itself() || cfg.members.iter().any(|member| is_it(&member.name))
}

/// What the target host cannot do.
fn unfit(asked: &RestoreAsked, way: &Way<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut unfit = |message: String, hint: &str| {
        found.push(Finding::refusal(
            Error::new(Code::TargetUnfit, message)
                .at("host", &way.host)
                .at("member", way.member)
                .hint(hint),
        ));
    };
    let version = &way.facts.version;
    let newest = way.pieces.iter().map(|piece| &piece.server_version);
    let newest = newest.max_by_key(|version| major(version));
    if let Some(source) = newest.filter(|source| major(source) > major(version)) {
        unfit(
            format!("a backup of SQL Server {source} cannot be restored on {version}"),
            "take a host of the same version or a newer one",
        );
    }
    let files = way.newest_with_files().map(|piece| piece.files.as_slice());
    let files = files.unwrap_or_default().iter();
    let data = files.filter(|file| file.kind == DatabaseFileKind::Data);
    let data_bytes: u64 = data.map(|file| file.size_bytes).sum();
    if is_express(way.facts) && data_bytes > EXPRESS_BYTES_MAX {
        unfit(
            "the member is larger than an Express edition can open".to_owned(),
            "take a host of another edition",
        );
    }
    let is_silent = way.facts.data_folder.is_none() || way.facts.log_folder.is_none();
    if asked.files == RestoreFiles::Defaults && is_silent {
        unfit(
            "the host does not say where its new files go".to_owned(),
            "name a folder with `--files-in`",
        );
    }
    found
}

/// A group that is restored over itself is brought whole from the store before it is touched, where the shares may hold
/// all of it; a larger one is not.
fn too_large_for_the_shares(cfg: &Config, ways: &[Way<'_>]) -> Option<Finding> {
    let (needed_bytes, max_bytes) = (fetched_bytes(ways), cfg.policy.staging_max_bytes);
    let is_over_itself = ways.iter().any(Way::is_over_itself);
    if !is_over_itself || needed_bytes <= max_bytes {
        return None;
    }
    let message = "the group is overwritten before all of its pieces were brought and found whole";
    Some(Finding::told(
        Error::new(Code::TargetRoom, message)
            .at("needed bytes", needed_bytes)
            .at("`staging_max` bytes", max_bytes)
            .hint("raise `staging_max` under `[policy]` where the shares have the room; or restore to other hosts first"),
    ))
}

/// All that is still to be brought from the store, in bytes.
pub(super) fn fetched_bytes(ways: &[Way<'_>]) -> u64 {
    let pieces = ways.iter().flat_map(Way::rest);
    let stripes = pieces.flat_map(|(_, piece)| &piece.stripes);
    stripes.map(|stripe| stripe.plain().size_bytes).sum()
}

/// Only a database of the host's own version can be looked into before it is opened (3180).
fn cannot_stand_by(asked: &RestoreAsked, way: &Way<'_>) -> Option<Finding> {
    if !asked.inspects || way.is_proven_shut {
        return None;
    }
    let message =
        "the host has another version, and the member cannot stand by there to be looked into";
    Some(Finding::refusal(
        Error::new(Code::TargetUnfit, message)
            .at("host", &way.host)
            .at("member", way.member)
            .hint("leave `--inspect` out, or take a host of the version that was backed up"),
    ))
}

/// No two databases may share a file.
fn one_file_twice(ways: &[Way<'_>], placed: &[Placed]) -> Vec<Finding> {
    let mut seen: BTreeMap<(&HostName, String), &MemberName> = BTreeMap::new();
    let mut found = Vec::new();
    for (way, placed) in ways.iter().zip(placed) {
        for file in &placed.files {
            let key = (&way.host, file.physical_name.to_lowercase());
            if let Some(holder) = seen.insert(key, way.member) {
                let message = format!("`{holder}` and `{}` would share a file", way.member);
                found.push(Finding::refusal(
                    Error::new(Code::TargetExists, message)
                        .at("file", &file.physical_name)
                        .hint("give a folder for the files with `--files-in`"),
                ));
            }
        }
    }
    found
}

/// A file of a database that stays cannot be written over (1834).
fn files_of_others(ways: &[Way<'_>], placed: &[Placed]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (way, placed) in ways.iter().zip(placed) {
        for other in stays(ways, way) {
            let has = |path: &str| {
                let mut files = other.files.iter();
                files.any(|file| file.physical_name.to_lowercase() == path.to_lowercase())
            };
            let mut files = placed.files.iter().map(|file| &file.physical_name);
            if let Some(path) = files.find(|path| has(path)) {
                let message = format!("a file of `{}` would be overwritten", other.name);
                found.push(Finding::refusal(
                    Error::new(Code::TargetExists, message)
                        .at("host", &way.host)
                        .at("member", way.member)
                        .at("file", path)
                        .hint("give a folder for the files with `--files-in`"),
                ));
            }
        }
    }
    found
}

/// The databases of a way's host that are not restored over.
fn stays<'a>(ways: &'a [Way<'_>], way: &'a Way<'_>) -> impl Iterator<Item = &'a TargetDatabase> {
    way.facts.databases.iter().filter(move |database| {
        let is_replaced = |it: &Way<'_>| {
            it.host == way.host && it.there.is_some_and(|there| there.name == database.name)
        };
        !ways.iter().any(is_replaced)
    })
}

/// The room that files need on one volume, and what is free there.
struct Need {
    needed_bytes: u64,
    free_bytes: u64,
}

/// Room on the volumes that the server tells of; of others nothing is known, and nothing is said.
fn room(ways: &[Way<'_>], placed: &[Placed]) -> Vec<Finding> {
    let mut needs: BTreeMap<(&HostName, &str), Need> = BTreeMap::new();
    for (way, placed) in ways.iter().zip(placed) {
        if way.stands != Stands::After(0) {
            continue;
        }
        // What is overwritten gives its room back first.
        let old = way.there.map(|there| there.files.as_slice());
        let old = old.unwrap_or_default().iter();
        let freed = old.map(|file| (&file.physical_name, 0, file.size_bytes));
        let files = placed.files.iter();
        let taken = files.map(|file| (&file.physical_name, file.size_bytes, 0));
        for (path, needed_bytes, freed_bytes) in taken.chain(freed) {
            let Some(volume) = way.facts.volume(path) else {
                continue;
            };
            let need = needs
                .entry((&way.host, volume.root.as_str()))
                .or_insert(Need {
                    needed_bytes: 0,
                    free_bytes: volume.free_bytes,
                });
            need.needed_bytes = need.needed_bytes.saturating_add(needed_bytes);
            need.free_bytes = need.free_bytes.saturating_add(freed_bytes);
        }
    }
    let short = needs
        .into_iter()
        .filter(|(_, need)| need.needed_bytes > need.free_bytes);
    let found = short.map(|((host, root), need)| {
        Finding::refusal(
            Error::new(
                Code::TargetRoom,
                "a target host lacks the room for the restored files",
            )
            .at("host", host)
            .at("volume", root)
            .at("needed bytes", need.needed_bytes)
            .at("free bytes", need.free_bytes)
            .hint("make room, or put files elsewhere with `--files-in` or `--move-files`"),
        )
    });
    found.collect()
}
