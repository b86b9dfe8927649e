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

use mtf::{BackupSet, FindingKind, PageCoverage, Report, StripeFault, check_stripes, scan_reader};

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

/// How many of 200 single flipped bits, spread over the medium, are found, in per cent.
fn flips_found_percent(mut bytes: Vec<u8>) -> u32 {
    let mut state = 20_261_121_u64;
    let mut found = 0;
    for _ in 0..200 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963);
        let at = usize::try_from((state >> 16) % bytes.len() as u64).expect("it is small");
        bytes[at] ^= 1 << (state >> 61);
        found += u32::from(!is_sound(&bytes));
        bytes[at] ^= 1 << (state >> 61);
    }
    found / 2
}

/// Without checksums the share depends on how many pages are in use and how much log is padding.
#[test]
fn flipped_bits_in_real_media_are_found_as_often_as_their_checksums_allow() {
    let Some(folder) = corpus() else { return };
    let shares = [
        ("D", "", 78),
        ("D", "Y", 96),
        ("I", "Y", 95),
        ("L", "Y", 91),
        ("L", "", 60),
    ];
    for (kind, checksums, least) in shares {
        let found = flips_found_percent(media(&folder, kind, checksums));
        assert!(found >= least, "{kind}{checksums}: {found} per cent found");
    }
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

#[test]
fn logs_of_the_corpus_follow_their_fulls_and_each_other() {
    let Some(folder) = corpus() else { return };
    let sets: Vec<BackupSet> = rows(&folder)
        .iter()
        .flat_map(|row| scan(&folder, row).sets)
        .map(|set| set.identity)
        .collect();
    let (mut joined, mut based) = (0, 0);
    for set in sets.iter().filter(|set| set.base_full_guid.is_some()) {
        let base = sets
            .iter()
            .find(|base| Some(base.set_guid) == set.base_full_guid);
        if let Some(base) = base {
            assert_eq!(set.database_backup_lsn, base.checkpoint_lsn);
            based += 1;
        }
        joined += usize::from(sets.iter().any(|next| next.first_lsn == set.last_lsn));
    }
    assert!(
        based >= 20 && joined >= 10,
        "{based} based, {joined} joined"
    );
}
