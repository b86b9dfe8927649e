-- BACKUP raises two errors; TRY and CATCH see the last one, and the cause is lost.
CREATE DATABASE scn_05;
ALTER DATABASE scn_05 SET RECOVERY FULL;
GO
BEGIN TRY
    BACKUP LOG scn_05 TO DISK = N'$(folder)/05.trn' WITH FORMAT;
END TRY
BEGIN CATCH
    SELECT ERROR_NUMBER() AS number, ERROR_SEVERITY() AS severity, ERROR_MESSAGE() AS message;
END CATCH;
GO
BACKUP LOG scn_05 TO DISK = N'$(folder)/05.trn' WITH FORMAT;
SELECT @@ERROR AS last_error;
