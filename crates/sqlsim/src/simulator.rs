//! One simulated host, whole: an instance, its certificate and its ear on the network.
//!
//! Start at [`Simulator::start`]. This file only puts the parts together.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::certificate::Authority;
use crate::error::SqlError;
use crate::faults::WireFaults;
use crate::instance::{Instance, InstanceBackend, InstanceOptions};
use crate::server::{RunningServer, listen};
use crate::wire::WireOptions;

/// A simulated host that listens.
pub struct Simulator {
    instance: Arc<Instance>,
    server: RunningServer,
    authority_file: Option<PathBuf>,
}

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
        let authority_file = Some(tls.authority_file().to_owned());
        let instance = Instance::open(folder, options).await?;
        let server = Self::listen(&instance, address, WireOptions::with_tls(tls)).await?;
        Ok(Self {
            instance,
            server,
            authority_file,
        })
    }

    /// As [`Simulator::start`], but nothing is encrypted: for tests, whose handshakes would cost
    /// more than their work.
    ///
    /// # Errors As [`Simulator::start`].
    pub async fn start_plain(
        folder: &Path,
        options: InstanceOptions,
        address: SocketAddr,
    ) -> Result<Self, StartError> {
        let instance = Instance::open(folder, options).await?;
        let server = Self::listen(&instance, address, WireOptions::plain()).await?;
        Ok(Self {
            instance,
            server,
            authority_file: None,
        })
    }

    async fn listen(
        instance: &Arc<Instance>,
        address: SocketAddr,
        options: WireOptions,
    ) -> io::Result<RunningServer> {
        let backend = Arc::new(InstanceBackend(Arc::clone(instance)));
        let faults = Arc::new(WireFaults(Arc::clone(instance)));
        let server = listen(backend, address, WireOptions { faults, ..options }).await?;
        let address = server.local_addr().to_string();
        instance.options.dial.announce(&instance.name(), &address);
        Ok(server)
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
        self.instance.sessions.kill_all();
        self.server.stop().await;
        Ok(self.instance.shut_down()?)
    }

    /// Dies as by kill -9: nothing more is written, and the folder may be opened anew at once.
    pub fn kill(self) {
        self.instance.kill();
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
