//! What the parameters of BizTalk's own backup job say, read from the text of its steps.
//!
//! Start at [`settings_of`]. The steps are `exec [dbo].[procedure] value, @name = value, ..`; anything else that people
//! write around them is passed over. Defaults are the procedures' own.

use serde::Serialize;

/// What the job is told to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobSettings {
    /// `h`, `d`, `w`, `m` or `y`: how often a full is due.
    pub frequency: Option<char>,
    /// The first part of its marks.
    pub mark_prefix: Option<String>,
    /// The folders that its steps write to, each once.
    pub folders: Vec<String>,
    /// A set that failed is followed by a full.
    pub full_after_partial: bool,
    /// The local hour of its fulls.
    pub hour: Option<u8>,
    /// Days are counted in local time, not in UTC.
    pub use_local_time: bool,
    /// Whether SQL Server compresses.
    pub compression: bool,
    /// How many days of its history are kept.
    pub days_to_keep: Option<u16>,
}

/// The order of parameters that are given without a name.
const FULL: &[&str] = &[
    "frequency",
    "markname",
    "backuppath",
    "forcefullbackupafterpartialsetfailure",
    "backuphour",
    "uselocaltime",
];
const LOG: &[&str] = &["markname", "backuppath", "uselocaltime"];
const HISTORY: &[&str] = &["daystokeep", "uselocaltime"];
const COMPRESSION: &[&str] = &["bcompression"];

/// The settings of a job whose T-SQL steps these are.
#[must_use]
pub fn settings_of(commands: &[String]) -> JobSettings {
    let mut settings = JobSettings::default();
    for command in commands {
        for (procedure, order) in [
            ("sp_backupallfull_schedule", FULL),
            ("sp_markall", LOG),
            ("sp_deletebackuphistory", HISTORY),
            ("sp_setbackupcompression", COMPRESSION),
        ] {
            for (name, value) in parameters(command, procedure, order) {
                settings.take(&name, &value);
            }
        }
    }
    settings
}

impl JobSettings {
    fn take(&mut self, name: &str, value: &str) {
        let is_set = value == "1";
        match name {
            "frequency" => self.frequency = value.chars().next().map(|c| c.to_ascii_lowercase()),
            "markname" => self.mark_prefix = Some(value.to_owned()),
            "backuppath" if !self.folders.iter().any(|it| it == value) => {
                self.folders.push(value.to_owned());
            }
            "forcefullbackupafterpartialsetfailure" => self.full_after_partial = is_set,
            "backuphour" => self.hour = value.parse().ok().filter(|hour| *hour < 24),
            "uselocaltime" => self.use_local_time |= is_set,
            "bcompression" => self.compression = is_set,
            "daystokeep" => self.days_to_keep = value.parse().ok(),
            _ => {}
        }
    }
}

/// The parameters of one call, names in lower case without `@`; empty where the text does not call the procedure.
pub(in crate::doctor) fn parameters(
    command: &str,
    procedure: &str,
    order: &[&str],
) -> Vec<(String, String)> {
    let text = without_comments(command);
    // ASCII letters change no lengths, so that places in one text are places in the other.
    let lower = text.to_ascii_lowercase();
    let Some(at) = lower.find(procedure) else {
        return Vec::new();
    };
    let after = text[at + procedure.len()..].trim_start_matches(']');
    let mut found = Vec::new();
    for (nth, part) in parts(after).into_iter().enumerate() {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) if name.trim().starts_with('@') => {
                (name.trim().trim_start_matches('@').to_lowercase(), value)
            }
            _ => (order.get(nth).unwrap_or(&"").to_string(), part.as_str()),
        };
        found.push((name, unquoted(value.trim())));
    }
    found
}

/// What stands between commas outside of quotes, up to the end of the statement.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    for c in text.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ';' if !is_quoted => break,
            ',' if !is_quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// `N'it''s'` and `'it''s'` are `it's`.
fn unquoted(value: &str) -> String {
    let bare = value.strip_prefix(['N', 'n']).unwrap_or(value);
    let Some(quoted) = bare.strip_prefix('\'') else {
        // What follows a number on later lines is no part of it.
        return value.split_whitespace().next().unwrap_or("").to_owned();
    };
    let mut text = String::new();
    let mut rest = quoted.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\'' && rest.next_if_eq(&'\'').is_none() {
            break;
        }
        text.push(c);
    }
    text
}

/// BizTalk's own step texts explain each value behind it: `'d' /* Frequency */`.
pub(in crate::doctor) fn without_comments(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("/*") {
        bare.push_str(&rest[..at]);
        rest = rest[at..]
            .find("*/")
            .map_or("", |end| &rest[at + end + 2..]);
    }
    bare.push_str(rest);
    let lines = bare
        .lines()
        .map(|line| line.split_once("--").map_or(line, |(line, _)| line));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(commands: &[&str]) -> JobSettings {
        let commands: Vec<String> = commands.iter().map(|it| (*it).to_owned()).collect();
        settings_of(&commands)
    }

    #[test]
    fn the_steps_as_biztalk_ships_them_are_understood() {
        let settings = of(&[
            "exec [dbo].[sp_SetBackupCompression] @bCompression = 1 /*0 - no, 1 - yes*/",
            "exec [dbo].[sp_BackupAllFull_Schedule] 'd' /* Frequency */, 'BTS' /* Name of mark */, \
             '\\\\nas\\bts, old''s' /* location */, 1, 3, 1",
            "exec [dbo].[sp_MarkAll] 'BTS' /* mark */,'\\\\nas\\logs'",
            "exec [dbo].[sp_DeleteBackupHistory] @DaysToKeep=30, @UseLocalTime =1",
        ]);
        let expected = JobSettings {
            frequency: Some('d'),
            mark_prefix: Some("BTS".to_owned()),
            folders: vec![r"\\nas\bts, old's".to_owned(), r"\\nas\logs".to_owned()],
            full_after_partial: true,
            hour: Some(3),
            use_local_time: true,
            compression: true,
            days_to_keep: Some(30),
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn what_is_left_out_has_the_procedures_own_defaults() {
        let settings = of(&["IF sys.fn_hadr_is_primary_replica('BizTalkMgmtDb') = 1\n\
             BEGIN\n EXEC BizTalkMgmtDb.dbo.sp_BackupAllFull_Schedule @Frequency = N'w', @MarkName = N'B1',\n\
             @BackupPath = N'/b' -- a word, with a comma\nEND"]);
        assert_eq!(settings.frequency, Some('w'));
        assert_eq!(settings.folders, ["/b"]);
        assert!(!settings.use_local_time && !settings.full_after_partial);
        assert_eq!((settings.hour, settings.days_to_keep), (None, None));
    }

    #[test]
    fn nonsense_says_nothing() {
        for text in [
            "",
            "exec sp_markall",
            "exec sp_markall '",
            "/* sp_markall 'x'",
            "sp_markall ,,,;",
        ] {
            assert_eq!(of(&[text]).folders, Vec::<String>::new(), "{text}");
        }
    }
}
