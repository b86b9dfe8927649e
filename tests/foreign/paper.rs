//! Restores on paper, carried out by programs that nobody here wrote, on a host that knows nothing of Stopmark.
//!
//! Start at [`tsql_alone_brings_the_group_back`] and [`mssql_cli_alone_brings_the_group_back`].

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use stopmark::error::Exit;

use crate::clients::mssql_cli;
use crate::clients::tsql::{Encryption, Tsql};
use crate::stage::{AGENT, PASSWORD, Printed, Stage};
use crate::tsql::parse;

fn must(printed: &Printed) {
    let said = format!("{}\n{}", printed.stdout, printed.stderr);
    assert_eq!(printed.exit, Exit::Ok, "{said}");
}

/// A database beside the group.
const BESIDE: &str = "[companions]\ndatabases = ['SQL1/Side', 'SQL1/master']\n\n[policy]";

/// A group on two hosts and what is beside it, backed up, with its restore on paper and its files brought; the folder of
/// the paper. What was beside it is lost.
async fn on_paper() -> (Stage, PathBuf) {
    let layout: &[(&str, &[&str])] = &[
        ("SQL1", &["Orders", "we]ird 'db'"]),
        ("SQL2", &["Accounts"]),
        ("SPARE", &[]),
    ];
    let stage = Stage::set(layout).await;
    let rows = "CREATE TABLE dbo.T (id bigint NOT NULL); INSERT INTO dbo.T VALUES (1);";
    stage.script("SQL1", "we]ird 'db'", rows).await;
    stage.edit("[policy]", BESIDE);
    let side = "CREATE DATABASE Side; ALTER DATABASE Side SET RECOVERY SIMPLE;";
    stage.script("SQL1", "master", side).await;
    let rows = "CREATE TABLE dbo.T (id bigint NOT NULL); INSERT INTO dbo.T VALUES (7);";
    stage.script("SQL1", "Side", rows).await;
    must(&stage.run(&["backup", "full"]).await);
    must(&stage.run(&["backup", "companions"]).await);
    let row = "INSERT INTO dbo.T VALUES (2);";
    stage.script("SQL1", "we]ird 'db'", row).await;
    must(&stage.run(&["backup", "log"]).await);
    let (printed, paper) = stage.on_paper().await;
    must(&printed);
    stage.script("SQL1", "master", "DROP DATABASE Side;").await;
    for host in ["SPARE", "companions-SQL1"] {
        let script = paper.join(format!("fetch-{host}.sh"));
        let fetched = Command::new("sh").arg(script).output();
        let fetched = fetched.expect("a shell");
        assert!(fetched.status.success(), "{}", said(&fetched));
    }
    (stage, paper)
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// The script of a host, and of what is beside the group there.
const SCRIPTS: [(&str, &str); 2] = [
    ("SPARE", "restore-SPARE.sql"),
    ("SQL1", "restore-companions-SQL1.sql"),
];

async fn assert_restored(stage: &Stage) {
    let sum = stage.number("SPARE", "we]ird 'db'", "SELECT SUM(id) FROM dbo.T;");
    assert_eq!(sum.await, 3, "to the mark");
    let beside = stage.number("SQL1", "Side", "SELECT SUM(id) FROM dbo.T;");
    assert_eq!(beside.await, 7, "as it was backed up");
    for database in ["Orders", "Accounts"] {
        let count = "SELECT COUNT_BIG(*) FROM stopmark.MarkLog;";
        assert_eq!(
            stage.number("SPARE", database, count).await,
            1,
            "{database}"
        );
    }
}

fn assert_told(told: &str, refusal: &str) {
    let is_at_mark = told.contains("EVERY MEMBER ON THIS HOST STANDS AT MARK");
    assert!(is_at_mark && !told.contains(refusal), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tsql_alone_brings_the_group_back() {
    let (stage, paper) = on_paper().await;
    let mut told = String::new();
    for (host, file) in SCRIPTS {
        let (address, authority) = (stage.host(host).address(), stage.authority_file());
        let tsql = Tsql::at(address, &stage.path(""), Encryption::Require, authority);
        let tsql = tsql.with_login(AGENT, PASSWORD);
        let script = fs::read_to_string(paper.join(file)).expect("the script");
        let answer = tsql.say(&[&script]).await;
        assert!(answer.is_ok, "{answer:?}");
        told += &answer.messages;
    }
    assert_told(&told, "severity 16");
    assert_restored(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mssql_cli_alone_brings_the_group_back() {
    let (stage, paper) = on_paper().await;
    let home = stage.path("home");
    fs::create_dir_all(&home).expect("a folder");
    let mut told = String::new();
    for (host, file) in SCRIPTS {
        let (address, home, file) = (stage.host(host).address(), home.clone(), paper.join(file));
        let saying = tokio::task::spawn_blocking(move || {
            let login = mssql_cli::Login {
                address,
                user: AGENT,
                password: PASSWORD,
            };
            mssql_cli::say(&login, &file, &home)
        });
        told += &saying.await.expect("the program ran");
    }
    assert_told(&told, "Level 16");
    assert_restored(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_script_on_paper_parses() {
    let (_stage, paper) = on_paper().await;
    let output = parse(&paper);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains(" 0 syntax errors"),
        "{}",
        said(&output)
    );
}
