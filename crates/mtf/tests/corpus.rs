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

use mtf::{BackupSet, PageCoverage, Report, Severity, scan_reader};

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
    lines.filter(|line| !line.is_empty()).map(row).collect()
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
        let striped = row["families"] != "1";
        let notes = usize::from(striped);
        assert_eq!(
            report.findings.len(),
            notes,
            "{}: {:#?}",
            row["path"],
            report.findings
        );
        assert_eq!(report.worst(), striped.then_some(Severity::Note));
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
    assert_eq!((pages.seen, pages.verified, pages.bad), (0, 0, 0));
    assert_eq!((blocks, bare, streams), (0, 0, 0));
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
