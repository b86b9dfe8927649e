//! Reads, proves and writes SQL Server backup media (Microsoft Tape Format) without a server.
//!
//! A `.bak` or `.trn` file says a great deal about itself: which database it is of, from which log
//! sequence number to which, which full backup it builds on, and, by checksums in four places,
//! whether its bytes are still those that SQL Server wrote. This crate reads all that in one pass
//! and writes media that hold the same. It knows plain media of SQL Server 2005 to 2025 and the
//! compressed ones of 2014 and later; older and encrypted containers are recognised and named.
//!
//! # Reading
//!
//! [`Scanner`] is fed with bytes in any slicing, so it fits beside a hash in an upload;
//! [`scan_reader`] and [`scan_seekable`] drive it where there is a file:
//!
//! ```text
//! let report = mtf::scan_reader(&mut File::open("ledger.bak")?)?;
//! if !report.is_sound() {
//!     for finding in &report.findings {
//!         println!("byte {}: {}", finding.offset, finding.kind);
//!     }
//! }
//! for set in &report.sets {
//!     println!("{} to {}", set.identity.first_lsn, set.identity.last_lsn);
//! }
//! ```
//!
//! Bad media are [findings](Finding) with an offset, never errors: nothing that a file holds makes
//! the scanner fail, hang, panic or hold more than some tens of megabytes. What is looked at has
//! three levels:
//!
//! * **L1, structure**: headers and their checksums, the order and place of blocks, the lists of
//!   filemarks. A cut at any byte is found here, but for one exactly between two backup sets.
//! * **L2, identity**: who, what and when, from the copy behind the contents; the copy in front is
//!   provisional. Both copies, the log extents, the page counts and the stripes are compared.
//! * **L3, content**: the checksums of `WITH CHECKSUM` streams, of the data pages that are in use,
//!   and of log blocks, each of which must also be where it says.
//!
//! A stripe can be proved alone, but restored only with its siblings: [`check_stripes`].
//!
//! Each can be asked for alone ([`Scanner::up_to`], [`scan_seekable`]); below L3 a scan that can seek
//! reads some kilobytes of any file. How deep a file passed says [`Report::level_reached`].
//! Compressed media are read as plain ones, through a container of records. Each record has a
//! checksum of its own, which is looked at on all levels; decoded are on L1 and L2 only headers.
//! Where a container cannot be read (older, encrypted, compressed in a way that is not known), that
//! is [`Severity::Unreadable`], which is neither sound nor damaged.
//!
//! Sound means "these bytes are what SQL Server wrote", not "this will restore". How much could be
//! proved differs (a database may have no page checksums), so [`Coverage`] counts it.
//!
//! # Restoring
//!
//! Whoever wants the contents themselves gives the scanner a receiver of [`Contents`].
//!
//! # Writing
//!
//! [`MediaWriter`] lays out media that this reader passes at all levels: several backup sets in a
//! file, stripes, with or without checksums, plain or compressed. [`page`] and [`block`] seal data pages and log blocks.
//!
//! ```text
//! let mut writer = MediaWriter::new(file, &media, now)?;
//! writer.begin_set(&front)?;
//! writer.data(length_bytes, &mut pages)?;
//! writer.log(&extent, &mut log)?;
//! writer.end_set(&identity)?;
//! writer.finish()?;
//! ```
//!
//! # What it was tried on
//!
//! Plain media: 76 files of SQL Server 2008 R2 and 2016, one backup set in each. Compressed media
//! and several sets in a file: what this crate's own writer wrote, and for the compression itself
//! the examples that its specification publishes. The layout of the container was measured on one
//! file of SQL Server 2022, which was not at hand when this was written; 16 bytes in the head of
//! each record are of unknown meaning, and damage to them is not noticed.
//!
//! # What it never does
//!
//! It opens no file, asks no clock, talks to no server, and knows nothing of chains: which backup
//! follows which is for its users to say. It does not tell copy-only backups from others, because
//! where media note that is not known.
#![forbid(unsafe_code)]

pub mod block;
mod bytes;
pub mod checksum;
mod container;
mod finding;
mod frame;
mod lsn;
mod media;
pub mod page;
mod report;
mod scan;
mod stripes;
mod time;
mod words;
mod write;

pub use finding::{Finding, FindingKind, Level, Severity};
pub use lsn::{Lsn, LsnError};
pub use media::{
    BackupKind, BackupSet, DatabaseFile, FileKind, LogExtent, MediaFamily, ServerVersion, SetFlags,
    Vlf,
};
pub use report::{
    Coverage, LogCoverage, PageCoverage, RecordCoverage, Report, SetReport, StreamCoverage,
};
pub use scan::{Contents, Nothing, Scanner, scan_reader, scan_seekable};
pub use stripes::{StripeFault, check_stripes};
pub use time::MediaTime;
pub use write::MediaWriter;

/// The first version (2019) whose front identity holds provisional LSNs and counts pages by pass.
pub(crate) const SERVER_2019: u8 = 15;
