//! What the status page costs where a group holds very much: a part of `catalog.rs`.
//!
//! Start at [`page`]. Each view is made from the catalog as a request makes it, without the HTTP around it.

use std::path::Path;

use stopmark::catalog::SqliteCatalog;
use stopmark::catalog::kept::{last_drill, log_ends};
use stopmark::clock::SystemClock;
use stopmark::model::Timestamp;
use stopmark::page::group::{GroupFacts, GroupView};
use stopmark::page::members::MemberView;
use stopmark::page::sets::SetsView;
use stopmark::run::Backlog;
use stopmark::service::Seen;
use stopmark::world::{Catalog as _, Clock as _};

use super::{ASKED, Outcome, configuration, group, member, millis};

/// The status page of that group, asked again and again.
pub(super) async fn page(state: &Path) -> Outcome<()> {
    let config = configuration(state)?;
    let catalog = SqliteCatalog::open(state)?;
    let (clock, group) = (SystemClock::new(), group());
    let (mut took, mut bytes) = (Vec::new(), 0);
    for _ in 0..ASKED / 10 {
        let begun = clock.monotonic();
        let facts = GroupFacts {
            seen: Seen::default(),
            steps: Vec::new(),
            standing: catalog.standing(&group).await?,
            recent: catalog.page(&group, None, 120).await?,
            ends: log_ends(&catalog, &group).await?,
            companions: Vec::new(),
            last_drill: last_drill(&catalog.retention_facts(&group).await?),
            unfinished: 0,
            backlog: Backlog::default(),
            now: Timestamp::from_millis(1_900_000_000_000),
        };
        bytes = GroupView::of(&config, &facts).html().len();
        let counts = catalog.counts(&group).await?;
        let sets = catalog.page(&group, None, 100).await?;
        bytes += SetsView::of(&group, &sets, &facts.ends, counts, 100)
            .html()
            .len();
        let recent = &facts.recent;
        let name = member(0).to_string();
        let view = MemberView::of(&config, &name, recent, &facts.standing, facts.now);
        bytes += view.map_or(0, |view| view.html().len());
        took.push(clock.monotonic().saturating_sub(begun));
    }
    let first = took[0];
    took.sort_unstable();
    println!(
        "status page, list of sets and a member, {} KiB: first {:.1} ms, p50 {:.1} ms, p99 {:.1} ms",
        bytes >> 10,
        millis(first),
        millis(took[took.len() / 2]),
        millis(took[took.len() * 99 / 100])
    );
    Ok(())
}
