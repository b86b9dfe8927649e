//! How a host reaches another: the seam between linked servers and the network.
//!
//! Start at [`Dial`]. [`Network`] is TCP with an address book that several hosts share; a
//! simulation may hand out in-memory pipes instead. Nothing here speaks TDS.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection to another host, in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The way to other hosts.
#[async_trait]
pub trait Dial: Send + Sync + Debug {
    /// Connects to a data source as a link names it: `tcp:host,port` or a network name.
    async fn dial(&self, target: &str) -> io::Result<Box<dyn Stream>>;

    /// Tells the others where a host listens from now on.
    fn announce(&self, name: &str, address: &str) {
        let _ = (name, address);
    }

    /// The CA, as PEM, that this host trusts when a link verifies certificates; none trusts the
    /// machine's own.
    fn trusted_ca(&self) -> Option<String> {
        None
    }
}

/// TCP, with an address book of network names. Share one among hosts by `Arc`: a name that is
/// entered later is found by all.
#[derive(Debug, Default)]
pub struct Network {
    addresses: RwLock<BTreeMap<String, String>>,
    ca: RwLock<Option<String>>,
}

impl Network {
    /// A network on which nobody is known by name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters a name, or changes its address (`host:port`).
    pub fn enter(&self, name: &str, address: &str) {
        let mut book = self
            .addresses
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        book.insert(name.to_lowercase(), address.to_owned());
    }

    /// Strikes a name out: connections to it fail from now on.
    pub fn strike(&self, name: &str) {
        let mut book = self
            .addresses
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        book.remove(&name.to_lowercase());
    }

    /// Trusts a CA, given as PEM.
    pub fn trust(&self, ca: &str) {
        *self.ca.write().unwrap_or_else(PoisonError::into_inner) = Some(ca.to_owned());
    }

    /// Where a data source is reached. `tcp:host,port` says so itself, unless the book has an
    /// entry for exactly that text or for the host alone.
    fn resolve(&self, target: &str) -> Option<String> {
        let plain = target.strip_prefix("tcp:").unwrap_or(target).trim();
        let book = self
            .addresses
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = book.get(&plain.to_lowercase()) {
            return Some(address.clone());
        }
        let (host, port) = plain.split_once(',')?;
        let port: u16 = port.trim().parse().ok()?;
        Some(format!("{}:{port}", host.trim()))
    }
}

#[async_trait]
impl Dial for Network {
    async fn dial(&self, target: &str) -> io::Result<Box<dyn Stream>> {
        let address = self.resolve(target);
        let address = address.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }

    fn announce(&self, name: &str, address: &str) {
        self.enter(name, address);
    }

    fn trusted_ca(&self) -> Option<String> {
        self.ca
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_the_book_is_reached_there_and_an_address_speaks_for_itself() {
        let network = Network::new();
        network.enter(r"SQL1\BTS", "127.0.0.1:5001");
        assert_eq!(
            network.resolve(r"sql1\bts").as_deref(),
            Some("127.0.0.1:5001")
        );
        assert_eq!(
            network.resolve(r"tcp:SQL1\BTS").as_deref(),
            Some("127.0.0.1:5001")
        );
        assert_eq!(
            network.resolve("tcp:10.0.0.7,1434").as_deref(),
            Some("10.0.0.7:1434")
        );
        assert_eq!(network.resolve("nobody"), None);
        network.strike(r"SQL1\BTS");
        assert_eq!(network.resolve(r"sql1\bts"), None);
    }
}
