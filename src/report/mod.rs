//! Reports: what a record, a survey or the catalog says, as data that prints for people and for programs.
//!
//! Start at the function of the thing to be shown. This room reads values only and prints nothing itself;
//! `cli/out.rs` does.

pub mod adopt;
pub mod bytes;
pub mod chains;
pub mod check;
mod escrow;
pub mod explain;
pub mod forecast;
pub mod inspect;
pub mod lineages;
pub mod links;
mod places;
pub mod prune;
pub mod remarks;
pub mod run;
pub mod sets;
pub mod status;
