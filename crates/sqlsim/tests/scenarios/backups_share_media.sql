-- Without INIT or FORMAT a set is appended; INIT overwrites; FILE names one of them.
CREATE DATABASE scn_15;
ALTER DATABASE scn_15 SET RECOVERY FULL;
GO
BACKUP DATABASE scn_15 TO DISK = N'$(folder)/15.bak' WITH FORMAT, NAME = N'one';
BACKUP LOG scn_15 TO DISK = N'$(folder)/15.bak' WITH NAME = N'two';
GO
SELECT s.position, s.name, s.type FROM msdb.dbo.backupset AS s
WHERE s.database_name = N'scn_15' ORDER BY s.backup_set_id;
GO
RESTORE DATABASE scn_15c FROM DISK = N'$(folder)/15.bak'
WITH NORECOVERY, MOVE N'scn_15' TO N'$(folder)/15.mdf', MOVE N'scn_15_log' TO N'$(folder)/15.ldf';
RESTORE LOG scn_15c FROM DISK = N'$(folder)/15.bak' WITH FILE = 2, RECOVERY;
GO
BACKUP DATABASE scn_15 TO DISK = N'$(folder)/15.bak' WITH INIT, NAME = N'three';
GO
RESTORE LOG scn_15c FROM DISK = N'$(folder)/15.bak' WITH FILE = 2;
