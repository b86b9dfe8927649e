//! The simulator as clients meet it: T-SQL through a real TDS client.
//!
//! Start at `support.rs`. Each module tests one family of statements; nothing here looks inside the simulator.

mod batches;
mod catalog;
mod rights;
mod support;
mod tables;
mod transactions;
