//! One simulated host, whole: an instance, its certificate and its ear on the network.
//!
//! Start at [`Simulator::start`]. This file only puts the parts together.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::certificate::Authority;
use crate::error::SqlError;
use crate::faults::WireFaults;
use crate::instance::{Instance, InstanceBackend, InstanceOptions};
use crate::server::{RunningServer, listen};
use crate::wire::WireOptions;

/// A simulated host that listens, on a runtime of its own.
pub struct Simulator {
    instance: Arc<Instance>,
    server: RunningServer,
    authority_file: Option<PathBuf>,
    runtime: Guard,
}

/// Stack of each thread that runs sessions: procedures, functions and views call each other 32
/// deep, and in a debug build each level may take 100 KiB.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Threads of one host.
const THREADS: usize = 2;

/// Why a simulated host did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its address or its certificate.
    #[error("cannot listen: {0}")]
    Listen(#[from] io::Error),
    /// Its databases.
    #[error("cannot open the instance: {0}")]
    Open(#[from] SqlError),
}

impl Simulator {
    /// Opens the instance in `folder`, making it if there is none, and listens on `address` (port 0
    /// lets the system choose). `authority` signs its certificate; several hosts may share one.
    ///
    /// # Errors When the address is taken, or when files of the folder cannot be read, written or
    /// understood.
    pub async fn start(
        folder: &Path,
        options: InstanceOptions,
        address: SocketAddr,
        authority: &Authority,
    ) -> Result<Self, StartError> {
        let names = [options.server_name.machine.clone()];
        let tls = authority.tls(&folder.join("certificate"), &names)?;
        Self::start_wired(folder, options, address, WireOptions::with_tls(tls)).await
    }

    /// As [`Simulator::start`], but nothing is encrypted: for tests, whose handshakes would cost
    /// more than their work.
    ///
    /// # Errors
    /// As [`Simulator::start`].
    pub async fn start_plain(
        folder: &Path,
        options: InstanceOptions,
        address: SocketAddr,
    ) -> Result<Self, StartError> {
        Self::start_wired(folder, options, address, WireOptions::plain()).await
    }

    /// As [`Simulator::start`], with a wire of the caller's choice: how much it encrypts, how it
    /// acknowledges attentions. Its faults are the instance's.
    ///
    /// # Errors
    /// As [`Simulator::start`].
    pub async fn start_wired(
        folder: &Path,
        options: InstanceOptions,
        address: SocketAddr,
        wire: WireOptions,
    ) -> Result<Self, StartError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_stack_size(STACK_BYTES)
            .thread_name("sqlsim")
            .enable_all()
            .build()?;
        let folder = folder.to_owned();
        let authority_file = wire.tls.as_ref().map(|tls| tls.authority_file().to_owned());
        let starting = runtime.spawn(async move {
            let instance = Instance::open(&folder, options).await?;
            let backend = Arc::new(InstanceBackend(Arc::clone(&instance)));
            let faults = Arc::new(WireFaults(Arc::clone(&instance)));
            let server = listen(backend, address, WireOptions { faults, ..wire }).await?;
            let address = server.local_addr().to_string();
            instance.options.dial.announce(&instance.name(), &address);
            Ok::<_, StartError>((instance, server))
        });
        let runtime = Guard(Some(runtime));
        let (instance, server) = starting.await.map_err(io::Error::other)??;
        Ok(Self {
            instance,
            server,
            authority_file,
            runtime,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// The instance, for what T-SQL cannot do: making the first login, arming faults.
    #[must_use]
    pub fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// The PEM file that clients are to trust; none without encryption.
    #[must_use]
    pub fn authority_file(&self) -> Option<&Path> {
        self.authority_file.as_deref()
    }

    /// Stops as a service does: sessions end, checkpoints are written.
    ///
    /// # Errors
    /// When a database cannot write its checkpoint.
    pub async fn stop(self) -> Result<(), StartError> {
        let Self {
            instance,
            server,
            runtime,
            ..
        } = self;
        instance.sessions.kill_all();
        server.stop().await;
        let stopped = instance.shut_down();
        drop(runtime);
        Ok(stopped?)
    }

    /// Dies as by kill -9: nothing more is written, and the folder may be opened anew at once.
    pub fn kill(self) {
        self.instance.kill();
    }
}

/// A runtime that may be dropped anywhere, also inside of another one.
struct Guard(Option<Runtime>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("name", &self.instance.name())
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}
