//! The status page, the metrics and the signs of life, over HTTP: seen by anybody who may, changing nothing.
//!
//! Start at [`open`]. A request is answered from values: what the loop last published, and what the local catalog
//! holds; neither a host nor a store is asked. Every view is a pure function of such values (`group`, `sets`,
//! `members`, `timeline`, `metrics`), and every text in it is escaped by the template macro.

mod answer;
pub mod companions;
pub mod group;
pub mod guard;
pub mod members;
pub mod metrics;
pub mod sets;
mod shell;
pub mod timeline;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::PageConfig;
use crate::error::{Code, Error, Result};
use crate::service::seen::Steps;
use crate::service::{Scene, Seen};

/// What the page is made from.
#[derive(Clone)]
pub struct Shelf {
    /// How the service stands.
    pub seen: watch::Receiver<Seen>,
    /// The configuration and world in force.
    pub scene: watch::Receiver<Option<Scene>>,
    /// The steps at work.
    pub steps: Arc<Steps>,
}

/// A page that is being served.
pub struct Served {
    /// Where it listens; a port of 0 has become a real one.
    pub address: SocketAddr,
    /// The task; ending it closes the page.
    pub task: JoinHandle<()>,
}

/// Serves the page; none where the configuration wants none.
///
/// # Errors
/// `SM0906` when its address cannot be had.
pub async fn open(config: &PageConfig, shelf: Shelf) -> Result<Option<Served>> {
    let Some(listen) = config.listen else {
        return Ok(None);
    };
    let listener = TcpListener::bind(listen).await;
    let listener = listener.and_then(|it| Ok((it.local_addr()?, it)));
    let (address, listener) = listener.map_err(|error| {
        let message = "the status page cannot listen at its address";
        Error::new(Code::PortTaken, message)
            .at("address", listen)
            .hint("end what listens there, or set `[page] listen` to another port or to \"off\"")
            .source(error)
    })?;
    let guard = guard::Guard::new(address, config.token.as_ref());
    let routes = answer::routes(shelf, guard);
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::warn!(%error, "the status page has ended");
        }
    });
    tracing::info!("the status page is at http://{address}/");
    Ok(Some(Served { address, task }))
}
