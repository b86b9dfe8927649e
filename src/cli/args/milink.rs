//! What is typed of links to a Managed Instance. Start at [`MilinkCommand`].

use clap::{Args, Subcommand};

use crate::model::MemberName;

/// `stopmark milink ...`
#[derive(Clone, Debug, Subcommand)]
pub enum MilinkCommand {
    /// Examine every prerequisite of a link: pass, warn or fail, with the cure.
    Check(MilinkArgs),
    /// Bring the chains into the state that a link needs: a full that is not copy-only, a mark and logs.
    Prepare(MilinkArgs),
    /// Print the steps that make the link, T-SQL and PowerShell, with the names filled in and the way back of each.
    Script(MilinkScriptArgs),
    /// Follow the seeding until it ends.
    Watch(MilinkWatchArgs),
}

/// The members that commands on links are about.
#[derive(Args, Clone, Debug)]
pub struct MilinkArgs {
    /// The members.
    #[arg(required = true, value_name = "HOST/DATABASE")]
    pub members: Vec<MemberName>,
}

/// `stopmark milink script`
#[derive(Args, Clone, Debug)]
pub struct MilinkScriptArgs {
    /// The members, one link for each.
    #[command(flatten)]
    pub members: MilinkArgs,
    /// The Managed Instance by its full name, `name.zone.database.windows.net`.
    #[arg(long, value_name = "FQDN", value_parser = full_name)]
    pub instance: String,
    /// Its resource group.
    #[arg(long, value_name = "NAME")]
    pub resource_group: String,
    /// Its subscription; the one that PowerShell has chosen when left out.
    #[arg(long, value_name = "ID")]
    pub subscription: Option<String>,
    /// The host's address and port as the Managed Instance reaches its endpoint, `10.1.0.4:5022`.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub endpoint: String,
}

/// `stopmark milink watch`
#[derive(Args, Clone, Debug)]
pub struct MilinkWatchArgs {
    /// The members.
    #[command(flatten)]
    pub members: MilinkArgs,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub every: u64,
    /// Look once.
    #[arg(long)]
    pub once: bool,
}

/// A certificate is named after the whole name, and a link's address is made of it.
fn full_name(text: &str) -> Result<String, &'static str> {
    let parts: Vec<&str> = text.split('.').collect();
    let is_name = |part: &&str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if parts.len() >= 4 && parts.iter().all(is_name) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("write the whole name, as the Azure portal shows it: `name.zone.database.windows.net`")
    }
}
