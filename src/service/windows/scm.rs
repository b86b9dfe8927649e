//! The service control manager while the service runs: what it is told, and what it asks.
//!
//! Start at [`attach`]. The manager has threads of its own: one blocks in the dispatcher as long as the service
//! lives, and one enters at [`entered`] and waits there for the end. Both meet the loop in one static, for the
//! manager's entry takes no argument.
//!
//! Windows has no watchdog for services: that the loop lives is seen at `/healthz`.

use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{
    self, ServiceControlHandlerResult, ServiceStatusHandle,
};
use windows_service::{define_windows_service, service_dispatcher};

use super::NAME;
use crate::error::{Code, Error, Exit, Result};
use crate::service::keeper::Ask;
use crate::service::work::Manager;

/// Reading the configuration and opening the state folder and its catalog takes seconds.
const START_WITHIN: Duration = Duration::from_secs(60);

/// What a stop takes beyond the steps that it waits for: notices on their way, and closing.
const CLOSE_WITHIN: Duration = Duration::from_secs(30);

/// A process that nobody started as a service has no manager (`ERROR_FAILED_SERVICE_CONTROLLER_CONNECT`).
const NO_MANAGER: i32 = 1063;

/// Between the manager's threads and the loop. A process is one service at most.
static LINE: OnceLock<Line> = OnceLock::new();

/// What the threads share.
struct Line {
    asks: mpsc::Sender<Ask>,
    /// Told once: that the manager is there, or why not.
    begun: std::sync::mpsc::SyncSender<Result<(), windows_service::Error>>,
    status: OnceLock<ServiceStatusHandle>,
    stop_within: Mutex<Duration>,
    is_over: Mutex<bool>,
    over: Condvar,
}

/// How far the service is.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Starting,
    Running,
    Stopping,
    Stopped(Exit),
}

/// The manager, once it is there.
#[derive(Clone, Copy, Debug)]
pub struct Scm(());

/// The manager that started this process, and what it will ask; none where a person started it.
///
/// # Errors
/// `SM9001` at a second call; what Windows says when the manager is there and cannot be spoken to.
pub fn attach() -> Result<Option<(Scm, mpsc::Receiver<Ask>)>> {
    let (ask, asks) = mpsc::channel(8);
    let (begun, is_begun) = std::sync::mpsc::sync_channel(2);
    let line = Line {
        asks: ask,
        begun: begun.clone(),
        status: OnceLock::new(),
        stop_within: Mutex::new(Duration::ZERO),
        is_over: Mutex::new(false),
        over: Condvar::new(),
    };
    if LINE.set(line).is_err() {
        return Err(Error::new(Code::Bug, "a process is one service").hint("please report this"));
    }
    std::thread::spawn(move || {
        if let Err(error) = service_dispatcher::start(NAME, service_main) {
            // Whoever asked has gone only where the process ends.
            let _ = begun.send(Err(error));
        }
    });
    match is_begun.recv() {
        Ok(Ok(())) => Ok(Some((Scm(()), asks))),
        Ok(Err(windows_service::Error::Winapi(error)))
            if error.raw_os_error() == Some(NO_MANAGER) =>
        {
            Ok(None)
        }
        Ok(Err(error)) => Err(unheard(error)),
        Err(error) => Err(unheard(error)),
    }
}

impl Scm {
    /// How long a stop may take the loop, as the configuration says.
    pub fn stops_within(self, within: Duration) {
        if let Some(line) = LINE.get() {
            *held(&line.stop_within) = within;
        }
    }

    /// Tells how the service ended. Nothing may have to be done afterwards: the process may be ended at once.
    /// Whatever is not good makes the manager carry out the service's failure actions.
    pub fn ended(self, exit: Exit) {
        tell(Stage::Stopped(exit));
        if let Some(line) = LINE.get() {
            *held(&line.is_over) = true;
            line.over.notify_all();
        }
    }
}

impl Manager for Scm {
    fn ready(&self) {
        tell(Stage::Running);
    }

    fn alive(&self, _status: &str) {}

    fn reloading(&self) {}

    fn stopping(&self) {
        tell(Stage::Stopping);
    }
}

define_windows_service!(service_main, entered);

/// Where the manager enters. Its thread stays until the service is over.
fn entered(_arguments: Vec<std::ffi::OsString>) {
    let Some(line) = LINE.get() else { return };
    // A plain function, no closure: `windows-service` frees what a closure holds at the first stop, and Windows may
    // still ask for the status after it.
    let registered = service_control_handler::register(NAME, asked).map(|status| {
        let _ = line.status.set(status);
        tell(Stage::Starting);
    });
    let is_there = registered.is_ok();
    // The receiver waits for exactly this.
    let _ = line.begun.send(registered);
    if is_there {
        let over = held(&line.is_over);
        let waited = line.over.wait_while(over, |is_over| !*is_over);
        drop(waited);
    }
}

/// What the manager asks, on a thread of its own.
fn asked(control: ServiceControl) -> ServiceControlHandlerResult {
    let ask = match control {
        ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown => Ask::Stop,
        // `sc control Stopmark paramchange`
        ServiceControl::ParamChange => Ask::Reload,
        ServiceControl::Interrogate => return ServiceControlHandlerResult::NoError,
        _ => return ServiceControlHandlerResult::NotImplemented,
    };
    if ask == Ask::Stop {
        // Before the loop hears of it: from here on the manager sends no second stop.
        tell(Stage::Stopping);
    }
    if let Some(line) = LINE.get() {
        // Where eight are waiting, one more says nothing new.
        let _ = line.asks.try_send(ask);
    }
    ServiceControlHandlerResult::NoError
}

/// Tells the manager how far the service is. One that does not hear is no reason to stop working.
fn tell(stage: Stage) {
    let Some(line) = LINE.get() else { return };
    let Some(handle) = line.status.get() else {
        return;
    };
    let status = status(stage, *held(&line.stop_within));
    if let Err(error) = handle.set_service_status(status) {
        tracing::debug!(%error, "the service control manager does not hear");
    }
}

fn status(stage: Stage, stop_within: Duration) -> ServiceStatus {
    let nothing = ServiceControlAccept::empty();
    let everything = ServiceControlAccept::STOP
        | ServiceControlAccept::SHUTDOWN
        | ServiceControlAccept::PRESHUTDOWN
        | ServiceControlAccept::PARAM_CHANGE;
    let (current_state, controls_accepted, wait_hint) = match stage {
        Stage::Starting => (ServiceState::StartPending, nothing, START_WITHIN),
        Stage::Running => (ServiceState::Running, everything, Duration::ZERO),
        Stage::Stopping => {
            let wait = stop_within.saturating_add(CLOSE_WITHIN);
            // Milliseconds in 32 bits are all that the manager takes: 49 days.
            let wait = wait.min(Duration::from_millis(u32::MAX.into()));
            (ServiceState::StopPending, nothing, wait)
        }
        Stage::Stopped(_) => (ServiceState::Stopped, nothing, Duration::ZERO),
    };
    let is_pending = matches!(stage, Stage::Starting | Stage::Stopping);
    ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state,
        controls_accepted,
        exit_code: exit_code(stage),
        checkpoint: u32::from(is_pending),
        wait_hint,
        process_id: None,
    }
}

/// A stop that somebody asked for is none of the failures that Windows acts on.
const fn exit_code(stage: Stage) -> ServiceExitCode {
    match stage {
        Stage::Starting
        | Stage::Running
        | Stage::Stopping
        | Stage::Stopped(Exit::Ok | Exit::Interrupted) => ServiceExitCode::NO_ERROR,
        Stage::Stopped(exit) => ServiceExitCode::ServiceSpecific(exit as u32),
    }
}

/// What a lock guards here is whole at every moment, whoever panicked.
fn held<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unheard(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(
        Code::ManagerRefused,
        "the service control manager cannot be spoken to",
    )
    .hint("see the system's event log")
    .source(error)
}
