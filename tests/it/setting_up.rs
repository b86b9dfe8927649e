//! What helps with setting up: rights granted by script and by nobody's favour, secrets, completions, man pages.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use stopmark::error::Exit;

use crate::stage::{AGENT, Printed, Stage};

/// Three hosts, whose login loses all its rights.
async fn stage_without_rights() -> Stage {
    let stage = Stage::unprepared(&[
        ("SQL1", &["Orders"][..]),
        ("SQL2", &["Accounts"]),
        ("SPARE", &[]),
    ])
    .await;
    for (host, _) in &stage.hosts {
        let taken = format!("ALTER SERVER ROLE sysadmin DROP MEMBER {AGENT};");
        stage.script(host, "master", &taken).await;
    }
    stage
}

/// An administrator runs the script of a host.
async fn grant(stage: &Stage, host: &str, purposes: &[&str]) {
    let mut args = vec!["grants", "--host", host];
    for purpose in purposes {
        args.extend(["--for", purpose]);
    }
    let printed = stage.run(&args).await;
    assert_eq!(printed.exit, Exit::Ok, "{}", printed.stderr);
    stage.script(host, "master", &printed.stdout).await;
    // It may run again.
    stage.script(host, "master", &printed.stdout).await;
}

async fn done(stage: &Stage, args: &[&str]) -> Printed {
    let printed = stage.run(args).await;
    let Printed {
        exit,
        stdout,
        stderr,
    } = &printed;
    assert_eq!(*exit, Exit::Ok, "{args:?}\n{stdout}{stderr}");
    printed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_with_what_the_script_grants_and_no_more_prepares_backs_up_and_restores() {
    let stage = stage_without_rights().await;
    let refused = stage.run(&["check"]).await;
    assert_eq!(refused.exit, Exit::Failed);
    for missing in [
        "SQL1: the login lacks a right: ALTER ANY LINKED SERVER",
        "SQL2: the login lacks a right: SELECT on msdb.dbo.logmarkhistory",
        "SQL2: the login lacks a right: access to the database `Accounts`",
        "SPARE: the login lacks a right that restores onto this host need: CREATE ANY DATABASE",
        "hint: `stopmark grants --host SPARE --for restore` prints the T-SQL",
    ] {
        assert!(
            refused.stdout.contains(missing),
            "{missing}\n{}",
            refused.stdout
        );
    }
    for host in ["SQL1", "SQL2", "SPARE"] {
        grant(&stage, host, &["backup", "check", "prepare"]).await;
    }
    done(&stage, &["group", "prepare"]).await;
    for (host, database) in [("SQL1", "Orders"), ("SQL2", "Accounts")] {
        let back = format!(
            "USE [{database}];\nGO\nALTER ROLE db_owner DROP MEMBER {AGENT};\nGO\n\
             USE master;\nGO\nREVOKE ALTER ANY EVENT SESSION FROM {AGENT};"
        );
        stage.script(host, "master", &back).await;
    }
    grant(&stage, "SPARE", &["restore"]).await;
    done(&stage, &["link", "apply"]).await;
    done(&stage, &["check"]).await;
    done(&stage, &["backup", "full"]).await;
    done(&stage, &["backup", "diff"]).await;
    done(&stage, &["backup", "log"]).await;
    let files = stage.path("restored");
    fs::create_dir_all(&files).expect("a folder");
    let files = files.display().to_string();
    let restore = ["restore", "run", "--to-host", "SPARE", "--files-in", &files];
    let restored = stage.run(&restore).await;
    // What a database had on its host beside its data is an administrator's to give.
    let is_left = restored.exit == Exit::Degraded && restored.stdout.contains("SM0812");
    let told = format!("{}{}", restored.stdout, restored.stderr);
    assert!(restored.exit == Exit::Ok || is_left, "{told}");
    assert!(told.contains("stopped at mark"), "{told}");
    let drilled = ["drill", "run", "--on", "SPARE"];
    done(&stage, &drilled).await;
    let leaves = "SELECT COUNT_BIG(*) FROM sys.server_permissions AS p \
                  WHERE p.permission_name = N'ALTER ANY AVAILABILITY GROUP'";
    assert_eq!(stage.number("SPARE", "master", leaves).await, 0);
    grant(&stage, "SPARE", &["leave-group"]).await;
    assert_eq!(stage.number("SPARE", "master", leaves).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_of_grants_is_for_hosts_of_the_configuration_and_names_the_account_of_the_process()
{
    let stage = Stage::unprepared(&[("SQL1", &["Orders"][..])]).await;
    let unknown = stage.run(&["grants", "--host", "SQL9"]).await;
    assert_eq!(unknown.exit, Exit::Usage);
    let text = fs::read_to_string(stage.config_path()).expect("the configuration");
    let login = text.lines().find(|line| line.starts_with("login = "));
    stage.edit(login.expect("a login"), "login = \"integrated\"");
    let Printed { exit, stderr, .. } = stage.run(&["grants"]).await;
    // Where a build cannot use the account of the process, the configuration itself is refused.
    let is_here = cfg!(any(windows, feature = "kerberos"));
    let wanted = if is_here { Exit::Usage } else { Exit::Config };
    assert_eq!(exit, wanted, "{stderr}");
}

/// Runs the program with this on its standard input.
fn fed(stage: &Stage, args: &[&str], input: &str, path: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stopmark"));
    command
        .arg("--config")
        .arg(stage.config_path())
        .args(args)
        .env_remove("STOPMARK_CONFIG")
        .env_remove("CREDENTIALS_DIRECTORY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let mut program = command.spawn().expect("the program starts");
    let mut pipe = program.stdin.take().expect("a pipe");
    // A program that refuses before it reads closes its end.
    let _ = pipe.write_all(input.as_bytes());
    drop(pipe);
    program.wait_with_output().expect("it ends")
}

fn words(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_tested_where_they_are_looked_for_and_never_printed() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::unprepared(&[("SQL1", &["Orders"][..])]).await;
    done(&stage, &["secret", "test"]).await;
    let readable = fs::Permissions::from_mode(0o644);
    fs::set_permissions(stage.path("password"), readable).expect("its own file");
    let warned = stage.run(&["secret", "test"]).await;
    assert_eq!(warned.exit, Exit::Degraded);
    assert!(
        warned
            .stdout
            .contains("everybody on this machine may read it"),
        "{}",
        warned.stdout
    );
    let check = stage.run(&["check"]).await;
    assert!(check.stdout.contains("[SM0108]"), "{}", check.stdout);
    let section = "[page]\ntoken = { credential = \"page-token\" }\n[notify]\n\
                   heartbeat = { env = \"STOPMARK_NOBODY_SETS_THIS\" }\n[paths]";
    stage.edit("[paths]", section);
    let tested = stage.run(&["secret", "test"]).await;
    assert_eq!(tested.exit, Exit::Config, "{}", tested.stderr);
    for part in [
        "  warning hosts.SQL1.login.password: file `",
        "  ERROR   page.token: credential `page-token` of the service manager: no credentials",
        "  ERROR   notify.heartbeat: environment variable `STOPMARK_NOBODY_SETS_THIS`",
    ] {
        assert!(tested.stdout.contains(part), "{part}\n{}", tested.stdout);
    }
    assert!(!tested.stdout.contains(crate::stage::PASSWORD));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_set_in_its_file_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::unprepared(&[("SQL1", &["Orders"][..])]).await;
    stage.edit(
        "login = { user = \"stopmark\", password = { file = \"password\" } }\nlink",
        "login = { user = \"stopmark\", password = { file = \"new\" } }\nlink",
    );
    let set = ["secret", "set", "hosts.SQL1.login.password"];
    let done = fed(&stage, &set, "Another-Pa55\r\n", None);
    assert!(done.status.success(), "{}", words(&done));
    assert!(!words(&done).contains("Another-Pa55"));
    let mode = || {
        let metadata = fs::metadata(stage.path("new")).expect("written");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(
        fs::read_to_string(stage.path("new")).expect("UTF-8"),
        "Another-Pa55"
    );
    assert_eq!(mode(), 0o600);
    fs::set_permissions(stage.path("new"), fs::Permissions::from_mode(0o664))
        .expect("its own file");
    assert!(fed(&stage, &set, "third", None).status.success());
    assert_eq!(mode(), 0o640);
    for (args, input) in [
        (["secret", "set", "hosts.SQL1.login.password"], "\n"),
        (["secret", "set", "hosts.SQL9.login.password"], "x"),
    ] {
        let refused = fed(&stage, &args, input, None);
        assert_eq!(refused.status.code(), Some(2), "{}", words(&refused));
    }
    assert_eq!(
        fs::read_to_string(stage.path("new")).expect("UTF-8"),
        "third"
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_goes_to_systemd_creds_by_its_standard_input() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::unprepared(&[("SQL1", &["Orders"][..])]).await;
    stage.edit(
        "[paths]",
        "[page]\ntoken = { credential = \"page-token\" }\n[paths]",
    );
    let folder = stage.path("bin");
    fs::create_dir_all(&folder).expect("a folder");
    let program = folder.join("systemd-creds");
    // It writes down how it was called, and what it was given turned about.
    let script = "#!/bin/sh\nprintf '%s ' \"$@\" > \"$4\".called\n/usr/bin/rev > \"$4\"\n";
    fs::write(&program, script).expect("writes");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("its own file");
    let set = ["secret", "set", "page.token"];
    let path = folder.display().to_string();
    let done = fed(&stage, &set, "hunter2\n", Some(&path));
    assert!(done.status.success(), "{}", words(&done));
    let file = stage.path("credentials/page-token");
    assert_eq!(fs::read_to_string(&file).expect("UTF-8").trim(), "2retnuh");
    let called = fs::read_to_string(stage.path("credentials/page-token.called")).expect("UTF-8");
    assert!(
        called.starts_with("encrypt --name=page-token - "),
        "{called}"
    );
    assert!(!called.contains("hunter2") && !words(&done).contains("hunter2"));
    assert!(
        words(&done).contains("LoadCredentialEncrypted=page-token:"),
        "{}",
        words(&done)
    );
    let absent = fed(&stage, &set, "hunter2\n", Some("/nonexistent"));
    assert_eq!(absent.status.code(), Some(1), "{}", words(&absent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shells_and_man_know_every_command() {
    let stage = Stage::unprepared(&[("SQL1", &["Orders"][..])]).await;
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = done(&stage, &["completions", shell]).await.stdout;
        for word in ["new-chain", "prepare", "completions"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
    let folder = stage.path("man").display().to_string();
    done(&stage, &["man", "--folder", &folder]).await;
    for page in ["stopmark.1", "stopmark-restore-run.1", "stopmark-grants.1"] {
        let text = fs::read_to_string(stage.path("man").join(page)).expect(page);
        assert!(text.contains(".SH NAME"), "{page}");
    }
    assert!(!stage.path("man/stopmark-help.1").exists());
}
