//! Log backups that are in no piece and that this machine can read: the cheapest cure is to bring them in.
//!
//! Start at [`logs_astray`]. Somebody else took them, or an agent of ours that could not bring them away: its machine is
//! lost, or the host's answer never came. Whether the files are what msdb says is for their examination to find out.

use std::path::PathBuf;

use uuid::Uuid;

use super::Warning;
use super::asked::CatalogView;
use super::assess::warning;
use super::bases::with_holding;
use super::keys::agent_place;
use crate::chain::{Break, Health, health, logs_past_ours};
use crate::config::Config;
use crate::error::Code;
use crate::model::MemberName;
use crate::survey::{BackupRow, MemberFacts, Survey};

/// What is in no piece of one member's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Astray {
    /// The member.
    pub member: MemberName,
    /// The break that it is.
    pub reason: Break,
    /// The log backups, oldest first (`backup_set_uuid`).
    pub backups: Vec<Uuid>,
    /// Where this machine sees their files, each once: a backup may be striped, and a medium hold several.
    pub places: Vec<PathBuf>,
}

/// The members whose chain such log backups broke, where all of these lie at places that this machine sees: below the
/// host's share, or below a folder of `foreign`.
#[must_use]
pub fn logs_astray(cfg: &Config, survey: &Survey, have: &CatalogView) -> Vec<Astray> {
    let members = survey.members.iter();
    let astray = members.filter_map(|name| {
        let facts = survey.member(name)?;
        let (reason, rows) = astray_of(cfg, have, name, facts)?;
        let mut places = Vec::new();
        for row in &rows {
            let host = row.server.as_ref().unwrap_or_else(|| survey.home(name));
            for device in row.devices() {
                let place = agent_place(cfg.host(host), device)?;
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
        Some(Astray {
            member: name.clone(),
            reason,
            backups: rows.iter().map(|row| row.backup_set_guid).collect(),
            places,
        })
    });
    astray.collect()
}

fn astray_of<'r>(
    cfg: &Config,
    have: &CatalogView,
    name: &MemberName,
    facts: &'r MemberFacts,
) -> Option<(Break, Vec<&'r BackupRow>)> {
    with_holding(cfg, have, name, |held| match health(facts, held) {
        Health::Broken(reason @ (Break::ForeignLog { .. } | Break::LogLost { .. })) => {
            let rows = logs_past_ours(facts, held);
            (!rows.is_empty()).then_some((reason, rows))
        }
        Health::Running { .. } | Health::NeverBased | Health::Broken(_) => None,
    })
}

impl Astray {
    /// What a person should know, although the run mends it.
    #[must_use]
    pub fn warning(&self) -> Warning {
        let (member, reason) = (&self.member, &self.reason);
        let message = format!("member `{member}`: {reason}; the file is brought into the chain");
        let hint = match reason {
            Break::ForeignLog { .. } => {
                "stop the other job: what it takes and removes is lost for the whole group"
            }
            _ => "a run of ours took it and could not bring it away: nothing is left to do",
        };
        warning(Code::ChainBroken, message, hint)
    }
}
