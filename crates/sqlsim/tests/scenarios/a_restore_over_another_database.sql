-- Another database is protected, and so is a tail that was never backed up.
CREATE DATABASE scn_08;
CREATE DATABASE scn_08b;
ALTER DATABASE scn_08 SET RECOVERY FULL;
GO
BACKUP DATABASE scn_08 TO DISK = N'$(folder)/08.bak' WITH FORMAT;
BACKUP DATABASE scn_08b TO DISK = N'$(folder)/08b.bak' WITH FORMAT;
GO
RESTORE DATABASE scn_08 FROM DISK = N'$(folder)/08b.bak';
GO
RESTORE DATABASE scn_08 FROM DISK = N'$(folder)/08.bak';
GO
RESTORE DATABASE scn_08 FROM DISK = N'$(folder)/08.bak' WITH REPLACE;
GO
SELECT state_desc FROM sys.databases WHERE name = N'scn_08';
