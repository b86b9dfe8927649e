//! The catalog: what tells a database's rows apart as tables, procedures, users and rights.
//!
//! Start at [`schema::Schema`]. Records live in each database's own storage (`record.rs`), so that
//! a backup carries them; `views/` shows them, and the server's state, as `sys.*`. This room
//! decides no right and runs no statement.

pub mod object;
pub mod principal;
pub mod record;
pub mod schema;
pub mod shape;
pub mod views;
