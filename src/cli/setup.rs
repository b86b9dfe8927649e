//! From a configuration file to a world: clocks, hosts, store, catalog, journals, log files.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use super::Failed;
use super::args::Common;
use super::progress;
use crate::catalog::{CopyPolicy, SqliteCatalog, catch_up};
use crate::clock::{RandomIds, SystemClock};
use crate::config::{self, Config};
use crate::error::{Code, Error, Result};
use crate::media::{self, ForeignMedia};
use crate::model::{Set, StoreName};
use crate::notify::Desktop;
use crate::run::journal::JournalFolder;
use crate::sql::{SqlFleet, dial::TcpDial, observe};
use crate::store::{AgentIdentity, LocalStaging, Stores};
use crate::world::{Clock, Ids as _, Store, World};

/// Log files are kept this many days.
const LOG_FILES_MAX: usize = 30;

/// A configuration and the world that it describes.
pub(super) struct Agent {
    /// The configuration.
    pub(super) config: Arc<Config>,
    /// Everything outside.
    pub(super) world: World,
    /// Held while a command may change something; none for commands that only read.
    lock: Option<File>,
}

impl Agent {
    /// From here on the command acts, and needs the state folder for itself.
    ///
    /// # Errors
    /// `SM0904` while another command acts.
    pub(super) fn begin_to_act(&mut self) -> Result<()> {
        if self.lock.is_none() {
            self.lock = Some(lock(&self.config.state)?);
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
    let state = config.state.clone();
    fs::create_dir_all(&state).map_err(|error| unwritable(&state, error))?;
    // Before the fleet, which refuses to work where nobody hears what hosts say beside their answers.
    log_to_files(Some(&config.logs), common.verbose)?;
    let lock = (access == Access::Act).then(|| lock(&state)).transpose()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let fleet = SqlFleet::new(config.clone(), Arc::new(TcpDial), clock.clone())?;
    let progress = progress::for_people(common.json);
    let store = Stores::open(&config, &identity(&state)?, &clock)?.with_progress(&progress);
    let foreign = ForeignMedia::new(foreign_access(Some(&config)), &state);
    if lock.is_some() {
        foreign.sweep();
    }
    let world = World {
        clock,
        ids: Arc::new(RandomIds),
        fleet: Arc::new(fleet),
        store: Arc::new(store),
        staging: Arc::new(LocalStaging),
        foreign: Arc::new(foreign),
        catalog: Arc::new(SqliteCatalog::open_for(&state, CopyPolicy::of(&config))?),
        journals: Arc::new(JournalFolder::open(&state)?),
        notifier: Arc::new(Desktop),
        progress,
    };
    Ok(Agent {
        config,
        world,
        lock,
    })
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

/// One acting command at a time may use a state folder; the operating system frees the lock of a dead one.
fn lock(state: &Path) -> Result<File> {
    let path = state.join("lock");
    let file = File::create(&path).map_err(|error| unwritable(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::new(
            Code::RunBusy,
            "another stopmark is at work with this state folder",
        )
        .at("folder", state.display())
        .hint("wait for it to end; a schedule or a service may have started it")),
        Err(TryLockError::Error(error)) => Err(unwritable(&path, error)),
    }
}

/// This agent's identity: made once for a state folder, so that after a crash it is still the same agent.
fn identity(state: &Path) -> Result<AgentIdentity> {
    let path = state.join("agent-id");
    let id = match fs::read_to_string(&path) {
        Ok(id) if !id.trim().is_empty() => id.trim().to_owned(),
        _ => {
            let id = RandomIds.next().to_string();
            fs::write(&path, &id).map_err(|error| unwritable(&path, error))?;
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
    let level = if is_verbose {
        LevelFilter::DEBUG
    } else {
        LevelFilter::INFO
    };
    // The TDS client logs row contents at TRACE and statement texts at DEBUG: neither may reach a file.
    let ours = Targets::new()
        .with_target("stopmark", level)
        .with_default(LevelFilter::WARN);
    // Lines are few and are written at once, so that the last ones are there however the process ends.
    let files = folder.map(log_files).transpose()?.map(|files| {
        fmt::layer()
            .with_ansi(false)
            .with_writer(files)
            .with_filter(ours)
    });
    // A second installation in one process (tests) keeps the first, which hears the same.
    let _ = tracing_subscriber::registry()
        .with(observe::layer())
        .with(files)
        .try_init();
    Ok(())
}

fn log_files(folder: &Path) -> Result<RollingFileAppender> {
    fs::create_dir_all(folder).map_err(|error| no_log(folder, error))?;
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("stopmark")
        .filename_suffix("log")
        .max_log_files(LOG_FILES_MAX)
        .build(folder)
        .map_err(|error| no_log(folder, error))
}

/// Writes a file that only its owner may read.
#[cfg(feature = "demo")]
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
    written.map_err(|error| unwritable(path, error))
}

fn no_log(folder: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Code::StateUnwritable, "the log folder cannot be used")
        .at("folder", folder.display())
        .hint("set `[paths] logs`, or give the agent's account the right to write there")
        .source(error)
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::new(Code::StateUnwritable, "the state folder cannot be used")
        .at("file", path.display())
        .hint("set `[paths] state`, or give the agent's account the right to write there")
        .source(error)
}
