//! What is said when a backup cannot be taken, or cannot be found again.
//!
//! Start at [`backup_error`] and [`refused`]. Whether SQL Server's number is among the causes decides what becomes of the
//! file: one that was refused may be removed as half of a backup (`run::verdict`), any other may be a whole one.

use super::fault::{Fault, missing_right};
use crate::chain::errors::{hint_of, os_error};
use crate::error::{Code, Error, Retry, SqlCause};
use crate::plan::BackUp;

/// `ERROR_DISK_FULL`.
const DISK_FULL: i32 = 112;

/// What was taken is not known yet, so the run stays unfinished and the next start asks again.
pub(super) fn still_running(step: &BackUp) -> Error {
    let message = "a backup of the member is still running, perhaps the one of an interrupted run";
    Error::new(Code::BackupRunning, message)
        .at("host", step.host())
        .hint("wait for it to end (`sys.dm_exec_requests` shows it), then run the command again")
        .retry(Retry::Safe)
}

/// 4219 has severity 10: only the missing row tells.
pub(super) fn no_row(step: &BackUp) -> Error {
    Error::new(
        Code::BackupNoRow,
        "the backup ended without error and without a row in msdb",
    )
    .at("host", step.host())
    .at("member", &step.member)
    .hint("most often the log chain is broken (message 4219, which no client sees): a new full mends it")
}

/// Without SQL Server's number among the causes, so that nobody takes the file for half of one and removes it.
pub(super) fn history_not_written(fault: Fault, step: &BackUp) -> Error {
    let first = step.stripes.first();
    let file = first.map_or("its file", |stripe| stripe.sql_path.as_str());
    let said = match fault {
        Fault::Refused(cause) => cause.text,
        _ => String::new(),
    };
    Error::new(
        Code::BackupNoRow,
        "the backup was taken, but msdb could not write its row (3009)",
    )
    .at("host", step.host())
    .at("member", &step.member)
    .at("file", file)
    .at("SQL Server says", said)
    .hint("make room in msdb; the file could not be read instead, and stays where it is: a new full begins the chain anew")
}

/// The BACKUP has ended well and its row could not be read, whatever SQL Server said to that (6005, 701, 1205): that is no
/// refusal of the backup, whose file would be taken for half of one then. It is looked up as after a lost answer.
pub(super) fn unread(error: Error, step: &BackUp) -> Error {
    let Some(cause) = error.sql() else {
        return error;
    };
    let said = format!("{} ({})", cause.text, cause.number);
    Error::new(
        Code::ConnectionLost,
        "the backup ended without error, but its row in msdb could not be read",
    )
    .at("host", step.host())
    .at("SQL Server says", said)
    .retry(Retry::AfterCheck)
    .hint("it is looked for again; its file stays on the share until then")
}

/// What SQL Server or the connection said to the BACKUP, in our words.
pub(super) fn backup_error(fault: Fault, step: &BackUp) -> Error {
    let host = step.host();
    let error = match fault {
        Fault::Refused(cause) if missing_right(&cause).is_none() => refused(cause).at("host", host),
        other => other.at(host),
    };
    error.at("member", &step.member)
}

/// What its numbers mean, and what a person does about it: by the table of `chain::errors`, where nothing better is known.
pub(super) fn refused(cause: SqlCause) -> Error {
    let os = matches!(cause.number, 3201 | 3202 | 3203 | 3271 | 18204 | 18210)
        .then(|| os_error(&cause.text))
        .flatten();
    let (code, hint, retry) = match (cause.number, os) {
        (_, Some(DISK_FULL)) | (3257, _) => (
            Code::DiskFull,
            "make room on the share, or let delivered files be cleared",
            Retry::Safe,
        ),
        (3201 | 18204, Some(2 | 3)) => (
            Code::ShareUnwritable,
            "the host does not see this folder: `share.sql` must name it as the host does",
            Retry::Never,
        ),
        (3201 | 18204, Some(5)) => (
            Code::ShareUnwritable,
            "give SQL Server's service account write rights on the share and on the files in it",
            Retry::Never,
        ),
        (3201 | 18204, _) => (
            Code::ShareUnwritable,
            "see that the host reaches the share; the number in brackets is the operating system's",
            Retry::Safe,
        ),
        (3101 | 3102, _) => (
            Code::BackupFailed,
            "somebody came back into the database before its tail was taken: stop the applications",
            Retry::Safe,
        ),
        (3023, _) => (
            Code::BackupFailed,
            "another full or differential of this database is running: wait for it",
            Retry::Safe,
        ),
        (1475 | 4214 | 3035, _) => (
            Code::BackupFailed,
            "the chain is broken: a full without COPY_ONLY begins a new one",
            Retry::Never,
        ),
        (4208, _) => (
            Code::RecoverySimple,
            "set the recovery model to FULL, then take a full",
            Retry::Never,
        ),
        (3202 | 3203 | 3271, _) => (Code::BackupFailed, hint_of(cause.number), Retry::Safe),
        (911, _) => (
            Code::MemberMissing,
            "the database is gone, or the login may not see it",
            Retry::Never,
        ),
        _ => (Code::BackupFailed, hint_of(cause.number), Retry::Never),
    };
    Error::new(code, code.meaning())
        .caused_by_sql(cause)
        .hint(hint)
        .retry(retry)
}

#[cfg(test)]
mod tests {
    use super::super::backup::step;
    use super::super::every::Sample;
    use super::*;
    use crate::chain::errors::classify;
    use crate::model::PieceKind;

    fn error(number: i32, text: &str) -> Error {
        let text = text.to_owned();
        let fault = Fault::Refused(SqlCause {
            number,
            class: 16,
            text,
        });
        backup_error(fault, &step(&Sample::gentle(), PieceKind::Log, 1, None))
    }

    #[test]
    fn numbers_have_their_codes() {
        let denied = "Cannot open backup device 'x'. Operating system error 5(Access is denied.).";
        let gone = "Cannot open backup device 'x'. Operating system error 53(The network path was not found.).";
        let full = "Write on \"x\" failed: 112(There is not enough space on the disk.)";
        for (number, text, code, retry) in [
            (3201, denied, Code::ShareUnwritable, Retry::Never),
            (3201, gone, Code::ShareUnwritable, Retry::Safe),
            (3202, full, Code::DiskFull, Retry::Safe),
            (
                3202,
                "Write on \"x\" failed: 1117(I/O)",
                Code::BackupFailed,
                Retry::Safe,
            ),
            (3023, "serialized", Code::BackupFailed, Retry::Safe),
            (1475, "bulk", Code::BackupFailed, Retry::Never),
            (4214, "no full", Code::BackupFailed, Retry::Never),
            (4208, "simple", Code::RecoverySimple, Retry::Never),
            (
                262,
                "BACKUP LOG permission denied in database 'x'.",
                Code::RightMissing,
                Retry::Never,
            ),
        ] {
            let error = error(number, text);
            assert_eq!(
                (error.code(), error.retry_verdict()),
                (code, retry),
                "{number} {text}"
            );
            assert_eq!(error.sql().map(|cause| cause.number), Some(number));
            assert!(error.context().iter().any(|(what, _)| *what == "member"));
        }
    }

    #[test]
    fn what_has_no_words_of_its_own_here_has_those_of_the_table() {
        let hint = |number| error(number, "x").hint_text().map(str::to_owned);
        for number in [924, 3039, 3043, 3053, 3057, 3202, 3271, 9002, 18210] {
            let known = classify(number, None).expect("in the table");
            assert_eq!(hint(number).as_deref(), Some(known.person), "{number}");
        }
        // One that passes by itself, a trailer, and one that is in no table.
        for number in [1205, 3013, 8134] {
            let log = "SQL Server's error log has more";
            assert_eq!(hint(number).as_deref(), Some(log), "{number}");
        }
        let own = hint(3023).unwrap_or_default();
        assert!(own.starts_with("another full"), "{own}");
    }

    #[test]
    fn a_row_that_cannot_be_read_is_no_refusal_of_the_backup() {
        let error = {
            let step = step(&Sample::gentle(), PieceKind::Log, 1, None);
            unread(error(6005, "SHUTDOWN is in progress."), &step)
        };
        assert_eq!(error.code(), Code::ConnectionLost);
        assert_eq!(error.retry_verdict(), Retry::AfterCheck);
        assert!(error.sql().is_none(), "its file would be cleared");
        let said = "SHUTDOWN is in progress. (6005)";
        assert!(error.context().iter().any(|(_, value)| value == said));
    }

    #[test]
    fn a_killed_backup_says_look_first() {
        let fault = Fault::Silent(std::time::Duration::from_secs(600));
        let error = backup_error(fault, &step(&Sample::gentle(), PieceKind::Full, 1, None));
        assert_eq!(error.code(), Code::ConnectionLost);
        assert_eq!(error.retry_verdict(), Retry::AfterCheck);
    }
}
