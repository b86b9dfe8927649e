//! Where the files of restored databases go. Start at [`placed`].

use std::collections::BTreeMap;

use super::asked::{FolderRule, RestoreAsked, RestoreFiles};
use super::way::Way;
use crate::model::{DatabaseFile, DatabaseFileKind, DatabaseName, PieceKind};
use crate::plan::FileMove;
use crate::plan::keys::{separator_of, slug};

/// The places of one member's files.
#[derive(Debug)]
pub(super) struct Placed {
    /// The `MOVE`s of each of its pieces, in the order of restoring: all files of a full or differential, and
    /// those that a log adds.
    pub(super) moves: Vec<Vec<FileMove>>,
    /// Every file that the restored database will have, once.
    pub(super) files: Vec<PlacedFile>,
    /// The undo file of a database that stands by, beside its first data file.
    pub(super) undo: String,
}

/// One file.
#[derive(Clone, Debug)]
pub(super) struct PlacedFile {
    logical_name: String,
    /// Where it goes.
    pub(super) physical_name: String,
    /// The room that it takes there, in bytes.
    pub(super) size_bytes: u64,
}

/// A place for every file of a member: files and folders (FILESTREAM, memory-optimised) alike.
pub(super) fn placed(asked: &RestoreAsked, way: &Way<'_>) -> Placed {
    let mut files: BTreeMap<String, (usize, PlacedFile)> = BTreeMap::new();
    let mut moves = Vec::with_capacity(way.pieces.len());
    for piece in &way.pieces {
        let mut of_piece = Vec::new();
        for file in &piece.files {
            let nth = files.len();
            let is_new = !files.contains_key(&file.logical_name);
            let (_, placed) = files.entry(file.logical_name.clone()).or_insert_with(|| {
                let physical_name = place(asked, way, nth, file);
                let logical_name = file.logical_name.clone();
                (
                    nth,
                    PlacedFile {
                        logical_name,
                        physical_name,
                        size_bytes: 0,
                    },
                )
            });
            placed.size_bytes = file.size_bytes;
            if is_new || piece.kind != PieceKind::Log {
                of_piece.push(FileMove {
                    logical_name: placed.logical_name.clone(),
                    physical_name: placed.physical_name.clone(),
                });
            }
        }
        moves.push(of_piece);
    }
    let mut files: Vec<_> = files.into_values().collect();
    files.sort_by_key(|(nth, _)| *nth);
    let files: Vec<PlacedFile> = files.into_iter().map(|(_, file)| file).collect();
    let undo = undo_file(way, &files);
    Placed { moves, files, undo }
}

fn place(asked: &RestoreAsked, way: &Way<'_>, nth: usize, file: &DatabaseFile) -> String {
    let was = &file.physical_name;
    let default = match file.kind {
        DatabaseFileKind::Data => way.facts.data_folder.as_ref(),
        DatabaseFileKind::Log => way.facts.log_folder.as_ref(),
    };
    match &asked.files {
        RestoreFiles::AsTheyWere => was.clone(),
        RestoreFiles::InFolder(folder) => in_folder(folder, &way.target, nth, was),
        RestoreFiles::Moved(rules) => moved(rules, was),
        RestoreFiles::Defaults => default.map_or_else(
            || was.clone(),
            |folder| in_folder(folder, &way.target, nth, was),
        ),
    }
}

/// A name of the target's own: two members may have had files of one name.
fn in_folder(folder: &str, target: &DatabaseName, nth: usize, was: &str) -> String {
    let separator = separator_of(folder);
    let root = folder.trim_end_matches(['/', '\\']);
    let file = was.rsplit(['/', '\\']).next().unwrap_or(was);
    let plain =
        |end: &&str| (1..=8).contains(&end.len()) && end.chars().all(|c| c.is_ascii_alphanumeric());
    let end = file
        .rsplit_once('.')
        .map(|(_, end)| end)
        .filter(plain)
        .unwrap_or("dat");
    let name = slug(target.as_str());
    format!("{root}{separator}{name}_{}.{end}", nth + 1)
}

/// The path by the rule with the longest beginning; a rule means whole folders.
fn moved(rules: &[FolderRule], was: &str) -> String {
    let rest_of = |rule: &FolderRule| -> Option<String> {
        let from = plain(rule.from.trim_end_matches(['/', '\\']));
        let fits = plain(was).strip_prefix(&from).map(str::len)?;
        // The two may differ in letters' case and in slashes, never in length: both are plain ASCII where it matters.
        let rest = was.get(was.len().checked_sub(fits)?..)?;
        rest.starts_with(['/', '\\']).then(|| rest.to_owned())
    };
    let fitting = rules.iter().filter_map(|rule| Some((rule, rest_of(rule)?)));
    let longest = fitting.max_by_key(|(rule, _)| rule.from.len());
    longest.map_or_else(
        || was.to_owned(),
        |(rule, rest)| {
            let separator = separator_of(&rule.to).to_string();
            let root = rule.to.trim_end_matches(['/', '\\']);
            format!("{root}{}", rest.replace(['/', '\\'], &separator))
        },
    )
}

fn plain(path: &str) -> String {
    path.replace('\\', "/").to_ascii_lowercase()
}

fn undo_file(way: &Way<'_>, files: &[PlacedFile]) -> String {
    let first = files.first().map_or("", |file| &file.physical_name);
    let folder = first.rfind(['/', '\\']).map_or("", |at| &first[..=at]);
    format!("{folder}{}_undo.tuf", slug(way.target.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Vec<FolderRule> {
        let rule = |from: &str, to: &str| FolderRule {
            from: from.to_owned(),
            to: to.to_owned(),
        };
        vec![
            rule(r"D:\Data", r"E:\Data\"),
            rule(r"D:\Data\Hot\", r"F:\"),
            rule("/var/opt", "/srv"),
        ]
    }

    #[test]
    fn a_file_moves_by_the_rule_with_the_longest_beginning() {
        for (was, is) in [
            (r"D:\Data\a.mdf", r"E:\Data\a.mdf"),
            (r"d:\DATA\Hot\b.ndf", r"F:\b.ndf"),
            (r"D:\Data\Hotter\c.ndf", r"E:\Data\Hotter\c.ndf"),
            (r"D:\Database\d.mdf", r"D:\Database\d.mdf"),
            (r"X:\e.mdf", r"X:\e.mdf"),
            ("/var/opt/mssql/f.mdf", "/srv/mssql/f.mdf"),
        ] {
            assert_eq!(moved(&rules(), was), is);
        }
    }

    #[test]
    fn a_file_in_a_folder_keeps_a_plain_ending_and_nothing_else() {
        let target: DatabaseName = "Ledger".parse().expect("a database");
        let end = |was: &str| {
            let path = in_folder(r"E:\x\", &target, 2, was);
            path.rsplit_once('_').expect("a number").1.to_owned()
        };
        assert_eq!(end(r"D:\a\b.ldf"), "3.ldf");
        assert_eq!(end(r"D:\a\files"), "3.dat", "a folder of FILESTREAM");
        assert_eq!(end(r"D:\a\x.m;DROP"), "3.dat");
    }
}
