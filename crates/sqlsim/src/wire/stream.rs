//! Streams under TDS: TLS records wrapped in TDS packets, and a stream that was peeked into.
//!
//! Start at [`Handshaking`]. In TDS 7.4 the TLS handshake travels inside PRELOGIN packets, both
//! ways; from its end on TLS is bare. Only the server's side is here.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::packet::{HEADER_BYTES, Kind, PACKET_BYTES_DEFAULT, header};

/// Any two-way stream of bytes: TCP, TLS over it, or a pipe in memory.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// A stream whose kind is of no more interest.
pub(super) type AnyStream = Box<dyn Duplex>;

/// A stream whose first byte was read to find out what it is.
pub(super) struct Peeked<S> {
    first: Option<u8>,
    inner: S,
}

impl<S> Peeked<S> {
    pub(super) const fn new(first: u8, inner: S) -> Self {
        Self {
            first: Some(first),
            inner,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Peeked<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buf.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Peeked<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// A stream that hides the PRELOGIN packets around a TLS handshake, until it is told that the
/// handshake is over.
pub(super) struct Handshaking<S> {
    inner: S,
    over: bool,
    /// The header of the incoming packet, so far as it has come.
    header: [u8; HEADER_BYTES],
    header_filled: usize,
    /// Payload bytes of the incoming packet that are still to come.
    payload_left: usize,
    /// What TLS wants to say; sent as packets when it flushes.
    pending: Vec<u8>,
    /// Packets being sent.
    sending: Vec<u8>,
    sent: usize,
}

impl<S> Handshaking<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self {
            inner,
            over: false,
            header: [0; HEADER_BYTES],
            header_filled: 0,
            payload_left: 0,
            pending: Vec::new(),
            sending: Vec::new(),
            sent: 0,
        }
    }

    /// From here on bytes pass as they are.
    pub(super) const fn over(&mut self) {
        self.over = true;
    }

    pub(super) fn into_inner(self) -> S {
        self.inner
    }

    /// Cuts what TLS has said into PRELOGIN packets, the last of them ending the message.
    fn wrap_pending(&mut self) {
        let room = PACKET_BYTES_DEFAULT - HEADER_BYTES;
        let pending = std::mem::take(&mut self.pending);
        let packets = pending.chunks(room);
        let count = packets.len();
        for (index, chunk) in packets.enumerate() {
            let last = index + 1 == count;
            let length = HEADER_BYTES + chunk.len();
            self.sending
                .extend(header(Kind::Prelogin, last, length, 0, 0));
            self.sending.extend(chunk);
        }
    }
}

impl<S: AsyncRead + Unpin> Handshaking<S> {
    /// Reads packet headers until a payload begins; `false` at the end of the stream.
    fn poll_header(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.payload_left == 0 {
            let mut buf = ReadBuf::new(&mut self.header[self.header_filled..]);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf))?;
            let count = buf.filled().len();
            if count == 0 {
                return Poll::Ready(Ok(false));
            }
            self.header_filled += count;
            if self.header_filled == HEADER_BYTES {
                self.header_filled = 0;
                let length = usize::from(u16::from_be_bytes([self.header[2], self.header[3]]));
                let payload = length.checked_sub(HEADER_BYTES);
                let is_prelogin = self.header[0] == 0x12;
                self.payload_left = payload.filter(|_| is_prelogin).ok_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidData, "malformed TLS handshake packet")
                })?;
            }
        }
        Poll::Ready(Ok(true))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Handshaking<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.over && self.payload_left == 0 {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        if !ready!(self.poll_header(cx))? {
            return Poll::Ready(Ok(()));
        }
        let room = self.payload_left.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut part))?;
        let count = part.filled().len();
        buf.advance(count);
        self.payload_left -= count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Handshaking<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.over {
            return Pin::new(&mut self.inner).poll_write(cx, buf);
        }
        self.pending.extend(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.wrap_pending();
        while this.sent < this.sending.len() {
            let rest = &this.sending[this.sent..];
            match ready!(Pin::new(&mut this.inner).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => this.sent += count,
            }
        }
        this.sending.clear();
        this.sent = 0;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
