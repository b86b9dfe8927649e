//! systemd, or a terminal, as the manager of `stopmark service run`: signals become what the loop is asked.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::Failed;
use crate::cli::setup::{self, Written};
use crate::error::{Code, Error, Exit, Result};
use crate::run::Interrupt;
use crate::service::systemd::Systemd;
use crate::service::{Ask, Manager};

/// Whoever watches over the service.
pub(super) struct Watch;

/// The signals of a service manager and a terminal, heard from the moment of its making: none may come before the
/// service says that it is ready and find nobody who listens.
pub(super) struct Ears {
    stop: Signal,
    end: Signal,
    reload: Signal,
}

/// Begins to listen.
pub(super) fn open() -> Result<(Watch, Ears)> {
    let ears = || -> std::io::Result<Ears> {
        Ok(Ears {
            stop: signal(SignalKind::terminate())?,
            end: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    };
    let ears = ears().map_err(|error| {
        Error::new(Code::Bug, "signals cannot be heard")
            .hint("please report this")
            .source(error)
    })?;
    Ok((Watch, ears))
}

#[expect(clippy::unused_self, reason = "other systems' watches hold something")]
impl Watch {
    pub(super) fn manager(&self) -> Arc<dyn Manager> {
        Arc::new(Systemd)
    }

    pub(super) fn log(&self) -> Written {
        setup::to_stderr()
    }

    /// systemd has it from the unit.
    pub(super) fn stops_within(&self, _within: Duration) {}

    /// systemd sees the exit code.
    pub(super) fn ended(&self, _served: &Result<Exit, Failed>) {}
}

impl Ears {
    /// Passes signals on. The second Ctrl-C is for `main`.
    pub(super) async fn hear(mut self, ask: mpsc::Sender<Ask>, interrupt: Interrupt) {
        loop {
            let asked = tokio::select! {
                _ = self.stop.recv() => Ask::Stop,
                _ = self.end.recv() => Ask::Stop,
                _ = self.reload.recv() => Ask::Reload,
                () = interrupt.asked() => Ask::Stop,
            };
            if ask.send(asked).await.is_err() || asked == Ask::Stop {
                return;
            }
        }
    }
}
