//! The shapes of facts. Start at [`Survey`]; everything here is a value that prints and serialises.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    BizTalkFacts, Drift, EventSession, FarSide, LinkFacts, Replica, ReportedError, Seeding,
};
use crate::config::Config;
use crate::model::{
    DatabaseName, DatabaseSettings, HostName, Lsn, MarkName, MemberName, PieceKind, ServerLocal,
    SurveyId, Timestamp,
};

/// What the hosts said, at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Survey {
    /// Its identity; a plan names the survey that it was made from.
    pub id: SurveyId,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// What each configured host said, by configured name.
    pub hosts: BTreeMap<HostName, HostReport>,
    /// The members: those listed and those discovered, in the order of their names, none twice.
    pub members: Vec<MemberName>,
    /// Discovered members whose server is none of the configured hosts.
    #[serde(default)]
    pub unresolved: Vec<UnresolvedMember>,
    /// Members that are elsewhere than the configuration says, since their group failed over. They keep their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<MovedMember>,
    /// What the management database of a BizTalk group says; none for other groups, and where it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub biztalk: Option<BizTalkFacts>,
    /// How its list differs from the group that the newest set holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// Members of the newest set that the configuration leads to no more: it has not them, or not their hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<MemberName>,
    /// Members of which a second host claims the primary replica too, as after a forced failover that the old primary one
    /// has not heard of: nobody can say which log counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contested: Vec<MovedMember>,
    /// The host where marks begin now, if it is not the one of the configuration: the members that made that one the
    /// management host have failed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_host: Option<HostName>,
}

/// A member whose primary replica is on another host than the one that it is listed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedMember {
    /// As the configuration lists it.
    pub listed: MemberName,
    /// Where it is.
    pub now: MemberName,
}

/// A discovered member on a server that the configuration does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnresolvedMember {
    /// The server as the source names it.
    pub server: String,
    /// The database.
    pub database: DatabaseName,
}

/// A host's facts, or why there are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostReport {
    /// It answered.
    Facts(Box<HostFacts>),
    /// It did not; code, message and hint of the error.
    Silent {
        /// The stable code.
        code: String,
        /// One line.
        message: String,
        /// What a person should do.
        hint: Option<String>,
        /// The name that it gave instead of the configured one; none where it said nothing at all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        true_name: Option<HostName>,
    },
}

impl HostReport {
    /// `SERVERPROPERTY('ServerName')`, as far as the host said it: one that is not used for its name says it too.
    #[must_use]
    pub fn true_name(&self) -> Option<&HostName> {
        match self {
            Self::Facts(facts) => Some(&facts.true_name),
            Self::Silent { true_name, .. } => true_name.as_ref(),
        }
    }
}

/// What one host is and holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    /// `SERVERPROPERTY('ServerName')`.
    pub true_name: HostName,
    /// `SERVERPROPERTY('ProductVersion')`, `16.0.1000.6`.
    pub version: String,
    /// `SERVERPROPERTY('Edition')`.
    pub edition: String,
    /// The host's offset from UTC in minutes, from `SYSDATETIMEOFFSET()`.
    pub offset_minutes: i16,
    /// How many whole seconds its clock is before the agent's; negative where it is behind. For comparing times of two hosts.
    #[serde(default, skip_serializing_if = "is_in_step")]
    pub clock_ahead_s: i64,
    /// `sys.dm_exec_connections.auth_scheme` of the agent's connection: `SQL`, `NTLM`, `KERBEROS`.
    pub auth_scheme: String,
    /// Whether the agent's connection is encrypted.
    pub is_encrypted: bool,
    /// Rights that Stopmark needs on this host and the login lacks, by SQL Server's names.
    pub missing_rights: Vec<String>,
    /// Rights that only a restore onto this host needs and the login lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_to_restore: Vec<String>,
    /// Linked servers on this host, by name.
    pub links: Vec<LinkFacts>,
    /// The databases of the group that the host has, by name.
    pub members: BTreeMap<DatabaseName, MemberFacts>,
    /// Transactions open now whose name begins with the group's mark prefix.
    pub open_marks: Vec<String>,
    /// The event session that hears others' errors about the members.
    #[serde(default)]
    pub event_session: EventSession,
}

/// One database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberFacts {
    /// Its state.
    pub state: MemberState,
    /// Its recovery model.
    pub recovery_model: RecoveryModel,
    /// It refuses writes.
    pub is_read_only: bool,
    /// `sys.database_recovery_status.database_guid`; none where the database is not open.
    pub database_guid: Option<Uuid>,
    /// Constant over restores.
    pub family_guid: Option<Uuid>,
    /// The fork that the log is on now.
    pub recovery_fork_guid: Option<Uuid>,
    /// Where the next log backup begins; none: no log backup is possible (SIMPLE, or no full yet).
    pub last_log_backup_lsn: Option<Lsn>,
    /// The full that the next differential builds on (`sys.database_files.differential_base_guid`); none
    /// where there is none, or the database could not be entered.
    #[serde(default)]
    pub differential_base_guid: Option<Uuid>,
    /// The availability group that holds it.
    pub availability_group: Option<String>,
    /// Its replicas, where it is in a group and the login may see them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<Replica>,
    /// It is being seeded to another replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeding: Option<Seeding>,
    /// What it has on its host beside its data; none where the host did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<DatabaseSettings>,
    /// Data and log files together, in bytes.
    pub size_bytes: u64,
    /// What marks need in it.
    pub mark_log: MarkLogFacts,
    /// The newest backups that this host's msdb knows of, newest first, at most 50.
    pub history: Vec<BackupRow>,
    /// Errors that end a chain, as sessions of others met them, oldest first.
    #[serde(default)]
    pub reported: Vec<ReportedError>,
    /// What its host's clock showed when it was asked: what is dated later was written before that clock was set back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<ServerLocal>,
}

/// Whether a database may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// In use.
    Online,
    /// Waiting for more pieces.
    Restoring,
    /// Anything else: offline, recovering, suspect, emergency.
    Unusable,
}

/// A database's recovery model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryModel {
    /// Everything is logged and kept until a log backup.
    Full,
    /// Bulk changes are logged minimally.
    BulkLogged,
    /// No log backups.
    Simple,
}

/// What marks need in a member, and what is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkLogFacts {
    /// The table exists.
    pub has_table: bool,
    /// The procedure that marks as part of another's transaction exists and may be executed.
    pub has_procedure: bool,
    /// The procedure that begins its own `WITH MARK` exists and may be executed.
    pub has_remote_procedure: bool,
    /// The newest mark in the table.
    pub newest: Option<MarkName>,
    /// It is BizTalk's tracking database, whose decoder can be held still (`TDDS_BlockTDDS`).
    #[serde(default)]
    pub blocks_tracking: bool,
}

/// One row of `msdb.dbo.backupset` with its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupRow {
    /// The host whose msdb has the row, where it is not the member's own: each replica remembers what it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<HostName>,
    /// SQL Server's identity of the backup.
    pub backup_set_guid: Uuid,
    /// Full, differential or log.
    pub kind: PieceKind,
    /// First LSN.
    pub first_lsn: Lsn,
    /// The LSN after the backup.
    pub last_lsn: Lsn,
    /// The checkpoint that redo starts at.
    pub checkpoint_lsn: Lsn,
    /// Checkpoint LSN of the full that it follows.
    pub database_backup_lsn: Lsn,
    /// The base's GUID, on differentials.
    pub differential_base_guid: Option<Uuid>,
    /// The fork at the first LSN.
    pub first_recovery_fork_guid: Option<Uuid>,
    /// The fork at the last LSN.
    pub last_recovery_fork_guid: Option<Uuid>,
    /// Where forks parted.
    pub fork_point_lsn: Option<Lsn>,
    /// The database's own at that time (`sys.database_recovery_status.database_guid`), where msdb says so.
    #[serde(default)]
    pub database_guid: Option<Uuid>,
    /// Constant over restores.
    pub family_guid: Uuid,
    /// It moved no archive point, or started no chain.
    pub is_copy_only: bool,
    /// The first log of a chain.
    pub begins_log_chain: bool,
    /// No mark in it can be stopped at.
    pub has_bulk_logged_data: bool,
    /// Taken `WITH CHECKSUM`.
    pub has_backup_checksums: bool,
    /// The login that took it.
    pub user_name: String,
    /// The computer that SQL Server ran on, where msdb says so.
    #[serde(default)]
    pub machine: Option<String>,
    /// The program that wrote the medium (`backupmediaset.software_name`), where msdb says so.
    #[serde(default)]
    pub program: Option<String>,
    /// The file or device it went to, family 1.
    pub device: String,
    /// Where it was striped: the files of families 2 and on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_devices: Vec<String>,
    /// It went to a program instead of a file (`backupmediafamily.device_type` 7).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_virtual: bool,
    /// A snapshot of volumes, taken through the VSS writer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_snapshot: bool,
    /// When it began.
    pub started: ServerLocal,
    /// When it ended.
    pub finished: ServerLocal,
}

/// Whether a clock is within a second of the agent's.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_in_step(ahead_s: &i64) -> bool {
    *ahead_s == 0
}

impl BackupRow {
    /// The files or devices it went to, family 1 first.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        let further = self.further_devices.iter().map(String::as_str);
        std::iter::once(self.device.as_str()).chain(further)
    }
}

/// What stands among a host's missing rights where the login may not enter a database.
#[must_use]
pub fn no_access(database: &DatabaseName) -> String {
    format!("access to the database `{database}`")
}

impl Survey {
    /// The facts of the host that bears or was configured under this name.
    #[must_use]
    pub fn host(&self, name: &HostName) -> Option<&HostFacts> {
        self.hosts
            .iter()
            .find(|(host, _)| host.is_same_host(name))
            .and_then(|(_, report)| match report {
                HostReport::Facts(facts) => Some(facts.as_ref()),
                HostReport::Silent { .. } => None,
            })
    }

    /// The member that a person means, who may spell it in other letters than the group does; none where it
    /// is not of the group.
    #[must_use]
    pub fn member_called(&self, name: &MemberName) -> Option<&MemberName> {
        let letters = |name: &MemberName| name.database.as_str().to_lowercase();
        let is_meant = |member: &&MemberName| {
            member.host.is_same_host(&name.host) && letters(member) == letters(name)
        };
        let exact = self.members.iter().find(|member| *member == name);
        exact.or_else(|| self.members.iter().find(is_meant))
    }

    /// The host where a member's database can be changed: that of its name, or of its group's primary replica.
    #[must_use]
    pub fn home<'a>(&'a self, name: &'a MemberName) -> &'a HostName {
        &self.place(name).host
    }

    /// A member as the host that it is on names it: what a connection needs.
    #[must_use]
    pub fn place<'a>(&'a self, name: &'a MemberName) -> &'a MemberName {
        let moved = self.moved.iter().find(|moved| moved.listed == *name);
        moved.map_or(name, |moved| &moved.now)
    }

    /// The databases of members that this host has, or has a replica of.
    #[must_use]
    pub fn databases_on(&self, host: &HostName) -> Vec<DatabaseName> {
        let is_here = |name: &&MemberName| {
            let replica = self.member(name).and_then(|it| it.replica.as_ref());
            let mut replicas = replica.into_iter().flat_map(|it| &it.replicas);
            self.home(name).is_same_host(host) || replicas.any(|it| it.is_same_host(host))
        };
        let here = self.members.iter().filter(is_here);
        here.map(|name| self.place(name).database.clone()).collect()
    }

    /// The other side of a member's distributed group, where that is the primary one.
    #[must_use]
    pub fn away(&self, name: &MemberName) -> Option<&FarSide> {
        let far = self.member(name)?.replica.as_ref()?.far_side.as_ref()?;
        (!far.is_primary_here).then_some(far)
    }

    /// The facts of one member.
    #[must_use]
    pub fn member(&self, name: &MemberName) -> Option<&MemberFacts> {
        let place = self.place(name);
        self.host(&place.host)?.members.get(&place.database)
    }

    /// The hosts of the configuration that marks would begin on if the members of the management host failed over: each
    /// that has a secondary replica of one of them.
    #[must_use]
    pub fn management_standbys<'a>(&'a self, cfg: &'a Config) -> BTreeSet<&'a HostName> {
        let management = self.management(cfg);
        let own = self
            .members
            .iter()
            .filter(|it| self.home(it).is_same_host(management));
        let replicas = own.filter_map(|it| self.member(it)?.replica.as_ref());
        let hosts = replicas.flat_map(|replica| &replica.replicas);
        let others = hosts.filter(|host| !host.is_same_host(management));
        others
            .filter_map(|host| cfg.host(host).map(|it| &it.name))
            .collect()
    }

    /// Every host of the configuration that members are on, or may be on after a failover.
    #[must_use]
    pub fn possible_homes<'a>(&'a self, cfg: &'a Config) -> BTreeSet<&'a HostName> {
        let replicas = self
            .members
            .iter()
            .filter_map(|it| self.member(it)?.replica.as_ref());
        let replicas = replicas.flat_map(|replica| &replica.replicas);
        let all = self.members.iter().map(|it| self.home(it)).chain(replicas);
        all.filter_map(|host| cfg.host(host).map(|it| &it.name))
            .collect()
    }

    /// Where marks begin: on the configuration's management host, or where its members are now.
    #[must_use]
    pub fn management<'a>(&'a self, cfg: &'a Config) -> &'a HostName {
        self.management_host
            .as_ref()
            .unwrap_or(&cfg.management_host)
    }
}
