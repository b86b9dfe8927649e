-- A standby database can be read, not written, and takes more log.
CREATE DATABASE scn_11;
ALTER DATABASE scn_11 SET RECOVERY FULL;
GO
CREATE TABLE scn_11.dbo.T (Id int NOT NULL);
BACKUP DATABASE scn_11 TO DISK = N'$(folder)/11.bak' WITH FORMAT;
INSERT INTO scn_11.dbo.T VALUES (1);
BACKUP LOG scn_11 TO DISK = N'$(folder)/11a.trn' WITH FORMAT;
INSERT INTO scn_11.dbo.T VALUES (2);
BACKUP LOG scn_11 TO DISK = N'$(folder)/11b.trn' WITH FORMAT;
GO
RESTORE DATABASE scn_11c FROM DISK = N'$(folder)/11.bak'
WITH NORECOVERY, MOVE N'scn_11' TO N'$(folder)/11.mdf', MOVE N'scn_11_log' TO N'$(folder)/11.ldf';
RESTORE LOG scn_11c FROM DISK = N'$(folder)/11a.trn' WITH STANDBY = N'$(folder)/11.undo';
GO
SELECT state_desc, is_in_standby, is_read_only FROM sys.databases WHERE name = N'scn_11c';
SELECT Id FROM scn_11c.dbo.T ORDER BY Id;
GO
INSERT INTO scn_11c.dbo.T VALUES (3);
GO
RESTORE LOG scn_11c FROM DISK = N'$(folder)/11b.trn' WITH RECOVERY;
GO
SELECT Id FROM scn_11c.dbo.T ORDER BY Id;
SELECT is_in_standby FROM sys.databases WHERE name = N'scn_11c';
