//! Reports: what a record, a survey or the catalog says, as data that prints for people and for programs.
//!
//! Start at the function of the thing to be shown. This room reads values only and prints nothing itself;
//! `cli/out.rs` does.

pub mod adopt;
pub mod biztalk;
pub mod bytes;
pub mod chains;
pub mod check;
pub mod companions;
pub mod drill;
mod escrow;
pub mod explain;
pub mod forecast;
pub mod html;
pub mod inspect;
pub mod lineages;
pub mod link_explain;
pub mod link_trials;
pub mod links;
pub mod migration;
pub mod milink;
pub mod milink_script;
mod places;
pub mod points;
pub mod prune;
pub mod remarks;
pub mod rivals;
pub mod run;
mod runbook;
pub mod script;
pub mod sets;
pub mod status;
