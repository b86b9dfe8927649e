//! The checksums of `BACKUP ... WITH CHECKSUM`, one behind each stream of data or log.
//!
//! Start at [`StreamSum`]. The checksum covers the bytes of the stream without its two leading
//! pad bytes. Streams in several segments were never seen with a checksum, so for them a sum that
//! fits neither the segment nor all of them is "not proved", not "wrong".
//!
//! This file never keeps bytes.

use crate::checksum::SectorRoll;

/// The sums of a data or log block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StreamSum {
    segment: SectorRoll,
    all: SectorRoll,
    segments: u32,
    proved: bool,
    at: u64,
}

/// What the checksum behind a stream says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SumVerdict {
    Right,
    Wrong,
    Unproved,
}

impl StreamSum {
    /// A segment with bytes begins at `at`.
    pub(super) fn begins(&mut self, at: u64) {
        if self.segments == 0 {
            self.at = at;
        }
        self.segments += 1;
        self.segment = SectorRoll::default();
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        // The first segment is both; a second sum costs only where there is a second segment.
        if self.segments > 1 {
            self.all.update(bytes);
        }
        self.segment.update(bytes);
    }

    /// The segment is over.
    pub(super) fn ends(&mut self) {
        if self.segments == 1 {
            self.all = self.segment;
        }
    }

    /// Compares with a checksum found on media.
    pub(super) fn judge(&mut self, stored: u32) -> SumVerdict {
        self.proved = true;
        if stored == self.segment.value() || stored == self.all.value() {
            SumVerdict::Right
        } else if self.segments > 1 {
            SumVerdict::Unproved
        } else {
            SumVerdict::Wrong
        }
    }

    /// Where the first stream with bytes stands that no checksum spoke for.
    pub(super) fn unproved_at(&self) -> Option<u64> {
        (self.segments > 0 && !self.proved).then_some(self.at)
    }
}
