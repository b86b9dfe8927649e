//! A drill told to people in a terminal: the verdict, the times, and what failed.
//!
//! Start at [`DrillReport`]; `html` draws the same.

use std::fmt::Write as _;

use serde::Serialize;

use super::bytes::{counted, size, span};
use super::run::RunReport;
use crate::error::plain::plain;
use crate::model::{Certificate, MarkName, Soundness};
use crate::world::LogFact;

/// A drill that was held.
#[derive(Clone, Debug, Serialize)]
pub struct DrillReport {
    /// The certificate; none where the drill did not come so far.
    pub certificate: Option<Certificate>,
    /// The run, where it has just ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunReport>,
    /// Where the HTML report was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

/// All drills of a group.
#[derive(Clone, Debug, Serialize)]
pub struct DrillList {
    /// The drills, oldest first.
    pub drills: Vec<DrillLine>,
}

/// One drill, as the group's log has it.
#[derive(Clone, Debug, Serialize)]
pub struct DrillLine {
    /// The mark.
    pub mark: MarkName,
    /// Whether it passed.
    pub passed: bool,
    /// The certificate's key; none where an older version wrote the entry.
    pub certificate: Option<String>,
}

impl DrillReport {
    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Some(run) = &self.run {
            text.push_str(&run.text());
        }
        match &self.certificate {
            Some(certificate) => text.push_str(&certificate_text(certificate)),
            None => text.push_str("NO CERTIFICATE: the drill did not come so far\n"),
        }
        if let Some(file) = &self.html {
            writeln!(text, "  report    {}", plain(file)).expect("a string takes everything");
        }
        text
    }
}

fn certificate_text(it: &Certificate) -> String {
    let verdict = if it.passed { "passed" } else { "FAILED" };
    let mut lines = vec![format!("drill of group `{}` {verdict}", it.group)];
    lines.push(format!("  mark      {} (placed {})", it.mark, it.placed_at));
    let members = counted(it.members.len(), "member");
    match it.recovery_ms() {
        Some(recovery) => {
            let against = match (it.rto_target_ms, it.keeps_target()) {
                (Some(target), Some(true)) => format!(", within its target of {}", span(target)),
                (Some(target), _) => format!(", OVER its target of {}", span(target)),
                (None, _) => String::new(),
            };
            let (bytes, recovery) = (size(it.restored_bytes()), span(recovery));
            lines.push(format!(
                "  recovery  {members}, {bytes} in {recovery}{against}"
            ));
        }
        None => lines.push(format!(
            "  recovery  NEVER: not all of {members} came to the mark"
        )),
    }
    lines.push(format!(
        "  loss      {} would have been lost when it began",
        span(it.lost_ms())
    ));
    for member in &it.members {
        let at = if member.is_at_mark {
            "at the mark"
        } else {
            "NOT AT THE MARK"
        };
        let sound = match member.soundness {
            Soundness::NotAsked => "",
            Soundness::PagesSound => ", pages sound",
            Soundness::Sound => ", sound",
            Soundness::Unsound => ", UNSOUND",
        };
        lines.push(format!("  {}: {at}{sound}", member.member));
        lines.extend(member.faults.iter().map(|fault| format!("    {fault}")));
    }
    for check in &it.checks {
        let result = match &check.fault {
            None => "found".to_owned(),
            Some(fault) => format!("NOT FOUND: {fault}"),
        };
        lines.push(format!(
            "  check {} ({}): {result}",
            check.name, check.wanted
        ));
    }
    if it.was_cut_short {
        lines.push("  CUT SHORT: it was broken off before its end".to_owned());
    }
    if !it.is_clean {
        lines.push("  NOT CLEAN: something that the drill had made is still there".to_owned());
    }
    lines.iter().map(|line| plain(line) + "\n").collect()
}

impl DrillList {
    /// The drills among these facts of the group's log.
    #[must_use]
    pub fn of(facts: &[LogFact]) -> Self {
        let drills = facts.iter().filter_map(|fact| match fact {
            LogFact::Drilled {
                mark,
                passed,
                certificate,
                ..
            } => Some(DrillLine {
                mark: mark.clone(),
                passed: *passed,
                certificate: certificate.clone(),
            }),
            _ => None,
        });
        Self {
            drills: drills.collect(),
        }
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        if self.drills.is_empty() {
            return "no drill was ever held: `stopmark drill run`\n".to_owned();
        }
        let line = |drill: &DrillLine| {
            let verdict = if drill.passed { "passed" } else { "FAILED" };
            let id = drill.certificate.as_deref().and_then(id_of);
            let id = id.unwrap_or("without a certificate");
            format!("{}  {verdict}  {id}\n", drill.mark)
        };
        self.drills.iter().map(line).collect()
    }
}

/// The drill's id in the key of its certificate.
#[must_use]
pub fn id_of(key: &str) -> Option<&str> {
    key.rsplit('/').next()?.strip_suffix(".json")
}
