//! A service whose state folder becomes read-only, and fills up, while it runs. Both are real: a small file system of its
//! own, mounted in namespaces that `unshare` makes, in which this test runs itself again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use stopmark::config::{Job, PageConfig};
use stopmark::error::Exit;
use stopmark::page::{self, Shelf};
use stopmark::service::seen::Steps;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stage::Stage;
use crate::story::{SCHEDULE, Story};

/// Set where mounts are the test's own.
const INSIDE: &str = "STOPMARK_TEST_MOUNTS";

const NAME: &str =
    "state::a_state_folder_that_fails_while_the_service_runs_is_waited_for_and_mended";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_folder_that_fails_while_the_service_runs_is_waited_for_and_mended() {
    if std::env::var_os(INSIDE).is_some() {
        return inside().await;
    }
    let own = std::env::current_exe().expect("its path");
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount"])
        .arg(own)
        .args(["--exact", NAME, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare is there");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert!(said.contains("1 passed"), "{said}");
}

fn mounts(program: &str, args: &[&str], place: &Path) {
    let output = Command::new(program).args(args).arg(place).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {errors}");
}

async fn inside() {
    let stage = Stage::set(&[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"])]).await;
    stage.edit("[policy]", SCHEDULE);
    let folder = stage.path("state");
    mounts("mount", &["-t", "tmpfs", "-o", "size=8m", "tmpfs"], &folder);
    let mut story = Story::begin_on(stage).await;
    let seen = story.rest_at("21T01:00").await;
    assert!(seen.last[&Job::Log].end.is_good(), "{seen:?}");
    read_only(&mut story, &folder).await;
    full(&mut story, &folder).await;
    let (stage, ..) = story.stop().await;
    let told = stage.run(&["status"]).await;
    assert_eq!(told.exit, Exit::Ok, "{}", told.stdout);
    mounts("umount", &["--lazy"], &folder);
}

/// A file system that the kernel made read-only: what is open stays so, nothing new can be written.
async fn read_only(story: &mut Story, state: &Path) {
    let same = state.display().to_string();
    mounts("mount", &["--bind", &same], state);
    mounts("mount", &["-o", "remount,ro,bind"], state);
    fs::write(state.join("probe"), "").expect_err("it is read-only");
    story.leap("21T02:00");
    let seen = story.until("it waits", |seen| seen.waiting.is_some()).await;
    let waiting = seen.waiting.expect("a reason");
    assert!(waiting.contains("SM0901"), "{waiting}");
    assert!(health(story).await.contains("200 OK"));
    mounts("umount", &[], state);
    let seen = story.rest_at("21T02:01").await;
    assert!(seen.last[&Job::Log].end.is_good(), "{seen:?}");
    assert!(seen.waiting.is_none(), "{seen:?}");
    let began = seen.last[&Job::Log].began_at.to_string();
    assert!(began.starts_with("2026-11-21T02:0"), "{began}");
}

/// A disk without room.
async fn full(story: &mut Story, state: &Path) {
    let fill = state.join("fill");
    let all = vec![0; 16 << 20];
    fs::write(&fill, all).expect_err("there is less room");
    story.leap("21T03:00");
    let told = story.until("it is told", |seen| {
        let failed = seen
            .last
            .get(&Job::Log)
            .is_some_and(|last| !last.end.is_good());
        seen.working.is_empty() && (failed || seen.waiting.is_some())
    });
    let seen = told.await;
    let words = seen.last[&Job::Log].end.words();
    let waiting = seen.waiting.unwrap_or_default();
    assert!(
        words.contains("SM0504") || waiting.contains("SM0504"),
        "{words} {waiting}"
    );
    assert!(health(story).await.contains("200 OK"));
    fs::remove_file(&fill).expect("somebody makes room");
    let seen = story.rest_at("21T03:10").await;
    assert!(seen.last[&Job::Log].end.is_good(), "{seen:?}");
    let began = seen.last[&Job::Log].began_at.to_string();
    assert!(began.starts_with("2026-11-21T03:"), "{began}");
}

/// What a probe of its life is told.
async fn health(story: &Story) -> String {
    let shelf = Shelf {
        seen: story.seen.clone(),
        scene: story.scene.clone(),
        steps: Arc::new(Steps::default()),
    };
    let anywhere = PageConfig {
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        token: None,
    };
    let page = page::open(&anywhere, shelf).await.expect("a free port");
    let page = page.expect("it is wanted");
    let mut stream = TcpStream::connect(page.address).await.expect("it listens");
    let request = "GET /healthz HTTP/1.1\r\nconnection: close\r\nhost: localhost\r\n\r\n";
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it hears");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("it answers");
    page.task.abort();
    answer
}
