//! `stopmark inspect`, as somebody meets it who found a folder of backups: every story is what was printed.
//!
//! The media are made by `mtf`'s own writer; real ones are in `inspect_corpus`, the simulator's in
//! `inspect_places`.

use insta::assert_snapshot;
use mtf::BackupKind;
use stopmark::error::Exit;
use stopmark::error::plain::is_harmful;

use crate::made::Medium;
use crate::shelf::{Shelf, full, logs, medium, stripes, together};

#[tokio::test]
async fn a_folder_of_backups_is_told_with_what_it_restores_to() {
    let shelf = Shelf::of_chain();
    let told = shelf.tell(&[""], &["--chain"]).await;
    assert_snapshot!(told);
}

#[tokio::test]
async fn what_is_missing_from_a_chain_is_named() {
    let shelf = Shelf::of_chain();
    shelf.take("diff.bak");
    // Log blocks are filled with this byte.
    shelf.change("log2.trn", |bytes| {
        let at = bytes.iter().rposition(|byte| *byte == 0x5A);
        bytes[at.expect("there is log")] ^= 1;
    });
    let mut told = shelf.tell(&[""], &["--chain"]).await;
    shelf.take("log2.trn");
    told += &shelf.tell(&[""], &["--chain"]).await;
    shelf.take("full.bak");
    told += &shelf.tell(&[""], &["--chain"]).await;
    assert_snapshot!(told);
}

#[tokio::test]
async fn a_differential_bridges_a_log_that_is_missing() {
    let shelf = Shelf::of_chain();
    shelf.take("log2.trn");
    let told = shelf.tell(&[""], &["--chain"]).await;
    assert_snapshot!(told);
}

#[tokio::test]
async fn each_level_says_how_deep_it_looked_and_what_that_means() {
    let shelf = Shelf::new();
    shelf.put("full.bak", &full().with_checksums().write());
    // In the middle of a data page.
    shelf.change("full.bak", |bytes| bytes[60_000] ^= 1);
    let mut told = String::new();
    for level in ["1", "2", "3"] {
        told += &shelf.tell(&["full.bak"], &["--level", level]).await;
    }
    assert_snapshot!(told);
}

#[tokio::test]
async fn damage_of_every_kind_has_its_place_its_code_and_its_hint() {
    let shelf = Shelf::new();
    let whole = full().write();
    shelf.put("cut.bak", &whole[..whole.len() / 2]);
    shelf.put("cut-in-a-header.bak", &whole[..40]);
    shelf.put("empty.bak", b"");
    shelf.put("words.bak", b"no backup at all, but named as one");
    let mut told = String::new();
    let names = ["cut.bak", "cut-in-a-header.bak", "empty.bak", "words.bak"];
    for name in names {
        told += &shelf.tell(&[name], &[]).await;
    }
    assert_snapshot!(told);
}

#[tokio::test]
async fn several_backups_in_one_file_are_several_rows_and_one_chain() {
    let shelf = Shelf::new();
    let [first, second, third] = logs();
    let bytes = together(&[full(), first, second, third]);
    shelf.put("all.bak", &bytes);
    let mut told = shelf.tell(&["all.bak"], &["--chain"]).await;
    // The last backup in the file is cut; those before it are whole.
    shelf.change("all.bak", |bytes| bytes.truncate(bytes.len() - 3000));
    told += &shelf.tell(&["all.bak"], &["--chain"]).await;
    assert_snapshot!(told);
}

#[tokio::test]
async fn stripes_are_whole_only_together() {
    let shelf = Shelf::new();
    let [one, two] = stripes();
    shelf.put("a/full_1.bak", &one);
    shelf.put("b/full_2.bak", &two);
    let [log, ..] = logs();
    shelf.put("log.trn", &log.write());
    let mut told = shelf.tell(&[""], &["--chain"]).await;
    told += &shelf.tell(&["b", "log.trn"], &["--chain"]).await;
    assert_snapshot!(told);
}

#[tokio::test]
async fn two_files_that_claim_one_place_are_told_apart_from_copies() {
    let shelf = Shelf::of_chain();
    let [_, log, _] = logs();
    shelf.put("copy/log2.trn", &log.write());
    shelf.put("rival.trn", &medium(9, BackupKind::Log, 22, 27).write());
    let mut forged = log;
    forged.identity.database_backup_lsn = forged.identity.last_lsn;
    shelf.put("forged.trn", &forged.write());
    let told = shelf.tell(&[""], &["--chain"]).await;
    assert_snapshot!(told);
}

#[tokio::test]
async fn a_log_with_minimally_logged_changes_can_be_passed_and_not_stopped_in() {
    let shelf = Shelf::new();
    let [first, mut second, third] = logs();
    second.identity.flags = second.identity.flags.with(mtf::SetFlags::BULK_LOGGED, true);
    shelf.put("full.bak", &full().write());
    for (name, log) in [("1.trn", first), ("2.trn", second), ("3.trn", third)] {
        shelf.put(name, &log.write());
    }
    let printed = shelf.inspect(&[""], &["--chain"]).await;
    assert_eq!(printed.exit, Exit::Ok);
    let but = "but to none inside 2.trn: minimally logged changes";
    assert!(printed.stdout.contains(but), "{}", printed.stdout);
}

#[tokio::test]
async fn programs_get_everything_as_json() {
    let shelf = Shelf::new();
    shelf.put("full.bak", &full().write());
    let [first, _, third] = logs();
    shelf.put("1.trn", &first.write());
    shelf.put("3.trn", &third.write());
    shelf.put("notes.txt", b"nothing but words");
    let told = shelf.tell(&[""], &["--chain", "--json"]).await;
    assert_snapshot!(told);
}

/// Names that would move a cursor, turn what is read, break a table or fill a screen.
fn hostile() -> Vec<String> {
    vec![
        "\u{1b}[2J\u{1b}[31mred".to_owned(),
        "\u{9b}2J\u{7}\u{8}".to_owned(),
        "orders\u{202e}kab.\u{2066}lluf".to_owned(),
        "two\r\nlines\u{2028}three".to_owned(),
        "x".repeat(10_000),
        "\u{1b}".repeat(10_000),
    ]
}

fn named(name: &str) -> Medium {
    let mut medium = full();
    for field in [
        &mut medium.identity.database_name,
        &mut medium.identity.server_name,
        &mut medium.identity.name,
        &mut medium.identity.user_name,
    ] {
        name.clone_into(field);
    }
    medium
}

#[tokio::test]
async fn hostile_names_in_media_reach_no_terminal() {
    for name in hostile() {
        let shelf = Shelf::new();
        shelf.put("x.bak", &named(&name).write());
        let text = shelf.inspect(&[""], &["--chain"]).await;
        let json = shelf.inspect(&[""], &["--chain", "--json"]).await;
        assert_eq!(
            (text.exit, json.exit),
            (Exit::Ok, Exit::Ok),
            "{}",
            text.stdout
        );
        for printed in [&text.stdout, &json.stdout] {
            let harmful = printed.chars().find(|c| is_harmful(*c) && *c != '\n');
            assert_eq!(harmful, None, "{}", printed.escape_debug());
        }
        let longest = text.stdout.lines().map(|line| line.chars().count()).max();
        assert!(longest < Some(1200), "{longest:?}");
        let value: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
        let told = &value["files"][0]["backups"][0]["database_name"];
        assert_eq!(told.as_str(), Some(name.as_str()), "JSON keeps the name");
    }
}

#[tokio::test]
async fn a_flood_of_damage_is_cut_for_people_and_not_for_programs() {
    let shelf = Shelf::new();
    let mut medium = Medium::new(BackupKind::Full, 8, 1);
    // One bit in each page, behind its header.
    for page in medium.data.chunks_mut(mtf::page::SIZE).skip(2) {
        page[5000] ^= 1;
    }
    shelf.put("full.bak", &medium.write());
    let text = shelf.inspect(&[""], &[]).await;
    assert_eq!(text.exit, Exit::Failed);
    let lines = text
        .stdout
        .lines()
        .filter(|line| line.starts_with("DAMAGE"));
    assert_eq!(lines.count(), 20, "{}", text.stdout);
    let more = "full.bak: 42 more findings, which `--json` lists";
    assert!(text.stdout.contains(more), "{}", text.stdout);
    let json = shelf.inspect(&[""], &["--json"]).await.stdout;
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["findings"].as_array().map(Vec::len), Some(62));
}
