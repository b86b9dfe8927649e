//! What is typed of the service, and of those whom it tells.

#[cfg(windows)]
use clap::Args;
use clap::Subcommand;

/// `stopmark service ...`
#[derive(Clone, Debug, Subcommand)]
pub enum ServiceCommand {
    /// Run in the foreground until stopped: SIGTERM or Ctrl-C stops, SIGHUP reads the configuration again.
    Run,
    /// Make the Windows service, or bring it up to date; `install.ps1` does this and what belongs to it.
    #[cfg(windows)]
    Install(ServiceInstallArgs),
    /// Remove the Windows service; configuration, state and logs stay.
    #[cfg(windows)]
    Uninstall,
}

/// `stopmark service install`
#[cfg(windows)]
#[derive(Args, Clone, Debug)]
pub struct ServiceInstallArgs {
    /// Who the service runs as: its own virtual account, or a group managed one (`DOMAIN\NAME$`).
    #[arg(long, value_name = "NAME", default_value = crate::service::windows::install::OWN_ACCOUNT)]
    pub account: String,
}

/// `stopmark notify ...`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send a notice to everybody whom `[notify]` names, and say who got it.
    Test,
}
