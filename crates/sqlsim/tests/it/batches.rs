//! Batches: variables, control of flow, errors, procedures.

use crate::support::Host;

#[tokio::test]
async fn a_batch_declares_sets_and_selects() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    client
        .check(
            "DECLARE @a int = 2; SET @a += 3; SELECT @a, N'x' + N'y'",
            "5|xy",
        )
        .await;
    client
        .check(
            "SELECT @@SERVERNAME, DB_NAME(), SUSER_SNAME()",
            "HOST1|master|sa",
        )
        .await;
    client
        .check(
            "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(20))",
            "16.0.4175.1",
        )
        .await;
}

#[tokio::test]
async fn loops_and_branches_direct_statements() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    let sql = "DECLARE @i int = 0, @sum int = 0
               WHILE @i < 10 BEGIN
                 SET @i += 1
                 IF @i = 3 CONTINUE
                 IF @i > 5 BREAK
                 SET @sum += @i
               END
               SELECT @i, @sum";
    client.check(sql, "6|12").await;
}

#[tokio::test]
async fn an_error_ends_its_statement_and_not_the_batch() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    client.fails("SELECT 1/0; SELECT 1", 8134).await;
    client.fails("EXEC no_such_procedure", 2812).await;
    client.fails("SELECT * FROM no_such_table", 208).await;
    client.fails("SELECT FROM", 156).await;
    client.fails("USE nowhere", 911).await;
}

#[tokio::test]
async fn catch_sees_what_try_raised() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    let sql = "BEGIN TRY RAISERROR('lost %d of %s', 16, 3, 7, 'x') END TRY
               BEGIN CATCH SELECT ERROR_NUMBER(), ERROR_MESSAGE(), ERROR_STATE() END CATCH";
    client.check(sql, "50000|lost 7 of x|3").await;
    client
        .fails(
            "BEGIN TRY THROW 51000, 'again', 1 END TRY BEGIN CATCH THROW END CATCH",
            51000,
        )
        .await;
}

#[tokio::test]
async fn a_procedure_takes_and_returns_values() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    client.check("CREATE DATABASE shop", "").await;
    client.check("USE shop", "").await;
    let create = "CREATE PROCEDURE dbo.twice @a int, @b int = 5, @sum int OUTPUT AS
                  SET @sum = (@a + @b) * 2
                  RETURN 7";
    client.check(create, "").await;
    let call = "DECLARE @s int, @rc int
                EXEC @rc = dbo.twice @a = 1, @sum = @s OUTPUT
                SELECT @s, @rc";
    client.check(call, "12|7").await;
    client.fails("EXEC dbo.twice", 201).await;
    client.fails("EXEC dbo.twice 1, 2, 3, 4", 8144).await;
    client.fails("EXEC dbo.twice @nothing = 1", 8145).await;
}

#[tokio::test]
async fn text_runs_with_its_own_variables() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    client.check("EXEC ('SELECT 1')", "1").await;
    let sql = "DECLARE @n int
               EXEC sp_executesql N'SET @out = @in * 2', N'@in int, @out int OUTPUT', @in = 21, @out = @n OUTPUT
               SELECT @n";
    client.check(sql, "42").await;
    client
        .fails("DECLARE @a int = 1; EXEC ('SELECT @a')", 137)
        .await;
    client
        .check("EXEC ('USE msdb'); SELECT DB_NAME()", "master")
        .await;
}

#[tokio::test]
async fn a_cursor_walks_through_rows() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    let sql = "DECLARE @t TABLE (a int); INSERT @t VALUES (3), (1), (2)
               DECLARE @a int, @all varchar(20) = ''
               DECLARE c CURSOR LOCAL FAST_FORWARD FOR SELECT a FROM @t ORDER BY a
               OPEN c
               FETCH NEXT FROM c INTO @a
               WHILE @@FETCH_STATUS = 0 BEGIN
                 SET @all = @all + CAST(@a AS varchar(10))
                 FETCH NEXT FROM c INTO @a
               END
               CLOSE c DEALLOCATE c
               SELECT @all";
    client.check(sql, "123").await;
}

#[tokio::test]
async fn a_scalar_function_computes() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    client.check("CREATE DATABASE shop", "").await;
    client.check("USE shop", "").await;
    let create = "CREATE FUNCTION dbo.factorial (@n int) RETURNS int AS BEGIN
                  DECLARE @r int = 1
                  WHILE @n > 1 BEGIN SET @r = @r * @n SET @n = @n - 1 END
                  RETURN @r END";
    client.check(create, "").await;
    client.check("SELECT dbo.factorial(5)", "120").await;
    client.fails("SELECT dbo.no_such(5)", 195).await;
}

#[tokio::test]
async fn nesting_ends_with_217_and_not_with_the_stack() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    client.check("CREATE DATABASE shop", "").await;
    client.check("USE shop", "").await;
    let procedure = "CREATE PROCEDURE dbo.down @n int AS BEGIN
                     BEGIN TRY SET @n += 1 IF @n > 0 EXEC dbo.down @n END TRY
                     BEGIN CATCH THROW END CATCH END";
    client.check(procedure, "").await;
    client.fails("EXEC dbo.down 1", 217).await;
    let function = "CREATE FUNCTION dbo.deep (@n int) RETURNS int AS BEGIN
                    RETURN 1 + (SELECT dbo.deep(@n + 1)) END";
    client.check(function, "").await;
    client.fails("SELECT dbo.deep(1)", 217).await;
    client.check("CREATE VIEW dbo.v AS SELECT 1 AS a", "").await;
    client
        .check("ALTER VIEW dbo.v AS SELECT a FROM dbo.v", "")
        .await;
    client.fails("SELECT a FROM dbo.v", 217).await;
    let text = "EXEC sp_executesql N'EXEC dbo.down 1'";
    client.fails(text, 217).await;
    let blocks = format!("{}SELECT 1{}", "BEGIN ".repeat(400), " END".repeat(400));
    let shown = client.run(&blocks).await;
    assert!(shown == "1" || shown.starts_with("error 191"), "{shown}");
    client.check("SELECT 2", "2").await;
}

#[tokio::test]
async fn text_with_parameters_comes_as_a_remote_call() {
    let host = Host::new("HOST1").await;
    let mut client = host.client().await;
    assert_eq!(
        client.with_parameter("SELECT @P1 + 1, @@SPID", 41).await,
        "42|51"
    );
    client.check("CREATE TABLE #t (a int)", "").await;
    let counts = client
        .affected(
            "INSERT #t VALUES (@P1), (@P1 + 1); DELETE #t WHERE a = @P1",
            7,
        )
        .await;
    assert_eq!(counts, [2, 1]);
    let counts = client
        .affected("SET NOCOUNT ON; INSERT #t VALUES (@P1); SET NOCOUNT OFF", 9)
        .await;
    assert_eq!(counts.iter().sum::<u64>(), 0);
    client.check("SELECT a FROM #t ORDER BY a", "8\n9").await;
}
