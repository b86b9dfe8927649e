//! The application: transfers whose every transaction spans two hosts, until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::task::JoinSet;

use super::super::sim::Hosts;
use super::client::Client;
use super::group::{ACCOUNTS, APPLICATION, LEDGERS};
use crate::error::{Code, Error, Result};

/// The application at work.
pub(super) struct Workload {
    workers: JoinSet<Result<()>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    stop: AtomicBool,
    moved: AtomicU64,
    refused: AtomicU64,
}

/// What one worker needs.
struct Worker {
    address: SocketAddr,
    ca: PathBuf,
    password: String,
    from: (&'static str, &'static str),
    to: (&'static str, &'static str),
    /// Which of the accounts are this worker's own: two hosts would find out about each other's locks only by
    /// waiting, so no two workers touch one account.
    share: i64,
    seed: u64,
}

/// Workers, one for each ordered pair of ledgers.
const WORKERS: i64 = 6;

impl Workload {
    /// Starts a worker for each ordered pair of ledgers.
    pub(super) fn start(hosts: &Hosts, password: &str, seed: u64) -> Self {
        let state = Arc::new(State::default());
        let mut workers = JoinSet::new();
        let pairs = LEDGERS
            .iter()
            .flat_map(|from| LEDGERS.iter().map(move |to| (*from, *to)));
        for (at, (from, to)) in pairs.filter(|(from, to)| from != to).enumerate() {
            let worker = Worker {
                address: hosts.host(from.0).address(),
                ca: hosts.authority_file(),
                password: password.to_owned(),
                from,
                to,
                share: i64::try_from(at).unwrap_or(0),
                seed: seed.wrapping_mul(1_000_003).wrapping_add(at as u64 + 1),
            };
            workers.spawn(worker.work(state.clone()));
        }
        Self { workers, state }
    }

    /// Transfers committed so far.
    pub(super) fn moved(&self) -> u64 {
        self.state.moved.load(Ordering::Relaxed)
    }

    /// Lets every worker end its transfer, and gives transfers committed and refused (deadlocks).
    pub(super) async fn stop(mut self) -> Result<(u64, u64)> {
        self.state.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.workers.join_next().await {
            ended.map_err(|error| Error::new(Code::Bug, "a worker panicked").source(error))??;
        }
        Ok((self.moved(), self.state.refused.load(Ordering::Relaxed)))
    }
}

impl Worker {
    async fn work(self, state: Arc<State>) -> Result<()> {
        let Self {
            address,
            ca,
            password,
            from,
            to,
            share,
            seed,
        } = self;
        let mut client = Client::open(address, &ca, APPLICATION, &password, from.1).await?;
        let mut random = seed;
        while !state.stop.load(Ordering::Relaxed) {
            let mut draw = || (pick(&mut random, ACCOUNTS / WORKERS) - 1) * WORKERS + share + 1;
            let (from_account, to_account) = (draw(), draw());
            let amount = pick(&mut random, 20);
            let transfer = format!(
                "SET XACT_ABORT ON; BEGIN TRANSACTION; \
                 EXEC dbo.Pay @id = {from_account}, @amount = -{amount}; \
                 EXEC [APP_{}].[{}].dbo.Pay @id = {to_account}, @amount = {amount}; \
                 COMMIT TRANSACTION;",
                to.0, to.1
            );
            match client.run(&transfer).await {
                Ok(()) => state.moved.fetch_add(1, Ordering::Relaxed),
                // Two transfers in each other's way: one is the victim and nothing of it remains.
                Err(error) if error.sql().is_some() => {
                    state.refused.fetch_add(1, Ordering::Relaxed)
                }
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }
}

/// A number from 1 to `most`, by a small generator: the same seed moves the same money.
fn pick(state: &mut u64, most: i64) -> i64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    let high = i64::try_from(*state >> 33).unwrap_or(0);
    high % most + 1
}
