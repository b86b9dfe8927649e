//! What the planning of a prune costs where a group holds very much: a part of `catalog.rs`.
//!
//! Start at [`prune`]. Nothing is removed.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use stopmark::catalog::SqliteCatalog;
use stopmark::clock::SystemClock;
use stopmark::config::{Config, RetentionConfig};
use stopmark::model::{Set, Timestamp};
use stopmark::plan::{PruneView, plan_prune};
use stopmark::retention::{History, verdict};
use stopmark::world::{Catalog as _, Clock as _};

use super::{Counter, Outcome, configuration, group};

/// What becomes of everything, and the plan of a prune that keeps a week.
pub(super) async fn prune(state: &Path) -> Outcome<()> {
    let retention = Some(RetentionConfig {
        keep_last: 7 * 96,
        keep_for: Duration::ZERO,
        ..RetentionConfig::default()
    });
    let config = Config {
        retention,
        ..configuration(state)?
    };
    let clock = SystemClock::new();
    let listed = SqliteCatalog::open(state)?
        .manifests(&group(), 0, usize::MAX)
        .await?;
    let sets: Vec<Set> = listed.into_iter().map(|listed| listed.set).collect();
    let read = clock.monotonic();
    let history = History {
        sets: &sets,
        damaged: &BTreeSet::new(),
        short: &BTreeSet::new(),
        proven: &BTreeSet::new(),
        pins: &[],
        drilled: &BTreeSet::new(),
    };
    let now = Timestamp::from_millis(1_900_000_000_000);
    let verdict = verdict(&history, config.retention.as_ref(), now);
    let judged = clock.monotonic();
    let clocks = config.hosts.keys().map(|host| (host.clone(), now));
    let view = PruneView {
        clocks: &clocks.collect::<Vec<_>>(),
        sets: &sets,
        verdict: &verdict,
        unremoved: &[],
        staged: &[],
        busy: &BTreeSet::new(),
        damaged: &BTreeSet::new(),
        warnings: Vec::new(),
    };
    let plan = plan_prune(&config, view, &mut Counter(1), now)?;
    println!(
        "a prune of {} points planned: read {:.1} s, verdict {:.1} s, plan of {} stages {:.1} s",
        verdict.points.len(),
        read.as_secs_f64(),
        judged.saturating_sub(read).as_secs_f64(),
        plan.stages.len(),
        clock.monotonic().saturating_sub(judged).as_secs_f64()
    );
    Ok(())
}
