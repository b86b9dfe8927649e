//! Drills from end to end: held on a spare host, certified, and nothing left behind, whatever happens in between.
//!
//! Start at [`a_drill_proves_the_newest_point_and_leaves_nothing_but_its_certificate`].

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use stopmark::catalog;
use stopmark::config::Config;
use stopmark::error::Exit;
use stopmark::model::{Certificate, HostName, RunId, Soundness, SurveyId};
use stopmark::plan::{BackupKind, Plan, RestoreAsked, RestorePlace, plan_drill};
use stopmark::run::events::Verdict;
use stopmark::run::{self, Interrupt, PlanNames};
use stopmark::world::World;

use crate::kill::{mortal, run_the_agent};
use crate::saga_kinds::{SPARE, Scene, files_below};
use crate::stage::{Printed, Stage};

/// How often what a kill left is tried to be removed.
const TRIES_MAX: usize = 100;

/// More lines than the journal of this drill has.
const LINES_MAX: usize = 150;

fn certificate(printed: &Printed) -> Certificate {
    let said = || format!("{}\n{}", printed.stdout, printed.stderr);
    let told: Value =
        serde_json::from_str(&printed.stdout).unwrap_or_else(|_| panic!("{}", said()));
    let certificate = told["certificate"].clone();
    serde_json::from_value(certificate).unwrap_or_else(|error| panic!("{error}: {}", said()))
}

/// Two members on two hosts, a spare host, a Point, and the section `[drill]`.
async fn stage(section: &str) -> Stage {
    let stage = Stage::set(&[("SQL1", &["Ledger"]), ("SQL2", &["Accounts"]), (SPARE, &[])]).await;
    for kind in ["full", "log"] {
        let printed = stage.run(&["backup", kind]).await;
        assert_eq!(
            printed.exit,
            Exit::Ok,
            "{}{}",
            printed.stdout,
            printed.stderr
        );
    }
    let drill = format!("[drill]\nhosts = [\"{SPARE}\"]\n{section}\n[policy]");
    stage.edit("[policy]", &drill);
    stage
}

/// What a drill may leave on its host and on the shares: nothing.
async fn assert_clean(stage: &Stage, place: &str) {
    let count = "SELECT COUNT_BIG(*) FROM sys.databases WHERE database_id > 4;";
    assert_eq!(
        stage.number(SPARE, "master", count).await,
        0,
        "{place}: databases"
    );
    let files = files_below(stage.path("share"));
    assert_eq!(files, Vec::<PathBuf>::new(), "{place}: files");
}

fn check(stage: &Stage, name: &str, text: &str) {
    fs::write(stage.path(name), text).expect("writes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_proves_the_newest_point_and_leaves_nothing_but_its_certificate() {
    let section = "rto = \"10m\"\nchecks = [{ file = \"torn.sql\" }, { file = \"sum.sql\", value = \"yes\" }]";
    let stage = stage(section).await;
    check(
        &stage,
        "torn.sql",
        "SELECT m.name FROM {Ledger}.sys.tables AS m WHERE m.name = N'no such table';",
    );
    check(
        &stage,
        "sum.sql",
        "SELECT CASE WHEN (SELECT COUNT_BIG(*) FROM {SQL1/Ledger}.stopmark.MarkLog) \
         = (SELECT COUNT_BIG(*) FROM {Accounts}.stopmark.MarkLog) THEN 'yes' ELSE 'no' END;",
    );
    let html = stage.path("drill.html").display().to_string();
    let printed = stage
        .run(&["drill", "run", "--json", "--html", &html])
        .await;
    assert_eq!(
        printed.exit,
        Exit::Ok,
        "{}\n{}",
        printed.stdout,
        printed.stderr
    );
    let found = certificate(&printed);
    assert!(found.passed && found.is_clean, "{found:#?}");
    assert_eq!(found.keeps_target(), Some(true));
    assert_eq!(found.members.len(), 2);
    for member in &found.members {
        assert!(
            member.is_at_mark && member.soundness == Soundness::Sound,
            "{member:#?}"
        );
        assert!(member.database.as_str().starts_with("drill_"));
        let whole =
            |it: &stopmark::model::DrilledPiece| it.fetched.is_some() && it.restored.is_some();
        assert!(
            member.pieces.len() >= 2 && member.pieces.iter().all(whole),
            "{member:#?}"
        );
    }
    assert!(
        found.checks.iter().all(|check| check.passed),
        "{:#?}",
        found.checks
    );
    assert_clean(&stage, "a drill").await;

    let page = fs::read_to_string(&html).expect("the report");
    assert!(
        page.contains("passed") && page.contains("sum.sql"),
        "{page}"
    );
    let shown = certificate(&stage.run(&["drill", "show", "--json"]).await);
    assert_eq!(shown, found, "the store holds the same");
    let list = stage.run(&["drill", "list"]).await.stdout;
    assert!(list.contains(&format!("passed  {}", found.run)), "{list}");
    let again = stage.run(&["catalog", "rebuild"]).await;
    assert_eq!(again.exit, Exit::Ok, "{}", again.stderr);
    assert_eq!(
        stage.run(&["drill", "list"]).await.stdout,
        list,
        "it is in the group's log"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_do_not_agree_fail_the_drill_and_it_cleans_up_all_the_same() {
    let section = "check_database = \"physical_only\"\nchecks = [{ file = \"rows.sql\" }, { file = \"value.sql\", value = \"8\" }]";
    let stage = stage(section).await;
    check(&stage, "rows.sql", "SELECT 1 AS torn UNION ALL SELECT 2;");
    check(&stage, "value.sql", "SELECT 7 AS answer;");
    let printed = stage.run(&["drill", "run", "--json"]).await;
    assert_eq!(printed.exit, Exit::Failed, "{}", printed.stdout);
    let found = certificate(&printed);
    assert!(!found.passed && found.is_clean && found.recovery_ms().is_some());
    let faults: Vec<&str> = found
        .checks
        .iter()
        .filter_map(|it| it.fault.as_deref())
        .collect();
    assert!(
        faults[0].contains("found 2 rows") && faults[1].contains("found 7"),
        "{faults:?}"
    );
    assert!(
        found
            .members
            .iter()
            .all(|it| it.soundness == Soundness::PagesSound)
    );
    assert_clean(&stage, "a failed check").await;
    let list = stage.run(&["drill", "list"]).await.stdout;
    assert!(list.contains("FAILED"), "{list}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_fails_is_certified_as_failed_and_cleaned_up() {
    let stage = stage("").await;
    let fault = "EXEC sp_sim_fault @kind = 'fail', @statement = 'RESTORE LOG', @number = 3183, @text = N'A page is damaged.';";
    stage.script(SPARE, "master", fault).await;
    let printed = stage.run(&["drill", "run", "--json"]).await;
    assert_eq!(printed.exit, Exit::Failed, "{}", printed.stdout);
    let found = certificate(&printed);
    assert!(
        !found.passed && found.is_clean && found.recovery_ms().is_none(),
        "{found:#?}"
    );
    let faults: Vec<_> = found.members.iter().flat_map(|it| &it.faults).collect();
    assert!(
        faults.iter().any(|fault| fault.contains("3183")),
        "{faults:?}"
    );
    assert_clean(&stage, "a failed restore").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_checkdb_finds_damaged_fails_the_drill_and_is_certified() {
    let stage = stage("check_database = \"physical_only\"").await;
    for number in [8909, 8928, 8938, 8939, 8998] {
        let fault = format!(
            "EXEC sp_sim_fault @kind = 'fail', @statement = 'DBCC', @number = {number}, @text = N'Table error: page (1:9).';"
        );
        stage.script(SPARE, "master", &fault).await;
        let printed = stage.run(&["drill", "run", "--json"]).await;
        assert_eq!(printed.exit, Exit::Failed, "{}", printed.stdout);
        let found = certificate(&printed);
        assert!(!found.passed && found.is_clean, "{found:#?}");
        let unsound = found.members.iter();
        let unsound: Vec<_> = unsound
            .filter(|it| it.soundness == Soundness::Unsound)
            .collect();
        assert_eq!(unsound.len(), 1, "{found:#?}");
        let faults = &unsound[0].faults;
        let is_named = |it: &String| it.contains(&number.to_string());
        assert!(faults.iter().any(is_named), "{faults:?}");
        assert_clean(&stage, "an unsound database").await;
    }
    let printed = stage.run(&["drill", "run", "--json"]).await;
    assert_eq!(printed.exit, Exit::Ok, "{}", printed.stdout);
    assert!(certificate(&printed).passed, "the point itself is sound");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_drill_may_be_held_nothing_is_touched() {
    let stage = stage("checks = [{ file = \"check.sql\" }]").await;
    check(&stage, "check.sql", "SELECT 1 FROM {Nobody}.dbo.T;");
    for (on, code) in [(&["--on", "SQL2"][..], "SM0807"), (&[][..], "SM0808")] {
        let args = [&["drill", "run"][..], on].concat();
        let printed = stage.run(&args).await;
        assert_eq!(printed.exit, Exit::Failed, "{}", printed.stdout);
        assert!(printed.stderr.contains(code), "{}", printed.stderr);
    }
    check(&stage, "check.sql", "SELECT 1 WHERE 1 = 0;");
    stage
        .script(SPARE, "master", "CREATE DATABASE drill_Ledger;")
        .await;
    let printed = stage.run(&["drill", "run"]).await;
    assert!(printed.stderr.contains("SM0803"), "{}", printed.stderr);
    let still = "SELECT state_desc FROM sys.databases WHERE name = N'drill_Ledger';";
    assert_eq!(stage.text(SPARE, still).await, "ONLINE", "it is somebody's");
    let none = stage.run(&["drill", "list"]).await.stdout;
    assert!(none.contains("no drill was ever held"), "{none}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_reads_through_a_link_is_warned_of_refused_7313_and_passes_read_directly() {
    let stage = stage("checks = [{ file = \"users.sql\" }]").await;
    let port = stage.host("SQL2").address().port();
    let link = format!(
        "EXEC sp_addlinkedserver N'SQL2', N'', N'MSOLEDBSQL', N'tcp:127.0.0.1,{port}', NULL, N'Encrypt=yes;';\n\
         EXEC sp_addlinkedsrvlogin N'SQL2', 'FALSE', NULL, N'stopmark', N'Stage-Pa55word';"
    );
    stage.script(SPARE, "master", &link).await;
    let far = "SELECT name FROM SQL2.Accounts..objects WHERE 1 = 0;";
    check(&stage, "users.sql", far);
    let warned = stage.run(&["drill", "run"]).await;
    assert_eq!(warned.exit, Exit::Failed, "{}", warned.stdout);
    let told = "`SQL2.Accounts..objects`";
    let said = format!("{}{}", warned.stdout, warned.stderr);
    assert!(said.contains(told) && said.contains("7313"), "{said}");
    let near = "SELECT name FROM {Accounts}.sys.objects WHERE 1 = 0;";
    check(&stage, "users.sql", near);
    let healthy = stage.run(&["drill", "run"]).await;
    let said = format!("{}{}", healthy.stdout, healthy.stderr);
    assert_eq!(healthy.exit, Exit::Ok, "{said}");
    assert!(!said.contains("SM0808"), "{said}");
    assert_clean(&stage, "a check that was refused").await;
}

/// The plan that drills the newest Point on the spare host, as the command makes it.
async fn planned(world: &World, config: &Config) -> Plan {
    let spare: HostName = SPARE.parse().expect("a host");
    catalog::catch_up(world, &config.group)
        .await
        .expect("the store is sound");
    let needs = world.catalog.point(&config.group, None).await;
    let needs = needs.expect("a catalog").expect("a Point");
    let facts = world.fleet.target_facts(&spare).await.expect("it answers");
    let (run, survey) = (RunId(world.ids.next()), SurveyId(world.ids.next()));
    let asked = RestoreAsked {
        targets: BTreeMap::from([(spare.clone(), facts)]),
        ..RestoreAsked::to(RestorePlace::OneHost(spare), run, survey)
    };
    let mut names = PlanNames(world.ids.as_ref());
    let now = world.clock.now();
    let plan = plan_drill(
        config,
        &needs.have,
        &needs.point,
        asked,
        &[],
        &mut names,
        now,
    );
    plan.unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_drill_left_is_removed_wherever_it_was_killed() {
    let test = "drill::what_a_killed_drill_left_is_removed_wherever_it_was_killed";
    if let Some((_, config, world)) = mortal() {
        let plan = planned(&world, &config).await;
        let cleared = run::finish_drills(&world, &config.group, &Interrupt::default()).await;
        cleared.expect("nothing is left");
        let record = run::carry_out(&world, &config, &plan, &Interrupt::default()).await;
        let verdict = record.expect("a record").ended.map(|(verdict, _)| verdict);
        assert_eq!(verdict, Some(Verdict::Done));
        return;
    }
    let mut scene = Scene::set().await;
    scene.back_up(BackupKind::Log).await;
    let mut cut_short = 0;
    // Each step has two lines: every seventh one is now a beginning, now an end, and all kinds of steps come by.
    for lines in (1..LINES_MAX).step_by(7) {
        let config = scene.stage.config_path();
        let killed = tokio::task::spawn_blocking(move || run_the_agent(test, &config, lines)).await;
        if killed.expect("it was waited for").success() {
            assert!(
                lines > 20,
                "a drill of two members has more than {lines} lines"
            );
            assert_clean(&scene.stage, "the end").await;
            assert!(
                cut_short > 5,
                "certificates of drills that were cut short: {cut_short}"
            );
            return;
        }
        // A new process on the same state folder, as a service would be.
        (_, scene.world) = scene.stage.world();
        start_again(&scene, lines).await;
        assert_clean(&scene.stage, &format!("killed after line {lines}")).await;
        let shown = scene.stage.run(&["drill", "show", "--json"]).await;
        if shown.stdout.contains("was_cut_short") {
            let found = certificate(&shown);
            assert!(found.was_cut_short && found.is_clean, "{found:#?}");
            cut_short += 1;
        }
    }
    panic!("the drill never came to its end");
}

/// The next start may be any that goes on with what was left; a drill does so for its names' sake. A host may be busy for
/// a while yet with a restore whose client is gone.
async fn start_again(scene: &Scene, lines: usize) {
    if lines.is_multiple_of(3) {
        scene.back_up(BackupKind::Log).await;
    }
    for _ in 0..TRIES_MAX {
        let group = &scene.config.group;
        let cleared = run::finish_drills(&scene.world, group, &Interrupt::default()).await;
        cleared.unwrap_or_else(|error| panic!("line {lines}: {error}"));
        if scene
            .world
            .journals
            .unfinished()
            .expect("journals")
            .is_empty()
        {
            return;
        }
    }
    panic!("line {lines}: a run that nobody finished");
}
