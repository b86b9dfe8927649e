-- What the management database knows of its group, under the names that BizTalk gives it.
CREATE TABLE dbo.adm_Group (
    Id int IDENTITY(1,1) NOT NULL PRIMARY KEY,
    Name nvarchar(256) NOT NULL,
    TrackingDBServerName nvarchar(80) NULL,
    TrackingDBName nvarchar(128) NULL,
    BamDBServerName nvarchar(80) NULL,
    BamDBName nvarchar(128) NULL,
    RuleEngineDBServerName nvarchar(80) NULL,
    RuleEngineDBName nvarchar(128) NULL
);
GO
CREATE TABLE dbo.adm_MessageBox (
    Id int IDENTITY(1,1) NOT NULL PRIMARY KEY,
    DBServerName nvarchar(80) NOT NULL,
    DBName nvarchar(128) NOT NULL,
    IsMasterMsgBox int NOT NULL DEFAULT 0
);
GO
CREATE TABLE dbo.adm_OtherBackupDatabases (
    DefaultDatabaseName nvarchar(128) NOT NULL,
    DatabaseName nvarchar(128) NOT NULL,
    ServerName nvarchar(80) NOT NULL,
    BTSServerName nvarchar(80) NOT NULL,
    PRIMARY KEY (DefaultDatabaseName, BTSServerName)
);
GO
CREATE TABLE dbo.adm_BackupSettings (
    ForceFull bit NOT NULL DEFAULT 0,
    UseCompression bit NOT NULL DEFAULT 0
);
GO
CREATE TABLE dbo.adm_BackupSetId (NextBackupSetId bigint NOT NULL);
GO
CREATE TABLE dbo.adm_BackupHistory (
    BackupId bigint IDENTITY(1,1) NOT NULL PRIMARY KEY,
    BackupSetId bigint NOT NULL,
    MarkName nvarchar(32) NULL,
    DatabaseName nvarchar(128) NOT NULL,
    BackupFileName nvarchar(500) NOT NULL,
    BackupFileLocation nvarchar(3000) NOT NULL,
    BackupType char(2) NOT NULL,
    BackupDateTime datetime NOT NULL DEFAULT GETDATE(),
    SetComplete bit NOT NULL DEFAULT 0,
    ServerName nvarchar(128) NULL
);
GO
CREATE UNIQUE INDEX IX_BackupHistory ON dbo.adm_BackupHistory (BackupSetId, DatabaseName, ServerName);
GO
CREATE VIEW dbo.admv_BackupDatabases
AS
SELECT CONVERT(nvarchar(80), SERVERPROPERTY('ServerName')) AS ServerName, DB_NAME() AS DatabaseName
UNION
SELECT TrackingDBServerName, TrackingDBName FROM dbo.adm_Group
WHERE ISNULL(TrackingDBServerName, N'') <> N'' AND ISNULL(TrackingDBName, N'') <> N''
UNION
SELECT BamDBServerName, BamDBName FROM dbo.adm_Group
WHERE ISNULL(BamDBServerName, N'') <> N'' AND ISNULL(BamDBName, N'') <> N''
UNION
SELECT RuleEngineDBServerName, RuleEngineDBName FROM dbo.adm_Group
WHERE ISNULL(RuleEngineDBServerName, N'') <> N'' AND ISNULL(RuleEngineDBName, N'') <> N''
UNION
SELECT DBServerName, DBName FROM dbo.adm_MessageBox
UNION
SELECT ServerName, DatabaseName FROM dbo.adm_OtherBackupDatabases
WHERE ServerName <> N'';
GO
CREATE PROCEDURE dbo.sp_ForceFullBackup
AS
BEGIN
    SET NOCOUNT ON;
    UPDATE dbo.adm_BackupSettings SET ForceFull = 1;
    RETURN 0;
END
GO
CREATE PROCEDURE dbo.sp_GetNextBackupSetId
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @next bigint;
    UPDATE dbo.adm_BackupSetId SET NextBackupSetId = NextBackupSetId + 1;
    IF @@ROWCOUNT <> 1
        RETURN -1;
    SELECT @next = NextBackupSetId FROM dbo.adm_BackupSetId;
    RETURN @next;
END
GO
CREATE PROCEDURE dbo.sp_AcquireBackupWriterLock
AS
BEGIN
    DECLARE @result int;
    EXEC @result = sp_getapplock @Resource = N'BTS_BackupJob_Lock', @LockMode = N'Exclusive',
        @LockOwner = N'Session', @LockTimeout = -1;
    RETURN @result;
END
GO
CREATE PROCEDURE dbo.sp_ReleaseBackupWriterLock
AS
BEGIN
    DECLARE @result int;
    EXEC @result = sp_releaseapplock @Resource = N'BTS_BackupJob_Lock', @LockOwner = N'Session';
    RETURN @result;
END
GO
CREATE PROCEDURE dbo.sp_GetBackupHistory @LastBackupSetId bigint = NULL
AS
BEGIN
    SET NOCOUNT ON;
    SELECT BackupId, BackupSetId, MarkName, DatabaseName, BackupFileName, BackupFileLocation,
        BackupType, BackupDateTime, SetComplete, ServerName
    FROM dbo.adm_BackupHistory
    WHERE BackupSetId > ISNULL(@LastBackupSetId, 0)
    ORDER BY BackupSetId, BackupId;
    RETURN 0;
END
GO
INSERT INTO dbo.adm_BackupSettings (ForceFull, UseCompression) VALUES (0, 0);
GO
INSERT INTO dbo.adm_BackupSetId (NextBackupSetId) VALUES (0);
GO
