-- What the tracking database has besides, so that its decoder stands still while a mark is placed.
CREATE TABLE dbo.TDDS_StreamStatus (
    StreamId int NOT NULL PRIMARY KEY,
    LastSeqNum bigint NOT NULL
);
GO
CREATE PROCEDURE dbo.TDDS_BlockTDDS
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @streams int;
    -- To the end of the caller's transaction nobody else moves a stream on.
    SELECT @streams = COUNT(*) FROM dbo.TDDS_StreamStatus WITH (TABLOCKX, HOLDLOCK);
    RETURN 0;
END
GO
GRANT EXECUTE ON dbo.TDDS_BlockTDDS TO BTS_BACKUP_USERS;
GO
INSERT INTO dbo.TDDS_StreamStatus (StreamId, LastSeqNum) VALUES (0, 0);
GO
