//! The log file: blocks of records in virtual log files.
//!
//! Start at [`LogFile`] to append and read, at [`layout`] for where things lie. A block is written
//! once and never again, so that a kill can tear only the last one, whose checksum then cuts it
//! off. Virtual log files that nobody needs are used again, cleared first, so that no old block can
//! be taken for a new one.
//!
//! This room knows bytes and LSNs; what a record means is not its business.

mod file;
mod frames;
pub mod layout;

pub(super) use file::LogFile;
pub use file::{Extent, blocks_of};
pub(super) use frames::Joiner;
