//! Where everything stands in a store; `docs/store-format.md` describes the same for people.
//!
//! Keys are made of slugs and numbers only, so no name from outside can climb out of the prefix.

use crate::model::{GroupName, RunId};

/// The folder of everything of one group: `v1/<group>`.
#[must_use]
pub fn group(group: &GroupName) -> String {
    format!("v1/{group}")
}

/// A set's manifest. A second manifest of one stamp (an interrupted run that went on and had more to tell)
/// gets a number.
#[must_use]
pub fn manifest(name: &GroupName, stamp: &str, attempt: u32) -> String {
    let suffix = if attempt == 0 {
        String::new()
    } else {
        format!("-{attempt}")
    };
    format!("{}/sets/{stamp}{suffix}.json", group(name))
}

/// The folder of the group's pieces.
#[must_use]
pub fn pieces(name: &GroupName) -> String {
    format!("{}/pieces", group(name))
}

/// The certificate of a drill.
#[must_use]
pub fn drill(name: &GroupName, run: RunId) -> String {
    format!("{}/drills/{run}.json", group(name))
}

/// The folder of the group's log.
#[must_use]
pub fn log(name: &GroupName) -> String {
    format!("{}/log", group(name))
}

/// One entry of the group's log; 20 digits, so that names sort as numbers.
#[must_use]
pub fn log_entry(name: &GroupName, entry: u64) -> String {
    format!("{}/{entry:020}.json", log(name))
}

/// The folder of the group's lease.
#[must_use]
pub fn leases(name: &GroupName) -> String {
    format!("{}/lease", group(name))
}

/// One lease.
#[must_use]
pub fn lease(name: &GroupName, epoch: u64) -> String {
    format!("{}/{epoch:020}.json", leases(name))
}

/// The chunk list beside a stripe.
#[must_use]
pub fn chunks(stripe_key: &str) -> String {
    format!("{stripe_key}.chunks")
}

/// One segment of a stripe that is too large for one object, from 1.
#[must_use]
pub fn segment(stripe_key: &str, number: u64) -> String {
    format!("{stripe_key}.seg{number:05}")
}

/// A stripe whose first key something else took: damaged before it was proven, or somebody's. No object is ever
/// overwritten, so the next try has a key of its own.
#[must_use]
pub fn tried(stripe_key: &str, attempt: u32) -> String {
    match attempt {
        0 => stripe_key.to_owned(),
        again => format!("{stripe_key}.try{}", again + 1),
    }
}

/// A stripe that is sealed on its way. An attempt that broke off leaves its key used, and the next has a number:
/// sealed again, the same file becomes other bytes, and no object is ever overwritten.
#[must_use]
pub fn sealed(stripe_key: &str, attempt: u32) -> String {
    match attempt {
        0 => format!("{stripe_key}.age"),
        again => format!("{stripe_key}-{again}.age"),
    }
}

/// The note beside a sealed stripe: what it is, and what it was made of.
#[must_use]
pub fn seal_note(sealed_key: &str) -> String {
    format!("{sealed_key}.sealed")
}

/// The number in the name of a log entry or lease.
#[must_use]
pub fn number_of(key: &object_store::path::Path) -> Option<u64> {
    number_in(key.filename()?)
}

/// The number in a file's name.
pub(super) fn number_in(name: &str) -> Option<u64> {
    name.strip_suffix(".json")?.parse().ok()
}
