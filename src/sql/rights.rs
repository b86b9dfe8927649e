//! The rights that the agent's login needs, each by its name: one table for what the survey asks and for the
//! T-SQL that grants it.
//!
//! Start at [`RIGHTS`]. A right that is in the table is asked for wherever it can be, and granted by the script of
//! `grants.rs`; a right that is not in it is needed by nothing that Stopmark does.

use serde::Serialize;

use super::prepare::script_schema_sql;
use super::quote::identifier;
use super::statement::Batch;

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
    /// Taking databases out of their availability groups before they are restored over.
    LeaveGroup,
}

/// Where a right is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
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
pub(super) struct Right {
    /// What it is for.
    pub(super) purpose: Purpose,
    /// Where it is held.
    pub(super) place: Place,
    /// SQL Server's word for it, or the table or role that it is about.
    pub(super) name: &'static str,
    /// What is done with it.
    pub(super) why: &'static str,
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
pub(super) const RIGHTS: &[Right] = &[
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
    right(
        Purpose::LeaveGroup,
        Place::Server,
        "ALTER ANY AVAILABILITY GROUP",
        "takes a database out of its availability group, on the host of its primary replica, before it is restored \
         over. It also lets its holder fail groups over: take it back with REVOKE .. FROM afterwards",
    ),
];

impl Right {
    /// What people call it, where its place does not say it already.
    pub(super) fn label(&self) -> String {
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
    pub(super) fn grant(&self, login: &str) -> Batch {
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
        Purpose::Check | Purpose::Prepare | Purpose::LeaveGroup => false,
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

#[cfg(test)]
mod tests {
    use super::*;

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
