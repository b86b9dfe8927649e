//! What the configuration means, once every fault has been found. Values here can be trusted.
//!
//! Secrets are [`SecretString`]s: they print as `[REDACTED]` and leave only into a login or a store client.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::biztalk::BizTalkConfig;
use super::jobs::ScheduleConfig;
use super::service::ServiceConfig;
use crate::model::{DatabaseName, GroupName, HostName, MarkPrefix, MemberName, StoreName};
use crate::seal::Ring;

/// One agent's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The group.
    pub group: GroupName,
    /// Where marks start; it holds the linked servers.
    pub management_host: HostName,
    /// The first part of mark names.
    pub mark_prefix: MarkPrefix,
    /// Whose table carries the marks.
    pub mark_log: MarkLogKind,
    /// Where further members are found, beside `members`.
    pub discovery: Option<Discovery>,
    /// How a BizTalk group is kept; of no meaning without `discovery`.
    pub biztalk: BizTalkConfig,
    /// The members listed by hand, in the order of the file, no two of one name.
    pub members: Vec<MemberConfig>,
    /// The databases beside the group that are backed up and never marked, in the order of the file.
    pub companions: Vec<MemberConfig>,
    /// Every host, by true name.
    pub hosts: BTreeMap<HostName, HostConfig>,
    /// The object store; of several the one that leads: it holds the lease and the group's log that counts.
    pub store: StoreConfig,
    /// Further stores, each of which gets every piece too, in the order of the file.
    pub further_stores: Vec<StoreConfig>,
    /// For whom pieces are sealed before they leave; none: they go as they are.
    pub sealing: Option<SealConfig>,
    /// When which job is due.
    pub schedule: ScheduleConfig,
    /// How the service is seen and whom it tells.
    pub service: ServiceConfig,
    /// How runs are done.
    pub policy: PolicyConfig,
    /// What is kept; without it everything is.
    pub retention: Option<RetentionConfig>,
    /// How drills are held; none: as [`DrillConfig::default`] says, where the command names the hosts.
    pub drill: Option<DrillConfig>,
    /// Journals, catalog and log files.
    pub state: PathBuf,
    /// The folder of log files.
    pub logs: PathBuf,
}

/// Whose table carries the marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkLogKind {
    /// `stopmark.MarkLog`, made by `stopmark group prepare`.
    Stopmark,
    /// `dbo.MarkLog`, which every BizTalk database has.
    #[serde(rename = "biztalk")]
    BizTalk,
}

/// Where the list of members is read from at each survey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// `admv_BackupDatabases` in this database on the management host.
    BizTalk {
        /// Usually `BizTalkMgmtDb`.
        database: DatabaseName,
    },
}

/// One member with what is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberConfig {
    /// The member.
    pub name: MemberName,
    /// Stripe files a piece is spread over, 1 to 64.
    pub stripes: u16,
    /// Whether SQL Server compresses; none leaves it to the server's default.
    pub compression: Option<bool>,
    /// A Point is offered without it where it failed; marks do not wait for it.
    pub best_effort: bool,
}

/// How one host is reached and where its backups go.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Its true name.
    pub name: HostName,
    /// `host`, `host,port` or `host\instance`, TCP only.
    pub address: String,
    /// Who logs in.
    pub login: LoginConfig,
    /// How the connection is protected.
    pub encryption: Encryption,
    /// A PEM file of the CA that signed the host's certificate; none means the system's roots.
    pub trust_ca: Option<PathBuf>,
    /// Accept any certificate: loudly named weak.
    pub trust_any_certificate: bool,
    /// The folder that both SQL Server and the agent see; none where the host is only a restore target's peer.
    pub share: Option<ShareConfig>,
    /// Folders that others write backups of this host to, each under its two names; files there are only read.
    pub foreign: Vec<ShareConfig>,
    /// What links to this host are told as data source; none means `address`.
    pub link_address: Option<String>,
    /// The login that links to this host use.
    pub link_login: Option<LoginConfig>,
}

/// A SQL login, or the identity of the agent's own process.
#[derive(Clone, Debug)]
pub enum LoginConfig {
    /// A SQL Server login.
    Sql {
        /// Its name.
        user: String,
        /// Its password.
        password: SecretString,
    },
    /// The account that the agent runs as: Windows, and Linux in a build that knows Kerberos.
    Integrated,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// TLS inside TDS 7.4, the default.
    Required,
    /// TDS 8: TLS first.
    Strict,
    /// Only the login is encrypted: loudly named weak.
    LoginOnly,
}

/// One folder under two names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareConfig {
    /// As SQL Server on this host names it; its own separators.
    pub sql: String,
    /// As the agent names it.
    pub agent: PathBuf,
}

/// Where pieces and manifests are kept.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// What people, manifests and the group's log call it.
    pub name: StoreName,
    /// `file:///..`, `s3://bucket/prefix`, `az://container/prefix`, `gs://bucket/prefix`.
    pub url: String,
    /// Options by `object_store`'s names, plain values.
    pub options: BTreeMap<String, String>,
    /// Options whose values are secrets.
    pub secrets: BTreeMap<String, SecretString>,
    /// How bytes travel there and back.
    pub transfer: TransferConfig,
    /// How the store is to keep each object.
    pub keeping: KeepingConfig,
}

/// How a store is to keep what it is given, object by object; without a word here by the bucket's own rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeepingConfig {
    /// The class of a piece's objects, in the store's own words (`STANDARD_IA`, `Cool`, `NEARLINE`).
    pub storage_class: Option<String>,
    /// Until when no object can be deleted.
    pub lock: Option<LockConfig>,
    /// No object can be deleted until a person takes the hold away.
    pub legal_hold: bool,
}

/// A lock on each object (S3 object lock).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockConfig {
    /// Who may take it away before its day.
    pub mode: LockMode,
    /// For how many days from the moment in which an object is stored.
    pub days: u16,
}

/// Who may take a lock away before its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Those with the right to bypass it.
    Governance,
    /// Nobody, the account's owner included.
    Compliance,
}

/// How pieces are encrypted before they leave this machine.
#[derive(Clone, Debug)]
pub struct SealConfig {
    /// The recipients, and the keys that are here.
    pub ring: Ring,
    /// The day on which a person last made sure that the keys are kept in another place too.
    pub escrow_confirmed: Option<civil::Date>,
}

/// How bytes travel to a store and back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferConfig {
    /// What all uploads of the process together may hold in memory, in bytes.
    pub memory_bytes: usize,
    /// Parts of one stripe that travel at the same time, either way.
    pub parts_in_flight: usize,
    /// Pieces that are delivered at the same time.
    pub pieces_in_flight: u16,
    /// How fast bytes may leave; without a window that holds the time of day, as fast as they can.
    pub bandwidth: Vec<BandwidthWindow>,
}

/// A limit for some hours of each day, in local time; it may span midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BandwidthWindow {
    /// When it begins.
    pub from: civil::Time,
    /// When it ends; this moment is no part of it.
    pub until: civil::Time,
    /// The limit in bytes a second.
    pub bytes_per_second: u64,
}

/// How pieces are proven after the upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadBack {
    /// Everything is read back and compared.
    Whole,
    /// The stored size is compared, and some of the bytes.
    Sample,
    /// Only the stored size is compared.
    Size,
}

/// How runs are done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyConfig {
    /// Proof after the upload.
    pub read_back: ReadBack,
    /// Fulls and differentials over this size in bytes are proven by sample where others are read back whole.
    pub sample_over_bytes: u64,
    /// How many stores must hold a piece whole before a Point may need it; 1 to the number of stores.
    pub copies: usize,
    /// How much a backup run copies at its end of what a store lacks, in bytes.
    pub copy_budget_bytes: u64,
    /// How many bytes may wait on the shares for a store before every run says so.
    pub staging_max_bytes: u64,
    /// How long a backup or restore statement may run without any sign of progress.
    pub statement_silence_max: Duration,
    /// How long the marking transaction may take.
    pub mark_timeout: Duration,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long the lease holds without renewal.
    pub lease_ttl: Duration,
    /// How often a backup that met something passing is tried again; 0 for never.
    pub retry_times: u8,
    /// The wait before the first of these tries; each further one is twice the one before.
    pub retry_first_wait: Duration,
    /// The longest of these waits.
    pub retry_wait_max: Duration,
    /// How long all together to wait for another backup of the same database.
    pub busy_wait_max: Duration,
    /// After how many cures a member whose chain breaks again is quarantined; 0 for never.
    pub cures_max: u8,
    /// Within how many runs these cures must lie.
    pub cures_within: u8,
    /// How long a quarantine lasts after the last cure.
    pub quarantine: Duration,
    /// How full a log may become, in per cent, while its backups wait for a seeding to end or for a secondary replica.
    pub log_used_max: u8,
    /// How old the newest log of a member may become while its backups wait for one of these.
    pub pause_max: Duration,
    /// Which replica of an availability group takes the log backups.
    pub log_backup_preference: LogBackupPreference,
    /// How long a secondary replica is given to have a mark in its log.
    pub replica_wait: Duration,
}

/// Which replica takes log backups, in the words of SQL Server's `AUTOMATED_BACKUP_PREFERENCE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogBackupPreference {
    /// The primary one.
    Primary,
    /// A secondary one, or the primary one while none is in step.
    Secondary,
    /// A secondary one; logs wait for it as long as `log_used_max` and `pause_max` let them.
    SecondaryOnly,
}

/// What is kept. Every rule keeps Points, none lets one go: a Point goes when no rule keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionConfig {
    /// The newest so many.
    pub keep_last: u32,
    /// Those not older than this, counted back from the newest.
    pub keep_for: Duration,
    /// The newest of each of so many days that have one.
    pub daily: u32,
    /// The newest of each of so many weeks, Monday to Sunday.
    pub weekly: u32,
    /// The newest of each of so many months.
    pub monthly: u32,
    /// The newest of each of so many years.
    pub yearly: u32,
    /// The newest so many that passed a drill.
    pub drilled: u32,
    /// Whose days, weeks, months and years these are.
    pub zone: TimeZone,
    /// How long a file of ours may lie on a share that no set holds and no unfinished run knows.
    pub staging_for: Duration,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            keep_last: 3,
            keep_for: DAY * 14,
            daily: 7,
            weekly: 5,
            monthly: 12,
            yearly: 0,
            drilled: 1,
            zone: TimeZone::UTC,
            staging_for: DAY * 14,
        }
    }
}

/// How drills are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillConfig {
    /// Where; the hosts of members are dealt out over these, in order.
    pub hosts: Vec<HostName>,
    /// Which Point is drilled where nobody names one.
    pub point: DrillPoint,
    /// What the names of scratch databases begin with.
    pub prefix: String,
    /// The folder for their files, as the drill hosts name it; none: each host's default folders.
    pub files_in: Option<String>,
    /// How far restored databases are looked through.
    pub check_database: CheckDepth,
    /// The user's own checks.
    pub checks: Vec<DrillCheckConfig>,
    /// How long a recovery may take.
    pub rto: Option<Duration>,
}

/// Which Point a drill takes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrillPoint {
    /// The newest one.
    Newest,
    /// Any of those that there are: old pieces are looked at too, then.
    Random,
}

/// How far `DBCC CHECKDB` looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckDepth {
    /// Everything.
    Full,
    /// Pages only.
    PhysicalOnly,
    /// It is not asked.
    Off,
}

/// One of the user's own checks: a T-SQL file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillCheckConfig {
    /// The file.
    pub file: PathBuf,
    /// What the first cell of the first row must be; none: it must return no rows.
    pub value: Option<String>,
}

impl Default for DrillConfig {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            point: DrillPoint::Newest,
            prefix: "drill_".to_owned(),
            files_in: None,
            check_database: CheckDepth::Full,
            checks: Vec::new(),
            rto: None,
        }
    }
}

impl MemberConfig {
    /// A member with nothing of its own: one stripe, compressed as the server has it. Discovered members are of this kind.
    #[must_use]
    pub const fn of(name: MemberName) -> Self {
        Self {
            name,
            stripes: 1,
            compression: None,
            best_effort: false,
        }
    }
}

impl Default for TransferConfig {
    fn default() -> Self {
        Self {
            memory_bytes: 64 * 1024 * 1024,
            parts_in_flight: 4,
            pieces_in_flight: 32,
            bandwidth: Vec::new(),
        }
    }
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            read_back: ReadBack::Whole,
            sample_over_bytes: 64 << 30,
            copies: 1,
            copy_budget_bytes: 8 << 30,
            staging_max_bytes: 100 << 30,
            statement_silence_max: Duration::from_secs(10 * 60),
            mark_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(15),
            lease_ttl: Duration::from_secs(2 * 60),
            retry_times: 3,
            retry_first_wait: Duration::from_secs(2),
            retry_wait_max: Duration::from_secs(60),
            busy_wait_max: Duration::from_secs(2 * 60),
            cures_max: 4,
            cures_within: 12,
            quarantine: Duration::from_secs(24 * 60 * 60),
            log_used_max: 70,
            pause_max: Duration::from_secs(24 * 60 * 60),
            log_backup_preference: LogBackupPreference::Primary,
            replica_wait: Duration::from_secs(60),
        }
    }
}

impl Config {
    /// Every store, the one that leads first.
    pub fn stores(&self) -> impl Iterator<Item = &StoreConfig> {
        std::iter::once(&self.store).chain(&self.further_stores)
    }

    /// The names of all stores, in the same order.
    #[must_use]
    pub fn store_names(&self) -> Vec<StoreName> {
        self.stores().map(|store| store.name.clone()).collect()
    }

    /// What pieces are sealed for and opened with; none where they are not sealed.
    #[must_use]
    pub fn ring(&self) -> Option<Ring> {
        self.sealing.as_ref().map(|sealing| sealing.ring.clone())
    }

    /// What the file says of this member, or the defaults where it does not list it.
    #[must_use]
    pub fn member(&self, name: &MemberName) -> MemberConfig {
        let listed = self.members.iter().find(|member| {
            member.name.database == name.database && member.name.host.is_same_host(&name.host)
        });
        listed.map_or_else(|| MemberConfig::of(name.clone()), MemberConfig::clone)
    }

    /// The configuration of this host, if the file has one; names are compared as SQL Server does.
    #[must_use]
    pub fn host(&self, name: &HostName) -> Option<&HostConfig> {
        self.hosts
            .values()
            .find(|host| host.name.is_same_host(name))
    }
}
