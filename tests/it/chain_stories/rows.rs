//! The table: how each number comes about, and which run meets it. Start at [`ROWS`].
//!
//! The true cause stands here where the simulator has it; else its fault `fail` raises the number in the
//! statement that SQL Server raises it in.

use stopmark::chain::errors::os_error;
use stopmark::plan::BackupKind;

/// One row.
pub(super) struct Row {
    /// SQL Server's number.
    pub(super) number: i32,
    /// What happens.
    pub(super) title: &'static str,
    /// The run that meets it.
    pub(super) kind: BackupKind,
    /// Members of `--new-chain`.
    pub(super) new_chain: &'static [&'static str],
    /// What arranges it.
    pub(super) cause: Cause,
    /// What the run sees of it.
    pub(super) met: Met,
    /// What a person does before the next run.
    pub(super) mend: Option<&'static str>,
}

/// How a number comes about.
pub(super) enum Cause {
    /// The true cause, as T-SQL on `SQL1`.
    Script(&'static str),
    /// The statement about `Ledger` fails with this severity and text, so often.
    Fails(&'static str, u8, &'static str, u8),
}

/// What the run sees.
pub(super) enum Met {
    /// The number itself.
    AsItself,
    /// A code of Stopmark's: the number reaches no client, or the survey sees its cause first.
    As(&'static str),
    /// Nothing: it befell somebody else's session, or the run found out what had happened.
    Unseen,
    /// The survey sees the break, and the run cures it before SQL Server has to refuse.
    BeforeItHurts,
}

impl Row {
    /// The script that arranges it.
    pub(super) fn script(&self) -> String {
        match self.cause {
            Cause::Script(script) => script.to_owned(),
            Cause::Fails(statement, class, text, times) => format!(
                "EXEC sp_sim_fault @kind = 'fail', @statement = '{statement}', \
                 @database = 'Ledger', @number = {}, @class = {class}, @times = {times}, \
                 @text = N'{}';",
                self.number,
                text.replace('\'', "''")
            ),
        }
    }

    /// The operating system's error in the text.
    pub(super) fn os_error(&self) -> Option<i32> {
        match self.cause {
            Cause::Script(_) => None,
            Cause::Fails(_, _, text, _) => os_error(text),
        }
    }
}

const LOG: &str = "BACKUP LOG";
const DATABASE: &str = "BACKUP DATABASE";
const FLIP: &str = "ALTER DATABASE Ledger SET RECOVERY SIMPLE;\n\
                    ALTER DATABASE Ledger SET RECOVERY FULL;";

const fn row(number: i32, title: &'static str, cause: Cause) -> Row {
    Row {
        number,
        title,
        kind: BackupKind::Log,
        new_chain: &[],
        cause,
        met: Met::AsItself,
        mend: None,
    }
}

/// A log backup of `Ledger` fails so often.
const fn log(number: i32, times: u8, text: &'static str) -> Row {
    let cause = Cause::Fails(LOG, 16, text, times);
    row(number, "a log backup is refused", cause)
}

/// A differential of `Ledger` fails once.
const fn differential(number: i32, text: &'static str) -> Row {
    let cause = Cause::Fails(DATABASE, 16, text, 1);
    Row {
        kind: BackupKind::Differential,
        ..row(number, "a differential is refused", cause)
    }
}

/// A full of `Ledger` fails so often.
const fn full(number: i32, times: u8, text: &'static str) -> Row {
    let cause = Cause::Fails(DATABASE, 16, text, times);
    Row {
        kind: BackupKind::Full,
        ..row(number, "a full is refused", cause)
    }
}

/// Every row that a backup can meet.
pub(super) const ROWS: &[Row] = &[
    // What ends a chain.
    Row {
        met: Met::Unseen,
        ..row(
            3009,
            "msdb has no room for the row of a log backup: its file says what it is",
            Cause::Script(
                "EXEC sp_sim_fault @kind = 'lose history', @statement = 'BACKUP LOG', @database = 'Ledger';",
            ),
        )
    },
    Row {
        kind: BackupKind::Full,
        new_chain: &["SQL1/Ledger"],
        met: Met::Unseen,
        ..row(
            1475,
            "bulk-logged changes, seen while a database joins: a person asks for a new chain",
            Cause::Script("EXEC sp_sim_fault @kind = 'bulk change', @database = 'Ledger';"),
        )
    },
    log(
        1475,
        1,
        "Database \"Ledger\" might contain bulk logged changes that have not been backed up.",
    ),
    Row {
        met: Met::BeforeItHurts,
        ..row(
            4214,
            "the recovery model was SIMPLE for a moment",
            Cause::Script(FLIP),
        )
    },
    log(
        4214,
        1,
        "BACKUP LOG cannot be performed because there is no current database backup.",
    ),
    Row {
        mend: Some("ALTER DATABASE Ledger SET RECOVERY FULL;"),
        met: Met::As("SM0206"),
        ..row(
            4208,
            "the recovery model is SIMPLE",
            Cause::Script("ALTER DATABASE Ledger SET RECOVERY SIMPLE;"),
        )
    },
    Row {
        mend: Some("ALTER DATABASE Ledger SET RECOVERY FULL;"),
        ..row(
            4208,
            "the recovery model becomes SIMPLE behind the survey's back",
            Cause::Script(
                "EXEC sp_sim_fault @kind = 'switch recovery model', @statement = 'BACKUP LOG', \
                 @database = 'Ledger', @text = N'SIMPLE';",
            ),
        )
    },
    differential(
        3035,
        "Cannot perform a differential backup for database \"Ledger\", because a current database backup does not exist.",
    ),
    differential(
        3039,
        "Cannot perform a differential backup for database \"Ledger\".",
    ),
    Row {
        met: Met::As("SM0502"),
        ..row(
            4219,
            "a log backup ends in silence, since the chain is broken",
            Cause::Fails(LOG, 10, "The log backup chain is broken.", 1),
        )
    },
    // What holds the database.
    full(
        3023,
        4,
        "Backup, file manipulation operations (such as ALTER DATABASE ADD FILE) and encryption changes on a database must be serialized.",
    ),
    log(
        3023,
        1,
        "Backup, file manipulation operations (such as ALTER DATABASE ADD FILE) and encryption changes on a database must be serialized.",
    ),
    full(
        3298,
        2,
        "The backup or restore of the file is held by somebody else's lease.",
    ),
    log(
        3201,
        2,
        "Cannot open backup device 'x'. Operating system error 32(The process cannot access the file.).",
    ),
    // What passes.
    log(
        1205,
        2,
        "Transaction (Process ID 52) was deadlocked on lock resources and has been chosen as the victim.",
    ),
    log(1222, 1, "Lock request time out period exceeded."),
    log(
        3062,
        1,
        "Cannot backup from a HADRON secondary because it is not in Synchronizing or Synchronized state.",
    ),
    log(
        3201,
        2,
        "Cannot open backup device 'x'. Operating system error 53(The network path was not found.).",
    ),
    log(
        3202,
        1,
        "Write on \"x\" failed: 64(The specified network name is no longer available.)",
    ),
    log(
        3271,
        1,
        "A nonrecoverable I/O error occurred on file \"x:\" 1117(I/O device error).",
    ),
    full(3290, 1, "Remote error occurred."),
    full(
        3292,
        1,
        "A failure occurred while attempting to execute Backup or Restore with a URL device specified.",
    ),
    full(3295, 1, "A remote request failed."),
    log(
        9002,
        1,
        "The transaction log for database 'Ledger' is full due to 'LOG_BACKUP'.",
    ),
    log(
        9019,
        1,
        "The virtual log file sequence is in use on the secondary.",
    ),
    log(
        35294,
        1,
        "Log backup for database \"Ledger\" on a secondary replica failed because a synchronization point could not be established.",
    ),
    log(
        35295,
        1,
        "Log backup for database \"Ledger\" on a secondary replica failed because the last backup LSN is greater than the local redo LSN.",
    ),
    log(
        35296,
        1,
        "Log backup for database \"Ledger\" on secondary replica failed because the new backup information could not be committed.",
    ),
    Row {
        met: Met::Unseen,
        ..row(
            3013,
            "the connection is lost in the middle of a log backup",
            Cause::Script(
                "EXEC sp_sim_fault @kind = 'cut', @statement = 'BACKUP LOG', @database = 'Ledger';",
            ),
        )
    },
    // What a person must change.
    log(
        924,
        1,
        "Database 'Ledger' is already open and can only have one user at a time.",
    ),
    Row {
        met: Met::As("SM0205"),
        mend: Some("ALTER DATABASE Ledger SET ONLINE;"),
        ..row(
            942,
            "the database is offline",
            Cause::Script("ALTER DATABASE Ledger SET OFFLINE WITH ROLLBACK IMMEDIATE;"),
        )
    },
    log(
        945,
        1,
        "Database 'Ledger' cannot be opened due to inaccessible files or insufficient memory or disk space.",
    ),
    log(946, 1, "Cannot open database 'Ledger' version 904."),
    log(3057, 1, "Invalid device name."),
    log(3058, 1, "File or device name exceeds the length limit."),
    log(
        3059,
        1,
        "This BACKUP or RESTORE command is not supported on a database mirror or secondary replica.",
    ),
    log(
        3201,
        1,
        "Cannot open backup device 'x'. Operating system error 5(Access is denied.).",
    ),
    full(
        3220,
        1,
        "Write to backup block blob device failed. Device has reached its limit.",
    ),
    full(
        3225,
        1,
        "Use of WITH CREDENTIAL syntax is not valid for credentials containing a Shared Access Signature.",
    ),
    full(3233, 1, "The identity of the credential is wrong."),
    full(3288, 1, "The credential does not exist."),
    full(
        3289,
        1,
        "A Backup device of type URL was specified without a Credential.",
    ),
    full(
        3634,
        1,
        "The operating system returned the error '5(Access is denied.)'.",
    ),
    // The medium.
    Row {
        ..row(
            3202,
            "the disk behind the share is full",
            Cause::Script(
                "EXEC sp_sim_fault @kind = 'disk full', @statement = 'BACKUP LOG', @database = 'Ledger';",
            ),
        )
    },
    log(3201, 1, "Cannot open backup device 'x'."),
    full(
        3063,
        1,
        "Write to backup block blob device failed: too many blocks.",
    ),
    full(
        3064,
        1,
        "Write to backup block blob device failed: out of order.",
    ),
    full(
        3065,
        1,
        "Write to backup block blob device failed: the list was not committed.",
    ),
    full(3236, 1, "The S3 device has reached its limit of parts."),
    full(3238, 1, "The backup is larger than the device takes."),
    full(3296, 1, "The file exists already and FORMAT was not said."),
    log(
        18204,
        1,
        "BackupDiskFile::CreateMedia: Backup device failed to create. Operating system error 112(full).",
    ),
    log(
        18210,
        1,
        "BackupMedium::ReportIoError: write failure on backup device.",
    ),
    // Damage.
    full(
        823,
        1,
        "The operating system returned an error to SQL Server during a read.",
    ),
    full(
        824,
        1,
        "SQL Server detected a logical consistency-based I/O error.",
    ),
    full(832, 1, "A page that should have been constant has changed."),
    full(
        3043,
        1,
        "BACKUP 'Ledger' detected an error on page (1:9) in file 'x'.",
    ),
    log(3049, 1, "BACKUP detected corruption in the database log."),
    full(3053, 1, "BACKUP detected a page that could not be read."),
    log(
        4202,
        1,
        "BACKUP LOG is not possible because bulk logged changes exist and filegroups are unavailable.",
    ),
    // Order.
    log(
        927,
        1,
        "Database 'Ledger' cannot be opened. It is in the middle of a restore.",
    ),
];
