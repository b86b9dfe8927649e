-- Neither a backup nor a restore may run within a transaction.
CREATE DATABASE scn_04;
GO
BEGIN TRANSACTION;
BACKUP DATABASE scn_04 TO DISK = N'$(folder)/04.bak' WITH FORMAT;
GO
SELECT @@TRANCOUNT AS still_open;
GO
RESTORE DATABASE scn_04 FROM DISK = N'$(folder)/04.bak' WITH REPLACE;
GO
ROLLBACK TRANSACTION;
