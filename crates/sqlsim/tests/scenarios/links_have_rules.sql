-- A link is made once, is open to all at first, and is dropped with its logins.
EXEC sp_addlinkedserver @server = N'SCN_LINK', @srvproduct = N'', @provider = N'MSOLEDBSQL',
    @datasrc = N'$(address)';
GO
EXEC sp_addlinkedserver @server = N'SCN_LINK', @srvproduct = N'', @provider = N'MSOLEDBSQL',
    @datasrc = N'$(address)';
GO
SELECT is_linked, is_rpc_out_enabled, is_data_access_enabled,
    is_remote_proc_transaction_promotion_enabled
FROM sys.servers WHERE name = N'SCN_LINK';
SELECT l.local_principal_id, l.uses_self_credential FROM sys.linked_logins AS l
JOIN sys.servers AS s ON s.server_id = l.server_id WHERE s.name = N'SCN_LINK';
GO
EXEC SCN_LINK.master.dbo.sp_executesql N'SELECT 1';
GO
EXEC sp_serveroption N'SCN_LINK', N'nothing', N'true';
GO
EXEC sp_serveroption N'SCN_LINK', N'rpc out', N'true';
EXEC sp_droplinkedsrvlogin N'SCN_LINK', NULL;
GO
EXEC (N'SELECT 1 AS one') AT SCN_LINK;
GO
EXEC NOBODY.master.dbo.sp_executesql N'SELECT 1';
GO
SELECT name FROM NOBODY.master.sys.databases;
GO
EXEC sp_addlinkedsrvlogin N'SCN_LINK', N'FALSE', NULL, N'$(user)', N'$(password)';
GO
EXEC sp_testlinkedserver N'SCN_LINK';
EXEC (N'SELECT 1 AS one') AT SCN_LINK;
GO
SELECT name FROM SCN_LINK.master.sys.databases WHERE name = N'master';
GO
EXEC sp_serveroption N'SCN_LINK', N'data access', N'false';
GO
SELECT name FROM SCN_LINK.master.sys.databases WHERE name = N'master';
GO
BEGIN TRANSACTION;
EXEC sp_addlinkedserver N'SCN_OTHER';
GO
IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
GO
EXEC sp_dropserver N'SCN_LINK';
GO
EXEC sp_dropserver N'SCN_LINK', N'droplogins';
GO
EXEC sp_dropserver N'SCN_LINK';
