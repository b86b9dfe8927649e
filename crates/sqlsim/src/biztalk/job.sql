-- The procedures that the backup job calls. Their rules are those of the product's documentation; the
-- text is our own. What is simpler: schedules know the day, the hour and the week, not the month.
CREATE PROCEDURE dbo.bts_SafeAddLinkedServer @linkedServer sysname
AS
BEGIN
    SET NOCOUNT ON;
    IF @linkedServer IS NULL OR @linkedServer = CONVERT(sysname, SERVERPROPERTY('ServerName'))
        RETURN 0;
    IF NOT EXISTS (SELECT 1 FROM sys.servers WHERE name = @linkedServer)
        EXEC sp_addlinkedserver @server = @linkedServer, @srvproduct = N'SQL Server';
    RETURN 0;
END
GO
CREATE PROCEDURE dbo.sp_SetBackupCompression @bCompression bit
AS
BEGIN
    SET NOCOUNT ON;
    UPDATE dbo.adm_BackupSettings SET UseCompression = @bCompression;
    RETURN 0;
END
GO
CREATE PROCEDURE dbo.sp_BuildFullMarkName @MarkName nvarchar(8), @TimeStamp datetime = NULL,
    @UseLocalTime bit = 0, @FullMarkName nvarchar(32) OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    IF @TimeStamp IS NULL AND @UseLocalTime = 1
        SET @TimeStamp = GETDATE();
    IF @TimeStamp IS NULL
        SET @TimeStamp = GETUTCDATE();
    DECLARE @stamp nvarchar(23) = CONVERT(nvarchar(23), @TimeStamp, 121);
    SET @stamp = REPLACE(REPLACE(REPLACE(REPLACE(@stamp, N'-', N'_'), N' ', N'_'), N':', N'_'),
        N'.', N'_');
    SET @FullMarkName = @MarkName + N'_' + @stamp;
    RETURN 0;
END
GO
CREATE PROCEDURE dbo.sp_RemoteProcedureName @server nvarchar(256), @db sysname, @name sysname,
    @full nvarchar(600) OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    SET @full = QUOTENAME(@db) + N'.dbo.' + @name;
    IF @server <> CONVERT(nvarchar(256), SERVERPROPERTY('ServerName'))
        SET @full = QUOTENAME(@server) + N'.' + @full;
    RETURN 0;
END
GO
CREATE PROCEDURE dbo.sp_GetRemoteServerName @ServerName nvarchar(256), @DatabaseName sysname,
    @RemoteServerName sysname OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @proc nvarchar(600), @status int;
    EXEC dbo.sp_RemoteProcedureName @ServerName, @DatabaseName, N'sp_GetServerName', @proc OUTPUT;
    EXEC @status = @proc @RemoteServerName OUTPUT;
    RETURN @status;
END
GO
CREATE PROCEDURE dbo.sp_BlockTDDS
AS
BEGIN
    SET NOCOUNT ON;
    IF @@TRANCOUNT = 0
        RETURN 1;
    DECLARE @server nvarchar(80), @db nvarchar(128), @proc nvarchar(600), @status int;
    SELECT @server = TrackingDBServerName, @db = TrackingDBName FROM dbo.adm_Group;
    IF ISNULL(@server, N'') = N'' OR ISNULL(@db, N'') = N''
        RETURN 0;
    EXEC dbo.sp_RemoteProcedureName @server, @db, N'TDDS_BlockTDDS', @proc OUTPUT;
    EXEC @status = @proc;
    RETURN @status;
END
GO
CREATE PROCEDURE dbo.sp_MarkBTSLogs @MarkName nvarchar(32)
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @server nvarchar(80), @db nvarchar(128), @real sysname, @before sysname, @status int;
    DECLARE @proc nvarchar(600), @own sysname = CONVERT(sysname, SERVERPROPERTY('ServerName'));
    CREATE TABLE #members (RealName sysname NOT NULL, ServerName nvarchar(80) NOT NULL,
        DatabaseName nvarchar(128) NOT NULL);
    DECLARE known CURSOR LOCAL FAST_FORWARD FOR
        SELECT ServerName, DatabaseName FROM dbo.admv_BackupDatabases;
    OPEN known;
    FETCH NEXT FROM known INTO @server, @db;
    WHILE @@FETCH_STATUS = 0
    BEGIN
        EXEC @status = dbo.sp_GetRemoteServerName @server, @db, @real OUTPUT;
        IF @status <> 0
            RETURN 1;
        INSERT INTO #members (RealName, ServerName, DatabaseName) VALUES (@real, @server, @db);
        FETCH NEXT FROM known INTO @server, @db;
    END
    CLOSE known;
    DEALLOCATE known;
    SET @before = N'';
    BEGIN TRANSACTION @MarkName WITH MARK @MarkName;
    EXEC dbo.sp_BlockTDDS;
    DECLARE members CURSOR LOCAL FAST_FORWARD FOR
        SELECT RealName, ServerName, DatabaseName FROM #members ORDER BY RealName;
    OPEN members;
    FETCH NEXT FROM members INTO @real, @server, @db;
    WHILE @@FETCH_STATUS = 0
    BEGIN
        -- WITH MARK counts once on each server, so only its first database gets one.
        IF @real = @own OR @real = @before
            EXEC dbo.sp_RemoteProcedureName @server, @db, N'sp_SetMark', @proc OUTPUT;
        ELSE
            EXEC dbo.sp_RemoteProcedureName @server, @db, N'sp_SetMarkRemote', @proc OUTPUT;
        EXEC @status = @proc @MarkName;
        IF @status <> 0 OR @@ERROR <> 0
            RETURN 1;
        SET @before = @real;
        FETCH NEXT FROM members INTO @real, @server, @db;
    END
    CLOSE members;
    DEALLOCATE members;
    COMMIT TRANSACTION;
    RETURN @@ERROR;
END
GO
CREATE PROCEDURE dbo.sp_BackupAllOfKind @kind char(2), @mark nvarchar(32), @BackupPath nvarchar(128),
    @set bigint
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @server nvarchar(80), @db nvarchar(128), @location nvarchar(4000), @status int;
    DECLARE @proc nvarchar(600), @name sysname, @compress bit, @count int, @marked nvarchar(32);
    SET @name = CASE @kind WHEN 'db' THEN N'sp_BackupBizTalkFull' ELSE N'sp_BackupBizTalkLog' END;
    SET @marked = CASE @kind WHEN 'lg' THEN @mark END;
    SELECT @compress = UseCompression FROM dbo.adm_BackupSettings;
    DECLARE members CURSOR LOCAL FAST_FORWARD FOR
        SELECT ServerName, DatabaseName FROM dbo.admv_BackupDatabases
        ORDER BY ServerName, DatabaseName;
    OPEN members;
    FETCH NEXT FROM members INTO @server, @db;
    WHILE @@FETCH_STATUS = 0
    BEGIN
        IF @kind = 'db'
            EXEC dbo.bts_SafeAddLinkedServer @server;
        EXEC dbo.sp_RemoteProcedureName @server, @db, @name, @proc OUTPUT;
        EXEC @status = @proc @mark, @BackupPath, @location OUTPUT, @compress;
        IF @status <> 0
        BEGIN
            RAISERROR (N'The backup of %s on %s failed.', 16, 1, @db, @server);
            RETURN 1;
        END
        INSERT INTO dbo.adm_BackupHistory (BackupSetId, MarkName, DatabaseName, BackupFileName,
            BackupFileLocation, BackupType, ServerName)
        VALUES (@set, @marked, @db, RIGHT(@location, LEN(@location) - LEN(@BackupPath) - 1),
            @BackupPath, @kind, @server);
        FETCH NEXT FROM members INTO @server, @db;
    END
    CLOSE members;
    DEALLOCATE members;
    UPDATE dbo.adm_BackupHistory SET SetComplete = 1 WHERE BackupSetId = @set;
    SET @count = @@ROWCOUNT;
    IF @count <> (SELECT COUNT(*) FROM dbo.admv_BackupDatabases)
        RETURN 1;
    RETURN 0;
END
GO
CREATE PROCEDURE dbo.sp_BackupAllFull @MarkName nvarchar(8), @BackupPath nvarchar(128),
    @TimeStamp datetime = NULL, @UseLocalTime bit = 0
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @set bigint, @mark nvarchar(32), @status int;
    EXEC @set = dbo.sp_GetNextBackupSetId;
    IF @set = -1
        RETURN 1;
    EXEC dbo.sp_BuildFullMarkName @MarkName, @TimeStamp, @UseLocalTime, @mark OUTPUT;
    EXEC dbo.sp_AcquireBackupWriterLock;
    EXEC @status = dbo.sp_BackupAllOfKind 'db', @mark, @BackupPath, @set;
    IF @status <> 0
        RETURN 1;
    UPDATE dbo.adm_BackupSettings SET ForceFull = 0;
    EXEC dbo.sp_ReleaseBackupWriterLock;
    RETURN 0;
END
GO
CREATE PROCEDURE dbo.sp_BackupAllFull_Schedule @Frequency nchar(1), @MarkName nvarchar(8),
    @BackupPath nvarchar(128), @ForceFullBackupAfterPartialSetFailure bit = 0,
    @BackupHour int = NULL, @UseLocalTime bit = 0
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @now datetime, @last datetime, @partial bigint, @due bit = 0, @status int;
    SET @now = CASE @UseLocalTime WHEN 1 THEN GETDATE() ELSE GETUTCDATE() END;
    IF EXISTS (SELECT 1 FROM dbo.adm_BackupSettings WHERE ForceFull = 1)
        SET @due = 1;
    SELECT @partial = MAX(BackupSetId) FROM dbo.adm_BackupHistory WHERE SetComplete = 0;
    IF @ForceFullBackupAfterPartialSetFailure = 1 AND @partial IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM dbo.adm_BackupHistory
         WHERE BackupType = 'db' AND SetComplete = 1 AND BackupSetId > @partial)
        SET @due = 1;
    -- A full that was never completed counts as this period's, as it does in the product.
    SELECT @last = MAX(BackupDateTime) FROM dbo.adm_BackupHistory WHERE BackupType = 'db';
    IF @last IS NULL
        SET @due = 1;
    ELSE IF @Frequency = N'h' AND DATEDIFF(hour, @last, @now) <> 0
        SET @due = 1;
    ELSE IF @Frequency = N'w' AND DATEDIFF(day, @last, @now) > 6
        SET @due = 1;
    ELSE IF @Frequency = N'd' AND DATEDIFF(day, @last, @now) <> 0
        AND (@BackupHour IS NULL OR DATEPART(hour, GETDATE()) = @BackupHour)
        SET @due = 1;
    IF @due = 0
        RETURN 0;
    EXEC @status = dbo.sp_BackupAllFull @MarkName, @BackupPath, @now, @UseLocalTime;
    RETURN @status;
END
GO
CREATE PROCEDURE dbo.sp_MarkAll @MarkName nvarchar(8), @BackupPath nvarchar(128),
    @UseLocalTime bit = 0
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @set bigint, @mark nvarchar(32), @status int;
    EXEC @set = dbo.sp_GetNextBackupSetId;
    IF @set = -1
        RETURN 1;
    EXEC dbo.sp_BuildFullMarkName @MarkName, NULL, @UseLocalTime, @mark OUTPUT;
    EXEC dbo.sp_AcquireBackupWriterLock;
    EXEC @status = dbo.sp_MarkBTSLogs @mark;
    IF @status = 0
        EXEC @status = dbo.sp_BackupAllOfKind 'lg', @mark, @BackupPath, @set;
    EXEC dbo.sp_ReleaseBackupWriterLock;
    RETURN @status;
END
GO
CREATE PROCEDURE dbo.sp_DeleteBackupHistory @DaysToKeep smallint = NULL, @UseLocalTime bit = 0
AS
BEGIN
    SET NOCOUNT ON;
    IF @DaysToKeep IS NULL OR @DaysToKeep <= 0
        RETURN 0;
    DECLARE @now datetime = GETUTCDATE();
    IF @UseLocalTime = 1
        SET @now = GETDATE();
    DECLARE @keep bigint;
    SELECT @keep = MAX(BackupSetId) FROM dbo.adm_BackupHistory WHERE BackupType = 'db';
    DELETE FROM dbo.adm_BackupHistory
    WHERE BackupSetId < @keep AND BackupSetId NOT IN
        (SELECT BackupSetId FROM dbo.adm_BackupHistory
         WHERE DATEDIFF(day, BackupDateTime, @now) < @DaysToKeep);
    RETURN 0;
END
GO
