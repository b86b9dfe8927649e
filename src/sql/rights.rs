//! The rights that the agent's login needs, each by its name: one table for what the survey asks and for the
//! T-SQL that grants it.
//!
//! Start at [`RIGHTS`] and [`grants_script`]. A right that is in the table is asked for wherever it can be, and
//! granted by the script; a right that is not in it is needed by nothing that Stopmark does.
//!
//! Nothing here grants anything: an administrator of the host runs the script.

use std::fmt::Write as _;

use serde::Serialize;

use super::every::Sample;
use super::prepare::{create_user_sql, script_schema_sql, use_named_sql};
use super::quote::{identifier, literal};
use super::statement::Batch;
use crate::config::MarkLogKind;
use crate::model::{DatabaseName, HostName};

/// What a right is for. A login gets only what it is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Fulls, differentials, logs and marks: what every run needs.
    Backup,
    /// The trial of the share by `stopmark check`.
    Check,
    /// `stopmark group prepare`, once; it can be taken back afterwards.
    Prepare,
    /// Restores and drills onto this host.
    Restore,
}

/// Where a right is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The whole of every host.
    Server,
    /// The whole of the host where marks begin.
    ManagementServer,
    /// A table of `msdb`, which the name is.
    History,
    /// Each member.
    Member,
    /// The schema of the table and procedures for marks, in each member; made where there is none.
    MarkSchema,
    /// Each database beside the group that is backed up too.
    Companion,
    /// A role of each member, which the name is.
    MemberRole,
    /// The database `model`.
    Model,
}

/// One right.
struct Right {
    purpose: Purpose,
    place: Place,
    /// SQL Server's word for it, or the table or role that it is about.
    name: &'static str,
    /// What is done with it.
    why: &'static str,
}

const fn right(purpose: Purpose, place: Place, name: &'static str, why: &'static str) -> Right {
    Right {
        purpose,
        place,
        name,
        why,
    }
}

/// Without it, open transactions cannot be asked for.
pub(super) const SEES_STATE: &str = "VIEW SERVER STATE";

/// Every right, in the order in which they are asked for and granted.
const RIGHTS: &[Right] = &[
    right(
        Purpose::Backup,
        Place::Server,
        SEES_STATE,
        "open marks, progress, replicas, event sessions",
    ),
    right(
        Purpose::Backup,
        Place::Server,
        "ALTER ANY CONNECTION",
        "ends a backup of its own that has gone silent",
    ),
    right(
        Purpose::Backup,
        Place::History,
        "backupset",
        "a backup counts only with its row here",
    ),
    right(
        Purpose::Backup,
        Place::History,
        "backupmediaset",
        "whose backups these are",
    ),
    right(
        Purpose::Backup,
        Place::History,
        "backupmediafamily",
        "where somebody else's backup went",
    ),
    right(
        Purpose::Backup,
        Place::History,
        "logmarkhistory",
        "whether a mark came to be in every member",
    ),
    right(
        Purpose::Backup,
        Place::ManagementServer,
        "ALTER ANY LINKED SERVER",
        "makes and mends the links that marks go through",
    ),
    right(
        Purpose::Backup,
        Place::ManagementServer,
        "ALTER ANY LOGIN",
        "maps the login of these links",
    ),
    right(
        Purpose::Backup,
        Place::Member,
        "BACKUP DATABASE",
        "fulls and differentials",
    ),
    right(Purpose::Backup, Place::Member, "BACKUP LOG", "log backups"),
    right(
        Purpose::Backup,
        Place::Companion,
        "BACKUP DATABASE",
        "fulls beside the group, for the runbook of a restore",
    ),
    right(
        Purpose::Backup,
        Place::MarkSchema,
        "EXECUTE, SELECT, DELETE",
        "places marks, reads them after a restore, and prunes their rows",
    ),
    right(
        Purpose::Check,
        Place::Model,
        "BACKUP DATABASE",
        "a tiny COPY_ONLY backup tries the share. A user in model is in every database that is made later on \
         this host: leave this part out where that is not wanted, and `stopmark check` cannot try the share",
    ),
    right(
        Purpose::Check,
        Place::History,
        "sysjobs",
        "who else backs members up, and would take their logs",
    ),
    right(
        Purpose::Check,
        Place::History,
        "sysjobsteps",
        "what these jobs do",
    ),
    right(
        Purpose::Check,
        Place::History,
        "log_shipping_primary_databases",
        "whose logs are shipped already",
    ),
    right(
        Purpose::Prepare,
        Place::Server,
        "ALTER ANY EVENT SESSION",
        "an ear for error 1475 and its kin",
    ),
    right(
        Purpose::Prepare,
        Place::MemberRole,
        "db_owner",
        "makes schema, table and procedures for marks. Take it back with ALTER ROLE .. DROP MEMBER afterwards",
    ),
    right(
        Purpose::Restore,
        Place::Server,
        "CREATE ANY DATABASE",
        "restores a database that is not there yet, and reads backup media. Over one that is there, its owner or \
         a member of dbcreator is needed",
    ),
    right(
        Purpose::Restore,
        Place::History,
        "restorehistory",
        "a database is removed after a drill only where this says that the drill made it",
    ),
    right(
        Purpose::Restore,
        Place::Server,
        "VIEW ANY DEFINITION",
        "whether the certificate of an encrypted database is here, and whose login a user is",
    ),
];

impl Right {
    /// What people call it, where its place does not say it already.
    fn label(&self) -> String {
        match self.place {
            Place::History => format!("SELECT on msdb.dbo.{}", self.name),
            Place::Server | Place::ManagementServer | Place::Member => self.name.to_owned(),
            Place::MarkSchema => format!("{} in the schema `stopmark`", self.name),
            Place::MemberRole => format!("role {}", self.name),
            Place::Model => format!("{} in `model`", self.name),
            Place::Companion => format!("{} in each companion", self.name),
        }
    }

    /// The question whose answer is 1, for what is asked of a whole host.
    fn question(&self) -> Option<String> {
        match self.place {
            Place::Server | Place::ManagementServer => {
                Some(format!("HAS_PERMS_BY_NAME(NULL, NULL, N'{}')", self.name))
            }
            Place::History => Some(format!(
                "HAS_PERMS_BY_NAME(N'msdb.dbo.{}', N'OBJECT', N'SELECT')",
                self.name
            )),
            Place::Member
            | Place::MarkSchema
            | Place::Companion
            | Place::MemberRole
            | Place::Model => None,
        }
    }

    /// The statement that gives it to a login, or to the login's user in the database of the place.
    fn grant(&self, login: &str) -> Batch {
        let (name, login) = (self.name, identifier(login));
        Batch::plain(match self.place {
            Place::Server
            | Place::ManagementServer
            | Place::Member
            | Place::Companion
            | Place::Model => {
                format!("GRANT {name} TO {login};")
            }
            Place::History => format!("GRANT SELECT ON OBJECT::[dbo].[{name}] TO {login};"),
            Place::MarkSchema => format!(
                "{}\nGRANT {name} ON SCHEMA::[stopmark] TO {login};",
                script_schema_sql().text
            ),
            Place::MemberRole => format!("ALTER ROLE [{name}] ADD MEMBER {login};"),
        })
    }
}

/// A right of a whole host as the survey asks for it.
pub(super) struct Asked {
    /// What people call it.
    pub(super) label: String,
    /// The question whose answer is 1.
    pub(super) question: String,
    /// What it is for.
    pub(super) purpose: Purpose,
}

/// What the survey asks of a host: what runs need, and behind it what restores need.
pub(super) fn asked(is_management_host: bool) -> Vec<Asked> {
    let is_asked = |right: &&Right| match right.purpose {
        Purpose::Backup => is_management_host || right.place != Place::ManagementServer,
        Purpose::Restore => true,
        Purpose::Check | Purpose::Prepare => false,
    };
    let asked = RIGHTS.iter().filter(is_asked).filter_map(|right| {
        Some(Asked {
            label: right.label(),
            question: right.question()?,
            purpose: right.purpose,
        })
    });
    asked.collect()
}

/// The tables of `msdb` without which a member's history cannot be asked for, as rights.
pub(super) const SEES_HISTORY: &[&str] = &[
    "SELECT on msdb.dbo.backupset",
    "SELECT on msdb.dbo.backupmediaset",
    "SELECT on msdb.dbo.backupmediafamily",
];

/// What every run needs in each member.
pub(super) fn in_member() -> impl Iterator<Item = &'static str> {
    let rights = RIGHTS.iter();
    rights
        .filter(|right| right.purpose == Purpose::Backup && right.place == Place::Member)
        .map(|right| right.name)
}

/// Whose rights on one host are asked for.
#[derive(Clone, Debug)]
pub struct Grantee<'a> {
    /// The host.
    pub host: &'a HostName,
    /// The agent's login there: a SQL Server login, or `DOMAIN\account`.
    pub login: &'a str,
    /// Marks begin here.
    pub is_management_host: bool,
    /// The members that live here.
    pub members: Vec<DatabaseName>,
    /// The databases beside the group that live here and are backed up too.
    pub companions: Vec<DatabaseName>,
    /// Whose table carries the marks.
    pub mark_log: MarkLogKind,
    /// `BizTalk`'s management database, where it is on this host and lists the members.
    pub listed_in: Option<&'a DatabaseName>,
}

/// One right of a script, for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GrantedRight {
    /// What people call it.
    pub right: String,
    /// What it is for.
    pub purpose: Purpose,
    /// What is done with it.
    pub why: &'static str,
}

/// The rights that [`grants_script`] grants to this login for these purposes.
#[must_use]
pub fn granted_rights(grantee: &Grantee<'_>, purposes: &[Purpose]) -> Vec<GrantedRight> {
    let wanted = wanted(grantee, purposes);
    wanted
        .map(|right| GrantedRight {
            right: right.label(),
            purpose: right.purpose,
            why: right.why,
        })
        .collect()
}

/// The T-SQL that grants what these purposes need, for an administrator of the host; it may run again.
#[must_use]
pub fn grants_script(grantee: &Grantee<'_>, purposes: &[Purpose]) -> String {
    let login = grantee.login;
    let mut script = format!(
        "-- Host {}: what the login {} needs. For an administrator of this host; it may run again.\n\
         -- The login itself must be there.\n",
        commented(grantee.host.as_str()),
        commented(login)
    );
    let mut part = |database: &str, places: &[Place]| {
        let rights: Vec<_> = wanted(grantee, purposes)
            .filter(|right| places.contains(&right.place))
            .collect();
        if rights.is_empty() {
            return;
        }
        let is_whole_host = places.contains(&Place::Server);
        begin(&mut script, database, (!is_whole_host).then_some(login));
        for right in rights {
            let (why, text) = (right.why, right.grant(login).text);
            writeln!(script, "-- {why}\n{text}").expect("a string takes all");
        }
        script.push_str("GO\n");
    };
    part("master", &[Place::Server, Place::ManagementServer]);
    part("msdb", &[Place::History]);
    part("model", &[Place::Model]);
    for member in &grantee.members {
        let places = [Place::Member, Place::MarkSchema, Place::MemberRole];
        part(member.as_str(), &places);
    }
    for companion in &grantee.companions {
        part(companion.as_str(), &[Place::Companion]);
    }
    if purposes.contains(&Purpose::Backup) {
        script.push_str(&biztalk(grantee));
    }
    script
}

/// The rights of the table that apply to this login.
fn wanted<'a>(
    grantee: &'a Grantee<'_>,
    purposes: &'a [Purpose],
) -> impl Iterator<Item = &'static Right> + 'a {
    RIGHTS.iter().filter(|right| {
        let is_here = match right.place {
            Place::ManagementServer => grantee.is_management_host,
            Place::Member => !grantee.members.is_empty(),
            Place::Companion => !grantee.companions.is_empty(),
            // BizTalk's own scripts make what marks need there.
            Place::MarkSchema | Place::MemberRole => {
                !grantee.members.is_empty() && grantee.mark_log == MarkLogKind::Stopmark
            }
            Place::Server | Place::History | Place::Model => true,
        };
        is_here && purposes.contains(&right.purpose)
    })
}

/// `USE`, and in a database the login's user, who is made where there is none.
fn begin(script: &mut String, database: &str, user: Option<&str>) {
    let text = use_named_sql(database).text;
    writeln!(script, "\n{text}\nGO").expect("a string takes all");
    if let Some(login) = user {
        let text = user_sql(login).text;
        writeln!(script, "{text}").expect("a string takes all");
    }
}

/// A name inside a comment of one line: one with line ends could end it.
fn commented(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn user_sql(login: &str) -> Batch {
    Batch::plain(format!(
        "IF NOT EXISTS (SELECT 1 FROM sys.database_principals AS p WHERE p.sid = SUSER_SID({}))\n    {}",
        literal(login),
        create_user_sql(login).text
    ))
}

/// In a `BizTalk` group marks go through its own procedures, whose role its scripts make.
fn biztalk(grantee: &Grantee<'_>) -> String {
    let mut script = String::new();
    if grantee.mark_log == MarkLogKind::BizTalk {
        for member in &grantee.members {
            begin(&mut script, member.as_str(), Some(grantee.login));
            let text = biztalk_role_sql(grantee.login).text;
            writeln!(script, "-- BizTalk's procedures for marks\n{text}\nGO")
                .expect("a string takes all");
        }
    }
    if let Some(database) = grantee.listed_in {
        begin(&mut script, database.as_str(), Some(grantee.login));
        let text = biztalk_list_sql(grantee.login).text;
        writeln!(
            script,
            "-- BizTalk's own list of its databases, and its backup history\n{text}\nGO"
        )
        .expect("a string takes all");
    }
    script
}

fn biztalk_role_sql(login: &str) -> Batch {
    Batch::plain(format!(
        "IF EXISTS (SELECT 1 FROM sys.database_principals AS p WHERE p.name = N'BTS_BACKUP_USERS')\n    \
         ALTER ROLE [BTS_BACKUP_USERS] ADD MEMBER {};",
        identifier(login)
    ))
}

fn biztalk_list_sql(login: &str) -> Batch {
    let login = identifier(login);
    Batch::plain(format!(
        "GRANT SELECT ON OBJECT::[dbo].[admv_BackupDatabases] TO {login};\n\
         GRANT SELECT, INSERT, UPDATE, DELETE ON OBJECT::[dbo].[adm_BackupHistory] TO {login};\n\
         GRANT SELECT, UPDATE ON OBJECT::[dbo].[adm_BackupSettings] TO {login};\n\
         GRANT EXECUTE ON OBJECT::[dbo].[sp_GetNextBackupSetId] TO {login};\n\
         GRANT EXECUTE ON OBJECT::[dbo].[sp_MarkBTSLogs] TO {login};"
    ))
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let login = &sample.login;
    let of = |place: Place| {
        let found = RIGHTS.iter().find(|right| right.place == place);
        found.expect("the table has every place").grant(login)
    };
    vec![
        ("rights.user", user_sql(login)),
        ("rights.server", of(Place::Server)),
        ("rights.history", of(Place::History)),
        ("rights.member", of(Place::Member)),
        ("rights.mark_schema", of(Place::MarkSchema)),
        ("rights.member_role", of(Place::MemberRole)),
        ("rights.biztalk_role", biztalk_role_sql(login)),
        ("rights.biztalk_list", biztalk_list_sql(login)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grantee<'a>(host: &'a HostName, login: &'a str) -> Grantee<'a> {
        Grantee {
            host,
            login,
            is_management_host: true,
            members: vec!["Led]ger".parse().expect("valid")],
            companions: Vec::new(),
            mark_log: MarkLogKind::Stopmark,
            listed_in: None,
        }
    }

    #[test]
    fn the_script_grants_what_the_purposes_need_and_nothing_else() {
        let host: HostName = r"PAY1\SQL".parse().expect("valid");
        let script = grants_script(&grantee(&host, "stop]mark"), &[Purpose::Backup]);
        for part in [
            "USE [master];\nGO\n",
            "GRANT VIEW SERVER STATE TO [stop]]mark];",
            "GRANT ALTER ANY LINKED SERVER TO",
            "GRANT SELECT ON OBJECT::[dbo].[logmarkhistory] TO [stop]]mark];",
            "USE [Led]]ger];\nGO\n",
            "GRANT BACKUP LOG TO [stop]]mark];",
            "GRANT EXECUTE, SELECT, DELETE ON SCHEMA::[stopmark] TO [stop]]mark];",
        ] {
            assert!(script.contains(part), "{part} is not in\n{script}");
        }
        for part in ["db_owner", "[model]", "CREATE ANY DATABASE", "BTS_"] {
            assert!(!script.contains(part), "{part} is in\n{script}");
        }
        let all = [
            Purpose::Backup,
            Purpose::Check,
            Purpose::Prepare,
            Purpose::Restore,
        ];
        let script = grants_script(&grantee(&host, "stopmark"), &all);
        for part in ["[db_owner]", "USE [model]", "GRANT CREATE ANY DATABASE"] {
            assert!(script.contains(part), "{part} is not in\n{script}");
        }
    }

    #[test]
    fn a_companion_gets_the_right_to_be_backed_up_and_no_other() {
        let host: HostName = "PAY1".parse().expect("valid");
        let beside = Grantee {
            is_management_host: false,
            members: Vec::new(),
            companions: vec!["BAM]Star".parse().expect("valid")],
            ..grantee(&host, "stopmark")
        };
        let script = grants_script(&beside, &[Purpose::Backup]);
        let (_, own) = script.split_once("USE [BAM]]Star];").expect("its part");
        assert!(
            own.contains("GRANT BACKUP DATABASE TO [stopmark];"),
            "{own}"
        );
        assert!(!own.contains("BACKUP LOG"), "{own}");
    }

    #[test]
    fn a_host_without_members_needs_nothing_in_a_database_of_its_own() {
        let host: HostName = "SPARE".parse().expect("valid");
        let spare = Grantee {
            is_management_host: false,
            members: Vec::new(),
            ..grantee(&host, "stopmark")
        };
        let script = grants_script(&spare, &[Purpose::Backup, Purpose::Restore]);
        assert!(!script.contains("BACKUP"), "{script}");
        assert!(!script.contains("LINKED"), "{script}");
        let rights = granted_rights(&spare, &[Purpose::Restore]);
        let names: Vec<&str> = rights.iter().map(|right| right.right.as_str()).collect();
        let history = "SELECT on msdb.dbo.restorehistory";
        assert_eq!(
            names,
            ["CREATE ANY DATABASE", history, "VIEW ANY DEFINITION"]
        );
    }

    #[test]
    fn a_biztalk_group_gets_the_role_of_biztalk_and_no_db_owner() {
        let host: HostName = "BTS1".parse().expect("valid");
        let list: DatabaseName = "BizTalkMgmtDb".parse().expect("valid");
        let biztalk = Grantee {
            mark_log: MarkLogKind::BizTalk,
            listed_in: Some(&list),
            ..grantee(&host, "stopmark")
        };
        let script = grants_script(&biztalk, &[Purpose::Backup, Purpose::Prepare]);
        assert!(script.contains("ALTER ROLE [BTS_BACKUP_USERS] ADD MEMBER [stopmark];"));
        assert!(script.contains("[admv_BackupDatabases] TO [stopmark];"));
        assert!(!script.contains("db_owner"), "{script}");
    }

    #[test]
    fn the_survey_asks_for_history_under_the_names_of_the_table() {
        let labels: Vec<String> = asked(true).into_iter().map(|asked| asked.label).collect();
        for right in SEES_HISTORY.iter().chain(&[SEES_STATE]) {
            assert!(labels.iter().any(|label| label == right), "{right}");
        }
        assert_eq!(
            in_member().collect::<Vec<_>>(),
            ["BACKUP DATABASE", "BACKUP LOG"]
        );
    }
}
