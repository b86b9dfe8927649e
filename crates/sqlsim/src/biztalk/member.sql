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
