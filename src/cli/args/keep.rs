//! What is typed of what is kept, and of the index of it.

use clap::{Args, Subcommand};

use crate::model::StoreName;

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
