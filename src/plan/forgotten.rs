//! Hosts whose msdb no longer knows our newest backup: purged, or restored as it was last week.
//!
//! Start at [`forgotten`]. A chain does not break of it, since the database itself knows its log and its base; but
//! somebody did it, and jobs, their histories and rights came back with it.

use super::Warning;
use super::asked::CatalogView;
use super::assess::{Able, warning};
use super::bases::with_holding;
use crate::chain::{Chain, Health, health};
use crate::config::Config;
use crate::error::Code;
use crate::model::Piece;
use crate::survey::Survey;

/// A warning for each member whose chain runs on from a backup of which its host's msdb has no row.
pub(super) fn forgotten(
    cfg: &Config,
    survey: &Survey,
    have: &CatalogView,
    able: &[Able<'_>],
) -> Vec<Warning> {
    let told = able.iter().filter_map(|member| {
        let piece = newest_of_running(cfg, have, member)?;
        let history = &member.facts.history;
        let host = survey.host(survey.home(member.name))?;
        // Rows come from every replica, and one that is silent keeps its own. Where rights are lacking, which is told, rows
        // may be hidden.
        let is_hidden = history.is_empty() && !host.missing_rights.is_empty();
        let is_told_elsewhere = member.facts.availability_group.is_some() || is_hidden;
        let is_known = history.iter().any(|row| {
            row.backup_set_guid == piece.backup_set_guid || row.last_lsn >= piece.last_lsn
        });
        if is_told_elsewhere || is_known {
            return None;
        }
        let times = history.iter().map(|row| row.finished);
        let newest = times.max_by_key(|it| it.civil_utc());
        let newest = newest.map_or_else(
            || "it has no row of it".to_owned(),
            |at| format!("its newest row is of {at}"),
        );
        let message = format!(
            "msdb does not know the newest backup of member `{}`, of {}: {newest}; the chain goes on, for the database \
             knows it",
            member.name, piece.finished
        );
        let hint = "see who restored msdb or removed rows of it (jobs and alerts are of that time too), or whether it is full";
        Some(warning(Code::HistoryForgotten, message, hint))
    });
    told.collect()
}

/// The piece that the next log backup continues; none where the chain does not run.
fn newest_of_running(cfg: &Config, have: &CatalogView, member: &Able<'_>) -> Option<Piece> {
    with_holding(cfg, have, member.name, |held| {
        let Health::Running { .. } = health(member.facts, held) else {
            return None;
        };
        let chain = Chain::build(held.pieces.iter().copied());
        let fork = member.facts.recovery_fork_guid;
        let reach = chain.reach();
        reach
            .filter(|piece| fork.is_none_or(|fork| fork == piece.last_fork_guid))
            .cloned()
    })
}
