//! Backups that are in no piece, that a chain needs, and that this machine can read: the cheapest cure is to bring them in.
//!
//! Start at [`logs_astray`] and [`bases_astray`]. Somebody else took them, or an agent of ours that could not bring them
//! away: its machine is lost, or the host's answer never came. Whether the files are what msdb says is for their
//! examination to find out.

use std::path::PathBuf;

use uuid::Uuid;

use super::Warning;
use super::asked::{Asked, BackupKind, CatalogView};
use super::assess::warning;
use super::bases::with_holding;
use super::keys::agent_place;
use crate::chain::{
    Against, Break, Cure, Health, Holding, against_a_differential, cure, differential_base, health,
    logs_past_ours,
};
use crate::config::Config;
use crate::error::Code;
use crate::model::MemberName;
use crate::survey::{BackupRow, MemberFacts, Survey};

/// What a member's chain needs and no piece holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Astray {
    /// The member.
    pub member: MemberName,
    /// What it is to the chain.
    pub need: AstrayNeed,
    /// The backups, oldest first (`backup_set_uuid`).
    pub backups: Vec<Uuid>,
    /// Where this machine sees their files, each once: a backup may be striped, and a medium hold several.
    pub places: Vec<PathBuf>,
}

/// What a backup that is in no piece is to its member's chain.
#[derive(Clone, Debug, PartialEq)]
pub enum AstrayNeed {
    /// Logs, with the break that their absence is.
    Logs(Break),
    /// The full that a differential would build on.
    Base(Against),
}

/// The members whose chain log backups astray broke, where all of these lie at places that this machine sees: below the
/// host's share, or below a folder of `foreign`.
#[must_use]
pub fn logs_astray(cfg: &Config, survey: &Survey, have: &CatalogView) -> Vec<Astray> {
    astray(cfg, survey, have, |_, facts, held| {
        match health(facts, held) {
            Health::Broken(reason @ (Break::ForeignLog { .. } | Break::LogLost { .. })) => {
                let rows = logs_past_ours(facts, held);
                (!rows.is_empty()).then_some((AstrayNeed::Logs(reason), rows))
            }
            Health::Running { .. } | Health::NeverBased | Health::Broken(_) => None,
        }
    })
}

/// The members that a differential is wanted of, because it was asked for or would mend their chain, and that builds on
/// somebody else's full at places that this machine sees.
#[must_use]
pub fn bases_astray(
    cfg: &Config,
    survey: &Survey,
    have: &CatalogView,
    asked: &Asked,
) -> Vec<Astray> {
    astray(cfg, survey, have, |name, facts, held| {
        let begins_anew = asked.new_chain.contains(name);
        let is_left_alone = asked.quarantine_of(name).is_some();
        if begins_anew || is_left_alone || held.pieces.is_empty() || !wants_base(asked, facts, held)
        {
            return None;
        }
        let against = against_a_differential(facts, held.pieces)?;
        let base = differential_base(facts, held.pieces).err().flatten()?;
        // A full of ours that was found damaged is no stranger.
        let mut damaged = held.damaged.iter();
        let is_ours = damaged.any(|piece| piece.backup_set_guid == base.backup_set_guid);
        let is_of_use = !is_ours && !is_apart(facts, base);
        is_of_use.then(|| (AstrayNeed::Base(against), vec![base]))
    })
}

/// Whether this full is of another database or recovery fork than the member's is now, so that nothing can build on it.
fn is_apart(facts: &MemberFacts, base: &BackupRow) -> bool {
    let is_other_fork = |fork| base.last_recovery_fork_guid.is_some_and(|own| own != fork);
    facts.recovery_fork_guid.is_some_and(is_other_fork)
        || facts
            .family_guid
            .is_some_and(|family| family != base.family_guid)
}

/// Whether a round would take a differential if only its base were at hand.
fn wants_base(asked: &Asked, facts: &MemberFacts, held: Holding<'_>) -> bool {
    match health(facts, held) {
        Health::Running { .. } => asked.kind == BackupKind::Differential,
        Health::NeverBased => false,
        Health::Broken(reason) => {
            let cure = cure(facts, held, &reason);
            matches!(cure, Cure::Full(Against::Base(_)))
        }
    }
}

/// The members of which backups are astray, with all the places of these.
fn astray<'s>(
    cfg: &Config,
    survey: &'s Survey,
    have: &CatalogView,
    look: impl Fn(&MemberName, &'s MemberFacts, Holding<'_>) -> Option<(AstrayNeed, Vec<&'s BackupRow>)>,
) -> Vec<Astray> {
    let members = survey.members.iter();
    let found = members.filter_map(|name| {
        let facts = survey.member(name)?;
        let (need, rows) = with_holding(cfg, have, name, |held| look(name, facts, held))?;
        Some(Astray {
            member: name.clone(),
            need,
            backups: rows.iter().map(|row| row.backup_set_guid).collect(),
            places: places(cfg, survey, name, &rows)?,
        })
    });
    found.collect()
}

/// Where this machine sees the files of these backups, each once; none where it does not see them all.
fn places(
    cfg: &Config,
    survey: &Survey,
    name: &MemberName,
    rows: &[&BackupRow],
) -> Option<Vec<PathBuf>> {
    let mut places = Vec::new();
    for row in rows {
        let host = row.server.as_ref().unwrap_or_else(|| survey.home(name));
        for device in row.devices() {
            let place = agent_place(cfg.host(host), device)?;
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    Some(places)
}

impl Astray {
    /// What a person should know, although the run mends it.
    #[must_use]
    pub fn warning(&self) -> Warning {
        let member = &self.member;
        let (message, hint) = match &self.need {
            AstrayNeed::Logs(reason @ Break::ForeignLog { .. }) => (
                format!("member `{member}`: {reason}; the file is brought into the chain"),
                "stop the other job: what it takes and removes is lost for the whole group",
            ),
            AstrayNeed::Logs(reason) => (
                format!("member `{member}`: {reason}; the file is brought into the chain"),
                "a run of ours took it and could not bring it away: nothing is left to do",
            ),
            AstrayNeed::Base(against) => (
                format!(
                    "member `{member}`: {against}; it is brought in, and differentials build on it"
                ),
                super::bases::COPIES_HINT,
            ),
        };
        warning(Code::ChainBroken, message, hint)
    }
}
