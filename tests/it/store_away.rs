//! The store is away for hours: marks and logs go on, and every mark of that time is a Point when it is back.
//!
//! Start at [`marks_and_logs_go_on_while_the_store_is_away`].

use stopmark::error::Code;
use stopmark::model::PieceKind;
use stopmark::plan::{BackupKind, RunKind};
use stopmark::run::record::Record;
use stopmark::run::{self, BackupWanted, Interrupt};
use stopmark::world::World;

use crate::bank::TOTAL;
use crate::saga_kinds::{SPARE, Scene};
use crate::strike::{Strike, Target, When};

async fn log_run(scene: &Scene, world: &World) -> stopmark::error::Result<Record> {
    let wanted = BackupWanted {
        kind: BackupKind::Log,
        new_chain: Vec::new(),
    };
    run::back_up(world, &scene.config, &wanted, &Interrupt::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_and_logs_go_on_while_the_store_is_away() {
    let scene = Scene::set().await;
    scene.back_up(BackupKind::Log).await;
    let before = scene.points().await.len();
    let strike = Strike::at(Target::StoreAway, When::Before);
    let without = strike.world(&scene.world);
    for amount in [11, 12, 13] {
        scene.bank.transfer(&scene.stage, amount).await;
        let record = log_run(&scene, &without).await.expect("it goes on");
        assert_eq!(record.ended, None, "its pieces wait for the store");
        let plan = &record.rounds[0].plan;
        let told = plan.warnings.iter().map(|it| it.message.as_str());
        let told = told.collect::<Vec<_>>().join("\n");
        assert!(told.contains("the store is away"), "{told}");
        assert!(!told.contains("somebody else"), "its own logs: {told}");
        let rounds = record.rounds.iter().map(|round| round.plan.kind);
        let of_logs = rounds.filter(|kind| *kind == RunKind::Log).count();
        assert_eq!(of_logs, 1, "no chain was broken: {told}");
    }
    let status = scene.stage.run(&["status"]).await.stdout;
    let waits = "waiting   6 pieces of 1 MiB on the shares for the store, since ";
    assert!(status.contains(waits), "{status}");
    strike.mend();
    scene.bank.transfer(&scene.stage, 14).await;
    scene.back_up(BackupKind::Log).await;
    let points = scene.points().await;
    assert_eq!(points.len(), before + 4, "every mark is a Point");
    let fulls = scene.sets().await;
    let fulls = fulls.iter().flat_map(|set| &set.pieces);
    let fulls = fulls.filter(|piece| piece.kind == PieceKind::Full).count();
    assert_eq!(fulls, 2, "nobody began a new chain");
    scene.assert_the_shares_are_clear("when the store was back");
    for point in &points[before..] {
        scene.restore(point).await;
        assert_eq!(scene.bank.sum_on(&scene.stage, SPARE).await, TOTAL);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_never_held_the_lease_does_not_begin_without_it() {
    let scene = Scene::set().await;
    scene.back_up(BackupKind::Log).await;
    let state = scene.stage.path("state");
    let moved = scene.stage.path("state-of-the-first");
    std::fs::rename(&state, &moved).expect("another agent has another folder");
    let (_, other) = scene.stage.world();
    let strike = Strike::at(Target::StoreAway, When::Before);
    let error = log_run(&scene, &strike.world(&other)).await;
    let error = error.expect_err("somebody else may be at work");
    assert_eq!(error.code(), Code::StoreUnreachable);
}
