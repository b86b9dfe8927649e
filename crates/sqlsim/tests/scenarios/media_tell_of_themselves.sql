-- The names of the columns, and what a client reads by them.
CREATE DATABASE scn_14;
GO
BACKUP DATABASE scn_14 TO DISK = N'$(folder)/14.bak' WITH FORMAT, CHECKSUM, NAME = N'first';
GO
-- columns only
RESTORE HEADERONLY FROM DISK = N'$(folder)/14.bak';
GO
-- columns only
RESTORE FILELISTONLY FROM DISK = N'$(folder)/14.bak';
GO
-- columns only
RESTORE LABELONLY FROM DISK = N'$(folder)/14.bak';
GO
RESTORE VERIFYONLY FROM DISK = N'$(folder)/14.bak' WITH CHECKSUM;
GO
RESTORE VERIFYONLY FROM DISK = N'$(folder)/14.bak' WITH FILE = 2;
