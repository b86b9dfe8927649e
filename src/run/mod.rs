//! The executor: carries plans out step by step, journal first, and picks up what a crash left.
//!
//! Start at [`executor::carry_out_plan`] for one round, and at [`events::Event`] for what the journal says.
//!
//! This room decides nothing about what to do: it follows the plan, and asks for another when a round breaks.

pub mod book;
pub mod deeds;
pub mod events;
pub mod executor;
pub mod journal;
pub mod record;
mod resume;

pub use resume::{Resumed, resolve_unfinished_steps};
