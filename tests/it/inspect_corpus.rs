//! `media::follow` over real backups, where there are some.
//!
//! The folder named by `STOPMARK_BAK_CORPUS` holds media written by SQL Server; without it there is nothing
//! to look at. The media are not ours to publish, and nothing here writes to that folder.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mtf::Level;
use stopmark::chain::Break;
use stopmark::cli::progress::NoProgress;
use stopmark::media::{Examined, Lineage, Source, follow, gather};
use stopmark::model::PieceKind;

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

#[tokio::test]
async fn every_chain_of_the_corpus_is_whole_whose_full_is_there() {
    let Some(examined) = corpus().await else {
        return;
    };
    let lineages = follow(&examined);
    let backups: usize = lineages.iter().map(|lineage| lineage.backups.len()).sum();
    assert_eq!(backups, 68, "8 pairs of stripes are one backup each");
    let (whole, broken): (Vec<&Lineage>, Vec<&Lineage>) =
        lineages.iter().partition(|lineage| lineage.is_whole());
    // `db1` lacks its full; the log of `BackupTestDb` is of another family than its full and differential.
    let broken: Vec<&str> = broken.into_iter().map(name).collect();
    assert_eq!(broken, ["BackupTestDb", "db1"]);
    assert_eq!(whole.len(), lineages.len() - 2);
    for lineage in &whole {
        let held = |kind| {
            let of = lineage.backups.iter().filter(|it| it.identity.kind == kind);
            of.count()
        };
        let in_spans: std::collections::BTreeSet<usize> = lineage
            .spans
            .iter()
            .flat_map(|span| span.logs.clone())
            .collect();
        let logs = held(mtf::BackupKind::Log);
        // One log of no length stands beside a chain that passes it by.
        assert!(in_spans.len() <= logs, "{}", name(lineage));
        assert!(logs == 0 || !in_spans.is_empty(), "{}", name(lineage));
    }
}

/// Every log of the corpus that holds something is missed where it is left out, unless it is the last one, or
/// a differential or full bridges it.
#[tokio::test]
async fn a_log_of_the_corpus_that_is_left_out_is_missed() {
    let Some(examined) = corpus().await else {
        return;
    };
    let mut missed = 0;
    for left_out in follow(&examined)
        .iter()
        .filter(|lineage| lineage.is_whole())
    {
        for span in &left_out.spans {
            for (&at, &next) in span.logs.iter().zip(span.logs.iter().skip(1)) {
                let (log, next) = (&left_out.backups[at], &left_out.backups[next]);
                let has_length = |set: &mtf::BackupSet| set.first_lsn < set.last_lsn;
                if !has_length(&log.identity) || !has_length(&next.identity) {
                    continue;
                }
                let files: Vec<usize> = log.files().collect();
                let rest: Vec<Examined> = examined
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| !files.contains(at))
                    .map(|(_, file)| file.clone())
                    .collect();
                let after = follow(&rest);
                let same = after
                    .iter()
                    .find(|it| it.family_guid == left_out.family_guid)
                    .expect("the rest is there");
                let (from, to) = (log.identity.first_lsn, log.identity.last_lsn);
                let is_told = same.gaps.iter().any(|gap| match gap.reason {
                    Break::LogLost { reached, next } => reached <= to && next == to,
                    Break::NoFull => same.backups[gap.unreached[0]].identity.first_lsn >= from,
                    _ => false,
                });
                let has_hole = same.spans.len() > left_out.spans.len();
                assert!(is_told || has_hole, "{from} {to}: {:?}", same.gaps);
                missed += 1;
            }
        }
    }
    assert!(missed >= 15, "{missed}");
    assert_ne!(PieceKind::Log, PieceKind::Full);
}

#[tokio::test]
async fn a_full_of_the_corpus_that_is_left_out_is_missed() {
    let Some(examined) = corpus().await else {
        return;
    };
    let is_full = |file: &Examined| file.report.sets[0].identity.kind == mtf::BackupKind::Full;
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
