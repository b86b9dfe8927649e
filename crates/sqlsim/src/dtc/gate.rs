//! The gate: who may commit on this host while a mark is being placed.
//!
//! Start at [`Gate::close`]. A marked distributed transaction must cut the history of all its hosts
//! at one moment: every other transaction is before the mark on all of them or after it on all of
//! them. The cut is made in two closings. After [`Closing::Coordinators`] no commit over several
//! databases that this host coordinates may begin, and those that have begun are waited for;
//! prepares that other hosts ask for still pass, since their coordinators are being waited for in
//! turn. Only when every host has drained comes [`Closing::Everyone`]: no prepare and no commit
//! begins, and the prepared ones are waited for. Then nothing moves on any host, and the mark
//! commits.
//!
//! This is a state machine without I/O: it never waits, never looks at a clock and never allocates
//! more than the transactions it is told of. [`super::Dtc`] does the waiting.

use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;

/// A moment on the host's monotonic clock, counted from any fixed start.
pub type Moment = Duration;

/// How far the gate is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closing {
    /// No new commit over several databases that this host coordinates.
    Coordinators,
    /// Also no new prepare for other hosts, and no commit of a single database.
    Everyone,
}

/// What the gate says to a transaction that wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// It may go on, and has been counted; its end must be told to the gate.
    Go,
    /// The gate is closed; ask again when it has changed.
    Wait,
    /// A mark that no longer holds the gate (it was too slow) must not commit.
    Lost,
}

/// What the gate says to a mark that wants to close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The gate is closed so far, and nothing that it stops is under way.
    Drained,
    /// The gate is closed so far, but some that began before are still under way; ask again.
    Draining,
    /// A younger mark holds the gate and will end or be the victim; ask again.
    Occupied,
    /// An older mark holds the gate: this one is the deadlock victim (1205).
    Victim,
}

/// The state of one host's gate.
#[derive(Debug, Default)]
pub struct Gate {
    holder: Option<Holder>,
    coordinating: BTreeSet<Uuid>,
    prepared: BTreeSet<Uuid>,
    committing: u32,
}

#[derive(Debug)]
struct Holder {
    marker: Uuid,
    closing: Closing,
    /// When the gate opens by itself if the mark has not been prepared here: its coordinator died.
    opens_at: Moment,
    /// Once the mark is prepared here its outcome alone opens the gate to distributed commits:
    /// another host may have committed it already.
    is_prepared: bool,
}

impl Gate {
    /// Asks to begin committing a transaction over several databases that this host coordinates.
    pub fn coordinate(&mut self, gtrid: Uuid, now: Moment) -> Pass {
        if self.stops(gtrid, Closing::Coordinators, now) {
            return Pass::Wait;
        }
        self.coordinating.insert(gtrid);
        Pass::Go
    }

    /// Tells that the commit of [`Gate::coordinate`] has ended on every host that answered.
    pub fn coordinated(&mut self, gtrid: Uuid) {
        self.coordinating.remove(&gtrid);
    }

    /// Asks to commit a transaction of a single database. Unlike the others it is let through once
    /// the holder's time is over even if the mark is in doubt: alone it can tear nothing apart.
    pub fn commit(&mut self, now: Moment) -> Pass {
        self.expire(now);
        let stopped = self
            .holder
            .as_ref()
            .is_some_and(|holder| holder.closing == Closing::Everyone && now < holder.opens_at);
        if stopped {
            return Pass::Wait;
        }
        self.committing += 1;
        Pass::Go
    }

    /// Tells that the commit of [`Gate::commit`] has ended.
    pub fn committed(&mut self) {
        self.committing = self.committing.saturating_sub(1);
    }

    /// Asks to prepare a transaction. The mark itself passes its own gate, and from then on keeps
    /// it until its outcome is known.
    pub fn prepare(&mut self, gtrid: Uuid, is_mark: bool, now: Moment) -> Pass {
        self.expire(now);
        if is_mark {
            match &mut self.holder {
                Some(holder) if holder.marker == gtrid && holder.closing == Closing::Everyone => {
                    holder.is_prepared = true;
                }
                _ => return Pass::Lost,
            }
        } else if self.stops(gtrid, Closing::Everyone, now) {
            return Pass::Wait;
        }
        self.prepared.insert(gtrid);
        Pass::Go
    }

    /// Takes up a transaction that was prepared before a restart and is in doubt. A mark closes the gate again to
    /// distributed commits: another host may have committed it already, and what committed here before its outcome
    /// arrives would be before the mark on this host and after it on that one.
    pub fn adopt(&mut self, gtrid: Uuid, is_mark: bool) {
        self.prepared.insert(gtrid);
        if is_mark && self.holder.is_none() {
            self.holder = Some(Holder {
                marker: gtrid,
                closing: Closing::Everyone,
                opens_at: Moment::ZERO,
                is_prepared: true,
            });
        }
    }

    /// Tells that a prepared transaction has committed or aborted here. A mark's end opens its
    /// gate.
    pub fn ended(&mut self, gtrid: Uuid) {
        self.prepared.remove(&gtrid);
        self.open(gtrid);
    }

    /// Closes the gate for a mark, at most until `opens_at`. Asking again extends the time.
    pub fn close(
        &mut self,
        marker: Uuid,
        closing: Closing,
        opens_at: Moment,
        now: Moment,
    ) -> Closed {
        self.expire(now);
        match &mut self.holder {
            None => {
                self.holder = Some(Holder {
                    marker,
                    closing,
                    opens_at,
                    is_prepared: false,
                });
            }
            Some(holder) if holder.marker == marker => {
                holder.closing = holder.closing.max(closing);
                holder.opens_at = holder.opens_at.max(opens_at);
            }
            // Wait-die: of two marks that meet, the one that began later gives way, so that each
            // may hold some hosts without both waiting for ever.
            Some(holder) if holder.marker < marker => return Closed::Victim,
            Some(_) => return Closed::Occupied,
        }
        if self.is_drained(marker, closing) {
            Closed::Drained
        } else {
            Closed::Draining
        }
    }

    /// Opens the gate if this mark holds it and is not prepared (or no longer).
    pub fn open(&mut self, marker: Uuid) {
        let mine = self
            .holder
            .as_ref()
            .is_some_and(|holder| holder.marker == marker);
        if mine && !self.prepared.contains(&marker) {
            self.holder = None;
        }
    }

    /// When the state changes by itself, if it does: a waiter should ask again then.
    #[must_use]
    pub fn changes_at(&self) -> Option<Moment> {
        self.holder.as_ref().map(|holder| holder.opens_at)
    }

    /// Whether this transaction is prepared here and its outcome unknown.
    #[must_use]
    pub fn is_prepared(&self, gtrid: Uuid) -> bool {
        self.prepared.contains(&gtrid)
    }

    /// Whether this host is committing the transaction as its coordinator right now.
    #[must_use]
    pub fn is_coordinating(&self, gtrid: Uuid) -> bool {
        self.coordinating.contains(&gtrid)
    }

    fn stops(&mut self, gtrid: Uuid, what: Closing, now: Moment) -> bool {
        self.expire(now);
        self.holder
            .as_ref()
            .is_some_and(|holder| holder.marker != gtrid && holder.closing >= what)
    }

    fn expire(&mut self, now: Moment) {
        let over = self
            .holder
            .as_ref()
            .is_some_and(|held| !held.is_prepared && now >= held.opens_at);
        if over {
            self.holder = None;
        }
    }

    fn is_drained(&self, marker: Uuid, closing: Closing) -> bool {
        let others = |set: &BTreeSet<Uuid>| set.iter().any(|gtrid| *gtrid != marker);
        let distributed = !others(&self.coordinating);
        match closing {
            Closing::Coordinators => distributed,
            Closing::Everyone => distributed && !others(&self.prepared) && self.committing == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Moment = Duration::from_secs(5);
    const ZERO: Moment = Duration::ZERO;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn an_open_gate_lets_all_pass() {
        let mut gate = Gate::default();
        assert_eq!(gate.coordinate(id(1), ZERO), Pass::Go);
        assert_eq!(gate.prepare(id(2), false, ZERO), Pass::Go);
        assert_eq!(gate.commit(ZERO), Pass::Go);
    }

    #[test]
    fn the_first_closing_waits_for_coordinated_commits_and_lets_prepares_pass() {
        let mut gate = Gate::default();
        assert_eq!(gate.coordinate(id(1), ZERO), Pass::Go);
        assert_eq!(
            gate.close(id(9), Closing::Coordinators, LEASE, ZERO),
            Closed::Draining
        );
        assert_eq!(gate.coordinate(id(2), ZERO), Pass::Wait);
        assert_eq!(gate.prepare(id(3), false, ZERO), Pass::Go);
        gate.coordinated(id(1));
        assert_eq!(
            gate.close(id(9), Closing::Coordinators, LEASE, ZERO),
            Closed::Drained
        );
    }

    #[test]
    fn the_second_closing_stops_prepares_and_waits_for_the_prepared() {
        let mut gate = Gate::default();
        assert_eq!(gate.prepare(id(1), false, ZERO), Pass::Go);
        assert_eq!(gate.commit(ZERO), Pass::Go);
        assert_eq!(
            gate.close(id(9), Closing::Everyone, LEASE, ZERO),
            Closed::Draining
        );
        assert_eq!(gate.prepare(id(2), false, ZERO), Pass::Wait);
        assert_eq!(gate.commit(ZERO), Pass::Wait);
        gate.ended(id(1));
        assert_eq!(
            gate.close(id(9), Closing::Everyone, LEASE, ZERO),
            Closed::Draining
        );
        gate.committed();
        assert_eq!(
            gate.close(id(9), Closing::Everyone, LEASE, ZERO),
            Closed::Drained
        );
    }

    #[test]
    fn the_end_of_the_mark_opens_the_gate() {
        let mut gate = Gate::default();
        assert_eq!(
            gate.close(id(9), Closing::Everyone, LEASE, ZERO),
            Closed::Drained
        );
        assert_eq!(gate.prepare(id(9), true, ZERO), Pass::Go);
        gate.open(id(9));
        assert_eq!(
            gate.coordinate(id(1), ZERO),
            Pass::Wait,
            "a prepared mark keeps its gate"
        );
        gate.ended(id(9));
        assert_eq!(gate.coordinate(id(1), ZERO), Pass::Go);
    }

    #[test]
    fn a_gate_left_by_a_dead_coordinator_opens_by_itself_and_the_mark_is_lost() {
        let mut gate = Gate::default();
        assert_eq!(
            gate.close(id(9), Closing::Everyone, LEASE, ZERO),
            Closed::Drained
        );
        assert_eq!(gate.coordinate(id(1), LEASE), Pass::Go);
        assert_eq!(gate.prepare(id(9), true, LEASE), Pass::Lost);
    }

    #[test]
    fn a_mark_that_a_restart_found_in_doubt_closes_the_gate_again() {
        let mut gate = Gate::default();
        gate.adopt(id(9), true);
        assert_eq!(gate.commit(ZERO), Pass::Go, "alone it tears nothing apart");
        assert_eq!(gate.coordinate(id(1), LEASE * 10), Pass::Wait);
        assert_eq!(gate.prepare(id(2), false, LEASE * 10), Pass::Wait);
        gate.ended(id(9));
        assert_eq!(gate.coordinate(id(1), LEASE * 10), Pass::Go);
        let mut other = Gate::default();
        other.adopt(id(3), false);
        assert_eq!(other.coordinate(id(1), ZERO), Pass::Go, "only marks cut");
    }

    #[test]
    fn a_mark_in_doubt_keeps_distributed_commits_out_and_lets_single_ones_pass_in_the_end() {
        let mut gate = Gate::default();
        assert_eq!(
            gate.close(id(9), Closing::Everyone, LEASE, ZERO),
            Closed::Drained
        );
        assert_eq!(gate.prepare(id(9), true, ZERO), Pass::Go);
        assert_eq!(gate.commit(ZERO), Pass::Wait);
        assert_eq!(gate.commit(LEASE), Pass::Go);
        assert_eq!(gate.coordinate(id(1), LEASE * 10), Pass::Wait);
        assert_eq!(gate.prepare(id(2), false, LEASE * 10), Pass::Wait);
    }

    #[test]
    fn of_two_marks_the_younger_is_the_victim_and_the_older_waits() {
        let mut gate = Gate::default();
        assert_eq!(
            gate.close(id(5), Closing::Coordinators, LEASE, ZERO),
            Closed::Drained
        );
        assert_eq!(
            gate.close(id(6), Closing::Coordinators, LEASE, ZERO),
            Closed::Victim
        );
        assert_eq!(
            gate.close(id(4), Closing::Coordinators, LEASE, ZERO),
            Closed::Occupied
        );
        gate.open(id(5));
        assert_eq!(
            gate.close(id(4), Closing::Coordinators, LEASE, ZERO),
            Closed::Drained
        );
    }

    #[test]
    fn a_mark_that_never_closed_the_gate_may_not_prepare() {
        let mut gate = Gate::default();
        assert_eq!(gate.prepare(id(9), true, ZERO), Pass::Lost);
        assert_eq!(
            gate.close(id(9), Closing::Coordinators, LEASE, ZERO),
            Closed::Drained
        );
        assert_eq!(gate.prepare(id(9), true, ZERO), Pass::Lost);
    }

    #[test]
    fn a_transaction_in_doubt_after_a_restart_holds_up_the_mark() {
        let mut gate = Gate::default();
        gate.adopt(id(1), false);
        assert_eq!(
            gate.close(id(9), Closing::Coordinators, LEASE, ZERO),
            Closed::Drained
        );
        assert_eq!(
            gate.close(id(9), Closing::Everyone, LEASE, ZERO),
            Closed::Draining
        );
        gate.ended(id(1));
        assert_eq!(
            gate.close(id(9), Closing::Everyone, LEASE, ZERO),
            Closed::Drained
        );
    }
}
