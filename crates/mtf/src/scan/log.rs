//! Log blocks as they stream by: each must be where it says it is, and have its checksum.
//!
//! Start at [`LogJudge`]. Blocks are chained by their sizes from the start of an extent to its end;
//! behind a block without a believable size the next one cannot be found, so the chain ends there.
//!
//! This file never holds more than one log block.

use super::findings::Findings;
use crate::block::{self, BlockVerdict};
use crate::{FindingKind, LogCoverage, LogExtent, Lsn};

/// Log arrives padded to multiples of this.
pub(super) const PADDING: u64 = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct LogJudge {
    extent: LogExtent,
    /// Bytes of the extent that are still to come, padding not counted.
    left: u64,
    /// Where the next block begins in the log file.
    position: u64,
    held: Vec<u8>,
    is_broken: bool,
}

impl LogJudge {
    /// A log extent begins.
    pub(super) fn begins(&mut self, extent: &LogExtent) {
        *self = Self {
            left: extent.len_bytes(),
            position: extent.start_bytes,
            extent: extent.clone(),
            ..Self::default()
        };
    }

    /// The blocks of this extent shall not be judged, only counted as bytes.
    pub(super) fn skip(&mut self) {
        self.is_broken = true;
    }

    pub(super) fn extent(&self) -> &LogExtent {
        &self.extent
    }

    /// Bytes of the extent that have not come.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// The part of `bytes` that is log and not padding.
    pub(super) fn trim<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mine = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.left -= mine as u64;
        &bytes[..mine]
    }

    /// Judges log bytes that begin at `at` of the file of media.
    pub(super) fn update(
        &mut self,
        at: u64,
        bytes: &[u8],
        coverage: &mut LogCoverage,
        findings: &mut Findings,
    ) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_broken {
            let wanted = self.wanted();
            let mine = rest.len().min(wanted - self.held.len());
            self.held.extend_from_slice(&rest[..mine]);
            rest = &rest[mine..];
            if self.held.len() == wanted && self.held.len() == self.wanted() {
                let here = at + (bytes.len() - rest.len()) as u64;
                self.judge(here.saturating_sub(wanted as u64), coverage, findings);
            }
        }
    }

    /// The log of this extent is over; a block cut short is damaged.
    pub(super) fn ends(&mut self, at: u64, coverage: &mut LogCoverage, findings: &mut Findings) {
        if !self.is_broken && !self.held.is_empty() {
            self.judge(at, coverage, findings);
        }
    }

    /// How many bytes the held block needs: a unit for its size, then that size.
    fn wanted(&self) -> usize {
        if self.held.len() < block::UNIT {
            return block::UNIT;
        }
        block::size_of(&self.held).unwrap_or(block::UNIT)
    }

    fn judge(&mut self, at: u64, coverage: &mut LogCoverage, findings: &mut Findings) {
        let place = self.extent.block_at(self.position);
        let (vlf, number) = place.unwrap_or_default();
        let verdict = match place {
            Some(_) => block::check(&self.held, vlf, number),
            None => BlockVerdict::WrongPlace,
        };
        coverage.blocks += 1;
        match verdict {
            BlockVerdict::Sound => coverage.verified += 1,
            BlockVerdict::Unprotected => coverage.unprotected += 1,
            BlockVerdict::Bad | BlockVerdict::WrongPlace | BlockVerdict::WrongSize => {
                coverage.bad += 1;
                let lsn = Lsn::from_parts(vlf, number, 1);
                findings.add(at, FindingKind::LogBlockDamaged { lsn, verdict });
            }
        }
        self.is_broken = verdict == BlockVerdict::WrongSize;
        self.position = self.position.saturating_add(self.held.len() as u64);
        self.held.clear();
    }
}
