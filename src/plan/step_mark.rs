//! The steps of a mark. Wire types like all steps: they stand in journals for ever, so fields are added, never renamed.

use serde::{Deserialize, Serialize};

use super::step_biztalk::BlockTracking;
use crate::config::MarkLogKind;
use crate::model::{DatabaseName, HostName, MarkName, MemberName, Timestamp};

/// The marked transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceMark {
    /// Its name.
    pub mark: MarkName,
    /// The instant in its name.
    pub stamped_at: Timestamp,
    /// Whose table carries it.
    pub mark_log: MarkLogKind,
    /// The host where it begins, through which all others are reached.
    pub management_host: HostName,
    /// Members on the management host itself; the first is the context that the transaction begins in.
    pub local: Vec<DatabaseName>,
    /// The other hosts, ordered by name.
    pub remote: Vec<MarkLeg>,
    /// The application lock held around mark and history rows (`BTS_BackupJob_Lock`), with its database.
    pub app_lock: Option<(DatabaseName, String)>,
    /// How long the transaction may take, in milliseconds.
    pub timeout_ms: u64,
    /// The decoder that stands still until the mark is placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking: Option<BlockTracking>,
    /// The management database whose own procedure (`sp_MarkBTSLogs`) places the mark; none: our batch does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_procedure: Option<DatabaseName>,
}

impl PlaceMark {
    /// Its members, as the hosts that they are on name them.
    pub fn places(&self) -> impl Iterator<Item = MemberName> {
        let local = std::iter::once((&self.management_host, &self.local));
        let remote = self.remote.iter().map(|leg| (&leg.host, &leg.databases));
        local.chain(remote).flat_map(|(host, databases)| {
            let named = |database: &DatabaseName| MemberName::new(host.clone(), database.clone());
            databases.iter().map(named)
        })
    }
}

/// The mark on one other host: its first database begins its own `WITH MARK`, the rest join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkLeg {
    /// The host.
    pub host: HostName,
    /// The linked server that leads there.
    pub link: String,
    /// Its members, never empty.
    pub databases: Vec<DatabaseName>,
}

/// Looks for the mark in every member's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmMark {
    /// The mark.
    pub mark: MarkName,
    /// Every member that must hold it, each asked on its own host.
    pub members: Vec<MarkTarget>,
}

/// One member that must hold a mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkTarget {
    /// The member.
    pub member: MemberName,
    /// The host of its primary replica, where that is not the member's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<HostName>,
}

impl MarkTarget {
    /// The member as the host that its mark was placed on names it.
    #[must_use]
    pub fn place(&self) -> MemberName {
        let host = self.home.as_ref().unwrap_or(&self.member.host);
        MemberName::new(host.clone(), self.member.database.clone())
    }
}
