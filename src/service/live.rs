//! Journals of a process that carries out several runs at a time: a run that is at work here is no leftover.
//!
//! Start at [`Live`]. It survives a reload of the configuration, which makes a new world around it. Journals are
//! written and read as ever; nothing is kept here but which of them are open.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::error::{Code, Error, Result};
use crate::model::RunId;
use crate::run::events::Event;
use crate::world::{Journal, Journals};

/// The runs that this process is carrying out.
#[derive(Clone, Debug)]
pub struct Live {
    runs: Arc<Mutex<BTreeSet<RunId>>>,
    begun: watch::Sender<u64>,
}

/// Journals that know who is at work.
pub struct LiveJournals {
    inner: Arc<dyn Journals>,
    live: Live,
}

/// An open journal; its run is at work as long as it lives.
struct Open {
    inner: Box<dyn Journal>,
    run: RunId,
    live: Live,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            runs: Arc::default(),
            begun: watch::Sender::new(0),
        }
    }
}

impl Live {
    /// These journals, with an eye on who has them open.
    #[must_use]
    pub fn journals(&self, inner: Arc<dyn Journals>) -> Arc<dyn Journals> {
        Arc::new(LiveJournals {
            inner,
            live: self.clone(),
        })
    }

    /// The runs that are at work.
    #[must_use]
    pub fn runs(&self) -> Vec<RunId> {
        self.lock().iter().copied().collect()
    }

    /// Counts the runs that were begun; it changes when one has written its first line.
    #[must_use]
    pub fn begun(&self) -> watch::Receiver<u64> {
        self.begun.subscribe()
    }

    /// The journal of a run that nobody else has open.
    fn enter(
        &self,
        run: RunId,
        open: impl FnOnce() -> Result<Box<dyn Journal>>,
    ) -> Result<Box<dyn Journal>> {
        if !self.lock().insert(run) {
            let message = "another run is bringing this one to its end";
            return Err(Error::new(Code::RunBusy, message)
                .at("run", run)
                .hint("nothing is to be done: the next run finds it finished"));
        }
        let live = self.clone();
        match open() {
            Ok(inner) => Ok(Box::new(Open { inner, run, live })),
            Err(error) => {
                self.lock().remove(&run);
                Err(error)
            }
        }
    }

    /// A panic while the lock is held ends its own run; a set of names is whole at any time.
    fn lock(&self) -> MutexGuard<'_, BTreeSet<RunId>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.live.lock().remove(&self.run);
    }
}

impl Journal for Open {
    fn append(&mut self, event: &Event) -> Result<()> {
        self.inner.append(event)?;
        if matches!(event, Event::RunBegan { .. }) {
            self.live.begun.send_modify(|begun| *begun += 1);
        }
        Ok(())
    }
}

impl Journals for LiveJournals {
    fn create(&self, run: RunId) -> Result<Box<dyn Journal>> {
        self.live.enter(run, || self.inner.create(run))
    }

    fn reopen(&self, run: RunId) -> Result<Box<dyn Journal>> {
        self.live.enter(run, || self.inner.reopen(run))
    }

    fn read(&self, run: RunId) -> Result<Vec<Event>> {
        self.inner.read(run)
    }

    fn runs(&self) -> Result<Vec<RunId>> {
        self.inner.runs()
    }

    fn unfinished(&self) -> Result<Vec<RunId>> {
        let mut unfinished = self.inner.unfinished()?;
        let live = self.live.lock();
        unfinished.retain(|run| !live.contains(run));
        Ok(unfinished)
    }

    fn ends(&self, run: RunId) -> Result<Option<(Event, Option<Event>)>> {
        self.inner.ends(run)
    }

    fn is_alone(&self) -> bool {
        self.live.lock().is_empty()
    }
}
