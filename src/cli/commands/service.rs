//! `stopmark service run`: the service in the foreground, as a service manager or a person starts it.
//!
//! Start at [`service`]. What a manager asks becomes what the loop is asked (`service_manager`: one file for each
//! kind of system); the status page listens beside the loop.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::service_manager::{self, Ears, Watch};
use super::{Failed, one};
use crate::cli::args::{Common, ServiceCommand};
use crate::cli::log_errors;
use crate::cli::out::Out;
use crate::cli::setup::{self, Home};
use crate::error::Exit;
use crate::page::{self, Shelf};
use crate::run::Interrupt;
use crate::service::seen::{Steps, WatchedProgress};
use crate::service::{Parts, Runs, Seen, lock, serve};

/// Carries a command on the service out.
pub(super) async fn service(
    common: &Common,
    command: &ServiceCommand,
    #[cfg_attr(
        not(windows),
        expect(unused_variables, reason = "running prints nothing")
    )]
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    match command {
        ServiceCommand::Run => run(common, interrupt).await,
        #[cfg(windows)]
        ServiceCommand::Install(args) => service_manager::install(common, args, out),
        #[cfg(windows)]
        ServiceCommand::Uninstall => service_manager::uninstall(out),
    }
}

/// Runs the service until it is asked to stop, and lets its manager know how it ended.
async fn run(common: &Common, interrupt: &Interrupt) -> Result<Exit, Failed> {
    let (watch, ears) = service_manager::open().map_err(one)?;
    let mut is_logging = false;
    let served = run_watched(common, &watch, ears, interrupt, &mut is_logging).await;
    watch.ended(&served);
    match served {
        // The log is what a terminal and the journal show: said once more, it would be there twice.
        Err(errors) if is_logging && !common.json => Ok(log_errors(&errors)),
        served => served,
    }
}

async fn run_watched(
    common: &Common,
    watch: &Watch,
    ears: Ears,
    interrupt: &Interrupt,
    is_logging: &mut bool,
) -> Result<Exit, Failed> {
    let config = setup::load(common)?;
    setup::log_as_service(&config, common.verbose, watch.log()).map_err(one)?;
    *is_logging = true;
    // Who starts a second one hears of the first, and not of its port. `serve` takes the lock for good.
    drop(lock::serving(&config.state).map_err(one)?);
    watch.stops_within(config.service.stop_within);
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
    let ears = tokio::spawn(ears.hear(ask, interrupt.clone()));
    let home = Home::new(common, Arc::new(WatchedProgress(steps)));
    let parts = Parts {
        house: Arc::new(home),
        deeds: Arc::new(Runs),
        manager: watch.manager(),
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
