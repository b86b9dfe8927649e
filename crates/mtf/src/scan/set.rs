//! A backup set while it is scanned.
//!
//! Start at [`OpenSet`]. It takes the records and contents of the backup set as they come, judges
//! the contents, and at the end has what it said of itself [compared](super::compare).
//!
//! This file never reads frames; the [medium](super::medium) hands it whole records.

use super::compare;
use super::findings::Findings;
use super::log::{LogJudge, PADDING};
use super::pages::{PageJudge, Tally};
use super::streams::{StreamSum, SumVerdict};
use crate::frame::BlockHead;
use crate::frame::LOGICAL_BLOCK;
use crate::frame::records::{SetEnd, SetStart};
use crate::{BackupSet, Coverage, FindingKind, Level, LogExtent, Lsn, SetReport, Vlf};

/// How much of the backup set can be seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct View {
    /// The media set has other stripes, with contents of their own.
    pub(super) is_striped: bool,
    /// How deep is looked.
    pub(super) level: Level,
}

impl View {
    /// Data and log are looked at, not only headers.
    fn has_contents(self) -> bool {
        self.level == Level::Content
    }
}

#[derive(Debug, Default)]
pub(super) struct OpenSet {
    at: u64,
    start: SetStart,
    pub(super) machine_name: String,
    pub(super) front: Option<BackupSet>,
    pub(super) identity: Option<BackupSet>,
    next_control_id: u32,
    view: View,
    coverage: Coverage,
    pages: PageJudge,
    log: LogJudge,
    sum: StreamSum,
    pages_before_block: u64,
    lowest: Option<LogExtent>,
    highest: Option<LogExtent>,
}

impl OpenSet {
    /// A backup set begins at `at`.
    pub(super) fn begins(at: u64, start: SetStart, view: View, findings: &mut Findings) -> Self {
        if !findings.places.set_begins(at).contains(&start.address) {
            findings.add(at, FindingKind::Misplaced);
        }
        Self {
            at,
            start,
            view,
            ..Self::default()
        }
    }

    /// Each block says how far from the start of the backup set it lies, and its number there.
    pub(super) fn check_address(&mut self, at: u64, head: &BlockHead, findings: &mut Findings) {
        let away = at - self.at;
        let said = head.logical_address.checked_mul(LOGICAL_BLOCK);
        if said != Some(away) || head.control_id != self.next_control_id {
            findings.add(at, FindingKind::Misplaced);
        }
        self.next_control_id = head.control_id.wrapping_add(1);
    }

    /// Completes an identity by what other blocks say.
    pub(super) fn complete(&self, set: BackupSet) -> BackupSet {
        BackupSet {
            position: self.start.position,
            name: self.start.name.clone(),
            description: self.start.description.clone(),
            user_name: self.start.user_name.clone(),
            machine_name: self.machine_name.clone(),
            set_guid: self.start.set_guid,
            time_zone_quarters: self.start.time_zone_quarters,
            ..set
        }
    }

    /// Compares the authoritative identity, found at `at`, with everything else.
    pub(super) fn check_identity(&self, at: u64, set: &BackupSet, findings: &mut Findings) {
        if self.front.is_none() {
            findings.add(self.at, FindingKind::NoIdentity);
        }
        if self.view.level < Level::Identity {
            return;
        }
        let copies = self.front.as_ref().and_then(|f| compare::copies(f, set));
        let fields = [compare::start(&self.start, set), copies];
        for field in fields.into_iter().flatten().map(str::to_owned) {
            findings.add(at, FindingKind::CopiesDisagree { field });
        }
        if let Some(lsn) = self.log_range_disagrees(set) {
            findings.add(at, FindingKind::LogRangeDisagrees { lsn });
        }
        if let Some(expected) = self.pages_disagree(set) {
            let found = self.coverage.pages.seen;
            findings.add(at, FindingKind::PagesDisagree { expected, found });
        }
    }

    /// Compares an end of the backup set with its start.
    pub(super) fn check_end(&self, at: u64, end: SetEnd, findings: &mut Findings) {
        if end.position != self.start.position || end.date != self.start.date {
            findings.add(at, FindingKind::EndDisagrees);
        }
    }

    /// A record of the container held what came last.
    pub(super) fn record_seen(&mut self, is_right: bool) {
        let records = &mut self.coverage.records;
        records.seen += 1;
        records.verified += u64::from(is_right);
        records.bad += u64::from(!is_right);
    }

    /// What is known at the end, if there is an identity.
    pub(super) fn report(self) -> Option<SetReport> {
        Some(SetReport {
            identity: self.identity?,
            coverage: self.coverage,
        })
    }

    /// Whether the log range can be compared: since 2019 a stripe that holds no log may name an
    /// extent that was never seen to agree.
    fn has_comparable_log(&self, set: &BackupSet) -> bool {
        let holds_log = self.coverage.log.extents > 0;
        holds_log || !self.view.is_striped || !compare::is_late(set)
    }

    fn log_range_disagrees(&self, set: &BackupSet) -> Option<Lsn> {
        let (lowest, highest) = (self.lowest.as_ref()?, self.highest.as_ref()?);
        compare::log_range(lowest, highest, set).filter(|_| self.has_comparable_log(set))
    }

    fn pages_disagree(&self, set: &BackupSet) -> Option<u64> {
        let is_all_seen = self.view.has_contents() && !self.view.is_striped;
        let seen = self.coverage.pages.seen;
        let in_last_block = seen - self.pages_before_block;
        compare::pages(set, seen, in_last_block).filter(|_| is_all_seen)
    }
}

/// What the contents of the set say, as they stream by.
impl OpenSet {
    pub(super) fn data_block_begins(&mut self) {
        self.sum = StreamSum::default();
        self.pages_before_block = self.coverage.pages.seen;
    }

    pub(super) fn segment_begins(&mut self, at: u64) {
        self.coverage.streams.seen += 1;
        self.sum.begins(at);
    }

    pub(super) fn segment_ends(&mut self) {
        self.sum.ends();
    }

    pub(super) fn data(&mut self, at: u64, bytes: &[u8], findings: &mut Findings) {
        self.coverage.streams.bytes += bytes.len() as u64;
        self.sum.update(bytes);
        let tally = Tally {
            coverage: &mut self.coverage.pages,
            findings,
        };
        self.pages.update(at, bytes, tally);
    }

    pub(super) fn data_block_ends(&mut self, at: u64, findings: &mut Findings) {
        let tally = Tally {
            coverage: &mut self.coverage.pages,
            findings,
        };
        self.pages.ends(at, tally);
        self.check_sum_present(findings);
    }

    pub(super) fn log_block_begins(&mut self, at: u64, extent: LogExtent, findings: &mut Findings) {
        let (start_bytes, end_bytes) = (extent.start_bytes, extent.end_bytes);
        if end_bytes < start_bytes {
            findings.add(
                at,
                FindingKind::BadLogExtent {
                    start_bytes,
                    end_bytes,
                },
            );
        }
        self.sum = StreamSum::default();
        self.log.begins(&extent);
        if let Some(vlf) = extent.vlfs.first().filter(|_| extent.end_bytes > 0) {
            let place = (vlf.sequence, extent.start_bytes);
            if self
                .lowest
                .as_ref()
                .and_then(place_of)
                .is_none_or(|other| place < other)
            {
                self.lowest = Some(extent.clone());
            }
            if self
                .highest
                .as_ref()
                .and_then(place_of)
                .is_none_or(|other| place >= other)
            {
                self.highest = Some(extent);
            }
        }
    }

    /// The log of the extent comes, `length` bytes of it with padding. `false` if a stripe holds
    /// only a part of it: then nothing is known about which.
    pub(super) fn log_begins(&mut self, length: u64) -> bool {
        self.coverage.log.extents += 1;
        let whole = self
            .log
            .extent()
            .len_bytes()
            .checked_next_multiple_of(PADDING);
        let is_whole = !self.view.is_striped || whole == Some(length);
        if !is_whole {
            self.log.skip();
        }
        is_whole
    }

    /// Takes bytes of log and returns those that are not padding.
    pub(super) fn log<'a>(
        &mut self,
        at: u64,
        bytes: &'a [u8],
        findings: &mut Findings,
    ) -> &'a [u8] {
        self.sum.update(bytes);
        let bytes = self.log.trim(bytes);
        self.coverage.streams.bytes += bytes.len() as u64;
        self.log.update(at, bytes, &mut self.coverage.log, findings);
        bytes
    }

    pub(super) fn log_block_ends(&mut self, at: u64, findings: &mut Findings) {
        self.log.ends(at, &mut self.coverage.log, findings);
        let expected_bytes = self.log.extent().len_bytes();
        let left = self.log.left();
        // A stripe may name an extent whose bytes are in another stripe.
        if left > 0 && self.view.has_contents() && !self.view.is_striped {
            let found_bytes = expected_bytes - left;
            findings.add(
                at,
                FindingKind::LogShort {
                    expected_bytes,
                    found_bytes,
                },
            );
        }
        self.check_sum_present(findings);
    }

    /// A stream checksum was found at `at`.
    pub(super) fn checksum(&mut self, at: u64, stored: u32, findings: &mut Findings) {
        match self.sum.judge(stored) {
            SumVerdict::Right => self.coverage.streams.verified += 1,
            SumVerdict::Unproved => findings.add(at, FindingKind::StreamChecksumUnproved),
            SumVerdict::Wrong => {
                self.coverage.streams.bad += 1;
                findings.add(at, FindingKind::StreamChecksumWrong);
            }
        }
    }

    pub(super) fn log_extent(&self) -> &LogExtent {
        self.log.extent()
    }

    fn check_sum_present(&mut self, findings: &mut Findings) {
        let must = self
            .front
            .as_ref()
            .is_some_and(BackupSet::has_backup_checksums);
        if let Some(at) = self.sum.unproved_at().filter(|_| must) {
            findings.add(at, FindingKind::StreamChecksumMissing);
        }
    }
}

fn place_of(extent: &LogExtent) -> Option<(u32, u64)> {
    let vlf: &Vlf = extent.vlfs.first()?;
    Some((vlf.sequence, extent.start_bytes))
}
