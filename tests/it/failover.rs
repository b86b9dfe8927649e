//! An availability group fails over between two runs: the member is found where it is now, and the group goes on.
//!
//! Start at [`a_member_is_found_again_after_its_group_failed_over`]. What happens to marks and logs meanwhile is told in
//! `replicas.rs`.

use stopmark::plan::BackupKind;
use stopmark::run::record::Record;

use crate::saga_kinds::{SPARE, Scene};

/// `Accounts` in a group with its primary replica on `SQL2`, and a replica on the spare host.
async fn grouped() -> Scene {
    let scene = Scene::set().await;
    scene.back_up(BackupKind::Log).await;
    let replica = |name: &str| {
        format!(
            "N'{name}' WITH (ENDPOINT_URL = N'TCP://{name}:5022', FAILOVER_MODE = MANUAL, \
             AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)"
        )
    };
    let replicas = format!("{}, {}", replica("SQL2"), replica(SPARE));
    let with = "WITH (DTC_SUPPORT = PER_DB, CLUSTER_TYPE = NONE)";
    let file = |end: &str| {
        scene
            .stage
            .path(&format!("replica{end}"))
            .display()
            .to_string()
    };
    let (full, data, log) = (file(".bak"), file(".mdf"), file(".ldf"));
    let primary = format!(
        "CREATE AVAILABILITY GROUP ag {with} FOR DATABASE Accounts REPLICA ON {replicas};\n\
         BACKUP DATABASE Accounts TO DISK = N'{full}' WITH COPY_ONLY;"
    );
    let secondary = format!(
        "RESTORE DATABASE Accounts FROM DISK = N'{full}' WITH NORECOVERY, \
         MOVE 'Accounts' TO N'{data}', MOVE 'Accounts_log' TO N'{log}';\n\
         CREATE AVAILABILITY GROUP ag {with} FOR REPLICA ON {replicas};\n\
         ALTER AVAILABILITY GROUP ag SET (ROLE = SECONDARY);\n\
         ALTER DATABASE Accounts SET HADR AVAILABILITY GROUP = ag;"
    );
    scene.stage.script("SQL2", "master", &primary).await;
    scene.stage.script(SPARE, "master", &secondary).await;
    scene
}

fn is_told(record: &Record) -> bool {
    let mut warnings = record.rounds.iter().flat_map(|it| &it.plan.warnings);
    let words = "`SQL2/Accounts` is `SPARE/Accounts`";
    warnings.any(|it| it.code == "SM0214" && it.message.contains(words))
}

/// The newest Point is the run's, with the member under the name that it is listed with.
async fn assert_point(scene: &Scene, record: &Record) {
    let newest = scene.points().await.pop().expect("a Point");
    assert!(newest.made_at >= record.began_at, "no fresh Point");
    let members = newest.paths.keys().map(ToString::to_string);
    let members: Vec<String> = members.collect();
    assert_eq!(members.len(), 2, "{members:?}");
    assert!(members.contains(&"SQL2/Accounts".to_owned()), "{members:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_found_again_after_its_group_failed_over() {
    let scene = grouped().await;
    let before = scene.back_up(BackupKind::Log).await;
    assert!(
        !is_told(&before),
        "the primary replica is where it is listed"
    );
    assert_point(&scene, &before).await;
    let failover = "ALTER AVAILABILITY GROUP ag FAILOVER;";
    scene.stage.script(SPARE, "master", failover).await;
    let after = scene.back_up(BackupKind::Log).await;
    assert!(is_told(&after), "somebody should know");
    assert_point(&scene, &after).await;
    // The old primary's host goes down, and nobody misses it.
    scene.stage.host("SQL2").instance().kill();
    let again = scene.back_up(BackupKind::Log).await;
    assert!(is_told(&again), "still");
    assert_point(&scene, &again).await;
}
