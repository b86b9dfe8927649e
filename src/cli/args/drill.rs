//! What is typed of drills. Start at [`DrillCommand`].

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::model::HostName;

/// `stopmark drill ...`
#[derive(Clone, Debug, Subcommand)]
pub enum DrillCommand {
    /// Hold a drill.
    Run(DrillRunArgs),
    /// List the drills that were held.
    List,
    /// Show the certificate of a drill, or write its report.
    Show(DrillShowArgs),
}

/// `stopmark drill run`
#[derive(Args, Clone, Debug)]
pub struct DrillRunArgs {
    /// The mark of the point; the newest point when left out.
    #[arg(long, conflicts_with = "random")]
    pub mark: Option<String>,
    /// Any of the points that there are.
    #[arg(long)]
    pub random: bool,
    /// A drill host; may be given several times. Those of `[drill] hosts` when left out.
    #[arg(long, value_name = "HOST")]
    pub on: Vec<HostName>,
    /// Write the report to this HTML file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print the plan and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `stopmark drill show`
#[derive(Args, Clone, Debug)]
pub struct DrillShowArgs {
    /// The drill's id, as `stopmark drill list` shows it; the newest when left out.
    pub drill: Option<String>,
    /// Write the report to this HTML file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
