-- A log chain begins with a full that is no copy.
CREATE DATABASE scn_01;
ALTER DATABASE scn_01 SET RECOVERY FULL;
GO
BACKUP LOG scn_01 TO DISK = N'$(folder)/01.trn' WITH FORMAT;
GO
BACKUP DATABASE scn_01 TO DISK = N'$(folder)/01.bak' WITH FORMAT, COPY_ONLY;
GO
BACKUP LOG scn_01 TO DISK = N'$(folder)/01.trn' WITH FORMAT;
GO
SELECT last_log_backup_lsn FROM sys.database_recovery_status WHERE database_id = DB_ID(N'scn_01');
GO
BACKUP DATABASE scn_01 TO DISK = N'$(folder)/01.bak' WITH FORMAT, CHECKSUM;
GO
BACKUP LOG scn_01 TO DISK = N'$(folder)/01.trn' WITH FORMAT;
GO
SELECT type, is_copy_only, begins_log_chain FROM msdb.dbo.backupset
WHERE database_name = N'scn_01' ORDER BY backup_set_id;
