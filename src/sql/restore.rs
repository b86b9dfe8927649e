//! Restores pieces, never further than the mark.
//!
//! Start at [`restore_database`] and [`restore_log`]; a piece that is restored already is left as it is. A log that lacks the mark leaves the database
//! RESTORING and says so in a message of severity 10 that no client gets (4329); so success here proves
//! nothing, and the step after it asks for state and newest mark. Nothing here ever recovers a database
//! without a mark to stop at.

use super::every::Sample;
use super::fault::{Fault, missing_right};
use super::quote::{disks, identifier, literal};
use super::restored::{Leaves, Wanted, is_done};
use super::settings::let_in;
use super::statement::Batch;
use super::{SqlFleet, watch};
use crate::chain::errors::{hint_of, os_error};
use crate::error::{Code, Error, Result, Retry, SqlCause};
use crate::model::{DatabaseName, HostName};
use crate::plan::{FileMove, Keeps, RestoreDatabase, RestoreLog, RestorePiece, StopAt};
use crate::world::StepProgress;

/// `ERROR_DISK_FULL`.
const DISK_FULL: i32 = 112;

/// Restores a full or a differential, `NORECOVERY`.
pub(super) async fn restore_database(
    fleet: &SqlFleet,
    host: &HostName,
    step: &RestoreDatabase,
    progress: &dyn StepProgress,
) -> Result<()> {
    let wanted = Wanted {
        member: &step.member,
        target: &step.target,
        piece: step.source.piece,
        moves: &step.moves,
        leaves: Leaves::Restoring,
    };
    let restored = restore(fleet, host, &wanted, &database_sql(step), progress).await;
    if restored.is_err() && step.replace {
        // Its users were sent away for nothing, as far as anybody can tell.
        let_in(fleet, host, &step.target).await;
    }
    restored
}

/// Restores a log up to the step's mark.
pub(super) async fn restore_log(
    fleet: &SqlFleet,
    host: &HostName,
    step: &RestoreLog,
    progress: &dyn StepProgress,
) -> Result<()> {
    let leaves = match (&step.stop, step.recover, &step.standby) {
        (StopAt::Mark { mark, .. }, true, _) => Leaves::OpenAt(mark),
        (StopAt::Mark { mark, .. }, false, Some(_)) => Leaves::StandingByAt(mark),
        (StopAt::Mark { .. } | StopAt::End, false, None) => Leaves::Restoring,
        (StopAt::End, _, _) => return Err(opens_past_the_mark(step)),
    };
    let wanted = Wanted {
        member: &step.member,
        target: &step.target,
        piece: step.source.piece,
        moves: &step.moves,
        leaves,
    };
    restore(fleet, host, &wanted, &log_sql(step), progress).await
}

/// No plan asks for it, and nobody else may.
fn opens_past_the_mark(step: &RestoreLog) -> Error {
    Error::new(
        Code::Bug,
        "a database would be opened without a mark to stop at",
    )
    .at("member", &step.member)
    .hint("nothing was touched; please report this")
}

/// Restores one piece, unless the target stands where that leaves it.
async fn restore(
    fleet: &SqlFleet,
    host: &HostName,
    wanted: &Wanted<'_>,
    batch: &Batch,
    progress: &dyn StepProgress,
) -> Result<()> {
    let at_member = |error: Error| {
        error
            .at("member", wanted.member)
            .at("database", wanted.target)
    };
    let session = fleet.open(host).await.map_err(at_member)?;
    let (session, is_done) = is_done(session, wanted).await.map_err(at_member)?;
    if is_done {
        progress.percent(100);
        return Ok(());
    }
    let restoring = watch::run_watched(fleet, session, batch, progress).await;
    let Err(fault) = restoring else { return Ok(()) };
    // The statement of an agent that died goes on for a while, and may have ended after the look above.
    if fault.number().is_some() && is_done_now(fleet, host, wanted).await {
        progress.percent(100);
        return Ok(());
    }
    Err(at_member(restore_error(fault, host)))
}

async fn is_done_now(fleet: &SqlFleet, host: &HostName, wanted: &Wanted<'_>) -> bool {
    let Ok(session) = fleet.open(host).await else {
        return false;
    };
    is_done(session, wanted)
        .await
        .is_ok_and(|(_, is_done)| is_done)
}

/// `RESTORE DATABASE`; a differential takes the same words, and the moves of files that it adds. Whoever uses a
/// database that is to be overwritten is sent away first (3101 else).
#[must_use]
pub fn database_sql(step: &RestoreDatabase) -> Batch {
    let target = identifier(step.target.as_str());
    let before = if step.replace {
        empty_sql(&step.target)
    } else {
        String::new()
    };
    let mut text = format!(
        "{before}RESTORE DATABASE {target}\nFROM {}\nWITH {}NORECOVERY, {}STATS = 5{}",
        devices(&step.source),
        place(&step.source),
        checksum(&step.source),
        moves_sql(&step.moves),
    );
    if step.replace {
        text.push_str(",\n    REPLACE");
    }
    text.push(';');
    Batch::plain(text)
}

/// `RESTORE LOG`; the stop may stand in every log of a sequence. Only the last one recovers or stands by, and only
/// with a mark to stop at.
#[must_use]
pub fn log_sql(step: &RestoreLog) -> Batch {
    let (clause, has_mark) = match &step.stop {
        StopAt::Mark { mark, .. } => (format!("STOPATMARK = {}, ", literal(mark.as_str())), true),
        StopAt::End => (String::new(), false),
    };
    let leaves = match (has_mark && step.recover, &step.standby) {
        (true, _) => format!("RECOVERY{}", keeps_sql(step.keeps)),
        (false, Some(undo)) if has_mark => format!("STANDBY = {}", literal(undo)),
        (false, _) => "NORECOVERY".to_owned(),
    };
    Batch::plain(format!(
        "RESTORE LOG {}\nFROM {}\nWITH {}{clause}{leaves}, {}STATS = 5{};",
        identifier(step.target.as_str()),
        devices(&step.source),
        place(&step.source),
        checksum(&step.source),
        moves_sql(&step.moves),
    ))
}

/// What only the statement that opens a database may say.
pub(super) fn keeps_sql(keeps: Keeps) -> String {
    let words = [
        (keeps.cdc, ", KEEP_CDC"),
        (keeps.replication, ", KEEP_REPLICATION"),
    ];
    let kept = words.into_iter().filter(|(is_kept, _)| *is_kept);
    kept.map(|(_, word)| word).collect()
}

/// Which backup of its medium is meant, where that is not the first one.
pub(super) fn place(source: &RestorePiece) -> String {
    match source.position {
        1 => String::new(),
        position => format!("FILE = {position}, "),
    }
}

/// Checksums are compared where there are any; to ask for them where there are none is 3187.
pub(super) fn checksum(source: &RestorePiece) -> &'static str {
    if source.lacks_checksums {
        ""
    } else {
        "CHECKSUM, "
    }
}

fn moves_sql(moves: &[FileMove]) -> String {
    let moves = moves.iter().map(|file| {
        let (logical, physical) = (literal(&file.logical_name), literal(&file.physical_name));
        format!(",\n    MOVE {logical} TO {physical}")
    });
    moves.collect()
}

/// Sends everybody out of a database that is in use, as long as it is there.
pub(super) fn empty_sql(database: &DatabaseName) -> String {
    let (name, quoted) = (literal(database.as_str()), identifier(database.as_str()));
    format!(
        "IF DATABASEPROPERTYEX({name}, N'Status') = N'ONLINE'\n    \
         AND DATABASEPROPERTYEX({name}, N'IsInStandBy') = 0\n    \
         ALTER DATABASE {quoted} SET SINGLE_USER WITH ROLLBACK IMMEDIATE;\n"
    )
}

fn devices(source: &RestorePiece) -> String {
    disks(source.stripes.iter().map(|stripe| stripe.sql_path.as_str()))
}

pub(super) fn restore_error(fault: Fault, host: &HostName) -> Error {
    match fault {
        Fault::Refused(cause) if missing_right(&cause).is_none() => refused(cause).at("host", host),
        other => other.at(host),
    }
}

/// What its numbers mean, and what a person does about it: by the table of `chain::errors`, where nothing better is known.
fn refused(cause: SqlCause) -> Error {
    let os = os_error(&cause.text);
    let (code, hint, retry) = match (cause.number, os) {
        (3257, _) | (3202 | 3203 | 3634 | 5149, Some(DISK_FULL)) => (
            Code::DiskFull,
            "make room where the database's files go",
            Retry::Safe,
        ),
        (1834 | 3142 | 3154 | 3159 | 5170, _) => (
            Code::TargetExists,
            "restore under another name, or ask for the database to be replaced",
            Retry::Never,
        ),
        (3156 | 5133, _) => (
            Code::RestoreFailed,
            "name a folder that the target host has, and may write to, with `--files-in`",
            Retry::Never,
        ),
        (3101 | 3102, _) => (
            Code::RestoreFailed,
            "somebody is connected to the database: end those sessions",
            Retry::Safe,
        ),
        (3104, _) => (
            Code::RestoreFailed,
            "the database is in an availability group: take it out first",
            Retry::Never,
        ),
        (3180, _) => (
            Code::RestoreFailed,
            "the database must be upgraded and cannot stand by: say `--no-standby`",
            Retry::Never,
        ),
        (3201, _) => (
            Code::RestoreFailed,
            "give SQL Server's service account read rights on the share and on the files in it",
            Retry::Never,
        ),
        (4305 | 4312 | 4326 | 4330, _) => (
            Code::RestoreFailed,
            "the pieces do not follow one another: `stopmark show` has the chain",
            Retry::Never,
        ),
        (4327 | 4341, _) => (
            Code::RestoreFailed,
            "the log holds bulk-logged changes: no mark in it can be stopped at",
            Retry::Never,
        ),
        _ => (Code::RestoreFailed, hint_of(cause.number), Retry::Never),
    };
    Error::new(code, code.meaning())
        .caused_by_sql(cause)
        .hint(hint)
        .retry(retry)
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let full = database_step(sample, true);
    let differential = database_step(sample, false);
    let middle = log_step(sample, false);
    let last = log_step(sample, true);
    let shut = RestoreLog {
        standby: Some(format!("{}\\{}_undo.tuf", sample.folder, sample.file)),
        moves: full.moves.clone(),
        ..log_step(sample, false)
    };
    let bulk_logged = RestoreLog {
        stop: StopAt::End,
        ..log_step(sample, false)
    };
    let behind_others = RestorePiece {
        position: 3,
        ..source(sample)
    };
    let appended = RestoreDatabase {
        source: behind_others.clone(),
        ..database_step(sample, false)
    };
    let appended_log = RestoreLog {
        source: behind_others,
        ..log_step(sample, false)
    };
    vec![
        ("restore.full_replacing", database_sql(&full)),
        ("restore.differential", database_sql(&differential)),
        ("restore.log", log_sql(&middle)),
        ("restore.last_log", log_sql(&last)),
        ("restore.last_log_standing_by", log_sql(&shut)),
        ("restore.bulk_logged_log", log_sql(&bulk_logged)),
        ("restore.third_of_its_medium", database_sql(&appended)),
        ("restore.log_third_of_its_medium", log_sql(&appended_log)),
    ]
}

fn source(sample: &Sample) -> RestorePiece {
    let stripe = |at: u16| crate::plan::StagedStripe {
        sql_path: format!("{}\\{at}.bak", sample.folder),
        agent_path: std::path::PathBuf::new(),
        key: String::new(),
    };
    RestorePiece {
        piece: crate::model::PieceId(uuid::Uuid::nil()),
        stripes: (1..3).map(stripe).collect(),
        lacks_checksums: false,
        position: 1,
    }
}

fn member(sample: &Sample) -> crate::model::MemberName {
    crate::model::MemberName::new(
        sample.host.parse().expect("samples are valid names"),
        sample.database_name(),
    )
}

pub(super) fn database_step(sample: &Sample, is_full: bool) -> RestoreDatabase {
    let file = crate::plan::FileMove {
        logical_name: sample.file.clone(),
        physical_name: format!("{}\\{}.mdf", sample.folder, sample.file),
    };
    RestoreDatabase {
        member: member(sample),
        target: sample
            .other_database
            .parse()
            .expect("samples are valid names"),
        source: source(sample),
        piece_kind: if is_full {
            crate::model::PieceKind::Full
        } else {
            crate::model::PieceKind::Differential
        },
        moves: if is_full { vec![file] } else { Vec::new() },
        replace: is_full,
        retry: None,
    }
}

pub(super) fn log_step(sample: &Sample, recover: bool) -> RestoreLog {
    RestoreLog {
        member: member(sample),
        target: sample
            .other_database
            .parse()
            .expect("samples are valid names"),
        source: source(sample),
        stop: StopAt::Mark {
            mark: "BTS_2026_11_21_02_00_00_007".parse().expect("a valid mark"),
            lsn: crate::model::Lsn::ZERO,
        },
        recover,
        standby: None,
        keeps: Keeps::default(),
        moves: Vec::new(),
        retry: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::errors::classify;

    fn error(number: i32, text: &str) -> Error {
        let text = text.to_owned();
        let fault = Fault::Refused(SqlCause {
            number,
            class: 16,
            text,
        });
        restore_error(fault, &"PAY3".parse().expect("valid"))
    }

    #[test]
    fn nothing_recovers_without_a_mark_to_stop_at() {
        for (name, batch) in statements(&Sample::hostile()) {
            let recovers = batch.text.contains(" RECOVERY");
            assert!(!recovers || batch.text.contains("STOPATMARK"), "{name}");
            assert_eq!(recovers, name == "restore.last_log", "{name}");
        }
    }

    #[test]
    fn numbers_have_their_codes() {
        for (number, text, code) in [
            (3159, "tail", Code::TargetExists),
            (3154, "other", Code::TargetExists),
            (3257, "space", Code::DiskFull),
            (
                3201,
                "Operating system error 5(Access is denied.).",
                Code::RestoreFailed,
            ),
            (3104, "group", Code::RestoreFailed),
            (4330, "fork", Code::RestoreFailed),
            (
                262,
                "CREATE DATABASE permission denied in database 'master'.",
                Code::RightMissing,
            ),
        ] {
            assert_eq!(error(number, text).code(), code, "{number}");
        }
    }

    #[test]
    fn what_has_no_words_of_its_own_here_has_those_of_the_table() {
        for number in [3117, 3136, 3183, 3203, 3241, 4303] {
            let known = classify(number, None).expect("in the table");
            let error = error(number, "x");
            assert_eq!(error.hint_text(), Some(known.person), "{number}");
        }
        let own = error(3104, "x");
        assert!(
            own.hint_text()
                .is_some_and(|it| it.contains("availability group"))
        );
    }

    #[test]
    fn a_killed_restore_says_look_first() {
        let fault = Fault::Silent(std::time::Duration::from_secs(600));
        let error = restore_error(fault, &"PAY3".parse().expect("valid"));
        assert_eq!(error.retry_verdict(), Retry::AfterCheck);
    }
}
