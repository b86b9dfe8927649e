//! The chain: which pieces follow from which, and which marks every member can be restored to.
//!
//! Start at `Chain::build`. Given the pieces of one member in any order, it links them by LSN and recovery
//! fork; a gap is a finding, not an error. `points` asks the chains of all members for one mark at a time.
//!
//! This room never talks to a server, a store or a clock.

mod path;

pub use path::{Break, Path, Point};
