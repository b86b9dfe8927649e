//! Takes backups and reads back what msdb says of them.
//!
//! Start at [`back_up`]. The statement's success is no proof: 4219 has severity 10 and reaches no client, so
//! a backup counts only when msdb has a row for its own file and name. Never a copy that starts no chain,
//! never inside a transaction or `TRY`: `CATCH` would keep 3013 and lose the cause.
//!
//! A piece is taken once: a log that was written over is lost to its chain for ever.

use super::backup_errors::{backup_error, history_not_written, no_row, still_running, unread};
use super::every::Sample;
use super::fault::Fault;
use super::history::{backup_columns, local_time, present, type_letter};
use super::quote::{disks, identifier, literal};
use super::restore::empty_sql;
use super::rows::{self, Cells};
use super::session::SqlSession;
use super::settings::let_in;
use super::statement::{Batch, Parameter};
use super::{SqlFleet, watch};
use crate::error::{Error, Result};
use crate::model::{DifferentialBase, PieceId, PieceKind};
use crate::plan::{BackUp, ByProcedure, Tail};
use crate::run::events::BackedUp;
use crate::world::StepProgress;

/// How long to wait before asking again whether a backup still runs.
const RUNNING_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// The backup was taken, and its row in msdb could not be written.
const HISTORY_NOT_WRITTEN: i32 = 3009;

/// Takes the backup, unless it was taken already; its row in msdb. A row is written at a backup's end, so a
/// file without one is half of a backup, which `FORMAT` may write over.
pub(super) async fn back_up(
    fleet: &SqlFleet,
    step: &BackUp,
    progress: &dyn StepProgress,
) -> Result<BackedUp> {
    let host = step.host();
    let at_member = |error: Error| error.at("member", &step.member);
    let session = fleet.open(host).await.map_err(at_member)?;
    let (session, taken) = own_row(session, step).await.map_err(at_member)?;
    let taken = if taken.is_some() {
        taken
    } else {
        let batch = match &step.by_procedure {
            Some(call) => procedure_sql(step, call),
            None => backup_sql(step),
        };
        let backing = watch::run_watched(fleet, session, &batch, progress).await;
        let session = match backing {
            Ok(session) => session,
            // The file is whole and its log is cut off: tried again, it would be written over. What the row would say stands
            // in the file too.
            Err(fault) if fault.number() == Some(HISTORY_NOT_WRITTEN) => {
                return Err(history_not_written(fault, step));
            }
            Err(fault) => {
                if step.tail == Some(Tail::Closing) {
                    let_in(fleet, host, &step.member.database).await;
                }
                return Err(backup_error(fault, step));
            }
        };
        let row = own_row(session, step).await;
        row.map_err(|error| at_member(unread(error, step)))?.1
    };
    let taken = taken.ok_or_else(|| no_row(step))?;
    progress.percent(100);
    Ok(taken)
}

/// The backup that was written to this step's files, if msdb knows one. The statement of an agent that died
/// may go on for a while: its row comes at its end, so it is waited for, within the limit of silence.
pub(super) async fn find_backup(fleet: &SqlFleet, step: &BackUp) -> Result<Option<BackedUp>> {
    let at_member = |error: Error| error.at("member", &step.member);
    let mut session = fleet.open(step.host()).await.map_err(at_member)?;
    let patience = fleet.clock.monotonic() + fleet.config.policy.statement_silence_max;
    loop {
        let (next, answer) = session.ask(&running_sql(step)).await.map_err(at_member)?;
        if rows::first(&answer, 0).is_none() {
            session = next;
            break;
        }
        if fleet.clock.monotonic() > patience {
            return Err(at_member(still_running(step)));
        }
        let pause = fleet.clock.monotonic() + RUNNING_PAUSE;
        fleet.clock.sleep_until(pause).await;
        session = next;
    }
    let (_, row) = own_row(session, step).await.map_err(at_member)?;
    Ok(row)
}

/// The row of this very piece: its name, its member, its kind and its first file all agree.
async fn own_row(session: SqlSession, step: &BackUp) -> Result<(SqlSession, Option<BackedUp>)> {
    let (session, answer) = session.ask(&find_sql(step)).await?;
    let row = rows::first(&answer, 0)
        .map(|row| backed_up(row, step.piece))
        .transpose()
        .map_err(|fault: Fault| fault.at(session.host()))?;
    Ok((session, row))
}

fn backed_up(row: Cells<'_>, piece: PieceId) -> Result<BackedUp, Fault> {
    let base_lsn = present(row.lsn_or_null("differential_base_lsn")?);
    let base_guid = row.guid_or_null("differential_base_guid")?;
    let version = |column: &str| row.int(&format!("software_{column}_version"));
    Ok(BackedUp {
        piece,
        backup_set_guid: row.guid("backup_set_uuid")?,
        family_guid: row.guid("family_guid")?,
        first_lsn: row.lsn("first_lsn")?,
        last_lsn: row.lsn("last_lsn")?,
        checkpoint_lsn: row.lsn("checkpoint_lsn")?,
        database_backup_lsn: row.lsn("database_backup_lsn")?,
        differential_base: base_lsn
            .zip(base_guid)
            .map(|(lsn, backup_set_guid)| DifferentialBase {
                lsn,
                backup_set_guid,
            }),
        first_fork_guid: row.guid("first_recovery_fork_guid")?,
        last_fork_guid: row.guid("last_recovery_fork_guid")?,
        fork_point_lsn: present(row.lsn_or_null("fork_point_lsn")?),
        has_bulk_logged_data: row.flag("has_bulk_logged_data")?,
        begins_log_chain: row.flag("begins_log_chain")?,
        is_copy_only: row.flag("is_copy_only")?,
        has_backup_checksums: row.flag("has_backup_checksums")?,
        started: local_time(row, "backup_start_date", None)?,
        finished: local_time(row, "backup_finish_date", None)?,
        server_version: format!(
            "{}.{}.{}",
            version("major")?,
            version("minor")?,
            version("build")?
        ),
        server_name: row.text_or_null("server_name")?,
        is_from_medium: false,
    })
}

/// The backup statement. FORMAT writes a new medium, whatever the file held; STATS keeps the line alive.
fn backup_sql(step: &BackUp) -> Batch {
    let (verb, differential) = match step.piece_kind {
        PieceKind::Full => ("DATABASE", ""),
        PieceKind::Differential => ("DATABASE", "DIFFERENTIAL, "),
        PieceKind::Log => ("LOG", ""),
    };
    // The tail is taken of a database that nobody changes any more.
    let (before, tail) = match step.tail {
        None => (String::new(), ""),
        Some(Tail::Closing) => (empty_sql(&step.member.database), "NORECOVERY, "),
        Some(Tail::Damaged) => (String::new(), "NO_TRUNCATE, "),
    };
    let copy = if step.is_copy_only { "COPY_ONLY, " } else { "" };
    let compression = match step.compression {
        Some(true) => ", COMPRESSION",
        Some(false) => ", NO_COMPRESSION",
        None => "",
    };
    Batch::plain(format!(
        "{before}BACKUP {verb} {}\nTO {}\nWITH {tail}{differential}{copy}CHECKSUM, FORMAT, INIT, STATS = 5, NAME = {}{compression};",
        identifier(step.member.database.as_str()),
        disks(step.stripes.iter().map(|stripe| stripe.sql_path.as_str())),
        literal(&step.piece.backup_name()),
    ))
}

/// The procedure that BizTalk's own job calls. It names its file by itself; where that is not the planned one, nobody
/// would find it, so it says where it is.
fn procedure_sql(step: &BackUp, call: &ByProcedure) -> Batch {
    let procedure = match step.piece_kind {
        PieceKind::Full | PieceKind::Differential => "sp_BackupBizTalkFull",
        PieceKind::Log => "sp_BackupBizTalkLog",
    };
    // Old procedures of custom databases, and those of the SSO database, know no compression.
    let compression = match step.compression {
        Some(true) => ", @bCompression = 1",
        Some(false) | None => "",
    };
    let file = step.stripes.first().map_or("", |it| it.sql_path.as_str());
    Batch::plain(format!(
        "DECLARE @location nvarchar(4000), @status int;\n\
         EXEC @status = {}.[dbo].[{procedure}] @seq = {}, @path = {},\n    \
         @BackupLocation = @location OUTPUT{compression};\n\
         IF @status <> 0 OR @location <> {}\n\
         BEGIN\n    \
             DECLARE @said nvarchar(2000) = N'stopmark: the procedure wrote to ' + ISNULL(@location, N'nothing');\n    \
             THROW 50002, @said, 1;\n\
         END;",
        identifier(step.member.database.as_str()),
        literal(&call.sequence),
        literal(&call.folder),
        literal(file),
    ))
}

/// Whether a backup is running now that may be this step's: one that says its name, from whatever database, or anybody's in
/// the member itself, where BizTalk's procedures run theirs. Without `VIEW SERVER STATE` no statement's text is to be seen.
fn running_sql(step: &BackUp) -> Batch {
    Batch::with(
        "IF HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE') = 1\n    \
         SELECT TOP (1) r.session_id FROM sys.dm_exec_requests AS r\n    \
         OUTER APPLY sys.dm_exec_sql_text(r.sql_handle) AS t\n    \
         WHERE r.command LIKE N'BACKUP%' AND (r.database_id = DB_ID(@P1) OR CHARINDEX(@P2, t.text) > 0);\n\
         ELSE\n    \
         SELECT TOP (1) r.session_id FROM sys.dm_exec_requests AS r\n    \
         WHERE r.command LIKE N'BACKUP%' AND r.database_id = DB_ID(@P1);",
        [
            Parameter::text(step.member.database.as_str()),
            Parameter::text(step.piece.backup_name()),
        ],
    )
}

fn find_sql(step: &BackUp) -> Batch {
    let file = step
        .stripes
        .first()
        .map_or("", |stripe| stripe.sql_path.as_str());
    // BizTalk's procedures give no name; their files' names are this step's own.
    let named = match step.by_procedure {
        Some(_) => "(s.name = @P4 OR s.name IS NULL)",
        None => "s.name = @P4",
    };
    Batch::with(
        format!(
            "SELECT TOP (1) {}\n\
             FROM msdb.dbo.backupset AS s\n\
             INNER JOIN msdb.dbo.backupmediafamily AS f ON f.media_set_id = s.media_set_id\n\
             WHERE f.physical_device_name = @P1 AND f.family_sequence_number = 1\n    \
             AND s.database_name = @P2 AND s.type = @P3 AND {named}\n\
             ORDER BY s.backup_set_id DESC;",
            backup_columns()
        ),
        [
            Parameter::text(file),
            Parameter::text(step.member.database.as_str()),
            Parameter::text(type_letter(step.piece_kind)),
            Parameter::text(step.piece.backup_name()),
        ],
    )
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let full = step(sample, PieceKind::Full, 1, None);
    let striped = step(sample, PieceKind::Full, 3, Some(true));
    let differential = step(sample, PieceKind::Differential, 1, Some(false));
    let log = step(sample, PieceKind::Log, 1, None);
    let tail = |tail| BackUp {
        tail: Some(tail),
        ..log.clone()
    };
    let copy = BackUp {
        is_copy_only: true,
        ..full.clone()
    };
    let call = ByProcedure {
        folder: sample.folder.clone(),
        sequence: "BTS_2026_11_21_02_00_00_007".to_owned(),
    };
    let by_procedure = BackUp {
        by_procedure: Some(call.clone()),
        ..log.clone()
    };
    vec![
        ("backup.full", backup_sql(&full)),
        ("backup.full_copy", backup_sql(&copy)),
        ("backup.full_striped", backup_sql(&striped)),
        ("backup.differential", backup_sql(&differential)),
        ("backup.log", backup_sql(&log)),
        ("backup.tail", backup_sql(&tail(Tail::Closing))),
        ("backup.damaged_tail", backup_sql(&tail(Tail::Damaged))),
        ("backup.find", find_sql(&log)),
        ("backup.running", running_sql(&log)),
        ("backup.by_procedure", procedure_sql(&log, &call)),
        ("backup.find_by_procedure", find_sql(&by_procedure)),
    ]
}

pub(super) fn step(
    sample: &Sample,
    piece_kind: PieceKind,
    stripes: u16,
    compression: Option<bool>,
) -> BackUp {
    let stripe = |at: u16| crate::plan::StagedStripe {
        sql_path: format!("{}\\{}of{stripes}.bak", sample.folder, at + 1),
        agent_path: std::path::PathBuf::new(),
        key: String::new(),
    };
    BackUp {
        piece: PieceId(uuid::Uuid::nil()),
        member: crate::model::MemberName::new(
            sample.host.parse().expect("samples are valid names"),
            sample.database_name(),
        ),
        taken_on: None,
        replica_wait_ms: None,
        piece_kind,
        stripes: (0..stripes).map(stripe).collect(),
        compression,
        mark: None,
        reason: String::new(),
        is_cure: false,
        tail: None,
        retry: None,
        is_copy_only: false,
        by_procedure: None,
    }
}
