-- After a recovery at an earlier point the old log leads elsewhere.
CREATE DATABASE scn_12;
ALTER DATABASE scn_12 SET RECOVERY FULL;
GO
USE scn_12;
GO
CREATE TABLE dbo.T (Id int NOT NULL);
BACKUP DATABASE scn_12 TO DISK = N'$(folder)/12.bak' WITH FORMAT;
BEGIN TRANSACTION scn_fork WITH MARK;
INSERT INTO dbo.T VALUES (1);
COMMIT TRANSACTION scn_fork;
BACKUP LOG scn_12 TO DISK = N'$(folder)/12a.trn' WITH FORMAT;
DECLARE @more int = 0;
WHILE @more < 300
BEGIN
    INSERT INTO dbo.T VALUES (2);
    SET @more = @more + 1;
END;
BACKUP LOG scn_12 TO DISK = N'$(folder)/12b.trn' WITH FORMAT;
GO
USE master;
GO
RESTORE DATABASE scn_12 FROM DISK = N'$(folder)/12.bak' WITH NORECOVERY, REPLACE;
RESTORE LOG scn_12 FROM DISK = N'$(folder)/12a.trn' WITH STOPATMARK = N'scn_fork', RECOVERY;
GO
INSERT INTO scn_12.dbo.T VALUES (3);
BACKUP DATABASE scn_12 TO DISK = N'$(folder)/12n.bak' WITH FORMAT;
SELECT COUNT(DISTINCT last_recovery_fork_guid) AS forks FROM msdb.dbo.backupset
WHERE database_name = N'scn_12';
GO
RESTORE DATABASE scn_12 FROM DISK = N'$(folder)/12n.bak' WITH NORECOVERY, REPLACE;
RESTORE LOG scn_12 FROM DISK = N'$(folder)/12b.trn' WITH NORECOVERY;
GO
RESTORE DATABASE scn_12 WITH RECOVERY;
