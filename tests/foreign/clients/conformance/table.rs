//! The table of client and feature in the simulator's README, written from what the clients told.
//!
//! Start at [`check`]. Set `STOPMARK_BLESS=1` and run the suite to write it anew.

use std::fmt::Write as _;
use std::fs;

use super::features::{CLIENTS, FEATURES, reason};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/sqlsim/README.md");
const BEGIN: &str = "<!-- made by tests/foreign/clients: begin -->\n";
const END: &str = "<!-- made by tests/foreign/clients: end -->\n";

/// Compares the README's table with what the clients did, or writes it when blessed.
pub(super) fn check(does: impl Fn(&str, &str) -> bool) {
    let found = fs::read_to_string(README).expect("crates/sqlsim/README.md");
    let (head, rest) = found.split_once(BEGIN).expect("the table's first mark");
    let (_, tail) = rest.split_once(END).expect("the table's last mark");
    let right = format!("{head}{BEGIN}{}{END}{tail}", table(does));
    if std::env::var_os("STOPMARK_BLESS").is_some() {
        fs::write(README, &right).expect("the README can be written");
    } else {
        assert!(
            found == right,
            "crates/sqlsim/README.md is stale: run this test with STOPMARK_BLESS=1"
        );
    }
}

fn table(does: impl Fn(&str, &str) -> bool) -> String {
    let mut notes: Vec<String> = Vec::new();
    let mut text = String::from("|");
    for (_, title) in CLIENTS {
        write!(text, " | {title}").expect("a string");
    }
    text.push_str(" |\n| ---");
    text.push_str(&" | ---".repeat(CLIENTS.len()));
    text.push_str(" |\n");
    for (feature, title) in FEATURES {
        write!(text, "| {title}").expect("a string");
        for (client, name) in CLIENTS {
            if does(client, feature) {
                text.push_str(" | yes");
                continue;
            }
            let note = format!("{name}: {}.", reason(client, feature).unwrap_or_default());
            let place = notes.iter().position(|known| *known == note);
            let place = place.unwrap_or_else(|| {
                notes.push(note);
                notes.len() - 1
            });
            write!(text, " | no [{}]", place + 1).expect("a string");
        }
        text.push_str(" |\n");
    }
    text.push('\n');
    for (at, note) in notes.iter().enumerate() {
        writeln!(text, "{}. {note}", at + 1).expect("a string");
    }
    text
}
