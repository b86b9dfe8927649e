//! The network of a story: pipes in memory that break when the host at either end dies.
//!
//! Start at [`Pipes::line`]. A dead host says nothing more from the very change of its disk on that
//! it died of, as if its process were gone; nothing here knows TDS.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use async_trait::async_trait;
use sqlsim::link::{Dial, Stream};
use sqlsim::server::Server;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

const PIPE_BYTES: usize = 16 << 10;

/// The hosts that can be reached, by name.
#[derive(Default)]
pub(crate) struct Pipes(Mutex<BTreeMap<String, Door>>);

#[derive(Clone)]
struct Door {
    server: Server,
    died: CancellationToken,
}

/// One host's way to the others.
#[derive(Debug)]
struct Line {
    /// Weak, since a host holds its line and the pipes hold the host: a story that is over must leave nothing.
    pipes: Weak<Pipes>,
    died: CancellationToken,
}

impl Pipes {
    /// The way of a host to the others, as long as it lives.
    pub(crate) fn line(self: &Arc<Self>, died: CancellationToken) -> Arc<dyn Dial> {
        let pipes = Arc::downgrade(self);
        Arc::new(Line { pipes, died })
    }

    /// From now on a host is reached under this name, as long as it lives.
    pub(crate) fn enter(&self, name: &str, server: Server, died: CancellationToken) {
        self.doors().insert(name.to_owned(), Door { server, died });
    }

    fn doors(&self) -> MutexGuard<'_, BTreeMap<String, Door>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.doors().keys()).finish()
    }
}

#[async_trait]
impl Dial for Line {
    async fn dial(&self, target: &str) -> io::Result<Box<dyn Stream>> {
        let pipes = self.pipes.upgrade();
        let door = pipes.and_then(|pipes| pipes.doors().get(target).cloned());
        let door = door.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        if door.died.is_cancelled() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let end = |stream| Cable::new(stream, [&self.died, &door.died]);
        door.server.serve_stream(end(far));
        Ok(Box::new(end(near)))
    }
}

/// One end of a pipe.
struct Cable {
    stream: DuplexStream,
    died: [CancellationToken; 2],
    /// They wake whoever reads; who writes is woken by the other end's disappearance.
    waiting: [Pin<Box<WaitForCancellationFutureOwned>>; 2],
}

impl Cable {
    fn new(stream: DuplexStream, died: [&CancellationToken; 2]) -> Self {
        let died = died.map(CancellationToken::clone);
        let waiting = died.clone().map(|died| Box::pin(died.cancelled_owned()));
        Self {
            stream,
            died,
            waiting,
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.died.iter().any(CancellationToken::is_cancelled) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Cable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        for waiting in &mut self.waiting {
            if waiting.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
        }
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Cable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
