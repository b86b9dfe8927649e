//! A simulated instance's ear: an accept loop on TCP, or a pipe handed in.
//!
//! Start at [`listen`] and [`Server::serve_stream`]. Nothing here knows TDS or SQL.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::wire::connection::{self, Shared};
use crate::wire::{Duplex, SharedBackend, WireOptions};

/// How long to hold back after the system refused us a connection (no file handles, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves connections to one backend, whatever they come through. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

impl Server {
    /// A server without a listener: connections come through [`Server::serve_stream`].
    #[must_use]
    pub fn new(backend: SharedBackend, options: WireOptions) -> Self {
        let shared = Shared {
            backend,
            options,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Serves one connection in a task of its own, until it ends or the server stops. Both ends of
    /// `tokio::io::duplex` will do.
    pub fn serve_stream<S: Duplex + 'static>(&self, stream: S) {
        self.serve(stream, "a pipe".to_owned());
    }

    /// `peer` stands in the log where the connection ends.
    fn serve<S: Duplex + 'static>(&self, stream: S, peer: String) {
        let shared = Arc::clone(&self.shared);
        self.shared
            .tasks
            .spawn(connection::serve(stream, peer, shared));
    }

    /// Cuts all connections, cancels what runs, and waits until no session works any more.
    pub async fn stop(&self) {
        self.cut();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// Cuts all connections and cancels what runs without waiting.
    pub fn cut(&self) {
        self.shared.stop.cancel();
    }
}

/// A server that listens. Dropping it cuts its connections.
pub struct RunningServer {
    server: Server,
    address: SocketAddr,
}

impl RunningServer {
    /// Where it listens, with the port that the system chose if none was given.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The server itself, for connections by pipe.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Stops listening, cuts all connections, cancels what runs, and waits until no session works
    /// any more.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.server.cut();
    }
}

/// Listens on an address; port 0 lets the system choose.
///
/// # Errors
/// Those of binding the address.
pub async fn listen(
    backend: SharedBackend,
    address: SocketAddr,
    options: WireOptions,
) -> io::Result<RunningServer> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let server = Server::new(backend, options);
    server
        .shared
        .tasks
        .spawn(accept_all(listener, server.clone()));
    Ok(RunningServer { server, address })
}

async fn accept_all(listener: TcpListener, server: Server) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = server.shared.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Answers are small and waited for; without this each costs a delayed ACK.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("no delay: {error}");
                }
                server.serve(stream, peer.to_string());
            }
            Err(error) => {
                tracing::warn!("accept: {error}");
                pause().await;
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the system's pace, never the simulation's"
)]
async fn pause() {
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
