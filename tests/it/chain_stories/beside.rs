//! What restores meet, and the rows of the error table that no story tells.

/// What a restore meets: the number, the statement, the text. The next restore does what was asked.
pub(super) const RESTORES: &[(i32, &str, &str)] = &[
    (
        3101,
        "RESTORE DATABASE",
        "Exclusive access could not be obtained because the database is in use.",
    ),
    (
        3102,
        "RESTORE DATABASE",
        "RESTORE cannot process database 'Ledger' because it is in use by this session.",
    ),
    (
        3104,
        "RESTORE DATABASE",
        "RESTORE cannot operate on database 'Ledger' because it is joined to an availability group.",
    ),
    (
        3117,
        "RESTORE LOG",
        "The log or differential backup cannot be restored because no files are ready to rollforward.",
    ),
    (
        3132,
        "RESTORE DATABASE",
        "The media set has 2 media families but only 1 are provided.",
    ),
    (
        3136,
        "RESTORE DATABASE",
        "This differential backup cannot be restored because the database has not been restored to the correct earlier state.",
    ),
    (
        3154,
        "RESTORE DATABASE",
        "The backup set holds a backup of a database other than the existing 'Ledger' database.",
    ),
    (
        3156,
        "RESTORE DATABASE",
        "File 'Ledger' cannot be restored to 'x'.",
    ),
    (
        3159,
        "RESTORE DATABASE",
        "The tail of the log for the database \"Ledger\" has not been backed up.",
    ),
    (
        3169,
        "RESTORE DATABASE",
        "The database was backed up on a server running a newer version.",
    ),
    (
        3173,
        "RESTORE DATABASE",
        "The STOPAT clause is not allowed: the tail of the log has not been backed up.",
    ),
    (
        3178,
        "RESTORE DATABASE",
        "File Ledger is not in the correct state to have this differential backup applied to it.",
    ),
    (
        3182,
        "RESTORE DATABASE",
        "The backup set cannot be restored because the database was damaged when the backup occurred.",
    ),
    (
        3183,
        "RESTORE DATABASE",
        "RESTORE detected an error on page (1:9).",
    ),
    (
        3186,
        "RESTORE DATABASE",
        "The backup set has been damaged. RESTORE will not attempt to apply this backup set.",
    ),
    (
        3187,
        "RESTORE DATABASE",
        "RESTORE WITH CHECKSUM cannot be specified because the backup set does not contain checksum information.",
    ),
    (
        3189,
        "RESTORE DATABASE",
        "Damage to the backup set was detected.",
    ),
    (
        3203,
        "RESTORE DATABASE",
        "Read on \"x\" failed: 64(The specified network name is no longer available.)",
    ),
    (
        3227,
        "RESTORE DATABASE",
        "The backup media on 'x' is part of media family 1 which has already been processed on 'x'.",
    ),
    (
        3231,
        "RESTORE LOG",
        "The media loaded has 2 media families, but 1 families are expected.",
    ),
    (
        3241,
        "RESTORE LOG",
        "The media family on device 'x' is incorrectly formed.",
    ),
    (
        3242,
        "RESTORE DATABASE",
        "The file on device 'x' is not a valid Microsoft Tape Format backup set.",
    ),
    (
        3243,
        "RESTORE DATABASE",
        "The media family on device 'x' was created using Microsoft Tape Format version 9.9.",
    ),
    (
        3255,
        "RESTORE DATABASE",
        "The data set on device 'x' is a SQL Server backup set not compatible with this version.",
    ),
    (
        3256,
        "RESTORE DATABASE",
        "The backup set on device 'x' was terminated while it was being created and is incomplete.",
    ),
    (
        3257,
        "RESTORE DATABASE",
        "There is insufficient free space on disk volume 'x'.",
    ),
    (
        3266,
        "RESTORE LOG",
        "The backup data at the end of 'x' is incorrectly formatted.",
    ),
    (
        4303,
        "RESTORE LOG",
        "The roll forward start point is now at an LSN. Additional roll forward past it is required.",
    ),
    (
        4305,
        "RESTORE LOG",
        "The log in this backup set begins at an LSN which is too recent.",
    ),
    (
        4312,
        "RESTORE LOG",
        "This log cannot be restored because a gap in the log chain was created.",
    ),
    (
        4318,
        "RESTORE LOG",
        "File 'Ledger' has been rolled forward to an LSN. Additional roll forward past another is required.",
    ),
    (
        4327,
        "RESTORE LOG",
        "The log in this backup set contains bulk-logged changes. Point-in-time recovery was inhibited.",
    ),
    (
        4330,
        "RESTORE LOG",
        "This backup set cannot be applied because it is on a recovery path that is inconsistent.",
    ),
    (
        4333,
        "RESTORE LOG",
        "The database cannot be recovered because the log was not restored.",
    ),
    (
        4339,
        "RESTORE LOG",
        "This RESTORE statement cannot be performed because the restore sequence is not finished.",
    ),
    (
        4341,
        "RESTORE LOG",
        "This log backup contains bulk-logged changes. It cannot be used to stop at an arbitrary point in time.",
    ),
    (
        4349,
        "RESTORE LOG",
        "The log in this backup set begins at an LSN which is too early to apply to file 'Ledger'.",
    ),
];

/// Rows that no story tells, with the reason.
pub(super) const UNCOVERED: &[(&[i32], &str)] = &[
    (
        &[1408, 1412],
        "raised in the session that joins a database to an availability group, never in ours",
    ),
    (
        &[3021],
        "no statement of ours opens a transaction around a backup: `sql::every` reviews them",
    ),
    (&[3041], "a trailer in the error log, which no client hears"),
    (
        &[3702],
        "raised where a drill removes its own database: the kills of `drill` meet it",
    ),
    (
        &[825],
        "severity 10 in the error log, which no client hears",
    ),
    (
        &[4215, 4217],
        "severity 10, and the log backup itself succeeds",
    ),
    (
        &[35297, 35298],
        "severity 10, on a secondary replica: `replica_limits` tells what comes of the first",
    ),
    (
        &[8909, 8928, 8938, 8939, 8998],
        "findings of CHECKDB, which a drill runs: `drill` tells what they do to its certificate",
    ),
    (
        &[3431, 3437],
        "raised by the recovery of a host that starts, not by a statement",
    ),
    (
        &[4326, 4329],
        "not errors of a restore by plan: it looks whether a log is in (4326), and 4329 has severity 10 (`fleet_backups`)",
    ),
];

/// What the simulator says about backups and restores beside the table, with the reason why no row is needed.
pub(super) const BESIDE_THE_TABLE: &[(&[i32], &str)] = &[
    (
        &[3014, 3211, 3262, 4035],
        "information about progress and success, of severity 10 at most",
    ),
    (
        &[3031, 3032, 3145, 3250, 4334],
        "a statement that nobody could carry out: ours are reviewed and parsed (`sql::every`)",
    ),
    (
        &[3110],
        "a right that is missing: told as such, whichever number says it",
    ),
    (
        &[3119],
        "a trailer of RESTORE, behind the cause, which says nothing itself",
    ),
    (
        &[3234],
        "the file of a MOVE, whose names the piece's own file list gives",
    ),
    (
        &[4212],
        "a log backup of master, which is a companion and gets fulls only",
    ),
    (
        &[4335, 4338, 4343],
        "stops at a time or behind the stop: ours stop at a mark that the log was seen to hold",
    ),
];

/// Every number of the classification of SQL Server's backup and restore errors, 2022, that people put together from
/// its documentation.
pub(super) const FACTS: &[i32] = &[
    823, 824, 825, 832, 924, 927, 942, 945, 946, 1475, 3009, 3013, 3021, 3023, 3035, 3039, 3041,
    3043, 3049, 3053, 3057, 3058, 3059, 3062, 3063, 3064, 3065, 3101, 3102, 3104, 3117, 3132, 3136,
    3154, 3156, 3159, 3169, 3173, 3178, 3182, 3183, 3186, 3187, 3189, 3201, 3202, 3203, 3220, 3225,
    3227, 3231, 3233, 3236, 3238, 3241, 3242, 3243, 3255, 3256, 3257, 3266, 3271, 3288, 3289, 3290,
    3292, 3295, 3296, 3298, 3431, 3437, 3634, 4202, 4208, 4214, 4215, 4219, 4303, 4305, 4312, 4318,
    4326, 4327, 4329, 4330, 4333, 4339, 4341, 4349, 8938, 9002, 9019, 18204, 18210,
];
