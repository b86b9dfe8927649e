//! Databases with names that were chosen to hurt: the whole job on them, and nothing else is touched.
//!
//! Every name goes through T-SQL, linked servers, file names, store keys, JSON and the terminal.

use std::collections::BTreeSet;
use std::fs;

use crate::stage::{Stage, must};

const BRACKET: &str = "x]; DROP DATABASE master; --";
const QUOTES: &str = "o'brien \"q\"";
const BLANK: &str = "  lead";
const EMOJI: &str = "zahlung \u{1f4b6}\u{1f469}\u{200d}\u{1f4bb}";
const SLASH: &str = "a/b";

/// 128 characters, the most that SQL Server takes; all of them brackets and quotes at the end.
fn longest() -> String {
    format!("{}]']\"", "l".repeat(124))
}

/// The names of all databases of a host, system's included.
fn databases(stage: &Stage, host: &str) -> BTreeSet<String> {
    let instance = stage.host(host).instance();
    instance.databases().iter().map(|db| db.name()).collect()
}

fn quoted(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_names_go_through_the_whole_job_and_inject_nothing() {
    let longest = longest();
    let first = [BRACKET, QUOTES, BLANK, &longest];
    let second = [EMOJI, SLASH, "';EXEC sp_configure--"];
    let layout: [(&str, &[&str]); 3] = [("SQL1", &first), ("SQL2", &second), ("SPARE", &[])];
    let stage = Stage::set(&layout).await;
    let before = [databases(&stage, "SQL1"), databases(&stage, "SQL2")];
    assert!(
        before[0].contains("master") && before[0].contains(BRACKET),
        "{before:?}"
    );
    for (host, names) in &layout {
        for name in *names {
            let table = "CREATE TABLE dbo.T (id bigint NOT NULL); INSERT INTO dbo.T VALUES (7);";
            stage.script(host, name, table).await;
        }
    }
    must(&stage.run(&["backup", "full"]).await);
    must(&stage.run(&["backup", "log"]).await);
    let member = format!("SQL1/{BRACKET}");
    must(&stage.run(&["backup", "full", "--new-chain", &member]).await);
    let list = stage.run(&["list", "--json"]).await;
    must(&list);
    let list: serde_json::Value = serde_json::from_str(&list.stdout).expect("JSON");
    assert_eq!(list["sets"].as_array().map(Vec::len), Some(3), "{list}");
    let show = stage.run(&["show", "--json"]).await;
    must(&show);
    for name in first.iter().chain(&second) {
        let written = serde_json::to_string(name).expect("JSON");
        let bare = written.trim_matches('"');
        assert!(
            show.stdout.contains(bare),
            "{name} is not in:\n{}",
            show.stdout
        );
    }
    must(&stage.run(&["verify"]).await);
    let files = stage.path("restored");
    fs::create_dir_all(&files).expect("a folder");
    let files = files.display().to_string();
    let restore = ["restore", "run", "--to-host", "SPARE", "--files-in", &files];
    must(&stage.run(&restore).await);
    for name in first.iter().chain(&second) {
        let ids = format!("SELECT SUM(id) FROM {}.dbo.T;", quoted(name));
        assert_eq!(stage.number("SPARE", "master", &ids).await, 7, "{name}");
        let marks = format!(
            "SELECT COUNT_BIG(*) FROM {}.stopmark.MarkLog;",
            quoted(name)
        );
        assert_eq!(stage.number("SPARE", "master", &marks).await, 2, "{name}");
    }
    let after = [databases(&stage, "SQL1"), databases(&stage, "SQL2")];
    assert_eq!(after, before, "nothing was dropped and nothing was made");
    // Every object's key and every file's name is plain, whatever the database is called.
    let keys = files_below(&stage.path("store"));
    assert!(
        !keys.is_empty() && keys.iter().all(|key| key.is_ascii()),
        "{keys:?}"
    );
    assert!(
        stage.path("store/v1/stage").is_dir(),
        "no key leaves its folder"
    );
}

/// The paths of all files below a folder, from it on.
pub(crate) fn files_below(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(folder).expect("it is below");
                found.push(below.display().to_string());
            }
        }
    }
    found
}
