//! Databases, backups, transactions, flow and calls, each by one `check`.

use super::{check, kind, one};
use crate::lang::ast::*;
use crate::lang::{parse, parse_object_name, parse_parameters, quote_name};

#[test]
fn databases_are_parsed() {
    check("CREATE DATABASE [a b]", "CreateDatabase { name: \"a b\"");
    check(
        "CREATE DATABASE d ON PRIMARY (NAME = d, FILENAME = N'/x/d.mdf', SIZE = 8MB, \
           FILEGROWTH = 10%) LOG ON (NAME = l, FILENAME = '/x/d.ldf') COLLATE Latin1_General_CI_AS",
        "FILENAME .. /x/d.mdf .. 8MB .. 10% .. log_files .. /x/d.ldf .. Latin1_General_CI_AS",
    );
    check(
        "DROP DATABASE IF EXISTS a, b",
        "DropDatabase { names: [\"a\", \"b\"], if_exists: true }",
    );
    check(
        "ALTER DATABASE d SET RECOVERY BULK_LOGGED WITH NO_WAIT",
        "RECOVERY .. BULK_LOGGED .. NO_WAIT",
    );
    check("ALTER DATABASE d SET RECOVERY FULL", "\"FULL\"");
    check(
        "ALTER DATABASE CURRENT SET SINGLE_USER WITH ROLLBACK IMMEDIATE",
        "name: None .. SINGLE_USER .. ROLLBACK IMMEDIATE",
    );
    check(
        "ALTER DATABASE d SET OFFLINE WITH ROLLBACK AFTER 5 SECONDS",
        "OFFLINE .. ROLLBACK AFTER 5",
    );
    check(
        "ALTER DATABASE d SET READ_COMMITTED_SNAPSHOT ON, COMPATIBILITY_LEVEL = 150",
        "ON .. 150",
    );
    check(
        "ALTER DATABASE d SET HADR AVAILABILITY GROUP = ag",
        "JoinAvailabilityGroup(\"ag\")",
    );
    check("ALTER DATABASE d SET HADR OFF", "Hadr(\"OFF\")");
    check("ALTER DATABASE d SET PARTNER = 'TCP://h:5022'", "Partner");
    check("ALTER DATABASE d MODIFY NAME = e", "ModifyName(\"e\")");
    check(
        "CREATE AVAILABILITY GROUP ag WITH (DB_FAILOVER = ON, CLUSTER_TYPE = NONE) FOR DATABASE \
         a, b \
           REPLICA ON N'H1' WITH (ENDPOINT_URL = N'TCP://h1:5022', FAILOVER_MODE = MANUAL, \
           SECONDARY_ROLE (ALLOW_CONNECTIONS = ALL)), N'H2' WITH (SEEDING_MODE = AUTOMATIC)",
        "DB_FAILOVER .. [\"a\", \"b\"] .. \"H1\" .. ENDPOINT_URL .. ALLOW_CONNECTIONS=ALL .. \
         \"H2\"",
    );
    check(
        "ALTER AVAILABILITY GROUP ag ADD DATABASE a",
        "AddDatabases([\"a\"])",
    );
    check("ALTER AVAILABILITY GROUP ag JOIN", "Join");
    check("DROP AVAILABILITY GROUP ag", "DropAvailabilityGroup");
}

#[test]
fn backups_and_restores_are_parsed() {
    check(
        "BACKUP DATABASE [d] TO DISK = N'/a.bak', DISK = @b WITH CHECKSUM, FORMAT, INIT, STATS = \
         5, \
           NAME = N'n', MAXTRANSFERSIZE = 4194304, COPY_ONLY, DIFFERENTIAL, NO_COMPRESSION",
        "Database .. Name(\"d\") .. Disk .. /a.bak .. Variable(\"@b\") .. \"CHECKSUM\", values: \
         [] .. \
         STATS .. Int(5) .. COPY_ONLY .. NO_COMPRESSION",
    );
    check(
        "BACKUP LOG @db TO URL = 'https://x'",
        "Log, database: Variable(\"@db\") .. Url",
    );
    check("BACKUP LOG d TO dev1 WITH NORECOVERY", "Logical .. dev1");
    check(
        "BACKUP DATABASE d TO DISK='x' WITH ENCRYPTION (ALGORITHM = AES_256, SERVER CERTIFICATE = \
         c)",
        "ENCRYPTION .. ALGORITHM=AES_256 .. SERVER CERTIFICATE=c",
    );
    check(
        "RESTORE DATABASE d FROM DISK = 'x' WITH MOVE 'a' TO 'b', MOVE N'c' TO N'e', REPLACE, \
           NORECOVERY, FILE = 1",
        "MOVE .. \"a\" .. \"b\" .. MOVE .. \"c\" .. REPLACE .. FILE .. Int(1)",
    );
    check(
        "RESTORE LOG d FROM DISK = 'x' WITH STOPATMARK = 'm' AFTER '2026-01-01', RECOVERY",
        "STOPATMARK .. \"m\" .. 2026-01-01 .. RECOVERY",
    );
    check(
        "RESTORE LOG d FROM DISK = 'x' WITH STOPBEFOREMARK = 'lsn:35000000012300001'",
        "lsn:35",
    );
    check("RESTORE LOG d WITH RECOVERY", "Log .. devices: []");
    check(
        "RESTORE DATABASE d WITH STANDBY = '/u', RESTRICTED_USER, NEW_BROKER",
        "STANDBY .. NEW_BROKER",
    );
    for (word, kind) in [
        ("HEADERONLY", RestoreKind::HeaderOnly),
        ("FILELISTONLY", RestoreKind::FileListOnly),
        ("LABELONLY", RestoreKind::LabelOnly),
        ("VERIFYONLY", RestoreKind::VerifyOnly),
    ] {
        let sql = format!("RESTORE {word} FROM DISK = N'/x' WITH CHECKSUM");
        let StatementKind::Restore(restore) = self::kind(&sql) else {
            panic!("{word}")
        };
        assert_eq!((restore.kind, restore.database), (kind, None));
        assert!(find_option(&restore.options, "CHECKSUM").is_some());
    }
}

#[test]
fn transactions_are_parsed() {
    check("BEGIN TRAN", "distributed: false, name: None, mark: None");
    check(
        "BEGIN TRANSACTION [m] WITH MARK 'why'",
        "Name(\"m\") .. description: Some .. \"why\"",
    );
    check(
        "BEGIN TRAN @n WITH MARK @n",
        "Variable(\"@n\") .. Variable(\"@n\")",
    );
    check("BEGIN TRAN m WITH MARK", "description: None");
    check("BEGIN DISTRIBUTED TRAN", "distributed: true");
    check("COMMIT", "Commit(None)");
    check("COMMIT WORK", "Commit(None)");
    check("COMMIT TRAN m", "Commit(Some(Name(\"m\")))");
    check(
        "ROLLBACK TRANSACTION @s",
        "Rollback(Some(Variable(\"@s\")))",
    );
    check("SAVE TRAN s", "Save(Name(\"s\"))");
}

#[test]
fn variables_options_and_flow_are_parsed() {
    check(
        "DECLARE @a int = 1, @b AS nvarchar(10), @t TABLE (x int)",
        "@a .. @b .. Table",
    );
    check("SET @a += 1", "Some(Add)");
    check(
        "SET XACT_ABORT, NOCOUNT ON",
        "[\"XACT_ABORT\", \"NOCOUNT\"], setting: On",
    );
    check("SET LANGUAGE us_english", "Word(\"us_english\")");
    check(
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "READ COMMITTED",
    );
    check("SET LOCK_TIMEOUT -1", "Value");
    check("SET IDENTITY_INSERT dbo.t OFF", "Table .. false");
    check("SET STATISTICS IO ON", "STATISTICS IO");
    check(
        "IF @a = 1 SELECT 1; ELSE IF @a = 2 SELECT 2 ELSE BEGIN SELECT 3 END",
        "If .. otherwise: Some .. If .. otherwise: Some .. Block",
    );
    check(
        "WHILE 1 = 1 BEGIN BREAK; CONTINUE END",
        "While .. Break .. Continue",
    );
    check(
        "BEGIN TRY SELECT 1 END TRY BEGIN CATCH THROW END CATCH",
        "TryCatch .. Throw(None)",
    );
    check("THROW 50001, N'x', 1", "Throw(Some");
    check("RETURN", "Return(None)");
    check("RETURN -1", "Return(Some");
    check("PRINT N'a' + @b", "Print");
    check(
        "RAISERROR ('x %s', 16, 1, @a) WITH NOWAIT",
        "RaisError .. \"@a\" .. NOWAIT",
    );
    check("WAITFOR DELAY '00:00:01'", "WaitForDelay");
    check("USE [a]", "Use(\"a\")");
    check("KILL 55", "Kill");
    check(
        "DBCC CHECKDB (N'd') WITH NO_INFOMSGS, PHYSICAL_ONLY",
        "CHECKDB .. PHYSICAL_ONLY",
    );
    check("DBCC SQLPERF(LOGSPACE)", "LOGSPACE");
    check("CHECKPOINT", "Checkpoint");
    check("RECONFIGURE WITH OVERRIDE", "Reconfigure");
}

#[test]
fn cursors_are_parsed() {
    check(
        "DECLARE c CURSOR LOCAL FAST_FORWARD FOR SELECT a FROM t FOR READ ONLY",
        "DeclareCursor",
    );
    check("DECLARE @c CURSOR", "Cursor");
    check(
        "SET @c = CURSOR FOR SELECT 1",
        "DeclareCursor { name: \"@c\"",
    );
    check("OPEN c", "OpenCursor(\"c\")");
    check(
        "FETCH NEXT FROM c INTO @a, @b",
        "Fetch { cursor: \"c\", into: [\"@a\", \"@b\"] }",
    );
    check("FETCH c", "into: []");
    check("CLOSE c", "CloseCursor");
    check("DEALLOCATE c", "DeallocateCursor");
}

#[test]
fn calls_are_parsed() {
    check(
        "EXEC dbo.p 1, @b, @c = N'x', @d = @e OUTPUT, @f = DEFAULT",
        "Int(1) .. @b .. Some(\"@c\") .. output: true .. value: None",
    );
    check(
        "EXEC @rc = [srv].[d].dbo.p",
        "return_to: Some(\"@rc\") .. Some(\"srv\")",
    );
    check("EXEC @p @a", "Variable(\"@p\") .. \"@a\"");
    check("EXEC sp_configure show, 1", "Text(\"show\")");
    check("sp_who 'active'", "sp_who .. active");
    check("EXEC ('SELECT ' + @a)", "Text { text: Chain");
    check(
        "EXEC ('p ?', @a) AT [link]",
        "arguments: [Argument .. at: Some(\"link\")",
    );
    check("EXECUTE ('x') AS LOGIN = 'a'", "impersonate: Some(Login");
    check("EXECUTE AS USER = 'a'", "ExecuteAs(User");
    check("REVERT", "Revert");
    let batch = parse("EXEC p\nSELECT 1").expect("two statements");
    assert_eq!(batch.len(), 2);
}

#[test]
fn a_batch_is_many_statements_with_lines_and_spans() {
    let sql = "SELECT 1;;\n  SET NOCOUNT ON SELECT 'é'\n;";
    let batch = parse(sql).expect("three statements");
    let places: Vec<(u32, &str)> = batch
        .iter()
        .map(|s| (s.line, &sql[s.span.start..s.span.end]))
        .collect();
    assert_eq!(
        places,
        [(1, "SELECT 1"), (2, "SET NOCOUNT ON"), (2, "SELECT 'é'")]
    );
    assert_eq!(parse(" -- nothing\n"), Ok(Vec::new()));
    assert_eq!(one("SELECT 1").line, 1);
}

#[test]
fn names_and_parameters_are_parsed_alone() {
    let name = parse_object_name("[a]]b].db..[my proc]").expect("a name");
    assert_eq!(name.server.as_deref(), Some("a]b"));
    assert_eq!(
        (name.schema.as_deref(), name.name.as_str()),
        (None, "my proc")
    );
    assert!(parse_object_name("a.b.c.d.e").is_err() && parse_object_name("a b").is_err());
    let parameters = parse_parameters("@a int, @b nvarchar(10) OUTPUT").expect("parameters");
    assert!(parameters.len() == 2 && parameters[1].output);
    assert_eq!(parse_parameters(" "), Ok(Vec::new()));
    assert_eq!(quote_name("a]b"), "[a]]b]");
}

#[test]
fn a_marking_procedure_of_a_linked_group_is_parsed() {
    let sql = "CREATE PROCEDURE sp_MarkBTSLogs @MarkName nvarchar(32) AS
        DECLARE @ServerName sysname, @proc nvarchar(500), @ret int, @errstr nvarchar(128)
        SET NOCOUNT ON
        CREATE TABLE #Servers (ServerName sysname, DatabaseName sysname, RealServerName sysname)
        BEGIN TRANSACTION @MarkName WITH MARK @MarkName
        DECLARE BackupDB_Cursor INSENSITIVE CURSOR FOR
            SELECT ServerName, DatabaseName FROM admv_BackupDatabases ORDER BY ServerName
        OPEN BackupDB_Cursor
        FETCH NEXT FROM BackupDB_Cursor INTO @ServerName, @proc
        WHILE (@@FETCH_STATUS = 0)
        BEGIN
            SET @proc = '[' + @ServerName + '].' + 'dbo.sp_SetMarkRemote'
            EXEC @ret = @proc @MarkName
            IF (@@ERROR <> 0 OR @ret IS NULL OR @ret <> 0)
            BEGIN
                SELECT @errstr = 'failed on ' + @ServerName
                RAISERROR (@errstr, 16, -1)
                GOTO_DONE:
            END
            FETCH NEXT FROM BackupDB_Cursor INTO @ServerName, @proc
        END
        COMMIT TRANSACTION
        RETURN";
    assert_eq!(parse(sql).map(|batch| batch.len()), Ok(1));
}

#[test]
fn event_sessions_are_parsed() {
    check(
        "CREATE EVENT SESSION [s] ON SERVER ADD EVENT sqlserver.error_reported (ACTION \
         (sqlserver.sql_text) WHERE [severity] >= (16) AND NOT message LIKE N'%x%'), ADD TARGET \
         package0.event_file (SET filename = N'f.xel', max_file_size = (5)) WITH (STARTUP_STATE = ON)",
        "name: \"s\" .. package: Some(\"sqlserver\"), name: \"error_reported\", actions: \
         [\"sql_text\"] .. GreaterOrEqual, value: Number(16) .. Not( .. Like .. \"event_file\" .. \
         (\"filename\", \"f.xel\"), (\"max_file_size\", \"5\") .. \"STARTUP_STATE\"",
    );
    check(
        "ALTER EVENT SESSION s ON SERVER STATE = STOP",
        "State(false)",
    );
    check(
        "ALTER EVENT SESSION s ON SERVER DROP TARGET package0.ring_buffer",
        "drop_targets: [\"ring_buffer\"]",
    );
    check("DROP EVENT SESSION s ON SERVER", "DropEventSession");
    assert!(parse("ALTER EVENT SESSION s ON SERVER").is_err());
}
