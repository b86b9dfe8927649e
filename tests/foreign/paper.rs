//! Restores on paper, carried out by programs that nobody here wrote, on a host that knows nothing of Stopmark.
//!
//! Start at [`tsql_alone_brings_the_group_back`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use stopmark::error::Exit;

use crate::clients::tsql::{Encryption, Tsql};
use crate::stage::{AGENT, PASSWORD, Printed, Stage};
use crate::tsql::parse;

/// The program, which is older than Python 3.10, where a name of the standard library moved.
const MSSQL_CLI: &str = "import collections, collections.abc, runpy; \
    collections.Iterable = collections.abc.Iterable; \
    runpy.run_module('mssqlcli.main', run_name='__main__')";

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
    let (paper, files) = (stage.path("paper"), stage.path("restored"));
    fs::create_dir_all(&files).expect("a folder");
    let (folder, files) = (paper.display().to_string(), files.display().to_string());
    let args = [
        "restore",
        "plan",
        "--to-host",
        "SPARE",
        "--files-in",
        &files,
        "--script",
        &folder,
    ];
    must(&stage.run(&args).await);
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
    let address = stage.host("SPARE").address();
    let clients = std::env::var_os("STOPMARK_CLIENTS");
    let clients = PathBuf::from(clients.expect("tests/foreign/run.sh says where they are"));
    let server = format!("{},{}", address.ip(), address.port());
    let file = paper.join("restore-SPARE.sql");
    let ran = tokio::task::spawn_blocking(move || {
        // Its .NET wants OpenSSL 1.1 and ICU, which newer systems lack.
        Command::new(clients.join("mssql-cli/bin/python"))
            .env("LD_LIBRARY_PATH", clients.join("dotnet"))
            .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
            .args(["-c", MSSQL_CLI, "-S", &server, "-d", "master"])
            .args(["-U", AGENT, "-C", "-N", "-i"])
            .arg(file)
            .env("MSSQL_CLI_PASSWORD", PASSWORD)
            .output()
    });
    let ran = ran
        .await
        .expect("it ran")
        .expect("`mssql-cli` is installed");
    let text = said(&ran);
    assert!(ran.status.success(), "{text}");
    assert!(
        text.contains("EVERY MEMBER ON THIS HOST STANDS AT MARK"),
        "{text}"
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
