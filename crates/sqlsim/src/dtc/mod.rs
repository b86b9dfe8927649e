//! Distributed transactions: what MSDTC is to SQL Server, between simulators.
//!
//! Start at [`commit`] for the coordinator's side and at [`Participant`] for the other; [`Dtc`] is
//! the part of it that each host has once, and [`gate`] holds the rule that makes a mark exact.
//! Prepare, decide durably, commit; no decision means aborted (presumed abort).
//!
//! This room knows no T-SQL, no connection and no storage: it drives them through [`Branch`],
//! [`Local`] and [`Decisions`].

pub mod gate;
mod host;
mod procedures;
mod protocol;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::SqlResult;
use crate::link::messages::dtc_cancelled;
use crate::messages;

pub use gate::Closing;
use gate::{Closed, Gate, Moment, Pass};
pub(crate) use host::coordinator;
pub use host::{decisions, recover};
pub use procedures::PROCEDURES;
pub use protocol::{Branch, Decisions, Local, Participant, Root, close, commit, rollback};

/// The transaction coordinator of one host.
#[derive(Debug)]
pub struct Dtc {
    state: Mutex<State>,
    changed: Notify,
    clock: Arc<dyn Clock>,
    step: Duration,
}

#[derive(Debug, Default)]
struct State {
    gate: Gate,
    /// Transactions whose commit this host has begun as the root and not yet ended.
    active: BTreeSet<Uuid>,
    /// Prepared for another coordinator; they outlive the session that did the work.
    prepared: BTreeMap<Uuid, Prepared>,
}

#[derive(Clone, Debug)]
struct Prepared {
    coordinator: String,
    participant: Arc<tokio::sync::Mutex<Participant>>,
}

/// What a coordinator knows of a transaction that somebody else is in doubt about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Decided durably: it must be committed.
    Committed,
    /// Never decided, and no longer under way: it must be aborted.
    Aborted,
    /// Not decided yet; ask again.
    Pending,
}

impl Dtc {
    /// A coordinator that lets a mark wait `step` for others to end on one host. Prepares that
    /// wait for a mark give up sooner, so that a mark and a coordinator outside of its hosts
    /// never wait for each other; the gate opens by itself after four steps.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, step: Duration) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            clock,
            step,
        }
    }

    /// Waits until a commit over several databases may begin; it ends when the value is dropped.
    pub(crate) async fn coordinate(self: &Arc<Self>, gtrid: Uuid) -> SqlResult<Coordinating> {
        let asked = self.wait(self.step * 6, |state, now| {
            go(state.gate.coordinate(gtrid, now))
        });
        asked.await.ok_or_else(dtc_cancelled)?;
        Ok(Coordinating {
            dtc: Arc::clone(self),
            gtrid,
        })
    }

    /// Waits until the commit of a single database may begin; it ends when the value is dropped.
    pub async fn commit_alone(self: &Arc<Self>) -> SqlResult<CommittingAlone> {
        let asked = self.wait(self.step * 6, |state, now| go(state.gate.commit(now)));
        asked.await.ok_or_else(messages::lock_timeout)?;
        Ok(CommittingAlone {
            dtc: Arc::clone(self),
        })
    }

    /// Whether the transaction is on its way to the end here already: as its root, or by another
    /// session. A host takes part in a transaction once.
    pub(crate) fn is_known(&self, gtrid: Uuid) -> bool {
        let state = self.lock();
        state.active.contains(&gtrid) || state.gate.is_prepared(gtrid)
    }

    /// Waits until a transaction may be prepared here, and counts it until [`Dtc::ended`].
    pub(crate) async fn enter_prepared(&self, gtrid: Uuid, is_mark: bool) -> SqlResult<()> {
        let asked = self.wait(self.step / 4, |state, now| {
            match state.gate.prepare(gtrid, is_mark, now) {
                Pass::Go => Some(true),
                Pass::Lost => Some(false),
                Pass::Wait => None,
            }
        });
        if asked.await == Some(true) {
            Ok(())
        } else {
            Err(dtc_cancelled())
        }
    }

    /// Closes this host's gate for a mark and waits until what it stops has ended here.
    pub(crate) async fn close(&self, marker: Uuid, closing: Closing) -> SqlResult<()> {
        let lease = self.step * 4;
        let asked = self.wait(self.step, |state, now| {
            match state.gate.close(marker, closing, now + lease, now) {
                Closed::Drained => Some(Ok(())),
                Closed::Victim => Some(Err(messages::deadlock_victim(0, "lock"))),
                Closed::Draining | Closed::Occupied => None,
            }
        });
        asked.await.unwrap_or_else(|| Err(dtc_cancelled()))
    }

    /// Opens the gate for everyone, unless the mark is prepared here.
    pub(crate) fn open(&self, marker: Uuid) {
        self.change(|state| state.gate.open(marker));
    }

    /// A prepared transaction has ended here.
    pub(crate) fn ended(&self, gtrid: Uuid) {
        self.change(|state| {
            state.prepared.remove(&gtrid);
            state.gate.ended(gtrid);
        });
    }

    /// Takes up a transaction that a restart found in doubt: it counts as prepared, and a mark closes the gate again.
    pub fn adopt(&self, gtrid: Uuid, is_mark: bool, participant: Participant) {
        self.change(|state| state.gate.adopt(gtrid, is_mark));
        self.keep(gtrid, participant);
    }

    /// Keeps what is prepared until its outcome comes, whoever brings it.
    pub(crate) fn keep(&self, gtrid: Uuid, participant: Participant) {
        let coordinator = participant.coordinator().to_owned();
        let participant = Arc::new(tokio::sync::Mutex::new(participant));
        let prepared = Prepared {
            coordinator,
            participant,
        };
        self.change(|state| state.prepared.insert(gtrid, prepared));
    }

    /// Ends a prepared transaction as its coordinator says. A transaction that is not prepared
    /// here has ended already: nothing happens, so that an outcome may be told twice. Fails also
    /// when it has ended here, and a host below could not be told so: the coordinator must remember
    /// its decision.
    pub async fn resolve(&self, gtrid: Uuid, is_committed: bool) -> SqlResult<()> {
        let participant = self.lock().prepared.get(&gtrid).cloned();
        let Some(Prepared { participant, .. }) = participant else {
            return Ok(());
        };
        let mut participant = participant.lock().await;
        if !self.lock().gate.is_prepared(gtrid) {
            return Ok(());
        }
        let all_told = participant.end(gtrid, is_committed).await?;
        self.ended(gtrid);
        all_told.then_some(()).ok_or_else(dtc_cancelled)
    }

    /// The transactions prepared here whose outcome is not known, and whom to ask.
    #[must_use]
    pub fn in_doubt(&self) -> Vec<(Uuid, String)> {
        let state = self.lock();
        state
            .prepared
            .iter()
            .map(|(gtrid, part)| (*gtrid, part.coordinator.clone()))
            .collect()
    }

    /// Whether no transaction over several hosts is under way from here, nor prepared here.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let state = self.lock();
        state.active.is_empty() && state.prepared.is_empty()
    }

    /// What to tell somebody in doubt. `decisions` are read after the list of those under way: a
    /// decision that is being made meanwhile is then seen in one of the two.
    pub fn outcome(&self, gtrid: Uuid, decisions: &dyn Decisions) -> SqlResult<Outcome> {
        Ok(match self.is_known(gtrid) {
            true => Outcome::Pending,
            false if decisions.is_committed(gtrid)? => Outcome::Committed,
            false => Outcome::Aborted,
        })
    }

    /// Registers a root as under way until the value is dropped.
    pub(crate) fn begin(self: &Arc<Self>, gtrid: Uuid) -> Active {
        self.change(|state| state.active.insert(gtrid));
        Active {
            dtc: Arc::clone(self),
            gtrid,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let done = act(&mut self.lock());
        self.changed.notify_waiters();
        done
    }

    /// Asks again whenever the state changes, until there is an answer or the time is over.
    async fn wait<T: Send>(
        &self,
        limit: Duration,
        mut ask: impl FnMut(&mut State, Moment) -> Option<T> + Send,
    ) -> Option<T> {
        let deadline = self.clock.monotonic() + limit;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let now = self.clock.monotonic();
            let (answer, next) = {
                let mut state = self.lock();
                (ask(&mut state, now), state.gate.changes_at())
            };
            if answer.is_some() || now >= deadline {
                return answer;
            }
            let until = next
                .filter(|at| *at > now)
                .map_or(deadline, |at| at.min(deadline));
            tokio::select! {
                () = &mut changed => {}
                () = self.clock.sleep(until.saturating_sub(now)) => {}
            }
        }
    }
}

fn go(pass: Pass) -> Option<()> {
    (pass == Pass::Go).then_some(())
}

/// A commit over several databases that this host coordinates is under way.
#[derive(Debug)]
pub(crate) struct Coordinating {
    dtc: Arc<Dtc>,
    gtrid: Uuid,
}

impl Drop for Coordinating {
    fn drop(&mut self) {
        self.dtc.change(|state| state.gate.coordinated(self.gtrid));
    }
}

/// The commit of a single database is under way.
#[derive(Debug)]
pub struct CommittingAlone {
    dtc: Arc<Dtc>,
}

impl Drop for CommittingAlone {
    fn drop(&mut self) {
        self.dtc.change(|state| state.gate.committed());
    }
}

/// A root is under way: those in doubt are told to ask again.
#[derive(Debug)]
pub(crate) struct Active {
    dtc: Arc<Dtc>,
    gtrid: Uuid,
}

impl Drop for Active {
    fn drop(&mut self) {
        self.dtc.change(|state| state.active.remove(&self.gtrid));
    }
}
