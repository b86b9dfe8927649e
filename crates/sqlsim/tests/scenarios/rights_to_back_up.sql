-- Who may back up, and who may not even look.
CREATE LOGIN scn_weak WITH PASSWORD = N'Weak-pass-1', CHECK_POLICY = OFF;
CREATE DATABASE scn_24;
GO
USE scn_24;
GO
CREATE USER scn_weak FOR LOGIN scn_weak;
GO
EXECUTE AS LOGIN = N'scn_weak';
BACKUP DATABASE scn_24 TO DISK = N'$(folder)/24.bak' WITH FORMAT;
GO
RESTORE HEADERONLY FROM DISK = N'$(folder)/24.bak';
GO
CREATE EVENT SESSION scn_weak ON SERVER ADD EVENT sqlserver.error_reported;
GO
REVERT;
GO
ALTER ROLE db_backupoperator ADD MEMBER scn_weak;
GO
EXECUTE AS LOGIN = N'scn_weak';
BACKUP DATABASE scn_24 TO DISK = N'$(folder)/24.bak' WITH FORMAT;
REVERT;
GO
USE master;
