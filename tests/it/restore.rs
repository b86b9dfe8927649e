//! Restores as people ask for them: over the group itself, to other hosts, to a time, and on again after a failure.
//!
//! The application's sum spans two hosts: it is exact only where both stopped at one moment.

use std::fmt::Write as _;
use std::fs;

use stopmark::error::Exit;

use crate::bank::{Bank, LEDGERS, TOTAL};
use crate::damage::stored;
use crate::saga_kinds::files_below;
use crate::stage::{Stage, must};

/// The hosts that the ledgers' own hosts are mapped to.
const MAPPED: [&str; 4] = ["--map", "SQL1=DR1", "--map", "SQL2=DR2"];

/// Money moves between two hosts, and a mark is placed in the middle of it.
async fn set() -> (Stage, Bank) {
    let stage = Stage::set(&[
        ("SQL1", &["Ledger"]),
        ("SQL2", &["Accounts"]),
        ("DR1", &[]),
        ("DR2", &[]),
    ])
    .await;
    let bank = Bank::open(&stage).await;
    must(&stage.run(&["backup", "full"]).await);
    bank.transfer(&stage, 10).await;
    must(&stage.run(&["backup", "log"]).await);
    bank.transfer(&stage, 20).await;
    (stage, bank)
}

/// What the ledgers hold on these hosts, and both together.
async fn balances(stage: &Stage, hosts: [&str; 2]) -> (i64, i64) {
    let own = "SELECT SUM(balance) FROM dbo.Account;";
    let ledger = stage.number(hosts[0], LEDGERS[0].1, own).await;
    let accounts = stage.number(hosts[1], LEDGERS[1].1, own).await;
    (ledger, ledger + accounts)
}

async fn restored_rows(stage: &Stage, host: &str) -> i64 {
    let count = "SELECT COUNT_BIG(*) FROM dbo.restorehistory;";
    stage.number(host, "msdb", count).await
}

async fn state(stage: &Stage, host: &str, database: &str) -> String {
    let count = format!("SELECT COUNT_BIG(*) FROM sys.databases WHERE name = N'{database}';");
    if stage.number(host, "master", &count).await == 0 {
        return "ABSENT".to_owned();
    }
    let sql = format!(
        "SELECT CASE WHEN is_in_standby = 1 THEN N'STANDBY' ELSE state_desc END \
         FROM sys.databases WHERE name = N'{database}';"
    );
    stage.text(host, &sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_comes_back_on_two_other_hosts() {
    let (stage, _) = set().await;
    let run = [&["restore", "run", "--default-folders"][..], &MAPPED].concat();
    let printed = stage.run(&run).await;
    insta::assert_snapshot!(stage.scrub(must(&printed)));
    let (ledger, sum) = balances(&stage, ["DR1", "DR2"]).await;
    assert_eq!(
        (ledger, sum),
        (TOTAL / 2 - 10, TOTAL),
        "the first transfer and no other"
    );
    assert_eq!(
        files_below(stage.path("share")),
        Vec::<std::path::PathBuf>::new()
    );
    let again = stage.run(&run).await;
    assert_eq!(again.exit, Exit::Failed, "nothing is overwritten unasked");
    let plan = [
        &["restore", "plan", "--default-folders", "--prefix", "again_"][..],
        &MAPPED,
    ]
    .concat();
    let plan = stage.run(&plan).await;
    assert!(must(&plan).contains("forecast: about"), "{}", plan.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_comes_back_over_itself_and_its_tails_are_kept() {
    let (stage, bank) = set().await;
    let logs = stored(&stage, ".log.1of1.bak").len();
    let unasked = stage.run(&["restore", "run", "--in-place"]).await;
    assert!(unasked.stderr.contains("SM0803"), "{}", unasked.stderr);
    let run = ["restore", "run", "--in-place", "--yes-overwrite", "stage"];
    let printed = stage.run(&run).await;
    insta::assert_snapshot!(stage.scrub(must(&printed)));
    let (ledger, sum) = balances(&stage, ["SQL1", "SQL2"]).await;
    assert_eq!((ledger, sum), (TOTAL / 2 - 10, TOTAL));
    let tails = stored(&stage, ".log.1of1.bak").len() - logs;
    assert_eq!(tails, 2, "the second transfer is in the store");
    let access = "SELECT user_access_desc FROM sys.databases WHERE name = N'Ledger';";
    assert_eq!(stage.text("SQL1", access).await, "MULTI_USER");
    // The group goes on from there, on new chains.
    bank.transfer(&stage, 30).await;
    must(&stage.run(&["backup", "full"]).await);
    must(&stage.run(&["backup", "log"]).await);
    let run = [&["restore", "run", "--default-folders"][..], &MAPPED].concat();
    must(&stage.run(&run).await);
    let (ledger, sum) = balances(&stage, ["DR1", "DR2"]).await;
    assert_eq!((ledger, sum), (TOTAL / 2 - 40, TOTAL));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_cannot_be_fetched_whole_is_not_touched() {
    let (stage, _) = set().await;
    let piece = stored(&stage, ".log.1of1.bak").pop().expect("a log");
    let mut damaged = fs::read(&piece).expect("reads");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&piece, &damaged).expect("someone writes");
    let run = ["restore", "run", "--in-place", "--yes-overwrite", "stage"];
    let broken = stage.run(&run).await;
    assert!(broken.stdout.contains("SM0703"), "{}", broken.stdout);
    let (ledger, sum) = balances(&stage, ["SQL1", "SQL2"]).await;
    assert_eq!((ledger, sum), (TOTAL / 2 - 30, TOTAL), "as it was");
    assert_eq!(
        files_below(stage.path("share")),
        Vec::<std::path::PathBuf>::new()
    );
    must(&stage.run(&["backup", "log"]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_tail_a_group_is_restored_over_itself_all_the_same() {
    let (stage, _) = set().await;
    let logs = stored(&stage, ".log.1of1.bak").len();
    let run = [
        "restore",
        "run",
        "--in-place",
        "--no-tail",
        "--no-standby",
        "--yes-overwrite",
        "stage",
    ];
    must(&stage.run(&run).await);
    assert_eq!(balances(&stage, ["SQL1", "SQL2"]).await.1, TOTAL);
    assert_eq!(stored(&stage, ".log.1of1.bak").len(), logs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_point_is_found_by_a_time_with_its_zone_and_by_no_other() {
    let (stage, _) = set().await;
    let between = stage.world().1.clock.now().to_string();
    must(&stage.run(&["backup", "log"]).await);
    let before = |time| {
        [
            &["restore", "run", "--default-folders", "--before", time][..],
            &MAPPED,
        ]
        .concat()
    };
    let zoneless = between.trim_end_matches('Z');
    let refused = stage.run(&before(zoneless)).await;
    assert_eq!(refused.exit, Exit::Usage);
    assert!(
        refused.stderr.contains("in which zone"),
        "{}",
        refused.stderr
    );
    let never = stage.run(&before("2001-01-01T00:00:00Z")).await;
    assert!(never.stderr.contains("SM0603"), "{}", never.stderr);
    must(&stage.run(&before(&between)).await);
    let (ledger, sum) = balances(&stage, ["DR1", "DR2"]).await;
    assert_eq!(
        (ledger, sum),
        (TOTAL / 2 - 10, TOTAL),
        "the point before, not the newest"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_tired_person_types_is_understood_or_refused_before_anything_is_touched() {
    let (stage, _) = set().await;
    let (config, world) = stage.world();
    let newest = world.catalog.newest_points(&config.group, 1).await;
    let newest = newest.expect("a catalog").remove(0).mark.name.to_string();
    let plan = ["restore", "plan", "--to-host", "DR1", "--default-folders"];
    let small = newest.to_ascii_lowercase();
    let of = |mark| [&plan[..], &["--mark", mark]].concat();
    must(&stage.run(&of(&small)).await);
    let unknown = stage.run(&of("SM_1999")).await.stderr;
    assert!(unknown.contains("nearest points"), "{unknown}");
    assert!(unknown.contains(&newest), "{unknown}");
    let runs = world.journals.runs().expect("journals").len();
    let below = ["restore", "run", "--to-host", "DR1", "--files-in", "data"];
    let refused = stage.run(&below).await;
    assert_eq!(refused.exit, Exit::Usage, "{}", refused.stderr);
    assert!(refused.stderr.contains("in full"), "{}", refused.stderr);
    assert_eq!(world.journals.runs().expect("journals").len(), runs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_members_come_back_alone_only_for_those_who_insist() {
    let (stage, _) = set().await;
    let run = |more: &'static [&'static str]| {
        let one = [
            "restore",
            "run",
            "--to-host",
            "DR1",
            "--default-folders",
            "--member",
            "SQL1/Ledger",
        ];
        [&one[..], more].concat()
    };
    let refused = stage.run(&run(&[])).await;
    assert!(refused.stderr.contains("SM0806"), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("SQL2/Accounts"),
        "{}",
        refused.stderr
    );
    must(&stage.run(&run(&["--accept-inconsistent"])).await);
    assert_eq!(state(&stage, "DR1", "Ledger").await, "ONLINE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_lost_in_the_middle_leaves_nothing_open_and_the_next_run_goes_on() {
    let (stage, _) = set().await;
    // The facts and the full come through; then nobody answers any more.
    let lose = "EXEC sp_sim_fault 'refuse', @skip = 2, @times = 0;";
    stage.script("DR2", "master", lose).await;
    let run = [&["restore", "run", "--default-folders"][..], &MAPPED].concat();
    let broken = stage.run(&run).await;
    assert_eq!(broken.exit, Exit::Failed, "{}", broken.stdout);
    stage
        .script("DR2", "master", "EXEC sp_sim_fault 'clear';")
        .await;
    assert_eq!(
        state(&stage, "DR1", "Ledger").await,
        "STANDBY",
        "{}",
        broken.stdout
    );
    assert_eq!(state(&stage, "DR2", "Accounts").await, "RESTORING");
    assert_eq!(
        files_below(stage.path("share")),
        Vec::<std::path::PathBuf>::new()
    );
    let unasked = stage.run(&run).await;
    assert!(unasked.stderr.contains("SM0803"), "{}", unasked.stderr);
    // Marks go on meanwhile, and are not what this restore goes to.
    must(&stage.run(&["backup", "log"]).await);
    let on = [&run[..], &["--resume"]].concat();
    insta::assert_snapshot!(stage.scrub(must(&stage.run(&on).await)));
    let (ledger, sum) = balances(&stage, ["DR1", "DR2"]).await;
    assert_eq!((ledger, sum), (TOTAL / 2 - 10, TOTAL));
    for host in ["DR1", "DR2"] {
        assert_eq!(
            restored_rows(&stage, host).await,
            2,
            "{host}: nothing was restored twice"
        );
    }
    let done = stage.run(&on).await;
    assert_eq!(done.exit, Exit::Usage, "there is nothing to go on with");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_piece_and_a_full_disk_open_nothing_and_hold_up_nobody_for_ever() {
    let (stage, _) = set().await;
    let piece = stored(&stage, ".log.1of1.bak").pop().expect("a log");
    let whole = fs::read(&piece).expect("reads");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(&piece, &damaged).expect("someone writes");
    let run = [&["restore", "run", "--default-folders"][..], &MAPPED].concat();
    let broken = stage.run(&run).await;
    assert!(broken.stdout.contains("SM0703"), "{}", broken.stdout);
    for (host, database) in [("DR1", "Ledger"), ("DR2", "Accounts")] {
        assert_ne!(state(&stage, host, database).await, "ONLINE", "{host}");
    }
    fs::write(&piece, &whole).expect("someone brings it back");
    let full = "EXEC sp_sim_fault 'fail', @statement = 'RESTORE LOG', @number = 3257, @class = 16, \
                @text = N'There is insufficient free space on disk volume.';";
    for host in ["DR1", "DR2"] {
        stage.script(host, "master", full).await;
    }
    let on = [&run[..], &["--resume"]].concat();
    let broken = stage.run(&on).await;
    assert!(broken.stdout.contains("SM0504"), "{}", broken.stdout);
    for host in ["DR1", "DR2"] {
        stage
            .script(host, "master", "EXEC sp_sim_fault 'clear';")
            .await;
    }
    must(&stage.run(&on).await);
    assert_eq!(balances(&stage, ["DR1", "DR2"]).await.1, TOTAL);
    assert_eq!(
        files_below(stage.path("share")),
        Vec::<std::path::PathBuf>::new()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_with_room_for_one_piece_brings_the_group_back_too() {
    let (stage, _) = set().await;
    stage.edit("[policy]", "[policy]\nstaging_max = \"1 KiB\"");
    let run = ["restore", "run", "--to-host", "DR1", "--default-folders"];
    must(&stage.run(&run).await);
    assert_eq!(balances(&stage, ["DR1", "DR1"]).await.1, TOTAL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_meant_is_refused_with_the_cure() {
    let (stage, _) = set().await;
    let mut told = String::new();
    for args in [
        &["--map", "SQL1=DR1"][..],
        &["--map", "SQL1"],
        &["--map", "SQL9=DR1", "--to-host", "DR1"],
        &["--map", "SQL1=DR1", "--map", "SQL2=DR9"],
        &["--to-host", "SQL1", "--yes-overwrite", "stage"],
        &["--to-host", "DR1", "--mark", "SM_2026"],
        &["--to-host", "DR1", "--move-files", "here"],
        &["--to-host", "DR1", "--resume"],
    ] {
        let args = [&["restore", "run"][..], args].concat();
        let printed = stage.run(&args).await;
        assert_ne!(printed.exit, Exit::Ok, "{args:?}");
        let (args, stderr) = (args.join(" "), printed.stderr);
        writeln!(told, "$ stopmark {args}\n{stderr}").expect("a string takes all");
    }
    insta::assert_snapshot!(stage.scrub(&told));
    assert_eq!(restored_rows(&stage, "DR1").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_the_room_is_refused_before_anything_is_touched() {
    let layout: [(&str, &[&str]); 4] = [
        ("SQL1", &["Ledger"]),
        ("SQL2", &["Accounts"]),
        ("DR1", &[]),
        ("DR2", &[]),
    ];
    let stage = Stage::of(&layout, |name, options| {
        if name == "DR1" {
            options.free_bytes = 64 << 10;
        }
    });
    let stage = stage.await;
    must(&stage.run(&["group", "prepare"]).await);
    let bank = Bank::open(&stage).await;
    must(&stage.run(&["backup", "full"]).await);
    bank.transfer(&stage, 10).await;
    must(&stage.run(&["backup", "log"]).await);
    let runs = || files_below(stage.path("state/runs")).len();
    let before = runs();
    for act in ["plan", "run"] {
        let small = ["restore", act, "--to-host", "DR1", "--default-folders"];
        let refused = stage.run(&small).await;
        assert_eq!(refused.exit, Exit::Failed, "{}", refused.stdout);
        for part in ["SM0804", "needed bytes", "free bytes:   65536", "make room"] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
    }
    assert_eq!(restored_rows(&stage, "DR1").await, 0);
    assert_eq!(runs(), before, "no run was begun");
    assert_eq!(
        files_below(stage.path("share")),
        Vec::<std::path::PathBuf>::new()
    );
    let large = ["restore", "run", "--to-host", "DR2", "--default-folders"];
    must(&stage.run(&large).await);
    assert_eq!(balances(&stage, ["DR2", "DR2"]).await.1, TOTAL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_over_itself_the_next_log_run_begins_the_chains_anew() {
    let (stage, bank) = set().await;
    let run = ["restore", "run", "--in-place", "--yes-overwrite", "stage"];
    must(&stage.run(&run).await);
    bank.transfer(&stage, 30).await;
    must(&stage.run(&["backup", "log"]).await);
    let list = stage.must(&["list"]).await;
    let mut sets = list.lines().filter(|line| line.contains(" log "));
    let words: Vec<&str> = sets
        .next_back()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert!(words.len() > 4, "{list}");
    assert_eq!(
        words[3..5],
        ["yes", "2"],
        "a point, with new fulls of both: {list}"
    );
    let run = [&["restore", "run", "--default-folders"][..], &MAPPED].concat();
    must(&stage.run(&run).await);
    let (ledger, sum) = balances(&stage, ["DR1", "DR2"]).await;
    assert_eq!(
        (ledger, sum),
        (TOTAL / 2 - 40, TOTAL),
        "the new branch, and no other"
    );
}
