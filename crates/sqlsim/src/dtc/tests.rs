//! The protocol among hosts made of nothing but a log, under many interleavings.
//!
//! Start at [`every_transaction_is_on_one_side_of_the_mark`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// One host: its coordinator, and the order in which transactions committed.
struct Host {
    dtc: Arc<Dtc>,
    log: Mutex<Vec<Uuid>>,
    decided: Mutex<BTreeSet<Uuid>>,
    prepares: AtomicU32,
}

impl Host {
    fn new(step: Duration) -> Arc<Self> {
        let clock = Arc::new(crate::clock::SystemClock::new());
        Arc::new(Self {
            dtc: Arc::new(Dtc::new(clock, step)),
            log: Mutex::default(),
            decided: Mutex::default(),
            prepares: AtomicU32::new(0),
        })
    }

    fn log(&self) -> Vec<Uuid> {
        self.log.lock().expect("no panics while held").clone()
    }
}

struct Log {
    host: Arc<Host>,
    gtrid: Uuid,
    databases: usize,
}

#[async_trait::async_trait]
impl Local for Log {
    fn databases(&self) -> usize {
        self.databases
    }

    async fn prepare(&mut self, _gtrid: Uuid) -> SqlResult<()> {
        self.host.prepares.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn commit(&mut self) -> SqlResult<()> {
        tokio::task::yield_now().await;
        self.host
            .log
            .lock()
            .expect("no panics while held")
            .push(self.gtrid);
        Ok(())
    }

    async fn abort(&mut self) {}
}

struct Book(Arc<Host>);

#[async_trait::async_trait]
impl Decisions for Book {
    async fn decide(&self, gtrid: Uuid) -> SqlResult<()> {
        tokio::task::yield_now().await;
        self.0
            .decided
            .lock()
            .expect("no panics while held")
            .insert(gtrid);
        Ok(())
    }

    fn is_committed(&self, gtrid: Uuid) -> SqlResult<bool> {
        Ok(self
            .0
            .decided
            .lock()
            .expect("no panics while held")
            .contains(&gtrid))
    }

    fn forget(&self, gtrid: Uuid) {
        self.0
            .decided
            .lock()
            .expect("no panics while held")
            .remove(&gtrid);
    }
}

/// A call of another host, whose connection can be cut after the prepare.
struct Remote {
    host: Arc<Host>,
    gtrid: Uuid,
    is_mark: bool,
    is_cut: bool,
    part: Option<Participant>,
}

impl Remote {
    fn to(host: &Arc<Host>, gtrid: Uuid, is_cut: bool) -> Box<dyn Branch> {
        let part = Participant::new(log(host, gtrid), Vec::new(), "first", false);
        let (host, part) = (Arc::clone(host), Some(part));
        Box::new(Self {
            host,
            gtrid,
            is_mark: false,
            is_cut,
            part,
        })
    }
}

#[async_trait::async_trait]
impl Branch for Remote {
    async fn close(&mut self, gtrid: Uuid, closing: Closing) -> SqlResult<()> {
        tokio::task::yield_now().await;
        self.is_mark = true;
        close(&self.host.dtc, gtrid, closing, &mut []).await
    }

    async fn prepare(&mut self, gtrid: Uuid) -> SqlResult<()> {
        tokio::task::yield_now().await;
        self.part = None;
        let local = log(&self.host, self.gtrid);
        let part = Participant::new(local, Vec::new(), "first", self.is_mark);
        part.prepare(&self.host.dtc, gtrid).await
    }

    async fn end(&mut self, gtrid: Uuid, is_committed: bool) -> SqlResult<()> {
        tokio::task::yield_now().await;
        if self.is_cut {
            return Err(dtc_cancelled());
        }
        match self.part.take() {
            Some(part) => part.abort(&self.host.dtc, gtrid).await,
            None => self.host.dtc.resolve(gtrid, is_committed).await?,
        }
        Ok(())
    }
}

fn log(host: &Arc<Host>, gtrid: Uuid) -> Box<dyn Local> {
    Box::new(Log {
        host: Arc::clone(host),
        gtrid,
        databases: 1,
    })
}

fn book(host: &Arc<Host>) -> Arc<dyn Decisions> {
    Arc::new(Book(Arc::clone(host)))
}

async fn run(gtrid: Uuid, is_mark: bool, hosts: &[Arc<Host>], is_cut: bool) -> SqlResult<()> {
    let branches = hosts[1..]
        .iter()
        .map(|host| Remote::to(host, gtrid, is_cut))
        .collect();
    let (local, decisions) = (log(&hosts[0], gtrid), book(&hosts[0]));
    commit(
        &hosts[0].dtc,
        Root {
            gtrid,
            is_mark,
            local,
            branches,
            decisions,
        },
    )
    .await
}

/// Which transactions a restore to the mark would bring back on this host.
fn before(host: &Host, mark: Uuid) -> BTreeSet<Uuid> {
    host.log()
        .into_iter()
        .take_while(|gtrid| *gtrid != mark)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_transaction_is_on_one_side_of_the_mark() {
    let hosts: Vec<_> = (0..3).map(|_| Host::new(Duration::from_secs(5))).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..6_usize {
        let hosts = hosts.clone();
        tasks.spawn(async move {
            for round in 0..150_u128 {
                let gtrid = Uuid::from_u128(1_000_000 + (worker as u128) * 1_000 + round);
                let pair =
                    [worker % 3, (worker + 1 + worker / 3) % 3].map(|at| Arc::clone(&hosts[at]));
                run(gtrid, false, &pair, false)
                    .await
                    .expect("nothing is lost");
            }
        });
    }
    for number in 1..=8_u128 {
        work_goes_on(&hosts[0], &mut tasks).await;
        let order: Vec<_> = (0..3)
            .map(|at| Arc::clone(&hosts[(at + number as usize) % 3]))
            .collect();
        run(Uuid::from_u128(number), true, &order, false)
            .await
            .expect("the mark is placed");
        tokio::task::yield_now().await;
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no worker panics");
    }
    let homes = homes(&hosts);
    for number in 1..=8_u128 {
        let cuts: Vec<_> = hosts
            .iter()
            .map(|h| before(h, Uuid::from_u128(number)))
            .collect();
        for (gtrid, on) in &homes {
            let sides: BTreeSet<_> = on.iter().map(|at| cuts[*at].contains(gtrid)).collect();
            assert_eq!(
                sides.len(),
                1,
                "transaction {gtrid} is torn by mark {number}"
            );
        }
    }
}

/// A coordinator whose own gate no mark closes: its prepares are refused rather than waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_outside_of_the_marks_hosts_cannot_tear_the_mark() {
    let hosts: Vec<_> = (0..3)
        .map(|_| Host::new(Duration::from_millis(400)))
        .collect();
    let (outside, inside) = (
        Arc::clone(&hosts[2]),
        [&hosts[0], &hosts[1]].map(Arc::clone),
    );
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..4_u128 {
        let path = if worker % 2 == 0 {
            [2, 0, 1]
        } else {
            [2, 1, 0]
        };
        let path = path.map(|at| Arc::clone(&hosts[at]));
        tasks.spawn(async move {
            for round in 0..200 {
                let gtrid = Uuid::from_u128(1_000_000 + worker * 1_000 + round);
                // Refused ones have left nothing behind; the check below sees to that.
                let _refused = run(gtrid, false, &path, false).await;
            }
        });
    }
    let mut placed = Vec::new();
    for number in 1..=20 {
        let mark = Uuid::from_u128(number);
        work_goes_on(&outside, &mut tasks).await;
        if run(mark, true, &inside, false).await.is_ok() {
            placed.push(mark);
        }
        tokio::task::yield_now().await;
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no worker panics");
    }
    assert!(!placed.is_empty() && !outside.log().is_empty());
    for mark in placed {
        assert_eq!(before(&inside[0], mark), before(&inside[1], mark));
    }
}

/// Lets a host commit a while, as long as there is anybody who works.
async fn work_goes_on(host: &Host, tasks: &mut tokio::task::JoinSet<()>) {
    let goal = host.log().len() + 20;
    while host.log().len() < goal && !tasks.is_empty() {
        tokio::task::yield_now().await;
        if let Some(done) = tasks.try_join_next() {
            done.expect("no worker panics");
        }
    }
}

fn homes(hosts: &[Arc<Host>]) -> BTreeMap<Uuid, Vec<usize>> {
    let mut homes: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
    for (at, host) in hosts.iter().enumerate() {
        host.log()
            .into_iter()
            .for_each(|gtrid| homes.entry(gtrid).or_default().push(at));
    }
    homes
}

#[tokio::test]
async fn a_participant_that_was_not_told_holds_up_the_next_mark_until_it_has_asked() {
    let hosts: Vec<_> = (0..2)
        .map(|_| Host::new(Duration::from_millis(40)))
        .collect();
    let gtrid = Uuid::from_u128(7);
    run(gtrid, false, &hosts, true)
        .await
        .expect("decided, though one was not told");
    assert_eq!(hosts[1].dtc.in_doubt(), [(gtrid, "first".to_owned())]);
    let mark = run(Uuid::from_u128(8), true, &hosts, false).await;
    assert_eq!(mark.expect_err("the other is in doubt").number, 1206);
    let outcome = hosts[0].dtc.outcome(gtrid, &Book(Arc::clone(&hosts[0])));
    assert_eq!(outcome.expect("readable"), Outcome::Committed);
    hosts[1].dtc.resolve(gtrid, true).await.expect("resolved");
    run(Uuid::from_u128(9), true, &hosts, false)
        .await
        .expect("nobody is in doubt");
    assert_eq!(hosts[1].log(), [gtrid, Uuid::from_u128(9)]);
}

#[tokio::test]
async fn a_transaction_that_was_never_decided_is_told_to_abort() {
    let host = Host::new(Duration::from_millis(40));
    let outcome = host
        .dtc
        .outcome(Uuid::from_u128(3), &Book(Arc::clone(&host)));
    assert_eq!(outcome.expect("readable"), Outcome::Aborted);
    let _active = host.dtc.begin(Uuid::from_u128(3));
    let outcome = host
        .dtc
        .outcome(Uuid::from_u128(3), &Book(Arc::clone(&host)));
    assert_eq!(outcome.expect("readable"), Outcome::Pending);
}

#[tokio::test]
async fn two_marks_at_once_make_the_younger_one_the_victim() {
    let hosts: Vec<_> = (0..2).map(|_| Host::new(Duration::from_secs(2))).collect();
    hosts[1]
        .dtc
        .close(Uuid::from_u128(1), Closing::Coordinators)
        .await
        .expect("open");
    let younger = run(Uuid::from_u128(2), true, &hosts, false).await;
    assert_eq!(younger.expect_err("the other was first").number, 1205);
    hosts[1].dtc.open(Uuid::from_u128(1));
    run(Uuid::from_u128(3), true, &hosts, false)
        .await
        .expect("the gates are open again");
}

#[tokio::test]
async fn an_outcome_may_be_told_twice() {
    let host = Host::new(Duration::from_millis(40));
    let gtrid = Uuid::from_u128(5);
    let part = Participant::new(log(&host, gtrid), Vec::new(), "first", false);
    part.prepare(&host.dtc, gtrid).await.expect("prepared");
    host.dtc.resolve(gtrid, true).await.expect("first");
    host.dtc.resolve(gtrid, true).await.expect("second");
    assert_eq!(host.log(), [gtrid]);
}
