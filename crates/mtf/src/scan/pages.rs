//! Data pages as they stream by: those in use must have their checksum.
//!
//! Start at [`PageJudge::update`]. Backups copy whole extents of eight pages, and free slots hold
//! whatever the disk held. So each extent first votes on where it lies, and the PFS pages that went
//! by before (or lie in the same extent) say which of its slots are in use.
//!
//! This file never holds more than one extent and [`MAPS_MAX`] allocation maps (four megabytes).

use std::collections::BTreeMap;

use super::findings::Findings;
use crate::page::{
    self, EXTENT_PAGES, EXTENT_SIZE, FLAG_ENCRYPTED, PageHeader, PageVerdict, SIZE, TYPE_FILLER,
    TYPE_PFS,
};
use crate::{FindingKind, PageCoverage};

/// Allocation maps kept, each for 8088 pages: enough for 252 GiB, beyond which the oldest go.
const MAPS_MAX: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct PageJudge {
    held: Vec<u8>,
    maps: BTreeMap<(u16, u32), Map>,
}

/// Which pages of a PFS interval are in use, a bit each.
type Map = Box<[u8; page::PFS_INTERVAL as usize / 8]>;

/// Where an extent lies: file, and number of its first page.
type Base = (u16, u32);

/// Whether a page is in use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Allocated,
    Free,
    Unknown,
}

/// Who is told what was found.
pub(super) struct Tally<'a> {
    pub(super) coverage: &'a mut PageCoverage,
    pub(super) findings: &'a mut Findings,
}

impl PageJudge {
    /// Judges bytes of data that begin at `at` of the file of media.
    pub(super) fn update(&mut self, mut at: u64, mut bytes: &[u8], mut tally: Tally<'_>) {
        if !self.held.is_empty() {
            let mine = bytes.len().min(EXTENT_SIZE - self.held.len());
            self.held.extend_from_slice(&bytes[..mine]);
            (at, bytes) = (at + mine as u64, &bytes[mine..]);
            if self.held.len() < EXTENT_SIZE {
                return;
            }
            self.flush(at, &mut tally);
        }
        let (extents, rest) = bytes.as_chunks::<EXTENT_SIZE>();
        for extent in extents {
            self.extent(at, extent, &mut tally);
            at += EXTENT_SIZE as u64;
        }
        self.held.extend_from_slice(rest);
    }

    /// The data block is over at `at`: judges what is left of an extent.
    pub(super) fn ends(&mut self, at: u64, mut tally: Tally<'_>) {
        if !self.held.len().is_multiple_of(SIZE) {
            tally.findings.add(at, FindingKind::NotWholePages);
        }
        self.flush(at, &mut tally);
    }

    fn flush(&mut self, at: u64, tally: &mut Tally<'_>) {
        let mut held = std::mem::take(&mut self.held);
        self.extent(at.saturating_sub(held.len() as u64), &held, tally);
        held.clear();
        self.held = held;
    }

    fn extent(&mut self, at: u64, extent: &[u8], tally: &mut Tally<'_>) {
        let pages = extent.as_chunks::<SIZE>().0;
        let place = vote(pages);
        self.learn(pages, place.map(|(base, _)| base));
        for (slot, raw) in (0_u32..).zip(pages) {
            if raw[..4] == FILLER {
                tally.coverage.fillers += 1;
                continue;
            }
            tally.coverage.seen += 1;
            let here = at + u64::from(slot) * SIZE as u64;
            match place {
                Some(((file_id, first), votes)) => {
                    let place = (file_id, first.saturating_add(slot));
                    let its_use = self.use_of(place, votes);
                    judge(here, raw, place, its_use, tally);
                }
                None => tally.coverage.unplaced += 1,
            }
        }
    }

    /// Takes over the allocation map of a PFS page, if this extent has a sound one.
    fn learn(&mut self, pages: &[[u8; SIZE]], base: Option<Base>) {
        let Some((file_id, first)) = base else { return };
        for (slot, raw) in (0_u32..).zip(pages) {
            let page_id = first.saturating_add(slot);
            let header = PageHeader::read(raw);
            let is_its_own = header.page_id == page_id && header.page_type == TYPE_PFS;
            if page::is_pfs(page_id) && is_its_own && page::check(raw) != PageVerdict::Bad {
                let interval = page_id / page::PFS_INTERVAL;
                self.maps.insert((file_id, interval), map_of(raw));
            }
        }
        if self.maps.len() > MAPS_MAX {
            self.maps.pop_first();
        }
    }

    fn use_of(&self, (file_id, page_id): Base, votes: u8) -> Use {
        // A damaged PFS page says nothing of itself, but it is always in use.
        if page::is_pfs(page_id) && votes >= VOTES_MIN {
            return Use::Allocated;
        }
        let Some(map) = self.maps.get(&(file_id, page_id / page::PFS_INTERVAL)) else {
            return Use::Unknown;
        };
        let bit = (page_id % page::PFS_INTERVAL) as usize;
        if map[bit / 8] & 1 << (bit % 8) == 0 {
            Use::Free
        } else {
            Use::Allocated
        }
    }
}

fn judge(at: u64, raw: &[u8; SIZE], place: Base, its_use: Use, tally: &mut Tally<'_>) {
    let (file_id, page_id) = place;
    let header = PageHeader::read(raw);
    let is_its_own = (header.file_id, header.page_id) == place;
    let verdict = match page::check(raw) {
        _ if header.flags & FLAG_ENCRYPTED != 0 => check_encrypted(raw),
        verdict => verdict,
    };
    let coverage = &mut *tally.coverage;
    match (its_use, is_its_own, verdict) {
        (Use::Free, ..) => {
            coverage.free += 1;
            if is_a_single_bit(raw) {
                tally
                    .findings
                    .add(at, FindingKind::PageSuspect { file_id, page_id });
            }
        }
        (Use::Allocated, true, PageVerdict::Sound) => coverage.verified += 1,
        (Use::Allocated, true, PageVerdict::NotTorn) => coverage.not_torn += 1,
        (Use::Allocated, true, PageVerdict::Unprotected) => coverage.unprotected += 1,
        (Use::Allocated, ..) => {
            coverage.bad += 1;
            tally
                .findings
                .add(at, FindingKind::PageDamaged { file_id, page_id });
        }
        (Use::Unknown, true, PageVerdict::Sound | PageVerdict::NotTorn) => {
            coverage.unplaced_sound += 1;
        }
        (Use::Unknown, true, PageVerdict::Bad) => {
            coverage.unplaced_suspect += 1;
            tally
                .findings
                .add(at, FindingKind::PageSuspect { file_id, page_id });
        }
        (Use::Unknown, ..) => coverage.unplaced += 1,
    }
}

/// Whether a page is empty but for one bit: nobody writes that, but a bit that flips in an empty page leaves it.
fn is_a_single_bit(raw: &[u8; SIZE]) -> bool {
    let mut ones = 0;
    raw.as_chunks::<8>().0.iter().all(|word| {
        ones += u64::from_ne_bytes(*word).count_ones();
        ones <= 1
    }) && ones == 1
}

/// Whether the checksum of an encrypted page covers its plain or its cipher text is not known, so it
/// proves nothing; but a page that is whole without that flag was never encrypted.
fn check_encrypted(raw: &[u8; SIZE]) -> PageVerdict {
    if page::is_sealed_but_for(raw, FLAG_ENCRYPTED) {
        PageVerdict::Bad
    } else {
        PageVerdict::Unprotected
    }
}

const FILLER: [u8; 4] = [1, TYPE_FILLER, 0, 0];
/// Pages that must agree where their extent lies before one among them may be missed.
const VOTES_MIN: u8 = 3;

/// Where most pages of an extent say that it lies, and how many they are.
fn vote(pages: &[[u8; SIZE]]) -> Option<(Base, u8)> {
    let mut votes: [Option<(Base, u8)>; EXTENT_PAGES] = [None; EXTENT_PAGES];
    for (slot, raw) in (0_u32..).zip(pages) {
        let Some(base) = base_of(slot, raw) else {
            continue;
        };
        let mine = votes
            .iter_mut()
            .find(|vote| vote.is_none_or(|(other, _)| other == base));
        if let Some(vote) = mine {
            *vote = Some((base, vote.map_or(1, |(_, count)| count + 1)));
        }
    }
    // The first of equals wins, so that the outcome does not depend on chance.
    let most = votes.iter().flatten().map(|(_, count)| *count).max()?;
    votes
        .iter()
        .flatten()
        .find(|(_, count)| *count == most)
        .copied()
}

/// Where the page in `slot` says that its extent lies, if it can be believed at all.
fn base_of(slot: u32, raw: &[u8; SIZE]) -> Option<Base> {
    let header = PageHeader::read(raw);
    let first = header.page_id.checked_sub(slot)?;
    let believable = raw[0] == 1 && header.page_type != TYPE_FILLER && header.file_id != 0;
    (believable && (first as usize).is_multiple_of(EXTENT_PAGES)).then_some((header.file_id, first))
}

fn map_of(pfs: &[u8; SIZE]) -> Map {
    let mut map = Box::new([0; page::PFS_INTERVAL as usize / 8]);
    for page_id in 0..page::PFS_INTERVAL {
        if page::is_allocated(pfs, page_id) {
            map[page_id as usize / 8] |= 1 << (page_id % 8);
        }
    }
    map
}
