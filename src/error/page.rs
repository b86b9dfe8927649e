//! `docs/errors.md`, made from the table of codes so that the two cannot differ.
//!
//! Set `STOPMARK_BLESS=1` and run the test below to write the page anew.

use std::fmt::Write as _;

use super::codes::{Code, Exit};

/// The blocks of the table by the two digits behind `SM`.
const BLOCKS: &[(&str, &str)] = &[
    ("01", "Configuration"),
    ("02", "Hosts and survey"),
    ("03", "Linked servers"),
    ("04", "Marks"),
    ("05", "Backups"),
    ("06", "Chains and points"),
    ("07", "Stores and media"),
    ("08", "Restore and drill"),
    ("09", "Service and state"),
    ("90", "Faults of Stopmark's own"),
];

const HEAD: &str = "\
# Error codes

This page is made from `src/error/codes.rs`. A code keeps its meaning for ever and is never used for another.
Every error is printed with its code, the place, the cause and a hint; `--json` gives the same as values on
standard error.

A command that ends with an error has the exit code of its first error.
";

/// The page.
#[must_use]
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## Exit codes\n\n");
    page.push_str(&exits());
    for (digits, title) in BLOCKS {
        write!(
            page,
            "\n## {title}\n\n| code | meaning | exit |\n| --- | --- | --- |\n"
        )
        .expect("a string takes all");
        for code in Code::ALL
            .iter()
            .filter(|code| code.text()[2..].starts_with(digits))
        {
            let (meaning, exit) = (code.meaning(), code.exit() as u8);
            writeln!(page, "| `{code}` | {meaning} | {exit} |").expect("a string takes all");
        }
    }
    page
}

/// The table of exit codes, as this page and the README have it.
#[must_use]
pub fn exits() -> String {
    let rows = Exit::ALL.iter().map(|exit| {
        let (number, meaning) = (*exit as u8, exit.meaning());
        format!("| {number} | {meaning} |\n")
    });
    format!(
        "| code | meaning |\n| --- | --- |\n{}",
        rows.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_the_same_exit_codes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let readme = std::fs::read_to_string(path).expect("README.md");
        let wanted = format!("## Exit codes\n\n{}\n", exits());
        assert!(readme.contains(&wanted), "the README lacks:\n{wanted}");
    }

    #[test]
    fn every_code_is_on_the_page_once() {
        let page = page();
        for code in Code::ALL {
            assert_eq!(page.matches(&format!("| `{code}` |")).count(), 1, "{code}");
        }
    }

    #[test]
    fn the_page_in_docs_is_that_of_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
        if std::env::var_os("STOPMARK_BLESS").is_some() {
            std::fs::write(path, page()).expect("the page can be written");
        }
        let found = std::fs::read_to_string(path).expect("docs/errors.md");
        assert!(
            found == page(),
            "docs/errors.md is stale: run this test with STOPMARK_BLESS=1"
        );
    }
}
