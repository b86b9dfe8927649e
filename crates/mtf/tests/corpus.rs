//! The reader against real backup media, where there are some.
//!
//! The folder named by `STOPMARK_BAK_CORPUS` holds media written by SQL Server and a table
//! `corpus.tsv` that says what each file is. Without it these tests have nothing to read and say
//! so in their one helper; the media are not ours to publish.
//!
//! These tests never write to that folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

#[path = "it/cover.rs"]
mod cover;
#[path = "it/dice.rs"]
mod dice;
#[path = "it/frames.rs"]
mod frames;

use mtf::{
    BackupKind, BackupSet, FindingKind, Level, PageCoverage, Report, StripeFault, check_stripes,
    scan_reader,
};
use uuid::Uuid;

use self::cover::{covered, length, nth};
use self::dice::Dice;

/// Bits flipped in each file, one at a time.
const FLIPS: usize = 200;

/// The corpus folder, or `None` where nobody named one: then there is nothing to test against.
fn corpus() -> Option<PathBuf> {
    std::env::var_os("STOPMARK_BAK_CORPUS").map(PathBuf::from)
}

/// A row of the table, by column name.
type Row = BTreeMap<String, String>;

fn rows(folder: &Path) -> Vec<Row> {
    let table = std::fs::read_to_string(folder.join("corpus.tsv")).expect("the table is there");
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next().expect("it has a head").split('\t').collect();
    let row = |line: &str| {
        names
            .iter()
            .zip(line.split('\t'))
            .map(|(n, v)| ((*n).to_owned(), v.to_owned()))
            .collect()
    };
    let rows = lines.filter(|line| !line.is_empty()).map(row);
    // Encrypted containers are named, not opened; files known to be cut are no test of soundness.
    let is_whole = |row: &Row| row["container"] != "ENCRYPTED" && row["status"] == "COMPLETE";
    rows.filter(is_whole).collect()
}

fn scan(folder: &Path, row: &Row) -> Report {
    let mut file = File::open(folder.join(&row["path"])).expect("the file is there");
    scan_reader(&mut file).expect("the file can be read")
}

#[test]
fn every_row_of_the_corpus_is_what_the_table_says() {
    let Some(folder) = corpus() else { return };
    let rows = rows(&folder);
    assert!(rows.len() >= 76, "only {} rows", rows.len());
    for row in &rows {
        let report = scan(&folder, row);
        let media = report.media.as_ref().expect("there is a media header");
        let set = &report.sets[0].identity;
        let said = [
            ("size", report.bytes.to_string()),
            ("sets", report.sets.len().to_string()),
            ("type", set.kind.letter().to_string()),
            ("server_version", set.server_version.to_string()),
            ("database", set.database_name.clone()),
            ("families", media.family_count.to_string()),
            ("family_no", media.family_number.to_string()),
            (
                "backup_checksums",
                if set.has_backup_checksums() { "Y" } else { "" }.to_owned(),
            ),
        ];
        for (name, value) in said {
            assert_eq!(value, row[name], "{name} of {}", row["path"]);
        }
    }
}

#[test]
fn no_file_of_the_corpus_is_called_damaged() {
    let Some(folder) = corpus() else { return };
    for row in rows(&folder) {
        let report = scan(&folder, &row);
        assert!(report.is_sound(), "{}: {:#?}", row["path"], report.findings);
        assert_eq!(
            report.level_reached(),
            Some(Level::Content),
            "{}",
            row["path"]
        );
        let is_stripe = row["families"] != "1";
        let says_so = |kind: &FindingKind| matches!(kind, FindingKind::StripeOf { .. });
        let said = report
            .findings
            .iter()
            .filter(|finding| says_so(&finding.kind))
            .count();
        assert_eq!(said, usize::from(is_stripe), "{}", row["path"]);
    }
}

#[test]
fn the_corpus_is_covered_down_to_pages_blocks_and_streams() {
    let Some(folder) = corpus() else { return };
    let (mut pages, mut blocks, mut bare, mut streams) = (PageCoverage::default(), 0, 0, 0);
    for row in rows(&folder) {
        for set in scan(&folder, &row).sets {
            let coverage = set.coverage;
            assert_eq!(
                coverage.log.blocks,
                coverage.log.verified + coverage.log.unprotected
            );
            blocks += coverage.log.verified;
            bare += coverage.log.unprotected;
            streams += coverage.streams.verified;
            pages.seen += coverage.pages.seen;
            pages.verified += coverage.pages.verified;
            pages.unplaced_sound += coverage.pages.unplaced_sound;
            pages.bad += coverage.pages.bad;
        }
    }
    assert_eq!(pages.bad, 0);
    assert!(pages.seen >= 3368 && pages.verified >= 2696, "{pages:?}");
    assert!(
        blocks >= 688 && streams >= 25,
        "{blocks} blocks, {streams} streams"
    );
    assert!(bare * 100 <= blocks, "{bare} blocks have no checksum");
}

/// Media of one kind, with or without checksums, whole in memory.
fn media(folder: &Path, kind: &str, checksums: &str) -> Vec<u8> {
    let rows = rows(folder);
    let is_it = |row: &&Row| {
        row["type"] == kind && row["backup_checksums"] == checksums && row["families"] == "1"
    };
    // The largest, because in it headers and padding weigh least, as they do in practice.
    let size = |row: &&Row| row["size"].parse::<u64>().expect("sizes are numbers");
    let row = rows
        .iter()
        .filter(is_it)
        .max_by_key(size)
        .expect("the corpus has each kind");
    std::fs::read(folder.join(&row["path"])).expect("the file is there")
}

fn is_sound(bytes: &[u8]) -> bool {
    scan_reader(&mut &bytes[..])
        .expect("memory can be read")
        .is_sound()
}

#[test]
fn cuts_in_real_media_are_found() {
    let Some(folder) = corpus() else { return };
    for (kind, checksums) in [("D", ""), ("D", "Y"), ("L", ""), ("I", "Y")] {
        let bytes = media(&folder, kind, checksums);
        for cut in 1..60 {
            assert!(
                !is_sound(&bytes[..bytes.len() * cut / 60]),
                "{kind} cut at {cut} of 60"
            );
        }
        for sectors in 1..20 {
            assert!(
                !is_sound(&bytes[..bytes.len() - sectors * 512]),
                "{kind}, {sectors} less"
            );
        }
    }
}

/// Whether the medium with this bit flipped is still called sound.
fn hides(bytes: &mut [u8], at: usize, bit: usize) -> bool {
    bytes[at] ^= 1 << bit;
    let hidden = is_sound(bytes);
    bytes[at] ^= 1 << bit;
    hidden
}

/// Flips in one medium of each kind.
const FLIPS_OF_A_KIND: usize = 4000;

/// Without checksums the share depends on how many pages are in use and how much log is padding.
#[test]
fn flipped_bits_in_real_media_are_found_as_often_as_their_checksums_allow() {
    let Some(folder) = corpus() else { return };
    let shares = [
        ("D", "", 900),
        ("D", "Y", 967),
        ("I", "Y", 950),
        ("L", "Y", 917),
        ("L", "", 600),
    ];
    for (kind, checksums, least) in shares {
        let mut bytes = media(&folder, kind, checksums);
        let mut dice = Dice::new();
        let mut is_found = || {
            let at = dice.below(bytes.len());
            !hides(&mut bytes, at, dice.below(8))
        };
        let found = (0..FLIPS_OF_A_KIND).filter(|_| is_found()).count() * 1000 / FLIPS_OF_A_KIND;
        assert!(found >= least, "{kind}{checksums}: {found} of 1000 found");
        let share = length(&covered(&bytes)) * 1000 / bytes.len();
        assert!(
            found + 30 >= share,
            "{kind}{checksums}: {found} of {share} in 1000 found"
        );
    }
}

#[test]
fn every_flipped_bit_under_a_checksum_of_real_media_is_found() {
    let Some(folder) = corpus() else { return };
    let mut dice = Dice::new();
    let (mut bytes_in_all, mut bytes_covered) = (0, 0);
    for row in rows(&folder) {
        let mut bytes = std::fs::read(folder.join(&row["path"])).expect("the file is there");
        let ranges = covered(&bytes);
        let total = length(&ranges);
        (bytes_in_all, bytes_covered) = (bytes_in_all + bytes.len(), bytes_covered + total);
        for _ in 0..FLIPS {
            let (at, bit) = (nth(&ranges, dice.below(total)), dice.below(8));
            assert!(
                !hides(&mut bytes, at, bit),
                "{}: bit {bit} of byte {at}",
                row["path"]
            );
        }
    }
    let per_cent = bytes_covered * 100 / bytes_in_all;
    assert!(
        per_cent >= 50,
        "{per_cent} per cent of the bytes have a checksum"
    );
}

#[test]
fn pairs_of_stripes_are_whole_only_together() {
    let Some(folder) = corpus() else { return };
    let mut media_sets: BTreeMap<String, Vec<Report>> = BTreeMap::new();
    for row in rows(&folder) {
        let report = scan(&folder, &row);
        let media = report.media.as_ref().expect("there is a media header");
        media_sets
            .entry(media.media_set_id.to_string())
            .or_default()
            .push(report);
    }
    let pairs: Vec<_> = media_sets
        .values()
        .filter(|reports| reports.len() == 2)
        .collect();
    assert!(pairs.len() >= 8, "{} pairs", pairs.len());
    for pair in pairs {
        assert_eq!(check_stripes(pair), []);
        let number = 3 - pair[0].media.as_ref().expect("there is one").family_number;
        assert_eq!(check_stripes(&pair[..1]), [StripeFault::Missing { number }]);
    }
}

/// The backup sets of the corpus, each once though it be striped, by family and fork.
fn lineages(folder: &Path) -> BTreeMap<(Uuid, Uuid), Vec<BackupSet>> {
    let mut lineages: BTreeMap<_, Vec<BackupSet>> = BTreeMap::new();
    let reports = rows(folder)
        .iter()
        .map(|row| scan(folder, row))
        .collect::<Vec<_>>();
    for set in reports.into_iter().flat_map(|report| report.sets) {
        let set = set.identity;
        let lineage = lineages
            .entry((set.family_guid, set.recovery_fork_guid))
            .or_default();
        if lineage.iter().all(|other| other.set_guid != set.set_guid) {
            lineage.push(set);
        }
    }
    lineages
}

#[test]
fn every_backup_of_the_corpus_names_its_base_by_lsn_and_guid() {
    let Some(folder) = corpus() else { return };
    let lineages = lineages(&folder);
    let sets: Vec<&BackupSet> = lineages.values().flatten().collect();
    let by_guid = |guid| sets.iter().find(|set| Some(set.set_guid) == guid);
    let mut bare = Vec::new();
    for set in sets.iter().filter(|set| set.kind != BackupKind::Full) {
        let Some(full) = by_guid(set.base_full_guid) else {
            bare.push((set.database_name.as_str(), set.kind));
            continue;
        };
        assert_eq!(full.kind, BackupKind::Full);
        assert_eq!(set.database_backup_lsn, full.checkpoint_lsn);
        if set.kind == BackupKind::Differential {
            assert_eq!(set.differential_base_guid, Some(full.set_guid));
            assert_eq!(set.differential_base_lsn, full.checkpoint_lsn);
        }
    }
    bare.sort_unstable();
    bare.dedup();
    // The log of this `BackupTestDb` is of another family than the full and the differential.
    let expected = [
        ("BackupTestDb", BackupKind::Log),
        ("db1", BackupKind::Differential),
        ("db1", BackupKind::Log),
    ];
    assert_eq!(bare, expected, "only these have no full in the corpus");
}

#[test]
fn every_chain_of_logs_in_the_corpus_is_whole_and_reaches_its_fulls() {
    let Some(folder) = corpus() else { return };
    let (mut links, mut reached) = (0, 0);
    for sets in lineages(&folder).values() {
        let of_kind = |kind| sets.iter().filter(move |set| set.kind == kind);
        let mut logs: Vec<&BackupSet> = of_kind(BackupKind::Log).collect();
        logs.sort_by_key(|log| (log.first_lsn, log.last_lsn));
        for pair in logs.windows(2) {
            let name = &pair[1].database_name;
            assert_eq!(pair[0].last_lsn, pair[1].first_lsn, "a gap in {name}");
            links += 1;
        }
        let (Some(first), Some(last)) = (logs.first(), logs.last()) else {
            continue;
        };
        let others = of_kind(BackupKind::Full).chain(of_kind(BackupKind::Differential));
        for set in others {
            let log = first.first_lsn..=last.last_lsn;
            assert!(
                log.contains(&set.last_lsn),
                "no log leads on from {}",
                set.database_name
            );
            reached += 1;
        }
    }
    assert!(
        links >= 30 && reached >= 18,
        "{links} links, {reached} reached"
    );
}
