//! What is typed of the commands that help with setting up: rights, secrets, completions, man pages.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::model::HostName;
use crate::sql::Purpose;

/// `stopmark grants`
#[derive(Args, Debug)]
pub struct GrantsArgs {
    /// Only this host; may be given several times.
    #[arg(long, value_name = "HOST")]
    pub host: Vec<HostName>,
    /// What the login is to do; may be given several times. Backups and the trial of `check` when left out.
    #[arg(long = "for", value_name = "WHAT", value_enum)]
    pub purposes: Vec<GrantsFor>,
    /// The login, where the configuration says `integrated`: `DOMAIN\account`.
    #[arg(long, value_name = "LOGIN")]
    pub login: Option<String>,
}

/// What a login is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GrantsFor {
    /// Fulls, differentials, logs and marks.
    Backup,
    /// The trial of the share by `stopmark check`.
    Check,
    /// `stopmark group prepare`, once.
    Prepare,
    /// Restores and drills onto the host.
    Restore,
    /// `stopmark restore run --leave-group`: taking databases out of their availability groups. Take it back afterwards.
    LeaveGroup,
}

impl From<GrantsFor> for Purpose {
    fn from(typed: GrantsFor) -> Self {
        match typed {
            GrantsFor::Backup => Self::Backup,
            GrantsFor::Check => Self::Check,
            GrantsFor::Prepare => Self::Prepare,
            GrantsFor::Restore => Self::Restore,
            GrantsFor::LeaveGroup => Self::LeaveGroup,
        }
    }
}

/// `stopmark secret ...`
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Say of every secret that the configuration names where it comes from, whether it can be read, and by whom.
    Test,
    /// Put a secret where the configuration looks for it: a file, or a credential of systemd.
    Set(SecretSetArgs),
}

/// `stopmark secret set`
#[derive(Args, Debug)]
pub struct SecretSetArgs {
    /// The key of the configuration, as `stopmark secret test` shows it. The value is asked for, or read from
    /// standard input.
    #[arg(value_name = "KEY")]
    pub key: String,
}

/// `stopmark completions`
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `stopmark man`
#[derive(Args, Debug)]
pub struct ManArgs {
    /// The folder; made if it is not there.
    #[arg(long, value_name = "FOLDER")]
    pub folder: PathBuf,
}
