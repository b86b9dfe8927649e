//! What a restore must know and do beside the data: certificates, owners, settings, logins, and users who are sent away.
//!
//! Start at [`what_a_member_had_on_its_host_is_put_back_on_another`].

use stopmark::error::Exit;

use crate::stage::{Stage, must};

/// To one host, which has a login of the same name and another SID.
const TO_DR: [&str; 5] = ["restore", "run", "--to-host", "DR1", "--default-folders"];

/// Two hosts with a member each and a spare one; the first member is prepared by `script`, then backed up.
async fn backed_up(script: &str) -> Stage {
    let stage = Stage::set(&[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"]), ("DR1", &[])]).await;
    stage.script("SQL1", "master", script).await;
    for kind in ["full", "log"] {
        must(&stage.run(&["backup", kind]).await);
    }
    stage
}

const HAD: &str = "CREATE LOGIN app WITH PASSWORD = 'Str0ng!pass';\nGO\n\
    USE Ledger;\nGO\nCREATE USER worker FOR LOGIN app;\nGO\nUSE master;\nGO\n\
    CREATE LOGIN boss WITH PASSWORD = 'Str0ng!pass';\nGO\n\
    ALTER AUTHORIZATION ON DATABASE::Ledger TO boss;\nGO\n\
    ALTER DATABASE Ledger SET TRUSTWORTHY ON;\nGO\n\
    ALTER DATABASE Ledger SET DB_CHAINING ON;\nGO\n\
    ALTER DATABASE Ledger SET ENABLE_BROKER;";

/// Owner, switches and the login of the user, as the host has them.
async fn found(stage: &Stage) -> String {
    let sql = "SELECT SUSER_SNAME(d.owner_sid) + N' ' + CAST(d.is_trustworthy_on AS nvarchar(1)) \
               + CAST(d.is_db_chaining_on AS nvarchar(1)) + CAST(d.is_broker_enabled AS nvarchar(1)) \
               FROM sys.databases AS d WHERE d.name = N'Ledger';";
    let switches = stage.text("DR1", sql).await;
    let user = "SELECT COUNT_BIG(*) FROM sys.database_principals AS p \
                INNER JOIN sys.server_principals AS s ON s.sid = p.sid \
                WHERE p.name = N'worker' AND s.name = N'app';";
    let mapped = stage.number("DR1", "Ledger", user).await;
    format!("{switches} {mapped}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_member_had_on_its_host_is_put_back_on_another() {
    let stage = backed_up(HAD).await;
    let logins = "CREATE LOGIN app WITH PASSWORD = 'Other!1';\nGO\nCREATE LOGIN boss WITH PASSWORD = 'Other!1';";
    stage.script("DR1", "master", logins).await;
    must(&stage.run(&TO_DR).await);
    assert_eq!(found(&stage).await, "boss 111 1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_that_a_host_lacks_are_named_and_the_rest_is_put_back() {
    let stage = backed_up(HAD).await;
    let printed = stage.run(&TO_DR).await;
    assert_eq!(printed.exit, Exit::Degraded, "{}", printed.stdout);
    let told = &printed.stdout;
    assert!(
        told.contains("SM0812") && told.contains("owner `boss`") && told.contains("user `worker`"),
        "{told}"
    );
    assert_eq!(found(&stage).await, "stopmark 111 0", "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_the_target_lacks_is_found_out_before_anything_is_touched() {
    let stage = backed_up("EXEC sp_sim_encrypt 'Ledger', 'C0FFEE00';").await;
    let refused = stage.run(&TO_DR).await;
    assert_eq!(refused.exit, Exit::Failed);
    assert!(
        refused.stderr.contains("SM0805") && refused.stderr.contains("C0FFEE00"),
        "{}",
        refused.stderr
    );
    let rows = "SELECT COUNT_BIG(*) FROM dbo.restorehistory;";
    assert_eq!(stage.number("DR1", "msdb", rows).await, 0);
    let drill = ["drill", "run", "--on", "DR1"];
    assert!(stage.run(&drill).await.stderr.contains("C0FFEE00"));
    let certificate = "EXEC sp_sim_certificate 'tde', 'C0FFEE00';";
    stage.script("DR1", "master", certificate).await;
    must(&stage.run(&TO_DR).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_refused_lets_the_users_in_again() {
    let stage = backed_up("SELECT 1;").await;
    let fail = "EXEC sp_sim_fault 'fail', @statement = 'RESTORE DATABASE', @times = 0, @number = 3183, \
                @text = N'A page is damaged.';";
    stage.script("SQL1", "master", fail).await;
    let over = ["--in-place", "--no-tail", "--yes-overwrite", "stage"];
    let printed = stage.run(&[&["restore", "run"][..], &over].concat()).await;
    assert_eq!(printed.exit, Exit::Failed, "{}", printed.stdout);
    let access =
        "SELECT state_desc + N' ' + user_access_desc FROM sys.databases WHERE name = N'Ledger';";
    assert_eq!(stage.text("SQL1", access).await, "ONLINE MULTI_USER");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_that_cannot_be_taken_lets_the_users_in_again_and_nothing_is_restored() {
    let stage = backed_up("SELECT 1;").await;
    let fail = "EXEC sp_sim_fault 'fail', @statement = 'BACKUP LOG', @times = 0, @number = 3271, \
                @text = N'A nonrecoverable I/O error.';";
    stage.script("SQL1", "master", fail).await;
    let over = ["--in-place", "--yes-overwrite", "stage"];
    let printed = stage.run(&[&["restore", "run"][..], &over].concat()).await;
    assert_eq!(printed.exit, Exit::Failed, "{}", printed.stdout);
    let access =
        "SELECT state_desc + N' ' + user_access_desc FROM sys.databases WHERE name = N'Ledger';";
    assert_eq!(stage.text("SQL1", access).await, "ONLINE MULTI_USER");
    let rows = "SELECT COUNT_BIG(*) FROM dbo.restorehistory;";
    for host in ["SQL1", "SQL2"] {
        assert_eq!(stage.number(host, "msdb", rows).await, 0, "{host}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_can_be_looked_into_at_the_mark_before_they_are_opened() {
    let stage = backed_up(HAD).await;
    let inspect = [&TO_DR[..], &["--inspect"]].concat();
    let printed = stage.run(&inspect).await;
    must(&printed);
    assert!(printed.stdout.contains("--resume"), "{}", printed.stdout);
    let standing = "SELECT COUNT_BIG(*) FROM sys.databases WHERE is_in_standby = 1;";
    assert_eq!(stage.number("DR1", "master", standing).await, 2);
    let marks = "SELECT COUNT_BIG(*) FROM stopmark.MarkLog;";
    assert_eq!(
        stage.number("DR1", "Ledger", marks).await,
        1,
        "it can be read"
    );
    let logins = "CREATE LOGIN app WITH PASSWORD = 'Other!1';\nGO\nCREATE LOGIN boss WITH PASSWORD = 'Other!1';";
    stage.script("DR1", "master", logins).await;
    must(&stage.run(&[&TO_DR[..], &["--resume"]].concat()).await);
    assert_eq!(stage.number("DR1", "master", standing).await, 0);
    assert_eq!(found(&stage).await, "boss 111 1");
}
