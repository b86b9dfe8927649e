//! Every T-SQL text that the agent can send, parsed by Microsoft's own parser.
//!
//! `run.sh` installs the parser on first use. A missing program is a failure, never a skip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("tsql")
        .join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("the build's own folder is writable");
    folder
}

pub(crate) fn parse(folder: &Path) -> Output {
    Command::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/foreign/tsql/run.sh"
    ))
    .arg(folder)
    .output()
    .expect("run.sh starts")
}

fn texts(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn every_statement_parses_and_a_wrong_one_does_not() {
    let all = stopmark::sql::every_statement();
    assert!(all.len() > 50, "{} statements", all.len());
    let ours = folder("agent");
    for (name, text) in &all {
        fs::write(ours.join(format!("{name}.sql")), text).expect("the folder is writable");
    }
    let output = parse(&ours);
    assert!(output.status.success(), "{}", texts(&output));
    let summary = format!("{} batches read, 0 syntax errors", all.len());
    assert!(texts(&output).contains(&summary), "{}", texts(&output));

    let wrong = folder("wrong");
    fs::write(
        wrong.join("unquoted.sql"),
        "BACKUP LOG [x]] TO DISK = N'y';",
    )
    .expect("writable");
    let output = parse(&wrong);
    assert_eq!(output.status.code(), Some(1), "{}", texts(&output));
    assert!(
        texts(&output).contains("unquoted.sql:1:"),
        "{}",
        texts(&output)
    );
}

/// The simulator's scenario scripts are for a real server, too.
#[test]
fn every_scenario_script_parses() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/sqlsim/tests/scenarios");
    let output = parse(&scripts);
    assert!(output.status.success(), "{}", texts(&output));
    assert!(
        texts(&output).contains(" batches read, 0 syntax errors"),
        "{}",
        texts(&output)
    );
}
