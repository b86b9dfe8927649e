//! The book of a run: its journal and the record that the journal folds to, always in step.
//!
//! Start at [`Book::write`]. Every event of a run passes here: first onto the disk, then into the record.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::events::Event;
use super::record::Record;
use crate::error::{Code, Error, Result};
use crate::model::RunId;
use crate::world::{Journal, Journals};

/// A run's journal and record.
pub struct Book {
    inner: Mutex<Inner>,
}

struct Inner {
    journal: Box<dyn Journal>,
    record: Record,
}

impl Book {
    /// Begins a new run with its first event.
    pub fn begin(journals: &dyn Journals, run: RunId, first: &Event) -> Result<Self> {
        let record = Record::begin(first)?;
        let mut journal = journals.create(run)?;
        journal.append(first)?;
        Ok(Self {
            inner: Mutex::new(Inner { journal, record }),
        })
    }

    /// Opens the book of a run that a crash or a pause left unfinished.
    ///
    /// # Errors
    /// `SM0902` when the journal cannot be read or holds nothing.
    pub fn reopen(journals: &dyn Journals, run: RunId) -> Result<Self> {
        let journal = journals.reopen(run)?;
        let record = Record::fold(&journals.read(run)?)?.ok_or_else(|| {
            Error::new(Code::JournalUnreadable, "a journal holds no whole line").at("run", run)
        })?;
        Ok(Self {
            inner: Mutex::new(Inner { journal, record }),
        })
    }

    /// Writes one event: on the disk first, then in the record. An event that cannot follow is refused
    /// before it is written.
    pub fn write(&self, event: &Event) -> Result<()> {
        let mut inner = self.lock();
        inner.record.check(event)?;
        inner.journal.append(event)?;
        inner.record.apply(event)
    }

    /// Looks something up in the record.
    pub fn read<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&self.lock().record)
    }

    /// The record as it stands at the end.
    #[must_use]
    pub fn into_record(self) -> Record {
        self.inner
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .record
    }

    /// A panic while the lock is held is a bug that ends its own run; the record itself is never half
    /// written, so others may still read it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
