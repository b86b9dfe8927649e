//! What programs and people can rely on in what is printed: JSON with stable keys, errors as JSON, help that
//! reads well, exit codes that are documented.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::Value;

use crate::stage::{Printed, Stage};

fn json(args: &[&str], printed: &Printed) -> Value {
    let Printed { stdout, stderr, .. } = printed;
    assert_eq!(stderr, "", "{args:?}");
    serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{args:?}: {error}:\n{stdout}"))
}

/// A line for a command: its keys, and those of the things in its lists.
fn keys(args: &[&str], value: &Value) -> String {
    let mut lines = format!("{}: {}\n", args.join(" "), names(value));
    for (key, inner) in value.as_object().expect("an object") {
        if let Some(first @ Value::Object(_)) = inner.as_array().and_then(|list| list.first()) {
            writeln!(lines, "  {key}[]: {}", names(first)).expect("a string takes all");
        }
    }
    lines
}

fn names(value: &Value) -> String {
    let object = value.as_object().expect("an object");
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names.join(", ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_that_prints_facts_prints_json_with_stable_keys() {
    let layout = [
        ("SQL1", &["Orders"][..]),
        ("SQL2", &["Accounts"]),
        ("SPARE", &[]),
    ];
    let stage = Stage::unprepared(&layout).await;
    let files = stage.path("restored");
    std::fs::create_dir_all(&files).expect("a folder");
    let files = files.display().to_string();
    let foreign = stage.path("foreign.bak").display().to_string();
    let theirs = format!("BACKUP DATABASE Orders TO DISK = N'{foreign}' WITH COPY_ONLY;");
    stage.script("SQL1", "master", &theirs).await;
    let store = stage.path("store").display().to_string();
    let mut table = String::new();
    for args in [
        &["check"][..],
        &["group", "prepare", "--dry-run"],
        &["group", "prepare"],
        &["link", "plan"],
        &["link", "script"],
        &["link", "apply"],
        &["link", "test"],
        &["list"],
        &["status"],
        &["backup", "full", "--dry-run"],
        &["backup", "full"],
        &["backup", "diff"],
        &["backup", "log"],
        &["list"],
        &["show"],
        &["status"],
        &["verify"],
        &["adopt", "--group", "stage", &foreign],
        &["adopt", "--dry-run", "--group", "stage", &foreign],
        &["inspect", &store, "--chain"],
        &["verify", "--chain"],
        &["scrub"],
        &["restore", "plan", "--to-host", "SPARE"],
        &["restore", "run", "--to-host", "SPARE", "--files-in", &files],
        &["catalog", "rebuild"],
        &["grants"],
        &["secret", "test"],
    ] {
        let with_json: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let printed = stage.run(&with_json).await;
        let is_shown = |arg: &&str| ![&files, &foreign, &store].contains(&&(*arg).to_owned());
        let shown: Vec<&str> = args.iter().copied().filter(is_shown).collect();
        table += &keys(&shown, &json(args, &printed));
    }
    assert_snapshot!(table);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_json_on_stderr_where_json_is_asked_for() {
    let stage = Stage::unprepared(&[("SQL1", &["Orders"])]).await;
    let mut table = String::new();
    for args in [
        &["backup", "fll"][..],
        &["backup"],
        &["restore", "run"],
        &["backup", "full", "--new-chain", "x"],
        &["show", "nonsense"],
        &["restore", "run", "--to-host", "SQL9"],
    ] {
        table += &error_line(&stage, args).await;
    }
    stage.edit("mark_prefix", "mark_prefx");
    stage.edit("\"SQL1/Orders\"", "7");
    table += &error_line(&stage, &["list"]).await;
    assert_snapshot!(table);
}

/// Code, exit and message of every error, one JSON object a line.
async fn error_line(stage: &Stage, args: &[&str]) -> String {
    let with_json: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    let Printed {
        exit,
        stdout,
        stderr,
    } = stage.run(&with_json).await;
    assert_eq!(stdout, "", "{args:?}");
    assert!(!stderr.is_empty(), "{args:?}");
    let mut lines = format!("{}\n", args.join(" "));
    for line in stderr.lines() {
        let error: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert_eq!(error["exit"], exit as u8, "{line}");
        let (code, exit, message) = (&error["code"], &error["exit"], &error["message"]);
        writeln!(lines, "  {code} {exit}: {message}").expect("a string takes all");
    }
    lines
}

#[test]
fn the_help_of_every_command_reads_well() {
    let mut help = String::new();
    for command in [
        "",
        "init",
        "check",
        "group",
        "group prepare",
        "link",
        "link plan",
        "link apply",
        "link script",
        "link test",
        "backup",
        "backup full",
        "backup diff",
        "backup log",
        "list",
        "show",
        "status",
        "verify",
        "adopt",
        "scrub",
        "restore",
        "restore plan",
        "restore run",
        "catalog",
        "catalog rebuild",
        "grants",
        "secret",
        "secret test",
        "secret set",
        "completions",
        "man",
        "sim",
        "demo",
    ] {
        // Without a terminal the help is as wide as it may be.
        let shown = std::process::Command::new(env!("CARGO_BIN_EXE_stopmark"))
            .args(command.split_whitespace().chain(["--help"]))
            .env_remove("COLUMNS")
            .output()
            .expect("the program starts");
        assert!(
            shown.status.success() && shown.stderr.is_empty(),
            "{command}"
        );
        let text = String::from_utf8(shown.stdout).expect("UTF-8");
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{text}"
        );
        writeln!(help, "$ stopmark {command} --help\n{text}").expect("a string takes all");
    }
    assert_snapshot!(help);
}
