-- A lock of an application is held by a session, and let go once.
DECLARE @got int, @again int, @gone int;
EXEC @got = sp_getapplock @Resource = N'scn_lock', @LockMode = N'Exclusive',
    @LockOwner = N'Session', @LockTimeout = 0;
SELECT APPLOCK_MODE(N'public', N'scn_lock', N'Session') AS mode;
EXEC @again = sp_releaseapplock @Resource = N'scn_lock', @LockOwner = N'Session';
SELECT @got AS got, @again AS released, APPLOCK_MODE(N'public', N'scn_lock', N'Session') AS mode;
GO
EXEC sp_releaseapplock @Resource = N'scn_lock', @LockOwner = N'Session';
