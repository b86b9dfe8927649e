//! Logins, users and permissions, and the refusals.

use crate::support::Host;

#[tokio::test]
async fn a_wrong_password_or_database_is_refused() {
    let host = Host::new("HOST1").await;
    host.instance()
        .create_login("ann", "other", &[])
        .expect("a new login");
    let error = host
        .login("ann", "master")
        .await
        .err()
        .and_then(|e| e.code());
    assert_eq!(error, Some(18456));
    let error = host
        .login("sa", "nowhere")
        .await
        .err()
        .and_then(|e| e.code());
    assert_eq!(error, Some(4060));
}

#[tokio::test]
async fn a_user_may_do_what_was_granted() {
    let host = Host::new("HOST1").await;
    let mut sa = host.client().await;
    sa.check("CREATE DATABASE shop", "").await;
    sa.check("CREATE LOGIN ann WITH PASSWORD = 'Pa55-word'", "")
        .await;
    sa.check("USE shop", "").await;
    sa.check("CREATE TABLE t (a int); INSERT t VALUES (1)", "")
        .await;
    sa.check("CREATE PROCEDURE p AS SELECT a FROM t", "").await;
    let mut ann = host
        .login("ann", "master")
        .await
        .expect("ann may enter master");
    ann.fails("USE shop", 916).await;
    sa.check(
        "CREATE USER ann FOR LOGIN ann; GRANT EXECUTE ON dbo.p TO ann",
        "",
    )
    .await;
    ann.check("USE shop", "").await;
    ann.fails("SELECT * FROM t", 229).await;
    ann.check("EXEC p", "1").await;
    sa.check(
        "CREATE ROLE readers; GRANT SELECT ON SCHEMA::dbo TO readers; ALTER ROLE readers ADD \
       MEMBER ann",
        "",
    )
    .await;
    ann.check("SELECT a FROM t", "1").await;
    ann.fails("DELETE t", 229).await;
    ann.fails("CREATE TABLE u (a int)", 262).await;
    ann.fails("CREATE DATABASE mine", 262).await;
    ann.fails("EXEC sp_addlinkedserver 'X'", 15247).await;
    ann.check(
        "SELECT HAS_PERMS_BY_NAME('dbo.t', 'OBJECT', 'SELECT'), HAS_PERMS_BY_NAME(NULL, \
       NULL, 'VIEW SERVER STATE'), IS_SRVROLEMEMBER('sysadmin')",
        "1|0|0",
    )
    .await;
    sa.check("DENY SELECT ON dbo.t TO ann", "").await;
    ann.fails("SELECT a FROM t", 229).await;
}

#[tokio::test]
async fn server_rights_are_granted_to_logins() {
    let host = Host::new("HOST1").await;
    let mut sa = host.client().await;
    sa.check("CREATE LOGIN ann WITH PASSWORD = 'Pa55-word'", "")
        .await;
    let mut ann = host.login("ann", "master").await.expect("ann logs in");
    ann.check("SELECT COUNT(*) FROM sys.dm_exec_sessions", "1")
        .await;
    sa.check("GRANT VIEW SERVER STATE, CREATE ANY DATABASE TO ann", "")
        .await;
    ann.check("SELECT COUNT(*) FROM sys.dm_exec_sessions", "2")
        .await;
    ann.check("CREATE DATABASE mine", "").await;
    ann.check("USE mine; CREATE TABLE t (a int)", "").await;
    sa.check(
        "EXECUTE AS LOGIN = 'ann'; SELECT SUSER_SNAME(), ORIGINAL_LOGIN(); REVERT; SELECT \
       SUSER_SNAME()",
        "ann|sa\nsa",
    )
    .await;
}

#[tokio::test]
async fn rights_survive_a_restart() {
    let host = Host::new("HOST1").await;
    let mut sa = host.client().await;
    sa.check(
        "CREATE LOGIN ann WITH PASSWORD = 'Pa55-word'; ALTER SERVER ROLE dbcreator ADD MEMBER ann",
        "",
    )
    .await;
    let host = host.restart().await;
    let mut ann = host
        .login("ann", "master")
        .await
        .expect("ann is still known");
    ann.check(
        "CREATE DATABASE mine; SELECT IS_SRVROLEMEMBER('dbcreator')",
        "1",
    )
    .await;
}
