//! A backup set while it is scanned, and the comparison of what it says of itself.
//!
//! Start at [`OpenSet`]. A backup set tells its identity twice, its number and date four times, its
//! log range by LSN and by place, its pages by count and by content: all must agree.
//!
//! This file never reads frames; the [medium](super::medium) hands it whole records.

use super::findings::Findings;
use super::log::{LogJudge, PADDING};
use super::pages::{PageJudge, Tally};
use super::streams::{StreamSum, SumVerdict};
use crate::frame::BlockHead;
use crate::frame::LOGICAL_BLOCK;
use crate::frame::records::{SetEnd, SetStart};
use crate::{
    BackupKind, BackupSet, Coverage, FileKind, FindingKind, LogExtent, Lsn, SetReport, Vlf,
};

/// The first version (2019) whose front copy holds provisional LSNs and counts pages by pass.
const VERSION_2019: u8 = 15;

#[derive(Debug, Default)]
pub(super) struct OpenSet {
    at: u64,
    start: SetStart,
    pub(super) machine_name: String,
    pub(super) front: Option<BackupSet>,
    pub(super) identity: Option<BackupSet>,
    next_control_id: u32,
    is_striped: bool,
    coverage: Coverage,
    pages: PageJudge,
    log: LogJudge,
    sum: StreamSum,
    pages_before_block: u64,
    lowest: Option<LogExtent>,
    highest: Option<LogExtent>,
}

impl OpenSet {
    /// A backup set begins at `at`; `is_striped` says that the media set has other stripes.
    pub(super) fn begins(
        at: u64,
        start: SetStart,
        is_striped: bool,
        findings: &mut Findings,
    ) -> Self {
        if start.address != at {
            findings.add(at, FindingKind::Misplaced);
        }
        Self {
            at,
            start,
            is_striped,
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
        if let Some(field) = self.start_disagrees(set) {
            findings.add(
                at,
                FindingKind::CopiesDisagree {
                    field: field.to_owned(),
                },
            );
        }
        match &self.front {
            None => findings.add(self.at, FindingKind::NoIdentity),
            Some(front) => {
                if let Some(field) = copies_disagree(front, set) {
                    findings.add(
                        at,
                        FindingKind::CopiesDisagree {
                            field: field.to_owned(),
                        },
                    );
                }
            }
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

    /// What is known at the end, if there is an identity.
    pub(super) fn report(self) -> Option<SetReport> {
        Some(SetReport {
            identity: self.identity?,
            coverage: self.coverage,
        })
    }

    fn start_disagrees(&self, set: &BackupSet) -> Option<&'static str> {
        let version = (self.start.version.major, self.start.version.minor);
        let said = (set.server_version.major, set.server_version.minor);
        let pairs = [
            (
                "kind",
                self.start.is_differential == (set.kind == BackupKind::Differential),
            ),
            ("start", self.start.date == set.started),
            ("server version", version == said),
        ];
        pairs
            .iter()
            .find(|(_, agrees)| !agrees)
            .map(|(field, _)| *field)
    }

    fn log_range_disagrees(&self, set: &BackupSet) -> Option<Lsn> {
        let (lowest, highest) = (self.lowest.as_ref()?, self.highest.as_ref()?);
        let begins = lowest.position_of(set.first_lsn) == Some(lowest.start_bytes);
        let ends = match highest.position_of(set.last_lsn) {
            Some(position) => position == highest.end_bytes,
            // The next LSN may be the first of a virtual log file of which nothing is here yet.
            None => highest.vlfs.last().is_some_and(|vlf| {
                set.last_lsn.vlf.checked_sub(vlf.sequence) == Some(1)
                    && vlf.start_bytes.checked_add(vlf.size_bytes) == Some(highest.end_bytes)
            }),
        };
        match (begins, ends) {
            (false, _) => Some(set.first_lsn),
            (true, false) => Some(set.last_lsn),
            (true, true) => None,
        }
    }

    /// Pages by the file list where they are not what was seen. Since 2019 the list counts the
    /// last pass over the data only; with stripes it counts pages that are elsewhere.
    fn pages_disagree(&self, set: &BackupSet) -> Option<u64> {
        let of_kind = |kind| set.files.iter().filter(move |file| file.kind == kind);
        let only_rows = set
            .files
            .iter()
            .all(|f| matches!(f.kind, FileKind::Data | FileKind::Log));
        let several = of_kind(FileKind::Data).count() > 1;
        let is_late = set.server_version.major >= VERSION_2019;
        if self.is_striped || !only_rows || set.kind == BackupKind::Log || is_late && several {
            return None;
        }
        let said = of_kind(FileKind::Data)
            .map(|file| u64::from(file.pages_in_backup))
            .sum();
        let seen = self.coverage.pages.seen;
        let in_last_block = seen - self.pages_before_block;
        let agrees = said == seen || is_late && said == in_last_block;
        (!agrees).then_some(said)
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

    pub(super) fn log_block_begins(&mut self, extent: LogExtent) {
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
        let is_whole = !self.is_striped || whole == Some(length);
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
        if left > 0 && !self.is_striped {
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

/// The first field in which the copies of an identity differ though both must know it.
fn copies_disagree(front: &BackupSet, set: &BackupSet) -> Option<&'static str> {
    let is_late = set.server_version.major >= VERSION_2019;
    let lsns = |s: &BackupSet| (s.first_lsn, s.last_lsn, s.checkpoint_lsn);
    let bases = |s: &BackupSet| {
        (
            s.database_backup_lsn,
            s.differential_base_lsn,
            s.differential_base_guid,
            s.base_full_guid,
        )
    };
    let forks = |s: &BackupSet| {
        (
            s.recovery_fork_guid,
            s.first_recovery_fork_guid,
            s.fork_point_lsn,
        )
    };
    let versions = |s: &BackupSet| (s.server_version, s.database_version, s.compatibility_level);
    let pairs = [
        ("database name", front.database_name == set.database_name),
        ("server name", front.server_name == set.server_name),
        ("kind", front.kind == set.kind),
        (
            "flags",
            front.has_backup_checksums() == set.has_backup_checksums(),
        ),
        ("version", versions(front) == versions(set)),
        ("start", front.started == set.started),
        (
            "creation date",
            front.database_created == set.database_created,
        ),
        ("database identity", front.binding_id == set.binding_id),
        ("family", front.family_guid == set.family_guid),
        ("recovery fork", forks(front) == forks(set)),
        ("base", bases(front) == bases(set)),
        // Since 2019 the front LSNs are those of a moment before the backup began.
        ("LSNs", is_late || lsns(front) == lsns(set)),
    ];
    pairs
        .iter()
        .find(|(_, agrees)| !agrees)
        .map(|(field, _)| *field)
}
