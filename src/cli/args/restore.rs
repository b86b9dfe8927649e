//! What is typed of restores. Start at [`RestoreCommand`].

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use crate::model::{HostName, MemberName};

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
