//! Why a connection ends before its client wanted it to, and the bounded reader that finds out.
//!
//! Start at [`Cursor`]. It never panics, never reads past its end and never allocates more than
//! what it was given: whatever bytes come, the answer is a value or [`Malformed`].

use std::io;

use thiserror::Error;

/// The client's bytes are not TDS as we know it. Says what was being read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("malformed {0}")]
pub(super) struct Malformed(pub(super) &'static str);

/// Why a connection ended.
#[derive(Debug, Error)]
pub(super) enum Ended {
    /// The client closed its end, as all do at last.
    #[error("the client hung up")]
    HungUp,
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The client sent what cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The server ended it: a refused login, a killed session, an error of class 20, a shutdown.
    #[error("ended by the server: {0}")]
    ByServer(&'static str),
    /// A fault that was asked for.
    #[error("cut by an injected fault")]
    Fault,
}

/// Reads little-endian fields from a slice of bytes.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    /// Named in errors: `LOGIN7`, `RPC request`.
    what: &'static str,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    pub(super) const fn malformed(&self) -> Malformed {
        Malformed(self.what)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(self.malformed())?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(self.malformed())?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    /// A length of 32 bits as a count of bytes.
    pub(super) fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.u32()?).map_err(|_| self.malformed())
    }

    /// `characters` UTF-16 code units.
    pub(super) fn utf16(&mut self, characters: usize) -> Result<String, Malformed> {
        let bytes = self.bytes(characters.checked_mul(2).ok_or(self.malformed())?)?;
        Ok(utf16(bytes))
    }

    /// `B_VARCHAR`: a byte that counts characters, then they.
    pub(super) fn short_text(&mut self) -> Result<String, Malformed> {
        let characters = usize::from(self.u8()?);
        self.utf16(characters)
    }

    /// Everything that is left.
    pub(super) fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

/// UTF-16LE as text. Lone surrogates, which SQL Server stores without a word, become U+FFFD; an
/// odd last byte is dropped.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}
