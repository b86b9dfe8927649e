//! What `stopmark check biztalk` found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::config::Config;
use crate::doctor::{BizTalkFinding, Weight, examine_biztalk, examine_layout};
use crate::error::{Exit, Result};
use crate::model::{DatabaseName, HostName};
use crate::survey::{HostReport, Survey, TargetFacts};

/// Everything that was found about a BizTalk group.
#[derive(Clone, Debug, Serialize)]
pub struct BizTalkReport {
    /// The management database.
    pub database: DatabaseName,
    /// Its host.
    pub host: HostName,
    /// Why nothing could be examined: what the host said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<String>,
    /// What a person should do about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_cure: Option<String>,
    /// How many databases the list has.
    pub listed: usize,
    /// What is wrong, the gravest first.
    pub findings: Vec<BizTalkFinding>,
    /// Hosts that could not be looked at as destinations of log shipping, each with what it said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
}

impl BizTalkReport {
    /// Examines a group whose management database this is.
    #[must_use]
    pub fn of(config: &Config, survey: &Survey, database: &DatabaseName) -> Self {
        let host = survey.management(config);
        let (silent, silent_cure) = match survey.hosts.get(host) {
            Some(HostReport::Silent { message, hint, .. }) => (Some(message.clone()), hint.clone()),
            _ => (None, None),
        };
        Self {
            database: database.clone(),
            host: host.clone(),
            silent,
            silent_cure,
            listed: survey
                .biztalk
                .as_ref()
                .map_or(0, |facts| facts.listed.len()),
            findings: examine_biztalk(config, survey),
            unseen: Vec::new(),
        }
    }

    /// With what is wrong with the destinations of log shipping among these hosts.
    #[must_use]
    pub fn with_layout(
        mut self,
        survey: &Survey,
        looks: Vec<(HostName, Result<TargetFacts>)>,
    ) -> Self {
        let mut hosts = BTreeMap::new();
        for (name, look) in looks {
            match look {
                Ok(facts) => drop(hosts.insert(name, facts)),
                Err(error) => self.unseen.push(format!("`{name}`: {}", error.message())),
            }
        }
        self.findings.extend(examine_layout(survey, &hosts));
        self.findings.sort_by_key(|it| std::cmp::Reverse(it.weight));
        self
    }

    /// Degraded where only risks were found, failed where the group gets no points.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let blocks = |it: &BizTalkFinding| it.weight == Weight::Blocks;
        if self.silent.is_some() || self.findings.iter().any(blocks) {
            Exit::Failed
        } else if self.findings.is_empty() {
            Exit::Ok
        } else {
            Exit::Degraded
        }
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("BizTalk group of `{}` on `{}`\n", self.database, self.host);
        if let Some(why) = &self.silent {
            writeln!(text, "  not examined: {why}").expect("a string takes everything");
            if let Some(cure) = &self.silent_cure {
                writeln!(text, "         cure: {cure}").expect("a string takes everything");
            }
            return text;
        }
        if self.findings.is_empty() {
            let listed = self.listed;
            writeln!(
                text,
                "  {listed} databases are listed, and nothing is wrong"
            )
            .expect("a string takes everything");
        }
        for finding in &self.findings {
            let word = finding.weight.word();
            let BizTalkFinding {
                about,
                what,
                why,
                cure,
                ..
            } = finding;
            writeln!(
                text,
                "  {word} `{about}`: {what}\n         why:  {why}\n         cure: {cure}"
            )
            .expect("a string takes everything");
        }
        for unseen in &self.unseen {
            writeln!(
                text,
                "  not looked at as a destination of log shipping: {unseen}"
            )
            .expect("a string takes everything");
        }
        text
    }
}
