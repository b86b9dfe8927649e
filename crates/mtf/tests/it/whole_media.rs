//! Whole media sets by chance: several backup sets of any kind, in any number of stripes, come back
//! as they were written, however they are sliced and whether they were written at once.
//!
//! Start at [`Shelf`].
//!
//! Single fields of an identity are in `round_trip.rs`; nothing here is damaged.

use mtf::{
    BackupKind, BackupSet, FindingKind, Level, MediaFamily, MediaWriter, Report, Scanner,
    check_stripes,
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::cases;
use crate::common::{Collected, Medium, collect, scan, time};
use crate::round_trip::names;

/// Bytes of an extent of data.
const EXTENT: usize = mtf::page::EXTENT_SIZE;

/// A media set: every stripe holds a part of every backup set.
#[derive(Clone, Debug)]
struct Shelf {
    family: MediaFamily,
    sets: Vec<Medium>,
}

impl Shelf {
    fn family(&self, stripe: u16) -> MediaFamily {
        MediaFamily {
            family_number: stripe + 1,
            ..self.family.clone()
        }
    }

    /// The extents of a backup set that are in this stripe: every so many-th.
    fn data(&self, set: &Medium, stripe: u16) -> Vec<u8> {
        let count = usize::from(self.family.family_count);
        let extents = set.data.chunks(EXTENT).skip(usize::from(stripe));
        extents.step_by(count).flatten().copied().collect()
    }

    /// The log is whole in one stripe and only named in the others.
    fn has_log(&self, set: &Medium, stripe: u16) -> bool {
        set.identity.position % self.family.family_count == stripe
    }

    fn write_set(&self, set: &Medium, stripe: u16, writer: &mut MediaWriter<Vec<u8>>) {
        writer.begin_set(&set.identity).expect("memory");
        let data = self.data(set, stripe);
        if !data.is_empty() {
            let length = data.len() as u64;
            writer.data(length, &mut data.as_slice()).expect("as much");
        }
        let written = if self.has_log(set, stripe) {
            writer.log(&set.extent, &mut set.log.as_slice())
        } else {
            writer.log_elsewhere(&set.extent)
        };
        written.expect("the virtual log file covers it");
        writer.end_set(&set.identity).expect("memory");
    }

    fn write(&self, stripe: u16) -> Vec<u8> {
        let writer = MediaWriter::new(Vec::new(), &self.family(stripe), time(1));
        let mut writer = writer.expect("memory");
        for set in &self.sets {
            self.write_set(set, stripe, &mut writer);
        }
        writer.finish().expect("memory")
    }

    /// As [`write`](Self::write), but the media are opened again for every backup set.
    fn append(&self, stripe: u16) -> Vec<u8> {
        let (first, others) = self.sets.split_first().expect("there is one");
        let alone = Self {
            sets: vec![first.clone()],
            ..self.clone()
        };
        let mut bytes = alone.write(stripe);
        for set in others {
            let report = scan(&bytes);
            let mut writer = MediaWriter::append(bytes, &report).expect("they are sound");
            self.write_set(set, stripe, &mut writer);
            bytes = writer.finish().expect("memory");
        }
        bytes
    }

    /// What a stripe gives back.
    fn expected(&self, stripe: u16) -> Collected {
        let identities = || self.sets.iter().map(|set| set.identity.clone());
        let front = |set| BackupSet {
            finished: None,
            ..set
        };
        let logs = || {
            let sets = self.sets.iter().filter(|set| self.has_log(set, stripe));
            sets.filter(|set| !set.log.is_empty())
        };
        Collected {
            fronts: identities().map(front).collect(),
            data: self
                .sets
                .iter()
                .flat_map(|set| self.data(set, stripe))
                .collect(),
            extents: logs().map(|set| set.extent.clone()).collect(),
            log: logs().flat_map(|set| set.log.clone()).collect(),
            identities: identities().collect(),
        }
    }
}

/// Nothing but which stripe of how many.
fn is_clean(report: &Report) -> bool {
    let is_stripe = |kind: &FindingKind| matches!(kind, FindingKind::StripeOf { .. });
    report
        .findings
        .iter()
        .all(|finding| is_stripe(&finding.kind))
}

fn slices(bytes: &[u8], lengths: &[usize], level: Level) -> (Report, Collected) {
    let mut scanner = Scanner::with(Collected::default()).up_to(level);
    let mut rest = bytes;
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (slice, others) = rest.split_at((*length).min(rest.len()));
        scanner.feed(slice);
        rest = others;
    }
    scanner.finish()
}

fn kinds() -> impl Strategy<Value = BackupKind> {
    prop_oneof![
        Just(BackupKind::Full),
        Just(BackupKind::Differential),
        Just(BackupKind::Log),
        Just(BackupKind::Other(b'F')),
    ]
}

prop_compose! {
    fn sets()(
        kind in kinds(),
        extents in 0..4_u32,
        units in prop_oneof![Just(0_u32), 1..60_u32],
        has_checksums in any::<bool>(),
        major in 9..18_u8,
        texts in [names(), names(), names(), names(), names(), names()],
    ) -> Medium {
        let mut medium = Medium::new(kind, extents, units);
        if has_checksums {
            medium = medium.with_checksums();
        }
        let [name, description, user_name, machine_name, server_name, database_name] = texts;
        medium.identity = BackupSet {
            name, description, user_name, machine_name, server_name, database_name,
            ..medium.identity
        };
        medium.identity.server_version.major = major;
        medium
    }
}

prop_compose! {
    fn shelves()(
        sets in proptest::collection::vec(sets(), 1..4),
        family_count in 1..4_u16,
        filemark_bytes in prop_oneof![Just(512_u32), Just(1024), Just(4096)],
        (name, description) in (names(), names()),
    ) -> Shelf {
        let family = MediaFamily {
            family_count, filemark_bytes, name, description,
            ..crate::common::family()
        };
        let mut sets: Vec<Medium> = sets;
        for (position, set) in (1..).zip(&mut sets) {
            set.identity.position = position;
            set.identity.set_guid = Uuid::from_u128(u128::from(position) + 100);
        }
        Shelf { family, sets }
    }
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn what_is_written_is_read(
        shelf in shelves(),
        lengths in proptest::collection::vec(1..9000_usize, 1..20),
    ) {
        let mut reports = Vec::new();
        for stripe in 0..shelf.family.family_count {
            let bytes = shelf.write(stripe);
            let (report, contents) = collect(&bytes);
            prop_assert!(report.is_sound() && is_clean(&report), "{:?}", report.findings);
            prop_assert_eq!(report.media.as_ref(), Some(&shelf.family(stripe)));
            prop_assert_eq!(&contents, &shelf.expected(stripe));
            prop_assert_eq!(report.bytes, bytes.len() as u64);
            prop_assert_eq!(report.sets.len(), shelf.sets.len());
            let sliced = slices(&bytes, &lengths, Level::Content);
            prop_assert_eq!(sliced, (report.clone(), contents));
            prop_assert_eq!(shelf.append(stripe), bytes);
            reports.push(report);
        }
        prop_assert_eq!(check_stripes(&reports), []);
    }

    #[test]
    fn headers_alone_say_the_same(shelf in shelves()) {
        let bytes = shelf.write(0);
        let whole = scan(&bytes);
        for level in [Level::Structure, Level::Identity] {
            let (report, contents) = slices(&bytes, &[700], level);
            prop_assert_eq!(report.level_reached(), Some(level));
            prop_assert_eq!(&report.findings, &whole.findings);
            prop_assert_eq!(&report.media, &whole.media);
            let identities: Vec<_> = whole.sets.iter().map(|set| &set.identity).collect();
            let listed: Vec<_> = report.sets.iter().map(|set| &set.identity).collect();
            prop_assert_eq!(listed, identities);
            prop_assert!(contents.data.is_empty() && contents.log.is_empty());
        }
    }
}
