//! `media::follow` over real backups, where there are some.
//!
//! The folder named by `STOPMARK_BAK_CORPUS` holds media written by SQL Server; without it there is nothing
//! to look at. The media are not ours to publish, and nothing here writes to that folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use mtf::{BackupKind, Level};
use stopmark::chain::Break;
use stopmark::cli::progress::NoProgress;
use stopmark::media::{Backup, Examined, Lineage, Source, follow, gather};

/// Every file of the corpus, examined; none where there is no corpus.
async fn corpus() -> Option<Vec<Examined>> {
    let folder = std::env::var_os("STOPMARK_BAK_CORPUS").map(PathBuf::from)?;
    let gathered = gather(&[Source::Path(folder)], Level::Content, &NoProgress).await;
    let gathered = gathered.expect("it can be read");
    assert!(gathered.faults.is_empty(), "{:?}", gathered.faults);
    assert!(gathered.examined.len() >= 76, "{}", gathered.examined.len());
    Some(gathered.examined)
}

/// What stands in the table of the corpus, by file.
fn rows() -> BTreeMap<String, Vec<String>> {
    let folder = std::env::var_os("STOPMARK_BAK_CORPUS").map(PathBuf::from);
    let folder = folder.expect("only asked where there is a corpus");
    let table = std::fs::read_to_string(folder.join("corpus.tsv")).expect("the table is there");
    let rows = table.lines().skip(1).map(|line| {
        let cells: Vec<String> = line.split('\t').map(str::to_owned).collect();
        (folder.join(&cells[0]).display().to_string(), cells)
    });
    rows.collect()
}

fn name(lineage: &Lineage) -> &str {
    &lineage.databases[0]
}

#[tokio::test]
async fn every_file_of_the_corpus_is_what_its_table_says_to_the_last_byte() {
    let Some(examined) = corpus().await else {
        return;
    };
    let rows = rows();
    for file in &examined {
        let row = &rows[&file.place.to_string()];
        assert_eq!(file.size_bytes.to_string(), row[1], "{row:?}");
        let sha256 = file.digest.and_then(|digest| digest.sha256);
        assert_eq!(
            sha256.map(|it| it.to_string()).as_ref(),
            Some(&row[2]),
            "{row:?}"
        );
        assert_eq!(
            file.report.sets[0].identity.database_name, row[7],
            "{row:?}"
        );
        assert!(file.report.is_sound(), "{row:?}");
    }
}

/// What the corpus holds: database, backups, and stretches of moments that it can be restored to.
const CHAINS: [(&str, usize, usize); 11] = [
    // A log whose family no full of the corpus has.
    ("BackupTestDb", 1, 0),
    ("BackupTestDb", 2, 2),
    ("DBWithoutOwner", 5, 1),
    ("OlaMsFilterTest", 4, 1),
    ("OlaMsFilterTest", 18, 1),
    // On two servers, two years apart.
    ("RestoreTimeClean", 16, 2),
    ("RestoreTimeStripe", 8, 1),
    // Its full is absent.
    ("db1", 4, 0),
    // Fulls and differentials without logs.
    ("db2", 2, 2),
    ("dbareports", 5, 1),
    ("doublediff", 3, 3),
];

#[tokio::test]
async fn every_chain_of_the_corpus_is_whole_whose_full_is_there() {
    let Some(examined) = corpus().await else {
        return;
    };
    let lineages = follow(&examined);
    let found: Vec<_> = lineages
        .iter()
        .map(|it| (name(it), it.backups.len(), it.spans.len()))
        .collect();
    assert_eq!(found, CHAINS);
    for lineage in &lineages {
        assert_eq!(
            lineage.is_whole(),
            lineage.is_restorable(),
            "{}",
            name(lineage)
        );
        assert!(lineage.contests.is_empty(), "{:?}", lineage.contests);
        let in_spans: BTreeSet<usize> = lineage
            .spans
            .iter()
            .flat_map(|it| it.logs.clone())
            .collect();
        let backups = lineage.backups.iter().enumerate();
        let logs = backups.filter(|(_, it)| it.identity.kind == BackupKind::Log && has_length(it));
        for (at, log) in logs.filter(|_| lineage.is_restorable()) {
            assert!(
                in_spans.contains(&at),
                "{}: {:?}",
                name(lineage),
                log.stripes
            );
        }
    }
}

/// A log of no length moves nothing, and a chain may pass it by.
fn has_length(backup: &Backup) -> bool {
    backup.identity.first_lsn < backup.identity.last_lsn
}

#[tokio::test]
async fn a_log_of_the_corpus_that_is_left_out_is_missed() {
    let Some(examined) = corpus().await else {
        return;
    };
    let mut left_out = 0;
    for lineage in follow(&examined) {
        for span in &lineage.spans {
            let held = span
                .logs
                .iter()
                .filter(|at| has_length(&lineage.backups[**at]));
            let held: Vec<&Backup> = held.map(|at| &lineage.backups[*at]).collect();
            for pair in held.windows(2) {
                assert_missed(&examined, &lineage, pair[0], pair[1]);
                left_out += 1;
            }
        }
    }
    assert_eq!(
        left_out, 21,
        "every log that holds something and has one after it"
    );
}

/// Without `log` the log after it cannot be reached, or only from a full or differential in between.
fn assert_missed(examined: &[Examined], lineage: &Lineage, log: &Backup, next: &Backup) {
    let files: Vec<usize> = log.files().collect();
    let rest = examined
        .iter()
        .enumerate()
        .filter(|(at, _)| !files.contains(at));
    let rest: Vec<Examined> = rest.map(|(_, file)| file.clone()).collect();
    let after = follow(&rest);
    let same = after
        .iter()
        .find(|it| it.family_guid == lineage.family_guid);
    let same = same.expect("its other files are there");
    let is_next = |at: usize| same.backups[at].identity.set_guid == next.identity.set_guid;
    let out_of_reach = same
        .gaps
        .iter()
        .find(|gap| gap.unreached.iter().any(|at| is_next(*at)));
    let begins_anew = same
        .spans
        .iter()
        .find(|span| span.logs.iter().any(|at| is_next(*at)));
    match (out_of_reach.map(|gap| &gap.reason), begins_anew) {
        (Some(Break::LogLost { reached, next: at }), None) => {
            assert_eq!(*at, log.identity.last_lsn);
            assert!(*reached < *at);
        }
        // The first log after the full: nothing but the full comes before the hole.
        (Some(Break::NoFull), None) => panic!("a full is there"),
        (None, Some(span)) => assert!(span.from >= next.identity.first_lsn),
        other => panic!("{other:?} without {:?}", log.stripes),
    }
}

#[tokio::test]
async fn a_full_of_the_corpus_that_is_left_out_is_missed() {
    let Some(examined) = corpus().await else {
        return;
    };
    let is_full = |file: &Examined| file.report.sets[0].identity.kind == BackupKind::Full;
    let rest: Vec<Examined> = examined.into_iter().filter(|file| !is_full(file)).collect();
    for lineage in follow(&rest) {
        assert!(!lineage.is_restorable(), "{}", name(&lineage));
        let reasons = lineage.gaps.iter().map(|gap| &gap.reason);
        assert!(
            reasons.into_iter().all(|it| *it == Break::NoFull),
            "{:?}",
            lineage.gaps
        );
    }
}
