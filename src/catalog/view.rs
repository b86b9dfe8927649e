//! What the planner of backups is given of a catalog: little, and as if it were everything.
//!
//! Start at [`view`]. More pieces can only mend a chain, never break it, so a chain that runs by its newest pieces
//! runs. Only of a member whose newest pieces do not say so is everything fetched.

use std::collections::BTreeMap;

use crate::chain::{Health, Holding, differential_base, health};
use crate::error::Result;
use crate::model::{GroupName, MemberName, Piece};
use crate::plan::CatalogView;
use crate::survey::{MemberFacts, Survey};
use crate::world::Catalog;

/// How many fulls of each member, and what follows them, are looked at first.
const FULLS: usize = 2;

/// What planning a backup needs of the group, given what its hosts say.
pub async fn view(
    catalog: &dyn Catalog,
    group: &GroupName,
    survey: &Survey,
) -> Result<CatalogView> {
    let mut have = CatalogView {
        sets: catalog.recent(group, FULLS, &[]).await?,
        newest_stamp: catalog.newest_stamp(group).await?,
        damaged: catalog.damaged(group).await?,
        later_marks: BTreeMap::new(),
    };
    let unclear: Vec<MemberName> = survey
        .members
        .iter()
        .filter(|member| is_unclear(&have, survey, member))
        .cloned()
        .collect();
    if !unclear.is_empty() {
        have.sets = catalog.recent(group, FULLS, &unclear).await?;
    }
    Ok(have)
}

/// Everything that the catalog holds of the group: for adopting, where any gap may be the one that is filled.
pub async fn whole_view(catalog: &dyn Catalog, group: &GroupName) -> Result<CatalogView> {
    Ok(CatalogView {
        sets: catalog.sets(group).await?,
        newest_stamp: catalog.newest_stamp(group).await?,
        damaged: catalog.damaged(group).await?,
        later_marks: BTreeMap::new(),
    })
}

fn is_unclear(have: &CatalogView, survey: &Survey, member: &MemberName) -> bool {
    let facts = survey.member(member);
    facts.is_some_and(|facts| !is_sound(facts, have.pieces(member)))
}

/// Whether everything that is held would show no more than these pieces.
pub(super) fn is_sound<'a>(facts: &MemberFacts, pieces: impl Iterator<Item = &'a Piece>) -> bool {
    let pieces: Vec<&Piece> = pieces.collect();
    // What is damaged never makes a chain run, and whose a lost log was makes no difference here.
    let held = Holding {
        pieces: &pieces,
        damaged: &[],
        our_folders: &[],
    };
    let is_running = matches!(health(facts, held), Health::Running { .. });
    is_running && differential_base(facts, &pieces).is_ok()
}
