//! What `stopmark link check` found, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::link_trials::{LinkTrial, PastMarks, trials_of};
use super::rivals::RivalReport;
use crate::config::Config;
use crate::doctor::{LinkCure, LinkFinding, Weight, examine};
use crate::error::Exit;
use crate::model::HostName;
use crate::plan::Warning;
use crate::run::record::Record;
use crate::sql::link_cure_script;
use crate::survey::{HostReport, Survey};

/// Everything that was found about the links of the management host.
#[derive(Clone, Debug, Serialize)]
pub struct LinkReport {
    /// The host that marks are placed from.
    pub host: HostName,
    /// Why nothing could be examined: what the host said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<String>,
    /// What is wrong, the gravest first.
    pub findings: Vec<Examined>,
    /// Who else backs members up.
    pub rivals: RivalReport,
    /// Marks that were tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<LinkTrial>,
    /// What was not tried, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untried: Vec<String>,
    /// What marks took before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub past_marks: Option<PastMarks>,
}

/// One finding with the T-SQL that mends it.
#[derive(Clone, Debug, Serialize)]
pub struct Examined {
    /// What was found.
    #[serde(flatten)]
    pub finding: LinkFinding,
    /// What a person runs on the host; none where `stopmark link apply` or a decision is needed.
    pub script: Option<String>,
}

impl LinkReport {
    /// Examines the links that marks need.
    #[must_use]
    pub fn of(config: &Config, survey: &Survey) -> Self {
        let findings = examine(config, survey).into_iter();
        let silent = match survey.hosts.get(survey.management(config)) {
            Some(HostReport::Silent { message, .. }) => Some(message.clone()),
            _ => None,
        };
        Self {
            host: survey.management(config).clone(),
            silent,
            findings: findings.map(Examined::of).collect(),
            rivals: RivalReport::default(),
            trials: Vec::new(),
            untried: Vec::new(),
            past_marks: None,
        }
    }

    /// Takes in what a run tried.
    #[must_use]
    pub fn with_trials(mut self, record: &Record) -> Self {
        self.trials = trials_of(record);
        let warnings = record.rounds.iter().flat_map(|round| &round.plan.warnings);
        let words = |warning: &Warning| format!("{}: {}", warning.code, warning.message);
        self.untried = warnings.map(words).collect();
        self
    }

    /// Degraded where only risks were found, failed where no mark passes.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let blocks = |it: &Examined| it.finding.weight == Weight::Blocks;
        let failed = |trial: &LinkTrial| trial.cost.is_none();
        if self.silent.is_some()
            || self.findings.iter().any(blocks)
            || self.rivals.worst() == Some(Weight::Blocks)
            || self.trials.iter().any(failed)
        {
            Exit::Failed
        } else if self.findings.is_empty()
            && self.untried.is_empty()
            && self.rivals.findings.is_empty()
        {
            Exit::Ok
        } else {
            Exit::Degraded
        }
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("links of `{}`\n", self.host);
        if let Some(why) = &self.silent {
            writeln!(text, "  not examined: the host does not answer: {why}")
                .expect("a string takes everything");
            return text;
        }
        if self.findings.is_empty() {
            text.push_str("  every link that marks need is as it should be; `stopmark link test` calls through them\n");
        }
        for examined in &self.findings {
            examined
                .write(&mut text)
                .expect("a string takes everything");
        }
        text.push_str(&self.rivals.text());
        for trial in &self.trials {
            trial.write(&mut text).expect("a string takes everything");
        }
        for why in &self.untried {
            writeln!(text, "  untried: {why}").expect("a string takes everything");
        }
        if let Some(past) = &self.past_marks {
            writeln!(text, "  past    {}", past.text()).expect("a string takes everything");
        }
        text
    }
}

impl Examined {
    fn of(finding: LinkFinding) -> Self {
        let cure = finding.cure.as_ref();
        let script = cure.and_then(|cure| link_cure_script(&finding.link, cure));
        Self { finding, script }
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let LinkFinding {
            link,
            what,
            why,
            weight,
            risk,
            cure,
            ..
        } = &self.finding;
        let word = weight.word();
        writeln!(text, "  {word} `{link}`: {what}\n         why:  {why}")?;
        match (&self.script, cure) {
            (Some(script), _) => writeln!(text, "         cure: {}", script.trim_end())?,
            (None, Some(LinkCure::Configure { advice })) => {
                writeln!(text, "         cure: {advice}")?;
            }
            (None, Some(_)) => writeln!(
                text,
                "         cure: `stopmark link apply`, with `--foreign '{link}'` where Stopmark did not make it"
            )?,
            (None, None) => {}
        }
        match risk {
            Some(risk) if *risk != "none" => writeln!(text, "         risk: {risk}"),
            _ => Ok(()),
        }
    }
}
