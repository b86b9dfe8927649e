//! Bad input and bad luck, as the first user meets them: one clear message each, with code, place and hint.
//!
//! Every story ends in a snapshot of what was printed: read those as somebody who was woken for it. What was
//! begun stands in the journal, and what was refused has left nothing behind.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use insta::assert_snapshot;
use stopmark::error::{Code, Exit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::stage::{PASSWORD, Printed, Stage};

/// What a command printed, with its exit code, without what differs from run to run.
fn told(stage: &Stage, printed: &Printed) -> String {
    let (out, err) = (stage.scrub(&printed.stdout), stage.scrub(&printed.stderr));
    format!("{out}{err}exit {}\n", printed.exit as u8)
}

async fn tell(stage: &Stage, args: &[&str]) -> String {
    format!(
        "$ stopmark {}\n{}",
        args.join(" "),
        told(stage, &stage.run(args).await)
    )
}

/// How many runs the journal knows.
fn runs(stage: &Stage) -> usize {
    let folder = stage.path("state/runs");
    fs::read_dir(folder).map_or(0, Iterator::count)
}

/// One host with one member, prepared.
async fn one_host() -> Stage {
    Stage::set(&[("SQL1", &["Orders"])]).await
}

/// Two hosts with a member each.
async fn two_hosts() -> Stage {
    Stage::set(&[("SQL1", &["Orders"]), ("SQL2", &["Accounts"])]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_the_configuration_is_told_and_nothing_is_touched() {
    let stage = Stage::unprepared(&[("SQL1", &["Orders"])]).await;
    stage.edit("mark_prefix", "mark_prefx");
    stage.edit(
        "members = [\"SQL1/Orders\"]",
        "members = [\"SQL1/Orders\", \"sql1/ORDERS\"]",
    );
    stage.edit("[policy]", "[policy]\nlease_ttl = 90");
    stage.edit("{ file = \"password\" }", "{ file = \"no-such-file\" }");
    assert_snapshot!(tell(&stage, &["backup", "full"]).await);
    assert!(
        !stage.path("state").exists(),
        "nothing may be made before the configuration is sound"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_is_not_there_is_told() {
    let stage = Stage::unprepared(&[("SQL1", &[])]).await;
    fs::remove_file(stage.config_path()).expect("it is there");
    assert_snapshot!(tell(&stage, &["check"]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_down_is_named_and_the_others_are_checked() {
    let mut stage = two_hosts().await;
    let (_, down) = stage.hosts.pop().expect("SQL2");
    let port = down.address().port();
    down.stop().await.expect("it stops");
    let check = tell(&stage, &["check"]).await;
    let full = tell(&stage, &["backup", "full"]).await;
    let log = tell(&stage, &["backup", "log"]).await;
    let told = format!("{check}\n{full}\n{log}").replace(&port.to_string(), "<port>");
    assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_login_is_named_with_its_host() {
    let stage = two_hosts().await;
    fs::write(stage.path("password"), "no longer the password").expect("writes");
    let check = tell(&stage, &["check"]).await;
    let full = tell(&stage, &["backup", "full"]).await;
    let restore = tell(&stage, &["restore", "run", "--to-host", "SQL1"]).await;
    assert_snapshot!(format!("{check}\n{full}\n{restore}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_with_another_true_name_is_not_used() {
    let stage = two_hosts().await;
    stage.edit("[hosts.\"SQL2\"]", "[hosts.\"SQL9\"]");
    stage.edit("SQL2/Accounts", "SQL9/Accounts");
    let check = tell(&stage, &["check"]).await;
    let full = tell(&stage, &["backup", "full"]).await;
    assert_snapshot!(format!("{check}\n{full}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_leads_to_another_host_since_the_survey_is_not_believed() {
    let stage = two_hosts().await;
    stage.edit("[hosts.\"SQL2\"]", "[hosts.\"SQL9\"]");
    stage.edit("SQL2/Accounts", "SQL9/Accounts");
    let (_, world) = stage.world();
    let host = "SQL9".parse().expect("a host");
    let member = "SQL9/Accounts".parse().expect("a member");
    let asked = [
        world.fleet.databases(&host).await.map(|_| ()),
        world.fleet.utc_now(&host).await.map(|_| ()),
        world.fleet.remove_prepared(&member).await,
    ];
    for answer in asked {
        let error = answer.expect_err("another host's word");
        assert_eq!(error.code(), Code::WrongTrueName, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_authority_is_refused() {
    let stage = one_host().await;
    let text = fs::read_to_string(stage.config_path()).expect("the configuration");
    let without = text.lines().filter(|line| !line.starts_with("trust_ca"));
    fs::write(stage.config_path(), without.collect::<Vec<_>>().join("\n")).expect("writes");
    assert_snapshot!(tell(&stage, &["check"]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_are_missing_or_in_simple_are_named() {
    let stage = two_hosts().await;
    stage.edit("\"SQL1/Orders\"", "\"SQL1/Orders\", \"SQL1/Gone\"");
    stage
        .script(
            "SQL2",
            "master",
            "ALTER DATABASE Accounts SET RECOVERY SIMPLE;",
        )
        .await;
    let check = tell(&stage, &["check"]).await;
    let full = tell(&stage, &["backup", "full"]).await;
    let log = tell(&stage, &["backup", "log"]).await;
    assert_snapshot!(format!("{check}\n{full}\n{log}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_that_are_missing_are_named() {
    let stage = two_hosts().await;
    let login = format!("CREATE LOGIN weak WITH PASSWORD = '{PASSWORD}';");
    stage.script("SQL2", "master", &login).await;
    stage
        .script("SQL2", "Accounts", "CREATE USER weak FOR LOGIN weak;")
        .await;
    let text = fs::read_to_string(stage.config_path()).expect("the configuration");
    let (one, two) = text.split_once("[hosts.\"SQL2\"]").expect("a host");
    let two = two.replacen("user = \"stopmark\"", "user = \"weak\"", 1);
    fs::write(stage.config_path(), format!("{one}[hosts.\"SQL2\"]{two}")).expect("writes");
    let check = tell(&stage, &["check"]).await;
    let full = tell(&stage, &["backup", "full"]).await;
    let log = tell(&stage, &["backup", "log"]).await;
    assert_snapshot!(format!("{check}\n{full}\n{log}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_that_the_agent_does_not_see_is_named() {
    let stage = one_host().await;
    let share = stage.path("share/0").display().to_string();
    let elsewhere = stage.path("elsewhere");
    fs::create_dir_all(elsewhere.join("stage")).expect("a folder");
    fs::create_dir_all(stage.path("share/0/stage")).expect("a folder");
    stage.edit(
        &format!("agent = {share:?}"),
        &format!("agent = {:?}", elsewhere.display().to_string()),
    );
    let check = tell(&stage, &["check"]).await;
    let full = tell(&stage, &["backup", "full"]).await;
    let again = tell(&stage, &["backup", "full"]).await;
    assert_snapshot!(format!("{check}\n{full}\n{again}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_on_which_no_folder_can_be_made_is_named() {
    let stage = one_host().await;
    fs::remove_dir_all(stage.path("share/0")).expect("it is there");
    fs::write(stage.path("share/0"), "a file where a folder is wanted").expect("writes");
    let check = tell(&stage, &["check"]).await;
    let full = tell(&stage, &["backup", "full"]).await;
    assert_snapshot!(format!("{check}\n{full}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_the_share_is_told_and_the_next_run_succeeds() {
    let stage = one_host().await;
    let fault = "EXEC sp_sim_fault @kind = 'disk full', @times = 0;";
    stage.script("SQL1", "master", fault).await;
    let check = tell(&stage, &["check"]).await;
    let full = tell(&stage, &["backup", "full"]).await;
    stage
        .script("SQL1", "master", "EXEC sp_sim_fault @kind = 'clear';")
        .await;
    let again = tell(&stage, &["backup", "full"]).await;
    assert_snapshot!(format!("{check}\n{full}\n{again}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_written_is_told_before_anything_is_taken() {
    let stage = one_host().await;
    fs::remove_dir_all(stage.path("store")).expect("it is there");
    fs::write(stage.path("store"), "a file where a folder is wanted").expect("writes");
    let before = runs(&stage);
    let check = tell(&stage, &["check"]).await;
    let full = tell(&stage, &["backup", "full"]).await;
    assert_eq!(runs(&stage), before, "no run may begin without a store");
    assert_snapshot!(format!("{check}\n{full}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_stops_taking_pieces_is_told_and_nothing_is_lost() {
    let stage = one_host().await;
    let pieces = stage.path("store/v1/stage/pieces");
    fs::create_dir_all(pieces.parent().expect("a parent")).expect("a folder");
    fs::write(&pieces, "a file where a folder is wanted").expect("writes");
    let full = tell(&stage, &["backup", "full"]).await;
    let list = tell(&stage, &["list"]).await;
    fs::remove_file(&pieces).expect("it is there");
    let again = tell(&stage, &["backup", "full"]).await;
    assert_snapshot!(format!("{full}\n{list}\n{again}"));
}

/// An endpoint that forbids everything, as S3 does to credentials without a policy; its address.
async fn forbidding_endpoint() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            // Requests without a body come in one piece; what they ask for does not matter.
            if stream.read(&mut request).await.is_ok() {
                stream.write_all(answer.as_bytes()).await.ok();
            }
        }
    });
    address
}

/// Makes the stage's store a bucket that answers nothing but that it is forbidden; where it listens.
pub(crate) async fn point_at_forbidding_store(stage: &Stage) -> SocketAddr {
    let store = url::Url::from_file_path(stage.path("store")).expect("an absolute path");
    let endpoint = forbidding_endpoint().await;
    stage.edit(
        &format!("url = \"{store}\""),
        "url = \"s3://bucket/prefix\"",
    );
    let options = format!(
        "\n[store.options]\naws_endpoint = \"http://{endpoint}\"\naws_allow_http = \"true\"\n\
         aws_region = \"eu-west-1\"\naws_access_key_id = \"agent\"\n\n[store.secrets]\n\
         aws_secret_access_key = {{ file = \"password\" }}\n\n[paths]"
    );
    stage.edit("\n[paths]", &options);
    endpoint
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_forbids_is_told_without_the_secret() {
    let stage = one_host().await;
    let endpoint = point_at_forbidding_store(&stage).await;
    let before = runs(&stage);
    let list = tell(&stage, &["list"]).await;
    let full = tell(&stage, &["backup", "full"]).await;
    assert_eq!(runs(&stage), before, "no run may begin without a store");
    let told = format!("{list}\n{full}").replace(&endpoint.to_string(), "<endpoint>");
    assert!(!told.contains(PASSWORD), "{told}");
    assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_not_found_and_nothing_is_overwritten_by_habit() {
    let stage = two_hosts().await;
    let mut told = String::new();
    for args in [
        &["restore", "run", "--to-host", "SQL1"][..],
        &["list"],
        &["status"],
        &["show"],
    ] {
        told += &tell(&stage, args).await;
    }
    for args in [["backup", "full"], ["backup", "log"]] {
        assert_eq!(stage.run(&args).await.exit, Exit::Ok);
    }
    let before = runs(&stage);
    let unknown_run = "01920000-0000-7000-8000-000000000000";
    for args in [
        &["restore", "run", "--to-host", "SQL1"][..],
        &[
            "restore",
            "run",
            "--to-host",
            "SQL1",
            "--yes-overwrite",
            "stages",
        ],
        &["restore", "run", "--to-host", "SQL1", "--mark", "SM_1999"],
        &["restore", "run", "--to-host", "SQL7"],
        &["restore", "run", "--to-host", "SQL1", "--prefix", "x\u{0}y"],
        &["verify", "SM_1999"],
        &["show", "SM_1999"],
        &["show", unknown_run],
        &["backup", "full", "--new-chain", "Orders"],
        &["backup", "full", "--new-chain", "SQL1/Ordres"],
        &["init"],
    ] {
        told += &tell(&stage, args).await;
    }
    assert_eq!(runs(&stage), before, "nothing was begun");
    assert_snapshot!(told.replace(unknown_run, "<unknown run>"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_agents_cannot_work_at_once() {
    let stage = one_host().await;
    let lock = fs::File::create(stage.path("state/lock")).expect("the lock's file");
    lock.lock().expect("it is free");
    let busy = tell(&stage, &["backup", "full"]).await;
    let reading = stage.run(&["status"]).await;
    assert_eq!(
        reading.exit,
        Exit::NothingRestorable,
        "who only reads need not wait"
    );
    drop(lock);
    stage.edit("[policy]", "[policy]\nlease_ttl = \"1s\"");
    let (config, world) = stage.world();
    world
        .store
        .take_lease(&config.group)
        .await
        .expect("nobody has it");
    let other_agent = async {
        loop {
            world
                .store
                .take_lease(&config.group)
                .await
                .expect("it is ours");
            let soon = world.clock.monotonic() + std::time::Duration::from_millis(100);
            world.clock.sleep_until(soon).await;
        }
    };
    let args = ["backup", "full"];
    let held = tokio::select! {
        held = tell(&stage, &args) => held,
        () = other_agent => String::new(),
    };
    assert_snapshot!(format!("{busy}\n{held}"));
    let unfinished = world.journals.unfinished().expect("readable");
    assert!(unfinished.is_empty(), "{unfinished:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_of_the_agent_that_cannot_be_used_are_named() {
    let stage = Stage::unprepared(&[("SQL1", &["Orders"])]).await;
    fs::write(stage.path("state"), "a file where a folder is wanted").expect("writes");
    let no_state = tell(&stage, &["check"]).await;
    fs::remove_file(stage.path("state")).expect("it is there");
    fs::remove_dir_all(stage.path("logs")).ok();
    fs::write(stage.path("logs"), "a file where a folder is wanted").expect("writes");
    let no_logs = tell(&stage, &["check"]).await;
    fs::remove_file(stage.path("logs")).expect("it is there");
    fs::create_dir_all(stage.path("state")).expect("a folder");
    fs::write(
        stage.path("state/catalog.sqlite"),
        "this is no database at all",
    )
    .expect("writes");
    let catalog = tell(&stage, &["list"]).await;
    assert_snapshot!(format!("{no_state}\n{no_logs}\n{catalog}"));
    assert!(Path::new(&stage.config_path()).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_that_the_host_cannot_write_to_is_named() {
    let stage = one_host().await;
    let share = stage.path("share/0").display().to_string();
    let nowhere = stage.path("nowhere").display().to_string();
    stage.edit(
        &format!("share = {{ sql = {share:?}"),
        &format!("share = {{ sql = {nowhere:?}"),
    );
    let check = tell(&stage, &["check"]).await;
    let full = tell(&stage, &["backup", "full"]).await;
    assert_snapshot!(format!("{check}\n{full}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_must_have_a_share_and_is_overwritten_only_by_the_groups_name() {
    let stage = Stage::set(&[("SQL1", &["Orders"]), ("SPARE", &[])]).await;
    for args in [["backup", "full"], ["backup", "log"]] {
        assert_eq!(stage.run(&args).await.exit, Exit::Ok);
    }
    let files = stage.path("restored");
    fs::create_dir_all(&files).expect("a folder");
    let files = files.display().to_string();
    let run = ["restore", "run", "--to-host", "SPARE", "--files-in", &files];
    let first = tell(&stage, &run).await;
    let again = tell(&stage, &run).await;
    let over: Vec<&str> = run
        .into_iter()
        .chain(["--yes-overwrite", "stage"])
        .collect();
    let over = tell(&stage, &over).await;
    let gone = tell(
        &stage,
        &[
            "restore",
            "run",
            "--to-host",
            "SPARE",
            "--prefix",
            "b_",
            "--files-in",
            "/no/where",
        ],
    )
    .await;
    let text = fs::read_to_string(stage.config_path()).expect("the configuration");
    let (rest, spare) = text.split_once("[hosts.\"SPARE\"]").expect("a host");
    let spare = spare.lines().filter(|line| !line.starts_with("share"));
    let spare: Vec<&str> = spare.collect();
    let text = format!("{rest}[hosts.\"SPARE\"]{}\n", spare.join("\n"));
    fs::write(stage.config_path(), text).expect("writes");
    let no_share = tell(
        &stage,
        &["restore", "plan", "--to-host", "SPARE", "--prefix", "c_"],
    )
    .await;
    assert_snapshot!(
        [first, again, over, gone, no_share]
            .join("\n")
            .replace(&files, "<restored>")
    );
}
