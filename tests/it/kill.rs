//! `kill -9` of the agent at every line of its journal, while the hosts and their application go on.
//!
//! Start at [`a_killed_full_run_loses_nothing`]. The test binary runs itself again as the agent: a journal
//! that ends the process after line n. The hosts live in the first process and survive. After each kill an
//! agent starts again on the same state folder, as a service would.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stopmark::config::Config;
use stopmark::error::Result;
use stopmark::model::SetKind;
use stopmark::plan::BackupKind;
use stopmark::run::adopt;
use stopmark::run::events::{Event, Verdict};
use stopmark::run::prune;
use stopmark::run::{self, BackupWanted, Interrupt};
use stopmark::sql::observe;
use stopmark::world::{Journal, World};

use crate::bank::TOTAL;
use crate::journals::Watched;
use crate::saga_kinds::{Kind, SPARE, Scene, adopt_wanted, check_plan, keeping_one};
use crate::stage;

/// Where the agent to be killed finds its configuration; its presence makes a process that agent.
const CONFIG: &str = "STOPMARK_TEST_KILLED_CONFIG";
/// After how many lines it is killed.
const LINES: &str = "STOPMARK_TEST_KILLED_AFTER";

/// More lines than any journal of these scenes has.
pub(crate) const LINES_MAX: usize = 200;

/// Lines of journal from one kill of a prune to the next: its steps are many and alike.
const PRUNED_LINES: usize = 4;

/// A full now and then, as schedules do; it keeps the ways to later marks short.
const RUNS_A_FULL: usize = 12;

/// Points that are brought back, spread over the series.
const RESTORES_MAX: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_full_run_loses_nothing() {
    if !be_the_agent(BackupKind::Full).await {
        kill_at_every_line("kill::a_killed_full_run_loses_nothing", BackupKind::Full).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_log_run_loses_nothing() {
    if !be_the_agent(BackupKind::Log).await {
        kill_at_every_line("kill::a_killed_log_run_loses_nothing", BackupKind::Log).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_adoption_is_finished_by_the_next_run() {
    if be_the_adopting_agent().await {
        return;
    }
    let test = "kill::a_killed_adoption_is_finished_by_the_next_run";
    let mut scene = Scene::of(&["Ledger"], &["Accounts"]).await;
    let mut salvaged = 0;
    for lines in 1..LINES_MAX {
        scene.foreign_backups().await;
        let config = scene.stage.config_path();
        let killed = tokio::task::spawn_blocking(move || run_the_agent(test, &config, lines)).await;
        let killed = killed.expect("it was waited for");
        let before = adopted_sets(&scene).await;
        start_again(&mut scene, BackupKind::Log, lines).await;
        if killed.success() {
            assert!(
                lines > 8,
                "an adoption of two pieces has more than {lines} lines"
            );
            assert!(
                salvaged > 0,
                "no killed adoption was ever finished by a log run"
            );
            return bring_back(&scene).await;
        }
        salvaged += adopted_sets(&scene).await - before;
        let record = scene
            .adopt(&scene.world)
            .await
            .expect("nothing is in its way");
        let verdict = record.ended.map(|(verdict, _)| verdict);
        assert!(
            matches!(verdict, Some(Verdict::Done | Verdict::Abandoned)),
            "line {lines}: {verdict:?}"
        );
        scene
            .assert_no_set_twice(&format!("killed after line {lines}"))
            .await;
    }
    panic!("the adopting agent never came to its end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_check_left_is_removed_by_the_next_start() {
    if be_the_checking_agent().await {
        return;
    }
    let test = "kill::what_a_killed_check_left_is_removed_by_the_next_start";
    let mut scene = Scene::set().await;
    let (mut on_shares, mut in_store) = (0, 0);
    for lines in 1..LINES_MAX {
        let config = scene.stage.config_path();
        let killed = tokio::task::spawn_blocking(move || run_the_agent(test, &config, lines)).await;
        let remains = scene.remains();
        let probes = remains.iter().filter(|it| it.extension().is_none()).count();
        on_shares += remains.len() - probes;
        in_store += probes;
        if lines % 2 == 0 {
            start_again(&mut scene, BackupKind::Log, lines).await;
        } else {
            let checked = Kind::Check
                .act(&scene, &scene.world)
                .await
                .expect("a record");
            assert_eq!(checked.ended.map(|(it, _)| it), Some(Verdict::Done));
        }
        assert_eq!(scene.remains(), Vec::<PathBuf>::new(), "line {lines}");
        let left = scene.world.journals.unfinished().expect("journals");
        assert_eq!(left, [], "line {lines}: runs that nobody finished");
        if killed.expect("it was waited for").success() {
            assert!(on_shares > 0 && in_store > 0, "nothing was ever left");
            return;
        }
    }
    panic!("the checking agent never came to its end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_prune_let_go_is_removed_by_the_next_one() {
    if be_the_pruning_agent().await {
        return;
    }
    let test = "kill::what_a_killed_prune_let_go_is_removed_by_the_next_one";
    let mut scene = Scene::set().await;
    let mut went_on = 0;
    for lines in (1..LINES_MAX).step_by(PRUNED_LINES) {
        scene.leave_something_to_prune().await;
        let config = scene.stage.config_path();
        let killed = tokio::task::spawn_blocking(move || run_the_agent(test, &config, lines)).await;
        scene.world = stage::world_of(&scene.stage.config_path()).1;
        went_on += unremoved(&scene).await;
        let config = scene.keeping_one();
        let next = prune::prune(&scene.world, &config, &Interrupt::default()).await;
        let record = next.expect("nothing is in its way").1.expect("a run");
        let verdict = record.ended.map(|(verdict, _)| verdict);
        assert_eq!(verdict, Some(Verdict::Done), "line {lines}");
        assert_eq!(unremoved(&scene).await, 0, "line {lines}");
        scene.assert_the_shares_are_clear(&format!("killed after line {lines}"));
        if killed.expect("it was waited for").success() {
            assert!(went_on > 0, "no prune was killed between word and deed");
            return bring_back(&scene).await;
        }
    }
    panic!("the pruning agent never came to its end");
}

/// How many pieces were let go and may still stand.
async fn unremoved(scene: &Scene) -> usize {
    scene.sets().await;
    let unremoved = scene.world.catalog.unremoved(&scene.config.group).await;
    unremoved.expect("a catalog").len()
}

/// In the process that is to be killed: the prune. In any other: false.
async fn be_the_pruning_agent() -> bool {
    let Some((_, config, world)) = mortal() else {
        return false;
    };
    let done = prune::prune(&world, &keeping_one(&config), &Interrupt::default()).await;
    done.expect("nothing but the kill is in its way");
    true
}

/// In the process that is to be killed: the check. In any other: false.
async fn be_the_checking_agent() -> bool {
    let Some((_, config, world)) = mortal() else {
        return false;
    };
    let plan = check_plan(&config, &world).await;
    let checked = run::check(&world, &config, &plan, &Interrupt::default()).await;
    checked.expect("nothing but the kill is in its way");
    true
}

/// How many sets adoptions have published.
async fn adopted_sets(scene: &Scene) -> usize {
    let sets = scene.sets().await.into_iter();
    sets.filter(|set| set.kind == SetKind::Adopted).count()
}

/// In the process that is to be killed: the adoption. In any other: false.
async fn be_the_adopting_agent() -> bool {
    let Some((config_path, config, world)) = mortal() else {
        return false;
    };
    let folder = config_path.with_file_name("foreign");
    let wanted = adopt_wanted(&world, folder).await.expect("it can be read");
    let done = adopt::adopt(&world, &config, &wanted, &Interrupt::default()).await;
    let record = done.expect("nothing but the kill is in its way").1;
    let ended = record.expect("a run").ended;
    assert_eq!(ended.map(|(verdict, _)| verdict), Some(Verdict::Done));
    true
}

/// Kills at the first line, then at the second, until an agent comes to its end.
async fn kill_at_every_line(test: &'static str, kind: BackupKind) {
    let mut scene = Scene::of(&["Ledger", "Orders"], &["Accounts"]).await;
    for lines in 1..LINES_MAX {
        scene.bank.transfer(&scene.stage, 7).await;
        let config = scene.stage.config_path();
        let (killed, ()) = tokio::join!(
            tokio::task::spawn_blocking(move || run_the_agent(test, &config, lines)),
            scene.bank.transfer(&scene.stage, 3)
        );
        let killed = killed.expect("it was waited for");
        start_again(&mut scene, kind, lines).await;
        if killed.success() {
            assert!(
                lines > 20,
                "a run of three members has more than {lines} lines"
            );
            return bring_back(&scene).await;
        }
        assert_eq!(
            killed.code(),
            None,
            "line {lines}: it ended by itself: {killed}"
        );
        if lines % RUNS_A_FULL == 0 {
            scene.back_up(BackupKind::Full).await;
        }
    }
    panic!("the agent never came to its end");
}

/// The next start: it finishes what the dead one left and does its own work.
async fn start_again(scene: &mut Scene, kind: BackupKind, lines: usize) {
    // The world of the agent before this one believes in a lease that the dead one has renewed since.
    scene.world = stage::world_of(&scene.stage.config_path()).1;
    scene.back_up(kind).await;
    let left = scene.world.journals.unfinished().expect("journals");
    assert_eq!(left, [], "line {lines}: runs that nobody finished");
    let place = format!("killed after line {lines}");
    scene.assert_nothing_is_lost(&place).await;
    scene.assert_the_shares_are_clear(&place);
    scene.assert_no_set_twice(&place).await;
}

/// Every Point is a moment: the application's sum is exact in each that is brought back.
async fn bring_back(scene: &Scene) {
    scene.back_up(BackupKind::Log).await;
    let points = scene.points().await;
    let marks: BTreeSet<_> = points.iter().map(|point| &point.mark.name).collect();
    assert_eq!(marks.len(), points.len(), "each mark is one Point");
    let stride = points.len().div_ceil(RESTORES_MAX);
    for point in points.iter().rev().step_by(stride) {
        scene.restore(point).await;
        let sum = scene.bank.sum_on(&scene.stage, SPARE).await;
        assert_eq!(sum, TOTAL, "{}", point.mark.name);
    }
}

/// Runs this binary as the agent and waits for its end.
pub(crate) fn run_the_agent(test: &str, config: &PathBuf, lines: usize) -> ExitStatus {
    let binary = std::env::current_exe().expect("this binary");
    let agent = Command::new(binary)
        .args([test, "--exact", "--quiet"])
        .env(CONFIG, config)
        .env(LINES, lines.to_string())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    agent.expect("it starts")
}

/// In the process that is to be killed: the run. In any other: false.
pub(crate) async fn be_the_agent(kind: BackupKind) -> bool {
    let Some((_, config, world)) = mortal() else {
        return false;
    };
    let wanted = BackupWanted {
        kind,
        new_chain: Vec::new(),
    };
    let record = run::back_up(&world, &config, &wanted, &Interrupt::default()).await;
    let record = record.expect("nothing but the kill is in its way");
    assert_eq!(
        record.ended.map(|(verdict, _)| verdict),
        Some(Verdict::Done)
    );
    true
}

/// The configuration and a world that ends after some lines of journal; none in a process that is to live.
pub(crate) fn mortal() -> Option<(PathBuf, Arc<Config>, World)> {
    let config_path = PathBuf::from(std::env::var_os(CONFIG)?);
    let lines = std::env::var(LINES).expect("the parent says it");
    let lines: usize = lines.parse().expect("a number");
    observe::install_alone();
    let (config, world) = stage::world_of(&config_path);
    let left = Arc::new(AtomicUsize::new(lines));
    let journals = Watched::by(world.journals.clone(), move |_, inner| {
        let left = left.clone();
        Box::new(DeadlyJournal { inner, left })
    });
    let world = World { journals, ..world };
    Some((config_path, config, world))
}

/// A journal that ends the process after some lines of all.
struct DeadlyJournal {
    inner: Box<dyn Journal>,
    left: Arc<AtomicUsize>,
}

impl Journal for DeadlyJournal {
    fn append(&mut self, event: &Event) -> Result<()> {
        self.inner.append(event)?;
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            die();
        }
        Ok(())
    }
}

/// As `kill -9` from outside: nothing is unwound, nothing is flushed, no connection says goodbye.
fn die() -> ! {
    let kill = format!("kill -9 {}", std::process::id());
    // Waiting for the shell is waiting for the end; without a shell the abort is as sudden.
    let _ = Command::new("sh").args(["-c", &kill]).status();
    std::process::abort()
}
