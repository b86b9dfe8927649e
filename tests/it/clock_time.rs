//! Why marks: a restore of several hosts to one clock time tears transactions that span them.
//!
//! Two hosts whose clocks differ by minutes, as clocks do; transfers whose every transaction spans both. The
//! same pieces are restored to one clock time and to a mark. The restores are a person's own statements; the
//! agent only took the backups.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlsim::clock::{Clock, SystemClock};
use stopmark::error::Exit;
use stopmark::model::{Piece, PieceKind};

use crate::bank::{Bank, LEDGERS, TOTAL};
use crate::saga_kinds::{SPARE, Scene};
use crate::stage::Stage;

/// How far the second host's clock is ahead of the first one's.
const SKEW_MINUTES: i64 = 3;

/// A clock that is wrong by a constant, on a machine where hours can be made to pass.
#[derive(Debug)]
struct Skewed {
    inner: SystemClock,
    ahead_minutes: i64,
    passed_minutes: Arc<AtomicI64>,
}

#[async_trait]
impl Clock for Skewed {
    fn now(&self) -> jiff::Timestamp {
        let minutes = self.ahead_minutes + self.passed_minutes.load(Ordering::SeqCst);
        self.inner.now() + jiff::SignedDuration::from_mins(minutes)
    }

    fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_clock_time_on_two_hosts_tears_a_transfer_and_one_mark_does_not() {
    let passed = Arc::new(AtomicI64::new(0));
    let scene = scene_on_clocks(&passed).await;
    let pass = |minutes| passed.fetch_add(minutes, Ordering::SeqCst);
    done(&scene, "full").await;
    pass(60);
    scene.bank.transfer(&scene.stage, 10).await;
    done(&scene, "log").await;
    pass(60);
    scene.bank.transfer(&scene.stage, 100).await;
    // The moment after the transfer by the first host's clock. By the second host's, which is ahead, the
    // transfer was committed minutes after that moment.
    let instant = scene
        .stage
        .text("SQL1", "SELECT CONVERT(nvarchar(23), SYSDATETIME(), 126);");
    let instant = instant.await;
    pass(60);
    done(&scene, "log").await;
    assert_eq!(
        sum(&scene, &format!("STOPAT = '{instant}'")).await,
        TOTAL - 100
    );
    for point in scene.points().await {
        let mark = format!("STOPATMARK = '{}'", point.mark.name);
        assert_eq!(sum(&scene, &mark).await, TOTAL, "{mark}");
    }
}

async fn scene_on_clocks(passed: &Arc<AtomicI64>) -> Scene {
    let layout: &[(&str, &[&str])] =
        &[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"]), (SPARE, &[])];
    let clock_of = |host: &str| -> Arc<dyn Clock> {
        Arc::new(Skewed {
            inner: SystemClock::new(),
            ahead_minutes: if host == "SQL2" { SKEW_MINUTES } else { 0 },
            passed_minutes: passed.clone(),
        })
    };
    prepared(Stage::on_clocks(layout, clock_of).await).await
}

/// The scene on a stage whose members lack what marks need, and get it.
pub(crate) async fn prepared(stage: Stage) -> Scene {
    stage.must(&["group", "prepare"]).await;
    let bank = Bank::open(&stage).await;
    let (config, world) = stage.world();
    Scene {
        stage,
        bank,
        config,
        world,
    }
}

/// A backup run that must be done, as a person would start it.
async fn done(scene: &Scene, kind: &str) {
    let printed = scene.stage.run(&["backup", kind]).await;
    assert_eq!(
        printed.exit,
        Exit::Ok,
        "{}{}",
        printed.stdout,
        printed.stderr
    );
}

/// The sum over copies of all ledgers that were restored to this stop.
async fn sum(scene: &Scene, stop: &str) -> i64 {
    let sets = scene.sets().await;
    let pieces: Vec<&Piece> = sets.iter().flat_map(|set| &set.pieces).collect();
    for (_, database) in LEDGERS {
        let own = pieces
            .iter()
            .filter(|piece| piece.member.database.as_str() == database);
        for piece in own {
            let restore = restore(scene, database, piece, stop);
            scene.stage.script(SPARE, "master", &restore).await;
        }
        let state = format!("SELECT state_desc FROM sys.databases WHERE name = N'{database}';");
        let state = scene.stage.text(SPARE, &state).await;
        assert_eq!(state, "ONLINE", "{database} never came to {stop}");
    }
    scene.bank.sum_on(&scene.stage, SPARE).await
}

/// Every log stops where it must and recovers where it can: a stop that lies in a later log leaves the
/// database restoring, one that lies in an earlier log is passed over.
fn restore(scene: &Scene, database: &str, piece: &Piece, stop: &str) -> String {
    let file = scene.stage.path("store").join(&piece.stripes[0].key);
    let file = file.display();
    if piece.kind == PieceKind::Log {
        return format!(
            "IF EXISTS (SELECT 1 FROM sys.databases WHERE name = N'{database}' AND state_desc = N'RESTORING')\n\
             RESTORE LOG [{database}] FROM DISK = N'{file}' WITH {stop}, RECOVERY;"
        );
    }
    let moves: Vec<String> = piece
        .files
        .iter()
        .map(|it| {
            let to = scene
                .stage
                .path(&format!("clock_{database}_{}", it.logical_name));
            format!("MOVE N'{}' TO N'{}'", it.logical_name, to.display())
        })
        .collect();
    let moves = moves.join(", ");
    format!(
        "RESTORE DATABASE [{database}] FROM DISK = N'{file}' WITH {moves}, REPLACE, NORECOVERY;"
    )
}
