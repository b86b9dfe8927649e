//! Packets and messages: what TDS looks like below the tokens.
//!
//! Start at [`read_message`] and [`Outgoing`]. A message is one or more packets of one kind; the
//! last carries the end-of-message bit. This file knows lengths and bits, never contents.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::malformed::{Ended, Malformed};

/// Bytes of a packet's header.
pub(super) const HEADER_BYTES: usize = 8;
/// The smallest packet that a client may ask for, and the largest.
pub(super) const PACKET_BYTES_MIN: usize = 512;
pub(super) const PACKET_BYTES_MAX: usize = 32_767;
/// What both sides use until login has agreed on something else.
pub(super) const PACKET_BYTES_DEFAULT: usize = 4096;
/// The longest message taken before login; LOGIN7 is limited to 128 KiB by the protocol.
pub(super) const MESSAGE_BYTES_LOGIN: usize = 128 * 1024;
/// The longest request. SQL Server takes 65536 packets; no test needs more than this.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

const STATUS_END: u8 = 0x01;
const STATUS_IGNORE: u8 = 0x02;
const STATUS_RESET: u8 = 0x08;
const STATUS_RESET_KEEP: u8 = 0x10;

/// What kind of message a packet belongs to (its first byte).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Batch,
    Rpc,
    /// Everything that the server says.
    Answer,
    Attention,
    TransactionManager,
    Login,
    Prelogin,
}

impl Kind {
    fn parse(byte: u8) -> Result<Self, Malformed> {
        Ok(match byte {
            0x01 => Self::Batch,
            0x03 => Self::Rpc,
            0x06 => Self::Attention,
            0x0E => Self::TransactionManager,
            0x10 => Self::Login,
            0x12 => Self::Prelogin,
            _ => return Err(Malformed("packet type")),
        })
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Batch => 0x01,
            Self::Rpc => 0x03,
            Self::Answer => 0x04,
            Self::Attention => 0x06,
            Self::TransactionManager => 0x0E,
            Self::Login => 0x10,
            Self::Prelogin => 0x12,
        }
    }
}

/// A whole message from the client.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) kind: Kind,
    pub(super) payload: Vec<u8>,
    /// The client took it back while sending it.
    pub(super) ignored: bool,
    /// The session is to be reset first; `Some(true)` keeps the open transaction.
    pub(super) reset: Option<bool>,
}

/// Reads one message of at most `bytes_max`, or says why there is none.
pub(super) async fn read_message<R>(from: &mut R, bytes_max: usize) -> Result<Message, Ended>
where
    R: AsyncRead + Unpin,
{
    let Some((kind, status, length)) = read_header(from).await? else {
        return Err(Ended::HungUp);
    };
    let mut message = Message {
        kind,
        payload: Vec::new(),
        ignored: status & STATUS_IGNORE != 0,
        reset: reset_of(status),
    };
    read_payload(from, &mut message.payload, length, bytes_max).await?;
    let mut status = status;
    while status & STATUS_END == 0 {
        let (next, next_status, length) = read_header(from).await?.ok_or(Ended::HungUp)?;
        if next != kind {
            return Err(Malformed("message: its packets are of two types").into());
        }
        read_payload(from, &mut message.payload, length, bytes_max).await?;
        message.ignored |= next_status & STATUS_IGNORE != 0;
        status = next_status;
    }
    Ok(message)
}

/// Kind, status and payload length of the next packet; `None` where the stream ends cleanly.
async fn read_header<R>(from: &mut R) -> Result<Option<(Kind, u8, usize)>, Ended>
where
    R: AsyncRead + Unpin,
{
    let mut header = [0; HEADER_BYTES];
    let mut filled = 0;
    while filled < HEADER_BYTES {
        match from.read(&mut header[filled..]).await? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(Malformed("packet header: it stops half-way").into()),
            count => filled += count,
        }
    }
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let payload = length
        .checked_sub(HEADER_BYTES)
        .ok_or(Malformed("packet length"))?;
    Ok(Some((Kind::parse(header[0])?, header[1], payload)))
}

async fn read_payload<R>(
    from: &mut R,
    payload: &mut Vec<u8>,
    length: usize,
    bytes_max: usize,
) -> Result<(), Ended>
where
    R: AsyncRead + Unpin,
{
    let start = payload.len();
    if start + length > bytes_max {
        return Err(Malformed("message: it is too long").into());
    }
    payload.resize(start + length, 0);
    from.read_exact(&mut payload[start..]).await?;
    Ok(())
}

const fn reset_of(status: u8) -> Option<bool> {
    if status & STATUS_RESET_KEEP != 0 {
        Some(true)
    } else if status & STATUS_RESET != 0 {
        Some(false)
    } else {
        None
    }
}

/// The header of one packet. `length` counts it too; 32 767 at most, so it always fits.
pub(super) fn header(
    kind: Kind,
    last: bool,
    length: usize,
    spid: i16,
    id: u8,
) -> [u8; HEADER_BYTES] {
    let [length_high, length_low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    let [spid_high, spid_low] = spid.to_be_bytes();
    let status = if last { STATUS_END } else { 0 };
    [
        kind.byte(),
        status,
        length_high,
        length_low,
        spid_high,
        spid_low,
        id,
        0,
    ]
}

/// Collects what the server says and cuts it into packets.
pub(super) struct Outgoing<W> {
    out: W,
    /// Tokens not yet sent; the caller appends to it.
    pub(super) tokens: Vec<u8>,
    packet_bytes: usize,
    id: u8,
    spid: i16,
}

impl<W: AsyncWrite + Unpin> Outgoing<W> {
    pub(super) const fn new(out: W) -> Self {
        Self {
            out,
            tokens: Vec::new(),
            packet_bytes: PACKET_BYTES_DEFAULT,
            id: 0,
            spid: 0,
        }
    }

    /// The agreed size of packets, from the message after this one on.
    pub(super) const fn set_packet_bytes(&mut self, packet_bytes: usize) {
        self.packet_bytes = packet_bytes;
    }

    pub(super) const fn set_spid(&mut self, spid: i16) {
        self.spid = spid;
    }

    /// Sends all packets that are full. What is left is never empty if there was anything, so
    /// that the end of the message always has a token to go with.
    pub(super) async fn send_full(&mut self) -> Result<(), Ended> {
        let room = self.packet_bytes - HEADER_BYTES;
        let mut sent = 0;
        while self.tokens.len() - sent > room {
            self.send(sent, sent + room, false).await?;
            sent += room;
        }
        self.tokens.drain(..sent);
        Ok(())
    }

    /// Sends everything that there is, though the message goes on: a message such as
    /// "10 percent processed." must be seen when it is said.
    pub(super) async fn send_partial(&mut self) -> Result<(), Ended> {
        self.send_full().await?;
        if !self.tokens.is_empty() {
            self.send(0, self.tokens.len(), false).await?;
            self.tokens.clear();
        }
        self.out.flush().await?;
        Ok(())
    }

    /// Sends everything and ends the message.
    pub(super) async fn end_message(&mut self) -> Result<(), Ended> {
        self.send_full().await?;
        self.send(0, self.tokens.len(), true).await?;
        self.tokens.clear();
        self.id = 0;
        self.out.flush().await?;
        Ok(())
    }

    /// Closes our half of the stream, so that what was said last still arrives.
    pub(super) async fn hang_up(&mut self) -> Result<(), Ended> {
        Ok(self.out.shutdown().await?)
    }

    async fn send(&mut self, from: usize, to: usize, last: bool) -> Result<(), Ended> {
        // SQL Server counts packets from 1 in each message; the count wraps.
        self.id = self.id.wrapping_add(1);
        let length = HEADER_BYTES + to - from;
        let header = header(Kind::Answer, last, length, self.spid, self.id);
        // One write a packet: two would be two TLS records and two small TCP segments.
        let mut packet = Vec::with_capacity(length);
        packet.extend_from_slice(&header);
        packet.extend_from_slice(&self.tokens[from..to]);
        self.out.write_all(&packet).await?;
        Ok(())
    }
}
