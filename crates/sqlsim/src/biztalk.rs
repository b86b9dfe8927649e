//! A group of databases as BizTalk Server lays it out, made by one call.
//!
//! Start at [`create_group`]. Names, columns and meanings are those of the product's documentation;
//! the T-SQL is our own. Only what a backup of the group needs is here: no message is ever processed, and
//! nothing is archived. [`install_job`] writes down the Agent job as an administrator filled it in; nobody runs it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::error::SqlResult;
use crate::instance::{Instance, run_script};
use crate::link::literal::{quote, text};
use crate::link::server::same;
use crate::messages;

/// What every database of the group needs: `MarkLog`, `sp_SetMark`, `sp_SetMarkRemote`,
/// `sp_GetServerName`, and the role that may use them.
pub const MEMBER_SCRIPT: &str = include_str!("biztalk/member.sql");

/// What the management database needs besides: `adm_Group` and its like, and the view
/// `admv_BackupDatabases`.
pub const MANAGEMENT_SCRIPT: &str = include_str!("biztalk/management.sql");

/// What the backup job calls: full and log runs, and the mark over all members.
pub const JOB_SCRIPT: &str = include_str!("biztalk/job.sql");

/// What the tracking database needs besides: `TDDS_BlockTDDS` and the table that it locks.
pub const TRACKING_SCRIPT: &str = include_str!("biztalk/tracking.sql");

/// What the product calls its job, before the management database's name in brackets.
pub const JOB_NAME: &str = "Backup BizTalk Server";

/// Where the databases of a group are: server names as the group is to know them, and database
/// names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The group's name.
    pub name: String,
    /// `TrackingDBServerName` and `TrackingDBName`.
    pub tracking: Option<(String, String)>,
    /// The BAM primary import database.
    pub bam: Option<(String, String)>,
    /// The rule engine's database.
    pub rule_engine: Option<(String, String)>,
    /// Message boxes; the first is the master.
    pub message_boxes: Vec<(String, String)>,
    /// Others (`SSO`, custom ones): the default name, then server and database.
    pub others: Vec<(String, String, String)>,
}

impl Group {
    /// Every database but the management's own: server and name, each once.
    #[must_use]
    pub fn members(&self) -> BTreeSet<(&str, &str)> {
        let named = [&self.tracking, &self.bam, &self.rule_engine];
        let named = named.into_iter().flatten().chain(&self.message_boxes);
        let named = named.map(|(server, database)| (server.as_str(), database.as_str()));
        let others = self.others.iter();
        let others = others.map(|(_, server, database)| (server.as_str(), database.as_str()));
        named.chain(others).collect()
    }

    /// The statements that fill the management database's tables, separated by lines of `GO`.
    #[must_use]
    pub fn script(&self) -> String {
        let pair = |of: &Option<(String, String)>| match of {
            Some((server, database)) => format!("{}, {}", text(server), text(database)),
            None => "NULL, NULL".to_owned(),
        };
        let mut batches = vec![format!(
            "INSERT INTO dbo.adm_Group (Name, TrackingDBServerName, TrackingDBName, \
             BamDBServerName, BamDBName, \
             RuleEngineDBServerName, RuleEngineDBName) VALUES ({}, {}, {}, {});",
            text(&self.name),
            pair(&self.tracking),
            pair(&self.bam),
            pair(&self.rule_engine)
        )];
        for (at, (server, database)) in self.message_boxes.iter().enumerate() {
            batches.push(format!(
                "INSERT INTO dbo.adm_MessageBox (DBServerName, DBName, IsMasterMsgBox) VALUES \
                 ({}, {}, {});",
                text(server),
                text(database),
                if at == 0 { -1 } else { 0 }
            ));
        }
        for (default, server, database) in &self.others {
            batches.push(format!(
                "INSERT INTO dbo.adm_OtherBackupDatabases (DefaultDatabaseName, DatabaseName, \
                 ServerName, BTSServerName) VALUES ({}, {}, {}, N'');",
                text(default),
                text(database),
                text(server)
            ));
        }
        batches.join("\nGO\n")
    }
}

/// Makes an existing database the management database of a group, and a member of it.
pub async fn install_management(
    instance: &Arc<Instance>,
    database: &str,
    group: &Group,
) -> SqlResult<()> {
    install_member(instance, database).await?;
    run_script(instance, database, MANAGEMENT_SCRIPT).await?;
    run_script(instance, database, JOB_SCRIPT).await?;
    run_script(instance, database, &group.script()).await
}

/// Makes an existing database a member of a group.
pub async fn install_member(instance: &Arc<Instance>, database: &str) -> SqlResult<()> {
    run_script(instance, database, MEMBER_SCRIPT).await
}

/// Makes an existing member the tracking database.
pub async fn install_tracking(instance: &Arc<Instance>, database: &str) -> SqlResult<()> {
    run_script(instance, database, TRACKING_SCRIPT).await
}

/// Writes the job down, as the Agent of the management database's instance holds it: four steps, of which `full` and
/// `log` are the parameters of `sp_BackupAllFull_Schedule` and `sp_MarkAll`.
pub async fn install_job(
    instance: &Arc<Instance>,
    management: &str,
    is_enabled: bool,
    (full, log): (&str, &str),
) -> SqlResult<()> {
    let name = format!("{JOB_NAME} ({management})");
    let steps = [
        (
            "Set Compression Option",
            "sp_SetBackupCompression",
            "@bCompression = 0",
        ),
        ("BackupFull", "sp_BackupAllFull_Schedule", full),
        ("MarkAndBackupLog", "sp_MarkAll", log),
        (
            "Clear Backup History",
            "sp_DeleteBackupHistory",
            "@DaysToKeep = 14",
        ),
    ];
    let mut script = format!(
        "DECLARE @job uniqueidentifier = NEWID();\n\
         INSERT INTO dbo.sysjobs (job_id, name, enabled) VALUES (@job, {}, {});\n",
        text(&name),
        u8::from(is_enabled)
    );
    for (at, (step, procedure, parameters)) in steps.into_iter().enumerate() {
        let command = format!("exec [dbo].[{procedure}] {parameters}");
        writeln!(
            script,
            "INSERT INTO dbo.sysjobsteps (job_id, step_id, step_name, subsystem, command, database_name)\n\
             VALUES (@job, {}, {}, N'TSQL', {}, {});",
            at + 1,
            text(step),
            text(&command),
            text(management)
        )
        .expect("a string takes everything");
    }
    run_script(instance, "msdb", &script).await
}

/// Makes a whole group: databases that are not there yet, on the hosts of these names, and all that a
/// backup needs in them. Raises 7202 for a server that is not among the hosts.
pub async fn create_group(
    hosts: &[Arc<Instance>],
    (server, management): (&str, &str),
    group: &Group,
) -> SqlResult<()> {
    let host = |name: &str| {
        let found = hosts.iter().find(|host| same(&host.name(), name));
        found.ok_or_else(|| messages::server_not_found(name))
    };
    for (server, database) in group.members() {
        let host = host(server)?;
        create_database(host, database).await?;
        install_member(host, database).await?;
    }
    if let Some((server, database)) = &group.tracking {
        install_tracking(host(server)?, database).await?;
    }
    let host = host(server)?;
    create_database(host, management).await?;
    install_management(host, management, group).await
}

async fn create_database(host: &Arc<Instance>, database: &str) -> SqlResult<()> {
    if host.database(database).is_some() {
        return Ok(());
    }
    let sql = format!("CREATE DATABASE {}", quote(database));
    run_script(host, "master", &sql).await
}
