//! `docs/configuration.md`, made from `config/full.toml` and from what the readers make of it, so that the page and
//! the program cannot differ.
//!
//! Start at [`page`]. The words come from the sample's comments; whether a key is required, and whether the value
//! that stands there is its default, is found by taking the key away and reading the rest. Set `STOPMARK_BLESS=1`
//! and run the test below to write the page anew.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::{parsed, read, whole};

const FULL: &str = include_str!("../../../config/full.toml");

const HEAD: &str = "\
# Configuration reference

This page is made from `config/full.toml` and from the program itself; `stopmark init` writes a file to begin with,
`stopmark check` finds what is wrong with yours. A key that is not on this page is refused.

";

/// What the sample says of one key, or of several that belong together.
#[derive(Debug, Default)]
struct Entry {
    prose: Vec<String>,
    code: Vec<String>,
    keys: Vec<String>,
    /// It stands in the sample as a comment only.
    is_commented: bool,
}

/// A section of the sample.
#[derive(Debug, Default)]
struct Section {
    /// As it is written, `[store.transfer]`; empty before the first one.
    header: String,
    intro: Vec<String>,
    entries: Vec<Entry>,
}

/// One line of the sample by what it is.
enum Line<'a> {
    Blank,
    Header(&'a str),
    Prose(&'a str),
    /// A key and its value, or a further line of it.
    Code(&'a str, bool),
}

fn line(text: &str) -> Line<'_> {
    let (body, is_commented) = match text.strip_prefix('#') {
        Some(rest) => (rest.strip_prefix(' ').unwrap_or(rest), true),
        None => (text, false),
    };
    if body.trim().is_empty() {
        return Line::Blank;
    }
    let is_header = body.starts_with('[') && body.ends_with(']') && !body.contains(", ");
    if is_header {
        return Line::Header(body);
    }
    if !is_commented || key_of(body).is_some() {
        return Line::Code(body, is_commented);
    }
    Line::Prose(body)
}

/// The key of `key = value`, where a line begins with one.
fn key_of(body: &str) -> Option<&str> {
    let (key, _) = body.split_once(" = ")?;
    let is_key = |c: char| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit();
    (!key.is_empty() && key.chars().all(is_key)).then_some(key)
}

fn sections() -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut entry = Entry::default();
    for text in FULL.lines() {
        let last = sections.last_mut().expect("never empty");
        match line(text) {
            Line::Blank => last.take(&mut entry),
            Line::Prose(words) => {
                if !entry.code.is_empty() {
                    last.take(&mut entry);
                }
                entry.prose.push(words.to_owned());
            }
            Line::Header(header) => {
                let is_prose_only = entry.code.is_empty();
                let intro = if is_prose_only {
                    std::mem::take(&mut entry.prose)
                } else {
                    Vec::new()
                };
                last.take(&mut entry);
                sections.push(Section {
                    header: header.to_owned(),
                    intro,
                    entries: Vec::new(),
                });
            }
            Line::Code(code, is_commented) => {
                entry.is_commented |= is_commented;
                // What is said of the items of a list stands between its lines.
                match code.trim_start().strip_prefix("# ") {
                    Some(words) => entry.prose.push(words.to_owned()),
                    None => entry.code.push(code.to_owned()),
                }
                entry.keys.extend(key_of(code).map(str::to_owned));
            }
        }
    }
    let last = sections.last_mut().expect("never empty");
    last.take(&mut entry);
    sections
}

impl Section {
    /// Ends an entry; prose without a key belongs to the section.
    fn take(&mut self, entry: &mut Entry) {
        let entry = std::mem::take(entry);
        if entry.code.is_empty() {
            self.intro.extend(entry.prose);
        } else {
            self.entries.push(entry);
        }
    }

    /// The keys that lead to this section, where it stands in the sample for good.
    fn path(&self) -> Vec<String> {
        let name = self.header.trim_matches(['[', ']']);
        match name.split_once(".'") {
            Some((section, quoted)) => {
                vec![section.to_owned(), quoted.trim_matches('\'').to_owned()]
            }
            None if name.is_empty() => Vec::new(),
            None => name.split('.').map(str::to_owned).collect(),
        }
    }
}

/// What becomes of the file without a key.
fn standing(path: &[String], key: &str) -> &'static str {
    let mut file: Table = FULL.parse().expect("the sample is TOML");
    let mut table = &mut file;
    for step in path {
        let inner = table.get_mut(step).and_then(Value::as_table_mut);
        table = inner.expect("a section of the sample");
    }
    table.remove(key).expect("a key of the sample");
    let text = toml::to_string(&file).expect("TOML");
    match parsed(&text) {
        Err(_) => "required",
        Ok(config) if format!("{config:#?}") == format!("{:#?}", whole(FULL)) => "default",
        Ok(_) => "example",
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for section in sections() {
        if !section.header.is_empty() {
            writeln!(page, "## `{}`\n", section.header).expect("a string takes all");
        }
        if !section.intro.is_empty() {
            writeln!(page, "{}\n", paragraphs(&section.intro)).expect("a string takes all");
        }
        for entry in &section.entries {
            tell(&mut page, &section, entry);
        }
    }
    page.trim_end().to_owned() + "\n"
}

fn tell(page: &mut String, section: &Section, entry: &Entry) {
    let keys: Vec<String> = entry.keys.iter().map(|key| format!("`{key}`")).collect();
    let standing = match entry.keys.first() {
        Some(key) if !entry.is_commented => standing(&section.path(), key),
        Some(_) | None => "not set, an example",
    };
    writeln!(page, "### {}\n", keys.join(", ")).expect("a string takes all");
    if !entry.prose.is_empty() {
        writeln!(page, "{}\n", paragraphs(&entry.prose)).expect("a string takes all");
    }
    let code = entry.code.join("\n");
    writeln!(page, "*{standing}:*\n\n```toml\n{code}\n```\n").expect("a string takes all");
}

/// Lines of a comment as Markdown: lines that are set in are a list, and what looks like a tag or emphasis is none.
fn paragraphs(lines: &[String]) -> String {
    let mut text = String::new();
    let mut was_listed = false;
    for line in lines {
        let is_more = line.starts_with("   ");
        let is_listed = line.starts_with("  ") && !is_more;
        text.push_str(match (text.is_empty(), is_listed, was_listed) {
            (true, true, _) => "- ",
            (true, false, _) => "",
            (false, true, false) => "\n\n- ",
            (false, true, true) => "\n- ",
            (false, false, true) if !is_more => "\n\n",
            (false, false, _) => "\n",
        });
        text.push_str(&line.trim().replace('<', "\\<").replace('*', "\\*"));
        was_listed = is_listed || (was_listed && is_more);
    }
    text
}

#[test]
fn the_page_of_the_configuration_is_that_of_the_program() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    if std::env::var_os("STOPMARK_BLESS").is_some() {
        std::fs::write(path, page()).expect("the page can be written");
    }
    let found = std::fs::read_to_string(path).expect("docs/configuration.md");
    assert!(
        found == page(),
        "docs/configuration.md is stale: run this test with STOPMARK_BLESS=1"
    );
}

#[test]
fn every_key_is_on_the_page_of_the_configuration() {
    let page = page();
    for key in read::all_keys() {
        let is_there = page.contains(&format!("`{key}`"))
            || page.contains(&format!("{key} = "))
            || page.lines().any(|line| {
                line.starts_with("## `[") && line.trim_end_matches([']', '`']).ends_with(key)
            });
        assert!(is_there, "`{key}` is not on the page");
    }
    assert!(page.contains("### `lease_ttl`\n"), "{page}");
    assert!(!page.contains("*:*"), "an entry has no standing:\n{page}");
}

#[test]
fn what_a_key_is_without_its_line_is_found_by_reading() {
    let path = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(standing(&path(&["group"]), "name"), "required");
    assert_eq!(standing(&path(&["policy"]), "lease_ttl"), "default");
    let host = path(&["hosts", r"SQL1\PAY"]);
    assert_eq!(standing(&host, "share"), "required");
    assert_eq!(standing(&host, "address"), "default");
}
