//! The executor: carries a plan out step by step, journal first, and picks up what a crash left.
//!
//! Start at [`events::Event`], the journal's wire types.
//!
//! This room decides nothing about what to do: it follows the plan, and asks for another when a round breaks.

pub mod events;
pub mod journal;
pub mod record;
