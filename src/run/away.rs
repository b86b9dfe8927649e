//! Going on while the store is away: marks and logs do not wait for it, their pieces wait on the shares.
//!
//! Start at [`Standing::of`]. Without its lease an agent goes on only where it was the last that held it: nobody else
//! backs the group up then, as far as can be known. What it takes stands in its journals and is brought home by the
//! first run that reaches the store again; should another agent have taken over meanwhile, that one finds the files
//! as it finds any log that somebody else took.
//!
//! Nothing is published here, and nothing in the store is read.

use super::book::Book;
use super::deeds::waiting_set;
use super::record::Record;
use super::resume::{Unknown, resolve_unfinished_steps};
use crate::config::Config;
use crate::error::{Code, Result};
use crate::model::{GroupName, Set};
use crate::plan::Warning;
use crate::world::World;

/// How a run stands with the store.
pub(super) enum Standing {
    /// The group's lease is held.
    Leased,
    /// The store does not answer, and the run goes on without it.
    Away(Warning),
}

impl Standing {
    /// Takes the lease, or goes on without it where that is safe.
    ///
    /// # Errors
    /// `SM0706` when another agent holds it, and that of the store when this agent was not its last holder.
    pub(super) async fn of(world: &World, config: &Config) -> Result<Self> {
        let group = &config.group;
        match world.store.take_lease(group).await {
            Ok(()) => Ok(Self::Leased),
            Err(error)
                if error.code() == Code::StoreUnreachable && world.store.held_last(group) =>
            {
                Ok(Self::Away(Warning {
                    code: error.code().to_string(),
                    message: format!(
                        "the store is away, and what is taken waits on the shares: {error}"
                    ),
                    hint: error.hint_text().map(str::to_owned),
                }))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the store can be asked.
    pub(super) const fn is_leased(&self) -> bool {
        matches!(self, Self::Leased)
    }

    /// What people are told.
    pub(super) fn warning(self) -> Option<Warning> {
        match self {
            Self::Leased => None,
            Self::Away(warning) => Some(warning),
        }
    }
}

/// What runs took of the group that no store has yet, as sets: the hosts' histories name these backups, and without
/// them each would look like one that somebody stole. Oldest first.
pub(super) fn waiting_sets(world: &World, group: &GroupName) -> Result<Vec<Set>> {
    let records = unfinished(world, group)?;
    let sets = records.iter().flat_map(|record| {
        let rounds = record.unfinished_rounds().into_iter();
        rounds.filter_map(|round| waiting_set(record, &round))
    });
    Ok(sets.collect())
}

/// The group's runs that are not ended, oldest first.
pub(super) fn unfinished(world: &World, group: &GroupName) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for run in world.journals.unfinished()? {
        let record = Record::fold(&world.journals.read(run)?)?;
        records.extend(record.filter(|record| record.group == *group));
    }
    Ok(records)
}

/// Looks up what the open steps of earlier runs did, as far as hosts can say it; what only the store knows is looked
/// up when it is back.
pub(super) async fn look_up_leftovers(world: &World, group: &GroupName) -> Result<Vec<Unknown>> {
    let mut unknown = Vec::new();
    for record in unfinished(world, group)? {
        let book = Book::reopen(world.journals.as_ref(), record.run)?;
        let resumed = resolve_unfinished_steps(world, &book).await?;
        unknown.extend(resumed.unknown);
        if let Some(error) = resumed
            .unasked
            .filter(|it| it.code() != Code::StoreUnreachable)
        {
            return Err(error);
        }
    }
    Ok(unknown)
}
