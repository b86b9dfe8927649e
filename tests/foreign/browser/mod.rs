//! The status page in a browser: light and dark, wide and narrow, without scripts, by keyboard, judged by axe-core.
//!
//! Start at [`everybody_can_use_the_status_page`]. `run.sh` installs Playwright and axe-core on first use; pictures are
//! left in the build's folder, for a person to look at.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use stopmark::config::{Job, PageConfig};
use stopmark::error::Exit;
use stopmark::page::{self, Shelf};
use stopmark::run::events::Verdict;
use stopmark::service::alarm::Alarm;
use stopmark::service::due::{Turn, Why};
use stopmark::service::seen::{End, Last, Steps, WatchedProgress};
use stopmark::service::{Deeds as _, Role, Runs, Scene, Seen};
use stopmark::world::Progress as _;
use tokio::sync::watch;

use crate::stage::Stage;

/// A service that has something to tell of everything that the page can show.
async fn seen_of(scene: &Scene) -> Seen {
    let now = scene.world.clock.now();
    let rooms = Runs.rooms(scene).await.into_iter();
    let turn = |job, minutes: i64, why| Turn {
        job,
        at: now.plus_millis(minutes * 60_000),
        why,
        is_held: false,
    };
    let last = |verdict, failure: Option<&str>| Last {
        began_at: now.plus_millis(-90_000),
        ended_at: now.plus_millis(-60_000),
        end: End::Run {
            verdict: Some(verdict),
            failure: failure.map(str::to_owned),
        },
    };
    let failure = "SM0503 the agent does not see the files that a host wrote to the share";
    Seen {
        group: Some(scene.config.group.clone()),
        started_at: Some(now),
        looked_at: Some(now),
        turns: vec![
            turn(Job::Log, 14, Why::Time { scheduled: now }),
            turn(Job::Full, 300, Why::Again { failures: 2 }),
        ],
        working: [(Job::Scrub, now.plus_millis(-300_000))].into(),
        last: [
            (Job::Log, last(Verdict::Done, None)),
            (Job::Full, last(Verdict::Degraded, Some(failure))),
        ]
        .into(),
        fault: Some("error[SM0106]: a schedule has five fields, this one has 4".to_owned()),
        role: Role::Active,
        rooms: rooms
            .filter_map(|(host, room)| Some((host, room.ok()?)))
            .collect(),
        alarms: vec![Alarm {
            code: "SM0221".to_owned(),
            about: "SQL1/Ledger".to_owned(),
            message: "the log uses 91 % of the 9 GiB that it can have (REPLICATION)".to_owned(),
            hint: String::new(),
        }],
        ..Seen::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_can_use_the_status_page() {
    let stage = Stage::set(&[("SQL1", &["Ledger", "Orders"]), ("SQL2", &["Accounts"])]).await;
    for kind in ["full", "log", "log"] {
        assert_eq!(stage.run(&["backup", kind]).await.exit, Exit::Ok);
    }
    let (config, world) = stage.world();
    let scene = Scene { config, world };
    let seen = watch::Sender::new(seen_of(&scene).await);
    let catalog = &scene.world.catalog;
    let newest = catalog
        .page(&scene.config.group, None, 1)
        .await
        .expect("sets");
    let stamp = newest[0].set.stamp();
    let in_force = watch::Sender::new(Some(scene));
    let steps = Arc::new(Steps::default());
    let step = WatchedProgress(steps.clone()).begin("read back SQL1/Ledger", Some(200));
    step.bytes(50);
    let shelf = Shelf {
        seen: seen.subscribe(),
        scene: in_force.subscribe(),
        steps,
    };
    let anywhere = PageConfig {
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        token: None,
    };
    let page = page::open(&anywhere, shelf).await.expect("a free port");
    let address = page.expect("it is wanted").address;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("the build's own folder is writable");
    let pages = [
        "/",
        "/sets",
        &format!("/set?name={stamp}"),
        "/member?name=SQL1%2FLedger",
    ];
    let mut look = Command::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/foreign/browser/run.sh"
    ));
    look.arg(&folder);
    look.args(pages.map(|path| format!("http://{address}{path}")));
    let looked = tokio::task::spawn_blocking(move || look.output()).await;
    let looked = looked.expect("no panic").expect("run.sh starts");
    let said = String::from_utf8_lossy(&looked.stdout).into_owned();
    let said = said + &String::from_utf8_lossy(&looked.stderr);
    assert!(looked.status.success(), "{said}");
    assert!(said.contains("4 pages in 4 manners: 0 faults"), "{said}");
}
