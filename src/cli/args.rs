//! The command line: what was typed. Meaning is given to it in the files beside this one.

mod biztalk;
#[cfg(feature = "demo")]
mod demo;
mod drill;
mod link;
mod milink;
mod tools;

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};

use crate::config::size_bytes;
use crate::model::{HostName, MemberName, StoreName};

pub use biztalk::{CheckWhat, MigrateArgs};
#[cfg(feature = "demo")]
pub use demo::{DemoArgs, SimArgs};
pub use drill::{DrillCommand, DrillRunArgs, DrillShowArgs};
pub use link::{LinkApplyArgs, LinkCheckArgs, LinkCommand, LinkExplainArgs};
pub use milink::{MilinkArgs, MilinkCommand, MilinkScriptArgs, MilinkWatchArgs};
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

/// `stopmark init`
#[derive(Args, Debug)]
pub struct InitArgs {
    /// Write the sample for a BizTalk group.
    #[arg(long)]
    pub biztalk: bool,
    /// Overwrite a file that is there.
    #[arg(long)]
    pub force: bool,
}

/// `stopmark check`
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Look at one thing more closely instead: `biztalk`, how a BizTalk group is backed up.
    #[arg(value_enum)]
    pub what: Option<CheckWhat>,
    /// Print what would be tried on shares and store, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `stopmark group ...`
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// Make table, procedures and grants for marks in every member, or remove them.
    Prepare(PrepareArgs),
    /// End the quarantine of members whose chains broke again and again: the next run mends them.
    Release(ReleaseArgs),
}

/// `stopmark group prepare`
#[derive(Args, Debug)]
pub struct PrepareArgs {
    /// Print what would be done and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Remove what an earlier `prepare` made.
    #[arg(long)]
    pub remove: bool,
}

/// `stopmark group release`
#[derive(Args, Debug)]
pub struct ReleaseArgs {
    /// The members.
    #[arg(required = true, value_name = "HOST/DATABASE")]
    pub members: Vec<MemberName>,
}

/// `stopmark backup ...`
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Full backups of all members, or a new chain for those named.
    Full(BackupFullArgs),
    /// Differential backups of all members.
    Diff(BackupArgs),
    /// A mark and log backups, with repairs where chains are broken.
    Log(BackupArgs),
    /// Full backups of the databases beside the group that `[companions]` names: master, msdb and such.
    Companions(DryRunArgs),
}

/// Options of every backup.
#[derive(Args, Clone, Copy, Debug)]
pub struct BackupArgs {
    /// Print the plan and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Let the group become what BizTalk's list says: databases that left it, or stand with another server.
    #[arg(long)]
    pub approve: bool,
}

/// Options of a command that can be planned only.
#[derive(Args, Clone, Copy, Debug)]
pub struct DryRunArgs {
    /// Print the plan and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `stopmark backup full`
#[derive(Args, Debug)]
pub struct BackupFullArgs {
    /// Options of every backup.
    #[command(flatten)]
    pub common: BackupArgs,
    /// Begin a new chain for this member (the cure for error 1475), then place a mark and take logs of the
    /// whole group; may be given several times.
    #[arg(long, value_name = "HOST/DATABASE")]
    pub new_chain: Vec<MemberName>,
}

/// `stopmark show`
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// A mark, a set's stamp or a run's id; the newest set when left out.
    pub what: Option<String>,
}

/// `stopmark points`
#[derive(Args, Clone, Copy, Debug)]
pub struct PointsArgs {
    /// How many points to show, the newest first.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

/// `stopmark verify`
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// Only what this mark's point needs; everything when left out.
    pub mark: Option<String>,
    /// Compare sizes only.
    #[arg(long)]
    pub quick: bool,
    /// Only the copies in this store; those in all stores when left out.
    #[arg(long, value_name = "NAME")]
    pub store: Option<StoreName>,
    /// Read the group's log and its manifests instead, and find what is missing, altered or cut off.
    #[arg(long, conflicts_with_all = ["mark", "quick", "store"])]
    pub chain: bool,
}

/// `stopmark scrub`
#[derive(Args, Debug)]
pub struct ScrubArgs {
    /// How much may be read back now, such as `200GiB`; everything when left out. Run day by day with one budget,
    /// it comes round to every piece.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub budget: Option<u64>,
}

fn size(text: &str) -> Result<u64, &'static str> {
    size_bytes(text).ok_or("write a whole number and a unit: `512MiB`, `20GiB` or `1TiB`")
}

/// `stopmark inspect`
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// Files, folders or URLs: `s3://bucket/prefix`, `az://container/prefix`, `gs://bucket/prefix`, `file:///folder`.
    #[arg(required = true, value_name = "PATH|URL")]
    pub sources: Vec<String>,
    /// How deep to look: 1 headers, 2 what they say, 3 every byte of pages and log.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub level: u8,
    /// Say which backups follow which, where chains break, and what each database can be restored to.
    #[arg(long)]
    pub chain: bool,
}

/// `stopmark adopt`
#[derive(Args, Debug)]
pub struct AdoptArgs {
    /// Files, folders or URLs: `s3://bucket/prefix`, `az://container/prefix`, `gs://bucket/prefix`, `file:///folder`.
    #[arg(required = true, value_name = "PATH|URL")]
    pub sources: Vec<String>,
    /// The group that the backups join: the configuration's own, by its exact name.
    #[arg(long, value_name = "GROUP")]
    pub group: String,
    /// Whose media are whose where their names do not say: a member, `=`, and the server and database (or the
    /// family GUID) that stand on the media; may be given several times.
    #[arg(long, value_name = "HOST/DATABASE=SERVER/DATABASE")]
    pub member: Vec<String>,
    /// Print the plan and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `stopmark restore ...`
#[derive(Debug, Subcommand)]
pub enum RestoreCommand {
    /// Print what would be restored and do nothing.
    Plan(RestorePlanArgs),
    /// Restore, and prove that every member stopped at the mark.
    Run(RestoreRunArgs),
}

/// Options of `restore`.
#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new("where").required(true).args(["to_host", "map", "in_place"])))]
#[command(group(ArgGroup::new("files").args(["files_in", "move_files", "default_folders"])))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a word that a person says or does not"
)]
pub struct RestoreArgs {
    /// The mark; the newest point when left out.
    #[arg(long, conflicts_with = "before")]
    pub mark: Option<String>,
    /// The last point at this time or before it, with its zone: `2026-11-21T03:00:00+01:00`.
    #[arg(long, value_name = "TIME")]
    pub before: Option<String>,
    /// The host that all members are restored on; it must be in the configuration and have a share.
    #[arg(long, value_name = "HOST")]
    pub to_host: Option<HostName>,
    /// The host that the members of a host go to; may be given several times, and must be for every host.
    #[arg(long, value_name = "OLDHOST=NEWHOST")]
    pub map: Vec<String>,
    /// Each member over itself, on its own host.
    #[arg(long)]
    pub in_place: bool,
    /// Only this member; may be given several times. What spans it and the others is then half there.
    #[arg(long, value_name = "HOST/DATABASE")]
    pub member: Vec<MemberName>,
    /// Restore some members without the others.
    #[arg(long)]
    pub accept_inconsistent: bool,
    /// The folder for data and log files on the target host, as that host names it; each file's own folder when
    /// left out.
    #[arg(long, value_name = "FOLDER")]
    pub files_in: Option<String>,
    /// The folder that files of a folder go to; may be given several times, and the longest that fits counts.
    #[arg(long, value_name = "OLDFOLDER=NEWFOLDER")]
    pub move_files: Vec<String>,
    /// Put files into the target host's default folders for data and logs.
    #[arg(long)]
    pub default_folders: bool,
    /// A prefix for the names of the restored databases.
    #[arg(long, default_value = "")]
    pub prefix: String,
    /// Take databases that would be overwritten out of their availability groups first, on the primary replica. Their
    /// secondary replicas are left restoring, and have to be joined again afterwards.
    #[arg(long)]
    pub leave_group: bool,
    /// Give up the tail of the log of members that are restored over themselves.
    #[arg(long)]
    pub no_tail: bool,
    /// Open each member with its last log and prove the mark then, instead of proving all before one is opened.
    #[arg(long)]
    pub no_standby: bool,
    /// Leave every member standing by at the mark, to be looked into and changed by nobody; `--resume` opens them.
    #[arg(long, conflicts_with = "no_standby")]
    pub inspect: bool,
}

/// `stopmark restore plan`
#[derive(Args, Clone, Debug)]
pub struct RestorePlanArgs {
    /// What to restore.
    #[command(flatten)]
    pub restore: RestoreArgs,
    /// Write T-SQL scripts and a runbook into this new folder, with which people restore without Stopmark.
    #[arg(long, value_name = "FOLDER")]
    pub script: Option<PathBuf>,
}

/// `stopmark restore run`
#[derive(Args, Clone, Debug)]
pub struct RestoreRunArgs {
    /// What to restore.
    #[command(flatten)]
    pub restore: RestoreArgs,
    /// Overwrite databases that are there; the group's name must be given.
    #[arg(long, value_name = "GROUP")]
    pub yes_overwrite: Option<String>,
    /// Go on where the last restore stopped, to the same mark; say the rest as it was said then.
    #[arg(long)]
    pub resume: bool,
}

/// `stopmark prune ...`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum PruneCommand {
    /// Print which rule keeps which point and what would be removed, and do nothing.
    Plan,
    /// Let go, remove, and sweep what earlier runs left.
    Run(PruneRunArgs),
}

/// `stopmark prune run`
#[derive(Args, Clone, Copy, Debug)]
pub struct PruneRunArgs {
    /// Print the plan and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `stopmark pin`
#[derive(Args, Debug)]
pub struct PinArgs {
    /// The point's mark.
    pub mark: String,
    /// Why, for those who will wonder.
    #[arg(long)]
    pub reason: String,
    /// The last day on which it is kept, in the time zone of `[retention]`; for ever when left out.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub until: Option<jiff::civil::Date>,
}

/// `stopmark unpin`
#[derive(Args, Debug)]
pub struct UnpinArgs {
    /// The point's mark.
    pub mark: String,
}

/// `stopmark service ...`
#[derive(Clone, Debug, Subcommand)]
pub enum ServiceCommand {
    /// Run in the foreground until stopped: SIGTERM or Ctrl-C stops, SIGHUP reads the configuration again.
    Run,
    /// Make the Windows service, or bring it up to date; `install.ps1` does this and what belongs to it.
    #[cfg(windows)]
    Install(ServiceInstallArgs),
    /// Remove the Windows service; configuration, state and logs stay.
    #[cfg(windows)]
    Uninstall,
}

/// `stopmark service install`
#[cfg(windows)]
#[derive(Args, Clone, Debug)]
pub struct ServiceInstallArgs {
    /// Who the service runs as: its own virtual account, or a group managed one (`DOMAIN\NAME$`).
    #[arg(long, value_name = "NAME", default_value = crate::service::windows::install::OWN_ACCOUNT)]
    pub account: String,
}

/// `stopmark notify ...`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send a notice to everybody whom `[notify]` names, and say who got it.
    Test,
}

/// `stopmark explain`
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The error: a number of SQL Server or a code of Stopmark.
    #[arg(value_name = "NUMBER|CODE")]
    pub error: String,
}

/// `stopmark catalog ...`
#[derive(Debug, Subcommand)]
pub enum CatalogCommand {
    /// Forget the local index and fold it again from the store.
    Rebuild(RebuildArgs),
}

/// `stopmark catalog rebuild`
#[derive(Args, Debug)]
pub struct RebuildArgs {
    /// Read this store's copy of the group's log and manifests; the store that leads when left out.
    #[arg(long, value_name = "NAME")]
    pub from: Option<StoreName>,
}
