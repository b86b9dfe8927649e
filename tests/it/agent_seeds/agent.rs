//! The agent of a story: its configuration, its world at each start, and its acts.
//!
//! Start at [`Agent::install`], [`Agent::start`] and [`Agent::act`]. The code is the agent's own; only clock,
//! identities and the way to the hosts are a story's.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sqlsim::faults::Dice;
use stopmark::catalog::{CopyPolicy, SqliteCatalog};
use stopmark::cli::progress::NoProgress;
use stopmark::config::{self, Config, OsSecrets};
use stopmark::error::Result;
use stopmark::media::{Access, ForeignMedia};
use stopmark::notify::Silent;
use stopmark::plan::{BackupKind, PrepareAsked, plan_prepare};
use stopmark::run::events::Verdict;
use stopmark::run::journal::JournalFolder;
use stopmark::run::record::Record;
use stopmark::run::{self, BackupWanted, Interrupt, PlanNames, prune, scrub};
use stopmark::sql::{SqlFleet, observe};
use stopmark::store::{AgentIdentity, LocalStaging, Stores};
use stopmark::survey;
use stopmark::world::{Clock, Ids, World};
use uuid::Uuid;

use super::bank::Bank;
use super::biztalk::MANAGEMENT;
use super::client::PASSWORD;
use super::hosts::{Hosts, LOGIN};
use super::marks::{Marks, heard};
use super::replicas::Replica;
use crate::strike::Strike;

/// What a run of the agent is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Full,
    Differential,
    Log,
    Prune,
    Scrub,
}

/// How a story's agent is configured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// How many stores it has.
    pub(crate) stores: u64,
    /// How many Points it keeps; none: all.
    pub(crate) keep_last: Option<u64>,
    /// Where it looks for stolen logs: everywhere, or nowhere but on the shares.
    pub(crate) sees_elsewhere: bool,
    /// The member that is in an availability group.
    pub(crate) replica: Option<Replica>,
    /// Event sessions on its hosts hear errors of others.
    pub(crate) hears: bool,
    /// The group is one of BizTalk's, with a destination of log shipping, and this is its engine.
    pub(crate) biztalk: Option<&'static str>,
}

/// An agent, alive or not.
pub(crate) struct Agent {
    /// Its configuration.
    pub(crate) config: Arc<Config>,
    hosts: Arc<Hosts>,
    marks: Arc<Marks>,
    ids: Arc<StoryIds>,
    machines: u32,
    folders: u32,
}

impl Agent {
    /// Writes the configuration into a folder.
    pub(crate) fn install(
        folder: &Path,
        (hosts, bank): (&Arc<Hosts>, &Bank),
        habits: Habits,
        marks: &Arc<Marks>,
    ) -> Self {
        observe::install_alone();
        let text = config_text(folder, hosts, bank, habits);
        let path = folder.join("stopmark.toml");
        std::fs::write(&path, text).expect("it may be written");
        std::fs::write(folder.join("password"), PASSWORD).expect("it may be written");
        let config = config::load(&path, &OsSecrets);
        let config = config.unwrap_or_else(|errors| panic!("a sound configuration: {errors:?}"));
        Self {
            config: Arc::new(config),
            hosts: Arc::clone(hosts),
            marks: Arc::clone(marks),
            ids: Arc::new(StoryIds {
                clock: Arc::clone(&hosts.clock) as _,
                count: AtomicU32::new(0),
                dice: Mutex::new(Dice::new(1)),
            }),
            machines: 1,
            folders: 1,
        }
    }

    /// The world as a start of the agent finds it.
    pub(crate) fn start(&self) -> World {
        let (config, state) = (&self.config, &self.config.state);
        std::fs::create_dir_all(state).expect("a state folder");
        let clock: Arc<dyn Clock> = Arc::clone(&self.hosts.clock) as _;
        let dial = Arc::new(self.hosts.dial());
        let fleet = SqlFleet::new(Arc::clone(config), dial, Arc::clone(&clock)).expect("a fleet");
        let machine = self.machines;
        let identity = AgentIdentity {
            id: format!("machine {machine}"),
            name: format!("the agent on machine {machine}"),
        };
        let store = Stores::open(config, &identity, &clock).expect("stores");
        let catalog = SqliteCatalog::open_for(state, CopyPolicy::of(config));
        let journals = JournalFolder::open(state).expect("journals");
        let world = World {
            clock,
            ids: Arc::clone(&self.ids) as _,
            fleet: Arc::new(fleet),
            store: Arc::new(store),
            staging: Arc::new(LocalStaging),
            foreign: Arc::new(ForeignMedia::new(Access::default(), state)),
            catalog: Arc::new(catalog.expect("a catalog")),
            journals: heard(Arc::new(journals), &self.marks),
            notifier: Arc::new(Silent),
            progress: Arc::new(NoProgress),
        };
        Strike::by(Arc::clone(&self.marks) as _).world(&world)
    }

    /// The agent's machine is lost, and another takes its place: journals and catalog are gone.
    pub(crate) fn lose_machine(&mut self) {
        self.machines += 1;
        self.move_state();
    }

    /// The local catalog is lost.
    pub(crate) fn lose_catalog(&mut self) {
        let before = self.config.state.clone();
        self.move_state();
        let state = &self.config.state;
        std::fs::rename(before, state).expect("it was there");
        for end in ["", "-wal", "-shm"] {
            // Some of them are not always there.
            let _ = std::fs::remove_file(state.join(format!("catalog.sqlite{end}")));
        }
    }

    /// Another folder for the state: what the dead agent's threads still close has the names of the old one.
    fn move_state(&mut self) {
        self.folders += 1;
        let name = format!("state{}", self.folders);
        self.config = Arc::new(Config {
            state: self.config.state.with_file_name(name),
            ..(*self.config).clone()
        });
    }

    /// Prepares members and hosts for marks.
    pub(crate) async fn prepare(&self) {
        let world = self.start();
        let survey = survey::take(&world, &self.config).await;
        let mut names = PlanNames(world.ids.as_ref());
        let now = world.clock.now();
        let plan = plan_prepare(&self.config, &survey, PrepareAsked::Make, &mut names, now);
        let done = run::carry_out(&world, &self.config, &plan, &Interrupt::default()).await;
        let verdict = done.expect("nothing is in its way").ended;
        assert_eq!(verdict.map(|(it, _)| it), Some(Verdict::Done), "{survey:?}");
    }

    /// Does it in this world; no record where there was nothing to do.
    pub(crate) async fn act(
        &self,
        act: Act,
        world: &World,
        interrupt: &Interrupt,
    ) -> Result<Option<Record>> {
        let config = &self.config;
        let backup = |kind| async move {
            let wanted = BackupWanted {
                kind,
                new_chain: Vec::new(),
            };
            let run = Box::pin(run::back_up(world, config, &wanted, interrupt));
            run.await.map(Some)
        };
        match act {
            Act::Full => backup(BackupKind::Full).await,
            Act::Differential => backup(BackupKind::Differential).await,
            Act::Log => backup(BackupKind::Log).await,
            Act::Prune => {
                let run = Box::pin(prune::prune(world, config, interrupt));
                run.await.map(|(_, record)| record)
            }
            Act::Scrub => {
                let run = Box::pin(scrub::scrub(world, config, None, interrupt));
                run.await.map(|scrubbed| Some(scrubbed.record))
            }
        }
    }
}

/// Where the members' hosts put their backups.
pub(crate) fn share(folder: &Path, at: usize) -> PathBuf {
    folder.join("share").join(at.to_string())
}

fn config_text(folder: &Path, hosts: &Hosts, bank: &Bank, habits: Habits) -> String {
    let members = bank.ledgers.iter().map(|ledger| {
        let host = hosts.name(ledger.host);
        format!("\"{host}/{}\"", ledger.database)
    });
    let members: Vec<String> = members.collect();
    let members = match habits.biztalk {
        None => format!(
            "mark_prefix = \"SM\"\nmark_log = \"stopmark\"\nmembers = [{}]",
            members.join(", ")
        ),
        Some(engine) => format!(
            "kind = \"biztalk\"\ndiscover = {{ biztalk = '{MANAGEMENT}' }}\n[biztalk]\nengine = \"{engine}\""
        ),
    };
    let mut text = format!(
        "format = 1\n[group]\nname = \"seeds\"\nmanagement_host = \"{}\"\n{members}\n[paths]\nstate = \"state\"\nlogs = \"logs\"\n\
         [policy]\ncures_max = 0\nretry_times = 2\nretry_first_wait = \"1s\"\n\
         retry_wait_max = \"10s\"\nbusy_wait_max = \"20s\"\nstatement_silence_max = \"2m\"\n",
        hosts.name(0)
    );
    if let Some(replica) = habits.replica {
        let preference = replica.preference;
        let wanted = format!("log_backup_preference = \"{preference}\"\nreplica_wait = \"10s\"\n");
        text.push_str(&wanted);
    }
    if let Some(keep_last) = habits.keep_last {
        write!(text, "[retention]\nkeep_last = {keep_last}\n").expect("a string");
    }
    for store in 1..=habits.stores {
        let place = store_folder(folder, store);
        std::fs::create_dir_all(&place).expect("a store");
        let url = url::Url::from_file_path(&place).expect("an absolute path");
        let table = if habits.stores == 1 {
            "[store]"
        } else {
            "[[store]]"
        };
        write!(text, "{table}\nname = \"store{store}\"\nurl = \"{url}\"\n").expect("a string");
    }
    let elsewhere = elsewhere(folder).display().to_string();
    for at in 0..hosts.count() {
        let (name, share) = (hosts.name(at), share(folder, at));
        std::fs::create_dir_all(&share).expect("a share");
        let share = share.display();
        let login = format!("{{ user = \"{LOGIN}\", password = {{ file = \"password\" }} }}");
        write!(
            text,
            "[hosts.{name}]\naddress = \"{name}\"\nlogin = {login}\nlink_login = {login}\n\
             encryption = \"login-only\"\nshare = {{ sql = '{share}', agent = '{share}' }}\n"
        )
        .expect("a string");
        if habits.sees_elsewhere {
            let foreign = format!("{{ sql = '{elsewhere}', agent = '{elsewhere}' }}");
            writeln!(text, "foreign = [{foreign}]").expect("a string");
        }
    }
    text
}

/// Where other people's backups go; made at once.
pub(crate) fn elsewhere(folder: &Path) -> PathBuf {
    let elsewhere = folder.join("elsewhere");
    std::fs::create_dir_all(&elsewhere).expect("a folder");
    elsewhere
}

/// Where a store keeps its objects; the first one leads.
pub(crate) fn store_folder(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("store{number}"))
}

/// Identities that rise, with the story's time and while it stands.
struct StoryIds {
    clock: Arc<dyn Clock>,
    count: AtomicU32,
    dice: Mutex<Dice>,
}

impl Ids for StoryIds {
    fn next(&self) -> Uuid {
        let now = u64::try_from(self.clock.now().millis()).unwrap_or_default();
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        // Version and variant take the first and the third byte.
        random[3..7].copy_from_slice(&count.to_be_bytes());
        random[7..].copy_from_slice(&dice.roll().to_be_bytes()[..3]);
        uuid::Builder::from_unix_timestamp_millis(now, &random).into_uuid()
    }
}
