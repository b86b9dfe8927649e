//! One story: troubled runs of the agent, then an end of all faults and a reckoning, a few times over.
//!
//! Start at [`play`]. What is right and wrong stands in `oracle.rs`.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlsim::faults::Dice;
use stopmark::report::run::RunReport;
use stopmark::run::Interrupt;
use stopmark::run::events::Verdict;
use stopmark::run::record::Record;
use stopmark::world::World;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::agent::{Act, Agent, Habits, elsewhere, store_folder};
use super::bank::Bank;
use super::books::Books;
use super::clock::StoryClock;
use super::hosts::Hosts;
use super::replicas::Replica;
use super::template::Template;
use super::weather::{End, Weather};
use super::{faults, oracle, owed, replicas};

/// How long before the first run the hosts were made.
const BEFORE: Duration = Duration::from_secs(3600);

/// Milliseconds after which a story has surely come to a stop.
const STUCK_MS: u64 = 60 * 24 * 3600 * 1000;

/// Effects in a thousand that fail in a run, chosen among these.
const FAILING: [u64; 6] = [0, 0, 5, 20, 60, 150];

/// Everything that a story plays on.
pub(crate) struct Scene {
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) bank: Arc<Bank>,
    pub(crate) agent: Agent,
    pub(crate) books: Arc<Books>,
    pub(crate) habits: Habits,
    pub(crate) folder: TempDir,
    /// Something rots in a store that nobody has looked at since.
    is_rotten: bool,
}

/// Plays the story of a seed. Panics when something is not as it must be.
pub(crate) async fn play(
    template: &Template,
    (seed, engine): (u64, Option<&'static str>),
    clock: &Arc<StoryClock>,
    books: &Arc<Books>,
) {
    let mut dice = Dice::new(seed);
    clock.advance(BEFORE);
    let mut scene = Scene::set(template, engine, (clock, books), &mut dice).await;
    let hosts = Arc::clone(&scene.hosts);
    let mut keepers = JoinSet::new();
    for at in 0..hosts.count() {
        let own = Dice::new(dice.roll());
        keepers.spawn(Arc::clone(&hosts).keep_up(at, Arc::clone(books), own));
    }
    tokio::select! {
        () = Box::pin(scene.play(&mut dice)) => {}
        Some(Err(failed)) = keepers.join_next() => resume_unwind(failed.into_panic()),
        () = clock.wait_ms(STUCK_MS) => panic!("the story never comes to its end"),
    }
    hosts.end();
}

impl Scene {
    async fn set(
        template: &Template,
        biztalk: Option<&'static str>,
        (clock, books): (&Arc<StoryClock>, &Arc<Books>),
        dice: &mut Dice,
    ) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let (blanks, mut bank) = template.some(dice);
        let hosts = Hosts::of(&blanks, &folder.path().join("hosts"), clock).await;
        let habits = Habits {
            stores: 1 + dice.below(3) / 2,
            keep_last: (dice.below(2) == 0).then(|| 2 + dice.below(3)),
            sees_elsewhere: dice.below(2) == 0,
            hears: dice.below(3) > 0,
            replica: Replica::some(&bank, dice).filter(|_| biztalk.is_none()),
            biztalk,
        };
        bank.grouped = habits.replica.map(|it| it.database(&bank).to_owned());
        if biztalk.is_some() {
            super::biztalk::install(&hosts, &bank).await;
        }
        if !habits.hears {
            faults::deafen(&hosts).await;
        }
        books.note(format!("{habits:?}, {:?}", bank.ledgers));
        Self {
            agent: Agent::install(folder.path(), (&hosts, &bank), habits, &books.marks),
            hosts,
            bank: Arc::new(bank),
            books: Arc::clone(books),
            habits,
            folder,
            is_rotten: false,
        }
    }

    async fn play(&mut self, dice: &mut Dice) {
        let mut world = self.agent.start();
        for act in [Act::Full, Act::Log] {
            let record = self.calm(&world, act).await;
            oracle::is_done(&record);
        }
        replicas::join(self).await;
        for _ in 0..=dice.below(3) {
            for _ in 0..=dice.below(5) {
                world = self.trouble(world, dice).await;
            }
            self.heal(&world, dice).await;
        }
        oracle::bring_back(self, &world, dice).await;
    }

    /// A run in bad weather, and the world as it is found after it.
    async fn trouble(&mut self, world: World, dice: &mut Dice) -> World {
        self.meanwhile(dice).await;
        let failing = FAILING[dice.place(FAILING.len())];
        let (end, own) = (end(dice), Dice::new(dice.roll()));
        let skew_ms = skew_ms(dice);
        let weather = Weather::new(&self.books, (failing, skew_ms), end, own);
        let stormy = weather.world(&world);
        let act = any_act(dice);
        self.books.note(format!(
            "{act:?} begins, {end:?}, {failing} in a thousand fail, the agent's clock is {skew_ms} ms early"
        ));
        let life = self.life(act, &stormy, &weather, dice.below(400_000));
        let (clients, own) = (dice.below(12), Dice::new(dice.roll()));
        let money = self.bank.transfers(&self.hosts, &self.books, own, clients);
        let (lives, ()) = tokio::join!(life, money);
        if lives {
            return world;
        }
        self.books.count(|told| told.kills += 1);
        drop((stormy, world));
        // A backup that no journal has must be known from its file then.
        let often = if matches!(end, End::KilledAtBackup(_)) {
            2
        } else {
            6
        };
        if dice.below(often) == 0 {
            faults::forget_backups(&self.hosts, &self.bank, &self.books).await;
        }
        match dice.below(12) {
            0 => {
                self.books.note("the agent's machine is lost");
                self.agent.lose_machine();
                let world = self.agent.start();
                let published = owed::published(self, &world).await;
                self.books.marks.machine_is_lost(&published);
                return world;
            }
            1 | 2 => {
                self.books.note("the catalog is lost");
                self.agent.lose_catalog();
            }
            _ => {}
        }
        self.agent.start()
    }

    /// One run until its end or its agent's; whether the agent lives.
    async fn life(&self, act: Act, world: &World, weather: &Weather, doom_ms: u64) -> bool {
        let doom = async {
            // One in four meets its end at some time, wherever it is then.
            if doom_ms < 100_000 {
                self.hosts.clock.wait_ms(doom_ms).await;
                self.books.note("the agent is killed wherever it is");
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = weather.died.cancelled() => false,
            ended = self.agent.act(act, world, &weather.interrupt) => {
                self.note(act, &ended);
                true
            }
            () = doom => false,
        }
    }

    /// What happens before a run.
    async fn meanwhile(&mut self, dice: &mut Dice) {
        let bits = dice.below(24);
        let pause = dice.below(1 << bits);
        self.hosts.clock.advance(Duration::from_millis(pause));
        if dice.below(2) == 0 {
            faults::clear(&self.hosts);
        }
        let elsewhere = elsewhere(self.folder.path());
        if dice.below(4) == 0 {
            faults::others(&self.hosts, &self.bank, &self.books, &elsewhere, dice).await;
        }
        replicas::meanwhile(self, faults::is_quiet(&self.hosts), dice).await;
        if dice.below(10) == 0 {
            let number = 1 + dice.below(self.habits.stores);
            let store = |number| store_folder(self.folder.path(), number);
            let stores: Vec<PathBuf> = (1..=self.habits.stores).map(store).collect();
            self.is_rotten |= faults::rot((&stores, number), &self.books, dice);
        }
        let count = dice.below(4);
        faults::deal(
            &self.hosts,
            (&self.bank, &elsewhere),
            &self.books,
            dice,
            count,
        );
    }

    /// All faults end; one run later everything is well.
    async fn heal(&mut self, world: &World, dice: &mut Dice) {
        self.books.note("all faults end");
        faults::relieve(&self.hosts, &self.bank).await;
        replicas::relieve(self).await;
        oracle::settle(self).await;
        self.hosts
            .clock
            .advance(Duration::from_secs(dice.below(600)));
        replicas::in_step(self).await;
        if std::mem::take(&mut self.is_rotten) {
            // What rotted may belong to a run that was cut short, and only what is published is looked at again.
            self.calm(world, Act::Log).await;
            self.calm(world, Act::Scrub).await;
        }
        let mut record = self.calm(world, Act::Log).await;
        oracle::is_done(&record);
        if self.habits.biztalk.is_some() && !super::biztalk::is_complete(&self.hosts).await {
            record = self.calm(world, Act::Log).await;
            oracle::is_done(&record);
        }
        if self.habits.keep_last.is_some() {
            self.calm(world, Act::Prune).await;
        }
        oracle::is_whole(self, world, &record).await;
    }

    /// A ledger is on another host from now on.
    pub(crate) fn bank_moves(&mut self, ledger: usize, host: usize) {
        let mut bank = (*self.bank).clone();
        bank.ledgers[ledger].host = host;
        self.bank = Arc::new(bank);
    }

    /// A run that nothing is in the way of.
    pub(crate) async fn calm(&self, world: &World, act: Act) -> Record {
        self.books
            .note(format!("{act:?} begins, and nothing is in its way"));
        let ended = self.agent.act(act, world, &Interrupt::default()).await;
        self.note(act, &ended);
        let record = ended.unwrap_or_else(|error| panic!("{act:?}: {error:?}"));
        record.unwrap_or_else(|| panic!("{act:?} had nothing to do"))
    }

    fn note(&self, act: Act, ended: &stopmark::error::Result<Option<Record>>) {
        let is_well = |record: &Record| record.ended.is_some_and(|(it, _)| it == Verdict::Done);
        let text = match ended {
            Ok(Some(record)) => RunReport::of(record).text(),
            Ok(None) => "nothing to do".to_owned(),
            Err(error) => format!("{error:?}"),
        };
        let is_unwell = !ended
            .as_ref()
            .is_ok_and(|it| it.as_ref().is_none_or(is_well));
        self.books.note(format!("{act:?} ended: {text}"));
        self.books.count(|told| {
            told.runs += 1;
            told.unwell += u64::from(is_unwell);
        });
    }
}

fn any_act(dice: &mut Dice) -> Act {
    match dice.below(12) {
        0 | 1 => Act::Full,
        2 => Act::Differential,
        3 => Act::Prune,
        4 => Act::Scrub,
        _ => Act::Log,
    }
}

/// One agent's clock in six is wrong, by two hours at most.
fn skew_ms(dice: &mut Dice) -> i64 {
    let ms = i64::try_from(dice.below(14_400_000)).unwrap_or_default() - 7_200_000;
    if dice.below(6) == 0 { ms } else { 0 }
}

/// One agent in four is killed at some effect or line of its journal or at a backup, one in twelve is asked to stop.
fn end(dice: &mut Dice) -> End {
    let moment = 1 + dice.below(120);
    match dice.below(12) {
        0 | 1 => End::Killed(moment),
        2 => End::KilledAtBackup(1 + moment % 6),
        3 => End::Stopped(moment),
        _ => End::None,
    }
}
