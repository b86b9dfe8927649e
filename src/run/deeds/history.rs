//! BizTalk's backup history: what the round took is told there, and what is too old goes with its files.

use std::path::PathBuf;

use crate::error::Result;
use crate::model::{HostName, PieceId};
use crate::plan::{HistorySet, ShippedFolder, TrimHistory, WriteHistory};
use crate::run::book::Book;
use crate::run::prune::busy;
use crate::world::World;

/// Writes the rows of what was taken. A set of which something was not taken is written and never called complete, so
/// that a destination of log shipping waits for the next fulls instead of going past the gap.
pub(super) async fn write(
    world: &World,
    book: &Book,
    host: &HostName,
    step: &WriteHistory,
) -> Result<()> {
    let is_taken = |piece: PieceId| book.read(|record| record.backed_up(piece).is_some());
    let mut is_whole = true;
    let sets = step.sets.iter().map(|set| {
        let taken = set.rows.iter().filter(|row| is_taken(row.piece));
        let rows: Vec<_> = taken.cloned().collect();
        // A gap in one set is one in all that follow it.
        is_whole &= set.is_whole && rows.len() == set.rows.len();
        HistorySet {
            is_whole,
            rows,
            ..set.clone()
        }
    });
    let sets: Vec<HistorySet> = sets.collect();
    let is_answered = step.answers.iter().all(|full| is_taken(*full));
    let told = WriteHistory {
        answers: step
            .answers
            .iter()
            .copied()
            .filter(|_| is_answered)
            .collect(),
        sets,
        ..step.clone()
    };
    world.fleet.write_backup_history(host, &told).await
}

/// Removes files before the rows that name them, so that a crash in between leaves nothing without a name.
pub(super) async fn trim(world: &World, host: &HostName, step: &TrimHistory) -> Result<()> {
    let Some(old) = world.fleet.old_backup_history(host, step).await? else {
        return Ok(());
    };
    let busy = busy(world)?;
    let files = old.files.iter().filter_map(|(folder, file)| {
        let place = place_of(&step.folders, folder, file)?;
        (!busy.contains(&place)).then_some(place)
    });
    let files: Vec<PathBuf> = files.collect();
    world.staging.remove(&files).await?;
    let (fleet, database) = (&world.fleet, &step.database);
    fleet.trim_backup_history(host, database, &old).await
}

/// Where the agent sees a file of the history; none for a file that is not ours, and for a name that is no file's.
fn place_of(folders: &[ShippedFolder], folder: &str, file: &str) -> Option<PathBuf> {
    let own = folders.iter().find(|it| it.sql == folder)?;
    let is_plain = !file.contains(['/', '\\']) && !matches!(file, "" | "." | "..");
    is_plain.then(|| own.agent.join(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_in_our_own_folders_are_files_of_ours() {
        let folders = [ShippedFolder {
            sql: r"\\nas\bts\payments".to_owned(),
            agent: "/mnt/bts/payments".into(),
        }];
        let place = |folder: &str, file: &str| place_of(&folders, folder, file);
        let own = Some(PathBuf::from("/mnt/bts/payments/a.bak"));
        assert_eq!(place(r"\\nas\bts\payments", "a.bak"), own);
        for (folder, file) in [
            (r"\\nas\bts", "a.bak"),
            (r"\\nas\bts\payments", r"..\a.bak"),
            (r"\\nas\bts\payments", ".."),
            (r"\\nas\bts\payments", ""),
        ] {
            assert_eq!(place(folder, file), None, "{folder} {file}");
        }
    }
}
