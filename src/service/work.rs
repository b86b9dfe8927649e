//! What a service is made with: who opens its house, who does its work, and the manager that watches over it.
//!
//! Start at [`Runs`]: the same runs that the commands begin.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use tokio::runtime::Handle;

use super::alarm::Rooms;
use super::published::Published;
use crate::catalog;
use crate::config::{Config, Job, MemberConfig};
use crate::error::{Code, Error, Result};
use crate::model::MemberName;
use crate::plan::{BackupKind, ChainsSeen};
use crate::run::record::Record;
use crate::run::{self, BackupWanted, Interrupt, companions, drill, prune, scrub};
use crate::world::{Footing, World};

/// A configuration and the world that it describes.
#[derive(Clone)]
pub struct Scene {
    /// The configuration.
    pub config: Arc<Config>,
    /// Everything outside.
    pub world: World,
}

/// A house as it was opened.
pub struct Opened {
    /// What is in force from now on.
    pub scene: Scene,
    /// The text of the file, which holds no secret; for telling what changed.
    pub text: String,
}

/// Reads the configuration and makes its world; again at each reload.
pub trait House: Send + Sync {
    /// The configuration as it stands now.
    ///
    /// # Errors
    /// Every fault of the configuration, or what stands in the way of its world.
    fn open(&self) -> Result<Opened, Vec<Error>>;
}

/// Does the work.
#[async_trait]
pub trait Deeds: Send + Sync {
    /// Carries a job out; no record where there was nothing to do.
    async fn carry_out(
        &self,
        scene: &Scene,
        job: Job,
        interrupt: &Interrupt,
    ) -> Result<Option<Record>>;
    /// Whether the group can be brought back to anything, as far as this machine knows.
    async fn has_point(&self, scene: &Scene) -> bool;
    /// Nothing is at work any more: what was held for work is let go.
    async fn rest(&self, scene: &Scene) -> Result<()>;
    /// What this machine knows to be published; who keeps no catalog knows nothing.
    async fn published(&self, _scene: &Scene) -> Result<Published> {
        Ok(Published::default())
    }
    /// Who works on the group, asked again and again where several agents may.
    async fn stand(&self, _scene: &Scene) -> Result<Footing> {
        Ok(Footing::Active)
    }
    /// Takes in what other agents published.
    async fn catch_up(&self, _scene: &Scene) -> Result<()> {
        Ok(())
    }
    /// What the hosts have left; those that are not asked are absent.
    async fn rooms(&self, _scene: &Scene) -> Rooms {
        Rooms::new()
    }
    /// How the members' chains stand; of those that nobody asked about nothing is said.
    async fn chains(&self, _scene: &Scene) -> Result<ChainsSeen> {
        Ok(ChainsSeen::default())
    }
}

/// Whoever started the service and watches over it.
pub trait Manager: Send + Sync {
    /// The service is ready.
    fn ready(&self);
    /// It lives, and stands so.
    fn alive(&self, status: &str);
    /// It is reading its configuration again; [`Self::ready`] follows.
    fn reloading(&self);
    /// It is stopping.
    fn stopping(&self);
}

/// The runs that the commands begin too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Runs;

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

#[async_trait]
impl Deeds for Runs {
    async fn carry_out(
        &self,
        scene: &Scene,
        job: Job,
        interrupt: &Interrupt,
    ) -> Result<Option<Record>> {
        let (scene, interrupt) = (scene.clone(), interrupt.clone());
        let runtime = Handle::current();
        // A run has a thread of its own: its future borrows in ways for which the compiler cannot prove that it may
        // move between threads (rust-lang/rust#102211).
        let run = move || runtime.block_on(run_of(&scene, job, &interrupt));
        match tokio::task::spawn_blocking(run).await {
            Ok(ended) => ended,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::new(Code::Interrupted, "the run was broken off")),
            },
        }
    }

    async fn has_point(&self, scene: &Scene) -> bool {
        let standing = scene.world.catalog.standing(&scene.config.group).await;
        standing.is_ok_and(|standing| standing.newest_point.is_some())
    }

    async fn rest(&self, scene: &Scene) -> Result<()> {
        scene.world.store.release_lease(&scene.config.group).await
    }

    async fn published(&self, scene: &Scene) -> Result<Published> {
        Published::of(scene.world.catalog.as_ref(), &scene.config.group).await
    }

    async fn stand(&self, scene: &Scene) -> Result<Footing> {
        let (store, group) = (&scene.world.store, &scene.config.group);
        match store.stand(group).await {
            // While the store is away its last holder goes on: nobody else can take over then.
            Err(error) if error.code() == Code::StoreUnreachable && store.held_last(group) => {
                Ok(Footing::Active)
            }
            stood => stood,
        }
    }

    async fn catch_up(&self, scene: &Scene) -> Result<()> {
        let caught_up = catalog::catch_up(&scene.world, &scene.config.group).await;
        caught_up.map(|_| ())
    }

    async fn rooms(&self, scene: &Scene) -> Rooms {
        let mut members: BTreeSet<MemberName> = scene.config.members.iter().map(name_of).collect();
        // Members that are discovered are known by the newest set.
        let newest = scene.world.catalog.page(&scene.config.group, None, 1).await;
        members.extend(newest.into_iter().flatten().flat_map(|it| it.set.members));
        let asked = scene.config.hosts.values().filter_map(|host| {
            let own = members.iter().filter(|it| it.host.is_same_host(&host.name));
            let own: Vec<_> = own.map(|member| member.database.clone()).collect();
            (!own.is_empty()).then_some(async move {
                let room = scene.world.fleet.room(&host.name, &own).await;
                (host.name.clone(), room)
            })
        });
        join_all(asked).await.into_iter().collect()
    }

    async fn chains(&self, scene: &Scene) -> Result<ChainsSeen> {
        run::look_at_chains(&scene.world, &scene.config).await
    }
}

fn name_of(member: &MemberConfig) -> MemberName {
    member.name.clone()
}

async fn run_of(scene: &Scene, job: Job, interrupt: &Interrupt) -> Result<Option<Record>> {
    let (world, config) = (&scene.world, scene.config.as_ref());
    let back_up = |kind| async move {
        let new_chain = Vec::new();
        let wanted = BackupWanted { kind, new_chain };
        let record = run::back_up(world, config, &wanted, interrupt).await;
        record.map(Some)
    };
    match job {
        Job::Full => back_up(BackupKind::Full).await,
        Job::Differential => back_up(BackupKind::Differential).await,
        Job::Log => back_up(BackupKind::Log).await,
        Job::Companions => {
            let taken = companions::back_up(world, config, interrupt).await?;
            Ok(Some(taken))
        }
        Job::Scrub => {
            let job = config.schedule.jobs.get(&Job::Scrub);
            let budget = job.and_then(|job| job.budget_bytes);
            let scrubbed = scrub::scrub(world, config, budget, interrupt).await?;
            Ok(Some(scrubbed.record))
        }
        Job::Prune => {
            let (_, record) = prune::prune(world, config, interrupt).await?;
            Ok(record)
        }
        Job::Drill => {
            let wanted = drill::DrillWanted::by(config);
            let held = drill::hold(world, config, &wanted, interrupt).await;
            held.map(Some).map_err(first_of)
        }
    }
}

/// A schedule tells one error; the others are met again when that one is gone.
fn first_of(errors: Vec<Error>) -> Error {
    let more = errors.len().saturating_sub(1);
    let first = errors.into_iter().next();
    let first = first.unwrap_or_else(|| Error::new(Code::Bug, "a refusal without a reason"));
    if more == 0 {
        return first;
    }
    first.at("further faults", more)
}

impl Manager for Unwatched {
    fn ready(&self) {}
    fn alive(&self, _status: &str) {}
    fn reloading(&self) {}
    fn stopping(&self) {}
}
