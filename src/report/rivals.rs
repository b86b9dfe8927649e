//! What was found about others who back members up, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::doctor::{RivalCure, RivalFinding, Weight, examine_rivals};
use crate::model::{DatabaseName, HostName};
use crate::sql::rival_cure_script;
use crate::survey::RivalFacts;

/// What others do with members, on the hosts that were asked.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RivalReport {
    /// What was found, host by host, the gravest first.
    pub findings: Vec<ExaminedRival>,
    /// What could not be looked at, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
}

/// One finding with the T-SQL that mends it.
#[derive(Clone, Debug, Serialize)]
pub struct ExaminedRival {
    /// What was found.
    #[serde(flatten)]
    pub finding: RivalFinding,
    /// What a person runs on the host; none where only the tool itself can be changed.
    pub script: Option<String>,
}

impl RivalReport {
    /// Takes in what one host said of these members.
    pub fn add(&mut self, host: &HostName, members: &[DatabaseName], facts: &RivalFacts) {
        let found = examine_rivals(host, members, facts).into_iter();
        self.findings.extend(found.map(|finding| ExaminedRival {
            script: rival_cure_script(&finding.cure),
            finding,
        }));
        if !facts.unseen.is_empty() {
            let lacks = facts.unseen.join(", ");
            self.unseen
                .push(format!("`{host}`: the login lacks {lacks}"));
        }
    }

    /// The gravest finding.
    #[must_use]
    pub fn worst(&self) -> Option<Weight> {
        self.findings.iter().map(|it| it.finding.weight).max()
    }

    /// The text for people; empty where there is nothing to say.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for examined in &self.findings {
            examined
                .write(&mut text)
                .expect("a string takes everything");
        }
        for why in &self.unseen {
            writeln!(text, "  not seen: who else backs members up on {why}")
                .expect("a string takes everything");
        }
        text
    }
}

impl ExaminedRival {
    /// What mends it, one line.
    #[must_use]
    pub fn cure(&self) -> &str {
        match (&self.script, &self.finding.cure) {
            (Some(script), _) => script.trim_end(),
            (None, RivalCure::InTheTool { advice }) => advice,
            (None, RivalCure::DisableJob { .. } | RivalCure::EndManagedBackup { .. }) => "",
        }
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let RivalFinding {
            host,
            about,
            what,
            why,
            weight,
            risk,
            ..
        } = &self.finding;
        let (word, cure) = (weight.word(), self.cure());
        writeln!(
            text,
            "  {word} `{about}` on `{host}`: {what}\n         why:  {why}\n         cure: {cure}\n         risk: {risk}"
        )
    }
}
