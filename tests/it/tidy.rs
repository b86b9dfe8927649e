//! The house rules that a compiler does not know: layers, sizes, and a purpose at the head of every file.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Non-test lines that a file may have.
const FILE_LINES_MAX: usize = 500;
/// Lines that a function may have, signature and braces included.
const FUNCTION_LINES_MAX: usize = 70;
/// Characters that a line may have; longer ones are for tables and texts that must not be broken.
const LINE_CHARACTERS_MAX: usize = 160;

/// The agent's rooms from the ground up; a room uses only rooms below it, or beside it in the same line.
const TIERS: &[&[&str]] = &[
    &["error", "model"],
    &["seal"],
    &["config"],
    &["survey"],
    &["chain", "doctor", "milink"],
    &["retention"],
    &["plan"],
    &["run::events"],
    &["world"],
    &[
        "catalog", "clock", "media", "notify", "sql", "store", "verify",
    ],
    &["survey::take", "survey::gather"],
    &["run"],
    &["report"],
    &["service"],
    &["page"],
    &["cli"],
];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The path below the repository, with `/`.
    fn name(&self) -> String {
        let path = self
            .path
            .strip_prefix(env!("CARGO_MANIFEST_DIR"))
            .expect("below the repository");
        path.to_string_lossy().replace('\\', "/")
    }

    /// The lines before the tests at the end of the file.
    fn product(&self) -> impl Iterator<Item = &str> {
        self.text
            .lines()
            .take_while(|line| line.trim_end() != "#[cfg(test)]")
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
        &mut found,
    );
    assert!(!found.is_empty(), "no source below {folder}");
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("UTF-8");
            found.push(Source { path, text });
        }
    }
}

fn all_sources() -> Vec<Source> {
    ["src", "crates", "tests"]
        .into_iter()
        .flat_map(sources)
        .collect()
}

fn assert_none(faults: &[String], rule: &str) {
    let list = faults.iter().fold(String::new(), |mut list, fault| {
        writeln!(list, "  {fault}").expect("a string");
        list
    });
    assert!(faults.is_empty(), "{rule}:\n{list}");
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let faults: Vec<String> = all_sources()
        .iter()
        .filter(|source| !source.text.starts_with("//!") && !source.text.starts_with("#![doc"))
        .map(Source::name)
        .collect();
    assert_none(&faults, "these files do not open with `//!`");
}

#[test]
fn files_are_short_enough_to_be_read() {
    let faults: Vec<String> = all_sources()
        .iter()
        .filter(|source| source.product().count() > FILE_LINES_MAX)
        .map(|source| format!("{}: {} lines", source.name(), source.product().count()))
        .collect();
    assert_none(&faults, "these files are longer than 500 lines");
}

#[test]
fn functions_are_short_enough_to_be_seen_at_once() {
    let mut faults = Vec::new();
    for source in all_sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (at, line) in lines
            .iter()
            .enumerate()
            .filter(|(_, line)| is_function(line))
        {
            let indent = line.len() - line.trim_start().len();
            let end = lines[at..].iter().position(|line| {
                line.len() - line.trim_start().len() == indent
                    && (line.trim_end() == format!("{}}}", &line[..indent])
                        // A declaration of several lines, as traits have them, has no body to measure.
                        || (line.trim_start().starts_with(')') && line.trim_end().ends_with(';')))
            });
            if let Some(length) = end.filter(|length| *length >= FUNCTION_LINES_MAX) {
                faults.push(format!(
                    "{}:{}: {} lines",
                    source.name(),
                    at + 1,
                    length + 1
                ));
            }
        }
    }
    assert_none(&faults, "these functions are longer than 70 lines");
}

fn is_function(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let head = words.iter().position(|word| *word == "fn");
    let modifiers = [
        "pub",
        "async",
        "const",
        "pub(crate)",
        "pub(super)",
        "extern",
    ];
    head.is_some_and(|at| words[..at].iter().all(|word| modifiers.contains(word)))
        && !line.trim_end().ends_with(';')
}

#[test]
fn lines_fit_a_screen() {
    let mut faults = Vec::new();
    for source in all_sources() {
        for (at, line) in source.text.lines().enumerate() {
            if line.chars().count() > LINE_CHARACTERS_MAX {
                faults.push(format!("{}:{}", source.name(), at + 1));
            }
        }
    }
    assert_none(&faults, "these lines are too long");
}

#[test]
fn rooms_use_only_what_is_below_them() {
    let mut faults = Vec::new();
    for source in sources("src") {
        let Some(own) = tier_of_file(&source.name()) else {
            continue;
        };
        for (at, line) in source.product().enumerate() {
            for reference in references(line) {
                let tier = tier_of(&reference);
                if tier.is_none_or(|tier| tier > own) {
                    faults.push(format!("{}:{}: crate::{reference}", source.name(), at + 1));
                }
            }
        }
    }
    assert_none(
        &faults,
        "these lines reach up, or into a room that has no place in the house",
    );
}

/// What stands behind each `crate::` of a line, at most two names deep.
fn references(line: &str) -> Vec<String> {
    if line.trim_start().starts_with("//") {
        return Vec::new();
    }
    line.match_indices("crate::")
        .map(|(at, found)| {
            let rest = &line[at + found.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
            let path = &rest[..end.unwrap_or(rest.len())];
            path.split("::")
                .filter(|name| !name.is_empty())
                .take(2)
                .collect::<Vec<_>>()
                .join("::")
        })
        .collect()
}

fn tier_of(reference: &str) -> Option<usize> {
    let room = reference.split("::").next().unwrap_or(reference);
    let exact = TIERS.iter().position(|tier| tier.contains(&reference));
    exact.or_else(|| TIERS.iter().position(|tier| tier.contains(&room)))
}

/// The tier of a file; none for `main.rs` and `lib.rs`, which see everything.
fn tier_of_file(name: &str) -> Option<usize> {
    let path = name.strip_prefix("src/")?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path).replace('/', "::");
    match path.as_str() {
        "main" | "lib" => None,
        // The room's door: it only re-exports its files.
        "survey" => tier_of("survey::gather"),
        path => {
            let names: Vec<&str> = path.split("::").take(2).collect();
            let tier = tier_of(&names.join("::"));
            assert!(tier.is_some(), "src/{path} is in no room of the house");
            tier
        }
    }
}

#[test]
fn the_simulator_is_used_by_the_demonstration_alone() {
    let faults: Vec<String> = sources("src")
        .iter()
        .filter(|source| {
            let name = source.name();
            !name.starts_with("src/cli/demo") && !name.starts_with("src/cli/sim")
        })
        .filter(|source| source.product().any(|line| line.contains("sqlsim::")))
        .map(Source::name)
        .collect();
    assert_none(&faults, "these files use the simulator");
}

#[test]
fn only_the_sql_room_knows_the_client_and_speaks_t_sql() {
    let words = [
        "tiberius::",
        "BACKUP LOG",
        "BACKUP DATABASE",
        "RESTORE LOG",
        "sp_addlinkedserver",
    ];
    let mut faults = Vec::new();
    for source in sources("src") {
        let name = source.name();
        if name.starts_with("src/sql/") || name.starts_with("src/cli/demo") {
            continue;
        }
        for (at, line) in source.product().enumerate() {
            let is_code = !line.trim_start().starts_with("//");
            if is_code && words.iter().any(|word| line.contains(word)) {
                faults.push(format!("{name}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    assert_none(&faults, "these lines speak to SQL Server outside `src/sql`");
}

#[test]
fn nothing_is_left_undone_in_the_code() {
    let marks = [
        "todo!",
        "unimplemented!",
        "dbg!",
        "#[ignore",
        "TO\u{44}O",
        "FIX\u{4d}E",
        "XX\u{58}",
    ];
    let mut faults = Vec::new();
    for source in all_sources()
        .iter()
        .filter(|source| source.name() != "tests/it/tidy.rs")
    {
        for (at, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                faults.push(format!("{}:{}: {}", source.name(), at + 1, line.trim()));
            }
        }
    }
    assert_none(&faults, "these lines are unfinished");
}
