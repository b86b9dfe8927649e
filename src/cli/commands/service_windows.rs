//! Windows as the manager of `stopmark service run`, and `stopmark service install` and `uninstall`.
//!
//! The same command is what Windows starts and what a person types: whether there is a manager is asked of Windows.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;

use super::{Failed, one, shown};
use crate::cli::args::{Common, ServiceInstallArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{self, Written};
use crate::error::{Code, Error, Exit, Result, render};
use crate::model::Severity;
use crate::run::Interrupt;
use crate::service::windows::install::{self, Removed, Wanted};
use crate::service::windows::{EventLog, NAME, Scm, scm};
use crate::service::{Ask, Manager, Unwatched};

/// Whoever watches over the service; none where a person started it.
pub(super) struct Watch(Option<Scm>);

/// What the manager asks.
pub(super) struct Ears(Option<mpsc::Receiver<Ask>>);

#[derive(Serialize)]
struct Made {
    service: &'static str,
    is_new: bool,
    account: String,
    /// What Windows did not take, and why.
    refused: Vec<String>,
}

#[derive(Serialize)]
struct Ended {
    service: &'static str,
    removed: &'static str,
}

/// Begins to listen.
pub(super) fn open() -> Result<(Watch, Ears)> {
    let (scm, asks) = scm::attach()?.unzip();
    Ok((Watch(scm), Ears(asks)))
}

impl Watch {
    pub(super) fn manager(&self) -> Arc<dyn Manager> {
        match self.0 {
            Some(scm) => Arc::new(scm),
            None => Arc::new(Unwatched),
        }
    }

    /// A service has no stderr.
    pub(super) fn log(&self) -> Written {
        match self.0 {
            Some(_) => setup::to_event_log(),
            None => setup::to_stderr(),
        }
    }

    pub(super) fn stops_within(&self, within: Duration) {
        if let Some(scm) = self.0 {
            scm.stops_within(within);
        }
    }

    /// Why a service ended is in the event log before Windows hears that it did: a configuration with faults ends it
    /// before it has a log of its own.
    pub(super) fn ended(&self, served: &Result<Exit, Failed>) {
        let Some(scm) = self.0 else { return };
        let exit = match served {
            Ok(exit) => *exit,
            Err(errors) => {
                let text: String = errors.iter().map(render::text).collect();
                // Where the event log refuses, nobody is left to tell.
                let _ = EventLog::write(Severity::Error, &text);
                let first = errors.first();
                first.map_or(Exit::Failed, |error| error.code().exit())
            }
        };
        scm.ended(exit);
    }
}

impl Ears {
    /// Passes on what the manager asks, and Ctrl-C, which `main` hears.
    pub(super) async fn hear(mut self, ask: mpsc::Sender<Ask>, interrupt: Interrupt) {
        loop {
            let asked = tokio::select! {
                asked = heard(&mut self.0) => asked,
                () = interrupt.asked() => Ask::Stop,
            };
            if ask.send(asked).await.is_err() || asked == Ask::Stop {
                return;
            }
        }
    }
}

/// What the manager asks next; never, where there is none.
async fn heard(asks: &mut Option<mpsc::Receiver<Ask>>) -> Ask {
    let asked = match asks {
        Some(asks) => asks.recv().await,
        None => None,
    };
    match asked {
        Some(asked) => asked,
        None => std::future::pending().await,
    }
}

/// Makes the service for this program and this configuration, or brings it up to date.
pub(super) fn install(
    common: &Common,
    args: &ServiceInstallArgs,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let wanted = wanted(common, args).map_err(one)?;
    let installed = install::install(&wanted).map_err(one)?;
    let exit = if installed.refused.is_empty() {
        Exit::Ok
    } else {
        Exit::Degraded
    };
    let refused = installed.refused.into_iter();
    let made = Made {
        service: NAME,
        is_new: installed.is_new,
        account: wanted.account,
        refused: refused
            .map(|(what, why)| format!("{what}: {why}"))
            .collect(),
    };
    shown(out, &made, exit)
}

/// Removes the service.
pub(super) fn uninstall(out: &mut Out<'_>) -> Result<Exit, Failed> {
    let removed = match install::uninstall().map_err(one)? {
        Removed::Gone => "now",
        Removed::WhenStopped => "when it has stopped",
        Removed::Absent => "absent",
    };
    let service = NAME;
    shown(out, &Ended { service, removed }, Exit::Ok)
}

fn wanted(common: &Common, args: &ServiceInstallArgs) -> Result<Wanted> {
    let here = |error: std::io::Error| {
        Error::new(Code::Bug, "the program's own place cannot be found out").source(error)
    };
    Ok(Wanted {
        program: std::env::current_exe().map_err(here)?,
        config: std::path::absolute(&common.config).map_err(here)?,
        account: args.account.clone(),
    })
}

impl Shown for Made {
    fn text(&self) -> String {
        let done = if self.is_new {
            "made"
        } else {
            "brought up to date"
        };
        let mut text = format!(
            "service {} {done}, for the account {}\n",
            self.service, self.account
        );
        for refused in &self.refused {
            writeln!(text, "not taken by Windows: {refused}").expect("a string takes everything");
        }
        text
    }
}

impl Shown for Ended {
    fn text(&self) -> String {
        match self.removed {
            "absent" => format!("there is no service {}\n", self.service),
            when => format!("service {} removed: {when}\n", self.service),
        }
    }
}
