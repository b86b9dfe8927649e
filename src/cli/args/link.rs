//! What is typed of linked servers. Start at [`LinkCommand`].

use clap::{Args, Subcommand};

use crate::model::HostName;

/// `stopmark link ...`
#[derive(Clone, Debug, Subcommand)]
pub enum LinkCommand {
    /// Print which linked servers would be made or mended.
    Plan,
    /// Make and mend the linked servers.
    Apply(LinkApplyArgs),
    /// Print the T-SQL that would make and mend the linked servers, for a person to run.
    Script,
    /// Call through each linked server and compare true names.
    Test,
    /// Examine each linked server that marks need: what is wrong, why it matters, and the T-SQL that mends it.
    Check(LinkCheckArgs),
    /// Show what happens on the wire when a mark crosses the link to a host, as that host sees it.
    Explain(LinkExplainArgs),
}

/// `stopmark link apply`
#[derive(Args, Clone, Debug)]
pub struct LinkApplyArgs {
    /// Also mend this linked server, which Stopmark did not make, or map its login anew; may be given several times.
    #[arg(long, value_name = "LINK")]
    pub foreign: Vec<String>,
}

/// `stopmark link check`
#[derive(Args, Clone, Copy, Debug)]
pub struct LinkCheckArgs {
    /// Also begin a mark through each link and roll it back: it proves that every host joins, and nothing more.
    #[arg(long)]
    pub trial_mark: bool,
    /// Also commit one mark in every member, under a name of its own that is never a point, and say what it cost.
    #[arg(long, requires = "trial_mark")]
    pub commit: bool,
}

/// `stopmark link explain`
#[derive(Args, Clone, Debug)]
pub struct LinkExplainArgs {
    /// The host behind the link. One mark is committed there, under a name of its own that is never a point.
    #[arg(value_name = "HOST")]
    pub host: HostName,
}
