//! Catalog views and functions.

use crate::support::Host;

#[tokio::test]
async fn databases_are_listed_with_their_state() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    client
        .check(
            "CREATE DATABASE [a b]; ALTER DATABASE [a b] SET RECOVERY SIMPLE",
            "",
        )
        .await;
    let sql = "SELECT name, database_id, state_desc, recovery_model_desc FROM sys.databases
               WHERE database_id <> 2 ORDER BY database_id";
    let expected =
        "master|1|ONLINE|SIMPLE\nmodel|3|ONLINE|FULL\nmsdb|4|ONLINE|SIMPLE\na b|5|ONLINE|SIMPLE";
    client.check(sql, expected).await;
    client
        .check(
            "SELECT last_log_backup_lsn FROM sys.database_recovery_status WHERE database_id = 5",
            "NULL",
        )
        .await;
    client
        .check(
            "SELECT DATABASEPROPERTYEX('a b', 'Recovery'), DB_ID('nowhere')",
            "SIMPLE|NULL",
        )
        .await;
    client.fails("CREATE DATABASE [A B]", 1801).await;
    client
        .check("DROP DATABASE [a b]; SELECT DB_ID('a b')", "NULL")
        .await;
    client.fails("DROP DATABASE [a b]", 3701).await;
    client.fails("USE msdb; DROP DATABASE msdb", 3708).await;
}

#[tokio::test]
async fn names_with_brackets_quotes_and_emoji_work() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    let name = format!("]'\"🐧{}", "x".repeat(100));
    let quoted = format!("[{}]", name.replace(']', "]]"));
    client.check(&format!("CREATE DATABASE {quoted}"), "").await;
    client
        .check(
            &format!(
                "USE {quoted}; CREATE TABLE {quoted} ({quoted} int); INSERT {quoted} VALUES (1)"
            ),
            "",
        )
        .await;
    client.check("SELECT DB_NAME()", &name).await;
    client
        .check(&format!("SELECT {quoted} FROM {quoted}.dbo.{quoted}"), "1")
        .await;
}

#[tokio::test]
async fn objects_are_found_by_name_and_number() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    client.check("CREATE DATABASE shop", "").await;
    client.check("USE shop", "").await;
    client
        .check(
            "CREATE TABLE dbo.item (id int NOT NULL PRIMARY KEY, name nvarchar(20))",
            "",
        )
        .await;
    client
        .check(
            "SELECT OBJECT_NAME(OBJECT_ID('dbo.item')), OBJECT_ID('dbo.item', 'P')",
            "item|NULL",
        )
        .await;
    client
        .check(
            "SELECT name, max_length, is_nullable FROM sys.columns WHERE object_id = \
       OBJECT_ID('item')",
            "id|4|0\nname|40|1",
        )
        .await;
    client
        .check(
            "SELECT t.name, s.name FROM sys.tables t JOIN sys.schemas s ON s.schema_id = \
       t.schema_id",
            "item|dbo",
        )
        .await;
    client
        .check("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES", "item")
        .await;
}

#[tokio::test]
async fn a_session_sees_itself() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    client
        .check(
            "SELECT auth_scheme, encrypt_option FROM sys.dm_exec_connections WHERE \
       session_id = @@SPID",
            "SQL|FALSE",
        )
        .await;
    client
        .check(
            "SELECT command FROM sys.dm_exec_requests WHERE session_id = @@SPID",
            "SELECT",
        )
        .await;
    client.fails("KILL 9999", 6106).await;
    client
        .check(
            "SELECT value FROM sys.configurations WHERE name = 'remote query timeout (s)'",
            "600",
        )
        .await;
}

#[tokio::test]
async fn free_room_is_told_of_every_file_and_of_no_mount_point() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    let rooms = "SELECT COUNT(*) FROM sys.master_files AS f \
                 CROSS APPLY sys.dm_os_volume_stats(f.database_id, f.file_id) AS v \
                 WHERE v.available_bytes = 1099511627776 AND v.volume_mount_point IS NULL";
    let files = client.run("SELECT COUNT(*) FROM sys.master_files").await;
    client.check(rooms, &files).await;
    client
        .check("SELECT * FROM sys.dm_os_volume_stats(9999, 1)", "")
        .await;
}

#[tokio::test]
async fn a_killed_session_is_cut() {
    let host = Host::new("HOST1").await;
    let (mut one, mut two) = (host.client().await, host.client().await);
    let spid = two.run("SELECT @@SPID").await;
    one.check(&format!("KILL {spid}"), "").await;
    assert!(two.run("SELECT 1").await.starts_with("broken"));
    one.check("SELECT 1", "1").await;
}

#[tokio::test]
async fn checkdb_finds_a_page_that_was_changed_on_disk() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    client
        .check("CREATE DATABASE shop; CREATE TABLE shop.dbo.t (a int)", "")
        .await;
    client
        .check(
            "INSERT shop.dbo.t VALUES (1); CHECKPOINT; DBCC CHECKDB (shop)",
            "",
        )
        .await;
    let path = client
        .run("SELECT physical_name FROM sys.master_files WHERE name = 'shop'")
        .await;
    let mut bytes = std::fs::read(&path).expect("the data file");
    bytes[8192 + 200] ^= 1;
    std::fs::write(&path, bytes).expect("the data file");
    client
        .fails("DBCC CHECKDB (shop) WITH NO_INFOMSGS", 8928)
        .await;
    client
        .check(
            "BEGIN TRY DBCC CHECKDB (shop) WITH NO_INFOMSGS; SELECT 'sound' END TRY \
             BEGIN CATCH SELECT ERROR_NUMBER() END CATCH",
            "8928",
        )
        .await;
    client.fails("DBCC PIGS", 2526).await;
}

#[tokio::test]
async fn an_armed_fault_strikes_its_statement_once() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    client.check("CREATE DATABASE shop", "").await;
    let arm = "EXEC sp_sim_fault @kind = 'fail', @statement = 'CREATE TABLE', @number = 1105";
    client.check(arm, "").await;
    client.fails("CREATE TABLE shop.dbo.t (a int)", 1105).await;
    client.check("CREATE TABLE shop.dbo.t (a int)", "").await;
}
