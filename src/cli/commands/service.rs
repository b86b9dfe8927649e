//! `stopmark service run`: the service in the foreground, as a service manager or a person starts it.
//!
//! Start at [`service`]. Signals become what the loop is asked; the status page listens beside it.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::{Failed, one};
use crate::cli::args::{Common, ServiceCommand};
use crate::cli::setup::{self, Home};
use crate::error::Exit;
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
    let ears = tokio::spawn(hear(ask, interrupt.clone()));
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

#[cfg(unix)]
fn manager() -> Arc<dyn Manager> {
    Arc::new(crate::service::systemd::Systemd)
}

#[cfg(not(unix))]
fn manager() -> Arc<dyn Manager> {
    Arc::new(crate::service::Unwatched)
}

/// Passes signals on. Ctrl-C is heard by `main`, which raises the interrupt.
#[cfg(unix)]
async fn hear(ask: mpsc::Sender<Ask>, interrupt: Interrupt) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut stop), Ok(mut reload)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        return hear_interrupt(&ask, &interrupt).await;
    };
    loop {
        let asked = tokio::select! {
            _ = stop.recv() => Ask::Stop,
            _ = reload.recv() => Ask::Reload,
            () = interrupt.asked() => Ask::Stop,
        };
        if ask.send(asked).await.is_err() || asked == Ask::Stop {
            return;
        }
    }
}

#[cfg(not(unix))]
async fn hear(ask: mpsc::Sender<Ask>, interrupt: Interrupt) {
    hear_interrupt(&ask, &interrupt).await;
}

async fn hear_interrupt(ask: &mpsc::Sender<Ask>, interrupt: &Interrupt) {
    interrupt.asked().await;
    // A loop that has ended needs no stop.
    let _ = ask.send(Ask::Stop).await;
}
