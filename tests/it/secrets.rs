//! The passwords of a configuration, looked for wherever the agent writes: they must be nowhere.
//!
//! The program itself is run, as verbose as it can be, so that its log files are looked through too.

use std::fs;

use secrecy::ExposeSecret as _;
use stopmark::config::{self, LoginConfig, OsSecrets};
use stopmark::error::Exit;

use crate::hostile_names::files_below;
use crate::stage::{PASSWORD, Printed, Stage};

/// The password as it could be written: plain, in UTF-16, as TDS scrambles it, and in hexadecimal.
fn forms() -> Vec<Vec<u8>> {
    let plain = PASSWORD.as_bytes().to_vec();
    let wide: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let scrambled: Vec<u8> = wide.iter().map(|byte| byte.rotate_left(4) ^ 0xA5).collect();
    let hex = |bytes: &[u8]| -> Vec<u8> {
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        digits.collect::<String>().into_bytes()
    };
    vec![hex(&plain), hex(&wide), plain, wide, scrambled]
}

fn holds(content: &[u8], form: &[u8]) -> bool {
    content.windows(form.len()).any(|window| window == form)
}

/// Everything that the agent wrote; hosts, and what they wrote to the share, are SQL Server's.
fn written(stage: &Stage) -> Vec<(String, Vec<u8>)> {
    let ours = files_below(&stage.path(""));
    let ours = ours
        .into_iter()
        .filter(|path| path != "password" && !path.starts_with("hosts/"));
    ours.map(|path| {
        let content = fs::read(stage.path(&path)).expect("readable");
        (path, content)
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_in_no_output_no_log_no_journal_no_plan_and_no_object() {
    let stage = Stage::unprepared(&[
        ("SQL1", &["Orders"][..]),
        ("SQL2", &["Accounts"]),
        ("SPARE", &[]),
    ])
    .await;
    let printed = tour(&stage).await;
    let mut places = written(&stage);
    let logs: usize = places
        .iter()
        .filter(|(path, _)| path.starts_with("logs/"))
        .count();
    let journals = places
        .iter()
        .filter(|(path, _)| path.starts_with("state/runs/"))
        .count();
    assert!(
        logs >= 1 && journals >= 5,
        "the agent wrote {logs} log files and {journals} journals"
    );
    let told = |word: &str| {
        let logs = places.iter().filter(|(path, _)| path.starts_with("logs/"));
        logs.into_iter().any(|(_, log)| holds(log, word.as_bytes()))
    };
    assert!(
        told("full run of `stage`") && told("SM0202"),
        "the log tells of runs and errors"
    );
    places.extend(printed);
    for form in forms() {
        assert!(holds(&form, &form), "the search finds what it looks for");
        for (place, content) in &places {
            assert!(!holds(content, &form), "`{place}` holds the password");
        }
    }
    assert!(holds(
        &fs::read(stage.path("password")).expect("a file"),
        &forms()[2]
    ));
}

/// Every command, in fair weather and in foul; what each printed.
async fn tour(stage: &Stage) -> Vec<(String, Vec<u8>)> {
    let mut printed = Vec::new();
    let files = stage.path("restored");
    fs::create_dir_all(&files).expect("a folder");
    let files = files.display().to_string();
    let unknown_host = ["restore", "plan", "--to-host", "SQL7"];
    for args in [
        &["group", "prepare", "--dry-run", "--json"][..],
        &["group", "prepare"],
        &["check"],
        &["secret", "test"],
        &["grants", "--json"],
        &["link", "plan", "--json"],
        &["link", "script"],
        &["backup", "full", "--dry-run", "--json"],
        &["backup", "full"],
        &["backup", "log", "--dry-run", "--json"],
        &["backup", "log"],
        &["link", "test"],
        &["list"],
        &["show", "--json"],
        &["status", "--json"],
        &["verify"],
        &["restore", "plan", "--to-host", "SPARE"],
        &["restore", "run", "--to-host", "SPARE", "--files-in", &files],
    ] {
        printed.push(said(stage, args, &[Exit::Ok, Exit::Degraded]).await);
    }
    printed.push(said(stage, &unknown_host, &[Exit::Config]).await);
    // What goes wrong talks more than what goes well.
    stage
        .script(
            "SQL1",
            "master",
            "EXEC sp_sim_fault @kind = 'fail', @number = 18456;",
        )
        .await;
    printed.push(
        said(
            stage,
            &["backup", "full"],
            &[Exit::Ok, Exit::Degraded, Exit::Failed],
        )
        .await,
    );
    stage
        .script(
            "SQL2",
            "master",
            "ALTER LOGIN stopmark WITH PASSWORD = 'another-Pa55';",
        )
        .await;
    printed.push(said(stage, &["check"], &[Exit::Failed]).await);
    printed.push(said(stage, &["backup", "log"], &[Exit::Degraded, Exit::Failed]).await);
    printed
}

async fn said(stage: &Stage, args: &[&str], exits: &[Exit]) -> (String, Vec<u8>) {
    let all: Vec<&str> = std::iter::once("--verbose")
        .chain(args.iter().copied())
        .collect();
    let Printed {
        exit,
        stdout,
        stderr,
    } = stage.program(&all).await;
    assert!(
        exits.contains(&exit),
        "{args:?}: {exit:?}\n{stdout}\n{stderr}"
    );
    (
        format!("{args:?}"),
        format!("{stdout}{stderr}").into_bytes(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_does_not_show_its_secrets_to_debug() {
    let stage = Stage::unprepared(&[("SQL1", &["Orders"])]).await;
    let config = config::load(&stage.config_path(), &OsSecrets).expect("a sound configuration");
    let host = config.hosts.values().next().expect("a host");
    let LoginConfig::Sql { password, .. } = &host.login else {
        panic!("the stage has SQL logins");
    };
    assert_eq!(password.expose_secret(), PASSWORD);
    let shown = format!("{config:?} {config:#?}");
    assert!(
        !shown.contains(PASSWORD) && shown.contains("REDACTED"),
        "{shown}"
    );
}
