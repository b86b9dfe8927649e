//! How a BizTalk group is kept: by whom, beside whom, and what a change of its list of databases means.
//!
//! Start at [`BizTalkConfig`]. It counts only where the group's members are read from BizTalk's own list.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::HostName;

/// What `[biztalk]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BizTalkConfig {
    /// Whose statements mark and back up.
    pub engine: Engine,
    /// Whether `adm_BackupHistory` is written and the files stay, so that a destination of BizTalk's log shipping
    /// goes on.
    pub log_shipping: bool,
    /// How long files and rows stay for it; the full that the oldest of them needs stays longer.
    pub keep_for: Duration,
    /// Whether the run after a set that is not whole takes fulls of all members: the destination waits for them.
    pub full_after_partial: bool,
    /// What becomes of a group whose list has changed.
    pub drift: DriftRule,
    /// Whose other names (aliases, listeners) stand in the list: as written there, and the host that is meant.
    pub servers: BTreeMap<String, HostName>,
}

/// Whose statements mark and back up the databases of a BizTalk group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Stopmark's own: in parallel, with CHECKSUM.
    Stopmark,
    /// The procedures that BizTalk's own job calls: the only way that Microsoft supports.
    Microsoft,
}

/// What becomes of databases that join the list, leave it or stand in it with another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftRule {
    /// New ones join; one that leaves stays a member until a person approves.
    Join,
    /// The list is followed in everything.
    Follow,
    /// Nothing changes until a person approves.
    Hold,
}

impl Default for BizTalkConfig {
    fn default() -> Self {
        Self {
            engine: Engine::Stopmark,
            log_shipping: true,
            keep_for: Duration::from_secs(14 * 24 * 60 * 60),
            full_after_partial: true,
            drift: DriftRule::Join,
            servers: BTreeMap::new(),
        }
    }
}
