//! Whether a piece is restored already: what the target's host says of the database and of what went into it.
//!
//! Start at [`is_done`]. A log that was recovered cannot be restored again (3117), and one that was rolled
//! through comes too late (4326), so a step that is done again after a crash looks first. The newest row of
//! `restorehistory` must be of this very piece, and the database must stand where the piece leaves it: a row
//! alone may be of a restore that broke, or of a database that was dropped and made anew.
//!
//! This file only reads. Where it cannot tell, the answer is no: restoring again is refused at worst.

use uuid::Uuid;

use super::every::Sample;
use super::fault::Fault;
use super::rows::{self, Cells};
use super::session::SqlSession;
use super::statement::{Batch, Parameter};
use crate::error::Result;
use crate::model::{DatabaseName, Lsn, MarkName, MemberName, PieceId};
use crate::plan::FileMove;

/// One piece on its way into a database.
pub(super) struct Wanted<'a> {
    /// The member that the piece is of.
    pub(super) member: &'a MemberName,
    /// The database that it goes into.
    pub(super) target: &'a DatabaseName,
    /// The piece.
    pub(super) piece: PieceId,
    /// Where the database's files must be.
    pub(super) moves: &'a [FileMove],
    /// How it leaves the database.
    pub(super) leaves: Leaves<'a>,
}

/// How a piece leaves the database.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leaves<'a> {
    /// More is to be restored.
    Restoring,
    /// It stands by at this mark.
    StandingByAt(&'a MarkName),
    /// It is opened at this mark.
    OpenAt(&'a MarkName),
}

/// What was last restored into a database, and where the database stands.
#[derive(Clone, Debug)]
struct Seen {
    state: String,
    /// The database's own family, and that of the backup: a database made anew has another.
    family_guid: Option<Uuid>,
    taken_of_family: Uuid,
    /// The name of the backup that was restored.
    name: String,
    last_lsn: Lsn,
    /// `RECOVERY` was asked for.
    recovers: bool,
    stop_at_mark: Option<String>,
    is_standby: bool,
    files: Vec<SeenFile>,
}

/// One file of the database.
#[derive(Clone, Debug)]
struct SeenFile {
    logical_name: String,
    physical_name: String,
    is_data: bool,
    /// Where rolling forward goes on (`redo_start_lsn`); none where the file is not being restored, or must
    /// be restored from the beginning.
    redo_start_lsn: Option<Lsn>,
}

/// Whether the database stands where this piece leaves it, and the piece brought it there.
pub(super) async fn is_done(
    session: SqlSession,
    wanted: &Wanted<'_>,
) -> Result<(SqlSession, bool)> {
    let (session, answer) = session.ask(&newest_sql(wanted.target)).await?;
    let newest = rows::first(&answer, 0).map(seen).transpose();
    let Some(mut seen) = newest.map_err(|fault| fault.at(session.host()))? else {
        return Ok((session, false));
    };
    let (session, answer) = session.ask(&files_sql(wanted.target)).await?;
    let files = rows::set(&answer, 0).map(file).collect::<Result<_, _>>();
    seen.files = files.map_err(|fault: Fault| fault.at(session.host()))?;
    Ok((session, seen.is_left_by(wanted)))
}

impl Seen {
    fn is_left_by(&self, wanted: &Wanted<'_>) -> bool {
        self.name == wanted.piece.backup_name()
            && wanted.moves.iter().all(|file| self.has_moved(file))
            && match wanted.leaves {
                Leaves::OpenAt(mark) => {
                    // A log without the mark leaves the database RESTORING; that the proof tells.
                    self.recovers
                        && self.stops_at(mark)
                        && (self.is_open() || self.is_rolled_through())
                }
                Leaves::StandingByAt(mark) => {
                    !self.recovers && self.stops_at(mark) && self.is_standby && self.is_open()
                }
                Leaves::Restoring => !self.recovers && self.is_rolled_through(),
            }
    }

    fn stops_at(&self, mark: &MarkName) -> bool {
        self.stop_at_mark.as_deref() == Some(mark.as_str())
    }

    /// Open, and the database that the backup was restored into.
    fn is_open(&self) -> bool {
        self.state == "ONLINE" && self.family_guid == Some(self.taken_of_family)
    }

    /// Waiting for more, with all of the backup in it. A database that is RESTORING may be closed, and
    /// then it tells no family.
    fn is_rolled_through(&self) -> bool {
        let is_same = self
            .family_guid
            .is_none_or(|family| family == self.taken_of_family);
        let has_all = |file: &SeenFile| file.redo_start_lsn.is_some_and(|at| at >= self.last_lsn);
        let mut data = self.files.iter().filter(|file| file.is_data).peekable();
        self.state == "RESTORING" && is_same && data.peek().is_some() && data.all(has_all)
    }

    fn has_moved(&self, wanted: &FileMove) -> bool {
        self.files.iter().any(|file| {
            file.logical_name == wanted.logical_name && file.physical_name == wanted.physical_name
        })
    }
}

fn seen(row: Cells<'_>) -> Result<Seen, Fault> {
    Ok(Seen {
        state: row.text("state_desc")?,
        family_guid: row.guid_or_null("family_guid")?,
        taken_of_family: row.guid("taken_of_family")?,
        name: row.text_or_null("name")?.unwrap_or_default(),
        last_lsn: row.lsn("last_lsn")?,
        recovers: row.flag("recovery")?,
        stop_at_mark: row.text_or_null("stop_at_mark_name")?,
        is_standby: row.flag("is_in_standby")?,
        files: Vec::new(),
    })
}

fn file(row: Cells<'_>) -> Result<SeenFile, Fault> {
    Ok(SeenFile {
        logical_name: row.text("name")?,
        physical_name: row.text("physical_name")?,
        is_data: row.int("type")? == 0,
        redo_start_lsn: row.lsn_or_null("redo_start_lsn")?,
    })
}

/// The newest restore into a database, and the database's state; no row where there is none of either, or
/// where the login may not read the history.
fn newest_sql(database: &DatabaseName) -> Batch {
    Batch::with(
        "IF HAS_PERMS_BY_NAME(N'msdb.dbo.restorehistory', N'OBJECT', N'SELECT') = 1\n\
         SELECT TOP (1) d.state_desc, r.family_guid, s.family_guid AS taken_of_family, s.name,\n    \
         CAST(s.last_lsn AS varchar(30)) AS last_lsn, h.recovery, h.stop_at_mark_name, d.is_in_standby\n\
         FROM sys.databases AS d\n\
         INNER JOIN msdb.dbo.restorehistory AS h ON h.destination_database_name = @P1\n\
         INNER JOIN msdb.dbo.backupset AS s ON s.backup_set_id = h.backup_set_id\n\
         LEFT JOIN sys.database_recovery_status AS r ON r.database_id = d.database_id\n\
         WHERE d.name = @P1 AND h.restore_type <> 'V'\n\
         ORDER BY h.restore_history_id DESC;",
        [Parameter::text(database.as_str())],
    )
}

fn files_sql(database: &DatabaseName) -> Batch {
    Batch::with(
        "SELECT f.name, f.physical_name, CAST(f.type AS int) AS type,\n    \
         CAST(f.redo_start_lsn AS varchar(30)) AS redo_start_lsn\n\
         FROM sys.master_files AS f WHERE f.database_id = DB_ID(@P1);",
        [Parameter::text(database.as_str())],
    )
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let database = sample.database_name();
    vec![
        ("restored.newest", newest_sql(&database)),
        ("restored.files", files_sql(&database)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILY: Uuid = Uuid::from_u128(7);
    const PIECE: PieceId = PieceId(Uuid::from_u128(1));

    fn lsn(block: u32) -> Lsn {
        Lsn::from_parts(40, block, 1)
    }

    /// A database into which the piece was just restored, and more may follow.
    fn waiting() -> Seen {
        let file = |name: &str, is_data| SeenFile {
            logical_name: name.to_owned(),
            physical_name: format!("D:\\{name}"),
            is_data,
            redo_start_lsn: is_data.then(|| lsn(20)),
        };
        Seen {
            state: "RESTORING".to_owned(),
            family_guid: None,
            taken_of_family: FAMILY,
            name: PIECE.backup_name(),
            last_lsn: lsn(20),
            recovers: false,
            stop_at_mark: None,
            is_standby: false,
            files: vec![file("data", true), file("log", false)],
        }
    }

    /// The same, opened at the mark.
    fn opened() -> Seen {
        Seen {
            state: "ONLINE".to_owned(),
            family_guid: Some(FAMILY),
            recovers: true,
            stop_at_mark: Some(mark().to_string()),
            ..waiting()
        }
    }

    fn mark() -> MarkName {
        "BTS_2026_11_21_02_00_00_007".parse().expect("a valid mark")
    }

    fn is_done(seen: &Seen, moves: &[FileMove], opens_at: Option<&MarkName>) -> bool {
        is_left(
            seen,
            moves,
            opens_at.map_or(Leaves::Restoring, Leaves::OpenAt),
        )
    }

    fn is_left(seen: &Seen, moves: &[FileMove], leaves: Leaves<'_>) -> bool {
        seen.is_left_by(&Wanted {
            member: &"PAY1/Ledger".parse().expect("a member"),
            target: &"Copy".parse().expect("a database"),
            piece: PIECE,
            moves,
            leaves,
        })
    }

    #[test]
    fn a_piece_that_was_rolled_through_is_done() {
        assert!(is_done(&waiting(), &[], None));
        let known = Seen {
            family_guid: Some(FAMILY),
            ..waiting()
        };
        assert!(is_done(&known, &[], None));
    }

    #[test]
    fn another_piece_and_a_half_restored_one_are_not() {
        let other = Seen {
            name: "Stopmark other".to_owned(),
            ..waiting()
        };
        assert!(!is_done(&other, &[], None));
        for at in [None, Some(lsn(19))] {
            let mut half = waiting();
            half.files[0].redo_start_lsn = at;
            assert!(!is_done(&half, &[], None), "{at:?}");
        }
        let without_files = Seen {
            files: Vec::new(),
            ..waiting()
        };
        assert!(!is_done(&without_files, &[], None));
    }

    #[test]
    fn files_in_another_place_are_not_what_was_asked_for() {
        let to = |physical_name: &str| FileMove {
            logical_name: "data".to_owned(),
            physical_name: physical_name.to_owned(),
        };
        assert!(is_done(&waiting(), &[to("D:\\data")], None));
        assert!(!is_done(&waiting(), &[to("E:\\data")], None));
    }

    #[test]
    fn a_database_that_was_opened_at_the_mark_is_done() {
        assert!(is_done(&opened(), &[], Some(&mark())));
        let further = Seen {
            stop_at_mark: Some("BTS_2026_11_21_03_00_00_007".to_owned()),
            ..opened()
        };
        assert!(!is_done(&further, &[], Some(&mark())));
        assert!(
            !is_done(&opened(), &[], None),
            "an open database takes no more"
        );
    }

    #[test]
    fn a_database_that_stands_by_at_the_mark_is_done_and_no_other() {
        let (mark, by) = (mark(), |seen: &Seen, mark: &MarkName| {
            is_left(seen, &[], Leaves::StandingByAt(mark))
        });
        let stands = Seen {
            recovers: false,
            is_standby: true,
            ..opened()
        };
        assert!(by(&stands, &mark));
        let open = Seen {
            is_standby: false,
            ..stands.clone()
        };
        assert!(!by(&open, &mark), "it was opened since");
        let before = Seen {
            stop_at_mark: None,
            ..stands
        };
        assert!(!by(&before, &mark));
    }

    #[test]
    fn a_database_made_anew_under_the_same_name_is_another() {
        for family_guid in [None, Some(Uuid::from_u128(8))] {
            let anew = Seen {
                family_guid,
                ..opened()
            };
            assert!(!is_done(&anew, &[], Some(&mark())), "{family_guid:?}");
        }
    }

    #[test]
    fn a_log_without_the_mark_is_done_as_far_as_it_goes() {
        let passed = Seen {
            state: "RESTORING".to_owned(),
            ..opened()
        };
        assert!(is_done(&passed, &[], Some(&mark())));
    }
}
