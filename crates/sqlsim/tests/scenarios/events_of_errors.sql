-- An event session keeps the errors that its predicate names.
CREATE DATABASE scn_20;
ALTER DATABASE scn_20 SET RECOVERY FULL;
GO
CREATE EVENT SESSION [scn_watch] ON SERVER
ADD EVENT sqlserver.error_reported (
    ACTION (sqlserver.client_app_name, sqlserver.database_name)
    WHERE ([error_number] = (4214) OR [error_number] = (1475)))
ADD TARGET package0.ring_buffer
WITH (MAX_DISPATCH_LATENCY = 1 SECONDS, STARTUP_STATE = ON);
GO
ALTER EVENT SESSION [scn_watch] ON SERVER STATE = START;
GO
ALTER EVENT SESSION [scn_watch] ON SERVER STATE = START;
GO
BACKUP LOG scn_20 TO DISK = N'$(folder)/20.trn' WITH FORMAT;
GO
WAITFOR DELAY '00:00:00.100';
GO
SELECT t.target_name FROM sys.dm_xe_sessions AS s
JOIN sys.dm_xe_session_targets AS t ON t.event_session_address = s.address
WHERE s.name = N'scn_watch';
SELECT startup_state FROM sys.server_event_sessions WHERE name = N'scn_watch';
GO
ALTER EVENT SESSION [scn_watch] ON SERVER STATE = STOP;
GO
ALTER EVENT SESSION [scn_watch] ON SERVER STATE = STOP;
GO
DROP EVENT SESSION [scn_watch] ON SERVER;
GO
DROP EVENT SESSION [scn_watch] ON SERVER;
GO
CREATE EVENT SESSION [scn_watch] ON SERVER ADD EVENT sqlserver.there_is_no_such_event;
