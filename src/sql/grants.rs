//! The T-SQL that gives the agent's login its rights on one host.
//!
//! Start at [`grants_script`]; what is granted stands in the table of `rights.rs`.
//!
//! Nothing here grants anything: an administrator of the host runs the script.

use std::fmt::Write as _;

use serde::Serialize;

use super::every::Sample;
use super::prepare::{create_user_sql, use_named_sql};
use super::quote::{identifier, literal};
use super::rights::{Place, Purpose, RIGHTS, Right};
use super::statement::Batch;
use crate::config::MarkLogKind;
use crate::model::{DatabaseName, HostName};

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
    if purposes.contains(&Purpose::Check) && grantee.mark_log == MarkLogKind::BizTalk {
        begin(&mut script, "master", None);
        let text = biztalk_destination_sql(login).text;
        let why = "where the databases of log shipping come to lie, for `stopmark check biztalk`";
        writeln!(script, "-- {why}\n{text}\nGO").expect("a string takes all");
    }
    if purposes.contains(&Purpose::Restore) && !purposes.contains(&Purpose::LeaveGroup) {
        script.push_str(NOT_TO_LEAVE);
    }
    script
}

/// Whoever reads a script for restores must find what it leaves out, and why.
const NOT_TO_LEAVE: &str = "\n\
    -- Not granted here: ALTER ANY AVAILABILITY GROUP, which `restore run --leave-group` needs on the host of the\n\
    -- primary replica, for it also lets its holder fail groups over. `stopmark grants --for leave-group` prints it.\n";

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
            let role = biztalk_role_sql(grantee.login).text;
            let rows = biztalk_rows_sql(grantee.login).text;
            writeln!(
                script,
                "-- BizTalk's procedures for marks\n{role}\n\
                 -- reads marks after a restore, and prunes their rows\n{rows}\nGO"
            )
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

fn biztalk_rows_sql(login: &str) -> Batch {
    Batch::plain(format!(
        "IF OBJECT_ID(N'dbo.MarkLog', N'U') IS NOT NULL\n    \
         GRANT SELECT, DELETE ON OBJECT::[dbo].[MarkLog] TO {};",
        identifier(login)
    ))
}

/// On a destination of log shipping; a host without the table is none.
fn biztalk_destination_sql(login: &str) -> Batch {
    let user = user_sql(login).text.replace('\n', "\n    ");
    Batch::plain(format!(
        "IF OBJECT_ID(N'dbo.bts_LogShippingDatabases', N'U') IS NOT NULL\n\
         BEGIN\n    \
         {user}\n    \
         GRANT SELECT ON OBJECT::[dbo].[bts_LogShippingDatabases] TO {};\n\
         END;",
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
        ("rights.biztalk_rows", biztalk_rows_sql(login)),
        ("rights.biztalk_destination", biztalk_destination_sql(login)),
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
    fn the_right_to_leave_a_group_is_granted_to_those_who_ask_for_it_and_named_to_those_who_restore()
     {
        let host: HostName = "PAY1".parse().expect("valid");
        let right = "GRANT ALTER ANY AVAILABILITY GROUP TO [stopmark];";
        let of = |purposes: &[Purpose]| grants_script(&grantee(&host, "stopmark"), purposes);
        let script = of(&[Purpose::Restore]);
        assert!(!script.contains(right), "{script}");
        assert!(script.contains("--for leave-group"), "{script}");
        let script = of(&[Purpose::Restore, Purpose::LeaveGroup]);
        assert!(script.contains(right), "{script}");
        assert!(!script.contains("Not granted here"), "{script}");
        let script = of(&[Purpose::Backup, Purpose::Check]);
        assert!(!script.contains("AVAILABILITY"), "{script}");
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
        assert!(script.contains("GRANT SELECT, DELETE ON OBJECT::[dbo].[MarkLog] TO [stopmark];"));
        let shipped = "GRANT SELECT ON OBJECT::[dbo].[bts_LogShippingDatabases] TO [stopmark];";
        assert!(!script.contains(shipped), "{script}");
        let checks = grants_script(&biztalk, &[Purpose::Check]);
        assert!(checks.contains(shipped), "{checks}");
        assert!(script.contains("ALTER ROLE [BTS_BACKUP_USERS] ADD MEMBER [stopmark];"));
        assert!(script.contains("[admv_BackupDatabases] TO [stopmark];"));
        assert!(!script.contains("db_owner"), "{script}");
    }
}
