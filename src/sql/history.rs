//! Reads what msdb remembers: backups, and where each member's log holds a mark.
//!
//! Start at [`mark_history`] and [`backup_columns`]. msdb is per instance and its times are local; order
//! comes from LSNs and from its own row numbers, never from times.

use std::collections::BTreeMap;

use super::SqlFleet;
use super::every::Sample;
use super::fault::Fault;
use super::rows::{self, Cells};
use super::session::Answer;
use super::statement::{Batch, Parameter, placeholders};
use crate::error::Result;
use crate::model::{
    DatabaseName, HostName, Lsn, MarkName, MemberMark, MemberName, PieceKind, ServerLocal,
};
use crate::survey::BackupRow;

/// How many backups of one member a survey takes from the history.
const ROWS_MAX: usize = 50;

/// `backupmediafamily.device_type` of what a program takes from SQL Server without a file (VDI, VSS).
const VIRTUAL_DEVICE: i32 = 7;

/// SQL Server takes 2,100 parameters; names beyond this many go into another query.
pub(super) const NAMES_MAX: usize = 1000;

/// The mark's LSN of each of these members that has it.
pub(super) async fn mark_history(
    fleet: &SqlFleet,
    host: &HostName,
    mark: &MarkName,
    members: &[DatabaseName],
) -> Result<Vec<MemberMark>> {
    let mut session = fleet.open(host).await?;
    let mut found = Vec::new();
    for some in members.chunks(NAMES_MAX) {
        let (back, answer) = session.ask(&marks_sql(mark, some)).await?;
        session = back;
        let lsns = marks(&answer, mark).map_err(|fault| fault.at(host))?;
        for database in some {
            if let Some(&(lsn, fork_guid)) = lsns.get(&database.as_str().to_lowercase()) {
                let member = MemberName::new(host.clone(), database.clone());
                found.push(MemberMark {
                    member,
                    lsn,
                    fork_guid,
                });
            }
        }
    }
    Ok(found)
}

/// Where a mark stands, and on which fork the database is.
type Placed = (Lsn, Option<uuid::Uuid>);

/// Places by lower-cased database name. Mark names are always compared case-sensitively, which the server's
/// collation may not do, so they are compared here; where a name repeats, the newest row counts.
fn marks(answer: &Answer, mark: &MarkName) -> Result<BTreeMap<String, Placed>, Fault> {
    let mut lsns = BTreeMap::new();
    for row in rows::set(answer, 0) {
        if row.text("mark_name")? == mark.as_str() {
            let fork = row.guid_or_null("recovery_fork_guid")?;
            let placed = (row.lsn("lsn")?, fork);
            lsns.insert(row.text("database_name")?.to_lowercase(), placed);
        }
    }
    Ok(lsns)
}

fn marks_sql(mark: &MarkName, members: &[DatabaseName]) -> Batch {
    let names = placeholders(1, members.len());
    let mut parameters = vec![Parameter::text(mark.as_str())];
    parameters.extend(members.iter().map(|name| Parameter::text(name.as_str())));
    Batch::with(
        format!(
            "SELECT h.database_name, h.mark_name, CAST(h.lsn AS varchar(30)) AS lsn, r.recovery_fork_guid\n\
             FROM msdb.dbo.logmarkhistory AS h\n\
             LEFT JOIN sys.database_recovery_status AS r ON r.database_id = DB_ID(h.database_name)\n\
             WHERE h.mark_name = @P1 AND h.database_name IN ({names})\n\
             ORDER BY h.lsn;"
        ),
        parameters,
    )
}

/// The columns of `msdb.dbo.backupset AS s` that [`backup_row`] and `back_up` read.
pub(super) const fn backup_columns() -> &'static str {
    "s.backup_set_id, s.backup_set_uuid, CAST(s.type AS nvarchar(1)) AS type, s.family_guid,
    s.server_name, CAST(s.first_lsn AS varchar(30)) AS first_lsn,
    CAST(s.last_lsn AS varchar(30)) AS last_lsn,
    CAST(s.checkpoint_lsn AS varchar(30)) AS checkpoint_lsn,
    CAST(s.database_backup_lsn AS varchar(30)) AS database_backup_lsn,
    CAST(s.differential_base_lsn AS varchar(30)) AS differential_base_lsn,
    s.differential_base_guid, s.first_recovery_fork_guid, s.last_recovery_fork_guid,
    CAST(s.fork_point_lsn AS varchar(30)) AS fork_point_lsn,
    s.is_copy_only, s.begins_log_chain, s.has_bulk_logged_data, s.has_backup_checksums,
    s.backup_start_date, s.backup_finish_date, CAST(s.time_zone AS int) AS time_zone,
    CAST(s.software_major_version AS int) AS software_major_version,
    CAST(s.software_minor_version AS int) AS software_minor_version,
    CAST(s.software_build_version AS int) AS software_build_version"
}

/// The newest backups of one member, newest first, with a row for each of their files, in the order of families; file and
/// filegroup backups are not pieces.
pub(super) fn backups_sql(database: &DatabaseName) -> Batch {
    let columns = backup_columns();
    Batch::with(
        format!(
            "SELECT {columns},\n    \
             s.database_guid, s.user_name, s.machine_name, s.is_snapshot,\n    \
             m.software_name, f.physical_device_name, CAST(f.device_type AS int) AS device_type\n\
             FROM (SELECT TOP ({ROWS_MAX}) b.backup_set_id FROM msdb.dbo.backupset AS b\n    \
             WHERE b.database_name = @P1 AND b.type IN ('D', 'I', 'L')\n    \
             ORDER BY b.backup_set_id DESC) AS n\n\
             INNER JOIN msdb.dbo.backupset AS s ON s.backup_set_id = n.backup_set_id\n\
             LEFT JOIN msdb.dbo.backupmediaset AS m ON m.media_set_id = s.media_set_id\n\
             LEFT JOIN msdb.dbo.backupmediafamily AS f\n    \
             ON f.media_set_id = s.media_set_id AND f.mirror = 0\n\
             ORDER BY s.backup_set_id DESC, f.family_sequence_number;"
        ),
        [Parameter::text(database.as_str())],
    )
}

/// The rows as the survey holds them, one a backup; `offset_minutes` is the host's, where a row does not know its own.
pub(super) fn backup_rows<'a>(
    rows: impl Iterator<Item = Cells<'a>>,
    offset_minutes: i16,
) -> Result<Vec<BackupRow>, Fault> {
    let mut found: Vec<BackupRow> = Vec::new();
    for row in rows {
        let guid = row.guid("backup_set_uuid")?;
        match found.last_mut().filter(|it| it.backup_set_guid == guid) {
            Some(known) => known.further_devices.extend(device(row)?),
            None => found.push(backup_row(row, offset_minutes)?),
        }
    }
    Ok(found)
}

fn backup_row(row: Cells<'_>, offset_minutes: i16) -> Result<BackupRow, Fault> {
    let local = |column: &str| local_time(row, column, Some(offset_minutes));
    Ok(BackupRow {
        server: None,
        backup_set_guid: row.guid("backup_set_uuid")?,
        kind: piece_kind(row)?,
        first_lsn: row.lsn("first_lsn")?,
        last_lsn: row.lsn("last_lsn")?,
        checkpoint_lsn: row.lsn("checkpoint_lsn")?,
        database_backup_lsn: row.lsn("database_backup_lsn")?,
        differential_base_guid: row.guid_or_null("differential_base_guid")?,
        first_recovery_fork_guid: row.guid_or_null("first_recovery_fork_guid")?,
        last_recovery_fork_guid: row.guid_or_null("last_recovery_fork_guid")?,
        fork_point_lsn: present(row.lsn_or_null("fork_point_lsn")?),
        database_guid: row.guid_or_null("database_guid")?,
        family_guid: row.guid("family_guid")?,
        is_copy_only: row.flag("is_copy_only")?,
        begins_log_chain: row.flag("begins_log_chain")?,
        has_bulk_logged_data: row.flag("has_bulk_logged_data")?,
        has_backup_checksums: row.flag("has_backup_checksums")?,
        user_name: row.text_or_null("user_name")?.unwrap_or_default(),
        machine: row.text_or_null("machine_name")?,
        program: row.text_or_null("software_name")?,
        device: device(row)?.unwrap_or_default(),
        further_devices: Vec::new(),
        is_virtual: row.int_or_null("device_type")? == Some(VIRTUAL_DEVICE),
        is_snapshot: row.flag("is_snapshot")?,
        started: local("backup_start_date")?,
        finished: local("backup_finish_date")?,
    })
}

fn device(row: Cells<'_>) -> Result<Option<String>, Fault> {
    row.text_or_null("physical_device_name")
}

/// An LSN that is there: the server writes zero as well as null for "none".
pub(super) fn present(lsn: Option<Lsn>) -> Option<Lsn> {
    lsn.filter(|lsn| !lsn.is_zero())
}

/// A time of msdb with the zone that its row was written in: `time_zone` counts quarters of an hour, 127
/// is unknown; then the caller's offset stands in, if it has one.
pub(super) fn local_time(
    row: Cells<'_>,
    column: &str,
    otherwise: Option<i16>,
) -> Result<ServerLocal, Fault> {
    let quarters = row.int_or_null("time_zone")?;
    Ok(ServerLocal {
        civil: row.civil(column)?,
        offset_minutes: quarters.and_then(minutes_of_quarters).or(otherwise),
    })
}

fn minutes_of_quarters(quarters: i32) -> Option<i16> {
    let known = (-48..=56).contains(&quarters);
    i16::try_from(quarters * 15).ok().filter(|_| known)
}

fn piece_kind(row: Cells<'_>) -> Result<PieceKind, Fault> {
    let letter = row.text("type")?;
    [PieceKind::Full, PieceKind::Differential, PieceKind::Log]
        .into_iter()
        .find(|kind| type_letter(*kind) == letter)
        .ok_or_else(|| Fault::Shape(format!("`{letter}` is no type of a piece")))
}

/// `backupset.type` of a piece.
pub(super) const fn type_letter(kind: PieceKind) -> &'static str {
    match kind {
        PieceKind::Full => "D",
        PieceKind::Differential => "I",
        PieceKind::Log => "L",
    }
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let database = |name: &String| {
        name.parse::<DatabaseName>()
            .expect("samples are valid names")
    };
    let members = [database(&sample.database), database(&sample.other_database)];
    let mark: MarkName = "BTS_2026_11_21_02_00_00_007".parse().expect("a valid mark");
    vec![
        ("history.marks", marks_sql(&mark, &members)),
        ("history.backups", backups_sql(&members[0])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_of_an_hour_become_minutes_unless_unknown() {
        for (quarters, minutes) in [
            (0, Some(0)),
            (-14, Some(-210)),
            (56, Some(840)),
            (127, None),
        ] {
            assert_eq!(minutes_of_quarters(quarters), minutes, "{quarters}");
        }
    }
}
