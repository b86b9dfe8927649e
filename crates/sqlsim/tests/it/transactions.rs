//! Transactions: counts, savepoints, marks, isolation, errors.

use crate::support::{Client, Host};

async fn bank(host: &Host) -> Client {
    let mut client = host.client().await;
    client
        .check(
            "CREATE DATABASE bank; ALTER DATABASE bank SET RECOVERY FULL",
            "",
        )
        .await;
    client.check("USE bank", "").await;
    client
        .check(
            "CREATE TABLE account (id int PRIMARY KEY, money int NOT NULL)",
            "",
        )
        .await;
    client
        .check("INSERT account VALUES (1, 100), (2, 100)", "")
        .await;
    client
}

#[tokio::test]
async fn the_outermost_commit_commits() {
    let host = Host::new("HOST1").await;
    let mut client = bank(&host).await;
    let mut other = host.login("sa", "bank").await.expect("sa logs in");
    client
        .check(
            "BEGIN TRAN; BEGIN TRAN; UPDATE account SET money = 1 WHERE id = 1; COMMIT; \
       SELECT @@TRANCOUNT",
            "1",
        )
        .await;
    other
        .check("SELECT money FROM account WHERE id = 1", "100")
        .await;
    client.check("COMMIT", "").await;
    other
        .check("SELECT money FROM account WHERE id = 1", "1")
        .await;
    client.fails("COMMIT", 3902).await;
    client.fails("ROLLBACK", 3903).await;
}

#[tokio::test]
async fn a_savepoint_keeps_what_came_before_it() {
    let host = Host::new("HOST1").await;
    let mut client = bank(&host).await;
    let sql = "BEGIN TRAN; UPDATE account SET money = 1 WHERE id = 1; SAVE TRAN here
               UPDATE account SET money = 2 WHERE id = 2; ROLLBACK TRAN here; COMMIT
               SELECT money FROM account ORDER BY id";
    client.check(sql, "1\n100").await;
    client
        .fails("BEGIN TRAN; ROLLBACK TRAN nowhere", 6401)
        .await;
    client.check("ROLLBACK", "").await;
}

#[tokio::test]
async fn xact_abort_rolls_everything_back() {
    let host = Host::new("HOST1").await;
    let mut client = bank(&host).await;
    client
        .fails(
            "SET XACT_ABORT ON; BEGIN TRAN; DELETE account; INSERT account VALUES (1, NULL); \
       SELECT 1",
            515,
        )
        .await;
    client
        .check("SELECT COUNT(*), @@TRANCOUNT FROM account", "2|0")
        .await;
}

#[tokio::test]
async fn a_doomed_transaction_can_only_be_rolled_back() {
    let host = Host::new("HOST1").await;
    let mut client = bank(&host).await;
    let sql = "SET XACT_ABORT ON; BEGIN TRAN
               BEGIN TRY INSERT account VALUES (1, 5) END TRY
               BEGIN CATCH SELECT XACT_STATE(), ERROR_NUMBER(); ROLLBACK END CATCH
               SELECT @@TRANCOUNT";
    client.check(sql, "-1|2627\n0").await;
    let sql = "SET XACT_ABORT ON; BEGIN TRAN
               BEGIN TRY INSERT account VALUES (1, 5) END TRY
               BEGIN CATCH DELETE account END CATCH";
    client.fails(sql, 3930).await;
    client
        .check("SELECT COUNT(*), @@TRANCOUNT FROM account", "2|0")
        .await;
}

#[tokio::test]
async fn writers_wait_for_each_other() {
    let host = Host::new("HOST1").await;
    let mut one = bank(&host).await;
    let mut two = host.login("sa", "bank").await.expect("sa logs in");
    one.check(
        "BEGIN TRAN; UPDATE account SET money = money - 10 WHERE id = 1",
        "",
    )
    .await;
    two.fails(
        "SET LOCK_TIMEOUT 1; UPDATE account SET money = 0 WHERE id = 1",
        1222,
    )
    .await;
    let waiting = tokio::spawn(async move {
        two.check(
            "SET LOCK_TIMEOUT -1; UPDATE account SET money = money - 1 WHERE id = 1",
            "",
        )
        .await;
    });
    one.check("COMMIT", "").await;
    waiting.await.expect("the other goes on");
    one.check("SELECT money FROM account WHERE id = 1", "89")
        .await;
}

#[tokio::test]
async fn a_mark_stands_in_the_history_of_the_database_it_was_begun_in() {
    let host = Host::new("HOST1").await;
    let mut client = bank(&host).await;
    let sql = "DECLARE @m nvarchar(40) = N'BTS_2026'
               BEGIN TRAN @m WITH MARK N'a mark'
               UPDATE account SET money = 5 WHERE id = 1
               COMMIT
               SELECT database_name, mark_name, description, user_name FROM msdb.dbo.logmarkhistory";
    client.check(sql, "bank|BTS_2026|a mark|sa").await;
    client
        .check(
            "USE master; BEGIN TRAN other WITH MARK; UPDATE bank.dbo.account SET money = 6; COMMIT",
            "",
        )
        .await;
    client
        .check("SELECT COUNT(*) FROM msdb.dbo.logmarkhistory", "1")
        .await;
}

#[tokio::test]
async fn a_second_mark_on_a_host_is_ignored_with_3920() {
    let host = Host::new("HOST1").await;
    let mut client = bank(&host).await;
    client
        .fails(
            "BEGIN TRAN a WITH MARK; BEGIN TRAN b WITH MARK; SELECT @@TRANCOUNT",
            3920,
        )
        .await;
    client.check("SELECT @@TRANCOUNT", "2").await;
    client.check("ROLLBACK", "").await;
    client
        .fails(
            "BEGIN TRAN a234567890123456789012345678901234 WITH MARK",
            103,
        )
        .await;
}

#[tokio::test]
async fn one_transaction_changes_two_databases_or_none() {
    let host = Host::new("HOST1").await;
    let mut client = bank(&host).await;
    client.check("CREATE DATABASE shop", "").await;
    client.check("CREATE TABLE shop.dbo.t (a int)", "").await;
    client
        .check(
            "BEGIN TRAN; INSERT shop.dbo.t VALUES (1); UPDATE account SET money = 1; ROLLBACK",
            "",
        )
        .await;
    client.check("SELECT COUNT(*) FROM shop.dbo.t", "0").await;
    client
        .check(
            "BEGIN TRAN; INSERT shop.dbo.t VALUES (1); UPDATE account SET money = 1; COMMIT",
            "",
        )
        .await;
    client
        .check(
            "SELECT a, (SELECT SUM(money) FROM account) FROM shop.dbo.t",
            "1|2",
        )
        .await;
}

#[tokio::test]
async fn an_application_lock_keeps_others_out() {
    let host = Host::new("HOST1").await;
    let (mut one, mut two) = (host.client().await, host.client().await);
    let take = "DECLARE @r int; EXEC @r = sp_getapplock 'L', 'Exclusive', 'Session', 0; SELECT @r";
    one.check(take, "0").await;
    two.check(take, "-1").await;
    one.check(
        "DECLARE @r int; EXEC @r = sp_releaseapplock 'L', 'Session'; SELECT @r",
        "0",
    )
    .await;
    two.check(take, "0").await;
    one.fails("EXEC sp_releaseapplock 'L', 'Session'", 1223)
        .await;
    one.fails("EXEC sp_getapplock 'L', 'Exclusive'", 15627)
        .await;
}

#[tokio::test]
async fn a_table_that_is_locked_whole_makes_writers_wait_to_the_end() {
    let host = Host::new("HOST1").await;
    let mut one = host.client().await;
    let mut two = host.client().await;
    one.check(
        "CREATE DATABASE shop; CREATE TABLE shop.dbo.t (a int); INSERT shop.dbo.t VALUES (1)",
        "",
    )
    .await;
    one.check(
        "BEGIN TRAN; SELECT COUNT(*) FROM shop.dbo.t WITH (TABLOCKX, HOLDLOCK)",
        "1",
    )
    .await;
    two.fails("SET LOCK_TIMEOUT 10; INSERT shop.dbo.t VALUES (2)", 1222)
        .await;
    two.fails("SET LOCK_TIMEOUT 10; UPDATE shop.dbo.t SET a = 3", 1222)
        .await;
    one.check("INSERT shop.dbo.t VALUES (4); COMMIT", "").await;
    two.check(
        "INSERT shop.dbo.t VALUES (2); SELECT COUNT(*) FROM shop.dbo.t",
        "3",
    )
    .await;
}
