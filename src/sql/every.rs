//! Every T-SQL text that the agent can send, made with given names: for review and for foreign parsers.
//!
//! Start at [`every_statement`]. Each verb file lists its own texts in `statements`; a verb whose text is
//! missing there escapes review.
//!
//! Nothing here is ever sent.

use super::statement::Batch;
use super::{
    applock, availability, backup, backup_history, biztalk, connect, discover, drill,
    event_session, facts, grants, history, links, mark, milink, prepare, probe, probe_mark, proof,
    recover, restore, restored, rivals, room, script, settings, target, watch, watch_link,
};
use crate::model::DatabaseName;

/// Names to make texts with.
pub(super) struct Sample {
    /// A database.
    pub(super) database: String,
    /// Another database.
    pub(super) other_database: String,
    /// A host and the linked server to it.
    pub(super) host: String,
    /// A login.
    pub(super) login: String,
    /// A folder as SQL Server names it.
    pub(super) folder: String,
    /// A logical file name.
    pub(super) file: String,
}

impl Sample {
    /// Names as people give them.
    pub(super) fn gentle() -> Self {
        Self {
            database: "Ledger".to_owned(),
            other_database: "Payments".to_owned(),
            host: r"PAY2\SQL".to_owned(),
            login: "stopmark".to_owned(),
            folder: r"\\nas\backup\PAY1".to_owned(),
            file: "Ledger_data".to_owned(),
        }
    }

    /// The first database.
    pub(super) fn database_name(&self) -> DatabaseName {
        self.database.parse().expect("samples are valid names")
    }

    /// Names that try to end their quotes, or are as long as SQL Server allows.
    pub(super) fn hostile() -> Self {
        Self {
            database: "x]'; DROP DATABASE [y]; --\u{1f980}".to_owned(),
            other_database: "]".repeat(128),
            host: "h]'\"/*\u{1f980}*/".to_owned(),
            login: r"DOM'AIN]\agent'; GO".to_owned(),
            folder: r"\\nas\o'brien] $(x) %d\".to_owned(),
            file: "f'; SHUTDOWN; --".to_owned(),
        }
    }
}

/// Every text with a name of its own, `verb.variant`; first with gentle, then with hostile names.
#[must_use]
pub fn every_statement() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (manner, sample) in [("gentle", Sample::gentle()), ("hostile", Sample::hostile())] {
        for (name, batch) in statements(&sample) {
            all.push((format!("{name}.{manner}"), batch.text));
        }
    }
    all
}

/// Every batch made with these names.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let mut all = vec![("connect.greeting", connect::greeting())];
    all.extend(watch::statements(sample));
    all.extend(facts::statements(sample));
    all.extend(availability::statements(sample));
    all.extend(links::statements(sample));
    all.extend(prepare::statements(sample));
    all.extend(grants::statements(sample));
    all.extend(event_session::statements(sample));
    all.extend(mark::statements(sample));
    all.extend(backup::statements(sample));
    all.extend(restore::statements(sample));
    all.extend(restored::statements(sample));
    all.extend(recover::statements(sample));
    all.extend(settings::statements(sample));
    all.extend(target::statements(sample));
    all.extend(room::statements(sample));
    all.extend(rivals::statements(sample));
    all.extend(script::statements(sample));
    all.extend(drill::statements(sample));
    all.extend(history::statements(sample));
    all.extend(discover::statements(sample));
    all.extend(applock::statements());
    all.extend(biztalk::statements(sample));
    all.extend(backup_history::statements(sample));
    all.extend(probe::statements(sample));
    all.extend(probe_mark::statements(sample));
    all.extend(proof::statements(sample));
    all.extend(milink::statements(sample));
    all.extend(watch_link::statements(sample));
    all
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_text_has_a_name_of_its_own() {
        let all = every_statement();
        let names: HashSet<_> = all.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn the_texts_are_as_reviewed() {
        let mut text = String::new();
        for (name, batch) in statements(&Sample::gentle()) {
            writeln!(text, "-- {name}").expect("a string takes all");
            for (at, value) in batch.parameters.iter().enumerate() {
                writeln!(text, "-- @P{} = {value:?}", at + 1).expect("a string takes all");
            }
            writeln!(text, "{}\nGO", batch.text).expect("a string takes all");
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn no_member_gets_a_copy_that_starts_no_chain() {
        for (name, text) in every_statement() {
            let is_no_member = text.starts_with("BACKUP DATABASE [model]")
                || name.starts_with("backup.full_copy.");
            assert!(is_no_member || !text.contains("COPY_ONLY"), "{name}");
        }
    }

    #[test]
    fn no_text_carries_a_secret() {
        for (name, text) in every_statement() {
            assert!(!text.contains("hunter2"), "{name}");
        }
    }
}
