//! Databases, backups, principals, rights and availability groups.
//!
//! Start at [`Backup`] and [`Restore`].

use super::{Expr, NameOrVariable, NamedOption, ObjectName};

/// `BACKUP DATABASE | LOG`.
#[derive(Clone, Debug, PartialEq)]
pub struct Backup {
    /// What is backed up.
    pub kind: BackupTarget,
    /// The database.
    pub database: NameOrVariable,
    /// `TO`: one stripe each.
    pub devices: Vec<Device>,
    /// `WITH`.
    pub options: Vec<NamedOption>,
}

/// What `BACKUP` backs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupTarget {
    /// `DATABASE`
    Database,
    /// `LOG`
    Log,
}

/// Where backup media is.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// The kind.
    pub kind: DeviceKind,
    /// The path, URL or logical name.
    pub path: Expr,
}

/// Kinds of backup devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// `DISK =`
    Disk,
    /// `URL =`
    Url,
    /// `TAPE =`
    Tape,
    /// `VIRTUAL_DEVICE =`
    Virtual,
    /// A name made by `sp_addumpdevice`.
    Logical,
}

/// `RESTORE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Restore {
    /// What is done.
    pub kind: RestoreKind,
    /// The database; none for the four that only read.
    pub database: Option<NameOrVariable>,
    /// `FROM`; empty in `RESTORE DATABASE x WITH RECOVERY`.
    pub devices: Vec<Device>,
    /// `WITH`.
    pub options: Vec<NamedOption>,
}

/// What `RESTORE` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "every variant is the word after RESTORE")]
pub enum RestoreKind {
    Database,
    Log,
    HeaderOnly,
    FileListOnly,
    LabelOnly,
    VerifyOnly,
}

/// `CREATE DATABASE`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateDatabase {
    /// The database.
    pub name: String,
    /// `ON (..)`: the options of each data file (`NAME`, `FILENAME`, `SIZE`, `MAXSIZE`,
    /// `FILEGROWTH`), sizes as text such as `8MB`.
    pub data_files: Vec<Vec<NamedOption>>,
    /// `LOG ON (..)`.
    pub log_files: Vec<Vec<NamedOption>>,
    /// `COLLATE`.
    pub collation: Option<String>,
    /// `WITH`.
    pub options: Vec<NamedOption>,
}

/// `ALTER DATABASE`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterDatabase {
    /// The database; `None` is `CURRENT`.
    pub name: Option<String>,
    /// What is done.
    pub action: AlterDatabaseAction,
}

/// What `ALTER DATABASE` does.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterDatabaseAction {
    /// `SET options [WITH ROLLBACK IMMEDIATE | ROLLBACK AFTER n | NO_WAIT]`. `RECOVERY FULL` is
    /// `RECOVERY` with `'FULL'`; `READ_COMMITTED_SNAPSHOT ON` has `'ON'`; `OFFLINE` has no value.
    Set {
        /// The options.
        options: Vec<NamedOption>,
        /// `WITH`, in capitals (`ROLLBACK IMMEDIATE`).
        termination: Option<String>,
    },
    /// `SET HADR AVAILABILITY GROUP = name`
    JoinAvailabilityGroup(String),
    /// `SET HADR OFF | SUSPEND | RESUME`, in capitals.
    Hadr(String),
    /// `SET PARTNER ...`: database mirroring; the rest as an expression.
    Partner(Expr),
    /// `MODIFY NAME =`
    ModifyName(String),
    /// `MODIFY FILE (..)`
    ModifyFile(Vec<NamedOption>),
    /// `COLLATE`
    Collate(String),
}

/// `CREATE AVAILABILITY GROUP`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateAvailabilityGroup {
    /// The group.
    pub name: String,
    /// `WITH (..)`.
    pub options: Vec<NamedOption>,
    /// `FOR DATABASE`.
    pub databases: Vec<String>,
    /// `REPLICA ON`.
    pub replicas: Vec<Replica>,
}

/// One replica and its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Replica {
    /// The server.
    pub name: String,
    /// `WITH (..)`.
    pub options: Vec<NamedOption>,
}

/// What `ALTER AVAILABILITY GROUP` does.
#[derive(Clone, Debug, PartialEq)]
pub enum AvailabilityGroupAction {
    /// `ADD DATABASE`
    AddDatabases(Vec<String>),
    /// `REMOVE DATABASE`
    RemoveDatabases(Vec<String>),
    /// `ADD REPLICA ON`
    AddReplicas(Vec<Replica>),
    /// `MODIFY REPLICA ON`
    ModifyReplica(Replica),
    /// `JOIN`
    Join,
    /// `FAILOVER`, `FORCE_FAILOVER_ALLOW_DATA_LOSS`
    Failover {
        /// Log that has not arrived may be lost.
        is_forced: bool,
    },
    /// `GRANT CREATE ANY DATABASE`
    GrantCreateAnyDatabase,
    /// `SET (..)`
    Set(Vec<NamedOption>),
}

/// Kinds of principals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "every variant is the principal of the same name"
)]
pub enum PrincipalKind {
    Login,
    User,
    Role,
    ServerRole,
}

/// `CREATE LOGIN | USER | ROLE | SERVER ROLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreatePrincipal {
    /// The kind.
    pub kind: PrincipalKind,
    /// The name.
    pub name: String,
    /// `FOR LOGIN` of a user, `AUTHORIZATION` of a role.
    pub login: Option<String>,
    /// `FROM WINDOWS` of a login.
    pub windows: bool,
    /// `WITHOUT LOGIN` of a user.
    pub without_login: bool,
    /// `WITH`: `PASSWORD`, `DEFAULT_DATABASE`, `DEFAULT_SCHEMA`, `CHECK_POLICY`, `SID`, ... .
    pub options: Vec<NamedOption>,
}

/// `ALTER LOGIN | USER | ROLE | SERVER ROLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterPrincipal {
    /// The kind.
    pub kind: PrincipalKind,
    /// The name.
    pub name: String,
    /// What is done.
    pub action: AlterPrincipalAction,
}

/// What is done to a principal.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterPrincipalAction {
    /// `ENABLE`
    Enable,
    /// `DISABLE`
    Disable,
    /// `ADD MEMBER`
    AddMember(String),
    /// `DROP MEMBER`
    DropMember(String),
    /// `WITH`
    With(Vec<NamedOption>),
}

/// `DROP LOGIN | USER | ROLE | SERVER ROLE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropPrincipal {
    /// The kind.
    pub kind: PrincipalKind,
    /// The name.
    pub name: String,
    /// `IF EXISTS`.
    pub if_exists: bool,
}

/// `GRANT | DENY | REVOKE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What is done.
    pub action: PermissionAction,
    /// The permissions, in capitals, words joined by one blank (`VIEW SERVER STATE`).
    pub permissions: Vec<String>,
    /// `ON`.
    pub securable: Option<Securable>,
    /// `TO | FROM`.
    pub principals: Vec<String>,
}

/// What is done with a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "every variant is the statement of the same name"
)]
pub enum PermissionAction {
    Grant,
    Deny,
    Revoke,
}

/// What a permission is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Securable {
    /// The class before `::`, in capitals (`SCHEMA`, `DATABASE`, `LOGIN`); objects may have none.
    pub class: Option<String>,
    /// The name.
    pub name: ObjectName,
}

/// `DBCC name (arguments) WITH options`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dbcc {
    /// The command, in capitals.
    pub name: String,
    /// The arguments; bare names are text literals.
    pub arguments: Vec<Expr>,
    /// `WITH`, in capitals.
    pub options: Vec<String>,
}
