-- A differential wants a full that is no copy, and is restored over no other.
CREATE DATABASE scn_03;
GO
BACKUP DATABASE scn_03 TO DISK = N'$(folder)/03d.bak' WITH DIFFERENTIAL, FORMAT;
GO
BACKUP DATABASE scn_03 TO DISK = N'$(folder)/03c.bak' WITH COPY_ONLY, FORMAT;
GO
BACKUP DATABASE scn_03 TO DISK = N'$(folder)/03d.bak' WITH DIFFERENTIAL, FORMAT;
GO
BACKUP DATABASE scn_03 TO DISK = N'$(folder)/03a.bak' WITH FORMAT;
BACKUP DATABASE scn_03 TO DISK = N'$(folder)/03b.bak' WITH FORMAT;
BACKUP DATABASE scn_03 TO DISK = N'$(folder)/03d.bak' WITH DIFFERENTIAL, FORMAT;
GO
RESTORE DATABASE scn_03c FROM DISK = N'$(folder)/03a.bak'
WITH NORECOVERY, MOVE N'scn_03' TO N'$(folder)/03.mdf', MOVE N'scn_03_log' TO N'$(folder)/03.ldf';
GO
RESTORE DATABASE scn_03c FROM DISK = N'$(folder)/03d.bak' WITH NORECOVERY;
GO
RESTORE DATABASE scn_03c FROM DISK = N'$(folder)/03b.bak' WITH NORECOVERY, REPLACE,
MOVE N'scn_03' TO N'$(folder)/03.mdf', MOVE N'scn_03_log' TO N'$(folder)/03.ldf';
RESTORE DATABASE scn_03c FROM DISK = N'$(folder)/03d.bak' WITH RECOVERY;
GO
SELECT state_desc FROM sys.databases WHERE name = N'scn_03c';
