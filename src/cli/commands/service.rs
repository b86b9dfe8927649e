//! `stopmark service run`: the service in the foreground, as a service manager or a person starts it.
//!
//! Start at [`service`]. Signals become what the loop is asked; the status page listens beside it.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::{Failed, one};
use crate::cli::args::{Common, ServiceCommand};
use crate::cli::setup::{self, Home};
use crate::error::{Code, Error, Exit};
use crate::page::{self, Shelf};
use crate::run::Interrupt;
use crate::service::seen::{Steps, WatchedProgress};
use crate::service::{Ask, Manager, Parts, Runs, Seen, serve};

/// Runs the service until it is asked to stop.
pub(super) async fn service(
    common: &Common,
    command: ServiceCommand,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let ServiceCommand::Run = command;
    let config = setup::load(common)?;
    setup::log_as_service(&config, common.verbose).map_err(one)?;
    let steps = Arc::new(Steps::default());
    let seen = watch::Sender::new(Seen::default());
    let scene = watch::Sender::new(None);
    let shelf = Shelf {
        seen: seen.subscribe(),
        scene: scene.subscribe(),
        steps: steps.clone(),
    };
    let page = page::open(&config.service.page, shelf).await.map_err(one)?;
    let (ask, asks) = mpsc::channel(8);
    let ears = Ears::open().map_err(|error| one(deaf(error)))?;
    let ears = tokio::spawn(ears.hear(ask, interrupt.clone()));
    let home = Home::new(common, Arc::new(WatchedProgress(steps)));
    let parts = Parts {
        house: Arc::new(home),
        deeds: Arc::new(Runs),
        manager: manager(),
        seen,
        scene,
    };
    let served = serve(parts, asks).await;
    ears.abort();
    if let Some(page) = page {
        page.task.abort();
    }
    served.map(|()| Exit::Ok)
}

fn deaf(error: std::io::Error) -> Error {
    Error::new(Code::Bug, "signals cannot be heard")
        .hint("please report this")
        .source(error)
}

#[cfg(unix)]
fn manager() -> Arc<dyn Manager> {
    Arc::new(crate::service::systemd::Systemd)
}

#[cfg(not(unix))]
fn manager() -> Arc<dyn Manager> {
    Arc::new(crate::service::Unwatched)
}

/// The signals of a service manager and a terminal, heard from the moment of its making: none may come before the
/// service says that it is ready and find nobody who listens.
#[cfg(unix)]
struct Ears {
    stop: tokio::signal::unix::Signal,
    end: tokio::signal::unix::Signal,
    reload: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Ears {
    fn open() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            stop: signal(SignalKind::terminate())?,
            end: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }

    /// Passes signals on. The second Ctrl-C is for `main`.
    async fn hear(mut self, ask: mpsc::Sender<Ask>, interrupt: Interrupt) {
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

/// Ctrl-C, which `main` passes on.
#[cfg(not(unix))]
struct Ears;

#[cfg(not(unix))]
impl Ears {
    #[expect(clippy::unnecessary_wraps, reason = "signals may refuse elsewhere")]
    fn open() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn hear(self, ask: mpsc::Sender<Ask>, interrupt: Interrupt) {
        interrupt.asked().await;
        // A loop that has ended needs no stop.
        let _ = ask.send(Ask::Stop).await;
    }
}
