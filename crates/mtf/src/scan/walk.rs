//! The walk from block to block and from stream to stream, over bytes in any slicing.
//!
//! Start at [`Walk::feed`]. The walk knows where headers stand and how long things are; what they
//! mean is the business of its [`Visitor`]. After a damaged header it is lost, says so once, and
//! passes over the rest: a guess where the next header stands would prove nothing.
//!
//! This file never holds more than one block (64 KiB) and never trusts a length.

use crate::FindingKind;
use crate::frame::records::filemark_bytes;
use crate::frame::{BLOCK_HEAD, BlockHead, BlockKind, STREAM_HEAD, StreamHead};

/// Who is told what the walk meets.
pub(super) trait Visitor {
    /// A block begins at `at`; `raw` is all of it, up to its first stream.
    fn block(&mut self, at: u64, head: &BlockHead, raw: &[u8]);
    /// A stream of that block begins at `at`.
    fn stream(&mut self, at: u64, head: &StreamHead);
    /// Bytes of that stream, at `at`.
    fn payload(&mut self, at: u64, bytes: &[u8]);
    /// That stream is over.
    fn stream_over(&mut self);
    /// All streams of the block are over.
    fn block_over(&mut self);
    /// Something is wrong at `at`.
    fn notice(&mut self, at: u64, kind: FindingKind);
    /// Whether a file may end behind the blocks so far.
    fn may_end(&self) -> bool;
}

/// At what kind of place a walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// Behind a whole block.
    BlockEnd,
    /// In the header or the fields of a block.
    InHead,
    /// In the streams of a block.
    InStreams,
    /// Lost.
    Nowhere,
}

/// No file is longer, so no stream is.
const LENGTH_MAX: u64 = 1 << 56;
const FILEMARK_MIN: u32 = 512;
const FILEMARK_MAX: u32 = 65536;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The common header of a block.
    Head,
    /// The rest of a block of this length.
    Rest(BlockHead, usize),
    /// The header of a stream, after so many bytes of padding.
    Stream { padding: usize },
    /// So many bytes of a stream.
    Payload { left: u64, is_last: bool },
    /// Behind a header that is none and ends in zeros: as long as there are more of them, nobody wrote on from there.
    Zeros {
        from: u64,
        is_block: bool,
        left: usize,
    },
    /// Nothing that could be understood.
    Lost,
}

/// Zeros that are looked at until nobody is believed to have written behind them; an empty extent of a database has fewer.
const ZEROS_SEEN: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Walk {
    next: Next,
    /// Offset of the next byte to come.
    at: u64,
    /// What has come of a header that is not whole yet.
    held: Vec<u8>,
    filemark_bytes: usize,
    /// What comes was packed in a container, where no room is made ahead.
    is_packed: bool,
}

impl Default for Walk {
    fn default() -> Self {
        let filemark_bytes = FILEMARK_MIN as usize;
        Self {
            next: Next::Head,
            at: 0,
            held: Vec::new(),
            filemark_bytes,
            is_packed: false,
        }
    }
}

impl Walk {
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// At what kind of place the bytes so far end.
    pub(super) fn reached(&self) -> Reached {
        match self.next {
            Next::Lost | Next::Zeros { .. } => Reached::Nowhere,
            Next::Head if self.held.is_empty() => Reached::BlockEnd,
            Next::Head | Next::Rest(..) => Reached::InHead,
            Next::Stream { .. } | Next::Payload { .. } => Reached::InStreams,
        }
    }

    /// Bytes to come of the stream that the walk is in; without limit where it is lost.
    pub(super) fn left(&self) -> u64 {
        match self.next {
            Next::Payload { left, .. } => left,
            Next::Lost => u64::MAX,
            Next::Head | Next::Rest(..) | Next::Stream { .. } | Next::Zeros { .. } => 0,
        }
    }

    /// Passes over that many bytes unseen, at most [`left`](Self::left).
    pub(super) fn skip(&mut self, bytes: u64, visitor: &mut impl Visitor) {
        let mine = bytes.min(self.left());
        self.at = self.at.saturating_add(mine);
        if let Next::Payload { left, is_last } = self.next {
            self.advance(left - mine, is_last, visitor);
        }
    }

    /// Takes the next bytes of the file.
    pub(super) fn feed(&mut self, mut bytes: &[u8], visitor: &mut impl Visitor) {
        while !bytes.is_empty() {
            bytes = match self.next {
                Next::Head => self.head(bytes, visitor),
                Next::Rest(head, length) => self.rest(bytes, &head, length, visitor),
                Next::Stream { padding } => self.stream(bytes, padding, visitor),
                Next::Payload { left, is_last } => self.payload(bytes, left, is_last, visitor),
                Next::Zeros {
                    from,
                    is_block,
                    left,
                } => self.zeros(bytes, (from, is_block), left, visitor),
                Next::Lost => self.pass(bytes, bytes.len()),
            };
        }
    }

    /// The file is over: the letters of a file too short to be judged by a whole header.
    pub(super) fn finish(&mut self, visitor: &mut impl Visitor) {
        if let Next::Zeros { from, is_block, .. } = self.next {
            self.lose(from, unwritten(is_block), visitor);
        }
        let held = std::mem::take(&mut self.held);
        let started = self.at - held.len() as u64;
        if started == 0 && self.next == Next::Head && !b"TAPE".starts_with(prefix(&held, 4)) {
            self.next = Next::Lost;
            visitor.notice(0, FindingKind::NotMedia);
        }
        self.held = held;
    }

    fn head<'a>(&mut self, bytes: &'a [u8], visitor: &mut impl Visitor) -> &'a [u8] {
        let rest = self.hold(bytes, BLOCK_HEAD);
        if self.held.len() < BLOCK_HEAD {
            return rest;
        }
        let started = self.at - BLOCK_HEAD as u64;
        match BlockHead::read(&self.held) {
            Some(head) if started > 0 || head.kind == BlockKind::Media => {
                let length = match head.kind {
                    BlockKind::Filemark => self.filemark_bytes,
                    _ => usize::from(head.first_event),
                };
                self.next = Next::Rest(head, length);
                self.rest(rest, &head, length, visitor)
            }
            _ => {
                let is_media = self.held.starts_with(b"TAPE");
                if started == 0 && !is_media {
                    self.lose(started, FindingKind::NotMedia, visitor);
                } else {
                    let raw = std::mem::take(&mut self.held);
                    self.lose_or_look_on(started, &raw, true, visitor);
                }
                rest
            }
        }
    }

    fn rest<'a>(
        &mut self,
        bytes: &'a [u8],
        head: &BlockHead,
        length: usize,
        visitor: &mut impl Visitor,
    ) -> &'a [u8] {
        let rest = self.hold(bytes, length);
        if self.held.len() < length {
            return rest;
        }
        let started = self.at - length as u64;
        let raw = std::mem::take(&mut self.held);
        if head.kind == BlockKind::Media && !self.takes_filemarks(&raw) {
            let size_bytes = filemark_bytes(&raw);
            self.lose(
                started,
                FindingKind::BadFilemarkSize { size_bytes },
                visitor,
            );
            return rest;
        }
        visitor.block(started, head, &raw);
        if head.kind == BlockKind::Filemark {
            self.next = Next::Head;
            visitor.block_over();
        } else {
            self.next = Next::Stream {
                padding: self.padding(),
            };
        }
        rest
    }

    fn takes_filemarks(&mut self, raw: &[u8]) -> bool {
        let size = filemark_bytes(raw);
        self.filemark_bytes = size as usize;
        (FILEMARK_MIN..=FILEMARK_MAX).contains(&size)
    }

    fn stream<'a>(
        &mut self,
        bytes: &'a [u8],
        padding: usize,
        visitor: &mut impl Visitor,
    ) -> &'a [u8] {
        let rest = self.hold(bytes, padding + STREAM_HEAD);
        if self.held.len() < padding + STREAM_HEAD {
            return rest;
        }
        let started = self.at - STREAM_HEAD as u64;
        let head = StreamHead::read(&self.held[padding..]);
        let raw = std::mem::take(&mut self.held);
        match head {
            None => self.lose_or_look_on(started, &raw, false, visitor),
            Some(head) if head.length > LENGTH_MAX => {
                let length_bytes = head.length;
                self.lose(
                    started,
                    FindingKind::ImpossibleLength { length_bytes },
                    visitor,
                );
            }
            Some(head) => {
                visitor.stream(started, &head);
                self.advance(head.length, &head.id == b"SPAD", visitor);
            }
        }
        rest
    }

    fn payload<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        is_last: bool,
        visitor: &mut impl Visitor,
    ) -> &'a [u8] {
        let mine = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        visitor.payload(self.at, &bytes[..mine]);
        let rest = self.pass(bytes, mine);
        self.advance(left - mine as u64, is_last, visitor);
        rest
    }

    /// Goes on in a stream of which `left` bytes are to come; `SPAD` is the last of its block.
    fn advance(&mut self, left: u64, is_last: bool, visitor: &mut impl Visitor) {
        if left > 0 {
            self.next = Next::Payload { left, is_last };
            return;
        }
        visitor.stream_over();
        if is_last {
            self.next = Next::Head;
            visitor.block_over();
        } else {
            self.next = Next::Stream {
                padding: self.padding(),
            };
        }
    }

    /// Bytes to the next multiple of four, where streams begin.
    fn padding(&self) -> usize {
        ((4 - self.at % 4) % 4) as usize
    }

    /// Holds bytes until there are `wanted`; returns those that were not needed.
    fn hold<'a>(&mut self, bytes: &'a [u8], wanted: usize) -> &'a [u8] {
        let mine = bytes.len().min(wanted.saturating_sub(self.held.len()));
        self.held.extend_from_slice(&bytes[..mine]);
        self.pass(bytes, mine)
    }

    fn pass<'a>(&mut self, bytes: &'a [u8], mine: usize) -> &'a [u8] {
        self.at += mine as u64;
        &bytes[mine..]
    }

    /// From here on the bytes are those that were packed in a container.
    pub(super) fn enter_container(&mut self) {
        self.is_packed = true;
    }

    /// A header at `at` is none. It ends with its checksum: zeros there may be the first that nobody wrote over, unless the
    /// file may end here, since what stands behind the end was never to be a block.
    fn lose_or_look_on(
        &mut self,
        at: u64,
        header: &[u8],
        is_block: bool,
        visitor: &mut impl Visitor,
    ) {
        let is_over = is_block && visitor.may_end();
        if self.is_packed || is_over || !header.ends_with(&[0, 0]) {
            return self.lose(at, bad(is_block), visitor);
        }
        self.next = Next::Zeros {
            from: at,
            is_block,
            left: ZEROS_SEEN,
        };
    }

    fn zeros<'a>(
        &mut self,
        bytes: &'a [u8],
        (from, is_block): (u64, bool),
        left: usize,
        visitor: &mut impl Visitor,
    ) -> &'a [u8] {
        let mine = bytes.len().min(left);
        if bytes[..mine].iter().any(|byte| *byte != 0) {
            self.lose(from, bad(is_block), visitor);
            return bytes;
        }
        if mine == left {
            self.lose(from, unwritten(is_block), visitor);
        } else {
            let left = left - mine;
            self.next = Next::Zeros {
                from,
                is_block,
                left,
            };
        }
        self.pass(bytes, mine)
    }

    fn lose(&mut self, at: u64, kind: FindingKind, visitor: &mut impl Visitor) {
        self.held = Vec::new();
        self.next = Next::Lost;
        visitor.notice(at, kind);
    }
}

const fn bad(is_block: bool) -> FindingKind {
    if is_block {
        FindingKind::BadBlockHeader
    } else {
        FindingKind::BadStreamHeader
    }
}

fn unwritten(is_block: bool) -> FindingKind {
    let expected = if is_block { "a block" } else { "a stream" };
    FindingKind::Unwritten {
        expected: expected.to_owned(),
    }
}

fn prefix(bytes: &[u8], length: usize) -> &[u8] {
    &bytes[..bytes.len().min(length)]
}
