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
        3183,
        "RESTORE DATABASE",
        "RESTORE detected an error on page (1:9).",
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
        3257,
        "RESTORE DATABASE",
        "There is insufficient free space on disk volume 'x'.",
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
        4330,
        "RESTORE LOG",
        "This backup set cannot be applied because it is on a recovery path that is inconsistent.",
    ),
];

/// Rows that no story tells, with the reason.
pub(super) const UNCOVERED: &[(&[i32], &str)] = &[
    (
        &[1408, 1412],
        "raised in the session that joins a database to an availability group, never in ours",
    ),
    (&[3009], "the simulator's msdb always has room for a row"),
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
        &[8909, 8928, 8938, 8939, 8998],
        "findings of DBCC CHECKDB, which no run of ours executes yet",
    ),
    (
        &[3431, 3437],
        "raised by the recovery of a host that starts, not by a statement",
    ),
    (
        &[4326, 4329],
        "not errors of a restore by plan: 4326 is passed over, 4329 has severity 10 (`fleet_backups`)",
    ),
    (
        &[
            3136, 3178, 3173, 3182, 3186, 3227, 3242, 3243, 3255, 3256, 3266,
        ],
        "a restore's refusals, met as their neighbours 3154, 3159, 3189, 3132 and 3241 are",
    ),
    (
        &[4303, 4318, 4327, 4333, 4339, 4341, 4349],
        "a restore's refusals for the order of logs, met as their neighbours 4305, 4312 and 4330 are",
    ),
];
