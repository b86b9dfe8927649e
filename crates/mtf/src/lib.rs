//! Reads, proves and writes SQL Server backup media (Microsoft Tape Format) without a server.
#![forbid(unsafe_code)]

pub mod block;
mod bytes;
pub mod checksum;
mod finding;
mod frame;
mod lsn;
mod media;
pub mod page;
mod report;
mod scan;
mod time;
mod write;

pub use finding::{Finding, FindingKind, Level, Severity};
pub use lsn::{Lsn, LsnError};
pub use media::{
    BackupKind, BackupSet, DatabaseFile, FileKind, LogExtent, MediaFamily, ServerVersion, SetFlags,
    Vlf,
};
pub use report::{Coverage, LogCoverage, PageCoverage, Report, SetReport, StreamCoverage};
pub use scan::{Contents, Nothing, Scanner, scan_reader};
pub use time::MediaTime;
pub use write::MediaWriter;
