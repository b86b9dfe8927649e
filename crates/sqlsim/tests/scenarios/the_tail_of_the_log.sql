-- A tail backup leaves the database RESTORING, and then it may be restored over.
CREATE DATABASE scn_22;
ALTER DATABASE scn_22 SET RECOVERY FULL;
GO
CREATE TABLE scn_22.dbo.T (Id int NOT NULL);
BACKUP DATABASE scn_22 TO DISK = N'$(folder)/22.bak' WITH FORMAT;
INSERT INTO scn_22.dbo.T VALUES (1);
BACKUP LOG scn_22 TO DISK = N'$(folder)/22.trn' WITH FORMAT, NORECOVERY;
GO
SELECT state_desc FROM sys.databases WHERE name = N'scn_22';
GO
USE scn_22;
GO
BACKUP DATABASE scn_22 TO DISK = N'$(folder)/22b.bak' WITH FORMAT;
GO
RESTORE DATABASE scn_22 FROM DISK = N'$(folder)/22.bak' WITH NORECOVERY;
RESTORE LOG scn_22 FROM DISK = N'$(folder)/22.trn' WITH RECOVERY;
GO
SELECT Id FROM scn_22.dbo.T;
