//! TDS, the protocol that SQL Server and its clients speak, from the server's side.
//!
//! Start at `api.rs` (what the sessions behind the wire must be). This room never decides what a
//! request means, and one connection's bad bytes never touch another connection.

pub mod api;
