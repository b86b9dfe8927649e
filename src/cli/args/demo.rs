//! What is typed of the demonstration and of simulated hosts.

use std::path::PathBuf;

use clap::Args;

/// `stopmark sim`
#[derive(Args, Debug)]
pub struct SimArgs {
    /// The hosts' names; several make a group that can reach each other.
    #[arg(required = true)]
    pub hosts: Vec<String>,
    /// The folder that holds the hosts; made if it is not there.
    #[arg(long, default_value = "stopmark-sim")]
    pub folder: PathBuf,
    /// The first host's port; 0 picks free ones.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

/// `stopmark demo`
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// The folder that the demonstration works in and leaves behind.
    #[arg(long, default_value = "stopmark-demo")]
    pub folder: PathBuf,
    /// The seed of the workload.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}
