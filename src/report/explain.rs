//! What an error number means, for the person who just met it, and `docs/sql-errors.md`, the same for all.
//!
//! Start at [`Explanation::of`]. Texts come from the two tables (`chain::errors` and `chain::link_errors` for SQL Server's
//! numbers, `error::codes` for Stopmark's own), so that what is told is what the code does.

use std::fmt::Write as _;

use serde::Serialize;

use crate::chain::errors::{Class, Known, TABLE, classify};
use crate::chain::link_errors;
use crate::error::Code;

/// What is known of one error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Explanation {
    /// One of SQL Server's numbers.
    SqlServer {
        /// The number.
        number: i32,
        /// What it calls for, in a word or two.
        class: &'static str,
        /// What that class means.
        class_means: &'static str,
        /// What the error means.
        meaning: &'static str,
        /// What Stopmark does by itself.
        stopmark: &'static str,
        /// What a person does.
        person: &'static str,
        /// Whether the operating-system error inside the message can change the class (3201, 3202, 3203).
        is_decided_by_os_error: bool,
    },
    /// One of Stopmark's codes.
    Stopmark {
        /// The code, `SM0601`.
        code: String,
        /// What it means.
        meaning: &'static str,
        /// The exit code of a command that ends with it.
        exit: u8,
    },
}

impl Explanation {
    /// What is known of `1475` or `SM0601`, in any case and with or without `Msg `; none where nothing is.
    #[must_use]
    pub fn of(asked: &str) -> Option<Self> {
        let asked = asked.trim().to_ascii_uppercase();
        let asked = asked.strip_prefix("MSG").unwrap_or(&asked).trim();
        match asked.parse() {
            Ok(number) => {
                let known = classify(number, None).or_else(|| link_errors::of(number).copied());
                known.map(sql_server)
            }
            Err(_) => stopmark(asked),
        }
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::SqlServer {
                number,
                class,
                class_means,
                meaning,
                stopmark,
                person,
                is_decided_by_os_error,
            } => {
                let mut text = format!(
                    "{number}: {meaning}\n  class:    {class}: {class_means}\n  stopmark: {stopmark}\n  you:      \
                     {person}\n"
                );
                if *is_decided_by_os_error {
                    text.push_str(OS_ERRORS);
                }
                text
            }
            Self::Stopmark {
                code,
                meaning,
                exit,
            } => format!("{code}: {meaning}\n  a command that ends with it has exit code {exit}\n"),
        }
    }
}

const OS_ERRORS: &str = "  note:     the operating-system error in the message decides: 2, 3, 5, 50, 12175 need a person; 32 \
                         passes; 53, 59, 64, 121 are the network; 112 is a full disk\n";

fn sql_server(known: Known) -> Explanation {
    Explanation::SqlServer {
        number: known.number,
        class: known.class.word(),
        class_means: known.class.meaning(),
        meaning: known.meaning,
        stopmark: known.stopmark,
        person: known.person,
        is_decided_by_os_error: matches!(known.number, 3201..=3203),
    }
}

fn stopmark(asked: &str) -> Option<Explanation> {
    let code = Code::ALL.iter().find(|code| code.text() == asked)?;
    Some(Explanation::Stopmark {
        code: asked.to_owned(),
        meaning: code.meaning(),
        exit: code.exit() as u8,
    })
}

const HEAD: &str = "\
# SQL Server's errors, as Stopmark reads them

This page is made from `src/chain/errors.rs` and `src/chain/link_errors.rs`; `stopmark explain NUMBER` prints one row.
The first error of an answer decides, never the trailers 3013 and 3041 behind it. 3201, 3202 and 3203 carry an operating-system error that decides
instead: 2, 3, 5, 50 and 12175 need a person, 32 passes, 53, 59, 64 and 121 are the network, 112 is a full disk.
";

const COLUMNS: &str =
    "| number | class | meaning | Stopmark | you |\n| --- | --- | --- | --- | --- |\n";

/// `docs/sql-errors.md`.
#[must_use]
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## Classes\n\n| class | meaning |\n| --- | --- |\n");
    for class in Class::ALL {
        let (word, meaning) = (class.word(), class.meaning());
        writeln!(page, "| {word} | {meaning} |").expect("a string takes all");
    }
    for (title, table) in [
        ("Numbers of backups and restores", TABLE),
        (
            "Numbers of links, marks and distributed transactions",
            link_errors::TABLE,
        ),
    ] {
        write!(page, "\n## {title}\n\n{COLUMNS}").expect("a string takes all");
        for known in table {
            let (class, meaning) = (known.class.word(), known.meaning);
            let (number, stopmark, person) = (known.number, known.stopmark, known.person);
            writeln!(
                page,
                "| {number} | {class} | {meaning} | {stopmark} | {person} |"
            )
            .expect("a string takes all");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_explained_as_people_write_it() {
        let known = Explanation::of("1475").expect("in the table");
        assert_eq!(Explanation::of(" Msg 1475 "), Some(known.clone()));
        assert!(known.text().contains("--new-chain"), "{}", known.text());
        assert_eq!(Explanation::of("1476"), None);
        assert_eq!(Explanation::of("99999999999999999999"), None);
    }

    #[test]
    fn every_number_and_every_code_is_explained() {
        for known in TABLE.iter().chain(link_errors::TABLE) {
            assert!(Explanation::of(&known.number.to_string()).is_some());
        }
        for code in Code::ALL {
            assert!(
                Explanation::of(&code.text().to_lowercase()).is_some(),
                "{code}"
            );
        }
    }

    #[test]
    fn the_page_in_docs_is_that_of_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sql-errors.md");
        if std::env::var_os("STOPMARK_BLESS").is_some() {
            std::fs::write(path, page()).expect("the page can be written");
        }
        let found = std::fs::read_to_string(path).expect("docs/sql-errors.md");
        assert!(
            found == page(),
            "docs/sql-errors.md is stale: run this test with STOPMARK_BLESS=1"
        );
    }
}
