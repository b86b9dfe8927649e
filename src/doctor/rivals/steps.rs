//! What a step of a job backs up, read from its text.
//!
//! Start at [`taken_by`]. A step is only looked at, never understood: a name that stands in a variable may be any, and
//! then counts as ours.

use crate::doctor::biztalk::{parameters, without_comments};
use crate::model::DatabaseName;
use crate::survey::JobStep;

/// The kind of backup that a step takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// What it does stands elsewhere.
    Unknown,
    /// Fulls that are no copies.
    Full,
    /// Logs that are no copies.
    Log,
}

/// What a step takes of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// The kind; of several the gravest.
    pub(super) what: What,
    /// ` of ..` where the text names a member; else empty.
    pub(super) of: String,
    /// By what.
    pub(super) by: &'static str,
}

/// Words in lower case that are a backup by themselves, with the kind and who that is.
const WORDS: &[(&str, What, &str)] = &[
    ("sp_markall", What::Log, "BizTalk's own backup job"),
    ("sp_backupallfull", What::Full, "BizTalk's own backup job"),
    ("xp_backup_log", What::Log, "LiteSpeed"),
    ("xp_backup_database", What::Full, "LiteSpeed"),
    ("xp_slssqlmaint", What::Unknown, "LiteSpeed"),
    ("xp_ss_backup", What::Unknown, "Idera SQL Safe"),
    ("emc_run_backup", What::Unknown, "Data Domain or NetWorker"),
    ("minion.backupmaster", What::Unknown, "Minion Backup"),
    ("xp_sqlmaint", What::Unknown, "a maintenance plan of old"),
    ("sqllogship", What::Unknown, "log shipping"),
    ("backup-sqldatabase", What::Unknown, "PowerShell"),
    ("backup-dbadatabase", What::Unknown, "dbatools"),
];

const OLA: &str = "Ola Hallengren's DatabaseBackup";
/// How a PowerShell cmdlet is told to take logs.
const POWERSHELL_LOG: [&str; 2] = ["-backupaction log", "-type log"];

/// What the step takes of these members; none where it takes nothing of theirs.
pub(super) fn taken_by(step: &JobStep, members: &[DatabaseName]) -> Option<Taken> {
    let text = spaced(&without_comments(&step.command));
    let lower = text.to_ascii_lowercase();
    let mut found: Vec<Taken> = Vec::new();
    found.extend(statement(&text, &lower, "backup log ", What::Log, members));
    found.extend(statement(
        &text,
        &lower,
        "backup database ",
        What::Full,
        members,
    ));
    found.extend(ola(&text, &lower, members));
    for (word, what, by) in WORDS {
        if lower.contains(word) {
            let is_log = *by == "PowerShell" || *by == "dbatools";
            let is_log = is_log && POWERSHELL_LOG.iter().any(|it| lower.contains(it));
            let what = if is_log { What::Log } else { *what };
            found.push(Taken {
                what,
                of: String::new(),
                by,
            });
        }
    }
    let is_plan =
        step.subsystem.eq_ignore_ascii_case("SSIS") && lower.contains("maintenance plans\\");
    if is_plan {
        found.push(Taken {
            what: What::Unknown,
            of: String::new(),
            by: "a maintenance plan",
        });
    }
    found.into_iter().max_by_key(|it| it.what)
}

/// A text with single spaces.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `BACKUP LOG name` and its like, as far as it is no copy and may be of a member.
fn statement(
    text: &str,
    lower: &str,
    verb: &str,
    what: What,
    members: &[DatabaseName],
) -> Option<Taken> {
    let is_word = |at: usize| {
        let before = lower[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '-')
    };
    let places: Vec<usize> = lower.match_indices(verb).map(|(at, _)| at).collect();
    let mut places = places.into_iter().filter(|at| is_word(*at));
    places.find_map(|at| {
        let from = at + verb.len();
        let end = lower[from..]
            .find("backup ")
            .map_or(lower.len(), |to| from + to);
        if lower[from..end].contains("copy_only") {
            return None;
        }
        let of = target(&text[from..], members)?;
        Some(Taken {
            what,
            of,
            by: "a BACKUP statement",
        })
    })
}

/// The member that stands here, as ` of ..`; empty where it may be any, none where it is another database.
fn target(text: &str, members: &[DatabaseName]) -> Option<String> {
    let name = match text.chars().next()? {
        '[' => text[1..].split(']').next()?,
        '"' => text[1..].split('"').next()?,
        c if c.is_alphabetic() || c == '_' => {
            let is_end = |c: char| !(c.is_alphanumeric() || "_$#".contains(c));
            text.split(is_end).next()?
        }
        _ => return Some(String::new()),
    };
    let is_it = |member: &&DatabaseName| member.as_str().eq_ignore_ascii_case(name);
    members
        .iter()
        .find(is_it)
        .map(|member| format!(" of `{member}`"))
}

fn ola(text: &str, lower: &str, members: &[DatabaseName]) -> Option<Taken> {
    if !lower.contains("databasebackup") {
        return None;
    }
    let given = parameters(text, "databasebackup", &[]);
    let value = |name: &str| {
        let mut given = given.iter();
        given
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.to_lowercase())
    };
    let is_copy = value("copyonly").is_some_and(|it| it == "y");
    let what = match value("backuptype").as_deref() {
        Some("log") => What::Log,
        Some("full") => What::Full,
        Some("diff") => return None,
        _ => What::Unknown,
    };
    let is_meant = value("databases").is_none_or(|list| selects(&list, members));
    (is_meant && !is_copy).then_some(Taken {
        what,
        of: String::new(),
        by: OLA,
    })
}

/// Whether `@Databases` selects one of these: names, groups of names, `%`, each taken back by `-`.
fn selects(list: &str, members: &[DatabaseName]) -> bool {
    let parts: Vec<&str> = list.split(',').map(str::trim).collect();
    members.iter().any(|member| {
        let name = member.as_str().to_lowercase();
        let is_left_out = parts.iter().any(|it| it.strip_prefix('-') == Some(&name));
        let is_named = |it: &&str| {
            *it == name
                || it.contains('%')
                || matches!(
                    *it,
                    "all_databases" | "user_databases" | "availability_group_databases"
                )
        };
        !is_left_out && parts.iter().filter(|it| !it.starts_with('-')).any(is_named)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(subsystem: &str, command: &str) -> String {
        let step = JobStep {
            job: "job".to_owned(),
            is_enabled: true,
            subsystem: subsystem.to_owned(),
            database: None,
            command: command.to_owned(),
        };
        let members = ["Ledger", "Pay [1]"].map(|name| name.parse().expect("a name"));
        taken_by(&step, &members).map_or_else(
            || "nothing".to_owned(),
            |Taken { what, of, by }| format!("{what:?}{of}, {by}"),
        )
    }

    #[test]
    fn a_statement_counts_where_it_is_no_copy_and_may_be_of_a_member() {
        for (command, expected) in [
            (
                "BACKUP LOG Ledger TO DISK = 'x'",
                "Log of `Ledger`, a BACKUP statement",
            ),
            (
                "backup  log\n[ledger] to disk='x'",
                "Log of `Ledger`, a BACKUP statement",
            ),
            ("BACKUP LOG Other TO DISK = 'x'", "nothing"),
            ("BACKUP LOG Ledger TO DISK = 'x' WITH COPY_ONLY", "nothing"),
            (
                "BACKUP DATABASE Ledger TO DISK='x' WITH COPY_ONLY; BACKUP LOG Ledger TO DISK='y'",
                "Log of `Ledger`, a BACKUP statement",
            ),
            ("-- BACKUP LOG Ledger\nSELECT 1", "nothing"),
            ("EXEC ('BACKUP LOG ' + @name)", "Log, a BACKUP statement"),
            ("EXEC usp_backup log , 1", "nothing"),
            (
                "BACKUP DATABASE @db TO DISK = @file",
                "Full, a BACKUP statement",
            ),
        ] {
            assert_eq!(told("TSQL", command), expected, "{command}");
        }
    }

    #[test]
    fn the_scripts_of_ola_hallengren_are_read_by_their_parameters() {
        for (command, expected) in [
            (
                "EXECUTE [dbo].[DatabaseBackup] @Databases = 'USER_DATABASES', @BackupType = 'LOG'",
                "Log",
            ),
            (
                "sqlcmd -E -d master -Q \"EXECUTE dbo.DatabaseBackup @Databases = 'Ledger', @BackupType = 'FULL'\" -b",
                "Full",
            ),
            (
                "EXEC dbo.DatabaseBackup @Databases = 'USER_DATABASES, -Ledger, -Pay [1]', @BackupType = 'LOG'",
                "nothing",
            ),
            (
                "EXEC dbo.DatabaseBackup @Databases = 'SYSTEM_DATABASES', @BackupType = 'FULL'",
                "nothing",
            ),
            (
                "EXEC dbo.DatabaseBackup @Databases = 'ALL_DATABASES', @BackupType = 'FULL', @CopyOnly = 'Y'",
                "nothing",
            ),
            (
                "EXEC dbo.DatabaseBackup @Databases = 'ALL_DATABASES', @BackupType = 'DIFF'",
                "nothing",
            ),
        ] {
            assert!(told("CmdExec", command).starts_with(expected), "{command}");
        }
    }

    #[test]
    fn other_tools_are_known_by_their_words() {
        for (subsystem, command, expected) in [
            (
                "TSQL",
                "exec [dbo].[sp_MarkAll] 'BTS'",
                "Log, BizTalk's own backup job",
            ),
            (
                "SSIS",
                r#"/Server "." /SQL "Maintenance Plans\Nightly""#,
                "Unknown, a maintenance plan",
            ),
            (
                "PowerShell",
                "Backup-SqlDatabase -Database L -BackupAction Log",
                "Log, PowerShell",
            ),
            (
                "PowerShell",
                "Backup-DbaDatabase -Type Full",
                "Unknown, dbatools",
            ),
            (
                "TSQL",
                "EXEC master.dbo.xp_backup_log @database = 'x'",
                "Log, LiteSpeed",
            ),
            ("TSQL", "EXEC sp_updatestats", "nothing"),
        ] {
            assert_eq!(told(subsystem, command), expected, "{command}");
        }
    }
}
