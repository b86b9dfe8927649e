//! Others who back members up: each kind broken, found, mended by what was printed, healthy.

use serde_json::Value;
use stopmark::error::Exit;

use crate::stage::{Printed, Stage};

async fn linked() -> Stage {
    let stage = Stage::set(&[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"])]).await;
    stage.must(&["link", "apply"]).await;
    stage.must(&["backup", "full"]).await;
    stage.must(&["check"]).await;
    stage
}

async fn link_check(stage: &Stage, exit: Exit) -> Printed {
    let printed = stage.run(&["link", "check"]).await;
    let told = format!("{}{}", printed.stdout, printed.stderr);
    assert_eq!(printed.exit, exit, "{told}");
    printed
}

/// The T-SQL that mends what others do, with its hosts.
async fn cures(stage: &Stage) -> Vec<(String, String)> {
    let found = stage.run(&["link", "check", "--json"]).await.stdout;
    let found: Value = serde_json::from_str(&found).expect("json");
    let findings = found["rivals"]["findings"].as_array().expect("findings");
    let text = |it: &Value| it.as_str().map(str::to_owned);
    findings
        .iter()
        .filter_map(|it| Some((text(&it["host"])?, text(&it["script"])?)))
        .collect()
}

/// Finds what this text says, runs the printed T-SQL, and finds nothing any more.
async fn found_and_mended(stage: &Stage, exit: Exit, told: &str) {
    let found = link_check(stage, exit).await;
    assert!(found.stdout.contains(told), "{told}\n{}", found.stdout);
    let checked = stage.run(&["check"]).await;
    assert_eq!(checked.exit, exit, "{}", checked.stdout);
    assert!(checked.stdout.contains("SM0232"), "{}", checked.stdout);
    let cures = cures(stage).await;
    assert!(!cures.is_empty(), "{}", found.stdout);
    for (host, cure) in cures {
        stage.script(&host, "master", &cure).await;
    }
    link_check(stage, Exit::Ok).await;
    stage.must(&["check"]).await;
}

/// Writes a job of one step into the Agent's tables.
fn job(name: &str, subsystem: &str, command: &str) -> String {
    let quoted = |text: &str| format!("N'{}'", text.replace('\'', "''"));
    let (name, subsystem, command) = (quoted(name), quoted(subsystem), quoted(command));
    format!(
        "DECLARE @job uniqueidentifier = NEWID();\n\
         INSERT INTO dbo.sysjobs (job_id, name, enabled) VALUES (@job, {name}, 1);\n\
         INSERT INTO dbo.sysjobsteps (job_id, step_id, step_name, subsystem, command, database_name)\n\
         VALUES (@job, 1, N'one', {subsystem}, {command}, N'master');"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_takes_logs_or_fulls_is_found_and_disabled() {
    let stage = linked().await;
    let ola = "sqlcmd -Q \"EXECUTE dbo.DatabaseBackup @Databases = 'USER_DATABASES', @BackupType = 'LOG'\" -b";
    for (name, subsystem, command, exit, told) in [
        (
            "Nightly log of o'Brien",
            "TSQL",
            "BACKUP LOG Accounts TO DISK = N'/elsewhere/a.trn'",
            Exit::Failed,
            "BLOCKS `Nightly log of o'Brien` on `SQL2`: the job takes log backups: a BACKUP statement of `Accounts`",
        ),
        (
            "DatabaseBackup - USER_DATABASES - LOG",
            "CmdExec",
            ola,
            Exit::Failed,
            "the job takes log backups: Ola Hallengren's DatabaseBackup",
        ),
        (
            "Sunday",
            "TSQL",
            "DECLARE @sql nvarchar(max) = N'BACKUP DATABASE ' + @db; EXEC (@sql);",
            Exit::Degraded,
            "risk   `Sunday` on `SQL2`: the job takes fulls that are no copies",
        ),
        (
            "Plan.Nightly",
            "SSIS",
            r#"/Server "." /SQL "Maintenance Plans\Plan""#,
            Exit::Degraded,
            "may back databases up, which cannot be read from here: a maintenance plan",
        ),
        (
            "Backup BizTalk Server (BizTalkMgmtDb)",
            "TSQL",
            "exec [dbo].[sp_MarkAll] 'BTS', '\\\\nas\\bts'",
            Exit::Failed,
            "the job takes log backups: BizTalk's own backup job",
        ),
    ] {
        let sql = job(name, subsystem, command);
        stage.script("SQL2", "msdb", &sql).await;
        found_and_mended(&stage, exit, told).await;
    }
    let harmless = job(
        "Copies",
        "TSQL",
        "BACKUP LOG Accounts TO DISK = N'x' WITH COPY_ONLY",
    );
    stage.script("SQL2", "msdb", &harmless).await;
    link_check(&stage, Exit::Ok).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_shipping_is_found_by_its_table_and_its_job_disabled() {
    let stage = linked().await;
    let ship = "DECLARE @job uniqueidentifier = NEWID();\n\
        INSERT INTO dbo.sysjobs (job_id, name, enabled) VALUES (@job, N'LSBackup_Ledger', 1);\n\
        INSERT INTO dbo.sysjobsteps (job_id, step_id, step_name, subsystem, command)\n\
        VALUES (@job, 1, N'Log shipping backup log job step.', N'CMDEXEC', N'sqllogship.exe -Backup 5F1C -server SQL1');\n\
        INSERT INTO dbo.log_shipping_primary_databases (primary_id, primary_database, backup_directory, backup_job_id)\n\
        VALUES (NEWID(), N'Ledger', N'/ls', @job);";
    stage.script("SQL1", "msdb", ship).await;
    let told = "BLOCKS `LSBackup_Ledger` on `SQL1`: log shipping takes the log backups of `Ledger`";
    found_and_mended(&stage, Exit::Failed, told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn managed_backup_is_found_and_ended_for_the_member() {
    let stage = linked().await;
    let enable = "EXEC managed_backup.sp_backup_config_basic @enable_backup = 1, @database_name = N'Ledger',\n\
                  @container_url = N'https://a.blob.core.windows.net/b', @retention_days = 30;";
    stage.script("SQL1", "msdb", enable).await;
    let told = "BLOCKS `Ledger` on `SQL1`: managed backup to Azure takes its fulls and logs";
    found_and_mended(&stage, Exit::Failed, told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_without_a_job_is_found_in_the_history_until_a_full_begins_anew() {
    let stage = linked().await;
    let taken = |what: &str, name: &str, rest: &str| {
        format!(
            "BACKUP {what} Ledger TO DISK = N'{}' WITH FORMAT, NAME = N'{name}';\nGO\n\
             UPDATE msdb.dbo.backupmediafamily SET device_type = 7, physical_device_name = N'{{5F1C}}1'\n\
             WHERE media_set_id = (SELECT MAX(media_set_id) FROM msdb.dbo.backupset){rest};",
            stage.path("vdi.bak").display()
        )
    };
    let log = taken("LOG", "Veeam log backup", "");
    stage.script("SQL1", "master", &log).await;
    let found = link_check(&stage, Exit::Failed).await;
    let told = "BLOCKS `Veeam` on `SQL1`: 1 log backup of `Ledger` since our newest full";
    assert!(found.stdout.contains(told), "{}", found.stdout);
    assert!(found.stdout.contains("to `{5F1C}1`"), "{}", found.stdout);
    stage.must(&["backup", "full"]).await;
    link_check(&stage, Exit::Ok).await;
    let snapshot = "\nGO\nUPDATE msdb.dbo.backupset SET is_snapshot = 1\n\
                    WHERE backup_set_id = (SELECT MAX(backup_set_id) FROM msdb.dbo.backupset)";
    let full = taken("DATABASE", "daily", snapshot);
    stage.script("SQL1", "master", &full).await;
    let found = link_check(&stage, Exit::Degraded).await;
    let told = "risk   `a VSS tool` on `SQL1`: 1 snapshot (VSS) that is no copy of `Ledger`";
    assert!(found.stdout.contains(told), "{}", found.stdout);
    stage.must(&["backup", "full"]).await;
    link_check(&stage, Exit::Ok).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_login_may_not_see_is_told_and_is_no_finding() {
    let stage = linked().await;
    let lesser = "CREATE LOGIN lesser WITH PASSWORD = N'Stage-Pa55word';\n\
                  GRANT VIEW SERVER STATE TO lesser; GRANT VIEW ANY DEFINITION TO lesser;\n\
                  GRANT ALTER ANY LINKED SERVER TO lesser; GRANT ALTER ANY LOGIN TO lesser;\nGO\n\
                  USE msdb;\nGO\nCREATE USER lesser FOR LOGIN lesser;\n\
                  GRANT SELECT ON dbo.backupset TO lesser; GRANT SELECT ON dbo.backupmediaset TO lesser;\n\
                  GRANT SELECT ON dbo.backupmediafamily TO lesser; GRANT SELECT ON dbo.logmarkhistory TO lesser;\nGO\n\
                  USE Ledger;\nGO\nCREATE USER lesser FOR LOGIN lesser;";
    stage.script("SQL1", "master", lesser).await;
    let login = "login = { user = \"stopmark\"";
    stage.edit(login, "login = { user = \"lesser\"");
    let seen = stage.run(&["link", "check"]).await;
    let told = "not seen: who else backs members up on `SQL1`: the login lacks SELECT on msdb.dbo.sysjobs, \
                SELECT on msdb.dbo.sysjobsteps, SELECT on msdb.dbo.log_shipping_primary_databases, \
                SELECT on msdb.managed_backup.fn_backup_db_config";
    assert!(seen.stdout.contains(told), "{}{}", seen.stdout, seen.stderr);
}
