//! Alarms: what hosts have left is seen by `check` and by a service, shown, and told by `status`.

use stopmark::clock::SystemClock;
use stopmark::error::{Code, Exit};
use stopmark::model::HostName;
use stopmark::service::alarm;
use stopmark::service::{Deeds as _, Runs, Scene};
use stopmark::world::Clock as _;

use crate::stage::{PASSWORD, Stage};

fn host() -> HostName {
    "SQL1".parse().expect("a name")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_logs_and_disks_have_left_is_read_and_judged() {
    let stage = Stage::set(&[("SQL1", &["Ledger", "Orders"]), ("SQL2", &["Accounts"])]).await;
    let (config, world) = stage.world();
    let rooms = Runs.rooms(&Scene { config, world }).await;
    assert_eq!(rooms.len(), 2);
    let room = rooms[&host()].as_ref().expect("it answers");
    assert_eq!(room.logs.len(), 2);
    for log in room.logs.values() {
        assert!(log.used_bytes <= log.size_bytes && log.size_bytes < log.most_bytes);
        assert!(!log.reuse_wait.is_empty());
    }
    assert!(!room.volumes.is_empty());
    let fine = stage.run(&["check"]).await;
    assert!(
        fine.stdout.contains("logs and disks have room"),
        "{}",
        fine.stdout
    );
    stage.edit("[policy]", "[alarms]\ndisk_free = \"999TiB\"\n[policy]");
    let alarmed = stage.run(&["check"]).await;
    assert_eq!(alarmed.exit, Exit::Degraded, "{}", alarmed.stdout);
    for part in [Code::DiskFilling.text(), "1.0 TiB free on"] {
        assert!(alarmed.stdout.contains(part), "{}", alarmed.stdout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_may_not_see_it_is_told_which_right_it_lacks() {
    let stage = Stage::unprepared(&[("SQL1", &["Ledger"])]).await;
    let instance = stage.host("SQL1").instance();
    instance
        .create_login("weak", PASSWORD, &[])
        .expect("a login");
    stage.edit("user = \"stopmark\"", "user = \"weak\"");
    let (config, world) = stage.world();
    let own = ["Ledger".parse().expect("a name")];
    let refused = world
        .fleet
        .room(&host(), &own)
        .await
        .expect_err("it may not");
    assert_eq!(refused.code(), Code::RightMissing);
    let rooms = [(host(), Err(refused))].into();
    let alarms = alarm::alarms(&config.service.alarms, &rooms);
    assert!(alarms[0].hint.contains("VIEW SERVER STATE"), "{alarms:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_tells_what_a_service_saw_lately() {
    let stage = Stage::set(&[("SQL1", &["Ledger"])]).await;
    for kind in ["full", "log"] {
        assert_eq!(stage.run(&["backup", kind]).await.exit, Exit::Ok);
    }
    assert_eq!(stage.run(&["status"]).await.exit, Exit::Ok);
    let seen = alarm::Alarm {
        code: Code::LogFilling.text().to_owned(),
        about: "SQL1/Ledger".to_owned(),
        message: "the log uses 91 % of the 9 GiB that it can have (REPLICATION)".to_owned(),
        hint: "see".to_owned(),
    };
    let now = SystemClock::new().now();
    alarm::keep(&stage.path("state"), &[seen], now).expect("writes");
    let status = stage.run(&["status"]).await;
    assert_eq!(status.exit, Exit::Degraded, "{}", status.stdout);
    let line = "ALARM     SQL1/Ledger: the log uses 91 %";
    assert!(status.stdout.contains(line), "{}", status.stdout);
}
