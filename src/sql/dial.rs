//! How a byte stream to a host is opened: over TCP, or through whatever a test puts in its place.
//!
//! Start at [`Dial`]. Addresses are `host`, `host,port` or `host\instance` (asked from SQL Browser); this
//! file never speaks TDS and never sees a password.

use std::io;

use async_trait::async_trait;
use tiberius::SqlBrowser;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::config::HostConfig;

/// The port of a default instance.
const DEFAULT_PORT: u16 = 1433;

/// A stream of bytes in both directions.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Opens byte streams to hosts: the one seam between the fleet and the network.
#[async_trait]
pub trait Dial: Send + Sync {
    /// A stream to this host, before any TDS. Errors become `SM0201`; time is the caller's to limit.
    async fn dial(&self, host: &HostConfig) -> io::Result<Box<dyn Wire>>;

    /// Whether its streams never leave this process, so that nobody is there to encrypt against. Never true of a
    /// network.
    fn stays_inside(&self) -> bool {
        false
    }
}

/// Opens TCP connections.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpDial;

/// An address as the configuration writes it, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The machine; also the name that its certificate must bear.
    pub machine: String,
    /// Which listener of it.
    pub listener: Listener,
}

/// Which listener of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listener {
    /// A port, 1433 unless the address says another.
    Port(u16),
    /// A named instance, whose port SQL Browser tells.
    Instance(String),
}

impl Address {
    /// Takes `host`, `host,port` or `host\instance` apart; a `tcp:` before it is allowed. `None` where it
    /// is none of these: empty parts, a port that is no number, named pipes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("tcp:").unwrap_or(text);
        let (place, port) = match text.rsplit_once(',') {
            Some((place, port)) => (place, Some(port.trim().parse().ok()?)),
            None => (text, None),
        };
        let (machine, instance) = match place.split_once('\\') {
            Some((machine, instance)) => (machine, Some(instance)),
            None => (place, None),
        };
        let is_plain = |part: &str| !part.is_empty() && !part.contains(['\\', ',']);
        if !is_plain(machine) || !instance.is_none_or(is_plain) {
            return None;
        }
        // A port wins over an instance name, as in SQL Server's own clients.
        let listener = match (port, instance) {
            (Some(port), _) => Listener::Port(port),
            (None, Some(instance)) => Listener::Instance(instance.to_owned()),
            (None, None) => Listener::Port(DEFAULT_PORT),
        };
        let machine = machine.to_owned();
        Some(Self { machine, listener })
    }
}

#[async_trait]
impl Dial for TcpDial {
    async fn dial(&self, host: &HostConfig) -> io::Result<Box<dyn Wire>> {
        let address = Address::parse(&host.address).ok_or_else(|| {
            let text = format!("`{}` is not an address over tcp", host.address);
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        let stream = match &address.listener {
            Listener::Port(port) => TcpStream::connect((address.machine.as_str(), *port)).await?,
            Listener::Instance(instance) => by_browser(&address.machine, instance).await?,
        };
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}

/// Asks the machine's SQL Browser (UDP 1434) for the instance's port, then connects there.
async fn by_browser(machine: &str, instance: &str) -> io::Result<TcpStream> {
    let mut config = tiberius::Config::new();
    config.host(machine);
    config.instance_name(instance);
    TcpStream::connect_named(&config)
        .await
        .map_err(|error| match error {
            tiberius::error::Error::Io { kind, message } => io::Error::new(kind, message),
            other => io::Error::other(other.to_string()),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, Listener)> {
        Address::parse(text).map(|address| (address.machine, address.listener))
    }

    #[test]
    fn the_three_forms_of_an_address_are_taken_apart() {
        let machine = || "pay1".to_owned();
        for (text, listener) in [
            ("pay1", Listener::Port(1433)),
            (" tcp:pay1 ", Listener::Port(1433)),
            ("pay1,14330", Listener::Port(14330)),
            (r"pay1\SQL2", Listener::Instance("SQL2".to_owned())),
            (r"pay1\SQL2, 14330", Listener::Port(14330)),
        ] {
            assert_eq!(parsed(text), Some((machine(), listener)), "{text}");
        }
        let loopback = ("::1".to_owned(), Listener::Port(14330));
        assert_eq!(parsed("::1,14330"), Some(loopback));
    }

    #[test]
    fn what_is_no_tcp_address_is_refused() {
        for text in [
            "",
            ",1433",
            "pay1,",
            "pay1,x",
            "pay1,70000",
            r"pay1\",
            r"\\.\pipe\sql\query",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
