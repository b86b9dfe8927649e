//! Places the mark: one batch, one transaction, every member of the group.
//!
//! Start at [`place_mark`] and [`mark_sql`]. On the management host the batch's own `BEGIN TRANSACTION ..
//! WITH MARK` covers every local member; each other host needs one of its own inside the distributed
//! transaction, begun by its first member's procedure. A second `WITH MARK` on one host raises 3920, so the
//! planner groups members by *true* host name first.
//!
//! This file never reads whether the mark arrived: `history` does, and only that counts.

use std::fmt::Write as _;
use std::time::Duration;

use super::every::Sample;
use super::fault::{Fault, missing_right};
use super::quote::{identifier, literal};
use super::session::{Answer, within};
use super::statement::Batch;
use super::watch;
use super::{SqlFleet, applock, prepare, rows};
use crate::chain::link_errors;
use crate::config::MarkLogKind;
use crate::error::{Code, Error, Result, Retry, SqlCause};
use crate::model::{DatabaseName, HostName, Timestamp};
use crate::plan::{BlockTracking, MarkLeg, PlaceMark};

/// Places the mark and returns after COMMIT; see [`crate::world::Fleet::place_mark`].
pub(super) async fn place_mark(fleet: &SqlFleet, step: &PlaceMark) -> Result<()> {
    under_lock(fleet, step, &mark_sql(step)).await.map(drop)
}

/// Sends a batch that begins a marked transaction and ends it, under the step's lock; its answer.
pub(super) async fn under_lock(
    fleet: &SqlFleet,
    step: &PlaceMark,
    batch: &Batch,
) -> Result<Answer> {
    let Some((database, resource)) = &step.app_lock else {
        return run(fleet, step, batch).await;
    };
    let wanted = applock::Wanted {
        host: &step.management_host,
        database,
        resource,
        timeout_ms: step.timeout_ms,
    };
    let lock = applock::take(fleet, wanted).await?;
    let placed = run(fleet, step, batch).await;
    applock::release(lock, resource).await;
    placed
}

async fn run(fleet: &SqlFleet, step: &PlaceMark, batch: &Batch) -> Result<Answer> {
    let host = &step.management_host;
    let mut session = fleet.open(host).await?;
    if let Some(first) = step.local.first() {
        // A batch of its own: a `USE` that fails does not end its batch, and the mark would begin in master.
        session = session.ask(&prepare::use_sql(first)).await?.0;
    }
    let session_id = session.id();
    let limit = Duration::from_millis(step.timeout_ms);
    let marking = session.ask_without_limit(batch);
    let Some(ended) = within(fleet.clock.as_ref(), limit, marking).await else {
        watch::kill(fleet, host, session_id).await;
        return Err(mark_error(Fault::Silent(limit), step));
    };
    let (_, answer) = ended.map_err(|fault| mark_error(fault, step))?;
    let open = rows::only(&answer)
        .and_then(|row| row.int("open_transactions"))
        .map_err(|fault| mark_error(fault, step))?;
    if open == 0 {
        Ok(answer)
    } else {
        let text = format!("{open} transactions are open after COMMIT");
        Err(mark_error(Fault::Shape(text), step))
    }
}

/// The marking batch, sent in the context of the first local member. `BEGIN TRANSACTION` takes the mark's name and its description from one variable.
pub(super) fn mark_sql(step: &PlaceMark) -> Batch {
    let mut text = if let Some(database) = &step.by_procedure {
        by_procedure_sql(step, database)
    } else {
        let mut text = joining_sql(step);
        line(&mut text, "COMMIT TRANSACTION;");
        text
    };
    text.push_str("SELECT CAST(@@TRANCOUNT AS int) AS open_transactions;");
    Batch::plain(text)
}

fn begin_text(step: &PlaceMark) -> String {
    let mut text = String::new();
    line(&mut text, "SET XACT_ABORT ON;");
    let mark = literal(step.mark.as_str());
    line(&mut text, &format!("DECLARE @mark nvarchar(32) = {mark};"));
    line(&mut text, "DECLARE @status int;");
    text
}

/// BizTalk's own procedure begins the transaction, goes through the members, and commits. Where it fails, it leaves
/// the transaction open (its own job ends there), so that it must not be left to the session's end.
fn by_procedure_sql(step: &PlaceMark, database: &DatabaseName) -> String {
    let mut text = begin_text(step);
    let database = identifier(database.as_str());
    line(
        &mut text,
        &format!("EXEC @status = {database}.[dbo].[sp_MarkBTSLogs] @MarkName = @mark;"),
    );
    refuse(
        &mut text,
        "stopmark: `sp_MarkBTSLogs` did not place the mark",
    );
    text
}

/// The transaction until every member has joined it, and before it ends.
pub(super) fn joining_sql(step: &PlaceMark) -> String {
    let mut text = begin_text(step);
    // Without a local member nothing here can carry a mark; the remote ones still begin theirs.
    line(
        &mut text,
        if step.local.is_empty() {
            "BEGIN TRANSACTION @mark;"
        } else {
            "BEGIN TRANSACTION @mark WITH MARK @mark;"
        },
    );
    if let Some(tracking) = &step.tracking {
        block_tracking(&mut text, tracking);
    }
    let procedures = Procedures::of(step.mark_log);
    for database in &step.local {
        take_part(&mut text, &identifier(database.as_str()), procedures.joins);
    }
    for leg in &step.remote {
        remote_legs(&mut text, leg, procedures);
    }
    text
}

/// The decoder of tracked data moves them outside of the marked transaction, so it stands still until that ends.
fn block_tracking(text: &mut String, tracking: &BlockTracking) {
    let database = identifier(tracking.database.as_str());
    let place = match &tracking.link {
        Some(link) => format!("{}.{database}", identifier(link)),
        None => database,
    };
    line(
        text,
        &format!("EXEC @status = {place}.[dbo].[TDDS_BlockTDDS];"),
    );
    refuse(
        text,
        &format!("stopmark: the decoder of {place} does not stand still"),
    );
}

/// The procedures that a member's marks go through.
#[derive(Clone, Copy)]
struct Procedures {
    joins: &'static str,
    begins: &'static str,
}

impl Procedures {
    const fn of(kind: MarkLogKind) -> Self {
        match kind {
            MarkLogKind::Stopmark => Self {
                joins: "[stopmark].[SetMark]",
                begins: "[stopmark].[SetMarkRemote]",
            },
            MarkLogKind::BizTalk => Self {
                joins: "[dbo].[sp_SetMark]",
                begins: "[dbo].[sp_SetMarkRemote]",
            },
        }
    }
}

fn remote_legs(text: &mut String, leg: &MarkLeg, procedures: Procedures) {
    for (at, database) in leg.databases.iter().enumerate() {
        let place = format!(
            "{}.{}",
            identifier(&leg.link),
            identifier(database.as_str())
        );
        let procedure = if at == 0 {
            procedures.begins
        } else {
            procedures.joins
        };
        take_part(text, &place, procedure);
    }
}

/// One member's part. An error that does not end the batch by itself must not reach COMMIT.
fn take_part(text: &mut String, place: &str, procedure: &str) {
    line(
        text,
        &format!("EXEC @status = {place}.{procedure} @name = @mark;"),
    );
    refuse(text, &format!("stopmark: {place} did not take the mark"));
}

/// Ends the batch where the call before did not go well.
fn refuse(text: &mut String, message: &str) {
    line(text, "IF @@ERROR <> 0 OR @status <> 0");
    line(text, "BEGIN");
    let message = literal(message);
    line(text, &format!("    ;THROW 50001, {message}, 1;"));
    line(text, "END;");
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

/// The error of a mark that was not placed, or of which that is not known.
pub(super) fn mark_error(fault: Fault, step: &PlaceMark) -> Error {
    let host = &step.management_host;
    let error = match fault {
        Fault::Refused(cause) if missing_right(&cause).is_none() => refused(cause),
        Fault::Refused(_) => return fault.at(host).at("mark", &step.mark),
        Fault::Silent(limit) => unknown_outcome(&format!(
            "the marked transaction did not end within {} s and was killed",
            limit.as_secs()
        )),
        Fault::Broken(text) => unknown_outcome(&format!(
            "the connection broke during the marked transaction: {text}"
        )),
        Fault::Shape(text) => {
            unknown_outcome(&format!("the marked transaction ended strangely: {text}"))
        }
    };
    error.at("host", host).at("mark", &step.mark)
}

fn unknown_outcome(message: &str) -> Error {
    Error::new(Code::MarkFailed, message)
        .hint("whether it committed shows only in the mark history; a new mark gets a new name")
        .retry(Retry::AfterCheck)
}

/// Errors of this class and above end the connection: they say nothing of what was done before.
const CLASS_OF_BROKEN_CONNECTIONS: u8 = 20;

fn refused(cause: SqlCause) -> Error {
    if cause.class >= CLASS_OF_BROKEN_CONNECTIONS {
        return unknown_outcome("the host ended the marked transaction's connection")
            .caused_by_sql(cause);
    }
    let (code, hint, retry) = verdict(cause.number);
    Error::new(code, "the mark was not placed")
        .caused_by_sql(cause)
        .hint(hint)
        .retry(retry)
}

/// What the numbers met while marking mean. A refused batch rolled back (`XACT_ABORT`), except where MSDTC
/// failed: there the commit's outcome may be unknown.
fn verdict(number: i32) -> (Code, &'static str, Retry) {
    let (code, retry) = match number {
        1205 => {
            let hint = "it was the victim of a deadlock: place a new mark, and never two at once";
            return (Code::MarkFailed, hint, Retry::Safe);
        }
        208 | 2812 => {
            let hint = "run `stopmark group prepare`";
            return (Code::MarkLogMissing, hint, Retry::Never);
        }
        3910 | 3920 => (Code::MarkFailed, Retry::AfterCheck),
        1206 | 7391..=7394 | 8501 | 8509 | 8510 | 8517..=8522 => {
            (Code::DistributedTransaction, Retry::AfterCheck)
        }
        7202 => (Code::LinkMissing, Retry::Never),
        7411 | 7416 => (Code::LinkWrong, Retry::Never),
        7201 | 7303 | 7399 | 7409 | 7412 | 7413 | 7437 | 18452 | 18456 => {
            (Code::LinkTestFailed, Retry::Never)
        }
        _ => (Code::MarkFailed, Retry::Never),
    };
    let hint = link_errors::of(number).map(|known| known.person);
    let hint = hint.unwrap_or("the transaction was rolled back; nothing was marked");
    (code, hint, retry)
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let one = step(sample, MarkLogKind::Stopmark, true, false);
    let several = step(sample, MarkLogKind::Stopmark, true, true);
    let biztalk = step(sample, MarkLogKind::BizTalk, true, true);
    let remote_only = step(sample, MarkLogKind::Stopmark, false, true);
    let database = |name: &String| name.parse().expect("samples are valid names");
    let tracking = PlaceMark {
        tracking: Some(BlockTracking {
            link: Some(sample.host.clone()),
            database: database(&sample.database),
        }),
        ..biztalk.clone()
    };
    let by_procedure = PlaceMark {
        by_procedure: Some(database(&sample.database)),
        ..biztalk.clone()
    };
    vec![
        ("mark.one_host", mark_sql(&one)),
        ("mark.several_hosts", mark_sql(&several)),
        ("mark.biztalk", mark_sql(&biztalk)),
        ("mark.no_local_member", mark_sql(&remote_only)),
        ("mark.tracking", mark_sql(&tracking)),
        ("mark.by_procedure", mark_sql(&by_procedure)),
    ]
}

pub(super) fn step(sample: &Sample, mark_log: MarkLogKind, local: bool, remote: bool) -> PlaceMark {
    let database = |name: &String| {
        name.parse::<DatabaseName>()
            .expect("samples are valid names")
    };
    let databases = || vec![database(&sample.database), database(&sample.other_database)];
    let host = sample
        .host
        .parse::<HostName>()
        .expect("samples are valid names");
    PlaceMark {
        mark: "BTS_2026_11_21_02_00_00_007".parse().expect("a valid mark"),
        stamped_at: Timestamp::from_millis(1_795_226_400_007),
        mark_log,
        management_host: host.clone(),
        local: if local { databases() } else { Vec::new() },
        remote: if remote {
            let link = host.to_string();
            vec![MarkLeg {
                host,
                link,
                databases: databases(),
            }]
        } else {
            Vec::new()
        },
        app_lock: None,
        timeout_ms: 60_000,
        tracking: None,
        by_procedure: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_step() -> PlaceMark {
        step(&Sample::gentle(), MarkLogKind::Stopmark, true, true)
    }

    fn error(number: i32, text: &str) -> Error {
        let text = text.to_owned();
        mark_error(
            Fault::Refused(SqlCause {
                number,
                class: 16,
                text,
            }),
            &sample_step(),
        )
    }

    #[test]
    fn only_the_first_member_of_another_host_begins_its_own_mark() {
        let text = mark_sql(&sample_step()).text;
        assert_eq!(text.matches("WITH MARK").count(), 1);
        assert_eq!(text.matches("[SetMarkRemote]").count(), 1);
        assert_eq!(text.matches("[SetMark] ").count(), 3);
        let commit = text.find("COMMIT").expect("it commits");
        assert!(text.rfind("EXEC").is_some_and(|last| last < commit));
    }

    #[test]
    fn numbers_have_their_codes_and_hints() {
        for (number, code, retry) in [
            (1205, Code::MarkFailed, Retry::Safe),
            (3920, Code::MarkFailed, Retry::AfterCheck),
            (8501, Code::DistributedTransaction, Retry::AfterCheck),
            (7391, Code::DistributedTransaction, Retry::AfterCheck),
            (2812, Code::MarkLogMissing, Retry::Never),
            (7202, Code::LinkMissing, Retry::Never),
            (7411, Code::LinkWrong, Retry::Never),
            (7303, Code::LinkTestFailed, Retry::Never),
            (229, Code::RightMissing, Retry::Never),
            (50001, Code::MarkFailed, Retry::Never),
        ] {
            let error = error(number, "text");
            assert_eq!(
                (error.code(), error.retry_verdict()),
                (code, retry),
                "{number}"
            );
            assert!(error.hint_text().is_some(), "{number}");
            assert!(
                error.context().iter().any(|(what, _)| *what == "mark"),
                "{number}"
            );
        }
    }

    #[test]
    fn a_mark_of_unknown_outcome_says_look_first() {
        for fault in [
            Fault::Silent(Duration::from_secs(60)),
            Fault::Broken("reset".to_owned()),
            Fault::Shape("no row".to_owned()),
        ] {
            let error = mark_error(fault, &sample_step());
            assert_eq!(error.code(), Code::MarkFailed);
            assert_eq!(error.retry_verdict(), Retry::AfterCheck);
        }
    }
}
