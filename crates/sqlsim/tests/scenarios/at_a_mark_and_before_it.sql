-- STOPATMARK keeps the marked transaction, STOPBEFOREMARK does not.
CREATE DATABASE scn_10;
ALTER DATABASE scn_10 SET RECOVERY FULL;
GO
USE scn_10;
GO
CREATE TABLE dbo.T (Id int NOT NULL);
BACKUP DATABASE scn_10 TO DISK = N'$(folder)/10.bak' WITH FORMAT;
INSERT INTO dbo.T VALUES (1);
BEGIN TRANSACTION scn_mark WITH MARK N'a description';
INSERT INTO dbo.T VALUES (2);
COMMIT TRANSACTION scn_mark;
INSERT INTO dbo.T VALUES (3);
BACKUP LOG scn_10 TO DISK = N'$(folder)/10.trn' WITH FORMAT;
GO
USE master;
GO
SELECT DISTINCT mark_name, description FROM msdb.dbo.logmarkhistory
WHERE database_name = N'scn_10';
GO
RESTORE DATABASE scn_10a FROM DISK = N'$(folder)/10.bak'
WITH NORECOVERY, MOVE N'scn_10' TO N'$(folder)/10a.mdf', MOVE N'scn_10_log' TO N'$(folder)/10a.ldf';
RESTORE LOG scn_10a FROM DISK = N'$(folder)/10.trn' WITH STOPATMARK = N'scn_mark', RECOVERY;
GO
RESTORE DATABASE scn_10b FROM DISK = N'$(folder)/10.bak'
WITH NORECOVERY, MOVE N'scn_10' TO N'$(folder)/10b.mdf', MOVE N'scn_10_log' TO N'$(folder)/10b.ldf';
RESTORE LOG scn_10b FROM DISK = N'$(folder)/10.trn' WITH STOPBEFOREMARK = N'scn_mark', RECOVERY;
GO
SELECT Id FROM scn_10a.dbo.T ORDER BY Id;
SELECT Id FROM scn_10b.dbo.T ORDER BY Id;
GO
RESTORE DATABASE scn_10c FROM DISK = N'$(folder)/10.bak'
WITH NORECOVERY, MOVE N'scn_10' TO N'$(folder)/10c.mdf', MOVE N'scn_10_log' TO N'$(folder)/10c.ldf';
RESTORE LOG scn_10c FROM DISK = N'$(folder)/10.trn' WITH STOPATMARK = N'SCN_MARK', RECOVERY;
GO
SELECT state_desc FROM sys.databases WHERE name = N'scn_10c';
