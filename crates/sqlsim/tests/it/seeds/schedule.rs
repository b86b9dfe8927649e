//! One story: rounds of work with crashes in them, a reckoning after each, and restores at the end.
//!
//! Start at [`story`]. What is right and wrong stands in `check.rs`.

use std::sync::Arc;
use std::time::Duration;

use sqlsim::faults::{Dice, Fault, FaultKind, KillPoint};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::books::{Books, Told};
use super::check;
use super::work::{self, Backup};
use super::world::{HOSTS_MAX, Host, Loss, Template, World, host_name};
use crate::clock::HandClock;

/// Turns that every task gets before the clock moves, and how far it moves.
const TURNS: u32 = 32;
/// See [`TURNS`].
const TICK: Duration = Duration::from_millis(5);

/// Milliseconds after which a client has surely given up.
const STUCK_MS: u64 = 3_600_000;

/// Plays the story of a seed. Panics when something is not as it must be.
pub(crate) async fn story(template: &Template, seed: u64) -> Told {
    let mut dice = Dice::new(seed);
    let hosts = 2 + dice.place(HOSTS_MAX - 1);
    let world = World::new(template, hosts).await;
    let ticking = tokio::spawn(tick(Arc::clone(&world.clock)));
    let books = Arc::new(Books::default());
    back_up_all(&world, &books, Backup::Full).await;
    for _ in 0..=dice.below(3) {
        round(&world, &books, &mut dice).await;
        check::settle(&world, &books).await;
    }
    back_up_all(&world, &books, Backup::Log).await;
    // Nobody waits any more, and the clock's turns would only be in the way of the media.
    ticking.abort();
    check::restore_to_every_mark(&world, &books, &mut dice).await;
    books.open().told
}

async fn back_up_all(world: &World, books: &Books, kind: Backup) {
    for at in 0..world.size() {
        work::back_up(world, books, at, kind).await;
    }
}

/// Time passes while work goes on, and quickly where everybody waits for it.
async fn tick(clock: Arc<HandClock>) {
    loop {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        clock.advance(TICK);
    }
}

/// Clients at work, and hosts that die and come back meanwhile.
async fn round(world: &Arc<World>, books: &Arc<Books>, dice: &mut Dice) {
    let (mut clients, mut crashes) = (JoinSet::new(), JoinSet::new());
    let over = CancellationToken::new();
    for _ in 0..2 + dice.below(7) {
        let acts = 4 + dice.below(8);
        let own = Dice::new(dice.roll());
        clients.spawn(work::work(Arc::clone(world), Arc::clone(books), own, acts));
    }
    for at in struck(world.size(), dice) {
        let crash = Crash {
            world: Arc::clone(world),
            books: Arc::clone(books),
            at,
            over: over.clone(),
        };
        crashes.spawn(crash.happen(Dice::new(dice.roll())));
    }
    tokio::select! {
        () = all(&mut clients) => {}
        () = world.wait(STUCK_MS) => panic!("a client never comes to its end"),
    }
    over.cancel();
    all(&mut crashes).await;
}

/// The hosts that die in a round: mostly one, sometimes none or two.
fn struck(size: usize, dice: &mut Dice) -> Vec<usize> {
    let first = dice.place(size);
    let second = (first + 1 + dice.place(size - 1)) % size;
    match dice.below(6) {
        0 => Vec::new(),
        1 | 2 => vec![first, second],
        _ => vec![first],
    }
}

async fn all(tasks: &mut JoinSet<()>) {
    while let Some(done) = tasks.join_next().await {
        if let Err(failed) = done {
            std::panic::resume_unwind(failed.into_panic());
        }
    }
}

/// The death of a host in a round.
struct Crash {
    world: Arc<World>,
    books: Arc<Books>,
    at: usize,
    over: CancellationToken,
}

impl Crash {
    async fn happen(self, mut dice: Dice) {
        self.world.wait(dice.below(400)).await;
        let Some(host) = self.world.host(self.at) else {
            return;
        };
        arm(&host, &mut dice);
        tokio::select! {
            () = host.gone() => {}
            () = self.over.cancelled() => {}
        }
        let loss = if dice.below(2) == 0 {
            Loss::Power
        } else {
            Loss::Process
        };
        let Some(disk) = self.world.crash(self.at, loss) else {
            return;
        };
        self.books.open().told.crashes += 1;
        self.world.wait(dice.below(1500)).await;
        if dice.below(3) == 0 {
            // It dies again while it starts, if that takes so many changes.
            disk.dies_after(1 + dice.below(40));
            if self.world.start(self.at, Arc::clone(&disk)).await.is_ok() {
                self.world.crash(self.at, loss);
            }
            disk.dies_after(0);
        }
        let left = match loss {
            Loss::Power => disk.after_power_loss(),
            Loss::Process => disk.copy(),
        };
        let started = self.world.start(self.at, left).await;
        let name = host_name(self.at);
        started.unwrap_or_else(|error| panic!("{name} does not start after a crash: {error}"));
        let doubts = self
            .world
            .host(self.at)
            .map(|host| host.instance.dtc.in_doubt().len());
        self.books.open().told.in_doubt += doubts.unwrap_or_default() as u64;
    }
}

/// Chooses what the host dies of: a change of its disk, a point of a commit, or nothing in
/// particular.
fn arm(host: &Host, dice: &mut Dice) {
    let point = match dice.below(8) {
        0 => return host.disk.dies_after(0),
        1 => KillPoint::BeforeDecision,
        2 => KillPoint::AfterDecision,
        3 => KillPoint::AfterPrepare,
        _ => return host.disk.dies_after(1 + dice.below(60)),
    };
    let mut fault = Fault::once(FaultKind::Kill(point));
    fault.skip = u32::try_from(dice.below(3)).unwrap_or_default();
    host.instance.faults.arm(fault);
}
