//! Texts that sessions show: RAISERROR's placeholders, and what a statement is called.
//!
//! Start at [`message`]. Pure.

use crate::lang::ast::{BackupTarget, RestoreKind, StatementKind};

/// Fills `%s`, `%d`, `%i`, `%u`, `%x` and `%%` in a text of RAISERROR; a missing argument is
/// `(null)`.
pub(super) fn message(text: &str, arguments: &[Option<String>]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut arguments = arguments.iter();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '%' {
            filled.push(c);
            continue;
        }
        let mut spec = String::new();
        while let Some(&next) = rest.peek() {
            if !"0123456789-+ #.*lhI".contains(next) {
                break;
            }
            spec.push(next);
            rest.next();
        }
        match rest.next() {
            Some(kind @ ('s' | 'd' | 'i' | 'u' | 'x' | 'X' | 'o')) => {
                let value = arguments.next().and_then(Option::as_deref);
                filled.push_str(&placed(value, kind, &spec));
            }
            Some('%') | None => filled.push('%'),
            Some(other) => {
                filled.push('%');
                filled.push_str(&spec);
                filled.push(other);
            }
        }
    }
    filled
}

fn placed(value: Option<&str>, kind: char, spec: &str) -> String {
    let value = value.unwrap_or("(null)").to_owned();
    let value = match (kind, value.parse::<i64>()) {
        ('x', Ok(number)) => format!("{number:x}"),
        ('X', Ok(number)) => format!("{number:X}"),
        _ => value,
    };
    let width = spec.trim_start_matches(['-', '+', ' ', '#']);
    let (width, precision) = width.split_once('.').unwrap_or((width, ""));
    let value = match precision
        .trim_end_matches(['l', 'h', 'I', '6', '4'])
        .parse::<usize>()
    {
        Ok(most) if kind == 's' => value.chars().take(most).collect(),
        _ => value,
    };
    let is_zero_filled = width.starts_with('0') && kind != 's';
    let digits: String = width.chars().take_while(char::is_ascii_digit).collect();
    let width = digits.parse::<usize>().unwrap_or_default().min(4000);
    match (spec.starts_with('-'), is_zero_filled) {
        (true, _) => format!("{value:<width$}"),
        (false, true) => format!("{value:0>width$}"),
        (false, false) => format!("{value:>width$}"),
    }
}

/// What `sys.dm_exec_requests.command` shows.
pub(super) fn command_name(kind: &StatementKind) -> &'static str {
    match kind {
        StatementKind::Select(_) => "SELECT",
        StatementKind::Insert(_) => "INSERT",
        StatementKind::Update(_) => "UPDATE",
        StatementKind::Delete(_) => "DELETE",
        StatementKind::Merge(_) => "MERGE",
        StatementKind::Execute(_) => "EXECUTE",
        StatementKind::Backup(backup) => match backup.kind {
            BackupTarget::Database => "BACKUP DATABASE",
            BackupTarget::Log => "BACKUP LOG",
        },
        StatementKind::Restore(restore) => match restore.kind {
            RestoreKind::Database => "RESTORE DATABASE",
            RestoreKind::Log => "RESTORE LOG",
            RestoreKind::HeaderOnly => "RESTORE HEADERONLY",
            RestoreKind::FileListOnly => "RESTORE FILELIST",
            RestoreKind::LabelOnly => "RESTORE LABELONLY",
            RestoreKind::VerifyOnly => "RESTORE VERIFYONLY",
        },
        StatementKind::WaitForDelay(_) => "WAITFOR",
        StatementKind::BeginTransaction(_) => "BEGIN TRANSACTION",
        StatementKind::Commit(_) => "COMMIT TRANSACTION",
        StatementKind::Rollback(_) => "ROLLBACK TRANSACTION",
        StatementKind::Dbcc(_) => "DBCC",
        StatementKind::Kill(_) => "KILL",
        StatementKind::CreateDatabase(_) => "CREATE DATABASE",
        StatementKind::AlterDatabase(_) => "ALTER DATABASE",
        StatementKind::DropDatabase { .. } => "DROP DATABASE",
        StatementKind::CreateTable(_) => "CREATE TABLE",
        _ => "CONDITIONAL",
    }
}

#[cfg(test)]
mod tests {
    use super::message;

    fn check(text: &str, arguments: &[Option<&str>], expected: &str) {
        let arguments: Vec<_> = arguments.iter().map(|a| a.map(str::to_owned)).collect();
        assert_eq!(message(text, &arguments), expected);
    }

    #[test]
    fn placeholders_take_arguments_in_order() {
        check("%s has %d of %%", &[Some("a"), Some("5")], "a has 5 of %");
        check(
            "%05d|%-4s|%4s|%x",
            &[Some("42"), Some("a"), Some("b"), Some("255")],
            "00042|a   |   b|ff",
        );
        check("%s", &[], "(null)");
        check("100%", &[], "100%");
        check("%.3s", &[Some("abcdef")], "abc");
    }
}
