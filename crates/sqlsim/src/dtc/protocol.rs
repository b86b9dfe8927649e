//! Two-phase commit: the coordinator's side, and the side of a host that takes part.
//!
//! Start at [`commit`]. A transaction's hosts form a tree along its linked-server calls; each host
//! passes on to its own branches what it is told, so that the code is the same at every level.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::{Closing, Dtc};
use crate::error::{SqlError, SqlResult};
use crate::link::messages::dtc_cancelled;

/// Another host's part of a transaction, reached over a linked server's connection.
#[async_trait]
pub trait Branch: Send {
    /// Closes that host's gate for a mark, and waits until it has drained.
    async fn close(&mut self, gtrid: Uuid, closing: Closing) -> SqlResult<()>;
    /// Makes that host's part durable and holds it for either outcome.
    async fn prepare(&mut self, gtrid: Uuid) -> SqlResult<()>;
    /// Ends that host's part. A failure means that it has not been told: it will ask.
    async fn end(&mut self, gtrid: Uuid, is_committed: bool) -> SqlResult<()>;
}

/// This host's own part of a transaction: the databases that it has written to.
#[async_trait]
pub trait Local: Send {
    /// How many databases the transaction has written to on this host.
    fn databases(&self) -> usize;
    /// Makes the changes durable and holds them for either outcome.
    async fn prepare(&mut self, gtrid: Uuid) -> SqlResult<()>;
    /// Commits, prepared or not, with the mark if the transaction has one.
    async fn commit(&mut self) -> SqlResult<()>;
    /// Rolls back, prepared or not.
    async fn abort(&mut self);
}

/// The durable list of transactions that this host has decided to commit.
#[async_trait]
pub trait Decisions: Send + Sync {
    /// Writes the decision; when this returns it survives the death of the process.
    async fn decide(&self, gtrid: Uuid) -> SqlResult<()>;
    /// Whether the decision stands.
    fn is_committed(&self, gtrid: Uuid) -> SqlResult<bool>;
    /// Forgets it: every participant has been told.
    fn forget(&self, gtrid: Uuid);
}

/// What one transaction is made of on the host where it began.
pub struct Root {
    /// Identity of the transaction, the same on all its hosts. Rises with time: of two marks that
    /// meet, the one with the smaller identity goes first.
    pub gtrid: Uuid,
    /// Whether it carries a mark.
    pub is_mark: bool,
    /// The databases of this host.
    pub local: Box<dyn Local>,
    /// The other hosts.
    pub branches: Vec<Box<dyn Branch>>,
    /// Where this host writes down what it decided.
    pub decisions: Arc<dyn Decisions>,
}

/// Commits a transaction on all its hosts, or on none: an error means that it was rolled back,
/// unless it comes from this host's own databases after the decision (a full log disk).
///
/// Run it in a task of its own: once begun it must not be dropped because a client hung up.
pub async fn commit(dtc: &Arc<Dtc>, mut root: Root) -> SqlResult<()> {
    let committed = if root.is_mark {
        commit_mark(dtc, &mut root).await
    } else if root.branches.is_empty() && root.local.databases() <= 1 {
        commit_alone(dtc, &mut root).await
    } else {
        commit_many(dtc, &mut root).await
    };
    if let Err(Failure::Undecided(_)) = &committed {
        rollback(root.gtrid, root.local.as_mut(), &mut root.branches).await;
    }
    if root.is_mark {
        dtc.ended(root.gtrid);
    }
    committed.map_err(Failure::into_error)
}

/// Rolls a transaction back on all its hosts.
pub async fn rollback(gtrid: Uuid, local: &mut dyn Local, branches: &mut [Box<dyn Branch>]) {
    local.abort().await;
    for branch in branches {
        // A host that cannot be told finds no decision when it asks: presumed abort.
        let _untold = branch.end(gtrid, false).await;
    }
}

/// Closes this host's gate for a mark, then those of the hosts called from here, and waits until
/// all have drained.
pub async fn close(
    dtc: &Dtc,
    gtrid: Uuid,
    closing: Closing,
    branches: &mut [Box<dyn Branch>],
) -> SqlResult<()> {
    dtc.close(gtrid, closing).await?;
    for branch in branches {
        branch.close(gtrid, closing).await?;
    }
    Ok(())
}

/// Why a commit failed, and so what is left of the transaction.
enum Failure {
    Undecided(SqlError),
    Decided(SqlError),
}

impl Failure {
    fn into_error(self) -> SqlError {
        match self {
            Self::Undecided(error) | Self::Decided(error) => error,
        }
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self::Undecided(error)
    }
}

async fn commit_alone(dtc: &Arc<Dtc>, root: &mut Root) -> Result<(), Failure> {
    let _committing = dtc.commit_alone().await?;
    Ok(root.local.commit().await?)
}

async fn commit_many(dtc: &Arc<Dtc>, root: &mut Root) -> Result<(), Failure> {
    let _active = dtc.begin(root.gtrid);
    let _coordinating = dtc.coordinate(root.gtrid).await?;
    two_phases(root).await
}

/// A mark first silences all its hosts, in two closings, and then commits like any other.
async fn commit_mark(dtc: &Arc<Dtc>, root: &mut Root) -> Result<(), Failure> {
    let _active = dtc.begin(root.gtrid);
    for closing in [Closing::Coordinators, Closing::Everyone] {
        close(dtc, root.gtrid, closing, &mut root.branches).await?;
    }
    dtc.enter_prepared(root.gtrid, true).await?;
    two_phases(root).await
}

async fn two_phases(root: &mut Root) -> Result<(), Failure> {
    for branch in &mut root.branches {
        branch.prepare(root.gtrid).await?;
    }
    root.local.prepare(root.gtrid).await?;
    root.decisions.decide(root.gtrid).await?;
    let committed = root.local.commit().await;
    if tell_committed(root.gtrid, &mut root.branches).await && committed.is_ok() {
        root.decisions.forget(root.gtrid);
    }
    committed.map_err(Failure::Decided)
}

/// Tells every branch; true when all have heard it.
async fn tell_committed(gtrid: Uuid, branches: &mut [Box<dyn Branch>]) -> bool {
    let mut all_told = true;
    for branch in branches {
        all_told &= branch.end(gtrid, true).await.is_ok();
    }
    all_told
}

/// This host's part of a transaction that another host coordinates, with the branches below it.
pub struct Participant {
    local: Box<dyn Local>,
    branches: Vec<Box<dyn Branch>>,
    coordinator: String,
    is_mark: bool,
}

impl std::fmt::Debug for Participant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Participant")
            .field("is_mark", &self.is_mark)
            .finish_non_exhaustive()
    }
}

impl Participant {
    /// A part that consists of the databases written to here and of hosts called from here.
    /// `is_mark` tells that the gate was closed for this transaction: it must still hold it when
    /// it is prepared.
    #[must_use]
    pub fn new(
        local: Box<dyn Local>,
        branches: Vec<Box<dyn Branch>>,
        coordinator: &str,
        is_mark: bool,
    ) -> Self {
        Self {
            local,
            branches,
            coordinator: coordinator.to_owned(),
            is_mark,
        }
    }

    /// Whom to ask for the outcome: the host where the transaction began.
    #[must_use]
    pub fn coordinator(&self) -> &str {
        &self.coordinator
    }

    /// Prepares this part; afterwards it is kept by `dtc` until the outcome comes. On an error
    /// nothing is left of it.
    pub async fn prepare(mut self, dtc: &Dtc, gtrid: Uuid) -> SqlResult<()> {
        if dtc.is_known(gtrid) {
            rollback(gtrid, self.local.as_mut(), &mut self.branches).await;
            return Err(dtc_cancelled());
        }
        if let Err(error) = self.try_prepare(dtc, gtrid).await {
            self.abort(dtc, gtrid).await;
            return Err(error);
        }
        dtc.keep(gtrid, self);
        Ok(())
    }

    /// Rolls this part back and opens the gate, if it was closed for this transaction.
    pub async fn abort(mut self, dtc: &Dtc, gtrid: Uuid) {
        rollback(gtrid, self.local.as_mut(), &mut self.branches).await;
        dtc.ended(gtrid);
    }

    /// Ends a prepared part. False when a host below has not heard it and will ask the root, which
    /// therefore must not forget its decision.
    pub(super) async fn end(&mut self, gtrid: Uuid, is_committed: bool) -> SqlResult<bool> {
        if !is_committed {
            rollback(gtrid, self.local.as_mut(), &mut self.branches).await;
            return Ok(true);
        }
        self.local.commit().await?;
        Ok(tell_committed(gtrid, &mut self.branches).await)
    }

    async fn try_prepare(&mut self, dtc: &Dtc, gtrid: Uuid) -> SqlResult<()> {
        dtc.enter_prepared(gtrid, self.is_mark).await?;
        for branch in &mut self.branches {
            branch.prepare(gtrid).await?;
        }
        self.local.prepare(gtrid).await
    }
}
