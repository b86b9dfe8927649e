-- What every database of the group needs so that a mark can be placed in it.
CREATE TABLE dbo.MarkLog (MarkName nvarchar(128) NULL);
GO
CREATE PROCEDURE dbo.sp_SetMark @name nvarchar(128)
AS
BEGIN
    SET NOCOUNT ON;
    BEGIN TRANSACTION;
    INSERT INTO dbo.MarkLog (MarkName) VALUES (@name);
    IF @@ERROR <> 0
    BEGIN
        ROLLBACK TRANSACTION;
        RETURN 1;
    END
    COMMIT TRANSACTION;
    RETURN 0;
END
GO
CREATE PROCEDURE dbo.sp_SetMarkRemote @name nvarchar(128)
AS
BEGIN
    SET NOCOUNT ON;
    BEGIN TRANSACTION @name WITH MARK @name;
    INSERT INTO dbo.MarkLog (MarkName) VALUES (@name);
    IF @@ERROR <> 0
    BEGIN
        ROLLBACK TRANSACTION;
        RETURN 1;
    END
    COMMIT TRANSACTION;
    RETURN 0;
END
GO
CREATE PROCEDURE dbo.sp_GetServerName @name sysname OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    SET @name = CONVERT(sysname, SERVERPROPERTY('ServerName'));
    RETURN 0;
END
GO
CREATE PROCEDURE dbo.sp_CleanUpMarkLog @MarkName nvarchar(128)
AS
BEGIN
    SET NOCOUNT ON;
    DELETE FROM dbo.MarkLog WHERE MarkName < @MarkName;
    RETURN 0;
END
GO
CREATE PROCEDURE dbo.sp_GetServerVersion @Version int OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    SET @Version = CONVERT(int, SERVERPROPERTY('ProductMajorVersion'));
    RETURN 0;
END
GO
CREATE PROCEDURE dbo.sp_BackupBizTalk @DBName sysname, @BackupLocation nvarchar(4000),
    @bCompression bit, @BackupType nvarchar(20)
AS
BEGIN
    SET NOCOUNT ON;
    IF @BackupType = N'Full' AND @bCompression = 1
        BACKUP DATABASE @DBName TO DISK = @BackupLocation WITH COMPRESSION;
    ELSE IF @BackupType = N'Full'
        BACKUP DATABASE @DBName TO DISK = @BackupLocation WITH NO_COMPRESSION;
    ELSE IF @bCompression = 1
        BACKUP LOG @DBName TO DISK = @BackupLocation WITH COMPRESSION;
    ELSE
        BACKUP LOG @DBName TO DISK = @BackupLocation WITH NO_COMPRESSION;
    RETURN @@ERROR;
END
GO
CREATE PROCEDURE dbo.sp_BackupBizTalkFile @seq nvarchar(128), @path nvarchar(3000),
    @kind nvarchar(10), @BackupLocation nvarchar(4000) OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @server sysname, @between nvarchar(1) = N'\';
    EXEC dbo.sp_GetServerName @name = @server OUTPUT;
    IF CHARINDEX(N'/', @path) > 0
        SET @between = N'/';
    -- The server's name is cut at 30 characters, as in the product.
    SET @BackupLocation = @path + @between + LEFT(REPLACE(@server, N'\', N'_'), 30) + N'_' + DB_NAME()
        + N'_' + @kind + N'_' + @seq + N'.bak';
    RETURN 0;
END
GO
CREATE PROCEDURE dbo.sp_BackupBizTalkFull @seq nvarchar(128), @path nvarchar(3000),
    @BackupLocation nvarchar(4000) OUTPUT, @bCompression bit = 0
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @status int, @db sysname = DB_NAME();
    EXEC dbo.sp_BackupBizTalkFile @seq, @path, N'Full', @BackupLocation OUTPUT;
    EXEC @status = dbo.sp_BackupBizTalk @db, @BackupLocation, @bCompression, N'Full';
    RETURN @status;
END
GO
CREATE PROCEDURE dbo.sp_BackupBizTalkLog @seq nvarchar(128), @path nvarchar(3000),
    @BackupLocation nvarchar(4000) OUTPUT, @bCompression bit = 0
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @status int, @db sysname = DB_NAME();
    EXEC dbo.sp_BackupBizTalkFile @seq, @path, N'Log', @BackupLocation OUTPUT;
    EXEC @status = dbo.sp_BackupBizTalk @db, @BackupLocation, @bCompression, N'Log';
    RETURN @status;
END
GO
CREATE ROLE BTS_BACKUP_USERS;
GO
GRANT EXECUTE ON dbo.sp_SetMark TO BTS_BACKUP_USERS;
GO
GRANT EXECUTE ON dbo.sp_SetMarkRemote TO BTS_BACKUP_USERS;
GO
GRANT EXECUTE ON dbo.sp_GetServerName TO BTS_BACKUP_USERS;
GO
GRANT EXECUTE ON dbo.sp_CleanUpMarkLog TO BTS_BACKUP_USERS;
GO
GRANT EXECUTE ON dbo.sp_GetServerVersion TO BTS_BACKUP_USERS;
GO
GRANT EXECUTE ON dbo.sp_BackupBizTalk TO BTS_BACKUP_USERS;
GO
GRANT EXECUTE ON dbo.sp_BackupBizTalkFull TO BTS_BACKUP_USERS;
GO
GRANT EXECUTE ON dbo.sp_BackupBizTalkLog TO BTS_BACKUP_USERS;
GO
