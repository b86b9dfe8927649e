//! Looks between runs at the members' chains, and what a broken one leads to.
//!
//! Start at [`Keeper::look_at_chains`]. A look is a task of its own: a host that does not answer holds nothing up. It
//! decides nothing about backups either: it makes the turn of the log job come early, and that run finds out for itself
//! what is broken.

use tokio::task::JoinSet;

use super::super::lock;
use super::super::seen::End;
use super::super::watch::Watch;
use super::Keeper;
use crate::config::Job;
use crate::error::Result;
use crate::model::Timestamp;
use crate::plan::ChainsSeen;

/// Looks at the chains, and what is known from those before.
pub(super) struct Watching {
    pub(super) looks: JoinSet<Result<ChainsSeen>>,
    /// When the last look began, or a run that looks for itself ended; none: the next one is due.
    asked_at: Option<Timestamp>,
    pub(super) watch: Watch,
}

impl Watching {
    pub(super) fn new(watch: Watch) -> Self {
        Self {
            looks: JoinSet::new(),
            asked_at: None,
            watch,
        }
    }
}

impl Keeper {
    /// Asks the hosts how the chains stand, where it is time to. Not while a backup is at work: what it has taken and
    /// not brought home yet would look like a log that somebody else took.
    pub(super) fn look_at_chains(&mut self, now: Timestamp) {
        let scene = self.opened.scene.clone();
        let Some(every) = scene.config.service.watch_every else {
            self.watching = Watching::new(Watch::default());
            return;
        };
        let asked_at = self.watching.asked_at;
        let is_due = asked_at.is_none_or(|at| now >= at.plus(every) || now < at);
        let is_free = !self.working.keys().copied().any(backs_up);
        if is_due && is_free && self.watching.looks.is_empty() {
            self.watching.asked_at = Some(now);
            let deeds = self.parts.deeds.clone();
            let looks = &mut self.watching.looks;
            looks.spawn(async move { deeds.chains(&scene).await });
        }
    }

    /// Nobody asks here while another agent works on the group; what was known is known to the next look.
    pub(super) fn stop_watching(&mut self) {
        self.watching.looks = JoinSet::new();
        self.watching.asked_at = None;
    }

    /// Takes in how the chains stand.
    pub(super) fn take_in_chains(&mut self, looked: Result<ChainsSeen>) {
        let seen = match looked {
            Ok(seen) => seen,
            Err(error) => {
                tracing::info!(%error, "how the chains stand is not known");
                return;
            }
        };
        let now = self.now();
        let mut watch = self.watching.watch.clone();
        let changes = watch.take_in(&seen, now);
        if !changes.broken.is_empty() && self.is_another_at_work() {
            // What a command takes and has not brought home looks like a theft: the next look will tell.
            return;
        }
        self.watching.watch = watch;
        self.seen.chains_looked_at = Some(now);
        for broken in self.watching.watch.broken() {
            if changes.broken.contains(&broken.member) {
                let (member, reason) = (&broken.member, &broken.reason);
                tracing::warn!(%member, "a chain is broken: {reason}");
            }
        }
        for member in &changes.mended {
            tracing::info!(%member, "its chain is sound again");
        }
        self.is_stale = true;
        self.keep_chains(now);
        self.tell_of_chains(&changes.broken, now);
    }

    /// A job begins: a look that is on its way saw a group without it, and a run of logs mends what is known.
    pub(super) fn chains_at_begin(&mut self, job: Job, now: Timestamp) {
        if backs_up(job) {
            self.watching.looks = JoinSet::new();
        }
        if job == Job::Log {
            self.watching.watch.begun(now);
            self.keep_chains(now);
        }
    }

    /// A job has ended. A run of logs that went well has looked at everything itself; whether one mended what was known is
    /// asked at once.
    pub(super) fn chains_at_end(&mut self, job: Job, end: &End, now: Timestamp) {
        if job != Job::Log {
            return;
        }
        if self.watching.watch.broken().next().is_some() {
            self.watching.asked_at = None;
        } else if end.is_good() {
            self.watching.asked_at = Some(now);
        }
    }

    /// Shows what is known of broken chains.
    pub(super) fn show_chains(&mut self) {
        let is_active = self.seen.role.is_active();
        let broken = self.watching.watch.broken().filter(|_| is_active);
        self.seen.broken = broken.cloned().collect();
    }

    fn keep_chains(&self, now: Timestamp) {
        let state = &self.opened.scene.config.state;
        if let Err(error) = self.watching.watch.keep(state, now) {
            tracing::warn!(%error, "broken chains cannot be kept in the state folder");
        }
    }

    fn is_another_at_work(&self) -> bool {
        let state = &self.opened.scene.config.state;
        self.acting.is_none() && lock::acting(state).is_err()
    }
}

/// Whether a job takes backups that chains are made of.
const fn backs_up(job: Job) -> bool {
    matches!(job, Job::Full | Job::Differential | Job::Log)
}
