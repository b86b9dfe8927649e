//! The known traps of a BizTalk group: each broken, found by `check biztalk` before anything is touched, mended, healthy.
//!
//! Start at [`TRAPS`]. The hosts are of 2019, a version that BizTalk's lists have without a word more.

use serde_json::Value;
use sqlsim::instance::Version;
use stopmark::error::Exit;

use crate::biztalk_stage::{MANAGEMENT, biztalk_of, ends};
use crate::stage::{AGENT, Stage};

/// T-SQL on a host, in a database.
type Deed = (&'static str, &'static str, &'static str);

struct Trap {
    breaks: &'static [Deed],
    exit: Exit,
    /// What is found.
    told: &'static str,
    /// Whether no mark would be placed.
    keeps_from_marking: bool,
    mends: Mend,
}

enum Mend {
    /// T-SQL as the cure says it, or as BizTalk's own scripts do it.
    By(&'static [Deed]),
    /// The T-SQL that is printed as the cure.
    Printed(&'static str),
    /// A run.
    Run(&'static [&'static str]),
    /// BizTalk's scripts in a custom database.
    Scripts(&'static str, &'static str),
}

const CHECK: &[&str] = &["check", "biztalk"];

const TRAPS: &[Trap] = &[
    Trap {
        breaks: &[
            ("BTS1", "master", "CREATE DATABASE Orders;"),
            (
                "BTS1",
                MANAGEMENT,
                "INSERT INTO adm_OtherBackupDatabases VALUES (N'Orders', N'Orders', N'BTS1', N'');",
            ),
        ],
        exit: Exit::Failed,
        told: "BLOCKS `BTS1/Orders`: it has no `dbo.MarkLog` with the column `MarkName`",
        keeps_from_marking: true,
        mends: Mend::Scripts("BTS1", "Orders"),
    },
    Trap {
        breaks: &[(
            "BTS1",
            "SSODB",
            "DROP TABLE dbo.MarkLog; CREATE TABLE dbo.MarkLog (Name nvarchar(128) NULL);",
        )],
        exit: Exit::Failed,
        told: "BLOCKS `BTS1/SSODB`: it has no `dbo.MarkLog` with the column `MarkName`",
        keeps_from_marking: true,
        mends: Mend::By(&[(
            "BTS1",
            "SSODB",
            "DROP TABLE dbo.MarkLog; CREATE TABLE dbo.MarkLog (MarkName nvarchar(128) NULL);",
        )]),
    },
    Trap {
        breaks: &[(
            "BTS1",
            MANAGEMENT,
            "INSERT INTO adm_OtherBackupDatabases VALUES (N'Twice', N'BizTalkMsgBoxDb', N'bts-listener,1433', N'');",
        )],
        exit: Exit::Degraded,
        told: "risk   `BTS2/BizTalkMsgBoxDb`: it is listed under several server names: bts-listener,1433, BTS2",
        keeps_from_marking: false,
        mends: Mend::By(&[(
            "BTS1",
            MANAGEMENT,
            "DELETE FROM adm_OtherBackupDatabases WHERE DefaultDatabaseName = N'Twice';",
        )]),
    },
    Trap {
        breaks: &[(
            "BTS1",
            MANAGEMENT,
            "UPDATE adm_MessageBox SET DBServerName = N'bts-listener,1433';",
        )],
        exit: Exit::Degraded,
        told: "it is listed as on `bts-listener,1433`, another name of `BTS2`",
        keeps_from_marking: false,
        mends: Mend::By(&[(
            "BTS1",
            MANAGEMENT,
            "UPDATE adm_MessageBox SET DBServerName = N'BTS2';",
        )]),
    },
    Trap {
        breaks: &[(
            "BTS1",
            MANAGEMENT,
            "INSERT INTO adm_OtherBackupDatabases VALUES (N'Lost', N'Orders', N'ELSEWHERE', N'');",
        )],
        exit: Exit::Failed,
        told: "BLOCKS `Orders`: it is listed on server `ELSEWHERE`, which is no configured host",
        keeps_from_marking: true,
        mends: Mend::By(&[(
            "BTS1",
            MANAGEMENT,
            "DELETE FROM adm_OtherBackupDatabases WHERE DefaultDatabaseName = N'Lost';",
        )]),
    },
    Trap {
        breaks: &[(
            "BTS1",
            MANAGEMENT,
            "DELETE FROM adm_OtherBackupDatabases WHERE DatabaseName = N'SSODB';",
        )],
        exit: Exit::Degraded,
        told: "risk   `SSODB`: no database of this name is in the list",
        keeps_from_marking: false,
        mends: Mend::By(&[(
            "BTS1",
            MANAGEMENT,
            "INSERT INTO adm_OtherBackupDatabases VALUES (N'SSO', N'SSODB', N'BTS1', N'');",
        )]),
    },
    Trap {
        breaks: &[("BTS1", MANAGEMENT, "EXEC sp_ForceFullBackup;")],
        exit: Exit::Degraded,
        told: "risk   `adm_BackupSettings`: somebody asked for a full of everything (`ForceFull`)",
        keeps_from_marking: false,
        mends: Mend::Run(&["backup", "log"]),
    },
    Trap {
        breaks: &[(
            "BTS1",
            MANAGEMENT,
            "UPDATE adm_BackupHistory SET SetComplete = 0\n\
             WHERE BackupSetId = (SELECT MAX(BackupSetId) FROM adm_BackupHistory);",
        )],
        exit: Exit::Degraded,
        told: "is not whole, and no full set came after it",
        keeps_from_marking: false,
        mends: Mend::Run(&["backup", "log"]),
    },
    Trap {
        breaks: &[(
            "BTS1",
            "msdb",
            "INSERT INTO dbo.sysjobs (job_id, name, enabled)\n\
             VALUES ('00000000-0000-0000-0000-000000000007', N'Backup BizTalk Server (BizTalkMgmtDb)', 1);\n\
             INSERT INTO dbo.sysjobsteps (job_id, step_id, step_name, subsystem, command, database_name)\n\
             VALUES ('00000000-0000-0000-0000-000000000007', 3, N'MarkAndBackupLog', N'TSQL',\n\
             N'exec [dbo].[sp_BackupAllFull_Schedule] ''d'', ''BTS'', ''\\\\nas\\bts'', 1, 3, 1', N'BizTalkMgmtDb');",
        )],
        exit: Exit::Failed,
        told: "BLOCKS `Backup BizTalk Server (BizTalkMgmtDb)`: the job is enabled beside Stopmark",
        keeps_from_marking: false,
        mends: Mend::Printed("EXEC msdb.dbo.sp_update_job"),
    },
    Trap {
        breaks: &[(
            "BTS1",
            "msdb",
            "UPDATE dbo.sysjobs SET enabled = 1;\n\
             UPDATE dbo.sysjobsteps SET command = N'exec sp_BackupAllFull_Schedule ''d'', ''BTS'', ''\\\\nas\\bts''';",
        )],
        exit: Exit::Failed,
        told: "the job counts its days in UTC (`@UseLocalTime` is 0)",
        keeps_from_marking: false,
        mends: Mend::Printed("EXEC msdb.dbo.sp_update_job"),
    },
    Trap {
        breaks: &[(
            "BTS1",
            "msdb",
            "UPDATE dbo.sysjobs SET enabled = 1;\n\
             UPDATE dbo.sysjobsteps SET command = N'exec sp_BackupAllFull_Schedule ''d'', ''BTS'', '''\n\
             + REPLICATE(N'x', 129) + N''', 1, 3, 1';",
        )],
        exit: Exit::Failed,
        told: "the job's folder has more than 128 characters",
        keeps_from_marking: false,
        mends: Mend::Printed("EXEC msdb.dbo.sp_update_job"),
    },
];

async fn mend(stage: &Stage, mend: &Mend) {
    match mend {
        Mend::By(deeds) => do_all(stage, deeds).await,
        Mend::Run(args) => {
            ends(stage, args, Exit::Ok).await;
        }
        Mend::Scripts(host, database) => {
            let instance = stage.host(host).instance();
            let made = sqlsim::biztalk::install_member(instance, database).await;
            made.expect("installed");
        }
        Mend::Printed(words) => {
            let found = stage.run(&["check", "biztalk", "--json"]).await.stdout;
            let found: Value = serde_json::from_str(&found).expect("json");
            let findings = found["findings"].as_array().expect("findings");
            let mut cures = findings.iter().filter_map(|it| it["cure"].as_str());
            let cure = cures.find(|cure| cure.starts_with(words)).expect(words);
            stage.script("BTS1", "master", cure).await;
        }
    }
}

async fn do_all(stage: &Stage, deeds: &[Deed]) {
    for (host, database, sql) in deeds {
        stage.script(host, database, sql).await;
    }
}

/// Two hosts of 2019, of which one has another name too, with a point.
async fn group() -> Stage {
    let stage = biztalk_of(Version::V2019, "servers = { 'bts-listener,1433' = 'BTS2' }").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    stage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_trap_is_found_mended_and_healthy_again() {
    let stage = group().await;
    ends(&stage, CHECK, Exit::Ok).await;
    for trap in TRAPS {
        do_all(&stage, trap.breaks).await;
        let found = ends(&stage, CHECK, trap.exit).await;
        assert!(
            found.stdout.contains(trap.told),
            "{}\n{}",
            trap.told,
            found.stdout
        );
        let dry = stage.run(&["backup", "log", "--dry-run"]).await;
        let marks = dry.stdout.contains("place mark");
        assert_eq!(
            !marks, trap.keeps_from_marking,
            "{}\n{}",
            trap.told, dry.stdout
        );
        mend(&stage, &trap.mends).await;
        ends(&stage, CHECK, Exit::Ok).await;
    }
    ends(&stage, &["backup", "log"], Exit::Ok).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_procedure_that_the_setup_left_out_is_found_and_stops_what_needs_it() {
    for (rules, procedure, marks) in [
        ("", "sp_GetNextBackupSetId", true),
        ("engine = \"microsoft\"", "sp_MarkBTSLogs", false),
    ] {
        let stage = biztalk_of(Version::V2019, rules).await;
        ends(&stage, &["backup", "full"], Exit::Ok).await;
        let sql = format!(
            "SELECT m.definition FROM {MANAGEMENT}.sys.sql_modules AS m\n\
             INNER JOIN {MANAGEMENT}.sys.objects AS o ON o.object_id = m.object_id WHERE o.name = N'{procedure}';"
        );
        let whole = stage.text("BTS1", &sql).await;
        let drop = format!("DROP PROCEDURE dbo.{procedure};");
        stage.script("BTS1", MANAGEMENT, &drop).await;
        let found = ends(&stage, CHECK, Exit::Degraded).await;
        let told = format!("the management database lacks {procedure}");
        assert!(found.stdout.contains(&told), "{}", found.stdout);
        let dry = stage.run(&["backup", "log", "--dry-run"]).await;
        assert_eq!(dry.stdout.contains("place mark"), marks, "{}", dry.stdout);
        stage.script("BTS1", MANAGEMENT, &whole).await;
        ends(&stage, CHECK, Exit::Ok).await;
        ends(&stage, &["backup", "log"], Exit::Ok).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_gone_is_found_and_the_group_stays_what_it_was() {
    let stage = group().await;
    let sql = format!(
        "SELECT m.definition FROM {MANAGEMENT}.sys.sql_modules AS m\n\
         INNER JOIN {MANAGEMENT}.sys.objects AS o ON o.object_id = m.object_id WHERE o.name = N'admv_BackupDatabases';"
    );
    let whole = stage.text("BTS1", &sql).await;
    stage
        .script("BTS1", MANAGEMENT, "DROP VIEW dbo.admv_BackupDatabases;")
        .await;
    let found = ends(&stage, CHECK, Exit::Failed).await;
    assert!(
        found.stdout.contains("has no list of a BizTalk group"),
        "{}",
        found.stdout
    );
    assert!(
        found
            .stdout
            .contains("cure: name BizTalk's management database"),
        "{}",
        found.stdout
    );
    stage.script("BTS1", MANAGEMENT, &whole).await;
    ends(&stage, CHECK, Exit::Ok).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_that_are_too_long_or_that_no_destination_reaches_are_found() {
    let stage = biztalk_of(Version::V2019, "engine = \"microsoft\"").await;
    let share = |at: u8| {
        format!(
            "sql = \"{}\"",
            stage.path("share").join(at.to_string()).display()
        )
    };
    for (folder, exit, told) in [
        (
            format!("sql = '\\\\nas\\{}'", "x".repeat(125)),
            Exit::Failed,
            "BLOCKS `BTS1`: its folder has more than 128 characters",
        ),
        (
            "sql = 'D:\\Backup'".to_owned(),
            Exit::Degraded,
            "risk   `BTS1`: its backups go to `D:\\Backup`, a folder of its own disks",
        ),
    ] {
        stage.edit(&share(0), &folder);
        let found = ends(&stage, CHECK, exit).await;
        assert!(found.stdout.contains(told), "{}", found.stdout);
        stage.edit(&folder, &share(0));
        ends(&stage, CHECK, Exit::Ok).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_outside_of_biztalks_lists_are_told() {
    for (version, told) in [
        (Version::V2016, None),
        (
            Version::V2022,
            Some("SQL Server 2022 is supported by BizTalk 2020 from CU6 on"),
        ),
        (
            Version::V2025,
            Some("this version of SQL Server is in none of BizTalk's lists"),
        ),
    ] {
        let stage = biztalk_of(version, "").await;
        let exit = if told.is_some() {
            Exit::Degraded
        } else {
            Exit::Ok
        };
        let found = ends(&stage, CHECK, exit).await;
        assert!(
            found.stdout.contains(told.unwrap_or("nothing is wrong")),
            "{}",
            found.stdout
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_outside_of_the_backup_role_is_found_and_joins_it() {
    let stage = biztalk_of(Version::V2019, "").await;
    for host in ["BTS1", "BTS2", "DR"] {
        let rights = stage.must(&["grants", "--host", host]).await;
        stage.script(host, "master", &rights).await;
        let lesser = format!("ALTER SERVER ROLE sysadmin DROP MEMBER {AGENT};");
        stage.script(host, "master", &lesser).await;
    }
    ends(&stage, CHECK, Exit::Ok).await;
    let leave = format!("ALTER ROLE BTS_BACKUP_USERS DROP MEMBER {AGENT};");
    stage.script("BTS2", "BizTalkDTADb", &leave).await;
    let found = ends(&stage, CHECK, Exit::Failed).await;
    let told = "or the agent's login may not execute it";
    assert!(
        found.stdout.contains("BLOCKS `BTS2/BizTalkDTADb`"),
        "{}",
        found.stdout
    );
    assert!(found.stdout.contains(told), "{}", found.stdout);
    let join = format!("ALTER ROLE BTS_BACKUP_USERS ADD MEMBER {AGENT};");
    stage.script("BTS2", "BizTalkDTADb", &join).await;
    ends(&stage, CHECK, Exit::Ok).await;
}

/// What `LogShipping_Destination_Schema.sql` makes of the folders, as far as its documentation tells.
const DESTINATION: &str = "CREATE TABLE dbo.bts_LogShippingDatabases (DatabaseName nvarchar(128) NOT NULL,\n\
    DBFileLocation nvarchar(500) NULL, LogFileLocation nvarchar(500) NULL);\n\
    INSERT INTO dbo.bts_LogShippingDatabases (DatabaseName) VALUES (N'SSODB'), (N'BizTalkMsgBoxDb');";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_would_stumble_over_its_layout_is_found_and_told_its_folders() {
    let stage = group().await;
    ends(&stage, CHECK, Exit::Ok).await;
    stage.script("DR", "master", DESTINATION).await;
    let folders = ends(&stage, CHECK, Exit::Degraded).await;
    let told = "risk   `DR`: files of the group lie in `";
    assert!(folders.stdout.contains(told), "{}", folders.stdout);
    let moved = "UPDATE dbo.bts_LogShippingDatabases SET DBFileLocation = N'/data', LogFileLocation = N'/log';";
    stage.script("DR", "master", moved).await;
    ends(&stage, CHECK, Exit::Ok).await;
    stage.script("DR", "master", "CREATE DATABASE SSODB;").await;
    let open = ends(&stage, CHECK, Exit::Degraded).await;
    let told = "risk   `DR`: `SSODB` is open on this destination";
    assert!(open.stdout.contains(told), "{}", open.stdout);
    stage.script("DR", "master", "DROP DATABASE SSODB;").await;
    ends(&stage, CHECK, Exit::Ok).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
}
