//! The lease: one agent works on a group. It is renewed by creating the next epoch and removing the last.
//!
//! Start at [`ObjectStore::take_or_renew`]. Nobody's wall clock is trusted: a lease of another agent counts as
//! expired only when this agent has watched it stay unchanged for the whole of its time, on its own monotonic
//! clock.

use std::sync::PoisonError;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ObjectStore, keys};
use crate::error::{Code, Error, Result, Retry};
use crate::model::{GroupName, Timestamp};
use crate::world::{Footing, LogFact};

/// The newest format of a lease.
const LEASE_FORMAT: u16 = 1;

/// How often two agents that start together may collide before one gives up.
const TRIES_MAX: u32 = 5;

/// The lease that this agent holds.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    group: GroupName,
    epoch: u64,
    renewed: Duration,
}

/// What is done about another agent's lease.
#[derive(Clone, Copy, Debug)]
enum Others {
    /// It is watched for its whole time.
    Watch,
    /// It is left alone, but for the one of this epoch, which was watched already.
    LetBe { but: Option<u64> },
}

/// A lease object.
#[derive(Debug, Serialize, Deserialize)]
struct LeaseObject {
    format: u16,
    epoch: u64,
    holder: String,
    name: String,
    at: Timestamp,
    ttl_ms: u64,
}

impl ObjectStore {
    /// Takes the lease, or renews it when a third of its time has passed.
    ///
    /// # Errors
    /// `SM0706` when another agent holds it and goes on renewing it.
    pub(super) async fn take_or_renew(&self, group: &GroupName) -> Result<()> {
        let mut held = self.lease.lock().await;
        let now = self.clock.monotonic();
        if let Some(lease) = held.as_ref().filter(|lease| lease.group == *group)
            && now.saturating_sub(lease.renewed) < self.lease_ttl / 3
        {
            return Ok(());
        }
        // Who held the lease and finds another's, or none, has lost it: to wait for it, or take it anew, would
        // let a stale agent go on.
        let was_held = held.take().filter(|lease| lease.group == *group);
        for _ in 0..TRIES_MAX {
            if let Some(lease) = self
                .try_take(group, was_held.as_ref(), Others::Watch)
                .await?
            {
                *held = Some(lease);
                return Ok(());
            }
        }
        Err(held_by_another(group, "others"))
    }

    /// Takes or renews the lease where that needs no waiting; else says who holds it. The watch over another agent's
    /// lease goes on from one call to the next.
    pub(super) async fn look_at_lease(&self, group: &GroupName) -> Result<Footing> {
        let is_held = self.lease.lock().await.is_some();
        if is_held {
            match self.take_or_renew(group).await {
                // What was lost may be free again, or another's.
                Err(error) if error.code() == Code::LeaseHeld => {}
                renewed => return renewed.map(|()| Footing::Active),
            }
        }
        let newest = self.lease_numbers(group).await?.last().copied();
        let found = match newest {
            Some(epoch) => self.read_lease(group, epoch).await?,
            None => None,
        };
        let mut expired = None;
        if let Some(other) = found.filter(|lease| lease.holder != self.agent.id) {
            let until = self.unchanged_since(other.epoch) + self.patience(&other);
            if self.clock.monotonic() < until {
                let holder = other.name;
                return Ok(Footing::Standby { holder, until });
            }
            tracing::warn!(holder = other.name, "another agent's lease has run out");
            expired = Some(other.epoch);
        }
        let mut held = self.lease.lock().await;
        match self
            .try_take(group, None, Others::LetBe { but: expired })
            .await?
        {
            Some(lease) => {
                *held = Some(lease);
                Ok(Footing::Active)
            }
            // Somebody was quicker; who, the next look says.
            None => Ok(Footing::Standby {
                holder: "another agent".to_owned(),
                until: self.clock.monotonic() + self.lease_ttl,
            }),
        }
    }

    /// Since when the lease of this epoch has been seen to be the newest, on this agent's monotonic clock.
    fn unchanged_since(&self, epoch: u64) -> Duration {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        match *watched {
            Some((known, since)) if known == epoch => since,
            _ => {
                let now = self.clock.monotonic();
                *watched = Some((epoch, now));
                now
            }
        }
    }

    /// How long another agent's lease is watched; a holder that claims years is not waited for that long.
    fn patience(&self, other: &LeaseObject) -> Duration {
        let most = self.lease_ttl.max(Duration::from_secs(1)) * 10;
        Duration::from_millis(other.ttl_ms).min(most)
    }

    /// Gives the lease up; one that is not held is no error.
    pub(super) async fn release(&self, group: &GroupName) -> Result<()> {
        let lease = self.lease.lock().await.take();
        match lease.filter(|lease| lease.group == *group) {
            Some(lease) => self.remove_lease(group, lease.epoch).await,
            None => Ok(()),
        }
    }

    /// The epoch of the lease that this agent holds.
    pub(super) async fn held_epoch(&self, group: &GroupName) -> Result<u64> {
        self.take_or_renew(group).await?;
        let held = self.lease.lock().await;
        let lease = held.as_ref().filter(|lease| lease.group == *group);
        lease
            .map(|lease| lease.epoch)
            .ok_or_else(|| held_by_another(group, "nobody"))
    }

    /// One try; none when another agent was quicker. With what was held until now it is a renewal.
    async fn try_take(
        &self,
        group: &GroupName,
        held: Option<&Lease>,
        others: Others,
    ) -> Result<Option<Lease>> {
        // The log is asked first: who takes the lease after that stands in the list, or takes the number that this
        // agent is about to take.
        let logged = self.newest_epoch(group).await?;
        let numbers = self.lease_numbers(group).await?;
        let newest = numbers.last().copied();
        let found = match newest {
            Some(epoch) => self.read_lease(group, epoch).await?,
            None => None,
        };
        let is_own = found
            .as_ref()
            .is_some_and(|lease| lease.holder == self.agent.id && lease.epoch >= logged);
        match (held, &found) {
            // After a restart, or beside one that reads a changed configuration, this agent may have renewed it itself.
            (Some(held), Some(_)) if is_own && logged <= held.epoch => {}
            // Its taker may have published what this agent was about to, and gone.
            (Some(_), found) => return Err(lost_to(group, found.as_ref(), &self.agent.id)),
            (None, Some(lease)) if lease.holder != self.agent.id => {
                self.uploads.forget_lease(group);
                match others {
                    Others::Watch => self.watch(group, lease).await?,
                    Others::LetBe { but } if but != Some(lease.epoch) => return Ok(None),
                    Others::LetBe { .. } => {}
                }
            }
            (None, _) => {}
        }
        let epoch = newest.unwrap_or(0).max(logged) + 1;
        if !self.create_lease(group, epoch).await? {
            return Ok(None);
        }
        if self.newest_epoch(group).await? >= epoch {
            // Another agent took this number, published and went, all since the log was asked.
            self.remove_lease(group, epoch).await?;
            return Ok(None);
        }
        // An agent that was killed between its new lease and its old one left two.
        for old in numbers {
            self.remove_lease(group, old).await?;
        }
        if !is_own {
            let fact = LogFact::LeaseTaken {
                holder: self.agent.name.clone(),
            };
            self.append_under(group, epoch, fact).await?;
        }
        self.uploads.note_lease(group);
        Ok(Some(Lease {
            group: group.clone(),
            epoch,
            renewed: self.clock.monotonic(),
        }))
    }

    async fn read_lease(&self, group: &GroupName, epoch: u64) -> Result<Option<LeaseObject>> {
        match self.read_small(&keys::lease(group, epoch)).await {
            Ok(content) => serde_json::from_slice(&content).map(Some).map_err(|error| {
                Error::new(Code::ManifestUnreadable, "a lease cannot be read")
                    .at("object", keys::lease(group, epoch))
                    .hint("if no agent is at work on this group, delete the object")
                    .source(error)
            }),
            Err(error) if error.code() == Code::ObjectMissing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Watches another agent's lease for its whole time; an error when it lives.
    async fn watch(&self, group: &GroupName, other: &LeaseObject) -> Result<()> {
        tracing::warn!(
            holder = other.name,
            ttl_ms = other.ttl_ms,
            "waiting for another agent's lease"
        );
        let ttl = self.patience(other);
        let waiting = format!(
            "waiting up to {} s for the lease of group `{group}`: {} holds it",
            ttl.as_secs(),
            other.name
        );
        if let Some(progress) = &self.progress {
            progress.say(&waiting);
        }
        self.clock.sleep_until(self.clock.monotonic() + ttl).await;
        let newest = self.lease_numbers(group).await?.last().copied();
        if newest.is_none_or(|epoch| epoch == other.epoch) {
            return Ok(());
        }
        Err(held_by_another(group, &other.name))
    }

    /// Whether this agent created the lease object of that epoch.
    async fn create_lease(&self, group: &GroupName, epoch: u64) -> Result<bool> {
        let lease = LeaseObject {
            format: LEASE_FORMAT,
            epoch,
            holder: self.agent.id.clone(),
            name: self.agent.name.clone(),
            at: self.clock.now(),
            ttl_ms: u64::try_from(self.lease_ttl.as_millis()).unwrap_or(u64::MAX),
        };
        let content = serde_json::to_vec(&lease)
            .map_err(|error| Error::new(Code::Bug, "a lease cannot be written").source(error))?;
        match self
            .create_unlocked(&keys::lease(group, epoch), content)
            .await
        {
            Ok(()) => Ok(true),
            Err(error) if error.code() == Code::ObjectExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Who holds a lease that this agent held, or nobody, where its taker has gone again.
fn lost_to(group: &GroupName, found: Option<&LeaseObject>, own: &str) -> Error {
    let other = found.filter(|lease| lease.holder != own);
    held_by_another(group, other.map_or("nobody any more", |lease| &lease.name))
}

fn held_by_another(group: &GroupName, holder: &str) -> Error {
    Error::new(
        Code::LeaseHeld,
        format!("the lease of group `{group}` is held by {holder}"),
    )
    .at("group", group)
    .hint("one agent works on a group; wait, or stop the other")
    .retry(Retry::Safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_of_format_1_is_read_for_ever() {
        let text = include_str!("../../tests/fixtures/lease-1.json");
        let lease: LeaseObject = serde_json::from_str(text).expect("format 1");
        assert_eq!((lease.format, lease.epoch, lease.ttl_ms), (1, 3, 120_000));
    }
}
