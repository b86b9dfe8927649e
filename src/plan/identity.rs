//! Members that are other databases than those that were backed up: restored over, or dropped and made anew.
//!
//! Start at [`replaced`]. What that means for the chain is told by forks and families; this is a finding beside it,
//! for somebody did it and should be known.

use super::Warning;
use super::asked::CatalogView;
use super::assess::{Able, warning};
use crate::error::Code;

/// A warning for each member whose `database_guid` is not that of our newest backup which its host remembers.
pub(super) fn replaced(have: &CatalogView, able: &[Able<'_>]) -> Vec<Warning> {
    let told = able.iter().filter_map(|member| {
        let now = member.facts.database_guid?;
        let is_ours = |guid| {
            let mut pieces = have.pieces(member.name);
            pieces.any(|piece| piece.backup_set_guid == guid)
        };
        let mut history = member.facts.history.iter();
        // Each replica of a group has a GUID of its own.
        let newest = history.find(|row| row.server.is_none() && is_ours(row.backup_set_guid))?;
        let before = newest.database_guid.filter(|before| *before != now)?;
        let message = format!(
            "member `{}` is another database than at its last backup: its GUID was {before} and is {now}",
            member.name
        );
        let hint = "somebody restored over it, or dropped it and made it anew; see that it is the right one";
        Some(warning(Code::DatabaseReplaced, message, hint))
    });
    told.collect()
}
