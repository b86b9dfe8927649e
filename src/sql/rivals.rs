//! Asks a host's msdb who else backs members up: jobs, log shipping, managed backup, and what its history shows.
//!
//! Start at [`rivals`]. What the login may not see is told by the right that it lacks, and is nobody's fault: no run
//! needs it. [`rival_cure_script`] writes the T-SQL that ends a rival; nothing here sends that.
//!
//! This file only reads.

use super::SqlFleet;
use super::every::Sample;
use super::fault::Fault;
use super::history::NAMES_MAX;
use super::rows::{self, Cells};
use super::session::{Answer, SqlSession};
use super::statement::{Batch, Parameter, placeholders};
use crate::doctor::RivalCure;
use crate::error::Result;
use crate::model::{DatabaseName, HostName};
use crate::plan::our_folder;
use crate::survey::{JobStep, RivalFacts, ShippedDatabase, TakenByOthers};

/// How many backups of others are looked at.
const TAKEN_MAX: usize = 500;
/// A folder that no backup goes to.
const NOWHERE: &str = "?";

/// What is asked of msdb, each with the object that the login must be able to read.
const ASKED: [(&str, &str); 4] = [
    ("jobs", "msdb.dbo.sysjobs"),
    ("steps", "msdb.dbo.sysjobsteps"),
    ("shipping", "msdb.dbo.log_shipping_primary_databases"),
    ("managed", "msdb.managed_backup.fn_backup_db_config"),
];

/// Who else backs these databases up, on one connection.
pub(super) async fn rivals(
    fleet: &SqlFleet,
    host: &HostName,
    databases: &[DatabaseName],
) -> Result<RivalFacts> {
    let share = fleet.host(host)?.share.as_ref();
    let folder = share.map(|share| our_folder(share, &fleet.config.group));
    let folder = folder.unwrap_or_else(|| NOWHERE.to_owned());
    let (mut session, answer) = fleet.open(host).await?.ask(&sees_sql()).await?;
    let sees = sees_of(&answer).map_err(|fault| fault.at(host))?;
    let mut facts = RivalFacts {
        unseen: unseen(sees),
        ..RivalFacts::default()
    };
    let [jobs, steps, shipping, managed] = sees;
    if jobs && steps {
        (session, facts.steps) = read(session, &steps_sql(), step).await?;
    }
    if jobs && shipping {
        let (back, found) = read(session, &shipping_sql(), shipped).await?;
        let is_ours = |it: &ShippedDatabase| asked(databases, it.database.as_str()).is_some();
        (session, facts.shipped) = (back, found.into_iter().filter(is_ours).collect());
    }
    if managed {
        let (back, found) = read(session, &managed_sql(), |row| row.text("db_name")).await?;
        let ours = found.iter().filter_map(|name| asked(databases, name));
        (session, facts.managed) = (back, ours.cloned().collect());
    }
    for names in databases.chunks(NAMES_MAX) {
        let (back, found) = read(session, &taken_sql(&folder, names), taken).await?;
        session = back;
        facts.taken.extend(found);
    }
    Ok(facts)
}

/// The rows of a question's first answer.
async fn read<T>(
    session: SqlSession,
    batch: &Batch,
    of: impl Fn(Cells<'_>) -> Result<T, Fault>,
) -> Result<(SqlSession, Vec<T>)> {
    let (session, answer) = session.ask(batch).await?;
    let found: Result<Vec<T>, Fault> = rows::set(&answer, 0).map(of).collect();
    let found = found.map_err(|fault| fault.at(session.host()))?;
    Ok((session, found))
}

/// The database of this name among those that were asked for; the server compares names by its collation.
fn asked<'a>(databases: &'a [DatabaseName], name: &str) -> Option<&'a DatabaseName> {
    let name = name.to_lowercase();
    databases
        .iter()
        .find(|it| it.as_str().to_lowercase() == name)
}

fn sees_of(answer: &Answer) -> Result<[bool; 4], Fault> {
    let row = rows::only(answer)?;
    let mut sees = [false; 4];
    for ((what, _), sees) in ASKED.iter().zip(&mut sees) {
        *sees = row.int_or_null(what)? == Some(1);
    }
    Ok(sees)
}

fn unseen(sees: [bool; 4]) -> Vec<String> {
    let missing = ASKED.iter().zip(sees).filter(|(_, sees)| !*sees);
    missing
        .map(|((_, object), _)| format!("SELECT on {object}"))
        .collect()
}

fn step(row: Cells<'_>) -> Result<JobStep, Fault> {
    Ok(JobStep {
        job: row.text("job_name")?,
        is_enabled: row.int("is_enabled")? == 1,
        subsystem: row.text("subsystem")?,
        database: row.text_or_null("database_name")?,
        command: row.text("command")?,
    })
}

fn shipped(row: Cells<'_>) -> Result<ShippedDatabase, Fault> {
    let job = row.text_or_null("job_name")?;
    let is_enabled = row.int_or_null("is_enabled")? == Some(1);
    Ok(ShippedDatabase {
        database: database(row, "primary_database")?,
        job: job.map(|job| (job, is_enabled)),
    })
}

fn database(row: Cells<'_>, column: &str) -> Result<DatabaseName, Fault> {
    let name = row.text(column)?;
    let shape = |_| Fault::Shape(format!("`{name}` cannot be a database's"));
    name.parse().map_err(shape)
}

fn taken(row: Cells<'_>) -> Result<TakenByOthers, Fault> {
    let text = |column: &str| Ok::<_, Fault>(row.text_or_null(column)?.unwrap_or_default());
    Ok(TakenByOthers {
        database: database(row, "database_name")?,
        is_log: row.text("type")? == "L",
        is_snapshot: row.flag("is_snapshot")?,
        is_virtual: row
            .int_or_null("device_type")?
            .is_some_and(|it| it % 100 == 7),
        name: text("name")?,
        user: text("user_name")?,
        program: text("software_name")?,
        device: text("physical_device_name")?,
        finished: text("finished")?,
    })
}

/// NULL, where the object is not there at all, is not to be seen either.
fn sees_sql() -> Batch {
    let questions = ASKED.map(|(what, object)| {
        format!("HAS_PERMS_BY_NAME(N'{object}', N'OBJECT', N'SELECT') AS {what}")
    });
    Batch::plain(format!("SELECT {};", questions.join(",\n    ")))
}

fn steps_sql() -> Batch {
    Batch::plain(
        "SELECT CAST(j.name AS nvarchar(128)) AS job_name, CAST(j.enabled AS int) AS is_enabled,\n    \
         CAST(s.subsystem AS nvarchar(40)) AS subsystem,\n    \
         CAST(s.database_name AS nvarchar(128)) AS database_name,\n    \
         CAST(s.command AS nvarchar(max)) AS command\n\
         FROM msdb.dbo.sysjobs AS j\n\
         INNER JOIN msdb.dbo.sysjobsteps AS s ON s.job_id = j.job_id\n\
         WHERE s.command IS NOT NULL\n\
         ORDER BY j.name, s.step_id;",
    )
}

fn shipping_sql() -> Batch {
    Batch::plain(
        "SELECT CAST(p.primary_database AS nvarchar(128)) AS primary_database,\n    \
         CAST(j.name AS nvarchar(128)) AS job_name, CAST(j.enabled AS int) AS is_enabled\n\
         FROM msdb.dbo.log_shipping_primary_databases AS p\n\
         LEFT JOIN msdb.dbo.sysjobs AS j ON j.job_id = p.backup_job_id\n\
         ORDER BY p.primary_database;",
    )
}

fn managed_sql() -> Batch {
    Batch::plain(
        "SELECT CAST(m.db_name AS nvarchar(128)) AS db_name\n\
         FROM msdb.managed_backup.fn_backup_db_config(NULL) AS m\n\
         WHERE m.is_managed_backup_enabled = 1\n\
         ORDER BY m.db_name;",
    )
}

/// What others took since our newest full: ours bear a name of ours, or lie in the group's folder.
fn taken_sql(folder: &str, databases: &[DatabaseName]) -> Batch {
    let names = placeholders(1, databases.len());
    let mut parameters = vec![Parameter::text(folder)];
    parameters.extend(databases.iter().map(|name| Parameter::text(name.as_str())));
    let family = |set: &str, family: &str| {
        format!(
            "LEFT JOIN msdb.dbo.backupmediafamily AS {family}\n    \
             ON {family}.media_set_id = {set}.media_set_id AND {family}.family_sequence_number = 1 AND {family}.mirror = 0"
        )
    };
    let is_ours = |set: &str, family: &str| {
        format!(
            "(ISNULL({set}.name, N'') LIKE N'Stopmark %'\n    \
             OR LEFT(ISNULL({family}.physical_device_name, N''), LEN(@P1)) = @P1)"
        )
    };
    Batch::with(
        format!(
            "SELECT TOP ({TAKEN_MAX}) s.database_name, CAST(s.type AS nvarchar(1)) AS type, s.is_snapshot,\n    \
             CAST(f.device_type AS int) AS device_type, s.name, s.user_name, m.software_name,\n    \
             f.physical_device_name, CONVERT(nvarchar(16), s.backup_finish_date, 120) AS finished\n\
             FROM msdb.dbo.backupset AS s\n\
             LEFT JOIN msdb.dbo.backupmediaset AS m ON m.media_set_id = s.media_set_id\n\
             {}\n\
             LEFT JOIN (SELECT o.database_name, MAX(o.backup_set_id) AS backup_set_id\n    \
             FROM msdb.dbo.backupset AS o\n    {}\n    \
             WHERE o.type = 'D' AND o.is_copy_only = 0 AND {}\n    \
             GROUP BY o.database_name) AS own ON own.database_name = s.database_name\n\
             WHERE s.database_name IN ({names}) AND s.type IN ('D', 'L') AND s.is_copy_only = 0\n    \
             AND s.backup_finish_date > DATEADD(day, -14, GETDATE())\n    \
             AND s.backup_set_id > ISNULL(own.backup_set_id, 0)\n    \
             AND NOT {}\n\
             ORDER BY s.backup_set_id DESC;",
            family("s", "f"),
            family("o", "g"),
            is_ours("o", "g"),
            is_ours("s", "f"),
        ),
        parameters,
    )
}

/// The T-SQL that ends a rival, for a person to run; none where only the tool itself can.
#[must_use]
pub fn rival_cure_script(cure: &RivalCure) -> Option<String> {
    let batch = match cure {
        RivalCure::DisableJob { job } => disable_sql(job),
        RivalCure::EndManagedBackup { database } => end_managed_sql(database),
        RivalCure::InTheTool { .. } => return None,
    };
    Some(batch.to_script())
}

fn disable_sql(job: &str) -> Batch {
    Batch::with(
        "EXEC msdb.dbo.sp_update_job @job_name = @P1, @enabled = 0;",
        [Parameter::text(job)],
    )
}

fn end_managed_sql(database: &DatabaseName) -> Batch {
    Batch::with(
        "EXEC msdb.managed_backup.sp_backup_config_basic @database_name = @P1, @enable_backup = 0;",
        [Parameter::text(database.as_str())],
    )
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let database = sample.database_name();
    let names = std::slice::from_ref(&database);
    vec![
        ("rivals.sees", sees_sql()),
        ("rivals.steps", steps_sql()),
        ("rivals.shipping", shipping_sql()),
        ("rivals.managed", managed_sql()),
        ("rivals.taken", taken_sql(&sample.folder, names)),
        ("rivals.disable", disable_sql(&sample.other_database)),
        ("rivals.end_managed", end_managed_sql(&database)),
    ]
}
