//! What is typed about BizTalk groups.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What `stopmark check` looks at more closely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckWhat {
    /// How a BizTalk group is backed up: its job, its list, its history.
    Biztalk,
}

/// `stopmark migrate-from-biztalk-job`
#[derive(Args, Debug)]
pub struct MigrateArgs {
    /// Write both into this new folder, too.
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}
