-- A mark is recorded in the databases that its transaction modified, and once a server.
CREATE DATABASE scn_17;
CREATE DATABASE scn_17b;
GO
USE scn_17;
GO
CREATE TABLE scn_17.dbo.T (Id int NOT NULL);
CREATE TABLE scn_17b.dbo.T (Id int NOT NULL);
GO
BEGIN TRANSACTION scn_both WITH MARK;
INSERT INTO scn_17.dbo.T VALUES (1);
INSERT INTO scn_17b.dbo.T VALUES (1);
COMMIT TRANSACTION;
BEGIN TRANSACTION scn_one WITH MARK;
INSERT INTO scn_17.dbo.T VALUES (2);
COMMIT TRANSACTION;
BEGIN TRANSACTION scn_none WITH MARK;
COMMIT TRANSACTION;
GO
SELECT DISTINCT mark_name, database_name FROM msdb.dbo.logmarkhistory
WHERE mark_name IN (N'scn_both', N'scn_one', N'scn_none') ORDER BY mark_name, database_name;
GO
BEGIN TRANSACTION scn_outer WITH MARK;
INSERT INTO scn_17.dbo.T VALUES (3);
BEGIN TRANSACTION scn_inner WITH MARK;
INSERT INTO scn_17.dbo.T VALUES (4);
SELECT @@TRANCOUNT AS depth;
COMMIT TRANSACTION;
COMMIT TRANSACTION;
GO
SELECT DISTINCT mark_name FROM msdb.dbo.logmarkhistory
WHERE mark_name IN (N'scn_outer', N'scn_inner');
GO
BEGIN TRANSACTION WITH MARK;
GO
BEGIN TRANSACTION a_name_that_is_much_longer_than_thirty_two WITH MARK;
GO
USE master;
