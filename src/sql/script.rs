//! T-SQL for files that people run by hand: the statements of a restore with what a script needs around them.
//!
//! Start at [`guarded_sql`]. Clients differ in what they make of an error: `sqlcmd` goes on or ends, others always go
//! on. So nothing here relies on a client: a member whose step failed is remembered in a temporary table, its other
//! steps are left out, and the last batch raises an error unless every member was proven. Batches stand between
//! lines of `GO`; no variable of a client is used.
//!
//! Nothing here is sent by the agent.

use super::every::Sample;
use super::proof::{named_later_sql, newest_if_any_sql};
use super::quote::{disks, identifier, literal};
use super::restore::{checksum, database_sql, log_sql, place};
use super::settings::{sample_step, switched_on};
use super::statement::Batch;
use crate::config::MarkLogKind;
use crate::model::{DatabaseName, MarkName, MemberName};
use crate::plan::{FileMove, ProveMark, PutBack, RestoreDatabase, RestoreLog, RestorePiece};

/// What a runbook calls a backup of the tail of a log.
pub const TAIL_WORDS: &str = "BACKUP LOG .. WITH NO_TRUNCATE, NORECOVERY";

/// The procedures that make a linked server by hand, in their order.
pub const LINK_WORDS: [&str; 3] = [
    "sp_addlinkedserver",
    "sp_serveroption .. 'rpc out', 'true'",
    "sp_addlinkedsrvlogin",
];

/// How a database that left its availability group comes back into it, on the primary replica and on each other one.
pub const GROUP_WORDS: [&str; 2] = [
    "ALTER AVAILABILITY GROUP .. ADD DATABASE",
    "ALTER DATABASE .. SET HADR AVAILABILITY GROUP",
];

/// How `master` is put back, in single-user mode.
pub const MASTER_WORDS: &str =
    "RESTORE DATABASE [master] FROM DISK = N'FILE' WITH REPLACE, CHECKSUM";

/// How `msdb` is put back, and `model` with its own name.
pub const MSDB_WORDS: &str = "RESTORE DATABASE [msdb] FROM DISK = N'FILE' WITH REPLACE, CHECKSUM";

/// Restores a database beside the group and opens it, unless one of that name is there.
#[must_use]
pub fn companion_sql(database: &DatabaseName, source: &RestorePiece, moves: &[FileMove]) -> Batch {
    let (target, name) = (literal(database.as_str()), identifier(database.as_str()));
    let there = literal(&format!(
        "{database}: the database is there already and is left as it is."
    ));
    let paths = source.stripes.iter().map(|stripe| stripe.sql_path.as_str());
    let moves = moves.iter().map(|file| {
        let (from, to) = (literal(&file.logical_name), literal(&file.physical_name));
        format!(",\n    MOVE {from} TO {to}")
    });
    Batch::plain(format!(
        "IF DB_ID({target}) IS NOT NULL PRINT {there};\n\
         ELSE RESTORE DATABASE {name}\nFROM {}\nWITH {}{}RECOVERY, STATS = 5{};",
        disks(paths),
        place(source),
        checksum(source),
        moves.collect::<String>()
    ))
}

/// Makes the tables that live as long as the connection; safe to run again.
#[must_use]
pub fn begin_sql() -> Batch {
    Batch::plain(
        "USE [master];\n\
         SET NOCOUNT ON;\n\
         DROP TABLE IF EXISTS #stopmark_skip;\n\
         DROP TABLE IF EXISTS #stopmark_wrong;\n\
         DROP TABLE IF EXISTS #stopmark_newest;\n\
         CREATE TABLE #stopmark_skip (member nvarchar(400) NOT NULL);\n\
         CREATE TABLE #stopmark_wrong (member nvarchar(400) NOT NULL);\n\
         CREATE TABLE #stopmark_newest (mark nvarchar(128) NULL);",
    )
}

/// Leaves out the steps of a member whose database is there and no half-restored one: a script that is run again
/// goes on with what is missing, and never restores over anything.
#[must_use]
pub fn absent_sql(member: &MemberName, target: &DatabaseName) -> Batch {
    let (target, member) = (literal(target.as_str()), literal(&member.to_string()));
    Batch::plain(format!(
        "IF EXISTS (SELECT 1 FROM sys.databases AS d WHERE d.name = {target} AND d.state_desc <> N'RESTORING')\n\
         BEGIN\n    \
         INSERT INTO #stopmark_skip (member) VALUES ({member});\n    \
         PRINT {member} + N': the database is there already and is left as it is; the proof below judges it.';\n\
         END"
    ))
}

/// One step of a member, unless an earlier one failed. The statement is what the agent itself would send.
#[must_use]
pub fn guarded_sql(member: &MemberName, words: &str, statement: &Batch) -> Batch {
    let member_text = member.to_string();
    let (member, says) = (
        literal(&member_text),
        literal(&format!("{member_text}: {words}")),
    );
    let statement = statement.to_script();
    Batch::plain(format!(
        "IF NOT EXISTS (SELECT 1 FROM #stopmark_skip AS s WHERE s.member = {member})\n\
         BEGIN\n\
         PRINT {says};\n\
         {statement}\n\
         IF @@ERROR <> 0 INSERT INTO #stopmark_skip (member) VALUES ({member});\n\
         END"
    ))
}

/// The restore of a full or differential in a script.
#[must_use]
pub fn restore_database_sql(step: &RestoreDatabase, words: &str) -> Batch {
    guarded_sql(&step.member, words, &database_sql(step))
}

/// The restore of a log in a script.
#[must_use]
pub fn restore_log_sql(step: &RestoreLog, words: &str) -> Batch {
    guarded_sql(&step.member, words, &log_sql(step))
}

/// What a person types to see what a backup is.
#[must_use]
pub fn header_sql(source: &RestorePiece) -> Batch {
    let paths = source.stripes.iter().map(|stripe| stripe.sql_path.as_str());
    let which = match source.position {
        1 => String::new(),
        position => format!(" WITH FILE = {position}"),
    };
    Batch::plain(format!("RESTORE HEADERONLY FROM {}{which};", disks(paths)))
}

/// Requires that a member is online and stands at the mark that was asked for; 50000 otherwise.
#[must_use]
pub fn proof_sql(step: &ProveMark) -> Batch {
    let (target, mark) = (literal(step.target.as_str()), literal(step.mark.as_str()));
    let member = literal(&step.member.to_string());
    let ask = asked_inside(&unterminated(&newest_if_any_sql(step).text), "@newest");
    let (of_biztalk, is_stopped, beyond) = match step.mark_log {
        MarkLogKind::Stopmark => Default::default(),
        MarkLogKind::BizTalk => (
            stopped_sql(&target),
            format!(" AND @stopped = {mark}"),
            beyond_sql(step, &member),
        ),
    };
    Batch::plain(format!(
        "DECLARE @state nvarchar(60), @newest nvarchar(128), @stopped nvarchar(128), @beyond nvarchar(128);\n\
         SELECT @state = d.state_desc FROM sys.databases AS d WHERE d.name = {target};\n\
         {ask}\n\
         {of_biztalk}\
         IF @state = N'ONLINE' AND @newest = {mark}{is_stopped}\n\
         BEGIN\n    \
         PRINT {member} + N': stands at the mark.';\n\
         {beyond}\
         END\n\
         ELSE\n\
         BEGIN\n    \
         INSERT INTO #stopmark_wrong (member) VALUES ({member});\n    \
         SET @state = ISNULL(@state, N'no such database');\n    \
         SET @newest = ISNULL(@newest, N'none');\n    \
         SET @stopped = ISNULL(N' Its last restore stopped at: ' + @stopped, N'');\n    \
         RAISERROR (N'%s DOES NOT STAND AT THE MARK. State: %s. Newest mark: %s.%s', 16, 1, {member}, @state, @newest, @stopped);\n\
         END"
    ))
}

/// Asks an open database for a mark. Through a table, since `EXEC` of a text has no other way out.
fn asked_inside(statement: &str, variable: &str) -> String {
    format!(
        "DELETE FROM #stopmark_newest;\n\
         IF @state = N'ONLINE' INSERT INTO #stopmark_newest (mark) EXEC ({});\n\
         SELECT {variable} = n.mark FROM #stopmark_newest AS n;",
        literal(statement)
    )
}

/// A database that was there before the script has the mark's row too, if it ever passed the mark, and `BizTalk`'s table
/// does not say what came after. So the host must have restored it, and no further.
fn stopped_sql(target: &str) -> String {
    format!(
        "SELECT TOP (1) @stopped = h.stop_at_mark_name FROM msdb.dbo.restorehistory AS h\n    \
         WHERE h.destination_database_name = {target} AND h.restore_type <> 'V'\n    \
         ORDER BY h.restore_history_id DESC;\n"
    )
}

/// Rows that are named later are no proof of anything, but a person must hear of them: the database may have been used
/// since it was restored.
fn beyond_sql(step: &ProveMark, member: &str) -> String {
    let ask = asked_inside(&unterminated(&named_later_sql(step).text), "@beyond");
    format!(
        "{ask}\n\
         IF @beyond IS NOT NULL\n    \
         PRINT {member} + N': BEWARE: it also has a row of ' + @beyond + N', a name that is later. If anybody used it '\n        \
         + N'since it was restored, it does not stand at the mark any more: drop it, and run this script again.';\n"
    )
}

/// What a proven member had on its host beside its data. A login that the host lacks is told, and the rest is done.
#[must_use]
pub fn put_back_sql(step: &PutBack) -> Vec<Batch> {
    let (member_text, had) = (step.member.to_string(), &step.settings);
    let database = identifier(step.target.as_str());
    let mut all = Vec::new();
    if let Some(owner) = &had.owner {
        let statement = format!(
            "ALTER AUTHORIZATION ON DATABASE::{database} TO {};",
            identifier(owner)
        );
        all.push(with_login(&member_text, owner, "owner", &statement));
    }
    all.extend(switched_on(step).map(|(_, statement)| statement));
    for it in &had.users {
        let (user, login) = (identifier(&it.user), identifier(&it.login));
        let inside = format!("USE {database}\nALTER USER {user} WITH LOGIN = {login}");
        let statement = format!("EXEC ({});", literal(&inside));
        let what = format!("login of user {}", it.user);
        all.push(with_login(&member_text, &it.login, &what, &statement));
    }
    let member = literal(&member_text);
    let guarded = all.into_iter().map(|statement| {
        Batch::plain(format!(
            "IF NOT EXISTS (SELECT 1 FROM #stopmark_wrong AS w WHERE w.member = {member})\n\
             BEGIN\n{statement}\nEND"
        ))
    });
    guarded.collect()
}

/// A statement that needs a login, and what is said where there is none.
fn with_login(member: &str, login: &str, what: &str, statement: &str) -> String {
    let lacks = format!("{member}: {what} is not put back, for there is no login {login} here.");
    format!(
        "IF SUSER_SID({}) IS NULL\n    PRINT {};\nELSE\n    {statement}",
        literal(login),
        literal(&lacks)
    )
}

/// The text with no semicolon but at its end: one client (mssql-cli) cuts a file at each of them and sends the parts one
/// by one, whatever batch they belong to, and shows the first message of each. No statement of ours needs one.
#[must_use]
pub fn unterminated(text: &str) -> String {
    let mut left = String::with_capacity(text.len());
    let mut ends_with = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (ends_with, c) {
            (None, ';') => continue,
            (None, '\'' | '"') => ends_with = Some(c),
            (None, '[') => ends_with = Some(']'),
            (None, '-') if rest.peek() == Some(&'-') => ends_with = Some('\n'),
            (Some(end), c) if c == end => {
                // A doubled one is part of the name or text.
                if end != '\n' && rest.next_if_eq(&end).is_some() {
                    left.push(end);
                } else {
                    ends_with = None;
                }
            }
            _ => {}
        }
        left.push(c);
    }
    left
}

/// The last word: an error that ends `sqlcmd` with a code of its own (state 127), or a line that says that all is well.
#[must_use]
pub fn end_sql(mark: &MarkName) -> Batch {
    let well = literal(&format!(
        "EVERY MEMBER ON THIS HOST STANDS AT MARK {mark}. Now look at the other hosts."
    ));
    Batch::plain(format!(
        "IF EXISTS (SELECT 1 FROM #stopmark_wrong AS w)\n    \
         RAISERROR (N'THE MEMBERS ON THIS HOST ARE NOT AT THE MARK: see the errors above, and let nobody use them.', 16, 127);\n\
         ELSE\n    \
         PRINT {well};"
    ))
}

/// Users of a restored database whose login the host lacks.
#[must_use]
pub fn orphans_sql(target: &DatabaseName) -> Batch {
    let target = identifier(target.as_str());
    Batch::plain(format!(
        "SELECT p.name, p.type_desc, p.sid FROM {target}.sys.database_principals AS p\n\
         LEFT JOIN sys.server_principals AS s ON s.sid = p.sid\n\
         WHERE p.type IN ('S', 'U', 'G') AND p.principal_id > 4 AND p.authentication_type > 0 AND s.sid IS NULL;"
    ))
}

/// On the host that was: writes the statements that make its SQL logins elsewhere, with their SIDs and passwords, so that
/// restored users find their logins again.
#[must_use]
pub fn logins_sql() -> Batch {
    Batch::plain(
        "SELECT N'CREATE LOGIN ' + QUOTENAME(l.name) + N' WITH PASSWORD = '\n    \
         + CONVERT(nvarchar(600), CAST(LOGINPROPERTY(l.name, 'PasswordHash') AS varbinary(256)), 1)\n    \
         + N' HASHED, SID = ' + CONVERT(nvarchar(200), l.sid, 1)\n    \
         + N', CHECK_POLICY = OFF, DEFAULT_DATABASE = [master];'\n\
         FROM sys.sql_logins AS l WHERE l.name NOT LIKE N'##%' AND l.name <> N'sa';",
    )
}

/// The settings that a restore leaves behind, to compare with the host that was.
#[must_use]
pub fn settings_sql() -> Batch {
    Batch::plain(
        "SELECT d.name, SUSER_SNAME(d.owner_sid) AS owner, d.is_trustworthy_on, d.is_db_chaining_on,\n    \
         d.is_broker_enabled, d.is_cdc_enabled, d.is_published, d.compatibility_level, d.user_access_desc\n\
         FROM sys.databases AS d WHERE d.database_id > 4 ORDER BY d.name;",
    )
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let database = sample.database_name();
    let member = MemberName::new(
        sample.host.parse().expect("samples are valid names"),
        database.clone(),
    );
    let prove = |mark_log| ProveMark {
        member: member.clone(),
        target: database.clone(),
        mark: "BTS_2026_11_21_02_00_00_007".parse().expect("a valid mark"),
        later_marks: Vec::new(),
        mark_log,
        state: crate::plan::ProvenState::Online,
    };
    let (full, log) = (
        super::restore::database_step(sample, true),
        super::restore::log_step(sample, true),
    );
    let names = [
        "script.owner",
        "script.trustworthy",
        "script.chaining",
        "script.broker",
        "script.user",
    ];
    let put_back = put_back_sql(&sample_step(sample));
    let mut all = vec![
        ("script.begin", begin_sql()),
        ("script.absent", absent_sql(&member, &database)),
        ("script.full", restore_database_sql(&full, "its full")),
        ("script.log", restore_log_sql(&log, "its last log")),
        ("script.header", header_sql(&full.source)),
        (
            "script.companion",
            companion_sql(&database, &full.source, &full.moves),
        ),
        ("script.proof", proof_sql(&prove(MarkLogKind::Stopmark))),
        (
            "script.proof_biztalk",
            proof_sql(&prove(MarkLogKind::BizTalk)),
        ),
        ("script.end", end_sql(&prove(MarkLogKind::Stopmark).mark)),
        ("script.orphans", orphans_sql(&database)),
        ("script.logins", logins_sql()),
        ("script.settings", settings_sql()),
    ];
    all.extend(names.into_iter().zip(put_back));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that a client would take for its own breaks a script, whatever SQL Server makes of it.
    #[test]
    fn no_line_is_a_command_of_a_client() {
        for (name, batch) in statements(&Sample::hostile()) {
            for line in batch.text.lines() {
                let word = line.trim().to_lowercase();
                let is_command = ["go", "quit", "exit", "reset", "bye", "version"]
                    .contains(&word.split(' ').next().unwrap_or_default());
                assert!(
                    !is_command && !word.starts_with([':', '!']),
                    "{name}: {line}"
                );
            }
        }
    }

    #[test]
    fn statements_lose_their_semicolons_and_nothing_else() {
        for (text, left) in [
            (
                "USE [a;b]; SELECT ';', \"x;\";",
                "USE [a;b] SELECT ';', \"x;\"",
            ),
            ("PRINT 'it''s; here';", "PRINT 'it''s; here'"),
            ("-- it's; a word\nGO;", "-- it's; a word\nGO"),
            ("DROP DATABASE [x]];y];", "DROP DATABASE [x]];y]"),
        ] {
            assert_eq!(unterminated(text), left);
        }
    }

    #[test]
    fn a_script_sends_what_the_agent_would() {
        let step = super::super::restore::log_step(&Sample::hostile(), true);
        let script = restore_log_sql(&step, "words").text;
        assert!(script.contains(&log_sql(&step).text), "{script}");
    }
}
