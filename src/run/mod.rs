//! The executor: carries plans out step by step, journal first, and picks up what a crash left.
//!
//! Start at [`back_up`] for a run from end to end, at [`executor::carry_out_plan`] for one round, and at
//! [`events::Event`] for what the journal says.
//!
//! This room decides nothing about what to do: it follows the plan, and asks for another when a round breaks.

pub mod adopt;
mod ahead;
mod away;
mod backlog;
pub mod book;
pub mod certificate;
mod chains;
pub mod companions;
mod conduct;
pub mod deeds;
pub mod drill;
pub mod events;
pub mod executor;
mod failed;
mod held_back;
pub mod journal;
mod leftovers;
mod marks;
mod medium;
pub mod prune;
pub mod record;
mod restore;
mod resume;
mod round_result;
pub mod scrub;
pub mod targets;
pub mod verdict;

pub use backlog::{Backlog, backlog};
pub use chains::look_at_chains;
pub use conduct::{BackupWanted, PlanNames, back_up, carry_out, check, plan_only, quarantined};
pub use executor::Interrupt;
pub use leftovers::{finish_drills, finish_leftovers};
pub use restore::{BegunRestore, begun_restore, restore};
pub use resume::{Resumed, Unknown, resolve_unfinished_steps};
