//! What is typed to begin with, and to make members ready for marks.

use clap::{Args, Subcommand};

use super::CheckWhat;
use crate::model::MemberName;

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
