//! Clients that nobody here wrote, against a simulated host: they see what SQL Server would show.

mod conformance;
mod login;
mod statements;
pub(crate) mod tsql;
