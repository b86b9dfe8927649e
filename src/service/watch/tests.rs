//! What a look changes, and for what a run begins early.

use super::*;
use crate::chain::samples::lsn;
use crate::plan::BrokenChain;
use crate::service::due::Turn;
use crate::service::outlook;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(minutes * 60_000)
}

fn member(text: &str) -> MemberName {
    text.parse().expect("a name")
}

fn lost(reached: u32, next: u32) -> Break {
    let (reached, next) = (lsn(reached), lsn(next));
    Break::LogLost { reached, next }
}

fn by_run() -> Remedy {
    let how = "bridges it".to_owned();
    Remedy::Run { how }
}

/// A look at a group of two, of which the one is broken, where it is, and the other sound.
fn look(broken: Option<(Break, Remedy)>) -> ChainsSeen {
    let (one, other) = (member("SQL1/A"), member("SQL2/B"));
    let mut sound = BTreeSet::from([other.clone()]);
    let chain = broken.map(|(reason, remedy)| BrokenChain {
        member: one.clone(),
        reason,
        remedy,
    });
    if chain.is_none() {
        sound.insert(one.clone());
    }
    ChainsSeen {
        members: BTreeSet::from([one, other]),
        sound,
        broken: chain.into_iter().collect(),
    }
}

fn early_at(watch: &Watch) -> Option<Timestamp> {
    watch.early().map(|(at, _)| at)
}

#[test]
fn a_new_break_makes_one_run_begin_early_and_none_until_it_is_mended() {
    let mut watch = Watch::default();
    let broken = look(Some((lost(30, 40), by_run())));
    let changes = watch.take_in(&broken, at(1));
    assert_eq!(changes.broken, BTreeSet::from([member("SQL1/A")]));
    assert_eq!(early_at(&watch), Some(at(1)));
    // Seen again before a run could begin, it is the same.
    assert_eq!(watch.take_in(&broken, at(2)), Changes::default());
    assert_eq!(early_at(&watch), Some(at(1)));
    watch.begun(at(3));
    assert_eq!(early_at(&watch), None);
    // The run did not help, and more of the log is gone: that is nothing new.
    let more = look(Some((lost(30, 50), by_run())));
    assert_eq!(watch.take_in(&more, at(4)), Changes::default());
    assert_eq!(early_at(&watch), None);
    let known = watch.broken().next().expect("it is broken");
    assert_eq!(known.mending, Mending::InVain { at: at(3) });
    assert_eq!(
        (known.since, known.severity(true)),
        (at(1), Severity::Error)
    );
    // What the schedule's runs do later changes nothing about it.
    watch.begun(at(60));
    watch.take_in(&more, at(61));
    assert_eq!(early_at(&watch), None);
    let changes = watch.take_in(&look(None), at(62));
    assert_eq!(changes.mended, BTreeSet::from([member("SQL1/A")]));
    assert_eq!(watch.broken().count(), 0);
}

#[test]
fn whoever_breaks_a_chain_again_and_again_does_not_make_the_schedule() {
    let mut watch = Watch::default();
    watch.take_in(&look(Some((lost(30, 40), by_run()))), at(1));
    watch.begun(at(1));
    watch.take_in(&look(None), at(2));
    let changes = watch.take_in(&look(Some((lost(50, 60), by_run()))), at(10));
    assert_eq!(changes.broken.len(), 1, "it is told");
    assert_eq!(early_at(&watch), Some(at(61)));
}

#[test]
fn another_break_is_new_whatever_was_done_about_the_first() {
    let mut watch = Watch::default();
    watch.take_in(&look(Some((lost(30, 40), by_run()))), at(1));
    watch.begun(at(1));
    let changes = watch.take_in(&look(Some((Break::Replaced, by_run()))), at(2));
    assert_eq!(changes.broken.len(), 1);
    assert_eq!(watch.broken().next().expect("one").since, at(2));
}

#[test]
fn what_only_a_person_mends_and_what_is_in_quarantine_starts_nothing() {
    let person = Remedy::Person {
        hint: "set it to FULL".to_owned(),
    };
    let quarantined = Remedy::Quarantined { until: at(600) };
    for (reason, remedy) in [
        (Break::RecoverySimple, person),
        (lost(30, 40), quarantined.clone()),
    ] {
        let mut watch = Watch::default();
        let broken = look(Some((reason, remedy)));
        assert_eq!(watch.take_in(&broken, at(1)).broken.len(), 1, "it is told");
        watch.begun(at(2));
        assert_eq!(watch.take_in(&broken, at(3)), Changes::default());
        assert_eq!(early_at(&watch), None);
        let known = watch.broken().next().expect("it is broken");
        assert_eq!(known.severity(true), Severity::Error);
    }
    let mut released = Watch::default();
    released.take_in(&look(Some((lost(30, 40), quarantined))), at(1));
    released.take_in(&look(Some((lost(30, 40), by_run()))), at(2));
    assert_eq!(early_at(&released), Some(at(1)), "it is mended at once");
}

#[test]
fn a_member_of_which_nobody_speaks_stays_as_it_was_and_one_that_left_is_forgotten() {
    let mut watch = Watch::default();
    watch.take_in(&look(Some((lost(30, 40), by_run()))), at(1));
    let mut silent = look(None);
    silent.sound.clear();
    assert_eq!(watch.take_in(&silent, at(2)), Changes::default());
    assert_eq!(watch.broken().count(), 1);
    silent.members.clear();
    assert_eq!(watch.take_in(&silent, at(3)), Changes::default());
    assert_eq!(watch.broken().count(), 0);
}

#[test]
fn a_service_that_starts_again_knows_for_what_a_run_was_begun() {
    let state = tempfile::tempdir().expect("a folder");
    let broken = look(Some((lost(30, 40), by_run())));
    let mut watch = Watch::default();
    watch.take_in(&broken, at(1));
    watch.keep(state.path(), at(1)).expect("writes");
    assert_eq!(early_at(&Watch::of(state.path())), None, "it is old");
    watch.begun(at(1));
    watch.keep(state.path(), at(1)).expect("writes");
    let mut next = Watch::of(state.path());
    assert_eq!(next.take_in(&broken, at(5)), Changes::default());
    assert_eq!(early_at(&next), None);
}

#[test]
fn what_was_seen_is_told_for_an_hour_or_until_a_run_knows_better() {
    let state = tempfile::tempdir().expect("a folder");
    let mut watch = Watch::default();
    watch.take_in(&look(Some((lost(30, 40), by_run()))), at(10));
    watch.keep(state.path(), at(10)).expect("writes");
    let told = |run: Option<i64>, now| kept(state.path(), run.map(at), at(now)).len();
    assert_eq!((told(None, 20), told(Some(9), 20)), (1, 1));
    assert_eq!((told(Some(11), 20), told(None, 70)), (0, 0));
}

#[test]
fn the_log_job_comes_early_and_says_why() {
    let mut watch = Watch::default();
    watch.take_in(&look(Some((Break::Replaced, by_run()))), at(7));
    let mut pasts = BTreeMap::from([
        (Job::Log, Past::since(at(1))),
        (Job::Full, Past::since(at(1))),
    ]);
    watch.add_to(&mut pasts);
    assert_eq!(pasts[&Job::Full].triggered, None);
    let (at, why) = pasts[&Job::Log].triggered.clone().expect("it is due");
    let turn = Turn {
        job: Job::Log,
        at,
        why,
        is_held: false,
    };
    assert_eq!(
        outlook::why(&turn, at),
        "the chain of SQL1/A is broken: the database was replaced by another one; due now"
    );
    let only_fulls = &mut BTreeMap::from([(Job::Full, Past::since(at))]);
    watch.add_to(only_fulls);
    assert_eq!(only_fulls[&Job::Full].triggered, None, "it is told only");
}

#[test]
fn every_line_says_what_comes_next() {
    let mut watch = Watch::default();
    watch.take_in(&look(Some((lost(30, 40), by_run()))), at(1));
    let known = watch.broken().next().expect("it is broken");
    assert!(known.line(true).contains("the next log run bridges it"));
    assert!(
        known
            .line(false)
            .contains("`stopmark backup log` bridges it")
    );
    assert_eq!(known.severity(false), Severity::Error);
    assert!(
        known.line(true).ends_with("[SM0601]"),
        "{}",
        known.line(true)
    );
}
