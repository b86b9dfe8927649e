//! The kinds of run, each as something that can be arranged, done and done again.
//!
//! Start at [`Kind`]. Whatever befell the run before, arranging makes sure that this one has its whole work.

use std::collections::BTreeMap;
use std::sync::Arc;

use stopmark::catalog;
use stopmark::chain::{Point, points};
use stopmark::config::Config;
use stopmark::error::Result;
use stopmark::model::{HostName, Set};
use stopmark::plan::{
    BackupKind, CatalogView, LinksAsked, Plan, PrepareAsked, RestoreAsked, plan_links,
    plan_prepare, plan_restore,
};
use stopmark::run::record::Record;
use stopmark::run::{self, BackupWanted, Interrupt, PlanNames};
use stopmark::survey;
use stopmark::world::World;

use crate::bank::Bank;
use crate::stage::Stage;

/// The host that copies go to.
pub(crate) const SPARE: &str = "SPARE";

/// Everything that a saga plays on.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) bank: Bank,
    pub(crate) config: Arc<Config>,
    /// The world as it is.
    pub(crate) world: World,
}

/// A kind of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Full,
    Differential,
    Log,
    /// A log run that meets a broken chain.
    LogWithNewChain,
    /// `backup full --new-chain`.
    FullNewChain,
    Prepare,
    Links,
    Restore,
}

impl Scene {
    /// Two hosts with one member each, a spare host, and a full of both members.
    pub(crate) async fn set() -> Self {
        let layout: &[(&str, &[&str])] =
            &[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"]), (SPARE, &[])];
        let stage = Stage::set(layout).await;
        let bank = Bank::open(&stage).await;
        let (config, world) = stage.world();
        let scene = Self {
            stage,
            bank,
            config,
            world,
        };
        scene.back_up(BackupKind::Full).await;
        scene
    }

    /// An undisturbed backup that must be done.
    pub(crate) async fn back_up(&self, kind: BackupKind) -> Record {
        let wanted = BackupWanted {
            kind,
            new_chain: Vec::new(),
        };
        let record = run::back_up(&self.world, &self.config, &wanted, &Interrupt::default()).await;
        record.expect("nothing is in its way")
    }

    /// Every set that the group's log names.
    pub(crate) async fn sets(&self) -> Vec<Set> {
        let group = &self.config.group;
        let caught_up = catalog::catch_up(&self.world, group).await;
        caught_up.expect("the store is sound");
        self.world.catalog.sets(group).await.expect("a catalog")
    }

    /// Every Point on offer, oldest first.
    pub(crate) async fn points(&self) -> Vec<Point> {
        points(&self.sets().await, &[])
    }

    /// The plan of a restore of a Point to the spare host, over what is there.
    pub(crate) async fn restore_plan(&self, point: &Point) -> Plan {
        let survey = survey::take(&self.world, &self.config).await;
        let files = self.stage.path("restored");
        std::fs::create_dir_all(&files).expect("a folder");
        let host: HostName = SPARE.parse().expect("a host");
        let existing = self.world.fleet.databases(&host).await;
        let asked = RestoreAsked {
            based_on: survey.id,
            existing: existing.expect("it answers"),
            host,
            data_folder: Some(files.display().to_string()),
            renames: BTreeMap::new(),
            only: Vec::new(),
            replace: true,
        };
        let have = CatalogView {
            sets: self.sets().await,
            newest_stamp: None,
        };
        let mut names = PlanNames(self.world.ids.as_ref());
        let now = self.world.clock.now();
        plan_restore(&self.config, &have, point, &asked, &mut names, now).expect("a plan")
    }

    async fn prepare_plan(&self, asked: PrepareAsked) -> Plan {
        let survey = survey::take(&self.world, &self.config).await;
        let mut names = PlanNames(self.world.ids.as_ref());
        let now = self.world.clock.now();
        plan_prepare(&self.config, &survey, asked, &mut names, now)
    }

    async fn links_plan(&self) -> Plan {
        let survey = survey::take(&self.world, &self.config).await;
        let mut names = PlanNames(self.world.ids.as_ref());
        let now = self.world.clock.now();
        let asked = LinksAsked::default();
        plan_links(&self.config, &survey, &asked, &mut names, now)
    }

    /// Carries out a plan that takes no backups.
    pub(crate) async fn carry_out(&self, world: &World, plan: &Plan) -> Result<Record> {
        run::carry_out(world, &self.config, plan, &Interrupt::default()).await
    }
}

impl Kind {
    /// Whether it takes backups.
    pub(crate) const fn is_backup(self) -> bool {
        self.wanted_kind().is_some()
    }

    const fn wanted_kind(self) -> Option<BackupKind> {
        match self {
            Self::Full | Self::FullNewChain => Some(BackupKind::Full),
            Self::Differential => Some(BackupKind::Differential),
            Self::Log | Self::LogWithNewChain => Some(BackupKind::Log),
            Self::Prepare | Self::Links | Self::Restore => None,
        }
    }

    /// What is wanted of a backup run.
    pub(crate) fn wanted(self) -> BackupWanted {
        let new_chain = match self {
            Self::FullNewChain => vec!["SQL1/Ledger".parse().expect("a member")],
            _ => Vec::new(),
        };
        BackupWanted {
            kind: self.wanted_kind().expect("a kind that takes backups"),
            new_chain,
        }
    }

    /// Makes work for the run.
    pub(crate) async fn arrange(self, scene: &Scene) {
        match self {
            Self::Full | Self::Differential | Self::Log | Self::FullNewChain => {
                scene.bank.transfer(&scene.stage, 10).await;
            }
            Self::LogWithNewChain => {
                scene.bank.transfer(&scene.stage, 10).await;
                let flip = "ALTER DATABASE Ledger SET RECOVERY SIMPLE;\n\
                            ALTER DATABASE Ledger SET RECOVERY FULL;";
                scene.stage.script("SQL1", "master", flip).await;
            }
            Self::Prepare => {
                let plan = scene.prepare_plan(PrepareAsked::Remove).await;
                let removed = scene.carry_out(&scene.world, &plan).await;
                removed.expect("it is removed");
            }
            Self::Links => {
                let host: HostName = "SQL1".parse().expect("a host");
                let removed = scene.world.fleet.remove_link(&host, "SQL2").await;
                removed.expect("it is removed");
            }
            Self::Restore if scene.points().await.is_empty() => {
                scene.back_up(BackupKind::Log).await;
            }
            Self::Restore => {}
        }
    }

    /// The plan of the run's first round.
    pub(crate) async fn plan(self, scene: &Scene) -> Plan {
        match self {
            Self::Prepare => scene.prepare_plan(PrepareAsked::Make).await,
            Self::Links => scene.links_plan().await,
            Self::Restore => {
                let newest = scene.points().await.pop().expect("a Point to restore");
                scene.restore_plan(&newest).await
            }
            _ => {
                let planned = run::plan_only(&scene.world, &scene.config, &self.wanted()).await;
                planned.expect("a plan").1
            }
        }
    }

    /// Does it, in this world.
    pub(crate) async fn act(self, scene: &Scene, world: &World) -> Result<Record> {
        if self.is_backup() {
            let wanted = self.wanted();
            return run::back_up(world, &scene.config, &wanted, &Interrupt::default()).await;
        }
        let plan = self.plan(scene).await;
        scene.carry_out(world, &plan).await
    }
}
