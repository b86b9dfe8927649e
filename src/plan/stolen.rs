//! Log backups that somebody else took and that this machine can read: the cheapest cure is to bring them in.
//!
//! Start at [`stolen_logs`]. Whether the files are what msdb says is for their examination to find out.

use std::path::PathBuf;

use super::Warning;
use super::asked::CatalogView;
use super::assess::warning;
use super::bases::with_holding;
use super::keys::agent_place;
use crate::chain::{Break, Health, foreign_logs, health};
use crate::config::Config;
use crate::error::Code;
use crate::model::{HostName, MemberName};
use crate::survey::{MemberFacts, Survey};

/// What others took of one member's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Stolen {
    /// The member.
    pub member: MemberName,
    /// The break that it is.
    pub reason: Break,
    /// Where this machine sees the files, oldest log first.
    pub places: Vec<PathBuf>,
}

/// The members whose chain somebody else's log backups broke, where all of these lie at places that this machine
/// sees: below the host's share, or below a folder of `foreign`.
#[must_use]
pub fn stolen_logs(cfg: &Config, survey: &Survey, have: &CatalogView) -> Vec<Stolen> {
    let members = survey.members.iter();
    let stolen = members.filter_map(|name| {
        let facts = survey.member(name)?;
        let (reason, devices) = stolen_of(cfg, have, name, facts)?;
        let places = devices.iter().map(|(server, device)| {
            let host = server.as_ref().unwrap_or_else(|| survey.home(name));
            agent_place(cfg.host(host), device)
        });
        Some(Stolen {
            member: name.clone(),
            reason,
            places: places.collect::<Option<_>>()?,
        })
    });
    stolen.collect()
}

/// Where a backup went, and the host that remembers it where that is not the member's own.
type Device = (Option<HostName>, String);

fn stolen_of(
    cfg: &Config,
    have: &CatalogView,
    name: &MemberName,
    facts: &MemberFacts,
) -> Option<(Break, Vec<Device>)> {
    with_holding(cfg, have, name, |held| match health(facts, held) {
        Health::Broken(reason @ Break::ForeignLog { .. }) => {
            let rows = foreign_logs(facts, held);
            let devices = rows
                .iter()
                .map(|row| (row.server.clone(), row.device.clone()));
            Some((reason, devices.collect()))
        }
        Health::Running { .. } | Health::NeverBased | Health::Broken(_) => None,
    })
}

impl Stolen {
    /// What a person should know, although the run mends it.
    #[must_use]
    pub fn warning(&self) -> Warning {
        let (member, reason) = (&self.member, &self.reason);
        let message = format!("member `{member}`: {reason}; the file is brought into the chain");
        let hint = "stop the other job: what it takes and removes is lost for the whole group";
        warning(Code::ChainBroken, message, hint)
    }
}
