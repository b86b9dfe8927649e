//! The book in `docs/`, kept honest: every command line that is quoted anywhere is one that the program takes, every
//! link leads somewhere, and every page is in the table of contents once.
//!
//! Start at [`quoted_commands`]. Where the book may be built into pages, `mdbook build docs` does it; nothing here
//! needs that program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use clap::error::ErrorKind;
use stopmark::cli::args::Cli;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder of the repository that end with one of these, by path.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![root().join(folder)];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            let ending = path
                .extension()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                left.push(path);
            } else if endings.contains(&ending.as_str()) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The path below the repository, for messages.
fn name_of(path: &Path) -> String {
    let below = path.strip_prefix(root()).unwrap_or(path);
    below.to_string_lossy().replace('\\', "/")
}

/// Pages that people read.
fn pages() -> Vec<PathBuf> {
    let mut pages = files("docs", &["md"]);
    pages.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    pages
}

/// A page in two: its lines outside fenced blocks, and the blocks with the word behind their fence.
fn prose_and_blocks(text: &str) -> (String, Vec<(String, Vec<String>)>) {
    let (mut prose, mut blocks) = (String::new(), Vec::new());
    let mut open: Option<(String, Vec<String>)> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(word), None) => open = Some((word.trim().to_owned(), Vec::new())),
            (None, Some((_, lines))) => lines.push(line.to_owned()),
            (None, None) => {
                prose.push_str(line);
                prose.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a fenced block has no end:\n{text}");
    (prose, blocks)
}

/// Everything between two backticks.
fn code_spans(prose: &str) -> Vec<&str> {
    prose.split('`').skip(1).step_by(2).collect()
}

/// A line as a shell takes it apart: quotes, a comment, and the end of the first command.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '#') if word.is_none() => break,
            (None, '|' | '>' | '<' | '&' | ';') => break,
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// How much of a command line stands there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoted {
    /// All of it, to be typed as it stands.
    Whole,
    /// Its name, and perhaps some of what belongs to it.
    Named,
}

/// What `stopmark service` takes on Windows only.
const WINDOWS_ONLY: [&str; 2] = ["install", "uninstall"];

/// Why the program would refuse the line; none where it takes it.
fn refusal(words: &[String], quoted: Quoted) -> Option<String> {
    let is_elsewhere = cfg!(not(windows))
        && words.len() > 2
        && words[1] == "service"
        && WINDOWS_ONLY.contains(&words[2].as_str());
    if is_elsewhere {
        return None;
    }
    let error = Cli::try_parse_from(words).err()?;
    let is_placeholder = |word: &String| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_uppercase() || "-_/=".contains(c))
    };
    let is_fine = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => quoted == Quoted::Named,
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            quoted == Quoted::Named && words.iter().any(is_placeholder)
        }
        _ => false,
    };
    (!is_fine).then(|| {
        error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    })
}

/// The command of a line of a block, where it is one of ours.
fn command_of(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    let line = line.strip_prefix("$ ").unwrap_or(line);
    let line = line.strip_prefix("sudo ").unwrap_or(line);
    let line = line.strip_prefix("-u stopmark ").unwrap_or(line);
    line.starts_with("stopmark ").then(|| shell_words(line))
}

/// A command that is named in prose: up to what stands for several words, such as `full|diff` or `..`.
fn named_in(span: &str) -> Option<Vec<String>> {
    let words = span.strip_prefix("stopmark ")?.split_whitespace();
    let words = words.take_while(|word| !word.contains(['|', '<', '>']) && !word.contains(".."));
    let words = words.map(|word| word.trim_matches(['\'', '"']).to_owned());
    Some(
        std::iter::once("stopmark".to_owned())
            .chain(words)
            .collect(),
    )
}

/// Every command line of a page.
fn quoted_commands(text: &str) -> Vec<(Vec<String>, Quoted)> {
    let (prose, blocks) = prose_and_blocks(text);
    let shells = ["sh", "powershell", "console"];
    let lines = blocks
        .iter()
        .filter(|(word, _)| shells.contains(&word.as_str()));
    let lines = lines.flat_map(|(_, lines)| lines);
    let whole = lines
        .filter_map(|line| command_of(line))
        .map(|words| (words, Quoted::Whole));
    let prose = prose.replace('\n', " ");
    let named = code_spans(&prose).into_iter().filter_map(named_in);
    whole
        .chain(named.map(|words| (words, Quoted::Named)))
        .collect()
}

#[test]
fn every_command_line_in_the_book_is_one_that_the_program_takes() {
    let (mut faults, mut seen) = (Vec::new(), 0);
    for page in pages() {
        for (words, quoted) in quoted_commands(&text_of(&page)) {
            seen += 1;
            if let Some(why) = refusal(&words, quoted) {
                faults.push(format!("{}: `{}`: {why}", name_of(&page), words.join(" ")));
            }
        }
    }
    assert!(seen > 100, "only {seen} command lines were found");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_command_that_a_message_or_a_sample_names_is_one_that_the_program_takes() {
    let (mut faults, mut seen) = (Vec::new(), 0);
    let mut sources = files("src", &["rs"]);
    sources.extend(files("config", &["toml"]));
    sources.extend(files("service", &["yml", "sh", "service"]));
    for source in sources {
        let text = joined_lines(&text_of(&source));
        // Backticks are not in pairs in a whole file, so each command is looked for by its first one.
        for (at, _) in text.match_indices("`stopmark ") {
            let span = text[at + 1..].split('`').next().unwrap_or_default();
            let named = named_in(&without_values(span));
            if let Some(words) = named.filter(|words| words.get(1).is_none_or(|word| word != VALUE))
            {
                seen += 1;
                if let Some(why) = refusal(&words, Quoted::Named) {
                    faults.push(format!(
                        "{}: `{}`: {why}",
                        name_of(&source),
                        words.join(" ")
                    ));
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} commands were found");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// A source with texts and comments that go on in the next line put together.
fn joined_lines(text: &str) -> String {
    let mut joined = String::new();
    for line in text.lines() {
        let bare = line.trim_start();
        let bare = ["/// ", "//! ", "# "]
            .iter()
            .find_map(|head| bare.strip_prefix(head))
            .unwrap_or(bare);
        joined.push_str(bare.strip_suffix('\\').unwrap_or(bare));
        if !bare.ends_with('\\') {
            joined.push(' ');
        }
    }
    joined
}

/// What stands for a value that a format puts in.
const VALUE: &str = "VALUE";

/// What a format puts in is some word.
fn without_values(span: &str) -> String {
    let mut text = String::new();
    let mut depth = 0;
    for c in span.chars() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                text.push_str(VALUE);
            }
            c if depth == 0 => text.push(c),
            _ => {}
        }
    }
    text
}

#[test]
fn a_command_that_does_not_exist_would_be_found() {
    let refused = |line: &str, quoted| {
        let words = command_of(line).expect("ours");
        refusal(&words, quoted).is_some()
    };
    for line in [
        "stopmark restore now",
        "stopmark backup full --now",
        "stopmark points --limit many",
        "sudo stopmark scrub --budget lots",
    ] {
        assert!(refused(line, Quoted::Whole), "{line}");
        assert!(refused(line, Quoted::Named), "{line}");
    }
    assert!(refused("stopmark restore plan", Quoted::Whole));
    assert!(!refused("stopmark restore plan", Quoted::Named));
    assert!(!refused(
        "stopmark pin MARK --reason 'year end' # kept",
        Quoted::Whole
    ));
    let text = "say `stopmark backup ..` or\n```sh\n$ stopmark status > file\n```\n";
    let found: Vec<String> = quoted_commands(text)
        .iter()
        .map(|(words, _)| words.join(" "))
        .collect();
    assert_eq!(found, ["stopmark status", "stopmark backup"]);
}

/// The targets of a page's links and pictures.
fn links(prose: &str) -> Vec<&str> {
    let ends = prose
        .match_indices("](")
        .map(|(at, found)| &prose[at + found.len()..]);
    ends.filter_map(|rest| rest.split([')', ' ']).next())
        .collect()
}

/// Prose whose code is left out: what looks like a link in it is none.
fn without_code(prose: &str) -> String {
    prose.split('`').step_by(2).collect()
}

/// The names by which a page's headings are linked to, as mdBook makes them.
fn anchors(prose: &str) -> BTreeSet<String> {
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let slug = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let title = title.replace(char::is_whitespace, "-");
        title
            .chars()
            .filter(|c| c.is_alphanumeric() || "-_".contains(*c))
            .collect::<String>()
    };
    headings.map(slug).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut faults = Vec::new();
    for page in pages() {
        let (prose, _) = prose_and_blocks(&text_of(&page));
        let folder = page.parent().expect("a file is in a folder");
        for link in links(&without_code(&prose)) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            if link.contains("://") {
                continue;
            }
            let target = if file.is_empty() {
                page.clone()
            } else {
                folder.join(file)
            };
            // A link out of the book would lead nowhere once the book is built.
            let is_inside = folder != root().join("docs") || !file.starts_with("..");
            let is_there = target.exists()
                && (anchor.is_empty()
                    || anchors(&prose_and_blocks(&text_of(&target)).0).contains(anchor));
            if !is_inside || !is_there {
                faults.push(format!("{}: {link}", name_of(&page)));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_page_is_in_the_table_of_contents_once() {
    let docs = root().join("docs");
    let summary = text_of(&docs.join("SUMMARY.md"));
    let mut listed: Vec<String> = links(&summary).into_iter().map(str::to_owned).collect();
    listed.sort_unstable();
    let mut pages: Vec<String> = files("docs", &["md"])
        .iter()
        .map(|path| {
            path.strip_prefix(&docs)
                .expect("below docs")
                .to_string_lossy()
                .replace('\\', "/")
        })
        .filter(|name| name != "SUMMARY.md")
        .collect();
    pages.sort_unstable();
    assert_eq!(listed, pages);
}

#[test]
fn every_picture_is_small_and_readable_in_dark_and_light() {
    for picture in files("docs", &["svg"]) {
        let text = text_of(&picture);
        let name = name_of(&picture);
        assert!(text.len() < 16 * 1024, "{name} has {} bytes", text.len());
        assert!(
            text.contains("prefers-color-scheme: dark"),
            "{name} knows one background only"
        );
        assert!(
            text.contains("<title>") && text.contains("role=\"img\""),
            "{name} says nothing to a reader"
        );
    }
}
