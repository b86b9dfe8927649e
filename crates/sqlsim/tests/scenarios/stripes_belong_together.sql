-- A backup over two files is restored from both, and from both only.
CREATE DATABASE scn_16;
GO
BACKUP DATABASE scn_16 TO DISK = N'$(folder)/16a.bak', DISK = N'$(folder)/16b.bak' WITH FORMAT;
GO
RESTORE VERIFYONLY FROM DISK = N'$(folder)/16a.bak';
GO
RESTORE VERIFYONLY FROM DISK = N'$(folder)/16a.bak', DISK = N'$(folder)/16b.bak';
GO
SELECT m.family_sequence_number, m.device_type FROM msdb.dbo.backupset AS s
JOIN msdb.dbo.backupmediafamily AS m ON m.media_set_id = s.media_set_id
WHERE s.database_name = N'scn_16' ORDER BY m.family_sequence_number;
