-- Options are checked before anything is done.
CREATE DATABASE scn_25;
GO
BACKUP LOG nobody TO DISK = N'$(folder)/25.bak';
GO
BACKUP LOG master TO DISK = N'$(folder)/25.bak';
GO
BACKUP DATABASE tempdb TO DISK = N'$(folder)/25.bak';
GO
RESTORE DATABASE scn_25c FROM DISK = N'$(folder)/25.bak' WITH RECOVERY, NORECOVERY;
