//! The linked-server doctor: what is wrong with the links that marks travel through, why it matters, and the cure.
//!
//! Start at [`examine`]; [`examine_rivals`] is about those who back members up beside us. Links are judged whoever made
//! them, by what the survey read; what only a call can show (a password, a firewall, the other side's MSDTC) is for
//! `stopmark link test`. Sources are sections 4.1 to 4.5 of the facts about SQL Server that this product is built on:
//! Microsoft's pages on `sp_addlinkedserver`, `sp_serveroption`, `sp_addlinkedsrvlogin` and `sys.servers`.
//!
//! Nothing is contacted here, and nothing is changed.

mod biztalk;
mod login;
mod names;
mod options;
mod rivals;
mod route;
mod service_account;

use serde::Serialize;

pub use biztalk::{BizTalkFinding, JobSettings, examine_biztalk, examine_layout, settings_of};
pub use names::{LinkedName, linked_names};
pub use rivals::{RivalCure, RivalFinding, examine_rivals};

use crate::config::{Config, HostConfig};
use crate::model::HostName;
use crate::survey::{HostFacts, LinkFacts, Survey};

/// What a finding means for marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Marks work; it may hurt on another day, or help somebody who should not be helped.
    Risk,
    /// No mark passes, or it would not be one moment.
    Blocks,
}

impl Weight {
    /// The word that findings begin with, six letters wide.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Blocks => "BLOCKS",
            Self::Risk => "risk  ",
        }
    }
}

/// The change that mends a link; `sql` writes it as T-SQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LinkCure {
    /// `sp_serveroption`.
    Option {
        /// The option, as `sp_serveroption` calls it.
        option: &'static str,
        /// Its value.
        value: String,
    },
    /// The mapping for everybody is dropped.
    DropWildcard,
    /// One login's mapping is dropped.
    DropMapping {
        /// The local login.
        login: String,
    },
    /// Another link is dropped, by a person who knows who uses it: no command of Stopmark's does that.
    DropLink {
        /// The link.
        link: String,
    },
    /// The configuration is changed.
    Configure {
        /// How.
        advice: String,
    },
    /// `stopmark link apply` makes or remakes it; a link of somebody else's only where it is named with `--foreign`.
    Apply,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinkFinding {
    /// The host that has the link, or should have it.
    pub host: HostName,
    /// The linked server.
    pub link: String,
    /// What it means for marks.
    pub weight: Weight,
    /// What is so, one line.
    pub what: String,
    /// Why it matters.
    pub why: &'static str,
    /// What mends it; none where a person has to decide.
    pub cure: Option<LinkCure>,
    /// What the cure may break for others.
    pub risk: Option<&'static str>,
}

/// What one link is examined with.
struct Case<'a> {
    cfg: &'a Config,
    here: &'a HostName,
    management: &'a HostFacts,
    target: &'a HostConfig,
    link: &'a LinkFacts,
}

impl Case<'_> {
    fn finding(&self, weight: Weight, what: impl Into<String>, why: &'static str) -> LinkFinding {
        LinkFinding {
            host: self.here.clone(),
            link: self.link.name.clone(),
            weight,
            what: what.into(),
            why,
            cure: None,
            risk: None,
        }
    }
}

impl LinkFinding {
    fn cured_by(mut self, cure: LinkCure, risk: &'static str) -> Self {
        self.cure = Some(cure);
        self.risk = Some(risk);
        self
    }
}

/// Everything that is wrong with the ways that marks take, the gravest first; none where the management host is
/// silent, which is a finding of its own for `check`.
#[must_use]
pub fn examine(cfg: &Config, survey: &Survey) -> Vec<LinkFinding> {
    let here = survey.management(cfg);
    let Some(management) = survey.host(here) else {
        return Vec::new();
    };
    let mut findings = route::twins(cfg, survey);
    findings.extend(route::loops(cfg, here, management));
    findings.extend(service_account::examine(here, management));
    for target in targets(cfg, survey) {
        let name = target.name.as_str();
        let mut links = management.links.iter();
        let Some(link) = links.find(|link| link.name.eq_ignore_ascii_case(name)) else {
            findings.push(route::missing(here, target));
            continue;
        };
        let case = Case {
            cfg,
            here,
            management,
            target,
            link,
        };
        findings.extend(route::examine(&case));
        findings.extend(options::examine(&case));
        findings.extend(login::examine(&case));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.weight));
    findings
}

/// The hosts that a mark must reach through a link.
fn targets<'a>(cfg: &'a Config, survey: &'a Survey) -> impl Iterator<Item = &'a HostConfig> {
    let is_needed = |host: &&HostConfig| {
        let has_members = survey
            .members
            .iter()
            .any(|member| survey.home(member).is_same_host(&host.name));
        has_members && !host.name.is_same_host(survey.management(cfg))
    };
    cfg.hosts.values().filter(is_needed)
}
