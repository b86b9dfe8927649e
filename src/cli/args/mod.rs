//! The command line: what was typed. Start at [`Cli`] and [`Command`]; each family of commands has a file beside this
//! one. Meaning is given to it in `commands`.

mod backup;
mod biztalk;
#[cfg(feature = "demo")]
mod demo;
mod drill;
mod keep;
mod link;
mod look;
mod milink;
mod proof;
mod restore;
mod service;
mod setup;
mod tools;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use backup::{BackupArgs, BackupCommand, BackupFullArgs, DryRunArgs};
pub use biztalk::{CheckWhat, MigrateArgs};
#[cfg(feature = "demo")]
pub use demo::{DemoArgs, SimArgs};
pub use drill::{DrillCommand, DrillRunArgs, DrillShowArgs};
pub use keep::{CatalogCommand, PinArgs, PruneCommand, PruneRunArgs, RebuildArgs, UnpinArgs};
pub use link::{LinkApplyArgs, LinkCheckArgs, LinkCommand, LinkExplainArgs};
pub use look::{ExplainArgs, PointsArgs, ShowArgs};
pub use milink::{MilinkArgs, MilinkCommand, MilinkScriptArgs, MilinkWatchArgs};
pub use proof::{AdoptArgs, InspectArgs, ScrubArgs, VerifyArgs};
pub use restore::{RestoreArgs, RestoreCommand, RestorePlanArgs, RestoreRunArgs};
#[cfg(windows)]
pub use service::ServiceInstallArgs;
pub use service::{NotifyCommand, ServiceCommand};
pub use setup::{CheckArgs, GroupCommand, InitArgs, PrepareArgs, ReleaseArgs};
pub use tools::{CompletionsArgs, GrantsArgs, ManArgs, SecretCommand, SecretSetArgs};

/// Keeps a group of SQL Server databases on several hosts restorable to one marked transaction.
#[derive(Debug, Parser)]
#[command(
    name = "stopmark",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 done but something is not as it should \
                  be, 4 nothing can be restored, 10 wrong configuration, 11 another agent or job is at work, \
                  130 interrupted",
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// The configuration file.
    #[arg(
        long,
        short,
        global = true,
        env = "STOPMARK_CONFIG",
        hide_env_values = true,
        value_name = "FILE",
        default_value = "stopmark.toml"
    )]
    pub config: PathBuf,
    /// Print facts and errors as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more in the log file.
    #[arg(long, short, global = true)]
    pub verbose: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a configuration to begin with.
    Init(InitArgs),
    /// Check the configuration, every host, the shares and the store; leave nothing behind.
    Check(CheckArgs),
    /// Print a configuration that does what BizTalk's own backup job does, and the cut-over to it.
    MigrateFromBiztalkJob(MigrateArgs),
    /// Prepare the members for marks.
    #[command(subcommand)]
    Group(GroupCommand),
    /// Plan, make and test the linked servers that marks go through.
    #[command(subcommand)]
    Link(LinkCommand),
    /// Bring members to an Azure SQL Managed Instance link: check, prepare, write the steps, follow the seeding.
    #[command(subcommand)]
    Milink(MilinkCommand),
    /// Take backups.
    #[command(subcommand)]
    Backup(BackupCommand),
    /// List sets and points.
    List,
    /// Show one set or run in full.
    Show(ShowArgs),
    /// To which marks the group can come back now, and what each would lose.
    Points(PointsArgs),
    /// How the group stands: its newest point, its chains, what is due.
    Status,
    /// Read stored pieces back and compare them with their digests.
    Verify(VerifyArgs),
    /// Say what backup files are by their own bytes, whoever took them; needs no server.
    Inspect(InspectArgs),
    /// Bring backups that others took into the catalog and the store.
    Adopt(AdoptArgs),
    /// Prove stored pieces again, those with the oldest proof first, and write into the group's log what was found.
    Scrub(ScrubArgs),
    /// Bring the group back to a mark.
    #[command(subcommand)]
    Restore(RestoreCommand),
    /// Restore a point on drill hosts, look through it, remove it again, and certify what was found.
    #[command(subcommand)]
    Drill(DrillCommand),
    /// Let go of points that no rule of `[retention]` keeps, and remove the pieces that nobody needs any more.
    #[command(subcommand)]
    Prune(PruneCommand),
    /// Keep a point whatever the rules say.
    Pin(PinArgs),
    /// Leave a pinned point to the rules again.
    Unpin(UnpinArgs),
    /// When which job is due next, and why.
    Schedule,
    /// The schedule carried out by itself, as a service.
    #[command(subcommand)]
    Service(ServiceCommand),
    /// The people to be told.
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// What an error of SQL Server (`1475`) or of Stopmark (`SM0601`) means, and what to do.
    Explain(ExplainArgs),
    /// Work on the local index of the store.
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Print the T-SQL that gives the agent's login on each host the rights that it needs, and no more.
    Grants(GrantsArgs),
    /// Passwords and keys: test those that the configuration names, or put one where it is looked for.
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
    /// Write a man page for each command.
    Man(ManArgs),
    /// Run simulated SQL Servers on this machine.
    #[cfg(feature = "demo")]
    Sim(SimArgs),
    /// See the whole of Stopmark at work on simulated hosts, in under a minute.
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
}
