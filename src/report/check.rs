//! What `stopmark check` found, gravest first within each subject.

use std::fmt::Write as _;

use serde::Serialize;

use super::bytes::{counted, in_zone};
use crate::config::Config;
use crate::error::{Code, Error, Exit};
use crate::model::{GroupName, Timestamp};
use crate::run::events::Failure;
use crate::run::record::StepState;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Fine,
    /// A run works, but somebody should know.
    Warning,
    /// A run would fail.
    Error,
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// How grave.
    pub severity: Severity,
    /// The host, member or store that it is about.
    pub about: String,
    /// The stable code; none for what is fine.
    pub code: Option<String>,
    /// One line.
    pub message: String,
    /// What a person should do.
    pub hint: Option<String>,
}

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// The group.
    pub group: GroupName,
    /// The findings, in the order of looking.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// A report with nothing in it yet.
    #[must_use]
    pub fn new(group: &GroupName) -> Self {
        Self {
            group: group.clone(),
            findings: Vec::new(),
        }
    }

    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Adds something that is as it should be.
    pub fn fine(&mut self, about: &str, message: &str) {
        self.add(Finding {
            severity: Severity::Fine,
            about: about.to_owned(),
            code: None,
            message: message.to_owned(),
            hint: None,
        });
    }

    /// Adds a warning.
    pub fn warn(&mut self, about: &str, code: Code, message: &str, hint: &str) {
        self.add(coded(Severity::Warning, about, code, message, Some(hint)));
    }

    /// Adds something that would make a run fail.
    pub fn fault(&mut self, about: &str, code: Code, message: &str, hint: &str) {
        self.add(coded(Severity::Error, about, code, message, Some(hint)));
    }

    /// Adds what the trial of `what` came to; `fine` says what it means that it went well.
    pub fn trial(&mut self, about: &str, what: &str, state: Option<&StepState>, fine: &str) {
        match state {
            Some(StepState::Ended(_)) => self.fine(about, &format!("{what}: {fine}")),
            Some(StepState::Failed(failure)) => self.failed(about, what, failure),
            Some(StepState::Started | StepState::Skipped(_) | StepState::Vanished) | None => {
                let message = format!("{what}: not tried, since the check was interrupted");
                self.warn(about, Code::Interrupted, &message, "run it again");
            }
        }
    }

    /// Adds that something could not be tried at all.
    pub fn untried(&mut self, what: &str, error: &Error) {
        let message = format!("not tried: {}", error.message());
        self.add(Finding {
            severity: match error.code() {
                Code::RunBusy => Severity::Warning,
                _ => Severity::Error,
            },
            about: what.to_owned(),
            code: Some(error.code().text().to_owned()),
            message,
            hint: error.hint_text().map(str::to_owned),
        });
    }

    /// Adds a step that failed.
    pub fn failed(&mut self, about: &str, what: &str, failure: &Failure) {
        let place = failure.context.iter();
        let place = place
            .filter(|(what, value)| value != about && what != "cause")
            .map(|(what, value)| format!(", {what} `{value}`"));
        let cause = failure.sql_number.zip(failure.sql_text.as_ref());
        let cause = cause.map(|(number, text)| format!(": {text} ({number})"));
        let message = format!(
            "{what}: {}{}{}",
            failure.message,
            place.collect::<String>(),
            cause.unwrap_or_default()
        );
        self.add(Finding {
            severity: Severity::Error,
            about: about.to_owned(),
            code: Some(failure.code.clone()),
            message,
            hint: failure.hint.clone(),
        });
    }

    /// Adds the next time of each schedule.
    pub fn schedules(&mut self, config: &Config, now: Timestamp) {
        for (job, config) in &config.schedule.jobs {
            let job = job.word();
            if let Some(at) = config.next_after(now) {
                let at = in_zone(at, &config.zone);
                self.fine("schedule", &format!("{job}: next at {at}"));
            } else {
                let message = format!("{job}: `{}` never comes", config.expression);
                self.warn(
                    "schedule",
                    Code::ConfigSchedule,
                    &message,
                    "correct the expression",
                );
            }
        }
    }

    /// Errors are a failure, warnings a degraded success.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.findings.iter().map(|finding| finding.severity).max() {
            Some(Severity::Error) => Exit::Failed,
            Some(Severity::Warning) => Exit::Degraded,
            Some(Severity::Fine) | None => Exit::Ok,
        }
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("group `{}`\n", self.group);
        for finding in &self.findings {
            let code = finding
                .code
                .as_ref()
                .map(|code| format!(" [{code}]"))
                .unwrap_or_default();
            let word = finding.severity.word();
            writeln!(
                text,
                "  {word:<7} {}: {}{code}",
                finding.about, finding.message
            )
            .expect("a string takes everything");
            if let Some(hint) = &finding.hint {
                writeln!(text, "          hint: {hint}").expect("a string takes everything");
            }
        }
        let count = |severity| {
            self.findings
                .iter()
                .filter(|it| it.severity == severity)
                .count()
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
        writeln!(text, "{errors}, {warnings}").expect("a string takes everything");
        text
    }
}

impl Severity {
    const fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warning => "warning",
            Self::Error => "ERROR",
        }
    }
}

fn coded(
    severity: Severity,
    about: &str,
    code: Code,
    message: &str,
    hint: Option<&str>,
) -> Finding {
    Finding {
        severity,
        about: about.to_owned(),
        code: Some(code.text().to_owned()),
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
    }
}
