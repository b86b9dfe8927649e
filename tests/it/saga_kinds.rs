//! The kinds of run, each as something that can be arranged, done and done again.
//!
//! Start at [`Kind`]. Whatever befell the run before, arranging makes sure that this one has its whole work.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stopmark::catalog;
use stopmark::chain::{Point, points};
use stopmark::config::{Config, MemberConfig, RetentionConfig};
use stopmark::error::Result;
use stopmark::media::Source;
use stopmark::model::{HostName, MemberName, Piece, PieceKind, RunId, Set};
use stopmark::plan::{
    BackupKind, CatalogView, LinksAsked, Plan, PrepareAsked, RestoreAsked, RestoreFiles,
    RestorePlace, Step, plan_check, plan_links, plan_prepare, plan_restore,
};
use stopmark::run::adopt::{self, AdoptWanted};
use stopmark::run::companions;
use stopmark::run::events::Verdict;
use stopmark::run::prune;
use stopmark::run::record::Record;
use stopmark::run::{self, BackupWanted, Interrupt, PlanNames};
use stopmark::survey::{self, BackupRow};
use stopmark::world::{FactsWanted, LogFact, World};

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
    /// `adopt` of a log that somebody else took, and of a full.
    Adopt,
    /// The trials of `check`.
    Check,
    /// `prune` of all but the newest Point.
    Prune,
    /// Fulls of databases beside the group.
    Companions,
}

impl Scene {
    /// Two hosts with one member each, a spare host, and a full of both members.
    pub(crate) async fn set() -> Self {
        Self::of(&["Ledger"], &["Accounts"]).await
    }

    /// The same with these members; `Ledger` and `Accounts` must be among them.
    pub(crate) async fn of(first: &[&str], second: &[&str]) -> Self {
        let stage = Stage::set(&[("SQL1", first), ("SQL2", second), (SPARE, &[])]).await;
        // Chains are broken here again and again, and must be mended each time.
        stage.edit("[policy]", "[policy]\ncures_max = 0");
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
        let record = record.expect("nothing is in its way");
        assert_eq!(
            record.ended.map(|(verdict, _)| verdict),
            Some(Verdict::Done),
            "{kind:?}: {record:#?}"
        );
        record
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

    /// The configuration with a database beside the group on each host.
    pub(crate) fn with_companions(&self) -> Config {
        let named = ["SQL1/master", "SQL2/msdb"];
        let named = named.map(|name| MemberConfig::of(name.parse().expect("a name")));
        Config {
            companions: named.to_vec(),
            ..(*self.config).clone()
        }
    }

    /// The plan of a restore of a Point to the spare host, over what is there.
    pub(crate) async fn restore_plan(&self, point: &Point) -> Plan {
        let survey = survey::take(&self.world, &self.config).await;
        let files = self.stage.path("restored");
        std::fs::create_dir_all(&files).expect("a folder");
        let host: HostName = SPARE.parse().expect("a host");
        let facts = self.world.fleet.target_facts(&host).await;
        let place = RestorePlace::OneHost(host.clone());
        let run = RunId(self.world.ids.next());
        let asked = RestoreAsked {
            files: RestoreFiles::InFolder(files.display().to_string()),
            replace: true,
            targets: [(host, facts.expect("it answers"))].into(),
            ..RestoreAsked::to(place, run, survey.id)
        };
        let have = CatalogView {
            sets: self.sets().await,
            ..CatalogView::default()
        };
        let mut names = PlanNames(self.world.ids.as_ref());
        let now = self.world.clock.now();
        plan_restore(&self.config, &have, point, &asked, &mut names, now).expect("a plan")
    }

    /// Restores a Point to the spare host, proof of the mark included.
    pub(crate) async fn restore(&self, point: &Point) {
        let plan = self.restore_plan(point).await;
        let record = self.carry_out(&self.world, &plan).await;
        let record = record.expect("it is restored");
        let verdict = record.ended.map(|(verdict, _)| verdict);
        let mark = &point.mark.name;
        assert_eq!(verdict, Some(Verdict::Done), "{mark}: {record:#?}");
    }

    /// Each log backup that a host took for us is in the store, or a later full or differential of ours begins anew.
    pub(crate) async fn assert_nothing_is_lost(&self, place: &str) {
        let sets = self.sets().await;
        let pieces: Vec<_> = sets.iter().flat_map(|set| &set.pieces).collect();
        for member in &self.config.members {
            let member = &member.name;
            let history = self.history_of(member).await;
            for log in history.iter().filter(|row| row.kind == PieceKind::Log) {
                let is_held = |it: &&&Piece| it.backup_set_guid == log.backup_set_guid;
                let is_begun_anew = |it: &&&Piece| {
                    it.member == *member && it.kind != PieceKind::Log && it.last_lsn >= log.last_lsn
                };
                let first = log.first_lsn;
                assert!(
                    pieces.iter().any(|it| is_held(&it) || is_begun_anew(&it)),
                    "{place}: the log of {member} from {first} is lost"
                );
            }
        }
    }

    /// The shares are empty: nothing piles up there, whatever happened.
    pub(crate) fn assert_the_shares_are_clear(&self, place: &str) {
        let files = files_below(self.stage.path("share"));
        assert!(files.is_empty(), "{place}: left on the share: {files:?}");
    }

    /// What trials left on shares and in the store.
    pub(crate) fn remains(&self) -> Vec<PathBuf> {
        let mut files = files_below(self.stage.path("share"));
        files.extend(files_below(self.stage.path("store/v1/probe")));
        files
    }

    /// No set stands twice in the group's log, and no piece in two sets.
    pub(crate) async fn assert_no_set_twice(&self, place: &str) {
        let entries = self.world.store.log_after(&self.config.group, 0).await;
        let mut seen = BTreeSet::new();
        for entry in entries.expect("the log is sound") {
            if let LogFact::Set { set, .. } = entry.fact {
                assert!(seen.insert(set), "{place}: set {set} is published twice");
            }
        }
        let mut pieces = BTreeSet::new();
        for piece in self.sets().await.iter().flat_map(|set| &set.pieces) {
            assert!(pieces.insert(piece.id), "{place}: a piece is in two sets");
        }
    }

    /// The newest backups of a member as its host tells them; no mark may be open there.
    async fn history_of(&self, member: &MemberName) -> Vec<BackupRow> {
        let wanted = FactsWanted {
            databases: vec![member.database.clone()],
            mark_log: self.config.mark_log,
            mark_prefix: self.config.mark_prefix.clone(),
            is_management_host: false,
            event_session: "stopmark_test".to_owned(),
            wants_log_used: false,
        };
        let facts = self.world.fleet.host_facts(&member.host, &wanted).await;
        let facts = facts.expect("it answers");
        assert!(facts.open_marks.is_empty(), "a mark is left in flight");
        facts.members[&member.database].history.clone()
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

    /// Somebody else takes a log of one member and a full of the other.
    pub(crate) async fn foreign_backups(&self) {
        self.bank.transfer(&self.stage, 10).await;
        let folder = self.stage.path("foreign");
        // What was there is adopted, and need not be read again.
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).expect("a folder");
        for (host, backup) in [("SQL1", "LOG Ledger"), ("SQL2", "DATABASE Accounts")] {
            let file = folder.join(self.world.ids.next().to_string());
            let script = format!(
                "BACKUP {backup} TO DISK = N'{}' WITH CHECKSUM;",
                file.display()
            );
            self.stage.script(host, "master", &script).await;
        }
    }

    /// Everything that others wrote, examined.
    pub(crate) async fn adopt_wanted(&self, world: &World) -> Result<AdoptWanted> {
        adopt_wanted(world, self.stage.path("foreign")).await
    }

    /// Adopts it; a run that had nothing left to adopt was done before it began.
    pub(crate) async fn adopt(&self, world: &World) -> Result<Record> {
        let wanted = self.adopt_wanted(world).await?;
        let done = adopt::adopt(world, &self.config, &wanted, &Interrupt::default()).await?;
        if let (_, Some(record)) = done {
            return Ok(record);
        }
        let run = world.journals.runs()?.pop().expect("a run before");
        let record = Record::fold(&world.journals.read(run)?)?.expect("a record");
        Ok(Record {
            ended: record.ended.map(|(_, at)| (Verdict::Done, at)),
            ..record
        })
    }

    /// The configuration with a policy that keeps the newest Point and nothing else.
    pub(crate) fn keeping_one(&self) -> Config {
        keeping_one(&self.config)
    }

    /// A new base and a Point on it, so that what was before is needed no more; and a file that was delivered
    /// and not removed.
    pub(crate) async fn leave_something_to_prune(&self) {
        self.bank.transfer(&self.stage, 10).await;
        self.back_up(BackupKind::Full).await;
        let record = self.back_up(BackupKind::Log).await;
        let lanes = record.rounds.iter().flat_map(|round| &round.plan.stages);
        let steps = lanes
            .flat_map(|stage| &stage.lanes)
            .flat_map(|lane| &lane.steps);
        let mut left = steps.filter_map(|step| match step {
            Step::ClearStaging(step) => step.agent_paths.first(),
            _ => None,
        });
        let left = left.next_back().expect("a file that was on the share");
        std::fs::write(left, "left behind").expect("writes");
    }

    /// Carries out a plan that takes no backups.
    pub(crate) async fn carry_out(&self, world: &World, plan: &Plan) -> Result<Record> {
        run::carry_out(world, &self.config, plan, &Interrupt::default()).await
    }
}

/// This configuration with a policy that keeps the newest Point and nothing else.
pub(crate) fn keeping_one(config: &Config) -> Config {
    Config {
        retention: Some(RetentionConfig {
            keep_last: 1,
            keep_for: Duration::ZERO,
            daily: 0,
            weekly: 0,
            monthly: 0,
            ..RetentionConfig::default()
        }),
        ..config.clone()
    }
}

/// What is to be adopted of a folder.
pub(crate) async fn adopt_wanted(world: &World, folder: PathBuf) -> Result<AdoptWanted> {
    let found = adopt::find(world, &[Source::Path(folder)]).await?;
    Ok(AdoptWanted {
        offers: found.offers,
        others: found.others,
        mapped: Vec::new(),
    })
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
            Self::Prepare
            | Self::Links
            | Self::Restore
            | Self::Adopt
            | Self::Check
            | Self::Prune
            | Self::Companions => None,
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
            Self::Restore | Self::Check | Self::Companions => {}
            Self::Adopt => scene.foreign_backups().await,
            Self::Prune => scene.leave_something_to_prune().await,
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
            Self::Adopt => {
                let wanted = scene.adopt_wanted(&scene.world).await.expect("readable");
                let planned = adopt::plan_adoption(&scene.world, &scene.config, &wanted).await;
                planned.expect("a plan").plan
            }
            Self::Check => check_plan(&scene.config, &scene.world).await,
            Self::Prune => {
                let planned = prune::plan_only(&scene.world, &scene.keeping_one()).await;
                planned.expect("a plan").plan
            }
            Self::Companions => {
                let config = scene.with_companions();
                let planned = companions::plan_only(&scene.world, &config).await;
                planned.expect("a plan")
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
        if self == Self::Adopt {
            return scene.adopt(world).await;
        }
        if self == Self::Prune {
            let config = scene.keeping_one();
            let done = prune::prune(world, &config, &Interrupt::default()).await?;
            return Ok(done.1.expect("there is always something to sweep"));
        }
        if self == Self::Companions {
            let config = scene.with_companions();
            return companions::back_up(world, &config, &Interrupt::default()).await;
        }
        let plan = self.plan(scene).await;
        if self == Self::Check {
            return run::check(world, &scene.config, &plan, &Interrupt::default()).await;
        }
        scene.carry_out(world, &plan).await
    }
}

/// What `check` would try.
pub(crate) async fn check_plan(config: &Config, world: &World) -> Plan {
    let survey = survey::take(world, config).await;
    let mut names = PlanNames(world.ids.as_ref());
    plan_check(config, &survey, &mut names, world.clock.now())
}

/// Every file below a folder, which may not be there.
pub(crate) fn files_below(folder: PathBuf) -> Vec<PathBuf> {
    let mut open = vec![folder];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files
}
