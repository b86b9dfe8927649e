//! What a BizTalk management database says of its group: the list, the backup history, the job.
//!
//! Start at [`BizTalkFacts`]. Names are those of the product's documentation; what the columns mean stands with the
//! values that they become.

use serde::{Deserialize, Serialize};

use super::UnresolvedMember;
use crate::model::{DatabaseName, MemberName, PieceKind};

/// The management database, as one survey found it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BizTalkFacts {
    /// What was read is a secondary replica.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_secondary: bool,
    /// The rows of `admv_BackupDatabases`, in their order.
    pub listed: Vec<ListedDatabase>,
    /// Tables, procedures and columns that backups of the group need and that are not there, or may not be used.
    pub missing: Vec<String>,
    /// `adm_BackupSettings.ForceFull`: somebody wants a full of everything.
    pub force_full: bool,
    /// The newest complete set of fulls in the history; 0 where there is none.
    pub newest_full_set: i64,
    /// The newest set that is not complete; 0 where there is none.
    pub newest_partial_set: i64,
    /// The newest row of each database in the history.
    pub newest_rows: Vec<HistoryRowFacts>,
    /// The jobs of the Agent that call the group's own backup procedures.
    pub jobs: Vec<BackupJobFacts>,
}

/// One row of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedDatabase {
    /// The server as somebody configured it: true name, alias, `host,port` or listener.
    pub server: String,
    /// The database.
    pub database: DatabaseName,
    /// The member that is meant; none where the server is no configured host.
    #[serde(default)]
    pub member: Option<MemberName>,
}

/// The newest row of one database in `adm_BackupHistory`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRowFacts {
    /// Its server, as the list names it.
    pub server: String,
    /// The database.
    pub database: String,
    /// `db` or `lg`.
    pub kind: PieceKind,
    /// The file's name, without its folder.
    pub file: String,
    /// Its folder, as the server that wrote it names it.
    pub folder: String,
}

/// One Agent job with a step that calls the group's backup procedures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupJobFacts {
    /// Its name.
    pub name: String,
    /// Whether the Agent runs it.
    pub is_enabled: bool,
    /// The commands of its T-SQL steps, in order.
    pub commands: Vec<String>,
}

impl BizTalkFacts {
    /// The row of the list that means this member; the first where there are several.
    #[must_use]
    pub fn row_of(&self, member: &MemberName) -> Option<&ListedDatabase> {
        let mut rows = self.listed.iter();
        rows.find(|row| row.member.as_ref() == Some(member))
    }

    /// Each row means its member by the name that the survey has for it.
    pub(super) fn call(&mut self, name_of: impl Fn(&MemberName) -> MemberName) {
        for row in &mut self.listed {
            row.member = row.member.as_ref().map(&name_of);
        }
    }

    /// The members that stand in the list under more than one server name, with these names.
    #[must_use]
    pub fn twice(&self) -> Vec<(&MemberName, Vec<&str>)> {
        let mut found: Vec<(&MemberName, Vec<&str>)> = Vec::new();
        for row in &self.listed {
            let Some(member) = &row.member else {
                continue;
            };
            match found.iter_mut().find(|(it, _)| *it == member) {
                Some((_, servers)) => servers.push(&row.server),
                None => found.push((member, vec![&row.server])),
            }
        }
        found.retain(|(_, servers)| servers.len() > 1);
        found
    }
}

/// The rows whose server is no configured host.
pub(super) fn unresolved(listed: &[ListedDatabase]) -> Vec<UnresolvedMember> {
    let unresolved = listed.iter().filter(|row| row.member.is_none());
    let unresolved = unresolved.map(|row| UnresolvedMember {
        server: row.server.clone(),
        database: row.database.clone(),
    });
    unresolved.collect()
}
