//! The simulator as clients meet it: T-SQL through a real TDS client, on one host and on several.
//!
//! Start at `support.rs` (one host) and `hosts.rs` (several). Each module tests one family of
//! statements; nothing here looks inside the simulator.

mod availability;
mod backups;
mod batches;
mod biztalk;
mod catalog;
mod clock;
mod commits;
mod ears;
mod events;
mod faults;
mod hosts;
mod links;
mod marks;
mod processes;
mod replicas;
mod rights;
mod scenarios;
mod seeds;
mod stories;
mod support;
mod tables;
mod transactions;
