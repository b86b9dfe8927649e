-- A folder that is not there, a logical name that is not there, and a path that is taken.
CREATE DATABASE scn_13;
GO
BACKUP DATABASE scn_13 TO DISK = N'$(folder)/13.bak' WITH FORMAT;
GO
RESTORE DATABASE scn_13c FROM DISK = N'$(folder)/13.bak'
WITH MOVE N'scn_13' TO N'$(folder)/none/13.mdf', MOVE N'scn_13_log' TO N'$(folder)/none/13.ldf';
GO
RESTORE DATABASE scn_13c FROM DISK = N'$(folder)/13.bak'
WITH MOVE N'nobody' TO N'$(folder)/13.mdf', MOVE N'scn_13_log' TO N'$(folder)/13.ldf';
GO
RESTORE DATABASE scn_13c FROM DISK = N'$(folder)/13.bak';
GO
SELECT COUNT(*) AS made FROM sys.databases WHERE name = N'scn_13c';
