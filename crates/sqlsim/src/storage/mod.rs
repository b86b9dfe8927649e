//! One database: logical tables of rows, a log with real LSNs, crash-safe files.
//!
//! Start at [`Database`]. A database knows no SQL text and no schema: schema objects are rows in
//! tables with low numbers, so that backup and restore carry them. Readers see committed rows under
//! their own writes; writers hold exclusive locks to the end of their transaction.
//!
//! Two files as SQL Server has them. The data file is an image of the committed rows at the last
//! checkpoint, laid over sealed 8 KiB pages; a checkpoint writes a new one and renames it. The log
//! file is a row of virtual log files, whose blocks carry their LSN and a checksum. `open` after a
//! kill at any byte reads the image, redoes what committed after it, and keeps prepared
//! transactions in doubt.
//!
//! Nothing here reads a clock, makes a GUID or waits for time: all three come in as arguments.

pub mod ballast;
mod boot;
mod change;
mod codec;
mod database;
mod disk;
mod facts;
mod fingerprint;
mod ids;
mod image;
mod inner;
mod locks;
mod log;
mod memory;
mod raise;
mod record;
mod redo;
mod replica;
mod restore;
mod rows;
mod snapshot;
mod transact;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use database::{Database, InDoubt, MarkInfo, PrepareInfo, Resolved};
pub use disk::{Disk, DiskFile, RealDisk};
pub use facts::{
    DatabaseFiles, DatabaseState, DifferentialBase, Facts, Fork, NewDatabase, RecoveryModel,
};
pub use ids::{RowId, Savepoint, TableId, TxId};
pub use image::Damage;
pub use log::{Extent, blocks_of, layout};
pub use memory::MemoryDisk;
pub use redo::{Commit, commits, forks};
pub use replica::{Archive, GivenLog};
pub use restore::{RestoredData, RestoredIdentity};
pub use snapshot::{DataSnapshot, LogRange, LogSnapshot};
