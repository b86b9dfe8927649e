//! What must be so: the sum of all accounts after every crash, what was acknowledged, and the sum at
//! every mark that all members have.
//!
//! Start at [`settle`] and [`restore_to_every_mark`]. Chains are found in the media themselves, as a
//! database administrator would who has lost msdb.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use sqlsim::faults::Dice;
use sqlsim::value::Value;

use super::books::Books;
use super::world::{World, host_name};
use crate::hosts::Answer;

/// How often hosts are asked, and how long an outcome may take to arrive.
const ASK_EVERY_MS: u64 = 100;
const ASKED_MAX: u64 = 1200;

/// Waits until nobody is in doubt; then the sum must be right, and nothing that was acknowledged
/// may be missing.
pub(crate) async fn settle(world: &World, books: &Books) {
    let mut seen = 0;
    for _ in 0..ASKED_MAX {
        seen = sum(world, "Bank").await;
        let is_settled = world
            .hosts()
            .all(|host| host.instance.dtc.in_doubt().is_empty());
        if is_settled && seen == world.total() {
            return all_is_there(world, books).await;
        }
        world.wait(ASK_EVERY_MS).await;
    }
    let doubts: Vec<_> = world
        .hosts()
        .map(|host| host.instance.dtc.in_doubt())
        .collect();
    panic!(
        "after the crashes the sum is {seen} and not {}; in doubt: {doubts:?}",
        world.total()
    );
}

/// The sum over the accounts of a database of this name on every host.
async fn sum(world: &World, database: &str) -> i128 {
    let mut sum = 0;
    for at in 0..world.size() {
        let sql = format!("SELECT SUM(Total) FROM {database}.dbo.Account");
        sum += whole(world.told(at, &sql).await.value());
    }
    sum
}

pub(crate) fn whole(value: &Value) -> i128 {
    match value {
        Value::Decimal(number) if number.scale == 0 => number.unscaled,
        Value::Int(number) => (*number).into(),
        other => panic!("not a whole number: {other:?}"),
    }
}

async fn all_is_there(world: &World, books: &Books) {
    for at in 0..world.size() {
        let answer = world.told(at, "SELECT Move FROM dbo.Moved").await;
        let there: BTreeSet<i128> = answer.rows.iter().map(|row| whole(&row[0])).collect();
        for (number, hosts) in &books.open().moved {
            let is_here = there.contains(&i128::from(*number));
            assert_eq!(
                is_here,
                hosts.contains(&at),
                "transfer {number} was acknowledged on {hosts:?}; seen at {at}: {is_here}"
            );
        }
    }
}

/// A backup, as its medium tells.
#[derive(Clone, Debug)]
struct Piece {
    path: PathBuf,
    kind: i128,
    first: i128,
    last: i128,
    checkpoint: i128,
    base: i128,
}

/// `BackupType` of a full, a log and a differential.
const FULL: i128 = 1;
const LOG: i128 = 2;
const DIFFERENTIAL: i128 = 5;

/// Restores every host's bank to each mark that all have in their history.
pub(crate) async fn restore_to_every_mark(world: &World, books: &Books, dice: &mut Dice) {
    let (marks, pieces) = (common_marks(world).await, pieces(world, books).await);
    for (name, lsns) in marks {
        for (at, lsn) in lsns.iter().enumerate() {
            restore(world, at, &chain(&pieces[at], *lsn, dice), &name).await;
        }
        assert_eq!(
            sum(world, "Copied").await,
            world.total(),
            "the sum at mark {name}"
        );
        for at in 0..world.size() {
            world.told(at, "USE master; DROP DATABASE Copied").await;
        }
        let mut pages = books.open();
        pages.told.marks += 1;
        pages.told.restores += world.size() as u64;
    }
}

/// The marks that all hosts know, with their LSN on each.
async fn common_marks(world: &World) -> BTreeMap<String, Vec<i128>> {
    let mut marks: BTreeMap<String, Vec<i128>> = BTreeMap::new();
    for at in 0..world.size() {
        let sql = "SELECT mark_name, lsn FROM msdb.dbo.logmarkhistory WHERE database_name = 'Bank'";
        for row in &world.told(at, sql).await.rows {
            let name = row[0].as_text().expect("a name").to_owned();
            let lsns = marks.entry(name).or_default();
            // The same mark in a history twice would be a host counted twice.
            if lsns.len() == at {
                lsns.push(whole(&row[1]));
            }
        }
    }
    marks.retain(|_, lsns| lsns.len() == world.size());
    marks
}

/// What the media of each host hold. One whose backup was broken off is none.
async fn pieces(world: &World, books: &Books) -> Vec<Vec<Piece>> {
    let media = books.open().media.clone();
    let mut pieces = vec![Vec::new(); world.size()];
    for (at, path) in media {
        let sql = format!("RESTORE HEADERONLY FROM DISK = '{}'", path.display());
        let answer = world.ask(at, &[&sql]).await.expect("the host is up");
        // A medium that was broken off behind its own header is one without a backup.
        if answer.errors.is_empty() && !answer.rows.is_empty() {
            pieces[at].push(piece(path, &answer));
        }
    }
    pieces
}

fn piece(path: PathBuf, header: &Answer) -> Piece {
    let cell = |name| whole(header.cell(name));
    Piece {
        path,
        kind: cell("BackupType"),
        first: cell("FirstLSN"),
        last: cell("LastLSN"),
        checkpoint: cell("CheckpointLSN"),
        base: cell("DatabaseBackupLSN"),
    }
}

/// A way to a mark: any full before it, perhaps a differential, and every log from there on.
fn chain(pieces: &[Piece], mark: i128, dice: &mut Dice) -> Vec<Piece> {
    let of = |kind| {
        let before = move |piece: &&Piece| piece.kind == kind && piece.last <= mark;
        pieces.iter().filter(before)
    };
    let fulls: Vec<&Piece> = of(FULL).collect();
    let full = fulls[dice.place(fulls.len())];
    let mut chain = vec![full.clone()];
    let differentials: Vec<&Piece> = of(DIFFERENTIAL)
        .filter(|piece| piece.base == full.checkpoint)
        .collect();
    if !differentials.is_empty() && dice.below(2) == 0 {
        chain.push(differentials[dice.place(differentials.len())].clone());
    }
    let mut reached = chain.last().map_or(0, |piece| piece.last);
    let mut logs: Vec<&Piece> = pieces.iter().filter(|piece| piece.kind == LOG).collect();
    logs.sort_by_key(|log| (log.last, log.first));
    for log in logs {
        // A host that died before it remembered its log backup takes the same log again: the second of two that end
        // at one place leads no further.
        if log.last > reached && log.first <= mark {
            reached = log.last;
            chain.push(log.clone());
        }
    }
    chain
}

/// Brings a copy of a host's bank to a mark.
async fn restore(world: &World, at: usize, chain: &[Piece], mark: &str) {
    let (data, log) = (world.file("copied.mdf"), world.file("copied.ldf"));
    for piece in chain {
        let from = format!(
            "Copied FROM DISK = '{}' WITH NORECOVERY",
            piece.path.display()
        );
        let sql = match piece.kind {
            LOG => format!("RESTORE LOG {from}, STOPATMARK = '{mark}'"),
            FULL => format!(
                "RESTORE DATABASE {from}, MOVE 'Bank' TO '{}', MOVE 'Bank_log' TO '{}'",
                data.display(),
                log.display()
            ),
            _ => format!("RESTORE DATABASE {from}"),
        };
        world.told(at, &sql).await;
    }
    world
        .told(at, "RESTORE DATABASE Copied WITH RECOVERY")
        .await;
    let sql = format!("SELECT COUNT(*) FROM Copied.dbo.MarkLog WHERE MarkName = '{mark}'");
    let found = whole(world.told(at, &sql).await.value());
    assert_eq!(found, 1, "mark {mark} on {} by {chain:?}", host_name(at));
}
