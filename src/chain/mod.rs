//! The chain: which pieces follow from which, and which marks every member can be restored to.
//!
//! Start at [`Chain::build`]. Given the pieces of one member in any order, it links them by LSN and recovery
//! fork; a gap is a finding, not an error. [`points`] asks the chains of all members for one mark at a time,
//! [`health`] compares a chain with what the host says, [`cure`] says what mends it, and [`errors`] is SQL Server's error table as data
//! ([`link_errors`] that of links and marks).
//!
//! This room never talks to a server, a store or a clock.

mod copies;
mod cure;
pub mod errors;
mod health;
pub mod link_errors;
mod links;
mod path;
mod points;
mod standing;
mod taken;
mod way;

pub use copies::Copies;
pub use cure::{Against, Cure, against_a_differential, cure};
pub use health::{Health, Holding, differential_base, foreign_logs, health, logs_past_ours};
pub use links::{Chain, Link};
pub use path::{Break, Path, Point};
pub use points::{
    Carrier, Judged, Reached, Verdict, carries, chains, judge, judge_by, points, reached,
    restore_path, weakest_proof,
};
pub use standing::{LogEnds, SetState, log_ends, published, worded};
pub use taken::Taken;
pub use way::Way;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
