//! Journals that somebody stands before: every line passes by, whoever writes it.
//!
//! Start at [`Watched`]. What is read passes untouched.

use std::sync::Arc;

use stopmark::error::Result;
use stopmark::model::RunId;
use stopmark::run::events::Event;
use stopmark::world::{Journal, Journals};

/// What stands before one journal.
pub(crate) type Wrap = dyn Fn(RunId, Box<dyn Journal>) -> Box<dyn Journal> + Send + Sync;

/// Journals of which each one that is written to is wrapped.
pub(crate) struct Watched {
    inner: Arc<dyn Journals>,
    wrap: Box<Wrap>,
}

impl Watched {
    pub(crate) fn by(
        inner: Arc<dyn Journals>,
        wrap: impl Fn(RunId, Box<dyn Journal>) -> Box<dyn Journal> + Send + Sync + 'static,
    ) -> Arc<dyn Journals> {
        let wrap = Box::new(wrap);
        Arc::new(Self { inner, wrap })
    }
}

impl Journals for Watched {
    fn create(&self, run: RunId) -> Result<Box<dyn Journal>> {
        Ok((self.wrap)(run, self.inner.create(run)?))
    }

    fn reopen(&self, run: RunId) -> Result<Box<dyn Journal>> {
        Ok((self.wrap)(run, self.inner.reopen(run)?))
    }

    fn read(&self, run: RunId) -> Result<Vec<Event>> {
        self.inner.read(run)
    }

    fn runs(&self) -> Result<Vec<RunId>> {
        self.inner.runs()
    }

    fn unfinished(&self) -> Result<Vec<RunId>> {
        self.inner.unfinished()
    }
}
