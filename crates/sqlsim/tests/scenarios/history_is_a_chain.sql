-- Each log backup begins where the one before it ended.
CREATE DATABASE scn_21;
ALTER DATABASE scn_21 SET RECOVERY FULL;
GO
CREATE TABLE scn_21.dbo.T (Id int NOT NULL);
BACKUP DATABASE scn_21 TO DISK = N'$(folder)/21.bak' WITH FORMAT, CHECKSUM;
INSERT INTO scn_21.dbo.T VALUES (1);
BACKUP LOG scn_21 TO DISK = N'$(folder)/21a.trn' WITH FORMAT;
INSERT INTO scn_21.dbo.T VALUES (2);
BACKUP DATABASE scn_21 TO DISK = N'$(folder)/21c.bak' WITH FORMAT, COPY_ONLY;
BACKUP LOG scn_21 TO DISK = N'$(folder)/21x.trn' WITH FORMAT, COPY_ONLY;
BACKUP LOG scn_21 TO DISK = N'$(folder)/21b.trn' WITH FORMAT;
GO
SELECT type, is_copy_only, begins_log_chain, has_backup_checksums, recovery_model
FROM msdb.dbo.backupset WHERE database_name = N'scn_21' ORDER BY backup_set_id;
GO
SELECT COUNT(*) AS adjacent FROM msdb.dbo.backupset AS a
JOIN msdb.dbo.backupset AS b ON b.first_lsn = a.last_lsn
WHERE a.database_name = N'scn_21' AND b.database_name = N'scn_21'
    AND a.type = 'L' AND b.type = 'L' AND a.is_copy_only = 0 AND b.is_copy_only = 0;
SELECT COUNT(*) AS next_begins_there FROM msdb.dbo.backupset AS b
JOIN sys.database_recovery_status AS r ON r.last_log_backup_lsn = b.last_lsn
WHERE b.database_name = N'scn_21' AND r.database_id = DB_ID(N'scn_21') AND b.type = 'L'
    AND b.is_copy_only = 0;
