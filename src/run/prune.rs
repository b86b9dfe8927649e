//! A prune from end to end: what is known of the group, the verdict over it, the plan, the run.
//!
//! Start at [`plan_only`] and [`prune`]. A prune holds the group's lease from before its plan is made until its
//! run has ended, so nobody publishes, pins or lets go in between.

use std::collections::BTreeSet;
use std::path::PathBuf;

use futures::future::join_all;

use super::conduct::carry_out;
use super::leftovers::finish_leftovers;
use super::record::Record;
use super::{Interrupt, PlanNames};
use crate::catalog::{self, kept};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::{GroupName, HostName, PieceId, Set, Timestamp};
use crate::plan::{Plan, PruneView, ShareFile, Stage, Step, Warning, plan_prune};
use crate::retention::{History, Pin, Verdict, verdict};
use crate::world::World;

/// What a prune would do, and why.
#[derive(Clone, Debug)]
pub struct Pruning {
    /// What becomes of every Point and piece.
    pub verdict: Verdict,
    /// What is done about it.
    pub plan: Plan,
}

/// What the rules say of everything that the group's log names.
pub async fn judge(world: &World, config: &Config) -> Result<Verdict> {
    catalog::catch_up(world, &config.group).await?;
    let sets = every_set(world, &config.group).await?;
    judge_sets(world, config, &sets, world.clock.now()).await
}

/// Every set as its manifest says, without what was let go.
async fn every_set(world: &World, group: &GroupName) -> Result<Vec<Set>> {
    let listed = world.catalog.manifests(group, 0, usize::MAX).await?;
    Ok(listed.into_iter().map(|listed| listed.set).collect())
}

/// The pins that hold.
pub async fn pins(world: &World, config: &Config) -> Result<Vec<Pin>> {
    let facts = world.catalog.retention_facts(&config.group).await?;
    Ok(kept::pins(&facts, world.clock.now()))
}

async fn judge_sets(
    world: &World,
    config: &Config,
    sets: &[Set],
    now: Timestamp,
) -> Result<Verdict> {
    let facts = world.catalog.retention_facts(&config.group).await?;
    let proofs = world.catalog.proofs(&config.group).await?;
    let whole = proofs.iter().filter(|proof| proof.is_whole);
    let history = History {
        sets,
        damaged: &damaged(world, &config.group).await?,
        short: &short(world, config).await?,
        proven: &whole.map(|proof| proof.piece).collect(),
        pins: &kept::pins(&facts, now),
        drilled: &kept::drilled(&facts),
    };
    Ok(verdict(&history, config.retention.as_ref(), now))
}

/// Pieces of which no store that counts has a whole copy.
async fn damaged(world: &World, group: &GroupName) -> Result<BTreeSet<PieceId>> {
    let damaged = world.catalog.damaged(group).await?;
    Ok(damaged.into_iter().map(|piece| piece.id).collect())
}

/// Pieces that fewer stores hold than a Point asks for: no mark that needs one is a Point now.
async fn short(world: &World, config: &Config) -> Result<BTreeSet<PieceId>> {
    let stores = config.store_names().len();
    let may_lack = stores.saturating_sub(config.policy.copies);
    let owed = world.catalog.owed(&config.group, usize::MAX).await?;
    let short = owed
        .into_iter()
        .filter(|owed| owed.lacking.len() > may_lack);
    Ok(short.map(|owed| owed.piece.id).collect())
}

/// Names every copy that was ever made of what is to go: a manifest knows only those of the delivery.
async fn name_all_copies(
    world: &World,
    group: &GroupName,
    sets: &mut [Set],
    verdict: &Verdict,
) -> Result<()> {
    let gone = verdict.let_go.iter().flat_map(|set| &set.pieces);
    let copies = world.catalog.copies(group, gone.copied().collect()).await?;
    for piece in sets.iter_mut().flat_map(|set| &mut set.pieces) {
        if let Some(all) = copies.get(&piece.id) {
            for stripe in &mut piece.stripes {
                stripe.copies.clone_from(all);
            }
        }
    }
    Ok(())
}

/// What a prune would do now; nothing is touched but the local catalog.
///
/// # Errors
/// `SM0605` when nothing that stays is proven; else those of the store.
pub async fn plan_only(world: &World, config: &Config) -> Result<Pruning> {
    let group = &config.group;
    catalog::catch_up(world, group).await?;
    let mut sets = every_set(world, group).await?;
    // What is judged by this time is checked by it, too: a clock may be put right while hosts are asked.
    let now = world.clock.now();
    let verdict = judge_sets(world, config, &sets, now).await?;
    name_all_copies(world, group, &mut sets, &verdict).await?;
    let unremoved = world.catalog.unremoved(group).await?;
    let (staged, mut warnings) = staged(world, config).await;
    let (clocks, unasked) = clocks(world, config).await;
    warnings.extend(unasked);
    let view = PruneView {
        sets: &sets,
        verdict: &verdict,
        unremoved: &unremoved,
        staged: &staged,
        busy: &busy(world)?,
        damaged: &damaged(world, group).await?,
        clocks: &clocks,
        warnings,
    };
    let mut names = PlanNames(world.ids.as_ref());
    let plan = plan_prune(config, view, &mut names, now)?;
    super::conduct::refuse_unsound(&plan)?;
    Ok(Pruning { verdict, plan })
}

/// Prunes: leftovers of earlier runs first, then the plan. No record where there was nothing to do and nothing to tell: no
/// run was begun then.
pub async fn prune(
    world: &World,
    config: &Config,
    interrupt: &Interrupt,
) -> Result<(Pruning, Option<Record>)> {
    world.store.take_lease(&config.group).await?;
    finish_leftovers(world, &config.group, interrupt).await?;
    let pruning = plan_only(world, config).await?;
    if pruning.plan.stages.is_empty() && pruning.plan.warnings.is_empty() {
        return Ok((pruning, None));
    }
    let record = carry_out(world, config, &pruning.plan, interrupt).await?;
    Ok((pruning, Some(record)))
}

/// What the clocks of the hosts show, of those that answer, or why none did.
async fn clocks(world: &World, config: &Config) -> (Vec<(HostName, Timestamp)>, Option<Warning>) {
    if config.retention.is_none() {
        return (Vec::new(), None);
    }
    let asked = config.hosts.keys().map(|host| async move {
        let shown = world.fleet.utc_now(host).await;
        shown.map(|shown| (host.clone(), shown))
    });
    let (mut clocks, mut unasked) = (Vec::new(), None);
    for shown in join_all(asked).await {
        match shown {
            Ok(shown) => clocks.push(shown),
            Err(error) => unasked = Some(error),
        }
    }
    let unasked = unasked.filter(|_| clocks.is_empty());
    (clocks, unasked.as_ref().map(unasked_clocks))
}

fn unasked_clocks(error: &Error) -> Warning {
    Warning {
        code: error.code().to_string(),
        message: format!(
            "no host could be asked what its clock shows, so nothing but the newest mark says whether the clock of this machine \
             is right: {error}"
        ),
        hint: error.hint_text().map(str::to_owned),
    }
}

/// What lies in the group's folders on the shares; a share that cannot be looked into is a warning.
async fn staged(world: &World, config: &Config) -> (Vec<(HostName, ShareFile)>, Vec<Warning>) {
    let (mut found, mut warnings) = (Vec::new(), Vec::new());
    if config.retention.is_none() {
        return (found, warnings);
    }
    for host in config.hosts.values() {
        let Some(share) = &host.share else {
            continue;
        };
        match world
            .staging
            .list(&share.agent.join(config.group.as_str()))
            .await
        {
            Ok(files) => found.extend(files.into_iter().map(|file| (host.name.clone(), file))),
            Err(error) => warnings.push(unswept(&error.at("host", &host.name))),
        }
    }
    (found, warnings)
}

fn unswept(error: &Error) -> Warning {
    Warning {
        code: error.code().to_string(),
        message: format!("a share was not swept: {error}"),
        hint: error.hint_text().map(str::to_owned),
    }
}

/// Every file that a run which has not ended wrote or is to write.
pub(super) fn busy(world: &World) -> Result<BTreeSet<PathBuf>> {
    let mut busy = BTreeSet::new();
    for run in world.journals.unfinished()? {
        let Some(record) = Record::fold(&world.journals.read(run)?)? else {
            continue;
        };
        let stages = record.rounds.iter().flat_map(|round| &round.plan.stages);
        busy.extend(stages.flat_map(files_of));
    }
    Ok(busy)
}

fn files_of(stage: &Stage) -> Vec<PathBuf> {
    let steps = stage.lanes.iter().flat_map(|lane| &lane.steps);
    let stripes = steps.flat_map(|step| match step {
        Step::BackUp(step) => step.stripes.as_slice(),
        Step::Deliver(step) => step.stripes.as_slice(),
        Step::Fetch(step) => step.source.stripes.as_slice(),
        Step::TrialBackup(step) => std::slice::from_ref(&step.stripe),
        _ => &[],
    });
    stripes.map(|stripe| stripe.agent_path.clone()).collect()
}
