//! Exclusive locks, held to the end of their transaction.
//!
//! Start at [`Locks::take`]. A lock that is held hands out a ticket; the ticket resolves when the
//! holder lets go. Who waits for whom is known here, so a deadlock inside one database is found at
//! once; one that spans databases ends by its caller's time-out. Nothing here knows time.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot;

use super::ids::{RowId, TableId};

/// What may be locked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resource {
    /// One row.
    Row(TableId, RowId),
    /// One key of a table, whether or not a row has it yet.
    Key(TableId, Vec<u8>),
    /// A whole table, rows and keys.
    Table(TableId),
}

impl Resource {
    fn table(&self) -> TableId {
        match self {
            Self::Row(table, _) | Self::Key(table, _) | Self::Table(table) => *table,
        }
    }
}

/// Who holds a lock: a transaction by its number in the log.
pub(super) type Owner = u64;

/// The answer to a wish for a lock.
#[derive(Debug)]
pub(super) enum Taken {
    /// The lock is held by the one who asked.
    Yes,
    /// Another holds it; ask again when the ticket resolves.
    Wait(oneshot::Receiver<()>),
    /// Waiting would never end: the one who asked is the victim (1205).
    Deadlock,
}

/// All locks of one database.
#[derive(Debug, Default)]
pub(super) struct Locks {
    held: BTreeMap<Resource, Held>,
    waiting: BTreeMap<Owner, Resource>,
}

#[derive(Debug)]
struct Held {
    owner: Owner,
    tickets: VecDeque<oneshot::Sender<()>>,
}

impl Locks {
    /// Takes the lock, or says what to wait for.
    pub(super) fn take(&mut self, owner: Owner, resource: &Resource) -> Taken {
        self.waiting.remove(&owner);
        match self.blocker(owner, resource) {
            None => self.hold(owner, resource),
            Some((_, holder)) if self.waits_for(holder, owner) => Taken::Deadlock,
            Some((blocking, _)) => self.queue(owner, &blocking),
        }
    }

    /// What another holds and keeps `owner` from the resource: itself, the table around it, or
    /// something within it.
    fn blocker(&self, owner: Owner, resource: &Resource) -> Option<(Resource, Owner)> {
        let others =
            |(held, by): (&Resource, &Held)| (by.owner != owner).then(|| (held.clone(), by.owner));
        if let Resource::Table(table) = resource {
            let mut within = self.held.iter().filter(|(held, _)| held.table() == *table);
            return within.find_map(others);
        }
        let around = Resource::Table(resource.table());
        let both = [resource, &around].map(|one| self.held.get_key_value(one));
        both.into_iter().flatten().find_map(others)
    }

    /// The one who asked does not wait any longer.
    pub(super) fn give_up(&mut self, owner: Owner) {
        self.waiting.remove(&owner);
    }

    /// Lets go of everything a transaction holds and wakes whoever waits for it.
    pub(super) fn release(&mut self, owner: Owner) {
        self.waiting.remove(&owner);
        self.held.retain(|_, held| {
            if held.owner != owner {
                return true;
            }
            for ticket in held.tickets.drain(..) {
                // A waiter that has gone away needs no waking.
                let _ = ticket.send(());
            }
            false
        });
    }

    fn hold(&mut self, owner: Owner, resource: &Resource) -> Taken {
        self.held.entry(resource.clone()).or_insert(Held {
            owner,
            tickets: VecDeque::new(),
        });
        Taken::Yes
    }

    fn queue(&mut self, owner: Owner, resource: &Resource) -> Taken {
        let (ticket, resolved) = oneshot::channel();
        if let Some(held) = self.held.get_mut(resource) {
            held.tickets.retain(|ticket| !ticket.is_closed());
            held.tickets.push_back(ticket);
        }
        self.waiting.insert(owner, resource.clone());
        Taken::Wait(resolved)
    }

    /// Whether `from` waits, over any number of others, for `target`. Each waits for one at most.
    fn waits_for(&self, from: Owner, target: Owner) -> bool {
        let mut at = from;
        for _ in 0..=self.waiting.len() {
            let next = self
                .waiting
                .get(&at)
                .and_then(|wanted| self.held.get(wanted));
            match next.map(|held| held.owner) {
                None => return false,
                Some(owner) if owner == target => return true,
                Some(owner) => at = owner,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64) -> Resource {
        Resource::Row(TableId(1), RowId(id))
    }

    #[test]
    fn a_released_lock_wakes_its_waiter() {
        let mut locks = Locks::default();
        assert!(matches!(locks.take(1, &row(1)), Taken::Yes));
        let Taken::Wait(mut ticket) = locks.take(2, &row(1)) else {
            panic!("the lock was held");
        };
        assert!(ticket.try_recv().is_err());
        locks.release(1);
        assert_eq!(ticket.try_recv(), Ok(()));
        assert!(matches!(locks.take(2, &row(1)), Taken::Yes));
    }

    #[test]
    fn two_that_wait_for_each_other_are_a_deadlock_at_once() {
        let mut locks = Locks::default();
        assert!(matches!(locks.take(1, &row(1)), Taken::Yes));
        assert!(matches!(locks.take(2, &row(2)), Taken::Yes));
        assert!(matches!(locks.take(1, &row(2)), Taken::Wait(_)));
        assert!(matches!(locks.take(2, &row(1)), Taken::Deadlock));
    }

    #[test]
    fn a_table_is_locked_with_all_its_rows_and_only_when_nobody_has_one() {
        let mut locks = Locks::default();
        let table = Resource::Table(TableId(1));
        assert!(matches!(locks.take(1, &row(1)), Taken::Yes));
        assert!(matches!(locks.take(2, &table), Taken::Wait(_)));
        assert!(matches!(locks.take(1, &table), Taken::Yes));
        locks.release(1);
        assert!(matches!(locks.take(2, &table), Taken::Yes));
        assert!(matches!(locks.take(2, &row(3)), Taken::Yes));
        assert!(matches!(locks.take(1, &row(2)), Taken::Wait(_)));
        let other = Resource::Row(TableId(2), RowId(1));
        assert!(matches!(locks.take(3, &other), Taken::Yes));
    }

    #[test]
    fn a_waiter_that_gave_up_is_in_nobodys_way() {
        let mut locks = Locks::default();
        assert!(matches!(locks.take(1, &row(1)), Taken::Yes));
        assert!(matches!(locks.take(2, &row(2)), Taken::Yes));
        assert!(matches!(locks.take(1, &row(2)), Taken::Wait(_)));
        locks.give_up(1);
        assert!(matches!(locks.take(2, &row(1)), Taken::Wait(_)));
    }
}
