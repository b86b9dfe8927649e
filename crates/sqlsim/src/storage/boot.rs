//! The boot record: what must survive beside rows and log, and changes without a checkpoint.
//!
//! Start at [`Boot`]. It lies in two pages of the data file, written in turn, so that a write torn
//! by a kill leaves the one before. JSON inside: it is small, seldom written, and read by people
//! when something went wrong.

use jiff::civil::DateTime;
use mtf::{Lsn, page};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::facts::{DatabaseState, DifferentialBase, Fork, NewDatabase, RecoveryModel};

/// The two pages that hold the boot record; SQL Server's own is page 9, too.
pub(super) const PAGES: [u32; 2] = [9, 10];
/// Page type of boot pages.
pub(super) const PAGE_TYPE: u8 = 13;
/// Forks remembered; older ones are of no use to any chain that still can be restored.
const FORKS_MAX: usize = 16;
const FORMAT: u32 = 1;
const BODY: usize = page::HEADER_SIZE + 4;

/// What a database is, apart from its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Boot {
    /// Of these fields; a reader refuses a newer one.
    pub format: u32,
    /// Rises with every write; the higher of the two pages counts.
    pub version: u64,
    /// See [`NewDatabase`].
    pub name: String,
    /// See [`NewDatabase`].
    pub database_guid: Uuid,
    /// See [`NewDatabase`].
    pub family_guid: Uuid,
    /// See [`NewDatabase`].
    pub created: DateTime,
    /// See [`NewDatabase`].
    pub compatibility_level: u8,
    /// See [`NewDatabase`].
    pub collation: String,
    /// Whether the database can be used.
    pub state: DatabaseState,
    /// Set by `ALTER DATABASE .. SET READ_ONLY`.
    pub is_read_only: bool,
    /// The recovery model.
    pub model: RecoveryModel,
    /// Every fork from the first (or the oldest remembered) to the one that grows.
    pub forks: Vec<Fork>,
    /// Where the next log backup begins; `None` while no chain runs.
    pub last_log_backup_lsn: Option<Lsn>,
    /// No log backup has been taken since the chain was begun.
    pub begins_log_chain: bool,
    /// The last minimally logged change that the next log backup will hold.
    pub bulk_in_log: Option<Lsn>,
    /// The last minimally logged change that no log backup covers, also of times under SIMPLE
    /// (1475).
    pub bulk_unbacked: Option<Lsn>,
    /// The last full that was no copy: the base of differentials.
    pub differential_base: Option<DifferentialBase>,
    /// The checkpoint whose rows the data file holds.
    pub checkpoint_lsn: Lsn,
    /// Where redo begins: the checkpoint, or the first change of a transaction open at the time.
    pub redo_lsn: Lsn,
    /// While restoring: redo ends here, whatever else the log file holds.
    pub redo_end: Option<Lsn>,
    /// While restoring: where the first log backup after recovery will begin.
    pub resume_log_lsn: Option<Lsn>,
    /// It is rolled forward with the log of an availability group's primary replica.
    #[serde(default)]
    pub is_replica: bool,
    /// Extents of ballast behind the rows.
    #[serde(default)]
    pub ballast_extents: u32,
    /// The checkpoint before the ballast was last changed: older bases lack the change.
    #[serde(default)]
    pub ballast_changed: Option<Lsn>,
}

impl Boot {
    /// The boot record of a new database whose log begins at `first`.
    #[must_use]
    pub(super) fn new(new: &NewDatabase, first: Lsn) -> Self {
        Self {
            format: FORMAT,
            version: 1,
            name: new.name.clone(),
            database_guid: new.database_guid,
            family_guid: new.family_guid,
            created: new.created,
            compatibility_level: new.compatibility_level,
            collation: new.collation.clone(),
            state: DatabaseState::Online,
            is_read_only: false,
            model: new.recovery_model,
            forks: vec![Fork {
                guid: new.fork_guid,
                begins: Lsn::ZERO,
            }],
            last_log_backup_lsn: None,
            begins_log_chain: true,
            bulk_in_log: None,
            bulk_unbacked: None,
            differential_base: None,
            checkpoint_lsn: first,
            redo_lsn: first,
            redo_end: None,
            resume_log_lsn: None,
            is_replica: false,
            ballast_extents: 0,
            ballast_changed: None,
        }
    }

    /// The fork that grows.
    #[must_use]
    pub(super) fn fork(&self) -> Fork {
        let none = Fork {
            guid: Uuid::nil(),
            begins: Lsn::ZERO,
        };
        self.forks.last().copied().unwrap_or(none)
    }

    /// The fork in which log that begins at `lsn` begins. Log that begins exactly at a fork point
    /// still belongs to the fork before: it is what continues that one.
    #[must_use]
    pub(super) fn fork_at(&self, lsn: Lsn) -> Fork {
        let begun = self.forks.iter().rev().find(|fork| fork.begins < lsn);
        begun
            .or(self.forks.first())
            .copied()
            .unwrap_or_else(|| self.fork())
    }

    /// A new fork begins.
    pub(super) fn push_fork(&mut self, fork: Fork) {
        if self.forks.iter().any(|known| known.guid == fork.guid) {
            return;
        }
        self.forks.push(fork);
        let old = self.forks.len().saturating_sub(FORKS_MAX);
        self.forks.drain(..old);
    }

    /// The sealed boot page for this version, and its number; `None` where it is too long, which
    /// only names of absurd length can bring about.
    #[must_use]
    pub(super) fn page(&self) -> Option<(u32, Box<[u8; page::SIZE]>)> {
        let json = serde_json::to_vec(self).ok()?;
        let length = u32::try_from(json.len()).ok()?;
        let mut bytes = Box::new([0; page::SIZE]);
        let page_id = PAGES[usize::from(!self.version.is_multiple_of(2))];
        header(page_id).write(&mut bytes);
        bytes[page::HEADER_SIZE..BODY].copy_from_slice(&length.to_le_bytes());
        bytes
            .get_mut(BODY..BODY + json.len())?
            .copy_from_slice(&json);
        page::seal(&mut bytes);
        Some((page_id, bytes))
    }

    /// The boot record in a page, if it is whole and of a format that we know.
    #[must_use]
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        if page::check(bytes) != page::PageVerdict::Sound {
            return None;
        }
        let length = bytes.get(page::HEADER_SIZE..BODY)?.try_into().ok()?;
        let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
        let json = bytes.get(BODY..BODY.checked_add(length)?)?;
        let boot: Self = serde_json::from_slice(json).ok()?;
        (boot.format <= FORMAT).then_some(boot)
    }
}

/// The header of a boot page.
#[must_use]
pub(super) fn header(page_id: u32) -> page::PageHeader {
    page::PageHeader {
        page_type: PAGE_TYPE,
        page_id,
        file_id: 1,
        ..page::PageHeader::default()
    }
}
