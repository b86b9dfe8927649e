-- A folder that is not there, to write and to read.
CREATE DATABASE scn_06;
GO
BACKUP DATABASE scn_06 TO DISK = N'$(folder)/none/06.bak' WITH FORMAT;
GO
RESTORE HEADERONLY FROM DISK = N'$(folder)/none.bak';
GO
RESTORE DATABASE scn_06b FROM DISK = N'$(folder)/none.bak';
