-- A missing mark is no error: the database stays RESTORING, whatever was asked for.
CREATE DATABASE scn_09;
ALTER DATABASE scn_09 SET RECOVERY FULL;
GO
CREATE TABLE scn_09.dbo.T (Id int NOT NULL);
BACKUP DATABASE scn_09 TO DISK = N'$(folder)/09.bak' WITH FORMAT;
INSERT INTO scn_09.dbo.T VALUES (1);
BACKUP LOG scn_09 TO DISK = N'$(folder)/09.trn' WITH FORMAT;
GO
RESTORE DATABASE scn_09c FROM DISK = N'$(folder)/09.bak'
WITH NORECOVERY, MOVE N'scn_09' TO N'$(folder)/09.mdf', MOVE N'scn_09_log' TO N'$(folder)/09.ldf';
RESTORE LOG scn_09c FROM DISK = N'$(folder)/09.trn' WITH STOPATMARK = N'nobody', RECOVERY;
GO
SELECT state_desc FROM sys.databases WHERE name = N'scn_09c';
GO
SELECT Id FROM scn_09c.dbo.T;
GO
SELECT COUNT(*) AS restored FROM msdb.dbo.restorehistory
WHERE destination_database_name = N'scn_09c' AND stop_at_mark_name = N'nobody';
