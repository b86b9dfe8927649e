//! Restores on paper, carried out by programs that nobody here wrote, on a host that knows nothing of Stopmark.
//!
//! Start at [`tsql_alone_brings_the_group_back`] and [`mssql_cli_alone_brings_the_group_back`].

use std::fs;
use std::path::{Path, PathBuf};
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

/// A group on two hosts, backed up, with its restore on paper and its files brought; the folder of the paper.
async fn on_paper() -> (Stage, PathBuf) {
    let layout: &[(&str, &[&str])] = &[
        ("SQL1", &["Orders", "we]ird 'db'"]),
        ("SQL2", &["Accounts"]),
        ("SPARE", &[]),
    ];
    let stage = Stage::set(layout).await;
    let rows = "CREATE TABLE dbo.T (id bigint NOT NULL); INSERT INTO dbo.T VALUES (1);";
    stage.script("SQL1", "we]ird 'db'", rows).await;
    must(&stage.run(&["backup", "full"]).await);
    let row = "INSERT INTO dbo.T VALUES (2);";
    stage.script("SQL1", "we]ird 'db'", row).await;
    must(&stage.run(&["backup", "log"]).await);
    let (printed, paper) = stage.on_paper().await;
    must(&printed);
    let fetched = Command::new("sh")
        .arg(paper.join("fetch-SPARE.sh"))
        .output();
    let fetched = fetched.expect("a shell");
    assert!(fetched.status.success(), "{}", said(&fetched));
    (stage, paper)
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn script(paper: &Path) -> String {
    fs::read_to_string(paper.join("restore-SPARE.sql")).expect("the script")
}

async fn assert_restored(stage: &Stage) {
    let sum = stage.number("SPARE", "we]ird 'db'", "SELECT SUM(id) FROM dbo.T;");
    assert_eq!(sum.await, 3, "to the mark");
    for database in ["Orders", "Accounts"] {
        let count = "SELECT COUNT_BIG(*) FROM stopmark.MarkLog;";
        assert_eq!(
            stage.number("SPARE", database, count).await,
            1,
            "{database}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tsql_alone_brings_the_group_back() {
    let (stage, paper) = on_paper().await;
    let (address, authority) = (stage.host("SPARE").address(), stage.authority_file());
    let tsql = Tsql::at(address, &stage.path(""), Encryption::Require, authority);
    let tsql = tsql.with_login(AGENT, PASSWORD);
    let answer = tsql.say(&[&script(&paper)]).await;
    assert!(answer.is_ok, "{answer:?}");
    assert!(!answer.messages.contains("severity 16"), "{answer:?}");
    assert!(
        answer
            .messages
            .contains("EVERY MEMBER ON THIS HOST STANDS AT MARK"),
        "{answer:?}"
    );
    assert_restored(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mssql_cli_alone_brings_the_group_back() {
    let (stage, paper) = on_paper().await;
    let (address, home) = (stage.host("SPARE").address(), stage.path("home"));
    fs::create_dir_all(&home).expect("a folder");
    let told = tokio::task::spawn_blocking(move || {
        let login = mssql_cli::Login {
            address,
            user: AGENT,
            password: PASSWORD,
        };
        mssql_cli::say(&login, &paper.join("restore-SPARE.sql"), &home)
    });
    let told = told.await.expect("the program ran");
    assert!(
        told.contains("EVERY MEMBER ON THIS HOST STANDS AT MARK") && !told.contains("Level 16"),
        "{told}"
    );
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
