//! From a configuration file to a world: clocks, hosts, store, catalog, journals, log files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use super::Failed;
use super::args::Common;
use super::journal::ForJournal;
use super::progress;
use crate::catalog::{CopyPolicy, SqliteCatalog, catch_up};
use crate::clock::{RandomIds, SystemClock};
use crate::config::{self, Config, NotifyConfig};
use crate::error::{Code, Error, Result};
use crate::media::{self, ForeignMedia};
use crate::model::{Set, StoreName};
use crate::notify::{Desktop, Everyone};
use crate::run::journal::JournalFolder;
use crate::service::lock::{self, Held};
use crate::service::{House, Opened, Scene, SystemLog};
use crate::sql::{SqlFleet, dial::TcpDial, observe};
use crate::store::{AgentIdentity, LocalStaging, Stores};
use crate::world::{Clock, Ids as _, Notifier, Progress, Store, World};

/// Log files are kept this many days.
const LOG_FILES_MAX: usize = 30;

/// A configuration and the world that it describes.
pub(super) struct Agent {
    /// The configuration.
    pub(super) config: Arc<Config>,
    /// Everything outside.
    pub(super) world: World,
    /// Held while a command may change something; none for commands that only read.
    lock: Option<Held>,
}

impl Agent {
    /// From here on the command acts, and needs the state folder for itself.
    ///
    /// # Errors
    /// `SM0904` while another command acts.
    pub(super) fn begin_to_act(&mut self) -> Result<()> {
        if self.lock.is_none() {
            self.lock = Some(lock::acting(&self.config.state)?);
        }
        Ok(())
    }

    /// One of the stores alone.
    ///
    /// # Errors
    /// `SM0107` when none has that name.
    pub(super) fn store(&self, name: &StoreName) -> Result<Arc<dyn Store>> {
        self.world.store.alone(name).ok_or_else(|| {
            let names = self.world.store.names();
            let names: Vec<&str> = names.iter().map(StoreName::as_str).collect();
            let message = format!("the configuration has no store `{name}`");
            Error::new(Code::CommandLine, message)
                .at("stores", names.join(", "))
                .hint("name one of these")
        })
    }

    /// Takes into the catalog what others published meanwhile.
    pub(super) async fn catch_up(&self) -> Result<(), Failed> {
        let caught_up = catch_up(&self.world, &self.config.group).await;
        caught_up.map(|_| ()).map_err(|error| vec![error])
    }

    /// Every set of the group, oldest first: for what must see all.
    pub(super) async fn sets(&self) -> Result<Vec<Set>, Failed> {
        self.catch_up().await?;
        let group = &self.config.group;
        self.world
            .catalog
            .sets(group)
            .await
            .map_err(|error| vec![error])
    }
}

/// Whether a command changes anything, and so needs the state folder for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It only reads.
    Read,
    /// It acts.
    Act,
}

/// Reads and checks the configuration; every fault at once.
pub(super) fn load(common: &Common) -> Result<Config, Failed> {
    config::load(&common.config, &config::OsSecrets)
}

/// The world of a configuration.
pub(super) fn agent(common: &Common, access: Access) -> Result<Agent, Failed> {
    let config = Arc::new(load(common)?);
    build(common, config, access).map_err(|error| vec![error])
}

fn build(common: &Common, config: Arc<Config>, access: Access) -> Result<Agent> {
    let state = make_state(&config)?;
    // Before the fleet, which refuses to work where nobody hears what hosts say beside their answers.
    log_to_files(Some(&config.logs), common.verbose)?;
    let lock = (access == Access::Act).then(|| lock::acting(&state));
    let lock = lock.transpose()?;
    let progress = progress::for_people(common.json);
    let (world, foreign) = world_of(&config, progress, Arc::new(Desktop))?;
    if lock.is_some() {
        foreign.sweep();
    }
    Ok(Agent {
        config,
        world,
        lock,
    })
}

fn make_state(config: &Config) -> Result<PathBuf> {
    let state = config.state.clone();
    fs::create_dir_all(&state).map_err(|error| lock::unwritable(&state, error))?;
    Ok(state)
}

/// The world of a configuration whose state folder is there, with who watches and who is told.
fn world_of(
    config: &Arc<Config>,
    progress: Arc<dyn Progress>,
    notifier: Arc<dyn Notifier>,
) -> Result<(World, Arc<ForeignMedia>)> {
    let state = &config.state;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let fleet = SqlFleet::new(config.clone(), Arc::new(TcpDial), clock.clone())?;
    let store = Stores::open(config, &identity(state)?, &clock)?.with_progress(&progress);
    let foreign = Arc::new(ForeignMedia::new(foreign_access(Some(config)), state));
    let world = World {
        clock,
        ids: Arc::new(RandomIds),
        fleet: Arc::new(fleet),
        store: Arc::new(store),
        staging: Arc::new(LocalStaging),
        foreign: foreign.clone(),
        catalog: Arc::new(SqliteCatalog::open_for(state, CopyPolicy::of(config))?),
        journals: Arc::new(JournalFolder::open(state)?),
        notifier,
        progress,
    };
    Ok((world, foreign))
}

/// Everybody whom a service tells.
pub(super) fn everyone(config: &NotifyConfig) -> Everyone {
    let everyone = Everyone::of(config);
    match config.system_log {
        Some(from) => everyone.and("system log", SystemLog::default(), from),
        None => everyone,
    }
}

/// The house of a service: the configuration file, read again at each reload.
pub(super) struct Home {
    file: PathBuf,
    progress: Arc<dyn Progress>,
}

impl Home {
    /// The house that `common` names, where `progress` sees the work.
    pub(super) fn new(common: &Common, progress: Arc<dyn Progress>) -> Self {
        Self {
            file: common.config.clone(),
            progress,
        }
    }
}

impl House for Home {
    fn open(&self) -> Result<Opened, Failed> {
        let config = Arc::new(config::load(&self.file, &config::OsSecrets)?);
        // What was read a moment ago is there still, or the next reload tells more than what changed.
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let one = |error| vec![error];
        make_state(&config).map_err(one)?;
        let notifier = Arc::new(everyone(&config.service.notify));
        let (world, _) = world_of(&config, self.progress.clone(), notifier).map_err(one)?;
        let scene = Scene { config, world };
        Ok(Opened { scene, text })
    }
}

/// What foreign media are read with: the store's own credentials where they are in its bucket, else those of
/// the environment.
pub(super) fn foreign_access(config: Option<&Config>) -> media::Access {
    media::Access {
        stores: config
            .map(|config| config.stores().cloned().collect())
            .unwrap_or_default(),
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    }
}

/// This agent's identity: made once for a state folder, so that after a crash it is still the same agent.
fn identity(state: &Path) -> Result<AgentIdentity> {
    let path = state.join("agent-id");
    let id = match fs::read_to_string(&path) {
        Ok(id) if !id.trim().is_empty() => id.trim().to_owned(),
        _ => {
            let id = RandomIds.next().to_string();
            fs::write(&path, &id).map_err(|error| lock::unwritable(&path, error))?;
            id
        }
    };
    Ok(AgentIdentity {
        name: format!("{} ({})", this_host(), &id[..id.len().min(8)]),
        id,
    })
}

fn this_host() -> String {
    let host = environment(&["COMPUTERNAME", "HOSTNAME"]);
    let host = host.or_else(|| fs::read_to_string("/proc/sys/kernel/hostname").ok());
    host.map_or_else(
        || "an unnamed host".to_owned(),
        |host| host.trim().to_owned(),
    )
}

fn environment(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok())
}

/// Who gives this command, as far as the environment says.
pub(super) fn person() -> String {
    let user = environment(&["USERNAME", "USER", "LOGNAME"]);
    let user = user.unwrap_or_else(|| "somebody".to_owned());
    format!("{user} on {}", this_host())
}

/// Installs logging once for the process: log files below `folder` (none: no files), and the ear for what
/// hosts say beside their answers.
pub fn log_to_files(folder: Option<&Path>, is_verbose: bool) -> Result<()> {
    let files = folder.map(|folder| log_files(folder, LOG_FILES_MAX));
    let files = files.transpose()?.map(|files| to_files(files, false));
    install(files.into_iter().collect(), is_verbose);
    Ok(())
}

/// The same for a service, as its configuration says; and where its manager `heard` it.
pub(super) fn log_as_service(config: &Config, is_verbose: bool, heard: Written) -> Result<()> {
    let files = log_files(&config.logs, usize::from(config.service.log_days))?;
    let files = to_files(files, config.service.log_json);
    install(vec![files, heard], is_verbose);
    Ok(())
}

/// On stderr, which a terminal shows and systemd keeps.
pub(super) fn to_stderr() -> Written {
    let heard = fmt::layer().with_ansi(false).with_writer(std::io::stderr);
    match std::env::var_os("JOURNAL_STREAM") {
        Some(_) => {
            let format = fmt::format().without_time().with_ansi(false);
            heard.event_format(ForJournal(format)).boxed()
        }
        None => heard.boxed(),
    }
}

/// In the event log of Windows, which has time and severity of its own.
#[cfg(windows)]
pub(super) fn to_event_log() -> Written {
    let heard = fmt::layer().with_ansi(false).without_time();
    let heard = heard.with_level(false).with_target(false);
    heard.with_writer(crate::service::windows::EventLog).boxed()
}

/// A place where log lines go.
pub(super) type Written = Box<dyn tracing_subscriber::Layer<Registry> + Send + Sync>;

fn to_files(files: RollingFileAppender, is_json: bool) -> Written {
    // Lines are few and are written at once, so that the last ones are there however the process ends.
    let layer = fmt::layer().with_ansi(false).with_writer(files);
    if is_json {
        layer.json().boxed()
    } else {
        layer.boxed()
    }
}

fn install(written: Vec<Written>, is_verbose: bool) {
    let level = if is_verbose {
        LevelFilter::DEBUG
    } else {
        LevelFilter::INFO
    };
    // The TDS client logs row contents at TRACE and statement texts at DEBUG: neither may reach a file.
    let ours = Targets::new()
        .with_target("stopmark", level)
        .with_default(LevelFilter::WARN);
    // A second installation in one process (tests) keeps the first, which hears the same.
    let _ = tracing_subscriber::registry()
        .with(written.with_filter(ours))
        .with(observe::layer())
        .try_init();
}

fn log_files(folder: &Path, files_max: usize) -> Result<RollingFileAppender> {
    fs::create_dir_all(folder).map_err(|error| no_log(folder, error))?;
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("stopmark")
        .filename_suffix("log")
        .max_log_files(files_max)
        .build(folder)
        .map_err(|error| no_log(folder, error))
}

/// Writes a file that only its owner may read; one that is there keeps its owner and its mode.
pub(super) fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options
        .open(path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(|error| lock::unwritable(path, error))
}

fn no_log(folder: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Code::StateUnwritable, "the log folder cannot be used")
        .at("folder", folder.display())
        .hint("set `[paths] logs`, or give the agent's account the right to write there")
        .source(error)
}
