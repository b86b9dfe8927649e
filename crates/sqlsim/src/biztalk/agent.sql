-- The Agent's tables as far as the backup job stands in them. Agent itself is not simulated: nothing runs by itself.
CREATE TABLE dbo.sysjobs (
    job_id uniqueidentifier NOT NULL PRIMARY KEY,
    name nvarchar(128) NOT NULL,
    enabled tinyint NOT NULL
);
GO
CREATE TABLE dbo.sysjobsteps (
    job_id uniqueidentifier NOT NULL,
    step_id int NOT NULL,
    step_name nvarchar(128) NOT NULL,
    subsystem nvarchar(40) NOT NULL,
    command nvarchar(3200) NULL,
    database_name nvarchar(128) NULL
);
GO
