//! What is typed of backups. Start at [`BackupCommand`].

use clap::{Args, Subcommand};

use crate::model::MemberName;

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
