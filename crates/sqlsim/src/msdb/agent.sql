-- What else may back a database up, as far as msdb says so: the Agent's jobs, log shipping, managed backup. None of
-- it is simulated beyond these tables: nothing runs by itself.
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
CREATE TABLE dbo.log_shipping_primary_databases (
    primary_id uniqueidentifier NOT NULL PRIMARY KEY,
    primary_database nvarchar(128) NOT NULL,
    backup_directory nvarchar(500) NOT NULL,
    backup_job_id uniqueidentifier NOT NULL
);
GO
CREATE PROCEDURE dbo.sp_update_job
    @job_id uniqueidentifier = NULL,
    @job_name nvarchar(128) = NULL,
    @enabled tinyint = NULL
AS
BEGIN
    IF NOT EXISTS (SELECT * FROM dbo.sysjobs WHERE job_id = @job_id OR name = @job_name)
    BEGIN
        RAISERROR(N'The specified @job_name (''%s'') does not exist.', 16, 1, @job_name);
        RETURN 1;
    END;
    UPDATE dbo.sysjobs SET enabled = ISNULL(@enabled, enabled) WHERE job_id = @job_id OR name = @job_name;
    RETURN 0;
END;
GO
CREATE SCHEMA managed_backup;
GO
-- Its rows come from the engine (`proc/functions.rs`); this is what `OBJECT_ID` and rights see of it.
CREATE FUNCTION managed_backup.fn_backup_db_config (@db_name nvarchar(128)) RETURNS int AS BEGIN RETURN NULL; END;
GO
CREATE PROCEDURE managed_backup.sp_backup_config_basic
    @enable_backup bit = NULL,
    @database_name nvarchar(128) = NULL,
    @container_url nvarchar(1024) = NULL,
    @retention_days int = NULL
AS
BEGIN
    DECLARE @value nvarchar(1) = CONVERT(nvarchar(1), ISNULL(@enable_backup, 0));
    EXEC sp_sim_estate N'managed backup', @database_name, @value;
END;
