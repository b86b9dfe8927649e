//! Misfortunes: every fault that the simulator knows, what other people do to hosts, and rot in the store.
//!
//! Start at [`deal`] for faults that strike while the agent works, [`others`] for what happens between runs, and
//! [`relieve`], which ends all of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlsim::error::SqlError;
use sqlsim::faults::{Act, Dice, Fault, FaultKind, KillPoint};

use super::bank::{Bank, Ledger, PATIENCE_MS};
use super::books::Books;
use super::hosts::Hosts;

/// The kinds that are dealt, the frequent ones more than once.
const KINDS: [FaultKind; 27] = [
    FaultKind::Fail,
    FaultKind::Fail,
    FaultKind::Fail,
    FaultKind::Fail,
    FaultKind::DiskFull,
    FaultKind::Damage,
    FaultKind::StallBackup,
    FaultKind::DtcOff,
    FaultKind::StallCommit,
    FaultKind::Cut,
    FaultKind::Cut,
    FaultKind::Cut,
    FaultKind::Refuse,
    FaultKind::Refuse,
    FaultKind::Delay,
    FaultKind::Drop,
    FaultKind::Kill(KillPoint::BeforeDecision),
    FaultKind::Kill(KillPoint::AfterDecision),
    FaultKind::Kill(KillPoint::AfterPrepare),
    FaultKind::SecondMarkEndsTransaction,
    FaultKind::LoseHistory,
    FaultKind::Act(Act::Kill),
    FaultKind::Act(Act::SkewClock),
    FaultKind::Act(Act::ForeignLogBackup),
    FaultKind::Act(Act::ForeignFull),
    FaultKind::Act(Act::SwitchRecoveryModel),
    FaultKind::Act(Act::BulkChange),
];

/// The statements that faults strike.
const STRUCK: [&str; 6] = [
    "BACKUP LOG",
    "BACKUP LOG",
    "BACKUP DATABASE",
    "COMMIT TRANSACTION",
    "SELECT",
    "EXECUTE",
];

/// What a backup may be refused with, with SQL Server's words where words matter.
const REFUSALS: [(i32, &str); 22] = [
    (
        3271,
        "A nonrecoverable I/O error occurred on file: 1117(I/O device error).",
    ),
    (
        1205,
        "Transaction was deadlocked and has been chosen as the victim.",
    ),
    (
        3023,
        "Backup, file manipulation and encryption changes must be serialized.",
    ),
    (
        3201,
        "Cannot open backup device. Operating system error 53(The network path was not found.).",
    ),
    (
        3202,
        "Write failed: 64(The specified network name is no longer available.)",
    ),
    (
        3201,
        "Cannot open backup device. Operating system error 5(Access is denied.).",
    ),
    (9002, "The transaction log is full due to 'LOG_BACKUP'."),
    (
        4214,
        "BACKUP LOG cannot be performed because there is no current database backup.",
    ),
    (
        1475,
        "The database might contain bulk logged changes that have not been backed up.",
    ),
    (
        3035,
        "Cannot perform a differential backup, because a current database backup does not exist.",
    ),
    (
        824,
        "SQL Server detected a logical consistency-based I/O error.",
    ),
    (1222, "Lock request time out period exceeded."),
    (
        945,
        "Database cannot be opened due to inaccessible files or insufficient memory or disk space.",
    ),
    (3043, "BACKUP detected an error on page (1:9) in file 'x'."),
    (3049, "BACKUP detected corruption in the database log."),
    (
        3292,
        "A failure occurred while attempting to execute Backup or Restore with a URL device specified.",
    ),
    (
        3062,
        "Cannot backup from a HADRON secondary because it is not in Synchronizing or Synchronized state.",
    ),
    (
        4208,
        "The statement BACKUP LOG is not allowed while the recovery model is SIMPLE.",
    ),
    (
        9019,
        "The virtual log file sequence is in use on the secondary.",
    ),
    (
        35294,
        "Log backup on a secondary replica failed because a synchronization point could not be established.",
    ),
    (
        35295,
        "Log backup on a secondary replica failed because the last backup LSN is greater than the local redo LSN.",
    ),
    (
        35296,
        "Log backup on secondary replica failed because the new backup information could not be committed.",
    ),
];

/// Arms so many faults on hosts chosen at random.
pub(crate) fn deal(
    hosts: &Hosts,
    (bank, elsewhere): (&Bank, &Path),
    books: &Books,
    dice: &mut Dice,
    count: u64,
) {
    for _ in 0..count {
        let ledger = &bank.ledgers[dice.place(bank.ledgers.len())];
        let mut fault = fault(ledger, elsewhere, dice);
        if fault.kind == FaultKind::Act(Act::SwitchRecoveryModel)
            && bank.is_grouped(&ledger.database)
        {
            // SQL Server refuses it there.
            fault.kind = FaultKind::Act(Act::Kill);
        }
        let Some(host) = hosts.host(ledger.host) else {
            continue;
        };
        books.count(|told| told.faults += 1);
        let name = hosts.name(ledger.host);
        books.note(format!("{name}: {}", words(&fault)));
        if fault.kind == FaultKind::Damage {
            books.marks.damage_is_dealt(name);
        }
        host.instance.faults.arm(fault);
    }
}

fn fault(ledger: &Ledger, elsewhere: &Path, dice: &mut Dice) -> Fault {
    let mut fault = Fault::once(KINDS[dice.place(KINDS.len())]);
    fault.skip = u32::try_from(dice.below(4)).unwrap_or_default();
    let statement = STRUCK[dice.place(STRUCK.len())];
    match fault.kind {
        FaultKind::Fail => {
            let (number, text) = REFUSALS[dice.place(REFUSALS.len())];
            fault.statement = Some(statement.to_owned());
            fault.error = Some(SqlError::new(number, 16, text));
            fault.times = u32::try_from(1 + dice.below(3)).unwrap_or(1);
        }
        FaultKind::Damage | FaultKind::StallBackup => fault.offset_bytes = dice.below(60_000),
        FaultKind::Cut | FaultKind::Drop if dice.below(2) == 0 => {
            fault.statement = Some(statement.to_owned());
        }
        FaultKind::Cut | FaultKind::Drop => {
            fault.skip = u32::try_from(dice.below(80)).unwrap_or_default();
        }
        FaultKind::Refuse => fault.times = u32::try_from(1 + dice.below(6)).unwrap_or(1),
        FaultKind::Delay => {
            fault.milliseconds = i64::try_from(dice.below(40_000)).unwrap_or_default();
            fault.statement = (dice.below(2) == 0).then(|| statement.to_owned());
        }
        FaultKind::Act(act) => {
            fault.statement = Some(statement.to_owned());
            fault.database = Some(ledger.database.clone());
            fault.text = text_of(act, elsewhere, dice);
            fault.milliseconds = i64::try_from(dice.below(7_200_000)).unwrap_or_default();
            fault.milliseconds -= 3_600_000;
        }
        _ => {}
    }
    fault
}

/// Where a foreign backup goes, or which recovery model somebody likes.
fn text_of(act: Act, elsewhere: &Path, dice: &mut Dice) -> Option<String> {
    let path = elsewhere.join(format!("foreign_{:016x}.bak", dice.roll()));
    match act {
        Act::ForeignLogBackup | Act::ForeignFull => Some(path.display().to_string()),
        Act::SwitchRecoveryModel if dice.below(2) == 0 => Some("BULK_LOGGED".to_owned()),
        Act::SwitchRecoveryModel => Some("SIMPLE".to_owned()),
        Act::Kill | Act::SkewClock | Act::BulkChange => None,
    }
}

fn words(fault: &Fault) -> String {
    let error = fault.error.as_ref().map(|error| error.number);
    let places = [&fault.statement, &fault.database, &fault.text].map(|it| it.as_deref());
    let places: Vec<&str> = places.into_iter().flatten().collect();
    let Fault {
        kind,
        skip,
        times,
        offset_bytes,
        milliseconds,
        ..
    } = fault;
    format!(
        "{kind:?} {places:?} error {error:?}, after {skip}, {times} times, at {offset_bytes}, \
         {milliseconds} ms"
    )
}

/// The ways of [`others`] that are open to a database in an availability group.
const IN_A_GROUP: [u64; 6] = [0, 1, 2, 4, 7, 8];

/// What other people do to a member between two runs.
pub(crate) async fn others(
    hosts: &Hosts,
    bank: &Bank,
    books: &Books,
    elsewhere: &Path,
    dice: &mut Dice,
) {
    let Ledger { host, database } = &bank.ledgers[dice.place(bank.ledgers.len())];
    let file = elsewhere.join(format!("others_{:016x}.bak", dice.roll()));
    let to = format!("TO DISK = N'{}' WITH FORMAT, CHECKSUM", file.display());
    let over = format!("FROM DISK = N'{}' WITH REPLACE", file.display());
    // To restore over a member that takes part in an open transaction would lose money by itself.
    let ways = if is_quiet(hosts) { 13 } else { 10 };
    let way = if bank.is_grouped(database) {
        IN_A_GROUP[dice.place(IN_A_GROUP.len())]
    } else {
        dice.below(ways)
    };
    let sql = match way {
        0 => format!("BACKUP LOG {database} {to}"),
        1 => format!("BACKUP DATABASE {database} {to}"),
        2 => format!("BACKUP DATABASE {database} {to}; BACKUP LOG {database} {to}, NAME = N'x'"),
        3 => format!(
            "ALTER DATABASE {database} SET RECOVERY SIMPLE; ALTER DATABASE {database} SET RECOVERY FULL"
        ),
        4 => {
            format!("EXEC msdb.dbo.sp_delete_database_backuphistory @database_name = N'{database}'")
        }
        5 => format!("EXEC sp_sim_fault @kind = 'bulk change', @database = '{database}'"),
        6 => format!("ALTER DATABASE {database} SET RECOVERY BULK_LOGGED"),
        7 => format!("BACKUP LOG {database} {to}, COPY_ONLY"),
        8 => format!("BACKUP DATABASE {database} {to}, DIFFERENTIAL"),
        9 => refused_by_1475(hosts.name(*host), database),
        // Nobody brings it back before all faults end.
        10 => format!("ALTER DATABASE {database} SET OFFLINE WITH ROLLBACK IMMEDIATE"),
        11 => format!("ALTER DATABASE {database} SET READ_ONLY WITH ROLLBACK IMMEDIATE"),
        // Only while no money moves: the copy must be what is copied over.
        _ => format!(
            "BACKUP DATABASE {database} {to}, COPY_ONLY; RESTORE DATABASE {database} {over}"
        ),
    };
    // A fault that is still armed may stall them, and nobody would clear it before they are done.
    let answer = tokio::select! {
        answer = hosts.ask(*host, &sql) => answer,
        () = hosts.clock.wait_ms(PATIENCE_MS) => None,
    };
    let numbers = answer.map(|answer| answer.numbers());
    let is_refused = numbers.as_ref().is_some_and(|it| it.contains(&1475));
    books.count(|told| told.refused += u64::from(is_refused));
    books.note(format!("somebody: {sql}: {numbers:?}"));
}

/// The event sessions that the template's agent has made are dropped again.
pub(crate) async fn deafen(hosts: &Hosts) {
    let drop = "IF EXISTS (SELECT 1 FROM sys.server_event_sessions WHERE name = N'stopmark_seeds') \
                DROP EVENT SESSION stopmark_seeds ON SERVER";
    for at in 0..hosts.count() {
        hosts.told(at, drop).await;
    }
}

/// Somebody changes much at once, wants the database in an availability group, and meets 1475: only an event session
/// hears of it.
fn refused_by_1475(host: &str, database: &str) -> String {
    format!(
        "EXEC sp_sim_bulk_change N'{database}'; \
         CREATE AVAILABILITY GROUP wanted WITH (CLUSTER_TYPE = NONE) FOR REPLICA ON N'{host}' \
         WITH (ENDPOINT_URL = N'TCP://{host}:5022', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, \
         FAILOVER_MODE = MANUAL); ALTER AVAILABILITY GROUP wanted ADD DATABASE {database}; \
         DROP AVAILABILITY GROUP wanted"
    )
}

/// Every host's history of backups is purged, or put back from before: what a dead agent took stands in no history.
pub(crate) async fn forget_backups(hosts: &Hosts, bank: &Bank, books: &Books) {
    books.count(|told| told.purges += 1);
    books.note("somebody purges the history of backups on every host");
    for Ledger { host, database } in &bank.ledgers {
        let sql = format!(
            "EXEC msdb.dbo.sp_delete_database_backuphistory @database_name = N'{database}'"
        );
        // As in `others`. A host that is down keeps its history.
        tokio::select! {
            _ = hosts.ask(*host, &sql) => {}
            () = hosts.clock.wait_ms(PATIENCE_MS) => {}
        }
    }
}

/// Nothing is armed, no commit is under way and nobody is in doubt: what is copied now is a moment of the whole bank.
pub(crate) fn is_quiet(hosts: &Hosts) -> bool {
    (0..hosts.count()).all(|at| {
        hosts
            .host(at)
            .is_some_and(|host| host.instance.faults.is_idle() && host.instance.dtc.is_idle())
    })
}

/// Changes a byte of an object in the store of this number, or removes it; whether there was one.
pub(crate) fn rot((stores, number): (&[PathBuf], u64), books: &Books, dice: &mut Dice) -> bool {
    let place = usize::try_from(number - 1).expect("few");
    let mut pieces: Vec<PathBuf> = files_below(&stores[place]);
    pieces.retain(|path| path.extension().is_some_and(|end| end == "bak"));
    pieces.sort();
    if pieces.is_empty() {
        return false;
    }
    let piece = &pieces[dice.place(pieces.len())];
    let key = key_below(&stores[place], piece);
    let mut copies = copies_of(&key, stores);
    copies.retain(|copy| *copy != (number, key.clone()));
    books.marks.rots(number, &key, &copies);
    let mut bytes = std::fs::read(piece).expect("it was listed");
    if dice.below(4) == 0 || bytes.is_empty() {
        std::fs::remove_file(piece).expect("it was listed");
        books.note(format!("{} vanishes from the store", piece.display()));
        return true;
    }
    let at = dice.place(bytes.len());
    bytes[at] ^= 1 << dice.below(8);
    std::fs::write(piece, bytes).expect("it may be written");
    books.note(format!(
        "byte {at} of {} rots in the store",
        piece.display()
    ));
    true
}

/// Every object in any store that is a copy of this one, or itself: one that was made anew has a key of its own.
fn copies_of(key: &str, stores: &[PathBuf]) -> Vec<(u64, String)> {
    let again = format!("{key}.copy");
    let stores = (1..).zip(stores);
    let objects = stores.flat_map(|(number, store)| {
        let files = files_below(store).into_iter();
        files.map(move |file| (number, key_below(store, &file)))
    });
    let copies = objects.filter(|(_, it)| it == key || it.starts_with(&again));
    // Beside each object lie its digests, which are no copy.
    copies.filter(|(_, it)| !it.ends_with(".chunks")).collect()
}

fn key_below(store: &Path, file: &Path) -> String {
    let below = file.strip_prefix(store).expect("it lies there");
    below.to_string_lossy().replace('\\', "/")
}

/// Disarms every fault; what was stalled goes on.
pub(crate) fn clear(hosts: &Hosts) {
    for host in (0..hosts.count()).filter_map(|at| hosts.host(at)) {
        host.instance.faults.clear();
    }
}

/// Ends every fault: what was stalled goes on, members are open, writable and in FULL again, as a person would see to it.
pub(crate) async fn relieve(hosts: &Arc<Hosts>, bank: &Bank) {
    for at in 0..hosts.count() {
        while hosts.host(at).is_none() {
            hosts.clock.wait_ms(500).await;
        }
    }
    clear(hosts);
    let alone = bank
        .ledgers
        .iter()
        .filter(|it| !bank.is_grouped(&it.database));
    for Ledger { host, database } in alone {
        let again = [
            "ONLINE",
            "READ_WRITE WITH ROLLBACK IMMEDIATE",
            "RECOVERY FULL",
        ];
        for state in again {
            hosts
                .told(*host, &format!("ALTER DATABASE {database} SET {state}"))
                .await;
        }
    }
}

/// Every file below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let below = entries.map(|entry| entry.path()).flat_map(|path| {
        if path.is_dir() {
            files_below(&path)
        } else {
            vec![path]
        }
    });
    below.collect()
}
