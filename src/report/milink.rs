//! What `stopmark milink check` found, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::error::Exit;
use crate::milink::{MilinkCure, MilinkRow, Standing};
use crate::sql::milink_cure_script;

/// Every prerequisite of links to a Managed Instance.
#[derive(Clone, Debug, Serialize)]
pub struct MilinkReport {
    /// The prerequisites, host by host.
    pub rows: Vec<Examined>,
}

/// One prerequisite with what a person runs.
#[derive(Clone, Debug, Serialize)]
pub struct Examined {
    /// What was found.
    #[serde(flatten)]
    pub row: MilinkRow,
    /// The T-SQL that mends it; none where it is no T-SQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
}

impl MilinkReport {
    /// Of these prerequisites.
    #[must_use]
    pub fn of(rows: Vec<MilinkRow>) -> Self {
        let examined = |row: MilinkRow| Examined {
            script: row.cure.as_ref().and_then(milink_cure_script),
            row,
        };
        Self {
            rows: rows.into_iter().map(examined).collect(),
        }
    }

    /// Failed where no link can be made, degraded where somebody should look.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.rows.iter().map(|it| it.row.standing).max() {
            None | Some(Standing::Pass) => Exit::Ok,
            Some(Standing::Warn) => Exit::Degraded,
            Some(Standing::Fail) => Exit::Failed,
        }
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut about = "";
        for examined in &self.rows {
            if examined.row.about != about {
                about = &examined.row.about;
                writeln!(text, "{about}").expect("a string takes everything");
            }
            examined
                .write(&mut text)
                .expect("a string takes everything");
        }
        text
    }
}

impl Examined {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        let MilinkRow {
            what,
            standing,
            found,
            why,
            cure,
            ..
        } = &self.row;
        let word = match standing {
            Standing::Pass => "pass",
            Standing::Warn => "WARN",
            Standing::Fail => "FAIL",
        };
        writeln!(text, "  {word}  {what}: {found}")?;
        if *standing == Standing::Pass {
            return Ok(());
        }
        writeln!(text, "        why:  {why}")?;
        match (&self.script, cure) {
            (Some(script), _) => {
                let script = script.replace('\n', "\n              ");
                writeln!(text, "        cure: {script}")
            }
            (None, Some(MilinkCure::Prepare { member })) => {
                writeln!(text, "        cure: `stopmark milink prepare '{member}'`")
            }
            (None, Some(MilinkCure::Person { what })) => writeln!(text, "        cure: {what}"),
            (None, _) => Ok(()),
        }
    }
}
