//! Tables and rows: DDL, DML, constraints, temporary tables.

use crate::support::{Client, Host};

async fn shop(host: &Host) -> Client {
    let mut client = host.client().await;
    client.check("CREATE DATABASE shop", "").await;
    client.check("USE shop", "").await;
    let sql = "CREATE TABLE dbo.item (
                 id int IDENTITY(1,1) NOT NULL PRIMARY KEY,
                 name nvarchar(20) NOT NULL UNIQUE,
                 price decimal(9,2) NOT NULL DEFAULT 1.5 CHECK (price >= 0),
                 note nvarchar(50) NULL)";
    client.check(sql, "").await;
    client
}

#[tokio::test]
async fn rows_are_inserted_changed_and_removed() {
    let host = Host::new("HOST1").await;
    let mut client = shop(&host).await;
    client
        .check(
            "INSERT dbo.item (name) VALUES (N'pen'), (N'ink'); SELECT @@ROWCOUNT",
            "2",
        )
        .await;
    client
        .check(
            "SELECT id, name, price, note FROM item ORDER BY id",
            "1|pen|1.50|NULL\n2|ink|1.50|NULL",
        )
        .await;
    client
        .check(
            "UPDATE item SET price = price * 2 WHERE name = 'PEN'; SELECT @@ROWCOUNT",
            "1",
        )
        .await;
    client.check("DELETE item WHERE name = 'ink'", "").await;
    client
        .check("SELECT COUNT(*), SUM(price) FROM item", "1|3.00")
        .await;
    client
        .check("INSERT item (name) OUTPUT INSERTED.id VALUES ('cap')", "3")
        .await;
    client.check("SELECT SCOPE_IDENTITY()", "3").await;
}

#[tokio::test]
async fn a_new_row_keeps_the_rules_of_its_table() {
    let host = Host::new("HOST1").await;
    let mut client = shop(&host).await;
    client.check("INSERT item (name) VALUES ('pen')", "").await;
    client.fails("INSERT item (name) VALUES (NULL)", 515).await;
    client
        .fails("INSERT item (name) VALUES ('Pen')", 2627)
        .await;
    client
        .fails("INSERT item (name, price) VALUES ('x', -1)", 547)
        .await;
    client
        .fails("INSERT item (id, name) VALUES (9, 'x')", 544)
        .await;
    client.fails("INSERT item (nothing) VALUES (1)", 207).await;
    client.check("SELECT COUNT(*) FROM item", "1").await;
    client
        .check(
            "SET IDENTITY_INSERT item ON; INSERT item (id, name) VALUES (9, 'x')",
            "",
        )
        .await;
    client
        .check(
            "SET IDENTITY_INSERT item OFF; INSERT item (name) VALUES ('y'); SELECT @@IDENTITY",
            "10",
        )
        .await;
}

#[tokio::test]
async fn a_statement_that_fails_leaves_nothing_of_itself() {
    let host = Host::new("HOST1").await;
    let mut client = shop(&host).await;
    client
        .fails(
            "BEGIN TRAN; INSERT item (name) VALUES ('a'); INSERT item (name) VALUES ('b'), ('a')",
            2627,
        )
        .await;
    client
        .check("SELECT COUNT(*), @@TRANCOUNT FROM item", "1|1")
        .await;
    client.check("COMMIT; SELECT COUNT(*) FROM item", "1").await;
}

#[tokio::test]
async fn temporary_tables_live_in_their_session() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    client
        .check("CREATE TABLE #t (a int); INSERT #t VALUES (1), (2)", "")
        .await;
    client.check("SELECT SUM(a) FROM #t", "3").await;
    client
        .check(
            "SELECT a INTO #u FROM #t WHERE a > 1; SELECT a FROM #u",
            "2",
        )
        .await;
    client
        .check(
            "BEGIN TRAN; DELETE #t; ROLLBACK; SELECT COUNT(*) FROM #t",
            "2",
        )
        .await;
    host.client().await.fails("SELECT * FROM #t", 208).await;
    client.check("DROP TABLE #t", "").await;
    client.fails("SELECT * FROM #t", 208).await;
}

#[tokio::test]
async fn a_table_grows_a_column() {
    let host = Host::new("HOST1").await;
    let mut client = shop(&host).await;
    client.check("INSERT item (name) VALUES ('pen')", "").await;
    client
        .check("ALTER TABLE item ADD stock int NOT NULL DEFAULT 4", "")
        .await;
    client.check("SELECT name, stock FROM item", "pen|4").await;
    client.check("ALTER TABLE item DROP COLUMN note", "").await;
    client.fails("SELECT note FROM item", 207).await;
    client
        .check("CREATE UNIQUE INDEX ix ON item (stock)", "")
        .await;
    client
        .fails("INSERT item (name) VALUES ('ink')", 2601)
        .await;
}

#[tokio::test]
async fn a_view_shows_its_query() {
    let host = Host::new("HOST1").await;
    let mut client = shop(&host).await;
    client
        .check(
            "CREATE VIEW dbo.cheap AS SELECT name FROM dbo.item WHERE price < 2",
            "",
        )
        .await;
    client
        .check(
            "INSERT item (name, price) VALUES ('pen', 1), ('car', 9)",
            "",
        )
        .await;
    client.check("SELECT * FROM cheap", "pen").await;
    client
        .check("USE master; SELECT name FROM shop.dbo.cheap", "pen")
        .await;
}

#[tokio::test]
async fn rows_of_a_procedure_are_inserted() {
    let host = Host::new("HOST1").await;
    let mut client = shop(&host).await;
    client
        .check(
            "CREATE PROCEDURE dbo.names AS SELECT 'a', 1 UNION ALL SELECT 'b', 2",
            "",
        )
        .await;
    client
        .check(
            "DECLARE @t TABLE (n varchar(5), i int); INSERT @t EXEC dbo.names; SELECT \
       COUNT(*), MAX(n) FROM @t",
            "2|b",
        )
        .await;
}

#[tokio::test]
async fn what_was_committed_survives_a_restart_and_a_kill() {
    let host = Host::new("HOST1").await;
    let mut client = shop(&host).await;
    client.check("INSERT item (name) VALUES ('pen')", "").await;
    let host = host.restart().await;
    let mut client = host.client().await;
    client
        .check("INSERT shop.dbo.item (name) VALUES ('ink')", "")
        .await;
    client
        .check(
            "BEGIN TRAN; INSERT shop.dbo.item (name) VALUES ('lost')",
            "",
        )
        .await;
    let host = host.kill().await;
    let mut client = host.client().await;
    client
        .check("SELECT name FROM shop.dbo.item ORDER BY id", "pen\nink")
        .await;
    client
        .check("SELECT COUNT(*) FROM msdb.dbo.backupset", "0")
        .await;
}
