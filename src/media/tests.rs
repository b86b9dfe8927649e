//! What follows what, over facts without bytes. Every story is a few files and what is told of them.

use std::fmt::Write as _;

use mtf::SetFlags;
use uuid::Uuid;

use super::samples::{FORK, damaged, diff, file, full, log, lsn, stripe};
use super::{Backup, Examined, Lineage, follow};

/// The lineages in a few lines: spans with their ways, gaps, contests, copies; by the files' names.
fn told(examined: &[Examined]) -> String {
    let lineages = follow(examined);
    lineages.iter().fold(String::new(), |mut text, lineage| {
        tell(lineage, examined, &mut text);
        text
    })
}

fn tell(lineage: &Lineage, examined: &[Examined], text: &mut String) {
    let name = |backup: &Backup| {
        let places = backup.files().map(|at| examined[at].place.to_string());
        let position = match backup.identity.position {
            1 => String::new(),
            position => format!("#{position}"),
        };
        places.collect::<Vec<_>>().join("+") + &position
    };
    let names = |numbers: &[usize]| {
        let names = numbers.iter().map(|&at| name(&lineage.backups[at]));
        names.collect::<Vec<_>>().join(" ")
    };
    let mut line = |what: String| writeln!(text, "{what}").expect("a string takes everything");
    line(format!("{}:", lineage.databases.join(", ")));
    for span in &lineage.spans {
        let (base, logs) = (names(&[span.base]), names(&span.logs));
        line(format!("span {base} [{logs}] by {}", names(&span.way)));
    }
    for gap in &lineage.gaps {
        let spoiled = if gap.spoiled.is_empty() {
            String::new()
        } else {
            format!(", spoiled {}", names(&gap.spoiled))
        };
        line(format!(
            "gap {}{spoiled}: {}",
            names(&gap.unreached),
            gap.reason
        ));
    }
    for contest in &lineage.contests {
        line(format!(
            "contest {:?} {}",
            contest.kind,
            names(&contest.backups)
        ));
    }
    for backup in lineage.backups.iter().filter(|it| !it.copies.is_empty()) {
        let copies = backup
            .copies
            .iter()
            .map(|at| examined[*at].place.to_string());
        let copies: Vec<String> = copies.collect();
        line(format!("copies of {}: {}", name(backup), copies.join(" ")));
    }
}

#[track_caller]
fn check(examined: &[Examined], expected: &str) {
    assert_eq!(told(examined), expected);
}

/// A full and three logs, each in a file of its own.
fn chain() -> Vec<Examined> {
    vec![
        file("full", &[full(1, 10, 20)]),
        file("log1", &[log(2, 10, 30)]),
        file("log2", &[log(3, 30, 40)]),
        file("log3", &[log(4, 40, 50)]),
    ]
}

fn without(name: &str) -> Vec<Examined> {
    let mut files = chain();
    files.retain(|file| file.place.to_string() != name);
    files
}

#[test]
fn a_whole_chain_is_one_span_in_whatever_order_its_files_come() {
    let told = "Orders:\nspan full [log1 log2 log3] by full log1 log2 log3\n";
    check(&chain(), told);
    let mut turned = chain();
    turned.reverse();
    check(&turned, told);
    let lineages = follow(&chain());
    assert!(lineages[0].is_whole());
    assert_eq!(
        (lineages[0].spans[0].from, lineages[0].spans[0].to),
        (lsn(20), lsn(50))
    );
}

#[test]
fn a_missing_log_is_a_gap_with_its_lsns() {
    let missing = format!(
        "the log from LSN {} to {} is in no delivered piece",
        lsn(30),
        lsn(40)
    );
    check(
        &without("log2"),
        &format!("Orders:\nspan full [log1] by full log1\ngap log3: {missing}\n"),
    );
}

#[test]
fn a_missing_full_leaves_nothing_and_is_told_once() {
    let mut files = without("full");
    let base = full(1, 10, 20);
    let mut third = log(4, 40, 50);
    third.base_full_guid = Some(base.set_guid);
    files[0].report.sets[0].identity.base_full_guid = Some(base.set_guid);
    files.push(file("diff", &[diff(5, &base, 32, 35)]));
    let none = "no full backup of ours leads to it";
    check(
        &files,
        &format!("Orders:\ngap log1 log2 diff log3: {none}\n"),
    );
    assert!(!follow(&files)[0].is_restorable());
}

#[test]
fn a_differential_bridges_a_missing_log() {
    let mut files = without("log2");
    files.push(file("diff", &[diff(5, &full(1, 10, 20), 38, 45)]));
    check(
        &files,
        "Orders:\nspan full [log1] by full log1\nspan diff [log3] by full diff log3\n",
    );
}

#[test]
fn a_full_without_logs_is_a_moment_and_one_inside_a_span_is_none_of_its_own() {
    let mut files = chain();
    files.push(file("inside", &[full(6, 32, 35)]));
    files.push(file("alone", &[full(7, 90, 95)]));
    check(
        &files,
        "Orders:\nspan full [log1 log2 log3] by inside log2 log3\nspan alone [] by alone\n",
    );
}

#[test]
fn a_damaged_file_leads_nowhere_and_is_named_where_it_is_missed() {
    let mut files = chain();
    files[2] = damaged(files[2].clone(), 150);
    let missing = format!(
        "the log from LSN {} to {} is in no delivered piece",
        lsn(30),
        lsn(40)
    );
    check(
        &files,
        &format!("Orders:\nspan full [log1] by full log1\ngap log3, spoiled log2: {missing}\n"),
    );
}

#[test]
fn a_damaged_full_is_named_where_it_is_missed() {
    let mut files = chain();
    files[0] = damaged(files[0].clone(), 150);
    let none = "no full backup of ours leads to it";
    check(
        &files,
        &format!("Orders:\ngap log1 log2 log3, spoiled full: {none}\n"),
    );
}

#[test]
fn damage_in_one_backup_of_a_file_leaves_the_others_whole() {
    let sets = [full(1, 10, 20), log(2, 10, 30), log(3, 30, 40)];
    let whole = file("all", &sets);
    check(
        std::slice::from_ref(&whole),
        "Orders:\nspan all [all#2 all#3] by all all#2 all#3\n",
    );
    // Filemarks stand at 100, then two for each backup.
    check(
        &[damaged(whole.clone(), 510)],
        "Orders:\nspan all [all#2] by all all#2\n",
    );
    check(
        &[damaged(whole, 110)],
        "Orders:\ngap all#2 all#3, spoiled all: no full backup of ours leads to it\n",
    );
}

fn pair(id: u128) -> [Examined; 2] {
    let media = Uuid::from_u128(0xaa);
    let sets = [full(id, 10, 20)];
    [
        stripe("one", (1, 2), media, &sets),
        stripe("two", (2, 2), media, &sets),
    ]
}

#[test]
fn stripes_are_one_backup_together_and_none_apart() {
    let mut files = without("full");
    files.extend(pair(1));
    check(
        &files,
        "Orders:\nspan one+two [log1 log2 log3] by one+two log1 log2 log3\n",
    );
    files.pop();
    let lineages = follow(&files);
    let found = lineages[0]
        .backups
        .iter()
        .find(|backup| backup.stripe_count == 2);
    let missing: Vec<u16> = found.expect("the stripe").missing().collect();
    assert_eq!(missing, [2]);
    check(
        &files,
        "Orders:\ngap log1 log2 log3, spoiled one: no full backup of ours leads to it\n",
    );
}

#[test]
fn a_stripe_that_was_overwritten_by_another_backup_is_missing_from_both() {
    let media = Uuid::from_u128(0xaa);
    let files = [
        stripe("one", (1, 2), media, &[full(1, 10, 20)]),
        stripe("two", (2, 2), media, &[full(9, 60, 70)]),
    ];
    let lineages = follow(&files);
    assert_eq!(lineages[0].backups.len(), 2);
    assert!(
        lineages[0]
            .backups
            .iter()
            .all(|backup| backup.missing().count() == 1)
    );
    assert!(!lineages[0].is_restorable());
}

#[test]
fn a_stripe_given_twice_is_a_copy_and_the_sound_one_counts() {
    let [one, two] = pair(1);
    let mut again = two.clone();
    again.place = super::Place::File("again".into());
    check(
        &[one.clone(), damaged(two.clone(), 150), again.clone()],
        "Orders:\nspan one+again [] by one+again\ncopies of one+again: two\n",
    );
    check(
        &[one, two, again],
        "Orders:\nspan one+two [] by one+two\ncopies of one+two: again\n",
    );
}

#[test]
fn a_copy_is_counted_once_and_the_sound_one_counts() {
    let mut files = chain();
    files.push(file("again", &[log(3, 30, 40)]));
    let told =
        "Orders:\nspan full [log1 log2 log3] by full log1 log2 log3\ncopies of log2: again\n";
    check(&files, told);
    files[2] = damaged(files[2].clone(), 150);
    let told = told.replace("log2", "again").replace(": again", ": log2");
    check(&files, &told);
}

#[test]
fn two_logs_of_one_place_are_a_contest() {
    let mut files = chain();
    files.push(file("rival", &[log(9, 30, 40)]));
    check(
        &files,
        "Orders:\nspan full [log1 log2 log3] by full log1 log2 log3\ncontest Place log2 rival\n",
    );
    files[2] = damaged(files[2].clone(), 150);
    check(
        &files,
        "Orders:\nspan full [log1 rival log3] by full log1 rival log3\ncontest Place rival log2\n",
    );
}

#[test]
fn one_identity_with_other_facts_is_a_contest() {
    let mut files = chain();
    files.push(file("forged", &[log(3, 30, 45)]));
    check(
        &files,
        "Orders:\nspan full [log1 log2 log3] by full log1 log2 log3\ncontest Identity log2 forged\n",
    );
}

#[test]
fn a_log_of_no_length_ends_nothing() {
    let mut files = chain();
    files.push(file("empty2", &[log(5, 40, 40)]));
    files.push(file("empty3", &[log(6, 50, 50)]));
    check(
        &files,
        "Orders:\nspan full [log1 log2 log3 empty3] by full log1 log2 log3 empty3\n",
    );
}

#[test]
fn a_copy_only_log_beside_the_chain_ends_nothing() {
    let mut files = chain();
    files.push(file("beside", &[log(5, 30, 36)]));
    check(
        &files,
        "Orders:\nspan full [log1 log2 log3] by full log1 log2 log3\n",
    );
}

#[test]
fn minimally_logged_changes_are_passed() {
    let mut files = chain();
    let identity = &mut files[2].report.sets[0].identity;
    identity.flags = identity.flags.with(SetFlags::BULK_LOGGED, true);
    check(
        &files,
        "Orders:\nspan full [log1 log2 log3] by full log1 log2 log3\n",
    );
}

/// The log that crosses from the first fork to `fork` at `point`, after a restore to there.
fn crossing(id: u128, first: u32, last: u32, point: u32, fork: u128) -> mtf::BackupSet {
    mtf::BackupSet {
        recovery_fork_guid: Uuid::from_u128(fork),
        fork_point_lsn: lsn(point),
        ..log(id, first, last)
    }
}

#[test]
fn a_restored_copy_goes_on_from_where_it_parted() {
    let mut files = chain();
    let mut copy = crossing(8, 30, 58, 35, 0xf1);
    copy.database_name = "Orders_copy".to_owned();
    files.push(file("copy", &[copy]));
    check(
        &files,
        "Orders_copy, Orders:\nspan full [log1 log2 log3] by full log1 log2 log3\n\
         span full [log1 copy] by full log1 copy\n",
    );
}

#[test]
fn logs_of_a_fork_that_no_backup_leads_to_are_out_of_reach() {
    let mut files = chain();
    let mut later = log(9, 60, 70);
    later.recovery_fork_guid = Uuid::from_u128(0xf2);
    later.first_recovery_fork_guid = Uuid::from_u128(0xf2);
    assert_ne!(later.recovery_fork_guid, Uuid::from_u128(FORK));
    files.push(file("other", &[later]));
    check(
        &files,
        "Orders:\nspan full [log1 log2 log3] by full log1 log2 log3\n\
         gap other: the database was restored or failed over to another recovery fork\n",
    );
}

#[test]
fn databases_are_told_apart_by_family_and_by_name_where_there_is_none() {
    let of = |id, name: &str, family: u128| {
        let mut set = full(id, 10, 20);
        set.database_name = name.to_owned();
        set.family_guid = Uuid::from_u128(family);
        set
    };
    let files = [
        file("a", &[of(1, "A", 1)]),
        file("b", &[of(2, "B", 2)]),
        file("c", &[of(3, "C", 0)]),
        file("d", &[of(4, "D", 0)]),
    ];
    check(
        &files,
        "A:\nspan a [] by a\nB:\nspan b [] by b\nC:\nspan c [] by c\nD:\nspan d [] by d\n",
    );
}

#[test]
fn a_backup_of_a_filegroup_stands_in_no_chain_and_disturbs_none() {
    let mut files = chain();
    let part = mtf::BackupKind::Other(b'F');
    files.push(file("part", &[super::samples::set(9, part, 30, 40)]));
    check(
        &files,
        "Orders:\nspan full [log1 log2 log3] by full log1 log2 log3\n",
    );
}
