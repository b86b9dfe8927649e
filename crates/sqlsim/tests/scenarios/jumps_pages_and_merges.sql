-- Labels, pages of rows, MERGE.
DECLARE @n int = 0;
again:
SET @n = @n + 1;
IF @n < 3 GOTO again;
WHILE 1 = 1
BEGIN
    SET @n = @n + 10;
    IF @n > 30 GOTO out_of_it;
END;
SELECT 'never' AS reached;
out_of_it:
SELECT @n AS n;
GO
CREATE DATABASE scn_27;
GO
USE scn_27;
GO
CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Name nvarchar(10) NULL);
CREATE TABLE dbo.S (Id int NOT NULL, Name nvarchar(10) NULL);
INSERT INTO dbo.T VALUES (1, N'a'), (2, N'b'), (3, N'c');
INSERT INTO dbo.S VALUES (2, N'B'), (4, N'D');
GO
SELECT Id FROM dbo.T ORDER BY Id DESC OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY;
DECLARE @skip int = 2;
SELECT Id FROM dbo.T ORDER BY Id OFFSET @skip ROWS;
GO
SELECT Id FROM dbo.T ORDER BY Id OFFSET -1 ROWS;
GO
MERGE INTO dbo.T AS t USING dbo.S AS s ON s.Id = t.Id
WHEN MATCHED THEN UPDATE SET Name = s.Name
WHEN NOT MATCHED THEN INSERT (Id, Name) VALUES (s.Id, s.Name)
WHEN NOT MATCHED BY SOURCE AND t.Id = 1 THEN DELETE;
SELECT @@ROWCOUNT AS changed;
SELECT Id, Name FROM dbo.T ORDER BY Id;
GO
MERGE dbo.T AS t USING (VALUES (2, N'x'), (NULL, N'y')) AS s (Id, Name) ON s.Id = t.Id
WHEN MATCHED THEN UPDATE SET Name = s.Name
WHEN NOT MATCHED THEN INSERT (Id, Name) VALUES (s.Id, s.Name);
GO
SELECT Id, Name FROM dbo.T ORDER BY Id;
GO
USE master;
