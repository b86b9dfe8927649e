//! What clients do in a story: transfers on one host and over several, marks over all, backups.
//!
//! Start at [`work`]. A client that was told of an error, or told nothing, goes on with something
//! else: what it does not know for certain it does not write down.

use std::fmt::Write as _;
use std::sync::Arc;

use sqlsim::faults::Dice;

use super::books::Books;
use super::world::{ACCOUNTS, World, host_name};

/// Milliseconds that a client thinks at most between two acts: some never do.
const THINKING_MS: [u64; 4] = [0, 5, 20, 60];

/// The kinds of backups, as they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backup {
    /// `BACKUP DATABASE`.
    Full,
    /// The same `WITH DIFFERENTIAL`.
    Differential,
    /// `BACKUP LOG`.
    Log,
}

/// One client's acts.
pub(crate) async fn work(world: Arc<World>, books: Arc<Books>, mut dice: Dice, acts: u64) {
    let thinking_ms = THINKING_MS[dice.place(THINKING_MS.len())];
    for _ in 0..acts {
        world.wait(dice.below(thinking_ms)).await;
        match dice.below(10) {
            0 | 1 => mark(&world, &books, &mut dice).await,
            2 => {
                let at = dice.place(world.size());
                back_up(&world, &books, at, any_backup(&mut dice)).await;
            }
            _ => transfer(&world, &books, &mut dice).await,
        }
    }
}

fn any_backup(dice: &mut Dice) -> Backup {
    match dice.below(5) {
        0 => Backup::Full,
        1 => Backup::Differential,
        _ => Backup::Log,
    }
}

/// Takes a backup of a host's bank, and notes the medium before, as nobody may learn of its end.
pub(crate) async fn back_up(world: &World, books: &Books, at: usize, kind: Backup) {
    let path = world.medium(&format!("{}_{}.bak", host_name(at), books.number()));
    let (what, with) = match kind {
        Backup::Full => ("DATABASE", "FORMAT"),
        Backup::Differential => ("DATABASE", "FORMAT, DIFFERENTIAL"),
        Backup::Log => ("LOG", "FORMAT"),
    };
    let sql = format!(
        "BACKUP {what} Bank TO DISK = '{}' WITH {with}",
        path.display()
    );
    books.open().media.push((at, path));
    let answer = world.ask(at, &[&sql]).await;
    if answer.is_some_and(|answer| answer.errors.is_empty()) {
        books.open().told.backups += 1;
    }
}

/// A mark over all hosts, begun on any of them. Whether it was placed is told by the histories.
async fn mark(world: &World, books: &Books, dice: &mut Dice) {
    let first = dice.place(world.size());
    let sql = mark_batch(world.size(), first, books.number());
    world.ask(first, &[&sql]).await;
}

/// The batch for a mark of this number over all hosts, to be run in the bank of the first.
pub(crate) fn mark_batch(size: usize, first: usize, number: u64) -> String {
    let mut sql = format!(
        "SET XACT_ABORT ON; DECLARE @m nvarchar(32) = N'M{number}'; \
         BEGIN TRAN @m WITH MARK @m; EXEC dbo.sp_SetMark @m;"
    );
    for step in 1..size {
        let other = host_name((first + step) % size);
        write!(sql, " EXEC {other}.Bank.dbo.sp_SetMarkRemote @m;").expect("a string");
    }
    sql.push_str(" COMMIT");
    sql
}

/// Money moves from one account to others, at home and elsewhere.
async fn transfer(world: &World, books: &Books, dice: &mut Dice) {
    let number = books.number();
    let (sql, hosts) = transfer_batch(world.size(), number, dice);
    let home = hosts[0];
    let answer = world.ask(home, &[&sql]).await;
    if answer.is_some_and(|answer| answer.errors.is_empty()) {
        let mut pages = books.open();
        pages.told.transfers += 1;
        pages.moved.push((number, hosts));
    }
}

/// The batch of a transfer of this number, and its hosts, first that whose bank is to run it.
pub(crate) fn transfer_batch(size: usize, number: u64, dice: &mut Dice) -> (String, Vec<usize>) {
    let home = dice.place(size);
    let near = (home + 1 + dice.place(size - 1)) % size;
    let far = (0..size).find(|at| *at != home && *at != near);
    let (account, amount) = (dice.below(ACCOUNTS), 1 + dice.below(90));
    let own = |amount: i64, account: u64| format!("EXEC dbo.Credit {account}, {amount}, {number};");
    let other = |at: usize, procedure: &str| {
        let name = host_name(at);
        format!("EXEC {name}.Bank.dbo.{procedure} {account}, {amount}, {number};")
    };
    let less = |times: i64| -i64::try_from(amount).unwrap_or_default() * times;
    let (mut acts, hosts) = match (dice.below(5), far) {
        (0, _) => {
            let another = (account + 1) % ACCOUNTS;
            let acts = vec![own(less(1), account), own(-less(1), another)];
            (acts, vec![home])
        }
        (1, Some(far)) => {
            let acts = vec![
                own(less(2), account),
                other(near, "Credit"),
                other(far, "Credit"),
            ];
            (acts, vec![home, near, far])
        }
        (2, Some(far)) => {
            let pass = other(near, &format!("PassTo{}", host_name(far)));
            (vec![own(less(2), account), pass], vec![home, near, far])
        }
        _ => {
            let acts = vec![own(less(1), account), other(near, "Credit")];
            (acts, vec![home, near])
        }
    };
    if dice.below(2) == 0 {
        acts.reverse();
    }
    let acts = acts.join(" ");
    (
        format!("SET XACT_ABORT ON; BEGIN TRAN; {acts} COMMIT"),
        hosts,
    )
}
