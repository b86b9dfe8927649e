//! The service made known to Windows, brought up to date, and removed: what an installer calls, once.
//!
//! Start at [`install`] and [`uninstall`]; both may run again. Neither starts or stops anything for long, and neither
//! touches files: folders and their rights are the installer's (`install.ps1`).

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use windows_registry::LOCAL_MACHINE;
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl,
    ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo, ServiceSidType,
    ServiceStartType, ServiceState, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

use super::NAME;
use crate::error::{Code, Error, Result};

/// The account that Windows makes for the service alone: no password, no right but its own, `HOST$` on the network.
pub const OWN_ACCOUNT: &str = r"NT SERVICE\Stopmark";

/// What Windows says where a service is not there (`ERROR_SERVICE_DOES_NOT_EXIST`).
const NO_SUCH_SERVICE: i32 = 1060;

/// After the first failure, the second, and each one more; the last is long enough for a person to notice and short
/// enough for a network to come back.
const RESTART_AFTER: [Duration; 3] = [
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
];

/// So long without a failure, and the next one is the first again.
const FORGIVEN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What Windows waits at a shutdown: `[service] stop_within` as it is by default, and a little more.
const PRESHUTDOWN_WITHIN: Duration = Duration::from_secs(330);

/// Where sources of the log `Application` are known.
const SOURCE: &str = r"SYSTEM\CurrentControlSet\Services\EventLog\Application\Stopmark";

/// Every Windows has it, and its messages are the text alone for the identities 1 to 1000.
const MESSAGE_FILE: &str = r"%SystemRoot%\System32\EventCreate.exe";

/// Errors, warnings and information.
const TYPES_SUPPORTED: u32 = 7;

/// What the service is made with.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The program.
    pub program: PathBuf,
    /// Its configuration, absolute: a service begins in the system's folder.
    pub config: PathBuf,
    /// Who it runs as: [`OWN_ACCOUNT`], or a group managed account, `DOMAIN\NAME$`. Neither has a password to give.
    pub account: String,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The service was not there before.
    pub is_new: bool,
    /// What Windows did not take, and why; the service works without.
    pub refused: Vec<(&'static str, String)>,
}

/// What was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// The service.
    Gone,
    /// The service, as soon as it has stopped, which it was asked to.
    WhenStopped,
    /// There was none.
    Absent,
}

/// Makes the service, or brings it up to date. It is not started.
///
/// # Errors
/// `SM0912` with what Windows says.
pub fn install(wanted: &Wanted) -> Result<Installed> {
    let connect = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let manager = ServiceManager::local_computer(None::<&str>, connect).map_err(refused)?;
    let info = service_info(wanted);
    // The right to start is what restarting after a failure asks for.
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START;
    let (service, is_new) = match manager.open_service(NAME, access) {
        Ok(service) => {
            service.change_config(&info).map_err(refused)?;
            (service, false)
        }
        Err(error) if is_absent(&error) => {
            let service = manager.create_service(&info, access);
            (service.map_err(refused)?, true)
        }
        Err(error) => return Err(refused(error)),
    };
    let mut installed = Installed {
        is_new,
        refused: finish(&service),
    };
    if let Err(error) = make_source() {
        installed
            .refused
            .push(("event log source", error.to_string()));
    }
    Ok(installed)
}

/// Asks the service to stop if it runs, and removes it and its source in the event log.
///
/// # Errors
/// `SM0912` with what Windows says.
pub fn uninstall() -> Result<Removed> {
    let connect = ServiceManagerAccess::CONNECT;
    let manager = ServiceManager::local_computer(None::<&str>, connect).map_err(refused)?;
    let access = ServiceAccess::QUERY_STATUS | ServiceAccess::STOP | ServiceAccess::DELETE;
    let removed = match manager.open_service(NAME, access) {
        Ok(service) => {
            let status = service.query_status().map_err(refused)?;
            let is_stopped = status.current_state == ServiceState::Stopped;
            if !is_stopped {
                // One that is stopping already refuses, and goes the same way.
                let _ = service.stop();
            }
            service.delete().map_err(refused)?;
            if is_stopped {
                Removed::Gone
            } else {
                Removed::WhenStopped
            }
        }
        Err(error) if is_absent(&error) => Removed::Absent,
        Err(error) => return Err(refused(error)),
    };
    // It may be gone already; what stays behind names a file of Windows and harms nobody.
    let _ = LOCAL_MACHINE.remove_tree(SOURCE);
    Ok(removed)
}

fn service_info(wanted: &Wanted) -> ServiceInfo {
    let config = wanted.config.clone().into_os_string();
    let verb = ["service", "run"].map(OsString::from);
    ServiceInfo {
        name: NAME.into(),
        display_name: NAME.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: wanted.program.clone(),
        launch_arguments: [OsString::from("--config"), config]
            .into_iter()
            .chain(verb)
            .collect(),
        dependencies: Vec::new(),
        account_name: Some(wanted.account.clone().into()),
        account_password: None,
    }
}

/// What goes beyond the bare service; each thing by itself, for none is worth losing the others.
fn finish(service: &Service) -> Vec<(&'static str, String)> {
    let restarts = RESTART_AFTER.map(|delay| ServiceAction {
        action_type: ServiceActionType::Restart,
        delay,
    });
    let actions = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(FORGIVEN_AFTER),
        reboot_msg: None,
        command: None,
        actions: Some(restarts.to_vec()),
    };
    let description = env!("CARGO_PKG_DESCRIPTION");
    let done = [
        ("description", service.set_description(description)),
        // After the network and whatever mounts shares.
        ("delayed start", service.set_delayed_auto_start(true)),
        ("failure actions", service.update_failure_actions(actions)),
        (
            "failure actions after an exit code",
            service.set_failure_actions_on_non_crash_failures(true),
        ),
        (
            "time at a shutdown",
            service.set_preshutdown_timeout(PRESHUTDOWN_WITHIN),
        ),
        // Rights on folders are given to this name, whatever account the service runs as.
        (
            "identity of its own",
            service.set_config_service_sid_info(ServiceSidType::Unrestricted),
        ),
    ];
    done.into_iter()
        .filter_map(|(what, done)| Some((what, plain(&done.err()?))))
        .collect()
}

fn make_source() -> windows_registry::Result<()> {
    let source = LOCAL_MACHINE.create(SOURCE)?;
    source.set_expand_string("EventMessageFile", MESSAGE_FILE)?;
    source.set_u32("TypesSupported", TYPES_SUPPORTED)
}

fn is_absent(error: &windows_service::Error) -> bool {
    matches!(error, windows_service::Error::Winapi(error) if error.raw_os_error() == Some(NO_SUCH_SERVICE))
}

/// The library says only that a call failed; what Windows says is behind it.
fn plain(error: &windows_service::Error) -> String {
    match error {
        windows_service::Error::Winapi(error) => error.to_string(),
        other => other.to_string(),
    }
}

fn refused(error: windows_service::Error) -> Error {
    Error::new(
        Code::ManagerRefused,
        "Windows does not make or remove the service",
    )
    .at("service", NAME)
    .hint(
        "run this as an administrator, and with an account that exists and has no password to give",
    )
    .source(error)
}
