//! What must be so: an exact sum in every copy at every Point, a new Point one run after the faults end, no Point missing
//! that ought to be there, and nothing left half done.
//!
//! Start at [`is_whole`] and [`bring_back`]; which Points ought to be there is in `owed.rs`.

use std::collections::BTreeSet;

use sqlsim::faults::Dice;
use stopmark::catalog;
use stopmark::model::{HostName, RunId};
use stopmark::plan::{Plan, RestoreAsked, RestoreFiles, RestorePlace, Step, plan_restore};
use stopmark::run::events::Verdict;
use stopmark::run::record::{Record, Round};
use stopmark::run::{self, Interrupt, PlanNames};
use stopmark::survey::{self, HostReport};
use stopmark::world::{Marked, PointNeeds, World};

use super::agent::{share, store_folder};
use super::faults::files_below;
use super::owed;
use super::story::Scene;

/// Points that are brought back at the end of a story.
const RESTORES_MAX: usize = 4;

/// RESTORE detected an error on a page.
const PAGE_DAMAGED: i32 = 3183;

/// How often it is asked whether every transaction has ended, and how long that may take.
const ASK_EVERY_MS: u64 = 500;
/// See [`ASK_EVERY_MS`].
const ASKED_MAX: u64 = 400;

/// A run that came to a good end.
pub(crate) fn is_done(record: &Record) {
    let verdict = record.ended.map(|(verdict, _)| verdict);
    assert_eq!(verdict, Some(Verdict::Done), "in calm weather all is done");
}

/// Waits until no host is in doubt; then no money is lost.
pub(crate) async fn settle(scene: &Scene) {
    let (hosts, bank) = (&scene.hosts, &scene.bank);
    let mut sum = 0;
    for _ in 0..ASKED_MAX {
        let doubts = (0..hosts.count()).filter_map(|at| hosts.host(at));
        let is_settled = doubts
            .into_iter()
            .all(|it| it.instance.dtc.in_doubt().is_empty());
        sum = bank.sum(hosts).await;
        if is_settled && sum == bank.total() {
            return;
        }
        hosts.clock.wait_ms(ASK_EVERY_MS).await;
    }
    panic!("the sum on the hosts is {sum}, not {}", bank.total());
}

/// The run gave the group a new Point, and nothing is left half done by it or by any before.
pub(crate) async fn is_whole(scene: &Scene, world: &World, record: &Record) {
    let group = &scene.agent.config.group;
    // The run's last words, of copies that it made, came after it had looked.
    let caught_up = catalog::catch_up(world, group).await;
    caught_up.expect("the store is sound");
    let standing = world.catalog.standing(group).await.expect("a catalog");
    let newest = standing.newest_point.as_ref();
    assert!(
        newest.is_some_and(|it| it.mark.placed_at >= record.began_at),
        "no new Point: {standing:?}"
    );
    let unfinished = world.journals.unfinished().expect("journals");
    assert_eq!(unfinished, [], "runs that nobody finished");
    let survey = survey::take(world, &scene.agent.config).await;
    for (name, report) in &survey.hosts {
        let HostReport::Facts(facts) = report else {
            panic!("{name} gives no facts: {report:?}");
        };
        assert_eq!(
            facts.open_marks,
            Vec::<String>::new(),
            "marks in flight on {name}"
        );
    }
    // What could not be removed or delivered stays until a prune sweeps it.
    let is_shipped = scene.habits.biztalk.is_some();
    let may_be_left = scene.habits.keep_last.is_none() || is_shipped;
    for at in 0..scene.hosts.count() {
        let mut files = files_below(&share(scene.folder.path(), at));
        // No prune sweeps what may be the last of a piece's bytes.
        files.retain(|file| !scene.books.marks.has_rotted(file));
        assert!(
            may_be_left || files.is_empty(),
            "left on a share: {files:?}"
        );
    }
    let leases = store_folder(scene.folder.path(), 1).join("v1/seeds/lease");
    let leases = files_below(&leases);
    assert_eq!(leases.len(), 1, "one lease holds: {leases:?}");
    no_set_twice(scene, world).await;
    owed::is_offered(scene, world).await;
    if is_shipped {
        super::biztalk::is_shippable(&scene.hosts, &scene.bank).await;
    }
}

/// No piece is in two sets.
async fn no_set_twice(scene: &Scene, world: &World) {
    let sets = world.catalog.sets(&scene.agent.config.group).await;
    let mut pieces = BTreeSet::new();
    for piece in sets.expect("a catalog").iter().flat_map(|set| &set.pieces) {
        let name = (&piece.member, piece.backup_set_guid);
        assert!(
            pieces.insert((name.0.clone(), name.1)),
            "{name:?} is in two sets"
        );
    }
}

/// Every Point that is offered comes back with the exact sum; of many, the newest, the oldest, and some others.
pub(crate) async fn bring_back(scene: &Scene, world: &World, dice: &mut Dice) {
    let group = &scene.agent.config.group;
    let points = world.catalog.newest_points(group, usize::MAX >> 8).await;
    let mut points = points.expect("a catalog");
    scene.books.count(|told| told.points += points.len() as u64);
    while points.len() > RESTORES_MAX {
        let last = points.len() - 1;
        points.remove(1 + dice.place(last - 1));
    }
    for point in points {
        restore(scene, world, &point).await;
        scene.books.count(|told| told.restores += 1);
    }
}

async fn restore(scene: &Scene, world: &World, point: &Marked) {
    let mark = &point.mark.name;
    scene.books.note(format!("{mark} is brought back"));
    let found = world
        .catalog
        .point(&scene.agent.config.group, Some(mark.as_str()))
        .await;
    let needs = found.expect("a catalog").expect("it is offered");
    let spare = scene.hosts.count() - 1;
    let plan = restore_plan(scene, world, &needs).await;
    let interrupt = Interrupt::default();
    let run = run::carry_out(world, &scene.agent.config, &plan, &interrupt);
    let record = Box::pin(run).await;
    let record = record.unwrap_or_else(|error| panic!("{mark}: {error:?}"));
    let verdict = record.ended.map(|(verdict, _)| verdict);
    let told = stopmark::report::run::RunReport::of(&record).text();
    if is_damaged_beyond_proof(scene, &record, &needs) {
        scene.books.note(format!("{mark} cannot be proven: {told}"));
        scene.books.count(|told| told.unprovable += 1);
        return;
    }
    assert_eq!(verdict, Some(Verdict::Done), "{mark}: {told}");
    let sum = scene.bank.sum_on(&scene.hosts, spare).await;
    assert_eq!(sum, scene.bank.total(), "the sum at {mark}");
}

/// Whether a page was damaged as it was written to a medium without backup checksums, which those of BizTalk's procedures
/// are: damage to a page that says neither where it belongs nor that it is in use is seen by nobody before a restore.
fn is_damaged_beyond_proof(scene: &Scene, record: &Record, needs: &PointNeeds) -> bool {
    let mut failures = record.rounds.iter().flat_map(Round::failures);
    failures.any(|(step, failure)| {
        let Step::RestoreDatabase(step) = step else {
            return false;
        };
        let member = &step.member;
        let mut pieces = needs.have.pieces(member);
        failure.sql_number == Some(PAGE_DAMAGED)
            && scene.books.marks.may_be_damaged(member.host.as_str())
            && pieces.any(|piece| !piece.has_backup_checksums)
    })
}

async fn restore_plan(scene: &Scene, world: &World, needs: &PointNeeds) -> Plan {
    let config = &scene.agent.config;
    let spare = scene.hosts.name(scene.hosts.count() - 1);
    let host: HostName = spare.parse().expect("a host");
    let survey = survey::take(world, config).await;
    let facts = world.fleet.target_facts(&host).await;
    let files = scene.folder.path().join("hosts").join(spare).join("data");
    let (place, run) = (RestorePlace::OneHost(host.clone()), RunId(world.ids.next()));
    let asked = RestoreAsked {
        files: RestoreFiles::InFolder(files.display().to_string()),
        replace: true,
        targets: [(host, facts.expect("it answers"))].into(),
        ..RestoreAsked::to(place, run, survey.id)
    };
    let mut names = PlanNames(world.ids.as_ref());
    let now = world.clock.now();
    let plan = plan_restore(config, &needs.have, &needs.point, &asked, &mut names, now);
    plan.expect("a Point can be restored")
}
